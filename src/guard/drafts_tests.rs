//! What belongs to what in a draft: prices, counts and comparisons to the product named, pieces and sums to their own
//! line, whatever each span says by itself.

use super::tests::GUARD;
use super::{Code, Ledger, Verdict, cart, mutants, task};
use crate::domain::desk::Piece;
use crate::domain::order::OrderState;
use crate::domain::product::{Quote, StockLine};
use crate::domain::{
    Draft, DraftSegment, Fact, FactBody, FactId, Language, Localised, Money, ProductId, Role, SegmentKind, Span,
};

fn usd(minor: i64) -> Money {
    Money::new(minor, "USD".parse().unwrap())
}

/// An offer called `id` of a product, with nine pieces in stock.
fn offer(id: &str, (product, name): (&str, &str), now: Money) -> Fact {
    let mut fact = mutants::facts().remove(0);
    fact.id = FactId(id.to_string());
    let FactBody::Offer(body) = &mut fact.body else { unreachable!() };
    body.name = Localised::only(Language::En, name);
    body.product = ProductId(product.to_string());
    body.offer.product = body.product.clone();
    body.offer.price = Quote::Known { now, old: None, until: None };
    body.offer.stock = vec![StockLine { sku: body.offer.sku.clone(), place: "nitra".into(), count: 9 }];
    fact
}

/// A mug in three variants, the third at another price, and a lamp.
fn shop() -> Vec<Fact> {
    let mug = ("mug", "Alder mug");
    vec![
        offer("mug", mug, usd(2490)),
        offer("blue", mug, usd(2490)),
        offer("big", mug, usd(2600)),
        offer("lamp", ("lamp", "Steam lamp"), usd(3000)),
    ]
}

fn other(id: &str, body: FactBody) -> Fact {
    Fact { id: FactId(id.to_string()), body, source: String::new(), as_of: jiff::Timestamp::UNIX_EPOCH }
}

/// One segment for each line; `{fact:role:text}` is a span.
fn draft(written: &str) -> Draft {
    let segment = |line: &str| {
        let (mut text, mut spans) = (String::new(), Vec::new());
        for part in line.split('{') {
            let Some((span, rest)) = part.split_once('}') else {
                text.push_str(part);
                continue;
            };
            let [fact, role, said] = span.splitn(3, ':').collect::<Vec<_>>()[..] else { panic!("{span}") };
            let start = text.len();
            text.push_str(said);
            let role: Role = serde_json::from_value(role.into()).unwrap();
            spans.push(Span { range: start..text.len(), fact: FactId(fact.to_string()), role });
            text.push_str(rest);
        }
        DraftSegment { kind: SegmentKind::Offer, text, spans }
    };
    Draft { language: Language::En, segments: written.lines().map(segment).collect() }
}

/// `None` for a draft that is accepted, else the reason of its first fault.
fn check(facts: &[Fact], rows: &[(&str, Option<Code>)]) {
    for (written, expected) in rows {
        let found = match GUARD.check(draft(written), facts, "") {
            Verdict::Accepted(_) => None,
            Verdict::Rejected(rejection) => Some(rejection.violations[0].clone()),
        };
        assert_eq!(found.as_ref().map(|fault| fault.code), *expected, "{written}: {found:?}");
    }
}

const UNBOUND: Option<Code> = Some(Code::SpanUnbound);

#[test]
fn a_price_follows_its_own_product() {
    check(
        &shop(),
        &[
            ("{mug:name:Alder mug} — {mug:price:$24.90}.", None),
            ("{mug:name:Alder mug} — {lamp:price:$30.00}.", UNBOUND),
            ("{mug:name:Alder mug} — {blue:price:$24.90}.", None),
            ("{mug:name:Alder mug} — {big:price:$26.00}.", UNBOUND),
            ("{mug:price:$24.90} for the {mug:name:Alder mug}.", None),
            ("{lamp:price:$30.00} for the {mug:name:Alder mug}.", UNBOUND),
            ("{mug:price:$24.90} for the {mug:name:Alder mug} or the {lamp:name:Steam lamp}.", UNBOUND),
            ("{mug:price:$24.90}.", UNBOUND),
        ],
    );
}

#[test]
fn a_count_follows_its_own_product() {
    check(
        &shop(),
        &[
            ("{mug:name:Alder mug}: {mug:stock:9 pieces}.", None),
            ("{mug:name:Alder mug}: {big:stock:9 pieces}.", None),
            ("{mug:name:Alder mug}: {lamp:stock:9 pieces}.", UNBOUND),
            ("{mug:stock:9 pieces}.", None),
        ],
    );
}

#[test]
fn the_cheapest_is_the_cheapest_of_those_named() {
    const BOTH: &str = "{mug:name:Alder mug} — {mug:price:$24.90}.\n{lamp:name:Steam lamp} — {lamp:price:$30.00}.\n";
    let after = |said: &str| format!("{BOTH}{said}");
    let comparison = Some(Code::Comparison);
    let rows = [
        ("The {mug:name:Alder mug} is the cheapest.", None),
        ("The {lamp:name:Steam lamp} is the cheapest.", comparison),
        ("The {lamp:name:Steam lamp} is the most expensive.", None),
        ("The {mug:name:Alder mug} is the most expensive.", comparison),
        ("The cheapest is here.", comparison),
        ("The cheapest: {mug:name:Alder mug}, {lamp:name:Steam lamp}.", comparison),
    ];
    let rows: Vec<(String, Option<Code>)> = rows.into_iter().map(|(said, code)| (after(said), code)).collect();
    check(&shop(), &rows.iter().map(|(said, code)| (said.as_str(), *code)).collect::<Vec<_>>());
    check(&shop(), &[("The {mug:name:Alder mug} is the cheapest.", comparison)]);
    let mut mixed = shop();
    mixed.push(offer("cup", ("cup", "Birch cup"), Money::new(100, "EUR".parse().unwrap())));
    let said = after("The {cup:name:Birch cup} is the cheapest.");
    check(&mixed, &[(&said, comparison)]);
}

