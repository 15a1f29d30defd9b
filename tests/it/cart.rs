//! Carts and the orders they become, over HTTP and in the chat: what is in them, what they cost, what is written and how often.

use std::sync::Arc;

use serde_json::{Value, json};
use truetill::app::App;
use truetill::domain::order::OrderState;
use truetill::domain::session::TurnId;

use crate::common::{Reply, TestApp, app, config, text};

const KETTLE: &str = "KT-101-SLV";

async fn shop() -> (Arc<App>, TestApp) {
    let app = app(config(), None).await;
    (Arc::clone(&app), TestApp::over(app))
}

async fn edit(door: &TestApp, session: Option<&Value>, edit: Value) -> Value {
    keyed(door, session, edit, &[]).await.json()
}

async fn keyed(door: &TestApp, session: Option<&Value>, edit: Value, headers: &[(&str, &str)]) -> Reply {
    let mut body = json!({"edit": edit});
    if let Some(session) = session {
        body["session_id"] = session["session_id"].clone();
    }
    door.post("/api/v1/cart", body.to_string(), headers).await
}

fn buyer() -> Value {
    let address = json!({"line1": "Hlavna 1", "city": "Bratislava", "postcode": "81101"});
    json!({"name": "Eva Mala", "phone": "+421900000777", "email": "eva@example.sk", "address": address})
}

async fn propose(door: &TestApp, session: &Value) -> Value {
    let body = json!({"session_id": session["session_id"], "buyer": buyer()}).to_string();
    door.post("/api/v1/checkout", body, &[]).await.json()
}

async fn confirm(door: &TestApp, checkout: &Value) -> Value {
    let path = format!("/api/v1/checkout/{}", checkout["id"].as_str().unwrap_or_else(|| panic!("{checkout}")));
    door.post(&path, json!({"token": checkout["token"]}).to_string(), &[]).await.json()
}

#[tokio::test]
async fn a_cart_holds_what_there_is_and_costs_what_it_costs() {
    let (_, door) = shop().await;
    let cart = edit(&door, None, json!({"do": "add", "sku": KETTLE, "quantity": 2})).await;
    assert_eq!(
        (&cart["lines"][0]["quantity"], &cart["sums"]["total"]["amount"]),
        (&json!(2), &json!("79.80")),
        "{cart}"
    );
    let there = cart["lines"][0]["in_stock"].as_u64().unwrap();
    let more = edit(&door, Some(&cart), json!({"do": "add", "sku": KETTLE, "quantity": there})).await;
    let why = more["denied"]["code"].as_str().unwrap();
    assert!(["not_enough", "too_many"].contains(&why) && more["lines"][0]["quantity"] == 2, "{more}");
    let many = edit(&door, Some(&cart), json!({"do": "set", "sku": KETTLE, "quantity": there + 1})).await;
    assert_eq!(many["denied"]["code"], "not_enough");
    let town = edit(&door, Some(&cart), json!({"do": "place", "town": "bratislava"})).await;
    assert_eq!(town["sums"]["delivery"]["amount"], "0.00", "free from 60: {town}");
    let one = edit(&door, Some(&cart), json!({"do": "set", "sku": KETTLE, "quantity": 1})).await;
    assert_eq!(
        (&one["sums"]["delivery"]["amount"], &one["sums"]["total"]["amount"]),
        (&json!("3.90"), &json!("43.80"))
    );
    assert_eq!(one["sums"]["tax"]["amount"], "8.19", "23 of 123 parts: {one}");
    let gone = edit(&door, Some(&cart), json!({"do": "remove", "sku": KETTLE})).await;
    assert_eq!((&gone["lines"], &gone["sums"]), (&json!([]), &Value::Null));
    let path = format!("/api/v1/cart?session_id={}", cart["session_id"].as_str().unwrap());
    assert_eq!(door.get(&path).await.json()["lines"], json!([]));
    for (sent, code) in [
        (json!({"do": "add", "sku": "KT-999"}), "unknown_product"),
        (json!({"do": "add", "sku": "KT-101"}), "which_variant"),
        (json!({"do": "remove", "sku": KETTLE}), "not_in_cart"),
        (json!({"do": "place", "town": "london"}), "no_delivery"),
    ] {
        assert_eq!(edit(&door, Some(&cart), sent.clone()).await["denied"]["code"], code, "{sent}");
    }
}

