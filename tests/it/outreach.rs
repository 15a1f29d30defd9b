//! Messages the shop starts: nobody is written to without a yes, at night, too often, or about what no longer holds.

use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};
use truetill::app::App;
use truetill::courier::{Courier, Parcel};
use truetill::domain::Language;
use truetill::domain::outreach::{Cap, Contact, Kind, Outgoing, Stage, Subject};
use truetill::outreach::{self, Round};
use truetill::store::StateStore;
use truetill::store::outreach::{Caps, Decided};

use crate::cluster::state;
use crate::common::{TestApp, app_keeping, clock, config};
use crate::fakes::ShopFront;

/// Keeps what it is given; while it is closed it takes nothing.
#[derive(Default)]
pub struct Bag {
    pub parcels: Mutex<Vec<Parcel>>,
    pub closed: Mutex<bool>,
}

#[async_trait]
impl Courier for Bag {
    async fn carry(&self, parcel: &Parcel, _: Timestamp) -> anyhow::Result<()> {
        anyhow::ensure!(!*self.closed.lock().unwrap(), "closed");
        self.parcels.lock().unwrap().push(parcel.clone());
        Ok(())
    }
}

impl Bag {
    /// The messages of a kind.
    pub fn messages(&self, kind: &str) -> Vec<Value> {
        let parcels = self.parcels.lock().unwrap();
        let bodies = parcels.iter().map(|parcel| serde_json::from_str::<Value>(&parcel.body).unwrap());
        bodies.filter(|body| body["event"] == "message" && body["kind"] == kind).collect()
    }
}

/// An assistant with a bag at its door, over a state that may outlive it.
pub async fn shop(front: ShopFront, state: StateStore) -> (Arc<App>, Arc<Bag>) {
    let bag = Arc::new(Bag::default());
    let mut app = app_keeping(config(), None, (front, state)).await;
    Arc::get_mut(&mut app).unwrap().courier = Some(Arc::clone(&bag) as Arc<dyn Courier>);
    (app, bag)
}

/// The same with other settings, over a state of its own.
pub async fn shop_with(settings: truetill::config::Config) -> (Arc<App>, Arc<Bag>) {
    let bag = Arc::new(Bag::default());
    let mut app = app_keeping(settings, None, (front(), state().await)).await;
    Arc::get_mut(&mut app).unwrap().courier = Some(Arc::clone(&bag) as Arc<dyn Courier>);
    (app, bag)
}

fn front() -> ShopFront {
    ShopFront::load(&config().paths.data)
}

async fn fresh() -> (Arc<App>, Arc<Bag>) {
    shop(front(), state().await).await
}

fn text(message: &Value) -> &str {
    message["text"].as_str().unwrap_or_else(|| panic!("{message}"))
}

async fn consent(door: &TestApp, body: Value) -> Value {
    let reply = door.post("/api/v1/consent", body.to_string(), &[]).await;
    assert_eq!(reply.status, 200, "{}", reply.body);
    reply.json()
}

/// Ten in the morning of the shop, the day after carts were filled.
fn tomorrow() -> Timestamp {
    let now = Timestamp::now().in_tz("Europe/Bratislava").unwrap();
    now.date().tomorrow().unwrap().at(10, 0, 0, 0).in_tz("Europe/Bratislava").unwrap().timestamp()
}

/// Mugs and a kettle in the cart of a customer.
async fn fill(door: &TestApp, customer: &str) {
    for sku in ["KT-101-SLV", "MG-105"] {
        let body = json!({"customer": customer, "edit": {"do": "add", "sku": sku}});
        let reply = door.post("/api/v1/cart", body.to_string(), &[]).await;
        assert_eq!(reply.status, 200, "{}", reply.body);
    }
}

async fn stage(app: &App, kind: Kind) -> Vec<(Stage, Option<String>)> {
    let wanted = truetill::store::outreach::Listed { person: None, kind: Some(kind), limit: 100 };
    let all = app.state.outgoing_listed(&wanted).await.unwrap();
    let why = |message: &Outgoing| message.why.map(|why| serde_json::to_value(why).unwrap().as_str().unwrap().into());
    all.iter().map(|message| (message.stage, why(message))).collect()
}

