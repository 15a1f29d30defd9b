//! What shoppers say in the chat about messages the shop starts, about what they put in a moment ago, and about a price together with
//! its delivery.

use std::sync::Arc;

use serde_json::{Value, json};
use truetill::app::App;
use truetill::domain::outreach::{Permission, Topic};
use truetill::engine::OrderDesk;

use crate::common::{TestApp, app, config, text};

/// A conversation over HTTP.
struct Chat<'a> {
    door: &'a TestApp,
    locale: &'a str,
    customer: Option<&'a str>,
    session: Value,
}

impl<'a> Chat<'a> {
    fn new(door: &'a TestApp, locale: &'a str) -> Chat<'a> {
        Chat { door, locale, customer: None, session: Value::Null }
    }

    async fn say(&mut self, line: &str) -> String {
        let who = json!({"locale": self.locale, "session_id": self.session, "customer": self.customer});
        let reply = self.door.say(who, None, line).await;
        self.session = reply["session_id"].clone();
        text(&reply).to_string()
    }
}

async fn marketing(app: &App, person: &str) -> Option<bool> {
    let words: Vec<Permission> = app.state.permissions(person).await.unwrap();
    words.iter().find(|word| word.topic == Topic::Marketing).map(|word| word.granted)
}

fn has(text: &str, part: &str) {
    assert!(text.contains(part), "`{part}` is missing in: {text}");
}

#[tokio::test]
async fn a_yes_to_messages_is_asked_about_kept_and_taken_back_in_the_chat() {
    let app = app(config(), None).await;
    let door = TestApp::over(Arc::clone(&app));
    for (locale, wish, email, yes, (end, stop)) in [
        ("en", "yes, you may write to me about offers", "eva@example.com", "yes please", ("STOP", "send me no more")),
        ("ru", "можете писать мне об акциях", "olga@example.ru", "да", ("СТОП", "больше не присылайте")),
        ("sk", "môžete mi písať o ponukách", "eva@example.sk", "áno", ("STOP", "viac mi neposielajte")),
        ("zh", "可以给我发优惠信息", "li@example.cn", "可以", ("停止", "退订")),
    ] {
        let key = format!("email:{email}");
        let mut chat = Chat::new(&door, locale);
        chat.say(wish).await;
        has(&chat.say(email).await, end);
        assert_eq!(marketing(&app, &key).await, None, "{locale}: only a yes to the question counts");
        chat.say(yes).await;
        assert_eq!(marketing(&app, &key).await, Some(true), "{locale}");
        chat.say(stop).await;
        assert_eq!(marketing(&app, &key).await, Some(false), "{locale}");
        // Nobody else takes an objection back by typing the address.
        let mut other = Chat::new(&door, locale);
        other.say(wish).await;
        other.say(email).await;
        other.say(yes).await;
        assert_eq!(marketing(&app, &key).await, Some(false), "{locale}");
    }
    let mut chat = Chat::new(&door, "en");
    chat.say("subscribe me at nina@example.com").await;
    chat.say("no thanks").await;
    assert_eq!(marketing(&app, "email:nina@example.com").await, None);
    // Whom the shop knows is reached where they order from.
    let mut known = Chat { customer: Some("C-1001"), ..Chat::new(&door, "en") };
    has(&known.say("you may write to me about offers").await, "yes or no");
    known.say("yes").await;
    assert_eq!(marketing(&app, "customer:C-1001").await, Some(true));
}