#[tokio::test]
async fn only_a_code_of_this_shop_and_this_day_takes_something_off() {
    let (_, door) = shop().await;
    let cart = edit(&door, None, json!({"do": "add", "sku": KETTLE})).await;
    let code = |code: &str| json!({"do": "coupon", "code": code});
    for (sent, why) in [("TEPLO10", "below_minimum"), ("LETO26", "no_such_code"), ("FREE100", "no_such_code")] {
        assert_eq!(edit(&door, Some(&cart), code(sent)).await["denied"]["code"], why, "{sent}");
    }
    edit(&door, Some(&cart), json!({"do": "set", "sku": KETTLE, "quantity": 2})).await;
    let reduced = edit(&door, Some(&cart), code("teplo10")).await;
    assert_eq!((&reduced["coupon"]["code"], &reduced["sums"]["total"]["amount"]), (&json!("TEPLO10"), &json!("71.82")));
    let other = edit(&door, Some(&cart), code("VITAJTE5")).await;
    assert_eq!((&other["coupon"]["code"], &other["sums"]["discount"]["amount"]), (&json!("VITAJTE5"), &json!("5.00")));
    let less = edit(&door, Some(&cart), json!({"do": "set", "sku": KETTLE, "quantity": 1})).await;
    assert_eq!(less["sums"]["total"]["amount"], "34.90", "39.90 is above the 30 this code asks for: {less}");
    assert_eq!(edit(&door, Some(&cart), json!({"do": "no_coupon"})).await["sums"]["discount"], Value::Null);
}

#[tokio::test]
async fn an_edit_with_a_key_is_made_once_and_a_foreign_cart_is_not_shown() {
    let (_, door) = shop().await;
    let cart = edit(&door, None, json!({"do": "add", "sku": KETTLE})).await;
    let add = json!({"do": "add", "sku": KETTLE});
    for _ in 0..3 {
        let again = keyed(&door, Some(&cart), add.clone(), &[("idempotency-key", "c-1")]).await.json();
        assert_eq!(again["lines"][0]["quantity"], 2, "{again}");
    }
    let unknown = json!({"session_id": "0198f6f2-7a3c-7c1e-9d55-0a3a52f4b8a1"});
    assert_eq!(keyed(&door, Some(&unknown), add.clone(), &[]).await.status, 404);
    let afar = TestApp::new().await.from_afar();
    let body = json!({"customer": "C-1001", "edit": add}).to_string();
    assert_eq!(afar.post("/api/v1/cart", body, &[]).await.json()["code"], "customer_not_trusted");
    assert_eq!(door.get("/api/v1/cart").await.json()["code"], "missing_field");
}

