//! Vectors in a Qdrant server: the same results as from memory, generations that come and go, and a server that fails.

mod server;

use std::path::{Path, PathBuf};
use std::time::Duration;

use jiff::Timestamp;
use jiff::tz::TimeZone;
use truetill::config::Config;
use truetill::domain::Language;
use truetill::domain::vectors::QdrantSettings;
use truetill::engine::{Embed, EmbedInput, Only, ProductHit, ProductQuery, Search, SearchMode};
use truetill::generation;
use truetill::index::Index;
use truetill::index::qdrant::{Patience, Server};
use truetill::ingest::{self, IndexRequest, Indexed, Outcome};

use crate::fakes::HashedLetters;
use server::Fake;

/// Tries as in a shop, without their pauses.
const QUICK: Patience = Patience { tries: 4, pause: Duration::ZERO, rest: Duration::ZERO };

const QUESTIONS: [&str; 12] = [
    "чайник волна",
    "rýchlovarná kanvica",
    "electric kettle",
    "电热水壶",
    "кроссовки",
    "bezecke topanky 42",
    "wireless",
    "хлеб и молоко",
    "kavovar",
    "zzzz",
    "чайник Волна 1,7 л сколько стоит",
    "red shoes",
];

/// A folder of generations of the demo shop, and a server.
struct Shop {
    folder: tempfile::TempDir,
    fake: Fake,
    server: Server,
}

fn settings(url: &str) -> QdrantSettings {
    QdrantSettings { url: url.to_string(), timeout_ms: 10_000, ..Config::defaults().index.qdrant }
}

fn at(second: i64) -> Timestamp {
    Timestamp::from_second(1_790_000_000 + second).unwrap()
}

impl Shop {
    async fn new() -> Shop {
        let fake = Fake::start().await;
        let server = Server::new(&settings(&fake.url)).unwrap().with_patience(QUICK);
        Shop { folder: tempfile::tempdir().unwrap(), fake, server }
    }

    fn index(&self) -> PathBuf {
        self.folder.path().join("index")
    }

    async fn build(&self, second: i64) -> anyhow::Result<String> {
        let data = Path::new(env!("CARGO_MANIFEST_DIR")).join("data");
        let request = IndexRequest {
            catalogs: vec![data.join("catalog")],
            terms: std::collections::BTreeMap::new(),
            policies: Some(data.join("policies")),
            profile: None,
            profiles: data.join("feeds"),
            format: None,
            categories: Some(data.join("rules/categories.toml")),
            messages: None,
            currency: None,
            language: None,
            index: self.index(),
            time_zone: TimeZone::UTC,
            dry_run: false,
            strict: false,
            max_shrink: 0.5,
            now: at(second),
        };
        let shelves = Indexed::new(&HashedLetters, &|_, _| {}).with_server(self.server.clone(), &|_, _| {});
        let report = ingest::run(&request, &shelves, &|_| false).await?;
        let Outcome::Switched { generation } = report.outcome else { panic!("{report}") };
        Ok(generation)
    }

    async fn open(&self) -> anyhow::Result<Index> {
        Index::open_beside(&self.index(), &HashedLetters.model(), &self.server).await
    }
}

async fn ask(index: &Index, text: &str, (mode, only): (SearchMode, &Only)) -> Vec<ProductHit> {
    let vector = HashedLetters.embed(EmbedInput::Query, vec![text.to_string()]).await.unwrap().pop();
    let (text, only) = (text.to_string(), only.clone());
    index.products(&ProductQuery { text, vector, language: Language::En, mode, only, limit: 15 }).await.unwrap()
}

/// The same products at the same places with the same scores, but for the order of those that score the same, and for which of those
/// still stand in the list where it ends.
fn assert_same(text: &str, one: &[ProductHit], other: &[ProductHit]) {
    let near = |a: f32, b: f32| (a - b).abs() < 1e-3;
    assert_eq!(one.len(), other.len(), "{text}: {one:?}\n{other:?}");
    for (hit, twin) in one.iter().zip(other) {
        assert!(near(hit.score, twin.score), "{text}: {hit:?} and {twin:?}");
        let tie = |others: &[ProductHit]| others.iter().filter(|other| near(other.score, hit.score)).count() > 1;
        let at_the_end = one.last().is_some_and(|last| near(last.score, hit.score));
        assert!(hit.id == twin.id || at_the_end || tie(one) || tie(other), "{text}: {hit:?} and {twin:?}");
    }
}

