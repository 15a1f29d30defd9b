//! Every role of every kind of fact, read back: the fact's own value stands, any other is refused.

use jiff::civil::{Date, date, time};

use super::tests::GUARD;
use super::{cart, mutants, spans, task};
use crate::domain::desk::{Address, Piece};
use crate::domain::fact::{ContactFact, DeliveryFact, Detail, Passage, RangeFact};
use crate::domain::menu::MenuFact;
use crate::domain::order::{Order, OrderState};
use crate::domain::product::{Quote, StockLine};
use crate::domain::{Fact, FactBody, FactId, Language, Localised, Money, Role};

fn eur(minor: i64) -> Money {
    Money::new(minor, "EUR".parse().unwrap())
}

fn en(text: &str) -> Localised {
    Localised::only(Language::En, text)
}

/// Each role with what it may say and what it may not; then, of another role of the same text, that it is none.
fn check(body: FactBody, rows: &[(Role, &str, &str)]) {
    let fact = Fact { id: FactId("f".to_string()), body, source: String::new(), as_of: jiff::Timestamp::UNIX_EPOCH };
    for &(role, right, wrong) in rows {
        let verify = |text: &str| spans::verify(&GUARD.lexicon, &fact, (role, Language::En, text));
        for line in right.split('|') {
            assert_eq!(verify(line), Ok(()), "{role:?}: {line}");
        }
        for line in wrong.split('|') {
            assert!(verify(line).is_err(), "{role:?}: {line}");
        }
    }
}

/// No other kind of fact has a value in these roles.
fn none(body: FactBody, roles: &[Role], text: &str) {
    let fact = Fact { id: FactId("f".to_string()), body, source: String::new(), as_of: jiff::Timestamp::UNIX_EPOCH };
    for &role in roles {
        assert!(spans::verify(&GUARD.lexicon, &fact, (role, Language::En, text)).is_err(), "{role:?}: {text}");
    }
}

#[test]
fn kinds_of_goods_are_told_as_the_shop_calls_them() {
    let range = || FactBody::Range(RangeFact { kinds: vec![en("kettles"), en("lamps 12 V")] });
    check(range(), &[(Role::Kind, "kettles|lamps 12 V", "shoes|lamps 24 V|kettles $5")]);
    none(range(), &[Role::Name, Role::Price, Role::Detail], "kettles");
}

const DAY: Date = date(2026, 5, 3);

fn offer() -> FactBody {
    let FactBody::Offer(mut fact) = mutants::facts().remove(0).body else { unreachable!() };
    fact.summary = en("A quiet pack.");
    fact.details = vec![Detail { name: en("weight"), value: en("1.2 kg") }];
    fact.colour = en("grey");
    fact.places = vec![(en("Nitra"), 3), (en("Trnava"), 4)];
    fact.offer.size = Some("42".to_string());
    fact.offer.stock = vec![StockLine { sku: fact.offer.sku.clone(), place: "nitra".into(), count: 9 }];
    fact.offer.price = Quote::Known { now: eur(2490), old: Some(eur(3000)), until: Some(DAY) };
    FactBody::Offer(fact)
}

#[test]
fn an_offer_is_read_back() {
    check(
        offer(),
        &[
            (Role::Price, "€24.90|24.90 EUR| €24.90 ", "€24.09|$24.90|24.90|€24.90 each|from €24.90|€24.90 €24.90|"),
            (Role::OldPrice, "€30.00", "€24.90|€30.01"),
            (
                Role::SaleUntil,
                "3 May|3 May 2026|3.5.|3.5.2026|2026-05-03",
                "4 May|3 June|5.3.|3 May 2027|3|3 May $|3 May 4|",
            ),
            (
                Role::Name,
                "Trailhead 45 backpack| Trailhead 45 backpack ",
                "Trailhead 46 backpack|Summit 60 backpack| |",
            ),
            (Role::Summary, "A quiet pack.", "A quiet pack for $5."),
            (Role::Detail, "weight|1.2 kg", "1.3 kg|$1.2|weight 1.2 kg"),
            (Role::Colour, "grey", "blue"),
            (Role::Size, "42", "43"),
            (Role::Sku, "SKU-0", "SKU-1"),
            (Role::Place, "Nitra|Trnava", "Levice"),
            (Role::Stock, "3|4 pieces|9", "5|3 of 4|no|3 pieces %"),
        ],
    );
    none(offer(), &[Role::Total, Role::Refund, Role::Goods, Role::LineTotal], "€24.90");
    none(offer(), &[Role::Quantity, Role::Pieces], "9");
    none(offer(), &[Role::Earliest, Role::Latest, Role::Promised, Role::Delivered], "3 May");
    none(offer(), &[Role::Phone, Role::Quote, Role::Question, Role::Choice, Role::Address, Role::Citation], "grey");
    none(offer(), &[Role::Cutoff], "14:30");
    let FactBody::Offer(mut fact) = offer() else { unreachable!() };
    fact.offer.price = Quote::Stale;
    none(FactBody::Offer(fact), &[Role::Price, Role::OldPrice], "€24.90");
}

