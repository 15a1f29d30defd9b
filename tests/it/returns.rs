//! Parcels that come back: the number and label that are told, who may fetch them, and how they go on.

use std::sync::Arc;

use serde_json::{Value, json};
use truetill::app::App;
use truetill::domain::order::OrderState;

use crate::common::{TestApp, app, config, quick_config};

async fn say_all(door: &TestApp, locale: &str, lines: &[&str]) -> String {
    let mut session = Value::Null;
    let mut last = String::new();
    for line in lines {
        let mut body = json!({"message": line, "locale": locale});
        if !session.is_null() {
            body["session_id"] = session.clone();
        }
        let reply = door.post("/api/v1/chat", body.to_string(), &[]).await.json();
        assert_eq!(reply["check"]["rejected"], json!([]), "{reply}");
        session = reply["session_id"].clone();
        last = reply["reply"]["text"].as_str().unwrap().to_string();
    }
    last
}

/// A return registered in the chat: the assistant, the router, and the path and key of the link it told.
async fn registered() -> (Arc<App>, TestApp, String, String) {
    let app = app(config(), None).await;
    let door = TestApp::over(Arc::clone(&app));
    let lines = [
        "chcem vrátiť tovar z objednávky TT-10436",
        "ondrej.polak@example.sk",
        "tie poháre",
        "áno, zaevidujte vrátenie",
    ];
    let told = say_all(&door, "sk", &lines).await;
    assert!(told.contains("Číslo vrátenia je RMA-TT-10436"), "{told}");
    let link = told.split_whitespace().find(|word| word.starts_with("https://")).unwrap_or_else(|| panic!("{told}"));
    let (path, key) = link.split_once("?key=").unwrap();
    let path = path.trim_start_matches("https://horizont.example").to_string();
    (app, door, path, key.to_string())
}

#[tokio::test]
async fn the_label_is_fetched_by_the_link_and_by_nothing_else() {
    let (_app, door, path, key) = registered().await;
    let label = door.get(&format!("{path}?key={key}")).await;
    assert_eq!((label.status.as_u16(), label.header("content-type")), (200, "application/pdf"));
    assert!(label.body.starts_with("%PDF-") && label.body.contains("RMA-TT-10436"));
    let wrong = door.get(&format!("{path}?key={}", "0".repeat(32))).await;
    let missing = door.get("/api/v1/returns/RMA-TT-99999/label?key=0").await;
    assert_eq!((wrong.status.as_u16(), missing.status.as_u16()), (404, 404));
    assert_eq!(wrong.json()["detail"], missing.json()["detail"]);
    assert_eq!(door.get(&path).await.status.as_u16(), 422);
}

#[tokio::test]
async fn a_return_goes_on_and_its_end_is_told() {
    let (app, door, path, key) = registered().await;
    let path = path.trim_end_matches("/label").to_string();
    let state = async || door.get(&format!("{path}?key={key}")).await.json()["state"].clone();
    let step = async |state: &str| door.post(&path, json!({"state": state}).to_string(), &[]).await.status.as_u16();
    assert_eq!(state().await, "registered");
    let before = app.state.events().await.unwrap();
    let keyed = async |state: &str| {
        let reply = door.post(&path, json!({"state": state}).to_string(), &[("idempotency-key", "r-1")]).await;
        (reply.status.as_u16(), reply.json()["state"].clone())
    };
    assert_eq!((keyed("received").await, state().await), ((200, json!("received")), json!("received")));
    assert_eq!(keyed("received").await, (200, json!("received")), "the first answer again");
    assert_eq!(keyed("refunded").await.0, 422, "another request under the same key");
    assert_eq!(step("received").await, 409);
    assert_eq!((step("refunded").await, state().await), (200, json!("refunded")));
    assert_eq!(step("refused").await, 409);
    assert_eq!(app.state.events().await.unwrap(), before + 2);
    assert_eq!(app.orders.find("TT-10436").await.unwrap().unwrap().state, OrderState::Refunded);
    let told = say_all(&door, "sk", &["kde je objednávka TT-10436", "ondrej.polak@example.sk"]).await;
    assert!(told.contains("TT-10436"), "{told}");
    let afar = TestApp::over(app).from_afar();
    assert_eq!(afar.post(&path, json!({"state": "refused"}).to_string(), &[]).await.status.as_u16(), 403);
}