#[tokio::test]
async fn late_orders_are_told_once_in_their_buyers_language() {
    let (app, bag) = fresh().await;
    let round = outreach::round(&app, clock()).await.unwrap();
    assert_eq!((round.decided, round.carried, round.failed), (5, 5, 0), "{round:?}");
    let late = bag.messages("late_order");
    let of = |number: &str| late.iter().find(|message| text(message).contains(number)).unwrap();
    assert_eq!(of("TT-10443")["language"], "sk");
    assert!(text(of("TT-10443")).contains("oneskorila") && text(of("TT-10443")).contains("STOP"));
    assert_eq!(of("TT-10434")["language"], "ru");
    assert!(of("TT-10430")["to"]["email"].as_str().unwrap().contains('@'));
    let again = outreach::round(&app, clock() + SignedDuration::from_hours(24)).await.unwrap();
    // The orders of the Monday are late on Tuesday; the others were told.
    assert_eq!(bag.messages("late_order").len(), 5 + again.decided);
    assert!(
        !text(&late[0]).is_empty() && stage(&app, Kind::LateOrder).await.iter().all(|(stage, _)| *stage == Stage::Sent)
    );
}

#[tokio::test]
async fn a_cart_is_spoken_of_after_a_yes_at_todays_prices_with_a_real_promotion() {
    let (app, bag) = fresh().await;
    let door = TestApp::over(Arc::clone(&app));
    fill(&door, "C-1005").await;
    outreach::round(&app, tomorrow()).await.unwrap();
    assert!(bag.messages("abandoned_cart").is_empty(), "nobody said yes");
    consent(&door, json!({"customer": "C-1005", "topic": "marketing", "granted": true, "language": "en"})).await;
    outreach::round(&app, tomorrow()).await.unwrap();
    outreach::round(&app, tomorrow()).await.unwrap();
    let told = bag.messages("abandoned_cart");
    assert_eq!(told.len(), 1, "{told:?}");
    let said = text(&told[0]);
    assert!(said.contains("Volna electric kettle 1.7 l (silver), 1 piece: €39.90"), "{said}");
    assert!(said.contains("Promo code VITAJTE5 takes €5.00 off") && said.contains("STOP"), "{said}");
    assert_eq!((&told[0]["promotion"], &told[0]["customer"]), (&json!("VITAJTE5"), &json!("C-1005")));
    // What was sent can be read again, without the address.
    let list = door.get("/api/v1/messages?customer=C-1005&kind=abandoned_cart").await.json();
    assert_eq!((&list["messages"][0]["stage"], &list["messages"][0]["text"]), (&json!("sent"), &told[0]["text"]));
    assert!(!list.to_string().contains("example.com") && list["messages"].as_array().unwrap().len() == 1, "{list}");
}

#[tokio::test]
async fn a_promotion_is_offered_only_where_the_margin_is_known_and_bears_it() {
    for (kettles, mugs, offered) in [(30, 35, true), (12, 35, false), (30, 0, false)] {
        let (mut app, bag) = fresh().await;
        let rules = &mut Arc::get_mut(&mut app).unwrap().message_rules;
        rules.margin.category = [("kettles".to_string(), kettles), ("mugs".to_string(), mugs)].into();
        if mugs == 0 {
            rules.margin.category.remove("mugs");
        }
        let door = TestApp::over(Arc::clone(&app));
        fill(&door, "C-1005").await;
        consent(&door, json!({"customer": "C-1005", "topic": "marketing", "granted": true})).await;
        outreach::round(&app, tomorrow()).await.unwrap();
        let told = bag.messages("abandoned_cart");
        assert_eq!(told[0]["promotion"].is_string(), offered, "{kettles} {mugs}: {}", told[0]);
        assert_eq!(text(&told[0]).contains("VITAJTE5"), offered);
    }
}

#[tokio::test]
async fn what_changed_between_decision_and_delivery_is_not_said() {
    let revoke = json!({"customer": "C-1005", "topic": "marketing", "granted": false});
    let clear = json!({"customer": "C-1005", "edit": {"do": "clear"}});
    let more = json!({"customer": "C-1005", "edit": {"do": "add", "sku": "KT-101-SLV"}});
    for (path, body, why) in
        [("/api/v1/consent", revoke, "revoked"), ("/api/v1/cart", clear, "bought"), ("/api/v1/cart", more, "changed")]
    {
        let (app, bag) = fresh().await;
        let door = TestApp::over(Arc::clone(&app));
        fill(&door, "C-1005").await;
        consent(&door, json!({"customer": "C-1005", "topic": "marketing", "granted": true})).await;
        outreach::decide(&app, tomorrow()).await.unwrap();
        assert_eq!(stage(&app, Kind::AbandonedCart).await, [(Stage::Decided, None)]);
        assert_eq!(door.post(path, body.to_string(), &[]).await.status, 200);
        outreach::carry(&app, tomorrow(), &mut Round::default()).await.unwrap();
        assert_eq!(stage(&app, Kind::AbandonedCart).await, [(Stage::Withdrawn, Some(why.to_string()))]);
        assert!(bag.messages("abandoned_cart").is_empty(), "{why}");
    }
}