#[tokio::test]
async fn an_order_is_placed_once_as_it_was_shown_and_paid_once() {
    let (app, door) = shop().await;
    let cart = edit(&door, None, json!({"do": "add", "sku": KETTLE, "quantity": 2})).await;
    assert_eq!(propose(&door, &cart).await["refusal"]["code"], "no_place");
    edit(&door, Some(&cart), json!({"do": "place", "town": "bratislava"})).await;
    edit(&door, Some(&cart), json!({"do": "coupon", "code": "TEPLO10"})).await;
    let shown = propose(&door, &cart).await;
    assert_eq!(
        (&shown["state"], &shown["sums"]["total"]["amount"]),
        (&json!("awaiting_confirmation"), &json!("71.82"))
    );
    assert_eq!(app.state.events().await.unwrap(), 0, "nothing is ordered before a yes");
    let wrong = json!({"token": "0".repeat(32)}).to_string();
    let path = format!("/api/v1/checkout/{}", shown["id"].as_str().unwrap());
    assert_eq!(door.post(&path, wrong, &[]).await.status, 422);
    let placed = confirm(&door, &shown).await;
    let number = placed["order"].as_str().unwrap_or_else(|| panic!("{placed}")).to_string();
    assert_eq!((placed["state"].as_str(), number.as_str()), (Some("placed"), "TT-20001"));
    let url = placed["payment"]["url"].as_str().unwrap();
    assert!(url.contains("TT-20001") && url.contains("amount=71.82") && url.contains("EUR"), "{url}");
    assert_eq!(confirm(&door, &shown).await["order"], json!(number), "a second yes orders nothing more");
    assert_eq!(app.state.events().await.unwrap(), 1);
    let order = app.orders.find(&number).await.unwrap().unwrap();
    assert_eq!((order.state, order.total.as_str()), (OrderState::AwaitingPayment, "71.82"));
    assert_eq!(order.items.iter().map(|item| item.quantity).sum::<u32>(), 2);
    let path = format!("/api/v1/cart?session_id={}", cart["session_id"].as_str().unwrap());
    assert_eq!(door.get(&path).await.json()["lines"], json!([]), "an ordered cart is empty");

    let paid = |amount: &str| json!({"order": number, "amount": amount, "currency": "EUR"}).to_string();
    let tell = async |body: String| door.post("/api/v1/payments/link", body, &[]).await.json()["result"].clone();
    // Another amount or currency pays nothing: a person is told, once for each.
    for wrong in [paid("7.18"), paid("7.18"), paid("71.82").replace("EUR", "CZK")] {
        assert_eq!(tell(wrong).await, "amount");
    }
    let waiting = app.orders.find(&number).await.unwrap().unwrap();
    assert_eq!((waiting.state, waiting.payments.len()), (OrderState::AwaitingPayment, 0));
    let events = app.state.latest_events(9).await.unwrap();
    let odd: Vec<Value> = events.iter().map(|event| serde_json::from_str(&event.document).unwrap()).collect();
    let odd: Vec<&Value> = odd.iter().filter(|event| event["event"] == "payment_mismatch").collect();
    assert_eq!((odd.len(), &odd[0]["unexpected"]), (2, &json!(true)), "{odd:?}");
    assert_eq!(tell(paid("71.82")).await, "paid");
    assert_eq!(tell(paid("71.82")).await, "known");
    assert_eq!(tell(paid("71.82").replace("20001", "20009")).await, "ignored");
    let order = app.orders.find(&number).await.unwrap().unwrap();
    assert_eq!((order.state, order.payments.len()), (OrderState::Processing, 1));
    assert_eq!(app.state.events().await.unwrap(), 4);
    let report = door.get("/api/v1/kpi?from=2020-01-01&to=2100-01-01").await.json();
    let takings = json!([{"currency": "EUR", "orders": 1, "revenue": "71.82", "order_value": "71.82"}]);
    assert_eq!(report["takings"], takings);
    // The order is the desk's now: called off, it gives back what was paid.
    let cancel = json!({"phone": "+421900000777", "operation": {"do": "cancel_order", "order": number, "reason": "x"}});
    let task = door.post("/api/v1/tasks", cancel.to_string(), &[]).await.json();
    assert_eq!(task["effect"]["refund"]["minor"], 7182, "{task}");
}

#[tokio::test]
async fn what_changed_since_it_was_shown_is_not_ordered() {
    let (app, door) = shop().await;
    let cart = edit(&door, None, json!({"do": "add", "sku": KETTLE})).await;
    edit(&door, Some(&cart), json!({"do": "place", "town": "bratislava"})).await;
    let shown = propose(&door, &cart).await;
    edit(&door, Some(&cart), json!({"do": "add", "sku": KETTLE})).await;
    let refused = confirm(&door, &shown).await;
    assert_eq!((&refused["state"], &refused["refusal"]["code"]), (&json!("refused"), &json!("changed")));
    let again = propose(&door, &cart).await;
    let path = format!("/api/v1/checkout/{}", again["id"].as_str().unwrap());
    let no = json!({"token": again["token"], "confirm": false}).to_string();
    assert_eq!(door.post(&path, no, &[]).await.json()["state"], "withdrawn");
    assert_eq!(confirm(&door, &again).await["state"], "withdrawn");
    assert_eq!(app.state.events().await.unwrap(), 0);
}

