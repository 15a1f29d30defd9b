//! A small index from building to answering: what is found, what a damaged one is called, what a crash leaves.

use std::path::{Path, PathBuf};

use async_trait::async_trait;
use jiff::Timestamp;

use super::*;
use crate::domain::Product;
use crate::domain::fact::Passage;
use crate::engine::{Embed, EmbedInput, Only, SearchMode};

/// Hashes runs of three letters: texts that share spelling are near.
struct Trigrams(&'static str);

#[async_trait]
impl Embed for Trigrams {
    async fn embed(&self, _: EmbedInput, texts: Vec<String>) -> anyhow::Result<Vec<Vec<f32>>> {
        let one = |text: &String| {
            let letters: Vec<u32> = text.to_lowercase().chars().map(u32::from).collect();
            let mut vector = vec![0.001_f32; 64];
            letters.windows(3).for_each(|run| vector[((run[0] * 31 + run[1]) * 31 + run[2]) as usize % 64] += 1.0);
            let length = vector.iter().map(|value| value * value).sum::<f32>().sqrt();
            vector.iter().map(|value| value / length).collect()
        };
        Ok(texts.iter().map(one).collect())
    }

    fn model(&self) -> ModelId {
        ModelId { name: self.0.into(), sha256: "ab".repeat(32) }
    }

    fn dimensions(&self) -> usize {
        64
    }
}

const EMBED: Trigrams = Trigrams("trigrams");

const PRODUCTS: [&str; 5] = [
    r#"{"id":"KT-101","name":{"en":"Volna electric kettle 1.7 l","ru":"чайник «Волна» 1,7 л","sk":"rýchlovarná kanvica Volna 1,7 l","zh":"“浪花”电热水壶 1.7升"},"brand":"Vetra","category":"kettles","codes":["VK-1700S"],"variants":[{"sku":"KT-101-SLV"},{"sku":"KT-101-BLK"}]}"#,
    r#"{"id":"KT-102","name":{"en":"Volna electric kettle 1.2 l","ru":"чайник «Волна» 1,2 л","sk":"rýchlovarná kanvica Volna 1,2 l","zh":"“浪花”电热水壶 1.2升"},"brand":"Vetra","category":"kettles","codes":["VK-1200S"],"variants":[{"sku":"KT-102-SLV"}]}"#,
    r#"{"id":"SH-1","name":{"en":"Running shoes Vetva","ru":"кроссовки «Ветка»","sk":"bežecké topánky Vetva","zh":"跑步鞋"},"category":"shoes","variants":[{"sku":"SH-1-42"}]}"#,
    r#"{"id":"BK-7","name":{"en":"Wireless keyboard","ru":"беспроводная клавиатура","sk":"bezdrôtová klávesnica","zh":"无线键盘"},"variants":[{"sku":"BK-7-1"}]}"#,
    r#"{"id":"CB-1","name":{"en":"HP Pavilion dv7-1211ea notebook 4 GB"},"variants":[{"sku":"CB-1"}]}"#,
];

const OTHERS: [&str; 4] =
    ["show me a kettle", "how much is the keyboard", "running shoes size 42", "where is my order"];

const PASSAGES: [(&str, &str, Language, &str); 3] = [
    ("returns.en#1", "Deadline", Language::En, "You may return goods within 30 days of delivery."),
    ("returns.sk#1", "Lehota", Language::Sk, "Tovar môžete vrátiť do 30 dní od doručenia."),
    ("warranty.en#1", "How long", Language::En, "The warranty lasts 24 months."),
];

fn passages() -> Vec<PassageEntry> {
    let one = |(id, section, language, text): &(&str, &str, Language, &str)| {
        let document = id.split('.').next().unwrap().to_string();
        let (section, text) = ((*section).to_string(), (*text).to_string());
        PassageEntry {
            id: (*id).to_string(),
            passage: Passage { document, section, language: *language, version: "1".into(), text },
            asked: Vec::new(),
        }
    };
    PASSAGES.iter().map(one).collect()
}

fn at(second: i64) -> Timestamp {
    Timestamp::from_second(1_790_000_000 + second).unwrap()
}

async fn fill(building: &Building, before: Option<PathBuf>) -> (Built, Manifest) {
    filled(building, before, passages()).await
}

async fn filled(building: &Building, before: Option<PathBuf>, passages: Vec<PassageEntry>) -> (Built, Manifest) {
    let analyzer = Analyzer::new();
    let kinds = Kinds::from([("shoes".to_string(), vec![(Language::En, "footwear ; trainers".to_string())])]);
    let others = OTHERS.map(String::from).to_vec();
    let tools = Tools { analyzer: &analyzer, embed: &EMBED, kinds, others, progress: &|_, _| {} };
    let mut builder = Builder::create(building.folder(), before, tools).unwrap();
    for line in PRODUCTS {
        let product: Product = serde_json::from_str(line).unwrap();
        builder.add_product(&product).await.unwrap();
    }
    let built = builder.finish(passages).await.unwrap();
    let manifest = Manifest {
        schema: SCHEMA,
        generation: building.id().to_string(),
        built: at(0),
        embedder: EMBED.model(),
        dimensions: 64,
        products: built.products,
        passages: built.passages,
        sealed: true,
        files: Default::default(),
    };
    (built, manifest)
}

async fn build(index: &Path, second: i64) -> PathBuf {
    let building = Building::begin(index, at(second)).unwrap();
    let (_, manifest) = fill(&building, current(index).ok()).await;
    building.switch(manifest).unwrap()
}

async fn opened() -> (tempfile::TempDir, Index) {
    let folder = tempfile::tempdir().unwrap();
    build(folder.path(), 0).await;
    let index = Index::open(folder.path(), &EMBED.model()).unwrap();
    (folder, index)
}

async fn search(index: &Index, text: &str, mode: SearchMode) -> Vec<ProductHit> {
    let vector = EMBED.embed(EmbedInput::Query, vec![text.to_string()]).await.unwrap().pop();
    let query =
        ProductQuery { text: text.to_string(), vector, language: Language::En, mode, only: Only::default(), limit: 5 };
    index.products(&query).await.unwrap()
}

#[tokio::test]
async fn the_product_asked_for_comes_first() {
    let (_folder, index) = opened().await;
    let check = async |text: &str, id: &str| {
        let hits = search(&index, text, SearchMode::Lexical).await;
        assert_eq!(hits.first().map(|hit| hit.id.as_str()), Some(id), "{text}: {hits:?}");
    };
    check("how much is the Volna electric kettle 1.2 l?", "KT-102").await;
    check("сколько стоит чайник Волна 1.7 л", "KT-101").await;
    check("koľko stojí rýchlovarná kanvica Volna 1,2 l", "KT-102").await;
    check("kolko stoja bezecke topanky", "SH-1").await;
    check("电热水壶 1.7升 多少钱", "KT-101").await;
    check("跑步鞋多少钱", "SH-1").await;
    check("trainers", "SH-1").await;
    check("кросовки", "SH-1").await;
    check("klavesnice", "BK-7").await;
    check("wireles keybord", "BK-7").await;
    check("Pavillion 4GB", "CB-1").await;
    check("vk 1200s", "KT-102").await;
    check("KT101", "KT-101").await;
}

#[tokio::test]
async fn coverage_tells_whether_it_is_the_one() {
    let (_folder, index) = opened().await;
    let hits = search(&index, "how much is Volna electric kettle 1.7 l", SearchMode::Hybrid).await;
    assert_eq!((hits[0].id.as_str(), hits[0].name_in_query, hits[0].query_in_name), ("KT-101", 1.0, 1.0));
    let other = hits.iter().find(|hit| hit.id.as_str() == "KT-102").unwrap();
    assert!(other.name_in_query < 1.0 && other.query_in_name < 1.0, "{other:?}");
    assert!(other.lexical.is_some() && other.vector.is_some());
    let hits = search(&index, "volna microwave", SearchMode::Hybrid).await;
    assert!(hits.iter().all(|hit| hit.name_in_query < 0.5 && hit.query_in_name <= 0.5), "{hits:?}");
}

#[tokio::test]
async fn words_of_names_and_kinds_are_known() {
    let (_folder, index) = opened().await;
    let check = async |text: &str, language: Language, words: usize, known: usize| {
        let vector = EMBED.embed(EmbedInput::Query, vec![text.to_string()]).await.unwrap().pop();
        let only = Only::default();
        let query = ProductQuery { text: text.into(), vector, language, mode: SearchMode::Hybrid, only, limit: 5 };
        let told = index.familiar(&query).await.unwrap();
        assert_eq!((told.words, told.known), (words, known), "{text}");
    };
    check("electric kettle", Language::En, 2, 2).await;
    check("trainers", Language::En, 1, 1).await;
    check("electric guitar", Language::En, 2, 1).await;
    check("dishwasher", Language::En, 1, 0).await;
    // None of the products has a name in this language, so nothing is known of its words.
    let only = r#"{"id":"CB-1","name":{"en":"HP Pavilion notebook"},"variants":[{"sku":"CB-1"}]}"#;
    let product: Product = serde_json::from_str(only).unwrap();
    let names = super::names::Names::new(
        vec![super::names::NameEntry::new(&product, &Analyzer::new(), 1)],
        &super::concepts::Concepts::new(&Analyzer::new()),
    );
    assert!(names.are_in(Language::En) && !names.are_in(Language::Ru));
}

#[tokio::test]
async fn a_code_names_its_variant() {
    let (_folder, index) = opened().await;
    let hit = search(&index, "is kt 101 blk in stock", SearchMode::Hybrid).await.remove(0);
    assert_eq!((hit.id.as_str(), hit.sku.as_ref().map(|sku| sku.as_str())), ("KT-101", Some("KT-101-BLK")));
    let hit = search(&index, "КТ-102", SearchMode::Hybrid).await.remove(0);
    assert_eq!((hit.id.as_str(), hit.sku), ("KT-102", None));
}

#[tokio::test]
async fn nothing_is_found_for_nothing() {
    let (_folder, index) = opened().await;
    for text in ["", "???", "сколько стоит", "zzzzqqqq"] {
        assert_eq!(search(&index, text, SearchMode::Lexical).await, [], "{text}");
    }
    assert_eq!(search(&index, "keyboard", SearchMode::Vector).await[0].lexical, None);
}

#[tokio::test]
async fn passages_are_found_by_language_and_document() {
    let (_folder, index) = opened().await;
    let ask = async |text: &str, language, document: Option<&str>| {
        let document = document.map(str::to_string);
        let query = PassageQuery { text: text.into(), vector: None, language, document, limit: 3 };
        index.passages(&query).await.unwrap().into_iter().map(|hit| hit.id).collect::<Vec<_>>()
    };
    assert_eq!(ask("returning goods", Language::En, None).await[0], "returns.en#1");
    assert_eq!(ask("vratit tovar", Language::Sk, None).await, ["returns.sk#1"]);
    assert_eq!(ask("goods warranty", Language::En, Some("warranty")).await, ["warranty.en#1"]);
}

#[tokio::test]
async fn what_is_asked_of_a_section_tells_which_one_answers() {
    let asked = |id: &str| match id {
        "returns.en#1" => [
            "may i send it back",
            "i changed my mind",
            "it does not fit me",
            "wrong colour, what now",
            "too small, send it back?",
            "can i return shoes",
            "i do not like it",
            "how do i send it back",
            "take it back please",
            "until when may i return it",
        ]
        .as_slice(),
        "warranty.en#1" => [
            "it broke after a year",
            "the motor died",
            "do you repair things",
            "stopped working",
            "is it under warranty",
            "who repairs it",
            "it will not switch on",
            "how long is the warranty",
            "the battery is dead",
            "a part broke off",
        ]
        .as_slice(),
        _ => &[],
    };
    let mut entries = passages();
    entries.iter_mut().for_each(|entry| entry.asked = asked(&entry.id).iter().map(|text| text.to_string()).collect());
    let folder = tempfile::tempdir().unwrap();
    let building = Building::begin(folder.path(), at(0)).unwrap();
    let (_, manifest) = filled(&building, None, entries).await;
    building.switch(manifest).unwrap();
    let index = Index::open(folder.path(), &EMBED.model()).unwrap();
    let ask = async |text: &str, language| {
        let vector = EMBED.embed(EmbedInput::Query, vec![text.to_string()]).await.unwrap().pop();
        let query = PassageQuery { text: text.into(), vector, language, document: None, limit: 3 };
        index.passages(&query).await.unwrap().into_iter().map(|hit| (hit.id, hit.standing)).collect::<Vec<_>>()
    };
    let least = index.least_standing(Language::En).unwrap();
    // Of twenty questions five are kept back, which tell nothing: what is usual holds.
    assert_eq!((least, index.least_standing(Language::Sk)), (-0.6, None));
    for (question, answer) in [
        ("it doesn't fit, i changed my mind", "returns.en#1"),
        ("the motor stopped working", "warranty.en#1"),
        ("who repairs the dead motor?", "warranty.en#1"),
    ] {
        assert_eq!(ask(question, Language::En).await[0].0, answer, "{question}");
    }
    let far = async |text| ask(text, Language::En).await[0].1.unwrap();
    assert!(far("do you repair things").await > far("show me a kettle").await, "no rule answers a search");
    let slovak = ask("vratit tovar", Language::Sk).await;
    assert_eq!(slovak, [("returns.sk#1".to_string(), None)], "without questions the text alone decides");
}

#[tokio::test]
async fn unchanged_texts_are_not_embedded_again() {
    let folder = tempfile::tempdir().unwrap();
    let first = build(folder.path(), 0).await;
    let building = Building::begin(folder.path(), at(1)).unwrap();
    let (built, _) = fill(&building, Some(first)).await;
    assert_eq!((built.embedded, built.reused), (0, 20));
}

fn refused(index: &Path, embedder: &ModelId) -> String {
    Index::open(index, embedder).err().expect("must be refused").to_string()
}

#[tokio::test]
async fn a_damaged_generation_is_refused_by_name() {
    for name in ["vectors.i8", "vectors.f32", "names.jsonl", "passages.jsonl", "lexical/products/meta.json"] {
        let folder = tempfile::tempdir().unwrap();
        let generation = build(folder.path(), 0).await;
        let file = generation.join(name);
        let whole = std::fs::read(&file).unwrap();
        let check = |reason: &str| {
            let error = refused(folder.path(), &EMBED.model());
            let expected = format!("{} does not match manifest.json ({reason}): run make index", file.display());
            assert_eq!(error, expected);
        };
        std::fs::write(&file, &whole[..whole.len() / 2]).unwrap();
        check("wrong size");
        let mut flipped = whole.clone();
        flipped[whole.len() / 2] ^= 1;
        std::fs::write(&file, &flipped).unwrap();
        check("wrong sha256");
        std::fs::remove_file(&file).unwrap();
        check("missing or unreadable");
        std::fs::write(&file, &whole).unwrap();
        assert!(Index::open(folder.path(), &EMBED.model()).is_ok());
    }
}

#[tokio::test]
async fn what_does_not_fit_is_refused_with_the_fix() {
    let folder = tempfile::tempdir().unwrap();
    assert!(refused(folder.path(), &EMBED.model()).contains("current is missing: run make index"));
    let generation = build(folder.path(), 0).await;
    let error = refused(folder.path(), &Trigrams("other").model());
    assert!(error.contains("built by the embedder trigrams@abababab but other@abababab is configured"), "{error}");

    let manifest = generation.join(MANIFEST);
    let text = std::fs::read_to_string(&manifest).unwrap();
    std::fs::write(&manifest, text.replace("\"schema\": 1", "\"schema\": 9")).unwrap();
    assert!(refused(folder.path(), &EMBED.model()).contains("has layout 9, this program reads layout 1"));
    std::fs::write(&manifest, "{").unwrap();
    assert!(refused(folder.path(), &EMBED.model()).contains("does not match manifest.json"));
    std::fs::write(folder.path().join("current"), "../elsewhere").unwrap();
    assert!(refused(folder.path(), &EMBED.model()).contains("not a generation's id"));
    std::fs::write(folder.path().join("current"), "20200101T000000Z").unwrap();
    assert!(refused(folder.path(), &EMBED.model()).contains("20200101T000000Z is missing: run make index"));
}

#[tokio::test]
async fn a_crash_at_any_step_leaves_the_previous_generation_serving() {
    let folder = tempfile::tempdir().unwrap();
    let first = build(folder.path(), 0).await;
    let serving = || Index::open(folder.path(), &EMBED.model()).unwrap().generation().id;
    let first_id = first.file_name().unwrap().to_string_lossy().to_string();

    // While building: a half-written folder is left.
    let half = folder.path().join("20990101T000000Z.building");
    std::fs::create_dir(&half).unwrap();
    std::fs::write(half.join("vectors.i8"), "half").unwrap();
    assert_eq!(serving(), first_id);

    // After the rename, before the switch: a whole generation nobody points to.
    let whole = folder.path().join("20200101T000000Z");
    std::fs::create_dir(&whole).unwrap();
    std::fs::copy(first.join(MANIFEST), whole.join(MANIFEST)).unwrap();
    std::fs::write(folder.path().join("current.next"), "20200101T000000Z").unwrap();
    assert_eq!(serving(), first_id);

    let second = build(folder.path(), 10).await;
    assert_eq!(serving(), second.file_name().unwrap().to_string_lossy());
    assert!(!half.exists() && !whole.exists() && first.exists(), "leftovers go, the generation before stays");
    build(folder.path(), 20).await;
    assert!(!first.exists() && second.exists(), "two are kept");
}

#[tokio::test]
async fn two_builders_never_work_at_once() {
    let folder = tempfile::tempdir().unwrap();
    let building = Building::begin(folder.path(), at(0)).unwrap();
    let error = Building::begin(folder.path(), at(1)).err().expect("must be refused").to_string();
    assert!(error.contains("another `index` run is building"), "{error}");
    let left = building.folder().to_path_buf();
    drop(building);
    assert!(!left.exists());
    assert!(Building::begin(folder.path(), at(2)).is_ok());
}

#[tokio::test]
async fn a_batch_writes_trec_lines() {
    let (folder, index) = opened().await;
    let (queries, out) = (folder.path().join("q.tsv"), folder.path().join("run"));
    std::fs::write(&queries, "1\tkettle\n2\tzzzzqqqq\n").unwrap();
    let how = batch::BatchMode { mode: SearchMode::Lexical, k: 2, policies: false };
    let summary = batch::search_batch(&index, Some(&EMBED), (&queries, &out), how).await.unwrap();
    assert_eq!((summary.queries, summary.lines, summary.empty), (2, 2, 1));
    let run = std::fs::read_to_string(&out).unwrap();
    assert!(run.lines().all(|line| line.starts_with("1 Q0 KT-10") && line.ends_with(" truetill")), "{run}");
    std::fs::write(&queries, "1\treturn goods after delivery\n").unwrap();
    let policies = batch::BatchMode { policies: true, ..how };
    batch::search_batch(&index, Some(&EMBED), (&queries, &out), policies).await.unwrap();
    assert!(std::fs::read_to_string(&out).unwrap().starts_with("1 Q0 returns 1 "));
    std::fs::write(&queries, "1 kettle\n").unwrap();
    let error = batch::search_batch(&index, None, (&queries, &out), how).await.unwrap_err().to_string();
    assert!(error.contains("q.tsv:1: expected `qid<TAB>query`"), "{error}");
}