#[test]
fn free_delivery_and_whole_hours_are_read_back() {
    let delivery = DeliveryFact {
        place: "nitra".into(),
        name: en("Nitra"),
        cost: eur(0),
        free_from: None,
        cutoff: time(14, 0, 0, 0),
        earliest: DAY,
        latest: DAY,
    };
    check(
        FactBody::Delivery(delivery.clone()),
        &[
            (Role::DeliveryCost, "free|€0.00|no charge", "€3.90|half price|half off|полцены|半价|double the price|"),
            (Role::Cutoff, "14|14:00", "15|14:30|14:00 %|0"),
        ],
    );
    let half = DeliveryFact { cutoff: time(14, 30, 0, 0), ..delivery };
    check(FactBody::Delivery(half), &[(Role::Cutoff, "14:30", "14|30|14:00|30:14")]);
    let reads = |text: &str| spans::reads(&GUARD.lexicon, (Language::En, text), [eur(390)]);
    assert!(reads("€3.90") && !reads("€3.09") && !reads("free"));
}

fn order() -> Order {
    let json = r#"{"number":"TT-1","customer":"C","name":"N","phone":"","email":"n@example.sk","language":"sk",
        "place":"nitra","placed":"2026-05-01","state":"processing","promised":"2026-05-03","delivered":"2026-05-04",
        "carrier":"Kuriér","tracking":"ZX 77","currency":"EUR","items":[{"sku":"A","quantity":2,"price":"5.00"}],
        "shipping":"1.00","total":"11.00"}"#;
    serde_json::from_str(json).unwrap()
}

#[test]
fn an_order_is_read_back() {
    check(
        FactBody::Order(Box::new(order())),
        &[
            (Role::Total, "€11.00", "€11.01|€1.00"),
            (Role::DeliveryCost, "€1.00", "€11.00|free"),
            (Role::Promised, "3 May", "4 May"),
            (Role::Delivered, "4 May", "3 May"),
            (Role::OrderNumber, "TT-1", "TT-2"),
            (Role::Carrier, "Kuriér", "Pošta"),
            (Role::Tracking, "ZX 77", "ZX 78"),
            (Role::Place, "Nitra|Nové Zámky|Frýdek-Místek", "Nitra 7|€5|7|"),
        ],
    );
    none(FactBody::Order(Box::new(order())), &[Role::Price, Role::FreeFrom, Role::Refund], "€11.00");
    none(FactBody::Order(Box::new(order())), &[Role::Scanned], "3 May");
}

#[test]
fn what_went_back_is_worked_out_again() {
    let back = r#"{"rma":"RMA-TT-1","state":"refunded","day":"2026-05-09"}"#;
    let mut order = Order { state: OrderState::Refunded, back: serde_json::from_str(back).unwrap(), ..order() };
    let all = [(Role::Refund, "€11.00", "€10.00|€5.00|free"), (Role::BackOn, "9 May", "4 May")];
    check(FactBody::Order(Box::new(order.clone())), &all);
    order.changes.returned = vec!["A".into()];
    check(FactBody::Order(Box::new(order.clone())), &[(Role::Refund, "€5.00", "€11.00|€10.00")]);
    order.state = OrderState::ReturnRequested;
    none(FactBody::Order(Box::new(order)), &[Role::Refund], "€5.00");
}

#[test]
fn what_a_carrier_told_is_read_back() {
    let told = r#"{"carrier":"post","called":"Pošta","tracking":"ZX77","state":"in_transit","place":"Nitra, depo 5",
        "at":"2026-05-02T08:00:00Z","day":"2026-05-02","promised":"2026-05-06"}"#;
    let link = Some("https://post.example/ZX77".to_string());
    let order = Order { parcel: serde_json::from_str(told).unwrap(), tracking_link: link, ..order() };
    check(
        FactBody::Order(Box::new(order)),
        &[
            (Role::Promised, "6 May", "3 May|7 May"),
            (Role::FirstPromised, "3 May", "6 May"),
            (Role::Scanned, "2 May", "3 May"),
            (Role::ScannedAt, "Nitra, depo 5", "Nitra|Nitra, depo 6"),
            (Role::Link, "https://post.example/ZX77", "https://post.example/ZX78"),
        ],
    );
}

fn home() -> Address {
    let [line1, city, postcode] = ["Hlavná 5", "Nitra", "949 01"].map(str::to_string);
    Address { line1, line2: String::new(), city, region: String::new(), country: String::new(), postcode }
}