async fn waits_for_tea(door: &TestApp) {
    let ask =
        json!({"message": "let me know when the Tatry herbal tea 50 g is available, anna@example.com", "locale": "en"});
    let gone = door.post("/api/v1/chat", ask.to_string(), &[]).await.json();
    let yes = json!({"message": "yes please", "session_id": gone["session_id"]});
    let kept = door.post("/api/v1/chat", yes.to_string(), &[]).await.json();
    assert!(kept["reply"]["text"].as_str().unwrap().contains("we will let you know"), "{kept}");
}

#[tokio::test]
async fn what_is_back_is_told_once_and_only_while_it_is_there() {
    let book = state().await;
    let (app, bag) = shop(front(), book.clone()).await;
    let door = TestApp::over(Arc::clone(&app));
    waits_for_tea(&door).await;
    waits_for_tea(&door).await;
    assert_eq!(app.state.wanted(10).await.unwrap().len(), 1, "one wish waits once");
    outreach::round(&app, clock()).await.unwrap();
    assert!(bag.messages("restock").is_empty(), "still sold out");
    // It comes back, a message is decided, and it is gone again before that goes.
    let (app, _) = shop(front().stocked("CT-108", 2), book.clone()).await;
    outreach::decide(&app, clock()).await.unwrap();
    let (app, bag) = shop(front(), book.clone()).await;
    outreach::round(&app, clock()).await.unwrap();
    assert_eq!(stage(&app, Kind::Restock).await, [(Stage::Withdrawn, Some("sold_out".to_string()))]);
    assert!(bag.messages("restock").is_empty());
    // It comes back for good.
    let (app, bag) = shop(front().stocked("CT-108", 2), book.clone()).await;
    outreach::round(&app, clock()).await.unwrap();
    outreach::round(&app, clock()).await.unwrap();
    let told = bag.messages("restock");
    assert_eq!((told.len(), &told[0]["to"]["email"]), (1, &json!("anna@example.com")), "{told:?}");
    assert!(text(&told[0]).contains("Tatry herbal tea") && text(&told[0]).contains('€'), "{}", text(&told[0]));
    assert!(app.state.wanted(10).await.unwrap().is_empty());
}

#[tokio::test]
async fn nothing_goes_at_night_and_what_was_decided_waits_for_the_morning() {
    let (app, bag) = fresh().await;
    let evening: Timestamp = "2026-11-23T19:30:00Z".parse().unwrap();
    assert_eq!(outreach::round(&app, evening).await.unwrap(), Round::default());
    let before: Timestamp = "2026-11-23T18:59:00Z".parse().unwrap();
    outreach::decide(&app, before).await.unwrap();
    let round = outreach::round(&app, evening).await.unwrap();
    assert_eq!((round.carried, bag.parcels.lock().unwrap().len()), (0, 0), "{round:?}");
    let dawn: Timestamp = "2026-11-24T07:59:00Z".parse().unwrap();
    assert_eq!(outreach::round(&app, dawn).await.unwrap().carried, 0);
    let morning: Timestamp = "2026-11-24T08:00:00Z".parse().unwrap();
    assert!(outreach::round(&app, morning).await.unwrap().carried >= 5);
}

#[tokio::test]
async fn a_last_order_is_offered_again_at_todays_prices_unless_there_was_another() {
    let (mut app, bag) = fresh().await;
    Arc::get_mut(&mut app).unwrap().message_rules.margin.default = Some(40);
    let door = TestApp::over(Arc::clone(&app));
    for customer in ["C-1011", "C-1001"] {
        consent(&door, json!({"customer": customer, "topic": "marketing", "granted": true})).await;
    }
    let winter: Timestamp = "2026-12-22T10:00:00Z".parse().unwrap();
    outreach::round(&app, winter).await.unwrap();
    let told = bag.messages("win_back");
    // C-1001 ordered in September too, but again in November.
    assert_eq!(told.len(), 1, "{told:?}");
    assert_eq!(told[0]["customer"], "C-1011");
    assert!(text(&told[0]).contains("Mayak floor lamp (black), 1 piece: €119.90"), "{}", text(&told[0]));
    assert!(text(&told[0]).contains("2 pieces: €") && text(&told[0]).contains("Goods: €"), "{}", text(&told[0]));
    assert_eq!(told[0]["promotion"], "TEPLO10");
}

