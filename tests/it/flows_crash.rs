//! kill -9 before and after every commit of every flow that writes, then whoever got no answer asks again: one write, one event, nothing
//! lost, and no "done" that was not written. Orders go through the desk itself, what shoppers say and back offices do through the router.
//! Buying, codes, carriers and the shop's own messages have files of their own.

use std::path::Path;

use serde_json::{Value, json};
use truetill::domain::desk::{Operation, OrderRules, TaskState};
use truetill::domain::outreach::Topic;
use truetill::engine::{Carts, OrderDesk};
use truetill::shop::Shop;
use truetill::store::{OrderBook, StateStore};
use truetill::tasks::desk::Desk;

use crate::cluster::state_in;
use crate::common::{TestApp, app_keeping, clock, config, quick_config};
use crate::fakes::ShopFront;
use crate::killed::{died, dying, lease_over, stride, told_to_die};

const ORDER: &str = r#"{"number":"G-1","customer":"C-1","name":"N","phone":"","email":"n@example.sk","language":"en","place":"bratislava","placed":"2026-11-01","state":"STATE","promised":"2026-11-25","delivered":"2026-11-20","currency":"EUR","items":[{"sku":"KT-101-SLV","quantity":1,"price":"39.90"}],"shipping":"0","total":"39.90","payments":[{"amount":{"minor":3990,"currency":"EUR"},"method":"card"}]}"#;
const CUSTOMER: &str = r#"{"id":"C-1","methods":[{"id":"card","kind":"card"},{"id":"wallet","kind":"wallet"}]}"#;
const ADDRESS: &str = r#"{"line1":"Hlavna 1","city":"Bratislava","postcode":"81101"}"#;

