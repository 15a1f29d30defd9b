//! Fresh prices through the real router: quoted at once, kept over a new generation, never older than allowed; and a
//! server that follows the index while it serves.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use async_trait::async_trait;
use jiff::tz::TimeZone;
use truetill::app::{App, Engines};
use truetill::config::Config;
use truetill::engine::{Catalog, Search};
use truetill::generation;
use truetill::ingest::{self, IndexRequest, NoShelves, Outcome, changes};
use truetill::live::{Live, Open, Serving};
use truetill::store::{CatalogSettings, CatalogStore, OrderBook, StateStore};

use crate::cluster::state;
use crate::common::{TestApp, clock, config, digest};
use crate::fakes::{HashedLetters, ShopFront};

const CHAT: &str = "/api/v1/chat";
const PATCHES: &str = "/api/v1/catalog/patches";
pub const MUG: &str = r#"{"id":"ZM-1","name":{"en":"Zephyr mug"},"category":"mugs","variants":[{"sku":"ZM-1","prices":[{"currency":"EUR","amount":"PRICE"}]}]}"#;

/// A shop of one mug, indexed for real; search is the fake's.
pub struct Place {
    pub folder: tempfile::TempDir,
    pub state: StateStore,
    pub front: Arc<ShopFront>,
}

impl Place {
    pub async fn new() -> Place {
        let line = MUG.replace("PRICE", "0.01");
        let front = Arc::new(ShopFront::load(&config().paths.data).with_product(&line));
        let state = state().await;
        let place = Place { folder: tempfile::tempdir().unwrap(), state, front };
        std::fs::create_dir(place.path("feeds")).unwrap();
        place
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn request(&self, feed: &Path) -> IndexRequest {
        IndexRequest {
            catalogs: vec![feed.to_path_buf()],
            terms: std::collections::BTreeMap::new(),
            policies: None,
            profile: None,
            profiles: Path::new(env!("CARGO_MANIFEST_DIR")).join("data/feeds"),
            format: None,
            categories: None,
            messages: None,
            currency: None,
            language: None,
            index: self.path("index"),
            time_zone: TimeZone::get("Europe/Bratislava").unwrap(),
            dry_run: false,
            strict: false,
            max_shrink: 0.5,
            now: clock(),
        }
    }

    /// Indexes the mug at a price, from a feed written at a moment.
    pub async fn index(&self, price: &str, written: &str) -> String {
        let feed = self.path("products.jsonl");
        std::fs::write(&feed, MUG.replace("PRICE", price)).unwrap();
        let written: jiff::Timestamp = written.parse().unwrap();
        std::fs::File::options().write(true).open(&feed).unwrap().set_modified(written.into()).unwrap();
        let report = ingest::run(&self.request(&feed), &NoShelves, &|_| false).await.unwrap();
        let Outcome::Switched { generation } = report.outcome else { panic!("{report}") };
        generation
    }

    pub async fn live(&self) -> Arc<Live> {
        let open = Opener { index: self.path("index"), state: self.state.clone(), front: Arc::clone(&self.front) };
        Arc::new(Live::start(self.path("index"), Box::new(open)).await.unwrap())
    }

    pub async fn app(&self, live: Arc<Live>, config: Config) -> TestApp {
        self.app_over(Arc::clone(&live), live, config).await
    }

    /// The same with another catalog over the index.
    pub async fn app_over(&self, live: Arc<Live>, catalog: Arc<dyn Catalog>, config: Config) -> TestApp {
        let book = OrderBook::load(&config.paths.data.join("orders")).unwrap();
        self.state.take_orders(&book).await.unwrap();
        let engines = Engines {
            search: live as Arc<dyn Search>,
            catalog,
            orders: Arc::new(self.state.clone()),
            embed: Arc::new(HashedLetters),
            generate: None,
            state: self.state.clone(),
        };
        let mut app = App::assemble(config, engines).await.unwrap();
        app.clock = clock;
        TestApp::over(Arc::new(app))
    }
}

struct Opener {
    index: PathBuf,
    state: StateStore,
    front: Arc<ShopFront>,
}

#[async_trait]
impl Open for Opener {
    async fn open(&self) -> anyhow::Result<Serving> {
        let folder = generation::current(&self.index)?;
        let id = folder.file_name().unwrap().to_string_lossy().into_owned();
        let settings = CatalogSettings { clock: Arc::new(clock), ..CatalogSettings::default() };
        let catalog = CatalogStore::open(&folder.join(generation::CATALOG), &id, settings).await?;
        let search = Arc::clone(&self.front) as Arc<dyn Search>;
        Ok(Serving { folder, search, catalog: Arc::new(catalog.under(self.state.clone())) })
    }
}

pub async fn told(app: &TestApp) -> String {
    let reply = app.post(CHAT, r#"{"message":"How much is the Zephyr mug?","locale":"en"}"#, &[]).await;
    reply.json()["reply"]["text"].as_str().unwrap_or_else(|| panic!("{}", reply.body)).to_string()
}

async fn patch(app: &TestApp, body: &str) -> (u16, serde_json::Value) {
    let reply = app.post(PATCHES, body.to_string(), &[]).await;
    (reply.status.as_u16(), reply.json())
}

fn price(amount: &str, as_of: &str) -> String {
    format!(
        r#"{{"source":"till","as_of":"{as_of}","patches":[{{"sku":"ZM-1","prices":[{{"currency":"EUR","amount":"{amount}"}}]}}]}}"#
    )
}

#[tokio::test]
async fn a_patch_is_quoted_by_the_next_message_and_outlives_the_next_index() {
    let place = Place::new().await;
    place.index("7.50", "2026-11-20T08:00:00Z").await;
    let live = place.live().await;
    let app = place.app(Arc::clone(&live), config()).await;
    assert!(told(&app).await.contains("7.50"), "{}", told(&app).await);

    let (status, reply) = patch(&app, &price("8.20", "2026-11-22T08:00:00Z")).await;
    assert_eq!((status, reply["applied"].as_u64()), (200, Some(1)));
    assert!(told(&app).await.contains("8.20"));
    let (_, reply) = patch(&app, &price("6.00", "2026-11-21T08:00:00Z")).await;
    assert_eq!(reply["older"], 1, "{reply}");
    assert!(told(&app).await.contains("8.20"));

    // The next index is of a feed older than the patch, the one after it of a newer one.
    place.index("7.70", "2026-11-21T08:00:00Z").await;
    assert!(live.follow().await.unwrap());
    assert!(told(&app).await.contains("8.20"));
    let newest = place.index("9.10", "2026-11-23T08:00:00Z").await;
    assert!(live.follow().await.unwrap() && !live.follow().await.unwrap());
    assert!(told(&app).await.contains("9.10"));
    assert_eq!(Search::generation(&*place.front).id, "test");

    // Back to the generation before: its price is the older word, so the patch counts again.
    let before = generation::roll_back(&place.path("index"), None).unwrap();
    assert!(before < newest && live.follow().await.unwrap());
    assert!(told(&app).await.contains("8.20"));
}

#[tokio::test]
async fn an_old_word_is_never_told() {
    let place = Place::new().await;
    place.index("7.50", "2026-11-20T08:00:00Z").await;
    let app = place.app(place.live().await, config()).await;
    let aged = price("8.20", "2026-11-23T08:00:00Z").replace("\"source\"", "\"max_age_s\":7200,\"source\"");
    patch(&app, &aged).await;
    assert!(told(&app).await.contains("8.20"));
    patch(&app, &aged.replace("7200", "3599")).await;
    let text = told(&app).await;
    assert!(text.contains("cannot confirm the price") && !text.contains("8.20") && !text.contains("7.50"), "{text}");
}

#[tokio::test]
async fn a_reduction_follows_its_dates() {
    let place = Place::new().await;
    place.index("7.50", "2026-11-20T08:00:00Z").await;
    let app = place.app(place.live().await, config()).await;
    let sale = |terms: &str| {
        format!(
            r#"{{"patches":[{{"sku":"ZM-1","prices":[{{"currency":"EUR","amount":"5.00","old":"7.00",{terms}}}]}}]}}"#
        )
    };
    patch(&app, &sale(r#""starts":"2026-11-23T09:00:01Z""#)).await;
    assert!(told(&app).await.contains("7.00"));
    patch(&app, &sale(r#""starts":"2026-11-23T09:00:00Z""#)).await;
    assert!(told(&app).await.contains("5.00"));
    patch(&app, &sale(r#""ends":"2026-11-23T09:00:00Z""#)).await;
    let text = told(&app).await;
    assert!(text.contains("7.00") && !text.contains("5.00"), "{text}");
}

#[tokio::test]
async fn bad_patches_are_named_and_the_others_count() {
    let place = Place::new().await;
    place.index("7.50", "2026-11-20T08:00:00Z").await;
    let app = place.app(place.live().await, config()).await;
    let lines = "{\"sku\":\"ZM-1\",\"stock\":[{\"count\":4}]}\n\n{\"sku\":\"NONE\",\"stock\":[{\"count\":4}]}\n{\"sku\":\"ZM-1\"}\n{broken\n";
    let kind = [("content-type", "application/x-ndjson")];
    let mut request = axum::http::Request::post(format!("{PATCHES}?source=erp&as_of=2026-11-23T08:00:00Z"));
    request = request.header(kind[0].0, kind[0].1);
    let reply = app.send(request.body(lines.into()).unwrap()).await;
    let json = reply.json();
    assert_eq!((reply.status.as_u16(), json["applied"].as_u64()), (207, Some(1)), "{json}");
    let refused: Vec<(u64, &str)> = json["refused"]
        .as_array()
        .unwrap()
        .iter()
        .map(|one| (one["line"].as_u64().unwrap(), one["field"].as_str().unwrap()))
        .collect();
    assert_eq!(refused, [(2, "sku"), (3, "prices"), (4, "-")]);
    let (status, _) = patch(&app, r#"{"patches":[{"sku":"NONE","prices":[]}]}"#).await;
    assert_eq!(status, 422);
    let (status, json) = patch(&app, r#"{"patches":[],"as_of":"yesterday"}"#).await;
    assert_eq!((status, json["field"].as_str()), (422, Some("as_of")));
    let (status, json) = patch(&app, r#"{"patches":[{"sku":"ZM-1","price":"1"}]}"#).await;
    assert_eq!((status, json["code"].as_str()), (422, Some("unknown_field")));
    assert!(told(&app).await.contains("7.50"));
}

#[tokio::test]
async fn only_the_shops_own_systems_may_change_prices() {
    let place = Place::new().await;
    place.index("7.50", "2026-11-20T08:00:00Z").await;
    let mut config = config();
    config.server.keys = vec![digest("shop")];
    config.server.admin_keys = vec![digest("root")];
    let app = place.app(place.live().await, config).await;
    let as_key = async |key: &str| {
        let headers = [("authorization", format!("Bearer {key}"))];
        let headers: Vec<(&str, &str)> = headers.iter().map(|(name, value)| (*name, value.as_str())).collect();
        app.post(PATCHES, price("1.00", "2026-11-23T08:00:00Z"), &headers).await.status.as_u16()
    };
    assert_eq!((as_key("nobody").await, as_key("shop").await, as_key("root").await), (401, 403, 200));
    let open = place.app(place.live().await, crate::common::config()).await.from_afar();
    assert_eq!(open.post(PATCHES, price("1.00", "2026-11-23T08:00:00Z"), &[]).await.status.as_u16(), 403);
}

#[tokio::test]
async fn a_delta_feed_counts_at_once() {
    let place = Place::new().await;
    place.index("7.50", "2026-11-20T08:00:00Z").await;
    let live = place.live().await;
    let app = place.app(Arc::clone(&live), config()).await;
    let delta = place.path("delta");
    let stock = "<item_list><item id=\"ZM-1\"><stock_quantity>3</stock_quantity></item><item id=\"X\"><stock_quantity>1</stock_quantity></item></item_list>";
    std::fs::write(&delta, stock).unwrap();
    let target = || changes::Target { state: Some(&place.state), catalog: &*live };
    let changed = changes::run(&place.request(&delta), target(), &|_| false).await.unwrap();
    assert_eq!((changed.applied, changed.report.skipped, changed.report.findings[0].code), (1, 1, "unknown_sku"));

    let delta = place.path("delta.jsonl");
    std::fs::write(&delta, "{\"sku\":\"ZM-1\",\"prices\":[{\"currency\":\"EUR\",\"amount\":\"8.80\"}]}\n{\"sku\":1}\n")
        .unwrap();
    let changed = changes::run(&place.request(&delta), target(), &|_| false).await.unwrap();
    assert_eq!((changed.applied, changed.report.errors), (1, 1));
    assert!(told(&app).await.contains("8.80"));
    let found = app.post("/api/v1/search", r#"{"query":"Zephyr mug","currency":"EUR"}"#, &[]).await.json();
    let offer = &found["hits"][0]["offers"][0];
    assert_eq!((offer["price"]["now"]["minor"].as_i64(), offer["in_stock"].as_u64()), (Some(880), Some(3)), "{found}");
    assert_eq!(app.post("/api/v1/search", r#"{"query":" "}"#, &[]).await.status.as_u16(), 422);
}

#[tokio::test]
async fn a_damaged_generation_is_refused_and_the_other_goes_on() {
    let place = Place::new().await;
    let first = place.index("7.50", "2026-11-20T08:00:00Z").await;
    let live = place.live().await;
    place.index("9.90", "2026-11-21T08:00:00Z").await;
    let index = place.path("index");
    let catalog = index.join(&first).join(generation::CATALOG);
    let mut bytes = std::fs::read(&catalog).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    std::fs::write(&catalog, bytes).unwrap();
    let error = generation::roll_back(&index, None).unwrap_err().to_string();
    assert!(error.contains(&first) && error.contains("wrong sha256") && error.contains("make index"), "{error}");
    let error = generation::roll_back(&index, Some("none")).unwrap_err().to_string();
    assert!(error.contains("kept are:") && error.contains(&first), "{error}");
    assert_eq!(generation::kept(&index).unwrap().iter().map(|kept| kept.serves).collect::<Vec<_>>(), [false, true]);
    assert!(live.follow().await.unwrap());
}