#[tokio::test]
async fn what_was_put_in_a_moment_ago_is_counted_anew() {
    let door = TestApp::over(app(config(), None).await);
    for (locale, add, more, fewer, out, price, empty) in [
        (
            "en",
            "add the black Volna electric kettle 1.7 l to my cart",
            "make it 3",
            "actually just one",
            "take it out",
            ["€119.70", "€39.90"],
            "empty",
        ),
        (
            "ru",
            "положите чёрный чайник «Волна» 1,7 л в корзину",
            "сделайте три",
            "нет, лучше один",
            "уберите его",
            ["10\u{a0}470\u{a0}₽", "3\u{a0}490\u{a0}₽"],
            "пуст",
        ),
    ] {
        let mut chat = Chat::new(&door, locale);
        chat.say(add).await;
        has(&chat.say(more).await, price[0]);
        has(&chat.say(fewer).await, price[1]);
        has(&chat.say(out).await, empty);
    }
    let mut chat = Chat::new(&door, "en");
    chat.say("add the black Volna electric kettle 1.7 l to my cart").await;
    chat.say("how much is delivery to Nitra?").await;
    has(&chat.say("make it 2").await, "€79.80");
}

#[tokio::test]
async fn a_price_with_its_delivery_is_one_sum_and_puts_nothing_into_a_cart() {
    let door = TestApp::over(app(config(), None).await);
    let mut chat = Chat::new(&door, "en");
    let text = chat.say("How much is the black Volna electric kettle 1.7 l with delivery to Nitra?").await;
    has(&text, "€43.80");
    has(&chat.say("what is in my cart?").await, "empty");
    let mut chat = Chat::new(&door, "sk");
    chat.say("Koľko stojí čierna rýchlovarná kanvica Volna 1,7 l?").await;
    chat.say("a koľko to bude aj s dopravou?").await;
    has(&chat.say("do Nitry").await, "43,80");
    // What lies in the cart is meant once something lies there.
    let mut chat = Chat::new(&door, "en");
    chat.say("add the black Volna electric kettle 1.7 l to my cart").await;
    has(&chat.say("how much is my cart with delivery to Nitra?").await, "€43.80");
}

#[tokio::test]
async fn what_lies_far_away_is_promised_for_later() {
    let door = TestApp::over(app(config(), None).await);
    let promise = async |thing: &str| {
        let mut chat = Chat::new(&door, "en");
        let text = chat.say(&format!("how long does the delivery of the {thing} to Bratislava take?")).await;
        has(&text, "Bratislava");
        text
    };
    // The kettle lies in Bratislava, the wok in Saint Petersburg, Almaty and China.
    let (near, far) = (promise("Volna electric kettle 1.7 l").await, promise("Drakon wok 32 cm").await);
    has(&near, "€3.90");
    has(&far, "€3.90");
    assert_ne!(near, far);
}

#[tokio::test]
async fn what_is_broken_goes_by_terms_of_its_own() {
    let app = app(config(), None).await;
    let door = TestApp::over(Arc::clone(&app));
    let mut chat = Chat::new(&door, "sk");
    chat.say("chcem vrátiť tovar z objednávky TT-10436").await;
    chat.say("ondrej.polak@example.sk").await;
    has(&chat.say("tie poháre, sú rozbité").await, "fotografiu");
    assert_eq!(app.state.events().await.unwrap(), 0, "nothing is registered before a photo came");
    has(&chat.say("nemám fotku").await, "kolega");
    assert_eq!(app.state.events().await.unwrap(), 1, "a person is called, nothing is registered");
    assert!(app.state.slip("TT-10436").await.unwrap().is_none());
    let mut chat = Chat::new(&door, "sk");
    chat.say("chcem vrátiť tovar z objednávky TT-10436").await;
    chat.say("ondrej.polak@example.sk").await;
    has(&chat.say("tie poháre").await, "Poštovné za vrátenie hradíte vy");
    let back = json!({"do": "return_items", "order": "TT-10436", "items": [], "reason": "defective", "photos": ["https://shop.example/1.jpg"]});
    let whole = app.orders.find("TT-10436").await.unwrap().unwrap();
    let mut operation = back;
    operation["items"] = json!([whole.items[0].sku]);
    let body = json!({"customer": whole.customer, "operation": operation}).to_string();
    let task = door.post("/api/v1/tasks", body, &[]).await.json();
    assert_eq!((&task["state"], &task["effect"]["pays"]), (&json!("awaiting_confirmation"), &json!("shop")), "{task}");
}