#[tokio::test]
async fn an_opinion_is_asked_for_after_a_yes_and_only_of_what_arrived() {
    let (app, bag) = fresh().await;
    let door = TestApp::over(Arc::clone(&app));
    for customer in ["C-1035", "C-1036"] {
        consent(&door, json!({"customer": customer, "topic": "marketing", "granted": true})).await;
    }
    outreach::round(&app, clock()).await.unwrap();
    let told = bag.messages("review_request");
    // The order of C-1036 is on its way back.
    assert_eq!(told.len(), 1, "{told:?}");
    assert!(text(&told[0]).contains("TT-10436") && text(&told[0]).contains("Ste s ňou spokojní"), "{}", text(&told[0]));
}

fn message(cause: &str, (kind, person, email): (Kind, &str, &str), decided: Timestamp) -> Outgoing {
    Outgoing {
        id: uuid::Uuid::now_v7().to_string(),
        cause: cause.to_string(),
        kind,
        person: person.to_string(),
        customer: None,
        session: None,
        contact: Contact::new(Some(email), None),
        language: Language::En,
        subject: Subject::Order { number: "TT-1".to_string() },
        decided,
        until: decided + SignedDuration::from_hours(24),
        stage: Stage::Decided,
        settled: None,
        why: None,
        text: None,
        promotion: None,
    }
}

#[tokio::test]
async fn one_person_gets_only_so_many_by_whatever_name() {
    let book = state().await;
    let (cart, review, late) = (Kind::AbandonedCart, Kind::ReviewRequest, Kind::LateOrder);
    let cap = |messages| Cap { messages, days: 7 };
    let day = |days: i64| clock() + SignedDuration::from_hours(24 * days);
    let check = async |cause: &str, who: (Kind, &str, &str), (all, at): (Option<i64>, i64), expected: Decided| {
        let caps = Caps { all: all.map(cap), kind: cap(1) };
        let decided = book.decide(&message(cause, who, day(at)), caps).await.unwrap();
        assert_eq!(decided, expected, "{cause} on day {at}");
    };
    check("a", (cart, "customer:A", "a@b.sk"), (Some(2), 0), Decided::Now).await;
    check("a", (cart, "customer:A", "a@b.sk"), (Some(2), 0), Decided::Before).await;
    check("b", (cart, "customer:A", "a@b.sk"), (Some(2), 1), Decided::Held).await;
    check("c", (review, "customer:A", "a@b.sk"), (Some(2), 1), Decided::Now).await;
    // The same address under another name is the same person.
    check("d", (Kind::WinBack, "customer:B", "a@b.sk"), (Some(2), 2), Decided::Held).await;
    check("e", (late, "customer:A", "a@b.sk"), (None, 2), Decided::Now).await;
    check("f", (late, "customer:A", "a@b.sk"), (None, 3), Decided::Held).await;
    check("b", (cart, "customer:A", "a@b.sk"), (Some(3), 8), Decided::Now).await;
    check("g", (cart, "customer:C", "c@b.sk"), (Some(2), 2), Decided::Now).await;
    // What did not go does not count.
    let first =
        book.outgoing_listed(&truetill::store::outreach::Listed { limit: 1, ..Default::default() }).await.unwrap();
    book.end_outgoing(&Outgoing { stage: Stage::Withdrawn, ..first[0].clone() }).await.unwrap();
    check("h", (cart, "customer:C", "c@b.sk"), (Some(1), 2), Decided::Now).await;
}

#[tokio::test]
async fn a_wish_to_be_left_alone_is_heard_everywhere_and_answered_politely() {
    for (locale, word, answer, again) in [
        ("en", "STOP", "we will not write to you first any more", "already noted"),
        ("ru", "отписаться", "больше не будем писать вам первыми", "уже отмечено"),
        ("sk", "odhlásiť", "už písať nebudeme", "poznačené"),
        ("zh", "退订", "不会再主动给您发消息", "已经为您登记"),
    ] {
        let (app, bag) = fresh().await;
        let door = TestApp::over(Arc::clone(&app));
        fill(&door, "C-1005").await;
        consent(&door, json!({"customer": "C-1005", "topic": "marketing", "granted": true})).await;
        outreach::decide(&app, tomorrow()).await.unwrap();
        let say = async |session: Option<&Value>| {
            let mut body = json!({"message": word, "locale": locale, "customer": "C-1005"});
            if let Some(session) = session {
                body["session_id"] = session.clone();
            }
            door.post("/api/v1/chat", body.to_string(), &[]).await.json()
        };
        let first = say(None).await;
        assert!(first["reply"]["text"].as_str().unwrap().contains(answer), "{first}");
        let second = say(Some(&first["session_id"])).await;
        assert!(second["reply"]["text"].as_str().unwrap().contains(again), "{second}");
        outreach::round(&app, tomorrow()).await.unwrap();
        assert!(bag.messages("abandoned_cart").is_empty(), "{locale}");
        assert_eq!(stage(&app, Kind::AbandonedCart).await, [(Stage::Withdrawn, Some("revoked".to_string()))]);
        // A new yes counts from then on.
        let kept = consent(&door, json!({"customer": "C-1005", "topic": "marketing", "granted": true})).await;
        assert!(kept["log"].as_array().unwrap().len() >= 3, "{kept}");
    }
}