/// A conversation over HTTP.
struct Chat<'a> {
    door: &'a TestApp,
    locale: &'a str,
    reply: Value,
}

impl<'a> Chat<'a> {
    fn new(door: &'a TestApp, locale: &'a str) -> Chat<'a> {
        Chat { door, locale, reply: Value::Null }
    }

    async fn say(&mut self, line: &str) -> String {
        let who = json!({"locale": self.locale, "session_id": self.reply["session_id"]});
        self.reply = self.door.say(who, None, line).await;
        text(&self.reply).to_string()
    }
}

fn has(text: &str, part: &str) {
    assert!(text.contains(part), "`{part}` is missing in: {text}");
}

#[tokio::test]
async fn from_a_question_to_a_payment_link_in_four_languages() {
    for (locale, lines) in [
        (
            "en",
            [
                ("How much is the Volna electric kettle 1.7 l?", "€39.90"),
                ("add two of these to my cart", "Which colour"),
                ("black", "€79.80"),
                ("what's in my cart?", "2 pieces"),
                ("promo code TEPLO10", "€7.98"),
                ("I want to pay now", "Which town"),
                ("Bratislava", "phone number or e-mail"),
                ("eva@example.sk", "Where exactly"),
                ("Hlavna 1, Bratislava, 81101", "€71.82"),
                ("yes please", "TT-20001"),
            ],
        ),
        (
            "ru",
            [
                ("Сколько стоит чайник «Волна» 1,7 л?", "3\u{a0}490\u{a0}₽"),
                ("положите две штуки в корзину", "цвет"),
                ("чёрный", "6\u{a0}980\u{a0}₽"),
                ("что у меня в корзине?", "2 штуки"),
                ("промокод TEPLO10", "698\u{a0}₽"),
                ("хочу оплатить", "город"),
                ("Москва", "почты"),
                ("+7 900 000-07-77", "Куда доставить"),
                ("ул. Лесная, д. 7, Москва, 125047", "6\u{a0}282\u{a0}₽"),
                ("да, оформляйте", "TT-20001"),
            ],
        ),
        (
            "sk",
            [
                ("Koľko stojí rýchlovarná kanvica Volna 1,7 l?", "39,90\u{a0}€"),
                ("pridajte dva kusy do košíka", "farb"),
                ("čierna", "79,80\u{a0}€"),
                ("čo mám v košíku?", "2 kusy"),
                ("zľavový kód TEPLO10", "7,98\u{a0}€"),
                ("chcem zaplatiť", "mest"),
                ("Bratislava", "e-mail"),
                ("eva@example.sk", "Kam presne"),
                ("Hlavná 1, Bratislava, 81101", "71,82\u{a0}€"),
                ("áno, objednajte", "TT-20001"),
            ],
        ),
        (
            "zh",
            [
                ("“浪花”电热水壶 1.7升多少钱？", "¥249"),
                ("加两个到购物车", "颜色"),
                ("黑色", "¥498"),
                ("购物车里有什么？", "2"),
                ("优惠码 TEPLO10", "¥49.80"),
                ("我要付款", "城市"),
                ("上海", "邮箱"),
                ("huang@example.cn", "寄到哪里"),
                ("南京路1号, 上海, 200000", "¥448.20"),
                ("好的，下单吧", "TT-20001"),
            ],
        ),
    ] {
        let (app, door) = shop().await;
        let mut chat = Chat::new(&door, locale);
        for (at, (said, told)) in lines.iter().enumerate() {
            let text = chat.say(said).await;
            assert!(text.contains(told), "{locale} {at} `{said}`: `{told}` is missing in: {text}");
            let orders = if at + 1 == lines.len() { 1 } else { 0 };
            assert_eq!(app.state.events().await.unwrap(), orders, "{locale} {at}");
        }
        has(chat.reply["reply"]["text"].as_str().unwrap(), "https://horizont.example/pay/TT-20001");
        let again = chat.say(lines[9].0).await;
        assert_eq!(app.state.events().await.unwrap(), 1, "a second yes orders nothing: {again}");
    }
}