#[tokio::test]
async fn a_delivery_is_moved_to_a_day_on_which_parcels_arrive() {
    let app = app(config(), None).await;
    let door = TestApp::over(Arc::clone(&app));
    let propose = async |day: &str| {
        let operation = json!({"do": "change_date", "order": "TT-10452", "day": day});
        let body = json!({"customer": "C-1010", "operation": operation}).to_string();
        door.post("/api/v1/tasks", body, &[]).await.json()
    };
    // Yesterday, today, a Sunday, Christmas, far ahead.
    for day in ["2026-11-22", "2026-11-23", "2026-11-29", "2026-12-24", "2027-03-01"] {
        let task = propose(day).await;
        assert_eq!((&task["state"], &task["refusal"]["code"]), (&json!("refused"), &json!("no_delivery")), "{day}");
    }
    let task = propose("2026-12-02").await;
    let path = format!("/api/v1/tasks/{}", task["id"].as_str().unwrap());
    let done = door.post(&path, json!({"token": task["token"]}).to_string(), &[]).await.json();
    assert_eq!(done["state"], "done", "{done}");
    let order = app.orders.find("TT-10452").await.unwrap().unwrap();
    assert_eq!(order.expected().unwrap().to_string(), "2026-12-02");
}

#[tokio::test]
async fn several_things_are_told_in_one_sum_and_nothing_is_bought() {
    let door = TestApp::over(app(config(), None).await);
    for (locale, wish, sum, cart, empty) in [
        ("en", "how much are Parovoz whistling kettle and Volna toaster together?", "74.80", "show my cart", "empty"),
        ("ru", "сколько вместе: свистящий чайник «Паровоз» и тостер «Волна»", "", "что в корзине", "пуста"),
    ] {
        let mut chat = Chat::new(&door, locale);
        let told = chat.say(wish).await;
        if !sum.is_empty() {
            has(&told, sum);
        }
        has(&chat.say(cart).await, empty);
    }
}

#[tokio::test]
async fn what_a_sum_was_of_goes_into_the_cart_once() {
    let door = TestApp::over(app(config(), None).await);
    let mut chat = Chat::new(&door, "en");
    has(&chat.say("how much are Parovoz whistling kettle and Ural stockpot 5 l together?").await, "79.80");
    has(&chat.say("put both in the cart").await, "79.80");
    // What lies in the cart is summed, and not put there again.
    has(&chat.say("how much are Parovoz whistling kettle and Ural stockpot 5 l together?").await, "79.80");
    has(&chat.say("show my cart").await, "79.80");
    chat.say("checkout").await;
    has(&chat.say("show my cart").await, "79.80");
}

#[tokio::test]
async fn an_exchange_that_is_wanted_is_no_question_about_the_rules() {
    let door = TestApp::over(app(config(), None).await);
    has(&Chat::new(&door, "en").say("I want to exchange my boots for another size").await, "order number");
}

#[tokio::test]
async fn a_products_own_warranty_is_told_and_the_shops_where_it_has_none() {
    let door = TestApp::over(app(config(), None).await);
    for (locale, question, own) in [
        ("en", "how long is the warranty on KT-104?", "36 months"),
        ("ru", "какая гарантия на KT-104?", "36 месяцев"),
        ("sk", "aká je záruka na KT-104?", "36 mesiacov"),
        ("zh", "KT-104保修多久", "36个月"),
    ] {
        has(&Chat::new(&door, locale).say(question).await, own);
    }
    has(&Chat::new(&door, "en").say("how long is the warranty?").await, "24 months");
}

#[tokio::test]
async fn both_of_two_go_into_the_cart() {
    let door = TestApp::over(app(config(), None).await);
    let mut chat = Chat::new(&door, "en");
    let shown = chat.say("how much are Vikhr vacuum cleaner V-300 and Vikhr vacuum cleaner V-500 together?").await;
    has(&shown, "V-300");
    has(&shown, "V-500");
    let told = chat.say("add both to my cart").await;
    has(&told, "V-300");
    has(&told, "V-500");
    has(&told, "279.80");
}