/// What is done to the order, in which state of it.
fn operations() -> Vec<(&'static str, String)> {
    let swap = r#""order":"G-1","items":["KT-101-SLV"],"wanted":["KT-101-BLK"]"#;
    vec![
        ("processing", r#"{"do":"cancel_order","order":"G-1","reason":"no longer needed"}"#.to_string()),
        ("processing", format!(r#"{{"do":"change_address","order":"G-1","address":{ADDRESS}}}"#)),
        ("processing", r#"{"do":"change_date","order":"G-1","day":"2026-12-02"}"#.to_string()),
        ("processing", format!(r#"{{"do":"change_items",{swap},"method":null}}"#)),
        ("processing", r#"{"do":"change_payment","order":"G-1","method":"wallet"}"#.to_string()),
        ("delivered", r#"{"do":"return_items","order":"G-1","items":["KT-101-SLV"],"method":null}"#.to_string()),
        ("delivered", format!(r#"{{"do":"exchange_items",{swap},"method":null}}"#)),
    ]
}

fn rules() -> OrderRules {
    let mut rules: OrderRules = toml::from_str(include_str!("../data/retail_returns.toml")).unwrap();
    rules.change.days = Some(21);
    rules
}

/// What the client knows is in `client`: the task and its token once proposed, `done` once told.
async fn operate(book: &StateStore, folder: &Path, operation: &str) {
    let data = config().paths.data;
    let (front, shop, rules) = (ShopFront::load(&data), Shop::load(&data).unwrap(), rules());
    let desk = Desk { book, catalog: &front, rules: &rules, terms: &shop, now: clock() };
    let known = std::fs::read_to_string(folder.join("client")).unwrap_or_default();
    let (id, token) = match known.split_whitespace().collect::<Vec<_>>()[..] {
        [id, token, ..] => (id.to_string(), token.to_string()),
        _ => {
            let operation: Operation = serde_json::from_str(operation).unwrap();
            let task = desk.propose("C-1", operation).await.unwrap();
            std::fs::write(folder.join("client"), format!("{} {}", task.id, task.token)).unwrap();
            (task.id, task.token)
        }
    };
    let task = desk.confirm(&id, &token).await.unwrap().unwrap();
    assert_eq!(task.state, TaskState::Done, "{:?}", task.refusal);
    std::fs::write(folder.join("client"), format!("{id} {token} done")).unwrap();
}

#[tokio::test]
async fn desk_child() {
    let Some((folder, flow, at)) = told_to_die() else { return };
    operate(&dying(state_in(&folder).await, at), &folder, &operations()[flow].1).await;
}

/// Lets the child die at a commit, looks at what it left, retries as the client would; false when it lived.
async fn done_though_killed(flow: usize, at: usize) -> bool {
    let (state, operation) = &operations()[flow];
    let folder = tempfile::tempdir().unwrap();
    std::fs::create_dir(folder.path().join("orders")).unwrap();
    std::fs::write(folder.path().join("orders/orders.jsonl"), ORDER.replace("STATE", state)).unwrap();
    std::fs::write(folder.path().join("orders/customers.jsonl"), CUSTOMER).unwrap();
    let book = state_in(folder.path()).await;
    book.take_orders(&OrderBook::load(&folder.path().join("orders")).unwrap()).await.unwrap();
    drop(book);
    let died = died("flows_crash::desk_child", folder.path(), (flow, at));
    let book = state_in(folder.path()).await;
    let order = async || OrderDesk::order(&book, "G-1").await.unwrap().unwrap();
    let told = std::fs::read_to_string(folder.path().join("client")).unwrap_or_default().ends_with("done");
    let left = order().await;
    assert!(!told || left.version == 2, "{operation}, step {at}: done was told before it was written");
    assert_eq!(book.events().await.unwrap(), left.version - 1, "{operation}, step {at}: a write without its event");
    operate(&book, folder.path(), operation).await;
    assert_eq!((order().await.version, book.events().await.unwrap()), (2, 1), "{operation}, step {at}");
    let goes_back = *state == "delivered";
    assert_eq!(
        book.slip("G-1").await.unwrap().is_some(),
        goes_back,
        "{operation}, step {at}: the number of the parcel"
    );
    died
}

#[tokio::test]
async fn a_process_killed_at_any_commit_of_any_operation_writes_once() {
    let mut deaths = 0;
    for (flow, (_, operation)) in operations().iter().enumerate() {
        let mut at = 1;
        while done_though_killed(flow, at).await {
            at += stride();
        }
        assert!(at > 2, "{operation}: only {} places were seen", at - 1);
        deaths += at / stride();
    }
    eprintln!("crash: killed at {deaths} places of 7 operations on an order, one write and one event each time");
}

/// One who asks: what they send in order, each until it is answered; `{session}` is the conversation of the first answer.
struct Flow {
    name: &'static str,
    customer: Option<&'static str>,
    lines: &'static [&'static str],
    /// Events there are in the end.
    events: i64,
}

const FLOWS: [Flow; 8] = [
    Flow {
        name: "offers",
        customer: None,
        lines: &["you may write to me about offers", "eva@example.com", "yes please"],
        events: 0,
    },
    Flow {
        name: "restock",
        customer: None,
        lines: &["let me know when the Tatry herbal tea 50 g is available, anna@example.com", "yes please"],
        events: 1,
    },
    Flow { name: "stop", customer: Some("C-1001"), lines: &["unsubscribe"], events: 0 },
    Flow {
        name: "visit",
        customer: None,
        lines: &["company tasting", "1", "2", "1", "+421 900 000 555", "yes please"],
        events: 1,
    },
    Flow { name: "again", customer: Some("C-1005"), lines: &["same as last time please"], events: 0 },
    Flow {
        name: "address",
        customer: None,
        lines: &[
            "I need to change the address of order TT-10455",
            "petra.novotna@example.cz",
            "5 High Street, Brno, 602 00",
            "ok, go ahead",
        ],
        events: 1,
    },
    Flow {
        name: "return",
        customer: None,
        lines: &[
            "chcem vrátiť tovar z objednávky TT-10436",
            "ondrej.polak@example.sk",
            "tie poháre",
            "áno, zaevidujte vrátenie",
            "POST /api/v1/returns/RMA-TT-10436 {\"state\":\"received\"}",
            "POST /api/v1/returns/RMA-TT-10436 {\"state\":\"refunded\"}",
        ],
        events: 3,
    },
    Flow {
        name: "consent",
        customer: None,
        lines: &["POST /api/v1/consent {\"customer\":\"C-1001\",\"topic\":\"marketing\",\"granted\":true}"],
        events: 0,
    },
];

/// Sends what was not answered yet.
async fn play(store: StateStore, folder: &Path, flow: &Flow) {
    let settings = quick_config(folder);
    let front = ShopFront::load(&settings.paths.data);
    let door = TestApp::over(app_keeping(settings, None, (front, store)).await);
    let told = || -> Vec<String> {
        let text = std::fs::read_to_string(folder.join("client")).unwrap_or_default();
        text.lines().map(str::to_string).collect()
    };
    for line in &flow.lines[told().len()..] {
        let (path, body) = match line.strip_prefix("POST ").and_then(|rest| rest.split_once(' ')) {
            Some((path, body)) => (path, serde_json::from_str(body).unwrap()),
            None => ("/api/v1/chat", chat(line, flow, told().first())),
        };
        let reply = door.post(path, body.to_string(), &[]).await;
        // A step that was taken before the answer came is refused as taken.
        assert!(reply.status.is_success() || reply.status == 409, "{}: {line}: {}", flow.name, reply.body);
        let answered = reply.json()["session_id"].as_str().unwrap_or("answered").to_string();
        std::fs::write(folder.join("client"), [told(), vec![answered]].concat().join("\n")).unwrap();
    }
}

fn chat(line: &str, flow: &Flow, session: Option<&String>) -> Value {
    let mut body = json!({"message": line});
    if let Some(session) = session {
        body["session_id"] = session.as_str().into();
    }
    if let Some(customer) = flow.customer {
        body["customer"] = customer.into();
    }
    body
}

#[tokio::test]
async fn talk_child() {
    let Some((folder, flow, at)) = told_to_die() else { return };
    play(dying(state_in(&folder).await, at), &folder, &FLOWS[flow]).await;
}

/// What must be there once everything was answered, whatever happened on the way.
async fn looked_at(store: &StateStore, flow: &Flow, step: &str) {
    let marketing = async |person: &str| {
        let words = store.permissions(person).await.unwrap();
        words.iter().find(|word| word.topic == Topic::Marketing).map(|word| word.granted)
    };
    match flow.name {
        "offers" => assert_eq!(marketing("email:eva@example.com").await, Some(true), "{step}"),
        "restock" => {
            let waiting = store.wanted(10).await.unwrap();
            assert_eq!(waiting.len(), 1, "{step}: on the waiting list once");
            assert_eq!(waiting[0].product.as_str(), "CT-108", "{step}");
        }
        "stop" => assert_eq!(marketing("customer:C-1001").await, Some(false), "{step}"),
        "consent" => assert_eq!(marketing("customer:C-1001").await, Some(true), "{step}"),
        "again" => {
            let lines = Carts::cart(store, "customer:C-1005").await.unwrap().value.lines;
            let last = truetill::engine::Orders::of_customer(store, "C-1005").await.unwrap().remove(0);
            let wanted: Vec<_> = last.items.iter().map(|item| (item.sku.clone(), item.quantity)).collect();
            let held: Vec<_> = lines.into_iter().map(|line| (line.sku, line.quantity)).collect();
            assert_eq!(held, wanted, "{step}");
        }
        "address" => assert_eq!(OrderDesk::order(store, "TT-10455").await.unwrap().unwrap().version, 2, "{step}"),
        "return" => {
            let slip = store.slip("TT-10436").await.unwrap().unwrap();
            assert_eq!(slip.state.as_str(), "refunded", "{step}");
        }
        _ => {}
    }
    assert_eq!(store.events().await.unwrap(), flow.events, "{step}: events");
}

async fn answered_though_killed(flow: usize, at: usize) -> bool {
    let folder = tempfile::tempdir().unwrap();
    drop(state_in(folder.path()).await);
    let died = died("flows_crash::talk_child", folder.path(), (flow, at));
    let told = std::fs::read_to_string(folder.path().join("client")).unwrap_or_default();
    lease_over(&state_in(folder.path()).await, &told).await;
    play(state_in(folder.path()).await, folder.path(), &FLOWS[flow]).await;
    let step = format!("{}, step {at}", FLOWS[flow].name);
    looked_at(&state_in(folder.path()).await, &FLOWS[flow], &step).await;
    died
}

#[tokio::test]
async fn a_process_killed_at_any_commit_of_any_talk_loses_nothing_and_does_nothing_twice() {
    let mut deaths = 0;
    for (flow, Flow { name, .. }) in FLOWS.iter().enumerate() {
        let mut at = 1;
        while answered_though_killed(flow, at).await {
            at += stride();
        }
        assert!(at > 2, "{name}: only {} commits were seen", at - 1);
        deaths += at / stride();
    }
    eprintln!("crash: killed at {deaths} places of {} flows, nothing lost, nothing twice", FLOWS.len());
}
