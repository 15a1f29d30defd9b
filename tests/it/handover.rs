//! A person takes over: the queue, the packet, silence, drafts under the guard, coming back, and what happens when nobody does.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};
use truetill::app::App;
use truetill::handover;

use crate::common::{TestApp, app, clock, config, text};

static LATER_S: AtomicI64 = AtomicI64::new(0);

fn later() -> Timestamp {
    clock() + SignedDuration::from_secs(LATER_S.load(Ordering::SeqCst))
}

async fn say(door: &TestApp, session: Option<&Value>, text: &str) -> Value {
    let mut body = json!({"message": text, "locale": "en"});
    if let Some(session) = session {
        body["session_id"] = session["session_id"].clone();
    }
    door.post("/api/v1/chat", body.to_string(), &[]).await.json()
}

async fn queue(door: &TestApp, state: &str) -> Vec<Value> {
    let body = door.get(&format!("/api/v1/handover?state={state}")).await.json();
    body["cases"].as_array().unwrap_or_else(|| panic!("{body}")).clone()
}

async fn step(door: &TestApp, case: &Value, body: Value) -> (u16, Value) {
    let path = format!("/api/v1/handover/{}", case["id"].as_str().unwrap());
    let reply = door.post(&path, body.to_string(), &[]).await;
    (reply.status.as_u16(), reply.json())
}

async fn shop() -> (Arc<App>, TestApp) {
    let app = app(config(), None).await;
    (Arc::clone(&app), TestApp::over(app))
}

#[tokio::test]
async fn a_person_takes_the_chat_and_gives_it_back() {
    let (_, door) = shop().await;
    let first = say(&door, None, "How much is the Volna electric kettle 1.7 l? my mail is jana@example.sk").await;
    let asked = say(&door, Some(&first), "operator").await;
    assert_eq!(asked["handover"]["reason"], "asked");
    assert!(
        !text(&say(&door, Some(&first), "hello").await).is_empty(),
        "until somebody takes it, the assistant answers"
    );
    let cases = queue(&door, "waiting").await;
    let case = &cases[0];
    assert_eq!((cases.len(), &case["priority"], &case["reasons"]), (1, &json!("normal"), &json!(["asked"])));

    let (status, taken) = step(&door, case, json!({"do": "take", "operator": "Eva"})).await;
    assert_eq!((status, &taken["case"]["state"]), (200, &json!("taken")));
    assert_eq!(step(&door, case, json!({"do": "take", "operator": "Eva"})).await.0, 200, "a repeat is no error");
    let (status, problem) = step(&door, case, json!({"do": "take", "operator": "Ivan"})).await;
    assert_eq!((status, &problem["code"]), (409, &json!("case_conflict")));

    let silent = say(&door, Some(&first), "are you there? call me on +421 900 000 123").await;
    assert_eq!((text(&silent), &silent["commands"]), ("", &json!([])), "the assistant is silent");

    let packet = door.get(&format!("/api/v1/handover/{}?lang=ru", case["id"].as_str().unwrap())).await.json();
    let all = packet.to_string();
    for part in ["Volna", "€39.90", "offer:KT-101-SLV", "are you there?", "[phone]", "price by rules"] {
        assert!(all.contains(part), "{part}: {packet}");
    }
    for secret in ["jana@example.sk", "000 123", "900000123"] {
        assert!(!all.contains(secret), "{secret}: {packet}");
    }
    assert!(packet["next_step"].as_str().unwrap().contains("Поздоровайтесь"), "{packet}");

    let wrong = json!({"do": "reply", "operator": "Eva", "text": "The kettle is €29.90.", "send": false});
    let (_, checked) = step(&door, case, wrong).await;
    assert_eq!((&checked["sent"], checked["warnings"].as_array().unwrap().len()), (&json!(false), 1), "{checked}");
    let right = json!({"do": "reply", "operator": "Eva", "text": "Hello, Eva here. The Volna electric kettle 1.7 l is €39.90."});
    let (_, sent) = step(&door, case, right).await;
    assert_eq!((&sent["sent"], &sent["warnings"]), (&json!(true), &json!([])), "{sent}");
    let stubborn = json!({"do": "reply", "operator": "Eva", "text": "For you €35!"});
    let (_, sent) = step(&door, case, stubborn).await;
    assert_eq!(
        (&sent["sent"], sent["warnings"].as_array().unwrap().is_empty()),
        (&json!(true), false),
        "warned, not barred"
    );
    step(&door, case, json!({"do": "note", "operator": "Eva", "text": "a regular"})).await;

    let path = format!("/api/v1/sessions/{}/messages", first["session_id"].as_str().unwrap());
    let inbox = door.get(&path).await.json();
    assert_eq!((&inbox["person"], inbox["messages"].as_array().unwrap().len()), (&json!(true), 2), "{inbox}");
    assert!(!inbox.to_string().contains("regular"), "notes are for the shop: {inbox}");

    let (_, back) = step(&door, case, json!({"do": "give_back", "operator": "Eva"})).await;
    assert_eq!(back["case"]["state"], "given_back");
    let last = inbox["messages"][1]["id"].as_str().unwrap();
    let inbox = door.get(&format!("{path}?after={last}")).await.json();
    assert_eq!((&inbox["person"], &inbox["messages"][0]["by"]), (&json!(false), &json!("assistant")), "{inbox}");
    assert!(text(&say(&door, Some(&first), "How much is the Volna electric kettle 1.7 l?").await).contains("€39.90"));
    assert_eq!(step(&door, case, json!({"do": "reply", "operator": "Eva", "text": "x"})).await.0, 409);
}