#[tokio::test]
async fn a_message_that_comes_again_puts_nothing_in_twice() {
    let (app, door) = shop().await;
    let mut chat = Chat::new(&door, "en");
    chat.say("How much is the Volna electric kettle 1.7 l?").await;
    let id = chat.reply["session_id"].as_str().unwrap().parse().unwrap();
    let before = app.state.session(id).await.unwrap().unwrap();
    for _ in 0..3 {
        has(&chat.say("add two of these in black to my cart").await, "€79.80");
        // The conversation as it stood before: the cart was written, the turn was not.
        app.state.record(&before, TurnId::fresh(), &json!({})).await.unwrap();
    }
    has(&chat.say("show my cart").await, "2 pieces");
    has(&chat.say("change the kettles in my cart to 3").await, "€119.70");
    has(&chat.say("change the kettles in my cart to 900").await, "not that many");
    has(&chat.say("remove the kettle from my cart").await, "empty");
}

#[tokio::test]
async fn a_no_orders_nothing_and_a_yes_is_heard_only_to_its_question() {
    let (app, door) = shop().await;
    let mut chat = Chat::new(&door, "en");
    chat.say("add the black Volna electric kettle 1.7 l to my cart").await;
    chat.say("I want to pay now").await;
    chat.say("Bratislava").await;
    chat.say("eva@example.sk").await;
    has(&chat.say("Hlavna 1, Bratislava, 81101").await, "yes or no");
    has(&chat.say("wait").await, "clear yes or no");
    has(&chat.say("How much is the Volna electric kettle 1.7 l?").await, "€39.90");
    has(&chat.say("yes").await, "clear yes or no");
    has(&chat.say("no, leave it").await, "not ordered anything");
    assert_eq!(app.state.events().await.unwrap(), 0);
    has(&chat.say("show my cart").await, "€");
}

#[tokio::test]
async fn an_order_that_waits_is_paid_by_a_link_of_its_own_amount() {
    let (_, door) = shop().await;
    let mut chat = Chat::new(&door, "ru");
    let text = chat.say("хочу оплатить заказ TT-10457, anna.sokolova@example.ru").await;
    has(&text, "https://horizont.example/pay/TT-10457");
    let stranger = Chat::new(&door, "ru").say("хочу оплатить заказ TT-10457, x@example.ru").await;
    assert!(!stranger.contains("https://"), "{stranger}");
}

#[tokio::test]
async fn neither_the_token_nor_the_address_stands_in_the_facts_of_the_audit() {
    let (app, door) = shop().await;
    let mut chat = Chat::new(&door, "en");
    for line in [
        "add the black Volna electric kettle 1.7 l to my cart",
        "I want to pay now",
        "Bratislava",
        "eva@example.sk",
        "Hlavna 1, Bratislava, 81101",
    ] {
        chat.say(line).await;
    }
    let id = chat.reply["session_id"].as_str().unwrap().parse().unwrap();
    let talk = app.state.session(id).await.unwrap().unwrap().checkout.unwrap();
    let turn = chat.reply["turn_id"].as_str().unwrap().parse().unwrap();
    let record = app.state.turn(turn).await.unwrap().unwrap();
    for secret in [talk.shown.token.as_str(), "eva@example.sk"] {
        assert!(!record.to_string().contains(secret), "{secret}: {record}");
    }
    assert!(!record["outcome"]["facts"].to_string().contains("Hlavna"), "{record}");
}
