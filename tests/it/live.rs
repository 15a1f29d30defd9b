//! Live sources through the real router and over real sockets: a confirmed price or an honest sentence, never an old number.

use std::sync::atomic::{AtomicI64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use serde_json::{Value, json};
use truetill::domain::product::Quote;
use truetill::domain::source::LiveSource;
use truetill::domain::{Offer, ProductId};
use truetill::engine::Catalog;
use truetill::sources::live::LiveCatalog;

use crate::catalog::Place;
use crate::common::{TestApp, clock, config};
use crate::wire::{Heard, Says, Wire, head};

const CHAT: &str = "/api/v1/chat";

/// A clock that tests move on.
#[derive(Clone, Default)]
struct Time(Arc<AtomicI64>);

impl Time {
    fn pass(&self, seconds: i64) {
        self.0.fetch_add(seconds, Ordering::SeqCst);
    }

    fn clock(&self) -> truetill::sources::live::Clock {
        let time = Arc::clone(&self.0);
        Arc::new(move || clock() + jiff::SignedDuration::from_secs(time.load(Ordering::SeqCst)))
    }
}

/// A shop of one mug whose price a source confirms.
struct Shop {
    _place: Place,
    time: Time,
    catalog: Arc<dyn Catalog>,
    app: TestApp,
}

fn source(url: &str, mapping: &str) -> LiveSource {
    let text =
        format!("name = \"erp\"\nurl = \"{url}\"\nmapping = \"{mapping}\"\nper_second = 1000\ndeadline_ms = 2000");
    toml::from_str(&text).unwrap()
}

impl Shop {
    async fn new(source: LiveSource) -> Shop {
        let place = Place::new().await;
        place.index("7.50", "2026-11-20T08:00:00Z").await;
        let (live, time) = (place.live().await, Time::default());
        let mut config = config();
        config.sources.live = vec![source];
        let catalog = LiveCatalog::over(Arc::clone(&live) as Arc<dyn Catalog>, &config, time.clock()).unwrap();
        let app = place.app_over(live, Arc::clone(&catalog), config).await;
        Shop { _place: place, time, catalog, app }
    }

    async fn offer(&self) -> Offer {
        let ids = [ProductId::from("ZM-1")];
        self.catalog.offers(&ids, "EUR".parse().unwrap()).await.unwrap().remove(0)
    }

    async fn ask(&self, locale: &str, message: &str) -> Value {
        let body = json!({"message": message, "locale": locale}).to_string();
        let reply = self.app.post(CHAT, body, &[]).await;
        assert_eq!(reply.status.as_u16(), 200, "{}", reply.body);
        reply.json()
    }
}

fn text(reply: &Value) -> String {
    reply["reply"]["text"].as_str().unwrap().to_string()
}

fn items(price: &str) -> Says {
    let stock = r#""stock": 3"#;
    Says::json(&format!(r#"{{"items": [{{"sku": "ZM-1", "price": "{price}", "currency": "EUR", {stock}}}]}}"#))
}

/// A source whose answers can be exchanged: a price, or nothing for a failure.
fn system(price: &str) -> (Arc<Mutex<String>>, Wire) {
    let price = Arc::new(Mutex::new(price.to_string()));
    let told = Arc::clone(&price);
    let wire = Wire::start(move |_| match told.lock().unwrap().as_str() {
        "" => Says::whole(500, &[], "down"),
        price => items(price),
    });
    (price, wire)
}

/// Language, question, the honest sentence, the offer of a call.
const ASKED: [(&str, &str, &str, &str); 4] = [
    ("en", "How much is the Zephyr mug?", "cannot confirm the price", "will call you back"),
    ("ru", "Сколько стоит Zephyr mug?", "не могу подтвердить цену", "вам перезвонят"),
    ("sk", "Koľko stojí Zephyr mug?", "cenu teraz neviem potvrdiť", "zavoláme vám"),
    ("zh", "Zephyr mug多少钱？", "目前无法确认价格", "给您回电"),
];

#[tokio::test]
async fn up_it_is_quoted_down_it_is_not_and_a_call_is_offered() {
    let (price, wire) = system("8.20");
    let shop = Shop::new(source(&wire.url, "json")).await;
    for (locale, question, ..) in ASKED {
        let text = text(&shop.ask(locale, question).await);
        assert!(text.contains("8.20") || text.contains("8,20"), "{text}");
    }
    assert_eq!(wire.heard().len(), 1, "asked once for all of them");

    price.lock().unwrap().clear();
    // What was confirmed less than five minutes ago still counts.
    shop.time.pass(299);
    assert!(text(&shop.ask("en", ASKED[0].1).await).contains("8.20"));
    shop.time.pass(1);
    for (locale, question, honest, call) in ASKED {
        let text = text(&shop.ask(locale, question).await);
        let number = ["8.20", "8,20", "7.50", "7,50"].iter().any(|number| text.contains(number));
        assert!(text.contains(honest) && text.contains(call) && !number, "{text}");
    }

    *price.lock().unwrap() = "9.10".to_string();
    shop.time.pass(400);
    let reply = text(&shop.ask("en", ASKED[0].1).await);
    assert!(reply.contains("9.10") && !reply.contains("call you back"), "{reply}");
}

#[tokio::test]
async fn the_call_that_is_offered_can_be_had() {
    let shop = Shop::new(source(&Wire::nobody(), "json")).await;
    let first = shop.ask("en", ASKED[0].1).await;
    assert!(text(&first).contains("call you back"), "{first}");
    let body = json!({"message": "+421 905 123 456", "session_id": first["session_id"]}).to_string();
    let second = text(&shop.app.post(CHAT, body, &[]).await.json());
    assert!(second.contains("your contact") && second.contains('?'), "{second}");
    // Who does not want one goes on asking.
    let body = json!({"message": "How long does delivery to Nitra take?", "session_id": first["session_id"]});
    let third = text(&shop.app.post(CHAT, body.to_string(), &[]).await.json());
    assert!(third.contains("Nitra"), "{third}");
}

#[tokio::test]
async fn a_new_price_makes_a_new_plan() {
    let (_price, wire) = system("8.20");
    let shop = Shop::new(source(&wire.url, "json")).await;
    let reply = text(&shop.ask("en", "How much are 3 pieces of the Zephyr mug?").await);
    assert!(reply.contains("24.60") && !reply.contains("22.50"), "{reply}");
    let reply = text(&shop.ask("en", "Is the Zephyr mug in stock?").await);
    assert!(reply.contains('3'), "{reply}");
    let found = shop.app.post("/api/v1/search", r#"{"query":"Zephyr mug","currency":"EUR"}"#, &[]).await.json();
    let offer = &found["hits"][0]["offers"][0];
    assert_eq!((offer["price"]["now"]["minor"].as_i64(), offer["in_stock"].as_u64()), (Some(820), Some(3)), "{found}");
}

/// Whatever a source does, its silence or nonsense confirms nothing.
async fn check(what: &str, says: impl Fn(&Heard) -> Says + Send + Sync + 'static) {
    let wire = Wire::start(says);
    let shop = Shop::new(LiveSource { deadline_ms: 300, ..source(&wire.url, "json") }).await;
    let offer = shop.offer().await;
    assert!(offer.price == Quote::Stale && offer.stock.is_empty(), "{what}: {offer:?}");
    let reply = text(&shop.ask("en", ASKED[0].1).await);
    assert!(reply.contains(ASKED[0].2) && !reply.contains("7.50"), "{what}: {reply}");
}

#[tokio::test]
async fn hostile_answers_confirm_nothing() {
    let item = |rest: &str| format!(r#"{{"items": [{{"sku": "ZM-1", {rest}}}]}}"#);
    check("too long", |_| Says::json(&format!("[{}]", " ".repeat(3 << 20)))).await;
    check("silence", |_| Says::Silence(Vec::new())).await;
    let slow = item(r#""price": "8.20", "currency": "EUR""#);
    let drip = [head(200, &[]), format!("content-length: {}\r\n\r\n{slow}", slow.len()).into_bytes()].concat();
    check("drip", move |_| Says::Drip(drip.clone())).await;
    check("half", |_| Says::Raw([head(200, &[]), b"content-length: 400\r\n\r\n{\"items\"".to_vec()].concat())).await;
    check("no JSON", |_| Says::json("<html>")).await;
    check("deep", |_| Says::json(&"[".repeat(100_000))).await;
    let negative = item(r#""price": "-8.20", "currency": "EUR""#);
    check("negative", move |_| Says::json(&negative)).await;
    let other = item(r#""price": "8.20", "currency": "USD""#);
    check("other currency", move |_| Says::json(&other)).await;
    let none = item(r#""price": "8.20""#);
    check("no currency", move |_| Says::json(&none)).await;
    check("another article", |_| Says::json(r#"{"items": [{"sku": "ZM-2", "price": "8", "currency": "EUR"}]}"#)).await;
    check("busy", |_| Says::whole(429, &[("retry-after", "30")], "")).await;
    check("down", |_| Says::whole(503, &[], "")).await;
    let answer = item(r#""price": "8.20", "currency": "EUR""#);
    let elsewhere = Wire::start(move |_| Says::json(&answer));
    let location = format!("{}/prices", elsewhere.url);
    check("redirect", move |_| Says::whole(302, &[("location", &location)], "")).await;
    assert!(elsewhere.heard().is_empty(), "live sources do not lead elsewhere");
}

#[tokio::test]
async fn all_who_wait_for_one_price_wait_for_one_question() {
    let (_price, wire) = system("8.20");
    let shop = Shop::new(source(&wire.url, "json")).await;
    let (a, b, c, d) = tokio::join!(shop.offer(), shop.offer(), shop.offer(), shop.offer());
    assert!([a, b, c, d].iter().all(|offer| offer.price.now().is_some()));
    assert_eq!(wire.heard().len(), 1);
    shop.time.pass(301);
    shop.offer().await;
    assert_eq!(wire.heard().len(), 2);
    assert!(wire.heard()[0].path == "/prices?skus=ZM-1" && wire.heard()[0].method == "GET");
}

#[tokio::test]
async fn a_broken_source_is_left_alone_and_comes_back() {
    let (price, wire) = system("");
    let shop = Shop::new(LiveSource { failures: 2, pause_s: 10, ..source(&wire.url, "json") }).await;
    let asked = || wire.heard().len();
    for _ in 0..4 {
        assert_eq!(shop.offer().await.price, Quote::Stale);
    }
    // Two questions, each tried twice; then none.
    assert_eq!((asked(), shop.catalog.live()[0].open), (4, false));
    shop.time.pass(10);
    shop.offer().await;
    shop.offer().await;
    assert_eq!(asked(), 6, "one probe");
    *price.lock().unwrap() = "8.20".to_string();
    shop.time.pass(20);
    assert!(shop.offer().await.price.now().is_some() && shop.catalog.live()[0].open);
}

#[tokio::test]
async fn a_pause_that_was_asked_for_is_kept() {
    let busy = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&busy);
    let wire = Wire::start(move |_| match count.fetch_add(1, Ordering::SeqCst) {
        0 => Says::whole(429, &[("retry-after", "60")], ""),
        _ => items("8.20"),
    });
    let shop = Shop::new(source(&wire.url, "json")).await;
    assert_eq!(shop.offer().await.price, Quote::Stale);
    shop.time.pass(59);
    assert_eq!((shop.offer().await.price, wire.heard().len()), (Quote::Stale, 1));
    shop.time.pass(1);
    assert!(shop.offer().await.price.now().is_some());
}

fn shopify(body: &str, available: u32) -> Says {
    let cost = format!(
        r#"{{"cost": {{"requestedQueryCost": 60, "throttleStatus": {{"maximumAvailable": 2000, "currentlyAvailable": {available}, "restoreRate": 1}}}}}}"#
    );
    Says::json(&format!(r#"{{{body}, "extensions": {cost}}}"#))
}

fn variant(rest: &str) -> String {
    let node = format!(
        r#"{{"sku": "ZM-1", "price": "8.20", "compareAtPrice": "9.00", "inventoryQuantity": 4, "inventoryPolicy": "DENY",
             "inventoryItem": {{"tracked": true}}, {rest}}}"#
    );
    format!(r#""data": {{"shop": {{"currencyCode": "EUR"}}, "productVariants": {{"nodes": [{node}]}}}}"#)
}

#[tokio::test]
async fn shopify_is_asked_by_sku_and_within_its_limit() {
    let active = variant(r#""product": {"status": "ACTIVE"}"#);
    let draft = variant(r#""product": {"status": "DRAFT"}"#);
    let asked = AtomicUsize::new(0);
    let wire = Wire::start(move |_| match asked.fetch_add(1, Ordering::SeqCst) {
        0 => shopify(&active, 30),
        1 => shopify(r#""errors": [{"message": "Throttled", "extensions": {"code": "THROTTLED"}}]"#, 0),
        _ => shopify(&draft, 2000),
    });
    let source = LiveSource { secret_env: "PATH".into(), ..source(&wire.url, "shopify") };
    let shop = Shop::new(source).await;
    let offer = shop.offer().await;
    assert!(matches!(offer.price, Quote::Known { old: Some(_), .. }) && offer.in_stock() == Some(4), "{offer:?}");
    let heard = &wire.heard()[0];
    assert!(
        heard.method == "POST"
            && heard.path.starts_with("/admin/api/")
            && !heard.header("x-shopify-access-token").is_empty()
    );
    let body: Value = serde_json::from_str(&heard.body).unwrap();
    assert_eq!(body["variables"]["q"], "sku:\"ZM-1\"");
    // A cost of 60 with 30 points left and one a second: not asked before there are enough.
    shop.time.pass(300);
    assert_eq!((shop.offer().await.price, wire.heard().len()), (Quote::Stale, 2));
    let state = shop.catalog.live().remove(0);
    assert!(!state.open && state.failures == 0, "{state:?}");
    shop.time.pass(2);
    assert_eq!((shop.offer().await.price, wire.heard().len()), (Quote::Stale, 2), "60 points are not there yet");
    shop.time.pass(60);
    assert_eq!((shop.offer().await.price, wire.heard().len()), (Quote::Stale, 3), "what is not for sale has no price");
}

#[tokio::test]
async fn woocommerce_names_its_currency_once() {
    let wire = Wire::start(|heard| match heard.path.contains("/settings/") {
        true => Says::json(r#"{"id": "woocommerce_currency", "value": "EUR"}"#),
        false => Says::json(
            r#"[{"sku": "ZM-1", "price": "8.20", "regular_price": "8.20", "stock_status": "instock", "stock_quantity": 5, "manage_stock": "parent"}]"#,
        ),
    });
    let source = LiveSource { secret_env: "PATH".into(), user_env: "PATH".into(), ..source(&wire.url, "woocommerce") };
    let shop = Shop::new(source).await;
    let offer = shop.offer().await;
    assert!(matches!(offer.price, Quote::Known { old: None, .. }) && offer.in_stock() == Some(5), "{offer:?}");
    shop.time.pass(301);
    shop.offer().await;
    let heard = wire.heard();
    let settings = heard.iter().filter(|one| one.path.contains("/settings/")).count();
    assert_eq!((settings, heard.len()), (1, 3));
    assert!(heard.iter().all(|one| one.header("authorization").starts_with("Basic ")));
    assert!(heard[1].path.ends_with("&sku=ZM-1"), "{}", heard[1].path);
}

#[tokio::test]
async fn what_is_not_its_own_keeps_the_feeds_word() {
    let prefix = LiveSource { prefix: "XX-".into(), ..source(&Wire::nobody(), "json") };
    assert!(Shop::new(prefix).await.offer().await.price.now().is_some());
    let rouble = LiveSource { currencies: vec!["RUB".parse().unwrap()], ..source(&Wire::nobody(), "json") };
    assert!(Shop::new(rouble).await.offer().await.price.now().is_some());
    let unset = LiveSource { secret_env: "TRUETILL_TEST_UNSET".into(), ..source(&Wire::nobody(), "json") };
    let mut config = config();
    config.sources.live = vec![unset];
    let front = Arc::clone(&Place::new().await.front) as Arc<dyn Catalog>;
    let error = LiveCatalog::over(front, &config, Time::default().clock()).err().unwrap();
    assert!(format!("{error:#}").contains("TRUETILL_TEST_UNSET"));
}
