//! The order desk over HTTP: who may ask, what is done once, what a key stands for.

use serde_json::{Value, json};

use crate::common::{Reply, TestApp};

/// An order of the demo shop that is still being packed, and its owner.
const ADDRESS: &str = r#"{"line1":"Hlavna 1","city":"Bratislava","postcode":"81101"}"#;

async fn find(app: &TestApp, body: Value) -> Reply {
    app.post("/api/v1/orders/find", body.to_string(), &[]).await
}

/// The first order of the demo shop in this state.
fn order_in(state: &str) -> Value {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/data/orders/orders.jsonl");
    let lines = std::fs::read_to_string(path).unwrap();
    let orders = lines.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
    orders.into_iter().find(|order| order["state"] == state).unwrap()
}

async fn propose(app: &TestApp, who: (&str, &Value), operation: Value) -> Value {
    let mut body = json!({"operation": operation});
    body[who.0] = who.1.clone();
    app.post("/api/v1/tasks", body.to_string(), &[]).await.json()
}

async fn confirm(app: &TestApp, task: &Value, headers: &[(&str, &str)]) -> Reply {
    let path = format!("/api/v1/tasks/{}", task["id"].as_str().unwrap());
    app.post(&path, json!({"token": task["token"]}).to_string(), headers).await
}

#[tokio::test]
async fn an_order_is_called_off_once_and_read_back() {
    let app = TestApp::new().await;
    let order = order_in("processing");
    let operation = json!({"do": "cancel_order", "order": order["number"], "reason": "changed my mind"});
    let task = propose(&app, ("email", &order["email"]), operation.clone()).await;
    assert_eq!(task["state"], "awaiting_confirmation", "{task}");
    let who = json!({"number": order["number"], "phone": order["phone"]});
    assert_eq!(find(&app, who.clone()).await.json()["order"]["state"], "processing");
    let ended = confirm(&app, &task, &[]).await.json();
    assert_eq!((&ended["state"], &ended["effect"]["state"]), (&json!("done"), &json!("cancelled")));
    assert_eq!(confirm(&app, &task, &[]).await.json(), ended);
    assert_eq!(find(&app, who).await.json()["order"]["state"], "cancelled");
    let again = propose(&app, ("customer", &order["customer"]), operation).await;
    assert_eq!(again["refusal"], json!({"code": "wrong_state", "clause": "faq#8", "version": "2026-09"}));
}

#[tokio::test]
async fn rules_refuse_with_their_clause() {
    let app = TestApp::new().await;
    let old = order_in("delivered");
    let items = json!([old["items"][0]["sku"]]);
    let task = propose(
        &app,
        ("customer", &old["customer"]),
        json!({"do": "return_items", "order": old["number"], "items": items}),
    )
    .await;
    assert_eq!(task["refusal"]["clause"].as_str().map(|clause| &clause[..8]), Some("returns#"), "{task}");
    let address: Value = serde_json::from_str(ADDRESS).unwrap();
    let task = propose(
        &app,
        ("customer", &old["customer"]),
        json!({"do": "change_address", "order": old["number"], "address": address}),
    )
    .await;
    assert_eq!(task["refusal"]["code"], "wrong_state");
}

#[tokio::test]
async fn a_foreign_order_looks_like_a_missing_one() {
    let app = TestApp::new().await;
    let order = order_in("processing");
    let cancel = |number: &Value| json!({"do": "cancel_order", "order": number, "reason": "x"});
    let stranger = json!("somebody@example.org");
    let foreign = propose(&app, ("email", &stranger), cancel(&order["number"])).await;
    let missing = propose(&app, ("email", &stranger), cancel(&json!("TT-1"))).await;
    assert_eq!(foreign["refusal"], missing["refusal"]);
    assert_eq!(foreign["refusal"]["code"], "no_order");
    let no = find(&app, json!({"number": order["number"], "email": stranger})).await;
    assert_eq!((no.status.as_u16(), no.json()["code"].clone()), (404, json!("unknown_order")));
    for _ in 0..5 {
        find(&app, json!({"number": order["number"], "email": stranger})).await;
    }
    let late = find(&app, json!({"number": order["number"], "email": order["email"]})).await;
    assert_eq!(late.status, 404, "guessing must end");
    let afar = TestApp::new().await.from_afar();
    let body = json!({"customer": order["customer"], "operation": cancel(&order["number"])}).to_string();
    assert_eq!(afar.post("/api/v1/tasks", body, &[]).await.json()["code"], "customer_not_trusted");
}

