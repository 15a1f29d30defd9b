//! What carriers tell: believed only from them, kept once, told in the chat as facts; and carriers that are asked, played by a small
//! server in this process.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::body::to_bytes;
use axum::extract::{Request, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use tokio::net::TcpListener;
use truetill::app::App;
use truetill::config::{CarrierKeys, Config, Secret};
use truetill::domain::order::OrderState;
use truetill::domain::shipment::ParcelState;
use truetill::store::{OrderBook, StateStore};
use truetill::tracking::{self, Round};

use crate::cluster::{state, state_in};
use crate::common::{TestApp, app, app_keeping, clock, config};
use crate::fakes::ShopFront;
use crate::outreach::shop_with;

/// Settings under which packeta signs with `s`, and cdek comes with the key `k` and is asked at `base`.
pub fn settings(base: &str) -> Config {
    let keys = |webhook: &str, account: &str| CarrierKeys {
        webhook_secret: Secret(webhook.to_string()),
        account: account.to_string(),
        secret: Secret("pass".to_string()),
        base: base.to_string(),
    };
    let mut config = config();
    config.carriers.insert("packeta".to_string(), keys("s", ""));
    config.carriers.insert("cdek".to_string(), keys("k", if base.is_empty() { "" } else { "account" }));
    config
}

/// HMAC-SHA256 by its definition, for the tests alone.
fn hmac(key: &[u8], body: &[u8]) -> String {
    let mut block = [0_u8; 64];
    block[..key.len()].copy_from_slice(key);
    let pad = |with: u8| block.map(|byte| byte ^ with);
    let inner = Sha256::new().chain_update(pad(0x36)).chain_update(body).finalize();
    hex::encode(Sha256::new().chain_update(pad(0x5c)).chain_update(inner).finalize())
}

/// One event of packeta.
pub fn parcel(id: &str, status: &str, at: &str) -> Value {
    json!({"id": id, "parcel": "Z4020273544", "status": status, "at": at})
}

/// Posts events of packeta, signed.
pub async fn post(door: &TestApp, events: &[Value]) -> Value {
    let body = json!({"events": events}).to_string();
    let tag = hmac(b"s", body.as_bytes());
    let reply = door.post("/api/v1/carriers/packeta/events", body, &[("x-carrier-signature", &tag)]).await;
    assert_eq!(reply.status, 200, "{}", reply.body);
    reply.json()["results"].clone()
}

fn cdek(number: &str, order: &str, code: &str, at: &str) -> String {
    json!({"type": "ORDER_STATUS", "date_time": at, "uuid": "72753031-0000-4000-8000-000000000000", "attributes": {
        "is_return": false, "cdek_number": number, "number": order, "code": code, "status_date_time": at,
        "city_name": "Екатеринбург", "city_code": "250"}})
    .to_string()
}

/// What the chat says of an order.
async fn told(door: &TestApp, locale: &str, (number, email): (&str, &str)) -> String {
    let body = json!({"message": format!("{number} {email}"), "locale": locale}).to_string();
    let reply = door.post("/api/v1/chat", body, &[]).await.json();
    assert_eq!(reply["check"]["rejected"], json!([]), "{reply}");
    reply["reply"]["text"].as_str().unwrap().replace('\u{a0}', " ")
}

async fn order(app: &App, number: &str) -> truetill::domain::order::Order {
    app.orders.find(number).await.unwrap().unwrap()
}

const JAN: (&str, &str) = ("where is my order TT-10431", "jan.dvorak@example.cz");

#[tokio::test]
async fn the_newest_word_is_told_with_its_day_place_and_promise() {
    let app = app(settings(""), None).await;
    let door = TestApp::over(Arc::clone(&app));
    let before = app.state.events().await.unwrap();
    let mut moving = parcel("1", "In transit", "2026-11-22T08:00:00Z");
    moving["place"] = "Brno, depo 5".into();
    moving["promised"] = "2026-11-26".into();
    assert_eq!(post(&door, &[moving.clone()]).await, json!({"moved": 1}));
    let text = told(&door, "en", JAN).await;
    for part in [
        "on its way with Packeta, parcel Z4020273544. Expected delivery: 26 November",
        "first promised for 12 November",
        "Latest news from the carrier: 22 November, Brno, depo 5.",
        "https://tracking.packeta.com/en/?id=Z4020273544",
    ] {
        assert!(text.contains(part), "`{part}` is missing in: {text}");
    }
    assert!(!text.contains("longer than promised"), "the newest promise is not over: {text}");
    // Told again, and late: nothing moves.
    assert_eq!(
        post(&door, &[moving, parcel("0", "accepted", "2026-11-20T08:00:00Z")]).await,
        json!({"before": 1, "older": 1})
    );
    assert_eq!(order(&app, "TT-10431").await.parcel.unwrap().state, ParcelState::InTransit);
    let later = [
        parcel("2", "ready for pickup", "2026-11-22T18:00:00Z"),
        parcel("3", "out for delivery", "2026-11-22T16:00:00Z"),
    ];
    assert_eq!(post(&door, &later).await, json!({"moved": 1, "older": 1}));
    assert!(told(&door, "en", JAN).await.contains("ready for collection"));
    assert_eq!(post(&door, &[parcel("4", "delivered", "2026-11-23T08:30:00Z")]).await, json!({"moved": 1}));
    assert!(told(&door, "en", JAN).await.contains("was delivered on 23 November"));
    let order = order(&app, "TT-10431").await;
    assert_eq!((order.state, order.delivered.unwrap().to_string().as_str()), (OrderState::Delivered, "2026-11-23"));
    assert_eq!(app.state.events().await.unwrap(), before + 3, "one event for each move");
}

#[tokio::test]
async fn every_state_is_told_in_every_language() {
    let words =
        ["registered", "accepted", "in transit", "not at home", "out for delivery", "ready for pickup", "returning"];
    for locale in ["en", "ru", "sk", "zh"] {
        let door = TestApp::with(settings("")).await;
        let mut seen = Vec::new();
        for (hour, word) in words.iter().enumerate() {
            let mut event = parcel(word, word, &format!("2026-11-22T{:02}:00:00Z", 8 + hour));
            event["place"] = "Brno".into();
            post(&door, &[event]).await;
            let text = told(&door, locale, JAN).await;
            assert!(text.contains("Brno") && !seen.contains(&text), "{word}: {text}");
            seen.push(text);
        }
    }
}

#[tokio::test]
async fn nobody_else_is_believed() {
    let door = TestApp::with(settings("")).await;
    let body = json!({"events": [parcel("1", "delivered", "2026-11-22T08:00:00Z")]}).to_string();
    let tag = hmac(b"s", body.as_bytes());
    let status = async |path: &str, body: &str, headers: &[(&str, &str)]| {
        let reply = door.post(&format!("/api/v1/carriers/{path}"), body.to_string(), headers).await;
        (reply.status.as_u16(), reply.json()["code"].as_str().unwrap_or_default().to_string())
    };
    let refused = (401, "carrier_refused".to_string());
    assert_eq!(status("packeta/events", &body, &[]).await, refused);
    assert_eq!(
        status("packeta/events", &body, &[("x-carrier-signature", &hmac(b"t", body.as_bytes()))]).await,
        refused
    );
    assert_eq!(
        status("packeta/events", &body.replace("8:00", "9:00"), &[("x-carrier-signature", &tag)]).await,
        refused
    );
    assert_eq!(status("packeta/events?key=s", &body, &[]).await, refused, "who signs must sign");
    assert_eq!(status("nobody/events", &body, &[("x-carrier-signature", &tag)]).await, refused);
    // DPD has rules and no secret.
    assert_eq!(status("dpd/events?key=", "[]", &[]).await, refused);
    let moved = cdek("1540115518", "", "TAKEN_BY_COURIER", "2026-11-22T08:00:00+0000");
    assert_eq!(status("cdek/events", &moved, &[]).await, refused);
    assert_eq!(status("cdek/events?key=K", &moved, &[]).await, refused);
    assert_eq!(status("cdek/events?key=k", &moved, &[]).await.0, 200);
    assert_eq!(status("cdek/events", &moved, &[("authorization", "Bearer k")]).await.0, 200);
    assert_eq!(
        status("cdek/events?key=k", "{\"type\":\"ORDER_STATUS\"}", &[]).await,
        (422, "carrier_unreadable".to_string())
    );
    assert_eq!(status("cdek/events?key=k", "[1", &[]).await, (422, "carrier_unreadable".to_string()));
    assert_eq!(status("cdek/events?key=k", &"x".repeat(70_000), &[]).await.0, 413);
    let text = told(&door, "ru", ("где мой заказ TT-10432", "ekaterina.orlova@example.ru")).await;
    assert!(text.contains("у курьера") && text.contains("22 ноября, Екатеринбург"), "{text}");
}

#[tokio::test]
async fn what_is_not_known_is_kept_by_name_and_never_told() {
    let app = app(settings(""), None).await;
    let door = TestApp::over(Arc::clone(&app));
    let mut stranger = parcel("9", "delivered", "2026-11-22T08:00:00Z");
    stranger["parcel"] = "Z0000000001".into();
    let odd = parcel("8", "teleported", "2026-11-22T09:00:00Z");
    let ahead = parcel("7", "delivered", "2027-11-22T09:00:00Z");
    let all = [stranger.clone(), odd.clone(), ahead];
    assert_eq!(post(&door, &all).await, json!({"unknown_parcel": 1, "unknown_word": 1, "ahead": 1}));
    assert_eq!(post(&door, &[stranger, odd]).await, json!({"unknown_parcel": 1, "before": 1}), "no error loop");
    let text = told(&door, "en", JAN).await;
    assert!(!text.contains("delivered") && !text.contains("news"), "{text}");
    let seen = door.get("/api/v1/carriers").await.json();
    let findings: Vec<&str> =
        seen["findings"].as_array().unwrap().iter().map(|one| one["result"].as_str().unwrap()).collect();
    assert_eq!(findings.len(), 3, "{seen}");
    assert!(["unknown_parcel", "unknown_word", "ahead"].iter().all(|name| findings.contains(name)), "{seen}");
    // An order that names the parcel comes later: its word is taken up.
    let folder = tempfile::tempdir().unwrap();
    let line = std::fs::read_to_string(config().paths.data.join("orders/orders.jsonl")).unwrap();
    let line = line.lines().find(|line| line.contains("TT-10431")).unwrap();
    let line = line.replace("TT-10431", "TT-90001").replace("Z4020273544", "Z 0000 000 001");
    std::fs::write(folder.path().join("orders.jsonl"), line).unwrap();
    app.state.take_orders(&OrderBook::load(folder.path()).unwrap()).await.unwrap();
    assert_eq!(tracking::tick(&app, clock()).await.unwrap().moved, 1);
    assert_eq!(order(&app, "TT-90001").await.state, OrderState::Delivered);
    assert_eq!(tracking::tick(&app, clock()).await.unwrap(), Round::default());
}

#[tokio::test]
async fn a_parcel_that_names_its_order_becomes_its_parcel() {
    let app = app(settings(""), None).await;
    let door = TestApp::over(Arc::clone(&app));
    let send =
        async |body: String| door.post("/api/v1/carriers/cdek/events?key=k", body, &[]).await.json()["results"].clone();
    let at = "2026-11-22T08:00:00+0000";
    assert_eq!(send(cdek("1999", "TT-10451", "RECEIVED_AT_SHIPMENT_WAREHOUSE", at)).await, json!({"moved": 1}));
    let found = order(&app, "TT-10451").await;
    assert_eq!(
        (found.state, found.carrier.as_deref(), found.tracking.as_deref()),
        (OrderState::Shipped, Some("СДЭК"), Some("1999"))
    );
    // Another parcel that names the same order is not guessed about, and neither is one of an order with a parcel of its own.
    assert_eq!(send(cdek("2000", "TT-10451", "DELIVERED", at)).await, json!({"unknown_parcel": 1}));
    assert_eq!(send(cdek("2001", "TT-10432", "DELIVERED", at)).await, json!({"unknown_parcel": 1}));
    // What has left cannot be cancelled any more, though the shop's own data still says that it is being packed.
    let text = told(&door, "ru", ("отмените заказ TT-10451", "alexey.zaytsev@example.ru")).await;
    assert!(text.contains("отменить уже нельзя"), "{text}");
}

#[tokio::test]
async fn late_is_what_the_newest_promise_says() {
    let (app, bag) = shop_with(settings("")).await;
    let door = TestApp::over(Arc::clone(&app));
    let mut event = parcel("1", "in transit", "2026-11-21T08:00:00Z");
    event["promised"] = "2026-11-24".into();
    post(&door, &[event]).await;
    let late = async |now: Timestamp| {
        truetill::outreach::round(&app, now).await.unwrap();
        let all = bag.messages("late_order");
        all.iter().any(|message| message["text"].as_str().unwrap().contains("TT-10431"))
    };
    assert!(!late(clock()).await, "it was put off to Tuesday");
    assert!(late(clock() + SignedDuration::from_hours(48)).await, "on Wednesday it is late");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_the_same_word_at_the_same_moment_one_moves() {
    let folder = tempfile::tempdir().unwrap();
    let mut doors = Vec::new();
    for _ in 0..2 {
        let front = ShopFront::load(&config().paths.data);
        doors.push(TestApp::over(app_keeping(settings(""), None, (front, state_in(folder.path()).await)).await));
    }
    let word = [parcel("1", "in transit", "2026-11-22T08:00:00Z")];
    let (a, b, c, d) =
        tokio::join!(post(&doors[0], &word), post(&doors[1], &word), post(&doors[0], &word), post(&doors[1], &word));
    let moved = [&a, &b, &c, &d].iter().filter(|results| results["moved"] == 1).count();
    assert_eq!(moved, 1, "{a} {b} {c} {d}");
}

/// CDEK as its documents describe it: tokens that end, orders by number.
#[derive(Clone, Default)]
struct Cdek {
    seen: Arc<Mutex<Seen>>,
}

#[derive(Default)]
struct Seen {
    lines: Vec<String>,
    tokens: usize,
    broken: bool,
    orders: HashMap<String, Value>,
}

async fn play(State(cdek): State<Cdek>, request: Request) -> Response {
    let (parts, body) = request.into_parts();
    let body = String::from_utf8(to_bytes(body, 1 << 16).await.unwrap().to_vec()).unwrap();
    let mut seen = cdek.seen.lock().unwrap();
    seen.lines.push(format!("{} {}", parts.method, parts.uri));
    if seen.broken {
        return (StatusCode::BAD_GATEWAY, "<html>").into_response();
    }
    if parts.uri.path() == "/v2/oauth/token" {
        assert_eq!(body, "grant_type=client_credentials&client_id=account&client_secret=pass");
        seen.tokens += 1;
        return axum::Json(
            json!({"access_token": format!("t{}", seen.tokens), "token_type": "bearer", "expires_in": 3599}),
        )
        .into_response();
    }
    let bearer = parts.headers.get("authorization").map_or("", |value| value.to_str().unwrap());
    if bearer != format!("Bearer t{}", seen.tokens) {
        return (StatusCode::UNAUTHORIZED, axum::Json(json!({}))).into_response();
    }
    let number = parts.uri.query().and_then(|query| query.strip_prefix("cdek_number=")).unwrap_or_default();
    match seen.orders.get(number) {
        Some(order) => axum::Json(json!({"entity": order})).into_response(),
        None => (StatusCode::BAD_REQUEST, axum::Json(json!({"requests": []}))).into_response(),
    }
}

impl Cdek {
    async fn start() -> (Cdek, String) {
        let cdek = Cdek::default();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let base = format!("http://{}", listener.local_addr().unwrap());
        let router = Router::new().fallback(play).with_state(cdek.clone());
        tokio::spawn(async move { axum::serve(listener, router).await });
        (cdek, base)
    }

    fn knows(&self, number: &str, statuses: &[(&str, &str)], planned: &str) {
        let statuses: Vec<Value> =
            statuses.iter().map(|(code, at)| json!({"code": code, "date_time": at, "city": "Москва"})).collect();
        let order =
            json!({"cdek_number": number, "is_return": false, "planned_delivery_date": planned, "statuses": statuses});
        self.seen.lock().unwrap().orders.insert(number.to_string(), order);
    }

    /// The numbers that were asked for since the last look.
    fn asked(&self) -> Vec<String> {
        let mut seen = self.seen.lock().unwrap();
        let lines = std::mem::take(&mut seen.lines);
        let mut asked: Vec<String> =
            lines.iter().filter_map(|line| Some(line.split_once("cdek_number=")?.1.to_string())).collect();
        asked.sort();
        asked
    }
}

/// Parcels of CDEK that are under way in the demo shop.
const UNDER_WAY: usize = 7;

async fn asking(base: &str, state: StateStore) -> Arc<App> {
    app_keeping(settings(base), None, (ShopFront::load(&config().paths.data), state)).await
}

#[tokio::test]
async fn a_carrier_is_asked_for_what_is_under_way_and_not_again_too_soon() {
    let (cdek, base) = Cdek::start().await;
    let state = state().await;
    let app = asking(&base, state.clone()).await;
    let moving = [("TAKEN_BY_COURIER", "2026-11-22T09:30:00+0300"), ("CREATED", "2026-11-20T09:30:00+0300")];
    cdek.knows("1540115518", &moving, "2026-11-25");
    let round = tracking::tick(&app, clock()).await.unwrap();
    let asked = cdek.asked();
    assert_eq!((round.asked, round.moved, round.unknown), (1, 2, UNDER_WAY - 1), "{asked:?}");
    assert_eq!((asked.len(), cdek.seen.lock().unwrap().tokens), (UNDER_WAY, 1), "one token for all: {asked:?}");
    let found = order(&app, "TT-10432").await;
    assert_eq!(
        (found.expected().unwrap().to_string().as_str(), found.parcel.unwrap().state),
        ("2026-11-25", ParcelState::OutForDelivery)
    );
    // Another process over the same state knows when each was asked about.
    let again = asking(&base, state).await;
    tracking::tick(&again, clock() + SignedDuration::from_mins(30)).await.unwrap();
    assert_eq!(cdek.asked(), Vec::<String>::new());
    // An hour later the known one, and not yet those CDEK did not know. The token has ended meanwhile.
    cdek.seen.lock().unwrap().tokens += 1;
    cdek.knows("1540115518", &[("DELIVERED", "2026-11-23T12:00:00+0300")], "2026-11-25");
    let hour = clock() + SignedDuration::from_mins(61);
    let round = tracking::tick(&app, hour).await.unwrap();
    assert_eq!((round.asked, round.moved), (1, 1), "{round:?}");
    assert!(cdek.asked().iter().all(|number| number == "1540115518"));
    assert_eq!(order(&app, "TT-10432").await.state, OrderState::Delivered);
    // What arrived is never asked about again.
    tracking::tick(&app, hour + SignedDuration::from_hours(100)).await.unwrap();
    assert!(!cdek.asked().contains(&"1540115518".to_string()));
}

#[tokio::test]
async fn a_carrier_that_does_not_answer_is_left_alone_and_tried_again() {
    let (cdek, base) = Cdek::start().await;
    let app = asking(&base, state().await).await;
    cdek.seen.lock().unwrap().broken = true;
    let round = tracking::tick(&app, clock()).await.unwrap();
    assert_eq!((round.failed, round.asked), (3, 0), "after three it rests: {round:?}");
    let calls = |cdek: &Cdek| std::mem::take(&mut cdek.seen.lock().unwrap().lines).len();
    assert_eq!(calls(&cdek), 3);
    let seen = TestApp::over(Arc::clone(&app)).get("/api/v1/carriers").await.json();
    assert_eq!(seen["carriers"][0]["rests_until"], "2026-11-23T09:05:00Z", "{seen}");
    tracking::tick(&app, clock() + SignedDuration::from_mins(4)).await.unwrap();
    assert_eq!(calls(&cdek), 0);
    // One question finds out that it is still down; it rests for longer.
    let round = tracking::tick(&app, clock() + SignedDuration::from_mins(5)).await.unwrap();
    assert_eq!((round.failed, calls(&cdek)), (1, 1));
    cdek.seen.lock().unwrap().broken = false;
    let round = tracking::tick(&app, clock() + SignedDuration::from_mins(70)).await.unwrap();
    assert_eq!((round.failed, round.unknown), (0, UNDER_WAY), "{round:?}");
}