/// The first pass reads rows rounded to 8 bits in memory and whole ones in a server: products at the very end may differ.
fn assert_alike(text: &str, one: &[ProductHit], other: &[ProductHit]) {
    let id = |hits: &[ProductHit]| hits.first().map(|hit| hit.id.clone());
    let shared = one.iter().filter(|hit| other.iter().any(|twin| twin.id == hit.id)).count();
    assert!(id(one) == id(other) && shared + 2 >= one.len().max(other.len()), "{text}: {one:?}\n{other:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_finds_what_memory_finds() {
    let shop = Shop::new().await;
    let generation = shop.build(0).await.unwrap();
    let embedded = Index::open(&shop.index(), &HashedLetters.model()).unwrap();
    let beside = shop.open().await.unwrap();
    let red = Only { colour: Some("red".into()), size: None };
    let small = Only { colour: None, size: Some("42".into()) };
    let nowhere = Only { colour: Some("plaid".into()), size: Some("42".into()) };
    for text in QUESTIONS {
        for mode in [SearchMode::Lexical, SearchMode::Vector, SearchMode::Hybrid] {
            for only in [&Only::default(), &red, &small, &nowhere] {
                let (one, other) = (ask(&embedded, text, (mode, only)).await, ask(&beside, text, (mode, only)).await);
                if mode == SearchMode::Hybrid {
                    assert_alike(text, &one, &other);
                } else {
                    assert_same(text, &one, &other);
                }
            }
        }
    }
    let all = ask(&beside, "shoes", (SearchMode::Vector, &Only::default())).await;
    let some = ask(&beside, "shoes", (SearchMode::Vector, &nowhere)).await;
    assert!(all.len() == 15 && all.iter().map(|hit| &hit.id).ne(some.iter().map(|hit| &hit.id)), "a filter filters");
    assert_eq!(beside.degraded(), None);
    let state = shop.fake.state();
    let held = &state.collections[&format!("truetill-{generation}")];
    assert!(held.quantised && held.fields.contains("colour") && held.points.len() > 100);
    assert_eq!(state.aliases["truetill"], format!("truetill-{generation}"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_collection_lives_as_long_as_its_generation() {
    let shop = Shop::new().await;
    let foreign = ["truetill-photos", "truetill2-20260101T000000Z", "other"];
    for name in foreign {
        shop.fake.state().collections.insert(name.to_string(), server::Held::default());
    }
    let mut generations = Vec::new();
    for second in 0..3 {
        generations.push(shop.build(second).await.unwrap());
    }
    let named = |generation: &String| format!("truetill-{generation}");
    let names = || shop.fake.state().collections.keys().cloned().collect::<Vec<_>>();
    let alias = || shop.fake.state().aliases["truetill"].clone();
    assert!(!names().contains(&named(&generations[0])) && names().contains(&named(&generations[1])));
    assert!(foreign.iter().all(|name| names().contains(&(*name).to_string())), "others are left alone");
    assert_eq!(alias(), named(&generations[2]));

    // Back to the one before: it lies there still, nothing is sent again.
    let back = generation::before(&shop.index(), None).unwrap();
    let sent = || shop.fake.state().heard.iter().filter(|call| **call == "upsert").count();
    let before = sent();
    let whole = (back.manifest.generation.as_str(), back.folder.as_path());
    shop.server.put(whole, back.manifest.dimensions, &|_, _| {}).await.unwrap();
    generation::roll_back(&shop.index(), None).unwrap();
    shop.server.name(&generations[1]).await.unwrap();
    assert_eq!((sent(), alias()), (before, named(&generations[1])));
    assert!(shop.open().await.is_ok());

    // A server that lost it is filled again from the generation's own folder.
    shop.fake.state().collections.remove(&named(&generations[1]));
    shop.server.put(whole, back.manifest.dimensions, &|_, _| {}).await.unwrap();
    assert!(sent() > before && shop.open().await.is_ok());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_step_that_fails_is_tried_again_and_a_run_that_fails_leaves_nothing() {
    let shop = Shop::new().await;
    let first = shop.build(0).await.unwrap();
    // The first call of a run only looks who is there; the steps after it have patience.
    shop.server.version().await.unwrap();
    shop.fake.state().away = 0;
    let folder = generation::current(&shop.index()).unwrap();
    shop.fake.state().collections.clear();
    let flaky = async {
        let sending = |_, _| shop.fake.state().away = 3;
        shop.server.put((&first, &folder), HashedLetters.dimensions(), &sending).await
    };
    flaky.await.unwrap();
    assert!(shop.open().await.is_ok());

    shop.fake.state().collections.clear();
    let gone = |_, _| shop.fake.state().away = QUICK.tries as usize;
    let error = shop.server.put((&first, &folder), HashedLetters.dimensions(), &gone).await.unwrap_err();
    let told = format!("{error:#}");
    assert!(
        told.contains(&shop.fake.url) && told.contains("index.qdrant.url") && told.contains("going down"),
        "{told}"
    );
    assert!(shop.fake.state().collections.is_empty(), "half a collection is not left behind");

    shop.fake.state().away = usize::MAX;
    assert!(shop.build(1).await.is_err());
    let serving = generation::current(&shop.index()).unwrap();
    assert!(serving.ends_with(&first), "the generation before goes on serving");
}

#[tokio::test(flavor = "multi_thread")]
async fn without_the_server_words_answer() {
    let shop = Shop::new().await;
    shop.build(0).await.unwrap();
    let index = shop.open().await.unwrap();
    let hybrid = (SearchMode::Hybrid, &Only::default());
    let whole = ask(&index, "electric kettle", hybrid).await;
    assert!(whole.iter().any(|hit| hit.vector.is_some()));

    shop.fake.state().away = usize::MAX;
    let by_words = ask(&index, "electric kettle", hybrid).await;
    assert!(!by_words.is_empty() && by_words.iter().all(|hit| hit.vector.is_none() && hit.lexical.is_some()));
    let trouble = index.degraded().unwrap();
    assert!(trouble.contains("by words alone") && trouble.contains(&shop.fake.url), "{trouble}");
    assert!(shop.open().await.unwrap().degraded().is_some(), "a server that is away does not keep the shop closed");

    shop.fake.state().away = 0;
    assert_same("again", &ask(&index, "electric kettle", hybrid).await, &whole);
    assert_eq!(index.degraded(), None);
}

async fn refused(server: &Server, shop: &Shop) -> String {
    let opened = Index::open_beside(&shop.index(), &HashedLetters.model(), server).await;
    format!("{:#}", opened.err().expect("must be refused"))
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_wrong_is_said_with_the_address_and_the_fix() {
    let shop = Shop::new().await;
    let generation = shop.build(0).await.unwrap();
    let collection = format!("truetill-{generation}");
    let check = |told: String, parts: &[&str]| {
        assert!(parts.iter().all(|part| told.contains(part)) && told.contains(&shop.fake.url), "{told}");
    };
    shop.fake.state().key = Some("right");
    check(refused(&shop.server, &shop).await, &["TRUETILL__INDEX__QDRANT__API_KEY"]);
    let mut keyed = settings(&shop.fake.url);
    keyed.api_key.0 = "right".to_string();
    assert!(Server::new(&keyed).unwrap().version().await.is_ok());
    assert!(!format!("{keyed:?}").contains("right"), "a key is never printed");
    shop.fake.state().key = None;

    shop.fake.state().collections.get_mut(&collection).unwrap().points.remove(&0);
    check(refused(&shop.server, &shop).await, &["holds", &collection, "truetill index --to qdrant"]);
    shop.fake.state().collections.remove(&collection);
    check(refused(&shop.server, &shop).await, &["no such collection", "truetill index --to qdrant"]);
    shop.fake.state().version = "1.9.2";
    check(format!("{:#}", shop.server.version().await.unwrap_err()), &["1.9.2", "1.16", "upgrade"]);

    let nobody = Server::new(&settings("http://127.0.0.1:1")).unwrap().with_patience(QUICK);
    let told = format!("{:#}", nobody.version().await.unwrap_err());
    assert!(told.contains("http://127.0.0.1:1") && told.contains("6334, not 6333"), "{told}");
}
