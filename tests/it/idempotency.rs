//! Idempotency-Key wherever a caller writes: the first answer again, after a restart too; another body and a request that still runs are
//! refused; a client that leaves and a process that is killed lock nothing up.

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::Arc;

use axum::body::Body;
use axum::http::Request;
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};
use truetill::app::App;
use truetill::engine::Carts;
use truetill::identity::Codes;
use truetill::store::StateStore;

use crate::cluster::state_in;
use crate::codes_crash::{Letters, PHONE, letters, newest};
use crate::common::{Reply, TestApp, app_keeping, clock, quick_config};
use crate::fakes::ShopFront;
use crate::killed::{died, dying, told_to_die};

const CHAT: &str = "/api/v1/chat";
const COMPLETIONS: &str = "/v1/chat/completions";
const EVENTS: (&str, &str) = ("accept", "text/event-stream");
const KETTLE: &str = "KT-101-SLV";

/// What is posted and takes no key, and why.
const WITHOUT: [(&str, &str); 7] = [
    ("/api/v1/carriers/{name}/events", "a carrier's webhook: each event is kept once for what it says"),
    ("/api/v1/payments/stripe", "a provider's webhook: each payment has its own reference and is booked once"),
    ("/api/v1/payments/yookassa", "a provider's webhook: each payment has its own reference and is booked once"),
    ("/api/v1/sessions/{id}/photos", "the bytes are the key: the same photo gets the same id"),
    ("/api/v1/orders/find", "reads"),
    ("/api/v1/search", "reads"),
    ("/v1/embeddings", "computes"),
];

/// Every described way to write, as path and whether it documents the key.
async fn described() -> Vec<(String, bool)> {
    let document = TestApp::new().await.get("/openapi.json").await.json();
    let mut found = Vec::new();
    for (path, verbs) in document["paths"].as_object().unwrap() {
        for (verb, described) in verbs.as_object().unwrap() {
            if matches!(verb.as_str(), "post" | "put" | "patch" | "delete") {
                let parameters = described["parameters"].as_array().cloned().unwrap_or_default();
                found.push((path.clone(), parameters.iter().any(|one| one["name"] == "Idempotency-Key")));
            }
        }
    }
    found
}

#[tokio::test]
async fn whoever_writes_may_send_a_key_or_there_is_a_reason() {
    let described = described().await;
    assert!(described.len() >= 20, "{described:?}");
    for (path, keyed) in &described {
        let reason = WITHOUT.iter().find(|(known, _)| known == path);
        assert_eq!(reason.is_none(), *keyed, "{path}: {reason:?}");
    }
    let stale = WITHOUT.iter().filter(|(path, _)| !described.iter().any(|(known, _)| known == path));
    assert_eq!(stale.collect::<Vec<_>>(), Vec::<&(&str, &str)>::new());
}

async fn shop(store: StateStore, folder: &Path, now: fn() -> Timestamp) -> (Arc<App>, TestApp) {
    let settings = quick_config(folder);
    let front = ShopFront::load(&settings.paths.data);
    let mut app = app_keeping(settings, None, (front, store)).await;
    let inner = Arc::get_mut(&mut app).unwrap();
    inner.codes = Codes::over(&inner.config.identity.code, Some(Arc::new(Letters(folder.join("letters"))))).unwrap();
    inner.clock = now;
    (Arc::clone(&app), TestApp::over(app))
}

/// A request and its first answer.
struct Told {
    route: &'static str,
    path: String,
    body: String,
    key: String,
    streamed: bool,
    reply: Reply,
}

/// A client that sends everything under a key of its own.
struct Client {
    door: TestApp,
    told: Vec<Told>,
}

async fn post(door: &TestApp, told: (&str, &str, &str, bool)) -> Reply {
    let (path, body, key, streamed) = told;
    let mut headers = vec![("idempotency-key", key)];
    headers.extend(streamed.then_some(EVENTS));
    door.post(path, body.to_string(), &headers).await
}