#[tokio::test]
async fn rules_call_a_person_and_set_the_order_of_the_queue() {
    let (app, door) = shop().await;
    let calm = say(&door, None, "operator").await;
    let angry = say(&door, None, "this is unacceptable, where is my order").await;
    // With the examples at hand the first half is a complaint of its own, which weighs as much.
    assert!(["anger", "complaint"].iter().any(|reason| angry["handover"]["reason"] == *reason), "{angry}");
    let fraud = say(&door, None, "I was scammed, my card was stolen").await;
    assert_eq!(fraud["handover"]["reason"], "fraud", "{fraud}");
    let dear = say(&door, None, "cancel my order TT-10443, peter.horvath@example.sk").await;
    assert!(dear["handover"].is_null(), "a task the desk can do needs nobody");
    let order: Vec<Value> = queue(&door, "waiting").await.iter().map(|case| case["session_id"].clone()).collect();
    let expected = [&fraud, &angry, &calm].map(|reply| reply["session_id"].clone());
    assert_eq!(order, expected);
    // The same conversation keeps one case, and its gravest reason.
    say(&door, Some(&calm), "my card was stolen").await;
    let cases = queue(&door, "waiting").await;
    let calm = cases.iter().find(|case| case["session_id"] == calm["session_id"]).unwrap();
    assert_eq!((cases.len(), &calm["priority"], &calm["reasons"]), (3, &json!("urgent"), &json!(["fraud", "asked"])));
    assert_eq!(handover::escalate(&app).await.unwrap(), 0, "nobody waited long");
}

#[tokio::test]
async fn what_nobody_looks_after_is_raised_once_for_each_wait() {
    let mut app = Arc::into_inner(app(config(), None).await).unwrap();
    app.clock = later;
    let app = Arc::new(app);
    let door = TestApp::over(Arc::clone(&app));
    let chat = say(&door, None, "operator").await;
    let before = app.state.events().await.unwrap();
    LATER_S.store(14 * 60, Ordering::SeqCst);
    assert_eq!(handover::escalate(&app).await.unwrap(), 0);
    LATER_S.store(15 * 60, Ordering::SeqCst);
    assert_eq!(handover::escalate(&app).await.unwrap(), 1);
    assert_eq!(handover::escalate(&app).await.unwrap(), 0, "once for each wait");
    let case = queue(&door, "waiting").await.remove(0);
    assert_eq!((&case["priority"], &case["escalated"], &case["waiting_s"]), (&json!("high"), &json!(1), &json!(900)));
    assert_eq!(app.state.events().await.unwrap(), before + 1);

    step(&door, &case, json!({"do": "take", "operator": "Eva"})).await;
    step(&door, &case, json!({"do": "reply", "operator": "Eva", "text": "Hello!"})).await;
    LATER_S.store(60 * 60, Ordering::SeqCst);
    assert_eq!(handover::escalate(&app).await.unwrap(), 0, "it is the shopper's turn");
    say(&door, Some(&chat), "where are you?").await;
    LATER_S.store(65 * 60, Ordering::SeqCst);
    assert_eq!(handover::escalate(&app).await.unwrap(), 1);
    let case = queue(&door, "waiting").await.remove(0);
    assert_eq!((&case["operator"], &case["priority"]), (&Value::Null, &json!("urgent")), "back in the queue");
    assert!(!text(&say(&door, Some(&chat), "hello?").await).is_empty(), "and the assistant speaks again");
    let (_, closed) = step(&door, &case, json!({"do": "take", "operator": "Ivan"})).await;
    assert_eq!(closed["case"]["operator"], "Ivan");
    assert_eq!(step(&door, &case, json!({"do": "close", "operator": "Ivan"})).await.1["case"]["state"], "closed");
    LATER_S.store(600 * 60, Ordering::SeqCst);
    assert_eq!(handover::escalate(&app).await.unwrap(), 0);
}

#[tokio::test]
async fn operators_have_admin_keys_and_repeat_safely() {
    let mut settings = config();
    settings.server.keys = vec![crate::common::digest("shop")];
    settings.server.admin_keys = vec![crate::common::digest("admin")];
    let door = TestApp::with(settings).await;
    let get = async |key: &str| {
        let request = axum::http::Request::get("/api/v1/handover").header("authorization", format!("Bearer {key}"));
        door.send(request.body(axum::body::Body::empty()).unwrap()).await.status.as_u16()
    };
    assert_eq!((get("shop").await, get("admin").await), (403, 200));
    let (_, door) = shop().await;
    say(&door, None, "operator").await;
    let case = queue(&door, "waiting").await.remove(0);
    let path = format!("/api/v1/handover/{}", case["id"].as_str().unwrap());
    let key = [("idempotency-key", "r-1")];
    step(&door, &case, json!({"do": "take", "operator": "Eva"})).await;
    let body = json!({"do": "reply", "operator": "Eva", "text": "Hello!"}).to_string();
    let first = door.post(&path, body.clone(), &key).await;
    let again = door.post(&path, body, &key).await;
    assert_eq!((&first.body, again.header("idempotent-replay")), (&again.body, "true"));
    let inbox = door.get(&format!("/api/v1/sessions/{}/messages", case["session_id"].as_str().unwrap())).await.json();
    assert_eq!(inbox["messages"].as_array().unwrap().len(), 1);
}