#[tokio::test]
async fn a_key_gets_its_first_answer_again() {
    let app = TestApp::new().await;
    let order = order_in("processing");
    let body = |reason: &str| {
        let operation = json!({"do": "cancel_order", "order": order["number"], "reason": reason});
        json!({"customer": order["customer"], "operation": operation}).to_string()
    };
    let key = [("idempotency-key", "k-1")];
    let first = app.post("/api/v1/tasks", body("a"), &key).await;
    let again = app.post("/api/v1/tasks", body("a"), &key).await;
    assert_eq!((first.status, &first.body), (again.status, &again.body));
    assert_eq!(again.header("idempotent-replay"), "true");
    let other = app.post("/api/v1/tasks", body("b"), &key).await;
    assert_eq!((other.status.as_u16(), other.json()["code"].clone()), (422, json!("idempotency_key_reused")));
    let ended = confirm(&app, &first.json(), &[("idempotency-key", "k-2")]).await;
    assert_eq!(ended.json()["state"], "done");
    assert_eq!(confirm(&app, &first.json(), &[("idempotency-key", "k-2")]).await.body, ended.body);
}

#[tokio::test]
async fn a_withdrawn_proposal_stays_withdrawn() {
    let app = TestApp::new().await;
    let order = order_in("processing");
    let operation = json!({"do": "cancel_order", "order": order["number"], "reason": "a"});
    let task = propose(&app, ("customer", &order["customer"]), operation).await;
    let path = format!("/api/v1/tasks/{}", task["id"].as_str().unwrap());
    let no = json!({"token": task["token"], "confirm": false}).to_string();
    assert_eq!(app.post(&path, no, &[]).await.json()["state"], "withdrawn");
    assert_eq!(confirm(&app, &task, &[]).await.json()["state"], "withdrawn");
    assert_eq!(app.get(&path).await.json()["state"], "withdrawn");
}

#[tokio::test]
async fn characters_a_database_may_not_keep_break_nothing() {
    let app = TestApp::new().await;
    let order = order_in("processing");
    let operation = json!({"do": "cancel_order", "order": "TT\0", "reason": "a\0b"});
    for (path, body) in [
        ("/api/v1/chat", json!({"message": "operator\0 please", "locale": "en"})),
        ("/api/v1/tasks", json!({"email": order["email"], "operation": operation})),
        ("/api/v1/tasks", json!({"customer": "C\0", "operation": operation})),
        ("/api/v1/orders/find", json!({"number": "TT\0", "phone": "+4219\0"})),
        ("/api/v1/cart", json!({"customer": "C\0", "edit": {"do": "add", "sku": "A\0"}})),
        ("/api/v1/cart", json!({"edit": {"do": "coupon", "code": "A\0"}})),
        (
            "/api/v1/catalog/patches",
            json!({"source": "erp", "patches": [{"sku": "KT-101-SLV", "stock": [{"place": "\0", "count": 1}]}]}),
        ),
    ] {
        let reply = app.post(path, body.to_string(), &[]).await;
        assert!(reply.status.as_u16() < 500, "{path}: {}", reply.body);
    }
    for path in ["/api/v1/tasks/%00", "/api/v1/checkout/%00", "/api/v1/handover/%00", "/api/v1/sessions/%00/messages"] {
        assert!(app.get(path).await.status.as_u16() < 500, "{path}");
    }
    let confirmed = app.post("/api/v1/checkout/%00", json!({"token": "\0"}).to_string(), &[]).await;
    assert!(confirmed.status.as_u16() < 500, "{}", confirmed.body);
}