#[test]
fn from_is_said_of_the_lowest_price_of_a_product() {
    check(
        &shop(),
        &[
            ("{mug:name:Alder mug} from {mug:price:$24.90}.", None),
            ("{big:name:Alder mug} from {big:price:$26.00}.", Some(Code::PriceMismatch)),
            ("{lamp:name:Steam lamp} from {lamp:price:$30.00}.", None),
        ],
    );
}

#[test]
fn pieces_and_sums_belong_to_their_own_line() {
    const BACK: &str = r#"{"do":"return_items","order":"TT-1","items":["A"]}"#;
    let mut fact = task::tests::fact("", OrderState::Delivered, BACK, 500);
    let piece = |name: &str, quantity| Piece {
        sku: "A".into(),
        name: Localised::only(Language::En, name),
        quantity,
        price: None,
    };
    (fact.pieces, fact.wanted) = (vec![piece("mug", 2)], vec![piece("cup", 3)]);
    let facts =
        [other("task", FactBody::Task(Box::new(fact))), other("cart", FactBody::Cart(Box::new(cart::tests::cart())))];
    check(
        &facts,
        &[
            ("{task:piece:mug}: {task:pieces:2 pieces}.", None),
            ("{task:piece:cup}: {task:pieces:3 pieces}.", None),
            ("{task:piece:mug}: {task:pieces:3 pieces}.", UNBOUND),
            ("{task:piece:cup}: {task:pieces:2 pieces}.", UNBOUND),
            ("{task:pieces:2 pieces}: {task:piece:mug}.", UNBOUND),
            ("{cart:piece:mug}: {task:pieces:2 pieces}.", UNBOUND),
            ("{cart:piece:mug}: {cart:pieces:3 pieces}, {cart:line_total:€15.00}.", None),
            ("{cart:piece:mug}: {cart:pieces:1 piece}.", UNBOUND),
            ("{cart:piece:mug}: {cart:line_total:€39.90}.", UNBOUND),
            ("{cart:line_total:€15.00}.", UNBOUND),
            ("{task:piece:mug}: {cart:line_total:€15.00}.", UNBOUND),
        ],
    );
}

#[test]
fn spans_are_in_order_and_of_known_facts() {
    let bad = Some(Code::BadSpan);
    check(&shop(), &[("{cup:name:Birch cup}.", bad), ("{mug:name:}.", bad)]);
    let wrong = |ranges: &[(usize, usize)]| {
        let span = |&(start, end): &(usize, usize)| Span {
            range: start..end,
            fact: FactId("mug".to_string()),
            role: Role::Name,
        };
        let text = "Alder mug, Alder mug é".to_string();
        let segment = DraftSegment { kind: SegmentKind::Offer, text, spans: ranges.iter().map(span).collect() };
        match GUARD.check(Draft { language: Language::En, segments: vec![segment] }, &shop(), "") {
            Verdict::Accepted(_) => None,
            Verdict::Rejected(rejection) => Some(rejection.violations[0].code),
        }
    };
    assert_eq!(wrong(&[(0, 9), (11, 20)]), None);
    assert_eq!(wrong(&[(11, 20), (0, 9)]), bad);
    assert_eq!(wrong(&[(0, 9), (5, 9)]), bad);
    assert_eq!(wrong(&[(0, 99)]), bad);
    assert_eq!(wrong(&[(0, 22)]), bad);
}

/// Free text over the same facts: stock, days and what each product's own text says.
#[test]
fn free_text_over_the_facts_of_a_turn() {
    let mut facts = shop();
    for (index, about) in [(0, "Holds 2 l."), (3, "Holds 3 l.")] {
        let FactBody::Offer(offer) = &mut facts[index].body else { unreachable!() };
        offer.summary = Localised::only(Language::En, about);
    }
    let ledger = Ledger::from_facts(&facts, "");
    let check = |text: &str, expected: bool| {
        let verdict = GUARD.check_text(Language::En, &ledger, text);
        assert_eq!(verdict.is_ok(), expected, "{text}: {verdict:?}");
    };
    check("We have 9 pieces of the Steam lamp left.", true);
    check("We have 8 pieces of the Steam lamp left.", false);
    check("The Steam lamp holds 3 l.", true);
    check("The Steam lamp holds 2 l.", false);
    check("It arrives on the ninth of May.", false);
    check("Delivery is on the ninth of May.", false);
    check("We were founded on the ninth of May.", true);
}

#[test]
fn nothing_turns_the_direction_of_writing() {
    for sign in ['\u{202A}', '\u{202E}', '\u{2066}', '\u{2069}'] {
        let said = format!("It is here{sign}.");
        check(&[], &[(&said, Some(Code::BidiControl))]);
    }
    check(&[], &[("It is here — really…", None), ("It is\u{2065} here\u{202F}.", None)]);
}