#[tokio::test]
async fn where_the_refund_is_is_told_step_by_step() {
    let asks = [
        ("en", "where is my refund for order TT-10436?"),
        ("sk", "kde sú moje peniaze za vrátený tovar z objednávky TT-10436"),
        ("ru", "где мой возврат по заказу TT-10436"),
        ("zh", "我的退款呢 订单TT-10436"),
    ];
    let words = [
        ["waiting for the parcel", "reached us on 23 November", "We refunded €"],
        ["čakáme na zásielku", "sme dostali 23. novembra", "vrátili"],
        ["ждём посылку", "мы получили 23 ноября", "возвращены 23 ноября: "],
        ["正在等待您寄回", "11月23日送达我们这里", "已于11月23日退款"],
    ];
    let (app, door, path, _) = registered().await;
    let path = path.trim_end_matches("/label").to_string();
    let order = app.orders.find("TT-10436").await.unwrap().unwrap();
    // Two mugs at 18.90.
    assert_eq!(order.changes.returned.len(), 2);
    for (step, state) in ["registered", "received", "refunded"].into_iter().enumerate() {
        if step > 0 {
            let reply = door.post(&path, json!({"state": state}).to_string(), &[]).await;
            assert_eq!(reply.status, 200, "{}", reply.body);
        }
        for ((locale, ask), words) in asks.iter().zip(&words) {
            let told = say_all(&door, locale, &[ask, "ondrej.polak@example.sk"]).await;
            assert!(told.contains(words[step]), "{locale} {state}: {told}");
            let amount = told.contains("37.80") || told.contains("37,80");
            assert_eq!(amount, state == "refunded", "{locale} {state}: {told}");
        }
    }
}

#[tokio::test]
async fn a_known_customer_who_asks_for_a_refund_means_the_order_that_came_back() {
    let door = TestApp::new().await;
    let body = json!({"message": "where is my refund?", "locale": "en", "customer": "C-1020"}).to_string();
    let told = door.post("/api/v1/chat", body, &[]).await.json();
    let text = told["reply"]["text"].as_str().unwrap();
    assert!(text.contains("TT-10408") && text.contains("refunded"), "{text}");
}

#[tokio::test]
async fn beside_the_rule_on_refunds_whoever_is_known_hears_of_their_own() {
    let folder = tempfile::tempdir().unwrap();
    let door = TestApp::with(quick_config(folder.path())).await;
    let ask = async |customer: Option<&str>, text: &str| {
        let mut body = json!({"message": text, "locale": "en"});
        if let Some(customer) = customer {
            body["customer"] = customer.into();
        }
        let told = door.post("/api/v1/chat", body.to_string(), &[]).await.json();
        assert_eq!(told["check"]["rejected"], json!([]), "{told}");
        told["reply"]["text"].as_str().unwrap().to_string()
    };
    let (text, rule) = ("what is your refund policy: how and when do I get my money back?", "within 14 days");
    let own = ask(Some("C-1014"), text).await;
    assert!(own.contains("TT-10422") && own.contains(rule), "{own}");
    assert!(own.find("TT-10422") < own.find(rule), "their own comes first: {own}");
    for other in [None, Some("C-1001")] {
        let told = ask(other, text).await;
        assert!(told.contains(rule) && !told.contains("TT-"), "{told}");
    }
}

#[tokio::test]
async fn a_return_that_is_refused_says_so() {
    let (_app, door, path, _) = registered().await;
    let path = path.trim_end_matches("/label").to_string();
    door.post(&path, json!({"state": "refused"}).to_string(), &[]).await;
    let told = say_all(&door, "en", &["where is my return? order TT-10436", "ondrej.polak@example.sk"]).await;
    assert!(told.contains("could not accept the return from order TT-10436"), "{told}");
}