/// What a stream said in the end, or the body as it came.
fn said(reply: &Reply) -> Value {
    if reply.header("content-type") != "text/event-stream" {
        return Value::String(reply.body.clone());
    }
    let events = reply.events();
    let told = |(name, data): &(String, Value)| match name.as_str() {
        "status" => None,
        "" => Some(data["choices"][0]["delta"]["content"].clone()),
        _ => Some(data.clone()),
    };
    Value::Array(events.iter().filter_map(told).collect())
}

impl Client {
    /// Sends it, sends it again, and sends something else under its key.
    async fn send(&mut self, (route, id): (&'static str, &str), body: &Value, streamed: bool) -> Value {
        let path = route.replace("{id}", id);
        let (body, key) = (body.to_string(), format!("key {} of {route}", self.told.len()));
        let reply = post(&self.door, (&path, &body, &key, streamed)).await;
        assert!(reply.status.is_success(), "{path}: {}", reply.body);
        assert_eq!(reply.header("idempotent-replay"), "", "{path}");
        let answer = serde_json::from_str(&reply.body).unwrap_or_default();
        self.told.push(Told { route, path, body, key, streamed, reply });
        let told = self.told.last().unwrap();
        told.again(&self.door).await;
        let other = post(&self.door, (&told.path, &format!("{} ", told.body), &told.key, streamed)).await;
        let code = other.json();
        let code = if route == COMPLETIONS { &code["error"]["code"] } else { &code["code"] };
        assert_eq!((other.status.as_u16(), code), (422, &json!("idempotency_key_reused")), "{route}");
        answer
    }

    async fn post(&mut self, route: &'static str, body: Value) -> Value {
        self.send((route, ""), &body, false).await
    }
}

impl Told {
    /// Is answered as it was at first.
    async fn again(&self, door: &TestApp) {
        let again = post(door, (&self.path, &self.body, &self.key, self.streamed)).await;
        assert_eq!(again.header("idempotent-replay"), "true", "{}: {}", self.path, again.body);
        assert_eq!(again.header("content-type"), self.reply.header("content-type"), "{}", self.path);
        assert_eq!((again.status, said(&again)), (self.reply.status, said(&self.reply)), "{}", self.path);
    }
}

#[tokio::test]
async fn whatever_is_written_under_a_key_is_answered_again_after_a_restart() {
    let folder = tempfile::tempdir().unwrap();
    let (app, door) = shop(state_in(folder.path()).await, folder.path(), clock).await;
    let mut client = Client { door, told: Vec::new() };
    let hello = client.post(CHAT, json!({"message": "operator", "locale": "en"})).await;
    let session = hello["session_id"].clone();
    client.send((CHAT, ""), &json!({"message": "menu", "locale": "sk"}), true).await;
    let completion = json!({"model": "truetill", "messages": [{"role": "user", "content": "menu"}]});
    client.post(COMPLETIONS, completion.clone()).await;
    let mut streamed = completion;
    streamed["stream"] = true.into();
    client.send((COMPLETIONS, ""), &streamed, true).await;

    let case = client.door.get("/api/v1/handover").await.json()["cases"][0].clone();
    let take = json!({"do": "take", "operator": "Eva"});
    client.send(("/api/v1/handover/{id}", case["id"].as_str().unwrap()), &take, false).await;
    client.post("/api/v1/feedback", json!({"session_id": session, "score": 4})).await;
    client.post("/api/v1/consent", json!({"customer": "C-1001", "topic": "marketing", "granted": true})).await;
    let patches = json!({"source": "erp", "patches": [{"sku": KETTLE, "stock": [{"count": 7}]}]});
    client.post("/api/v1/catalog/patches", patches).await;

    let order = app.orders.find("TT-10436").await.unwrap().unwrap();
    let back = json!({"do": "return_items", "order": order.number, "items": [order.items[1].sku]});
    let task = client.post("/api/v1/tasks", json!({"customer": order.customer, "operation": back})).await;
    let id = task["id"].as_str().unwrap().to_string();
    let done = client.send(("/api/v1/tasks/{id}", &id), &json!({"token": task["token"]}), false).await;
    assert_eq!(done["state"], "done", "{done}");
    client.send(("/api/v1/returns/{id}", "RMA-TT-10436"), &json!({"state": "received"}), false).await;

    let cart = client.post("/api/v1/cart", json!({"edit": {"do": "add", "sku": KETTLE, "quantity": 2}})).await;
    let place = json!({"session_id": cart["session_id"], "edit": {"do": "place", "town": "bratislava"}});
    client.post("/api/v1/cart", place).await;
    let buyer = json!({"name": "Eva Mala", "phone": "+421900000777", "email": "eva@example.sk",
        "address": {"line1": "Hlavna 1", "city": "Bratislava", "postcode": "81101"}});
    let checkout = client.post("/api/v1/checkout", json!({"session_id": cart["session_id"], "buyer": buyer})).await;
    let id = checkout["id"].as_str().unwrap_or_else(|| panic!("{checkout}")).to_string();
    let placed = client.send(("/api/v1/checkout/{id}", &id), &json!({"token": checkout["token"]}), false).await;
    let paid = json!({"order": placed["order"], "amount": "79.80", "currency": "EUR"});
    assert_eq!(client.post("/api/v1/payments/link", paid).await["result"], "paid");

    let asked = client.post("/api/v1/codes", json!({"phone": PHONE})).await;
    let code = newest(folder.path(), 0).await;
    assert_eq!(letters(folder.path()).len(), 1, "asked three times, sent once");
    client.post("/api/v1/codes/check", json!({"session_id": asked["session_id"], "code": code})).await;

    let sent_routes: BTreeSet<String> = client.told.iter().map(|told| told.route.to_string()).collect();
    let keyed = described().await.into_iter().filter(|(_, keyed)| *keyed).map(|(path, _)| path);
    assert_eq!(sent_routes, keyed.collect(), "every route with a key is asked here");
    let counted = async |app: &App| (app.state.events().await.unwrap(), app.state.latest(100).await.unwrap().len());
    let before = counted(&app).await;
    let Client { told, door } = client;
    drop((app, door));
    let (app, door) = shop(state_in(folder.path()).await, folder.path(), clock).await;
    for told in &told {
        told.again(&door).await;
    }
    assert_eq!(counted(&app).await, before, "nothing was done twice");
    assert_eq!(letters(folder.path()).len(), 1);
}

#[tokio::test]
async fn keys_of_customers_and_shoppers_are_their_own() {
    let folder = tempfile::tempdir().unwrap();
    let (_, door) = shop(state_in(folder.path()).await, folder.path(), clock).await;
    let ask = async |shopper: &str| {
        let headers = [("idempotency-key", "1"), ("x-shopper", shopper)];
        let reply = door.post(CHAT, r#"{"message":"menu"}"#, &headers).await;
        (reply.json()["session_id"].clone(), reply.header("idempotent-replay") == "true")
    };
    let (first, second, again) = (ask("a").await, ask("b").await, ask("a").await);
    assert!(!first.1 && !second.1 && again.1);
    assert!(first.0 != second.0 && first.0 == again.0);
}

/// Everything the state's files hold, where it is a file.
fn written(folder: &Path) -> Vec<u8> {
    let read = |name: &str| std::fs::read(folder.join(name)).unwrap_or_default();
    [read("truetill.db"), read("truetill.db-wal")].concat()
}

#[tokio::test]
async fn a_key_and_a_code_typed_under_it_stand_nowhere_in_the_state() {
    let folder = tempfile::tempdir().unwrap();
    let (_, door) = shop(state_in(folder.path()).await, folder.path(), clock).await;
    let key = "0c8f6a0e-5a43-4b5e-9d7e-2f6f7f0b9c11";
    let asked = post(&door, ("/api/v1/codes", &json!({"phone": PHONE}).to_string(), "another key", false)).await.json();
    let code = newest(folder.path(), 0).await.unwrap();
    let wrong = if code == "111111" { "222222" } else { "111111" };
    let check = |code: &str| json!({"session_id": asked["session_id"], "code": code}).to_string();
    let tried = post(&door, ("/api/v1/codes/check", &check(wrong), key, false)).await;
    assert_eq!(tried.status, 422, "a refusal frees its key: {}", tried.body);
    let proved = post(&door, ("/api/v1/codes/check", &check(&code), key, false)).await;
    let again = post(&door, ("/api/v1/codes/check", &check(&code), key, false)).await;
    assert_eq!((proved.status.as_u16(), &proved.body, again.status.as_u16()), (200, &again.body, 200));
    let state = written(folder.path());
    for secret in [key, &format!("\"{code}\""), &check(&code)] {
        assert!(!state.windows(secret.len()).any(|part| part == secret.as_bytes()), "{secret} is written down");
    }
}

async fn a_moment() {
    for _ in 0..3 {
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn a_client_that_leaves_frees_its_key() {
    let folder = tempfile::tempdir().unwrap();
    let (_, door) = shop(state_in(folder.path()).await, folder.path(), clock).await;
    for streamed in [false, true] {
        let key = format!("left {streamed}");
        let asking = post(&door, (CHAT, r#"{"message":"menu"}"#, &key, streamed));
        // Long enough to begin, too short to be answered: whichever it is, the key works afterwards.
        tokio::select! {
            biased;
            _ = asking => {}
            () = a_moment() => {}
        }
        let reply = loop {
            let reply = post(&door, (CHAT, r#"{"message":"menu"}"#, &key, false)).await;
            if reply.status != 409 {
                break reply;
            }
            tokio::task::yield_now().await;
        };
        assert_eq!(reply.status, 200, "{}", reply.body);
    }
}

const ADD: &str = "add the black Volna electric kettle 1.7 l to my cart";
const KEY: &str = "the key of a client that does not give up";

fn keyed_chat() -> Request<Body> {
    let body = json!({"message": ADD, "locale": "en", "customer": "C-1001"}).to_string();
    let request = Request::post(CHAT).header("content-type", "application/json").header("idempotency-key", KEY);
    request.body(body.into()).unwrap()
}

#[tokio::test]
async fn child() {
    let Some((folder, _, at)) = told_to_die() else { return };
    let (_, door) = shop(dying(state_in(&folder).await, at), &folder, clock).await;
    assert_eq!(door.send(keyed_chat()).await.status, 200);
}

/// Past the longest wait and the longest turn.
fn later() -> Timestamp {
    clock() + SignedDuration::from_mins(10)
}

/// Lets the child die at a write; whoever asks again at once is told to wait or answered, whoever asks later is answered.
async fn answered_though_killed(at: usize) -> bool {
    let folder = tempfile::tempdir().unwrap();
    drop(state_in(folder.path()).await);
    let died = died("idempotency::child", folder.path(), (0, at));
    let (_, door) = shop(state_in(folder.path()).await, folder.path(), clock).await;
    let at_once = door.send(keyed_chat()).await;
    assert!([200, 409].contains(&at_once.status.as_u16()), "step {at}: {}", at_once.body);
    let (app, door) = shop(state_in(folder.path()).await, folder.path(), later).await;
    let reply = door.send(keyed_chat()).await;
    assert_eq!(reply.status, 200, "step {at}: {}", reply.body);
    let again = door.send(keyed_chat()).await;
    assert_eq!((again.header("idempotent-replay"), &again.body), ("true", &reply.body), "step {at}");
    let cart = Carts::cart(&app.state, "customer:C-1001").await.unwrap().value;
    assert_eq!(cart.lines.iter().map(|line| line.quantity).sum::<u32>(), 1, "step {at}: {cart:?}");
    died
}

#[tokio::test]
async fn a_process_killed_under_a_key_does_not_lock_it() {
    let mut deaths = 0;
    while answered_though_killed(deaths + 1).await {
        deaths += 1;
    }
    assert!(deaths >= 6, "only {deaths} writes were seen");
    eprintln!("idempotency: killed before and after each of {} writes, the key was answered each time", deaths / 2);
}
