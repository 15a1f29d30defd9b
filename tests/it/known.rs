//! A known customer: the last order once more, their own language, sizes as a hint and only after a yes.

use std::sync::Arc;

use serde_json::{Value, json};
use truetill::app::App;

use crate::common::{TestApp, app, config, text};

async fn shop() -> (Arc<App>, TestApp) {
    let app = app(config(), None).await;
    (Arc::clone(&app), TestApp::over(app))
}

async fn say(door: &TestApp, (customer, session): (Option<&str>, Option<&Value>), text: &str) -> Value {
    door.say(json!({"customer": customer}), session, text).await
}

#[tokio::test]
async fn the_last_order_is_put_into_the_cart_at_todays_prices_and_not_twice() {
    for (customer, wish, said) in [
        ("C-1005", "same as last time please", "your last order again"),
        ("C-1022", "повторите мой последний заказ", "последний заказ по сегодняшним ценам"),
        ("C-1010", "to isté ako minule", "posledná objednávka v dnešných cenách"),
        ("C-1030", "和上次一样", "上次的订单，价格为今日价格"),
    ] {
        let (app, door) = shop().await;
        let first = say(&door, (Some(customer), None), wish).await;
        assert!(text(&first).contains(said), "{}", text(&first));
        let owner = format!("customer:{customer}");
        let held = truetill::engine::Carts::cart(&app.state, &owner).await.unwrap().value.lines;
        let last = app.orders.of_customer(customer).await.unwrap().remove(0);
        let wanted: Vec<_> = last.items.iter().map(|item| (item.sku.clone(), item.quantity)).collect();
        let got: Vec<_> = held.iter().map(|line| (line.sku.clone(), line.quantity)).collect();
        assert_eq!(got, wanted, "{customer}");
        say(&door, (Some(customer), Some(&first)), wish).await;
        let again = truetill::engine::Carts::cart(&app.state, &owner).await.unwrap().value.lines;
        assert_eq!(again, held, "asking twice orders nothing twice");
        let orders = app.orders.of_customer(customer).await.unwrap().len();
        let asked = say(&door, (Some(customer), Some(&first)), "checkout").await;
        assert!(!text(&asked).is_empty());
        assert_eq!(app.orders.of_customer(customer).await.unwrap().len(), orders, "nothing is ordered without a yes");
    }
}

#[tokio::test]
async fn nobody_elses_order_is_repeated_and_what_is_gone_is_said() {
    let (_, door) = shop().await;
    let stranger = say(&door, (None, None), "same as last time please").await;
    assert!(text(&stranger).contains("who you are"), "{}", text(&stranger));
    let new = say(&door, (Some("C-9999"), None), "same as last time please").await;
    assert!(text(&new).contains("no earlier order"), "{}", text(&new));
    // The cover of that order is sold out.
    let part = say(&door, (Some("C-1032"), None), "to isté ako minule").await;
    assert!(text(&part).contains("nie je dostupné všetko"), "{}", text(&part));
}

#[tokio::test]
async fn a_known_customer_is_spoken_to_in_their_own_language() {
    let (_, door) = shop().await;
    let plain = say(&door, (None, None), "12345").await;
    assert!(text(&plain).contains("virtual assistant"), "{}", text(&plain));
    let ordered = say(&door, (Some("C-1035"), None), "12345").await;
    assert!(text(&ordered).contains("virtuálny"), "{}", text(&ordered));
    let wish = json!({"customer": "C-1035", "topic": "service", "granted": true, "language": "ru"});
    assert_eq!(door.post("/api/v1/consent", wish.to_string(), &[]).await.status, 200);
    let wished = say(&door, (Some("C-1035"), None), "12345").await;
    assert!(text(&wished).contains("виртуальный"), "{}", text(&wished));
    let own_words = say(&door, (Some("C-1035"), None), "How much is the Volna electric kettle 1.7 l?").await;
    assert!(text(&own_words).contains("virtual assistant"), "{}", text(&own_words));
}

#[tokio::test]
async fn who_comes_first_is_greeted_as_one() {
    let mut app = app(config(), None).await;
    Arc::get_mut(&mut app).unwrap().handover_rules.vip = vec!["C-1035".to_string()];
    let door = TestApp::over(app);
    let hello = |customer| {
        let door = &door;
        async move { text(&say(door, (Some(customer), None), "ahoj").await).to_string() }
    };
    assert!(hello("C-1035").await.contains("opäť u nás"));
    assert!(!hello("C-1032").await.contains("opäť u nás"));
    let person = say(&door, (Some("C-1035"), None), "spojte ma s človekom").await;
    assert!(text(&person).contains("Prednostne"), "{}", text(&person));
    let queue = door.get("/api/v1/handover").await.json();
    assert_eq!(queue["cases"][0]["priority"], "high", "{queue}");
}

#[tokio::test]
async fn a_size_is_recalled_only_after_a_yes_and_is_no_answer() {
    let (app, door) = shop().await;
    let wish = "add the Sever running shoes to my cart";
    let before = say(&door, (Some("C-1010"), None), wish).await;
    assert!(text(&before).contains("Which size") && !text(&before).contains("earlier order"), "{}", text(&before));
    let yes = |granted: bool| json!({"customer": "C-1010", "topic": "personal", "granted": granted}).to_string();
    assert_eq!(door.post("/api/v1/consent", yes(true), &[]).await.status, 200);
    let after = say(&door, (Some("C-1010"), None), wish).await;
    assert!(text(&after).contains("In an earlier order you chose size 42."), "{}", text(&after));
    assert!(text(&after).contains("Which size"), "{}", text(&after));
    let cart = truetill::engine::Carts::cart(&app.state, "customer:C-1010").await.unwrap();
    assert!(cart.value.lines.is_empty(), "a hint is no answer");
    let chosen = say(&door, (Some("C-1010"), Some(&after)), "41").await;
    assert!(text(&chosen).contains("Sever running shoes (41"), "{}", text(&chosen));
    assert_eq!(door.post("/api/v1/consent", yes(false), &[]).await.status, 200);
    let revoked = say(&door, (Some("C-1010"), None), wish).await;
    assert!(!text(&revoked).contains("earlier order"), "{}", text(&revoked));
}