#[test]
fn a_cart_is_read_back() {
    let mut fact = cart::tests::cart();
    fact.address = Some(home());
    fact.order = Some("TT-9".to_string());
    fact.link = Some("https://pay.example/9".to_string());
    fact.delivery.as_mut().unwrap().name = en("Nitra");
    fact.delivery.as_mut().unwrap().latest = date(2026, 11, 25);
    let body = FactBody::Cart(Box::new(fact));
    check(
        body.clone(),
        &[
            (Role::LineTotal, "€15.00|€39.90", "€5.00|€54.90"),
            (Role::Goods, "€54.90", "€53.31"),
            (Role::Discount, "€5.49", "€5.50"),
            (Role::DeliveryCost, "€3.90", "free"),
            (Role::Total, "€53.31", "€54.90"),
            (Role::Tax, "€9.97", "€9.98"),
            (Role::Earliest, "23 November", "25 November"),
            (Role::Latest, "25 November", "23 November"),
            (Role::Place, "Nitra", "Trnava"),
            (Role::Piece, "mug|kettle", "cup"),
            (Role::Pieces, "1|3", "2|4"),
            (Role::Coupon, "C", "D"),
            (Role::OrderNumber, "TT-9", "TT-1"),
            (Role::Link, "https://pay.example/9", "https://pay.example/8"),
            (Role::Address, "Hlavná 5, 949 01 Nitra", "Hlavná 6, 949 01 Nitra"),
        ],
    );
    none(body.clone(), &[Role::Price, Role::Refund], "€53.31");
    none(body, &[Role::Stock, Role::Quantity], "3");
}

#[test]
fn a_task_is_read_back() {
    const BACK: &str = r#"{"do":"return_items","order":"TT-1","items":["A"]}"#;
    let mut fact = task::tests::fact("", OrderState::Delivered, BACK, 500);
    let piece = |name: &str, quantity| Piece { sku: "A".into(), name: en(name), quantity, price: Some(eur(500)) };
    fact.pieces = vec![piece("mug", 2)];
    fact.wanted = vec![piece("cup", 3)];
    fact.rma = Some("RMA-1".to_string());
    fact.label = Some("https://post.example/RMA-1".to_string());
    fact.first_day = Some(DAY);
    check(
        FactBody::Task(Box::new(fact.clone())),
        &[
            (Role::Refund, "€5.00", "€5.01"),
            (Role::Pieces, "2|3 pieces", "4|5"),
            (Role::Piece, "mug|cup", "kettle"),
            (Role::OrderNumber, "TT-1", "TT-2"),
            (Role::Tracking, "RMA-1", "RMA-2"),
            (Role::Link, "https://post.example/RMA-1", "https://post.example/RMA-2"),
            (Role::Earliest, "3 May", "4 May"),
        ],
    );
    none(FactBody::Task(Box::new(fact.clone())), &[Role::Promised, Role::Latest], "3 May");
    none(FactBody::Task(Box::new(fact.clone())), &[Role::Due, Role::Price, Role::Total], "€5.00");
    none(FactBody::Task(Box::new(fact.clone())), &[Role::Address], "Hlavná 5, 949 01 Nitra");
    fact.task.operation = serde_json::from_value(
        serde_json::json!({"do": "change_address", "order": "TT-1", "address": serde_json::to_value(home()).unwrap()}),
    )
    .unwrap();
    let address = [(Role::Address, "Hlavná 5, 949 01 Nitra", "Hlavná 6, 949 01 Nitra")];
    check(FactBody::Task(Box::new(fact.clone())), &address);
    const LATER: &str = r#"{"do":"change_date","order":"TT-1","day":"2026-05-09"}"#;
    fact.task.operation = serde_json::from_str(LATER).unwrap();
    check(FactBody::Task(Box::new(fact)), &[(Role::Promised, "9 May", "3 May")]);
}

#[test]
fn menus_contacts_and_passages_are_read_back() {
    let menu = MenuFact { ask: en("What for?"), choices: vec![en("Hiking"), en("Town")], parts: Vec::new() };
    check(
        FactBody::Menu(menu.clone()),
        &[
            (Role::Question, "What for?", "How much?"),
            (Role::Choice, "1. Hiking|2. Town|Town", "2. Hiking|City|3. Town"),
        ],
    );
    none(FactBody::Menu(menu.clone()), &[Role::Total], "€0.00");
    let priced = MenuFact { parts: vec![eur(1000), eur(250)], ..menu };
    check(FactBody::Menu(priced), &[(Role::Total, "€12.50", "€10.00|€2.50|free")]);
    let [phone, email] = ["+421 2 5555 0199", "help@example.sk"].map(str::to_string);
    check(
        FactBody::Contact(ContactFact { phone, email, hours: en("Mon–Fri 9:00–17:00") }),
        &[
            (Role::Phone, "+421 2 5555 0199", "+421 2 5555 0198"),
            (Role::Email, "help@example.sk", "help@example.com"),
            (Role::Hours, "Mon–Fri 9:00–17:00", "Mon–Fri 9:00–18:00"),
        ],
    );
    let [document, section, version] = ["returns", "Money back", "2026-01"].map(str::to_string);
    let text = "Within 14 days.\nShoes too.".to_string();
    check(
        FactBody::Passage(Passage { document, section, language: Language::En, version, text }),
        &[
            (Role::Quote, "Within 14 days.|Shoes too.|Within 14 days.\nShoes too.", "Within 15 days.|Within 14"),
            (Role::Citation, "Money back|returns|Money back, 2026-01", "Money|Money back 7|2025-01|terms"),
        ],
    );
}