#[tokio::test]
async fn a_stop_takes_a_stranger_off_the_waiting_list_by_address_and_answers_an_open_question_first() {
    let (app, _) = fresh().await;
    let door = TestApp::over(Arc::clone(&app));
    waits_for_tea(&door).await;
    let say = async |body: Value| door.post("/api/v1/chat", body.to_string(), &[]).await.json();
    let nobody = say(json!({"message": "stop", "locale": "en"})).await;
    assert!(nobody["reply"]["text"].as_str().unwrap().contains("together with that number or address"), "{nobody}");
    assert_eq!(app.state.wanted(10).await.unwrap().len(), 1);
    let known = say(json!({"message": "unsubscribe anna@example.com", "locale": "en"})).await;
    assert!(known["reply"]["text"].as_str().unwrap().contains("we will not write to you first"), "{known}");
    assert!(app.state.wanted(10).await.unwrap().is_empty());
    // "Stop" to a question is a no to it, and no more.
    let asked = say(json!({"message": "please call me back", "locale": "en"})).await;
    let number = json!({"message": "+421 900 000 555", "session_id": asked["session_id"]});
    say(number).await;
    let stop = say(json!({"message": "stop", "session_id": asked["session_id"]})).await;
    assert!(stop["reply"]["text"].as_str().unwrap().contains("not kept your contact"), "{stop}");
}

#[tokio::test]
async fn only_the_shop_itself_speaks_for_a_customer() {
    let (app, _) = fresh().await;
    let body = json!({"customer": "C-1005", "topic": "marketing", "granted": true});
    let far = TestApp::over(Arc::clone(&app)).from_afar();
    let refused = far.post("/api/v1/consent", body.to_string(), &[]).await;
    assert_eq!((refused.status.as_u16(), &refused.json()["code"]), (403, &json!("customer_not_trusted")));
    assert_eq!(far.get("/api/v1/consent?customer=C-1005").await.status, 403);
    let door = TestApp::over(Arc::clone(&app));
    for (wrong, field) in [
        (json!({"topic": "marketing", "granted": true}), "customer"),
        (json!({"customer": "C\0", "topic": "marketing", "granted": true}), "customer"),
        (json!({"email": "a\0@b.sk", "topic": "marketing", "granted": true}), "email"),
        (json!({"customer": "C-1", "topic": "news", "granted": true}), "topic"),
        (json!({"email": "nobody", "topic": "marketing", "granted": true}), "email"),
        (json!({"customer": "C-1", "topic": "marketing", "granted": true, "language": "xx"}), "language"),
    ] {
        let reply = door.post("/api/v1/consent", wrong.to_string(), &[]).await;
        assert_eq!((reply.status.as_u16(), &reply.json()["field"]), (422, &json!(field)), "{wrong}");
    }
    for path in ["/api/v1/consent?customer=%00", "/api/v1/messages?customer=%00"] {
        assert_eq!(door.get(path).await.status, 422, "{path}");
    }
    let key = [("idempotency-key", "k-1")];
    let first = door.post("/api/v1/consent", body.to_string(), &key).await;
    let second = door.post("/api/v1/consent", body.to_string(), &key).await;
    assert_eq!((second.status.as_u16(), second.header("idempotent-replay")), (200, "true"), "{}", first.body);
    let known = door.get("/api/v1/consent?customer=C-1005").await.json();
    assert!(known["now"].as_array().unwrap().iter().any(|word| word["person"] == "customer:C-1005"), "{known}");
    let mut keyed = config();
    keyed.server.keys = vec![crate::common::digest("k")];
    let keyed = TestApp::with(keyed).await;
    let request = axum::http::Request::get("/api/v1/messages").header("authorization", "Bearer k");
    let reply = keyed.send(request.body(axum::body::Body::empty()).unwrap()).await;
    assert_eq!(reply.status, 403, "{}", reply.body);
}
