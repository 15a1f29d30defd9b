//! Every kind of bad input, through a whole run: what is reported, what is kept, and that the index stands.

use std::path::{Path, PathBuf};

use jiff::tz::TimeZone;

use super::*;
use crate::domain::product::Quote;
use crate::engine::Catalog;
use crate::generation;
use crate::store::{CatalogSettings, CatalogStore};

const MUG: &str =
    r#"{"id":"MUG","name":{"en":"Mug"},"variants":[{"sku":"MUG-1","prices":[{"currency":"EUR","amount":"7.50"}]}]}"#;

struct Shop {
    folder: tempfile::TempDir,
    request: IndexRequest,
}

impl Shop {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        std::fs::create_dir(folder.path().join("feeds")).unwrap();
        let request = IndexRequest {
            catalogs: Vec::new(),
            terms: std::collections::BTreeMap::new(),
            policies: None,
            profile: None,
            profiles: folder.path().join("feeds"),
            format: None,
            categories: None,
            messages: None,
            currency: None,
            language: None,
            index: folder.path().join("index"),
            time_zone: TimeZone::UTC,
            dry_run: false,
            strict: false,
            max_shrink: 0.5,
            now: "2026-11-10T12:00:00Z".parse().unwrap(),
        };
        Shop { folder, request }
    }

    fn with(files: &[(&str, &[u8])]) -> Self {
        let mut shop = Shop::new();
        for (name, content) in files {
            let path = shop.write(name, content);
            if !name.contains('/') {
                shop.request.catalogs.push(path);
            }
        }
        shop
    }

    fn write(&self, name: &str, content: &[u8]) -> PathBuf {
        let path = self.folder.path().join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(&path, content).unwrap();
        path
    }

    async fn run(&self) -> Report {
        run(&self.request, &NoShelves, &|_| false).await.unwrap()
    }

    async fn quote(&self, id: &str) -> Quote {
        let folder = generation::current(&self.request.index).unwrap();
        let generation = folder.file_name().unwrap().to_string_lossy().to_string();
        let settings = CatalogSettings::default();
        let store = CatalogStore::open(&folder.join(generation::CATALOG), &generation, settings).await.unwrap();
        store.offers(&[id.into()], "EUR".parse().unwrap()).await.unwrap()[0].price.clone()
    }
}

/// The findings as `line code field`.
fn told(report: &Report) -> Vec<String> {
    let one = |finding: &Finding| {
        assert!(!finding.fix.is_empty() && !finding.file.is_empty(), "{finding}");
        format!("{} {} {}", finding.line, finding.code, finding.field.as_deref().unwrap_or("-"))
    };
    report.findings.iter().map(one).collect()
}

async fn check(feed: &[u8], products: u64, expected: &[&str]) {
    let report = Shop::with(&[("products.jsonl", feed)]).run().await;
    assert_eq!(told(&report), expected, "{}", String::from_utf8_lossy(feed));
    assert_eq!(report.products, products);
    assert_eq!(report.succeeded(), products > 0);
}

fn product(id: &str, prices: &str) -> String {
    format!(r#"{{"id":"{id}","name":{{"en":"Thing"}},"variants":[{{"sku":"{id}-1","prices":[{prices}]}}]}}"#)
}

#[tokio::test]
async fn bad_rows_are_named_and_left_out() {
    let feed = |row: &str| format!("{MUG}\n{row}\n").into_bytes();
    check(&feed("{\"id\":"), 1, &["2 broken_row -"]).await;
    check(&feed("[1,2]"), 1, &["2 broken_row -"]).await;
    check(&feed(r#"{"id":"X","name":{"en":"X"},"variants":[],"weight":3}"#), 1, &["2 unknown_field weight"]).await;
    check(&feed(r#"{"id":"X","name":{"de":"X"},"variants":[]}"#), 1, &["2 broken_row de"]).await;
    check(&feed(r#"{"id":"X","name":{"en":"X"},"variants":[]}"#), 1, &["2 no_variant -"]).await;
    check(&feed(r#"{"id":"X","name":{"en":" "},"variants":[]}"#), 1, &["2 no_name name"]).await;
    check(&feed(r#"{"id":" ","name":{"en":"X"},"variants":[]}"#), 1, &["2 no_id id"]).await;
    check(&feed(MUG), 1, &["2 duplicate_id id"]).await;
    let same_sku = MUG.replace(r#""id":"MUG""#, r#""id":"CUP""#);
    check(&feed(&same_sku), 1, &["2 duplicate_sku sku", "2 no_variant -"]).await;
    let mut bytes = format!("{MUG}\n").into_bytes();
    bytes.extend(b"{\"id\":\"\xff\xfe\"}\n");
    check(&bytes, 1, &["2 invalid_utf8 -"]).await;
    let accessory = MUG.replace(r#""variants""#, r#""accessories":["NONE"],"variants""#);
    check(accessory.as_bytes(), 1, &["1 unknown_accessory accessories"]).await;
}

#[tokio::test]
async fn bad_prices_leave_the_product_not_quotable() {
    let bad = async |prices: &str, expected: &[&str]| {
        let mut expected = expected.to_vec();
        expected.push("1 not_quotable prices");
        check(product("A", prices).as_bytes(), 1, &expected).await;
    };
    bad("", &[]).await;
    bad(r#"{"amount":"7.50"}"#, &["1 bad_price currency"]).await;
    bad(r#"{"amount":"7.50","currency":"EURO"}"#, &["1 bad_price currency"]).await;
    bad(r#"{"amount":"7,50","currency":"EUR"}"#, &["1 bad_price amount"]).await;
    bad(r#"{"amount":7.5,"currency":"EUR"}"#, &["1 bad_price amount"]).await;
    bad(r#"{"amount":"-7.50","currency":"EUR"}"#, &["1 bad_price amount"]).await;
    bad(r#"{"currency":"EUR"}"#, &["1 bad_price amount"]).await;
    bad(r#"{"amount":"0","currency":"EUR"}"#, &["1 zero_price amount"]).await;
    bad(r#"{"amount":"7","currency":"EUR","until":"soon"}"#, &["1 bad_price until"]).await;
    let good = r#"{"amount":"7","currency":"EUR"}"#;
    check(product("A", &format!("{good},{good}")).as_bytes(), 1, &["1 duplicate_price prices"]).await;
    let old = r#"{"amount":"7","currency":"EUR","old":"6"}"#;
    check(product("A", old).as_bytes(), 1, &["1 old_price old"]).await;
}

#[tokio::test]
async fn a_price_without_currency_needs_one_from_the_operator() {
    let mut shop = Shop::with(&[("products.jsonl", product("A", r#"{"amount":"7.50"}"#).as_bytes())]);
    assert_eq!(shop.run().await.quotable, 0);
    assert_eq!(shop.quote("A").await, Quote::Missing);
    shop.request.currency = Some("EUR".parse().unwrap());
    assert_eq!(shop.run().await.quotable, 1);
    assert_eq!(shop.quote("A").await.now().unwrap().to_string(), "7.50 EUR");
}

#[tokio::test]
async fn stock_lines_are_read_after_all_products() {
    let stock = br#"{"sku":"MUG-1","place":"kosice","count":4}
{"sku":"MUG-9","place":"kosice","count":4}
{"sku":"MUG-1","place":"kosice","count":5}
{"sku":"MUG-1","place":"zilina","count":-1}
"#;
    let report = Shop::with(&[("a-stock.jsonl", stock), ("products.jsonl", MUG.as_bytes())]).run().await;
    assert_eq!(told(&report), ["2 unknown_sku sku", "3 duplicate_stock sku", "4 broken_row -"]);
    assert_eq!(report.stock_lines, 1);
}

#[tokio::test]
async fn an_empty_or_strictly_bad_feed_never_replaces_a_good_index() {
    let mut shop = Shop::with(&[("products.jsonl", MUG.as_bytes())]);
    let Outcome::Switched { generation } = shop.run().await.outcome else { panic!("must switch") };
    let serving = || generation::current(&shop.request.index).unwrap().ends_with(&generation);

    shop.write("products.jsonl", b"\n\n");
    let report = shop.run().await;
    assert_eq!(told(&report), ["0 empty_feed -"]);
    assert!(!report.succeeded() && serving());

    shop.write("products.jsonl", format!("{MUG}\nbroken\n").as_bytes());
    shop.request.strict = true;
    let report = shop.run().await;
    let Outcome::Refused { reason } = report.outcome else { panic!("must be refused") };
    assert!(reason.contains("1 errors with --strict"), "{reason}");
    assert!(generation::current(&shop.request.index).unwrap().ends_with(&generation));

    shop.request.strict = false;
    shop.request.dry_run = true;
    let report = shop.run().await;
    assert_eq!((report.outcome, report.products, report.errors), (Outcome::DryRun, 1, 1));
    let left: Vec<_> =
        std::fs::read_dir(&shop.request.index).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert_eq!(left.len(), 3, "{left:?}: a lock, a pointer and one generation");
}

const MAPPING: &str = r#"
format = "csv"
delimiter = ";"
language = "sk"
id = "kod"
title = "nazov"
codes = ["ean"]
[price]
column = "cena"
unit = "major"
decimal = ","
currency_column = "mena"
[stock]
column = "sklad"
place = "zilina"
"#;

#[tokio::test]
async fn a_table_is_read_through_its_mapping() {
    let feed = "\u{feff}kod;nazov;ean;cena;mena;sklad;pozn\nA;\"Hrnček; modrý\";;7,50;EUR;3;x\nB;Tanier;;9,00;;;\n\
                C;Miska;;abc;EUR;1;\nD;Lyžica;;1,00\nA;Hrniec;;5,00;EUR;1;\nE;Vidlička;;3,00;EUR;veľa;\n";
    let mut shop = Shop::with(&[("feeds/sk.toml", MAPPING.as_bytes()), ("feed.csv", feed.as_bytes())]);
    let report = shop.run().await;
    let expected = [
        "3 no_currency cena",
        "3 not_quotable prices",
        "4 bad_price cena",
        "4 not_quotable prices",
        "5 broken_row -",
        "6 duplicate_id id",
        "7 bad_stock sklad",
        "1 unknown_column pozn",
    ];
    assert_eq!(told(&report), expected);
    assert_eq!((report.products, report.quotable, report.stock_lines), (4, 2, 2));
    assert_eq!(shop.quote("A").await.now().unwrap().to_string(), "7.50 EUR");

    let mut bytes = feed.as_bytes().to_vec();
    bytes.extend(b"F;\xff;;1,00;EUR;1;\n");
    shop.write("feed.csv", &bytes);
    assert!(told(&shop.run().await).contains(&"8 invalid_utf8 nazov".to_string()));

    shop.write("feed.csv", b"sku;name\nA;B\n");
    let report = shop.run().await;
    assert!(!report.succeeded());
    let told = report.findings[0].to_string();
    assert!(told.contains("feed.csv:1") && told.contains("fits the columns `sku;name`"), "{told}");
    shop.request.profile = Some(shop.folder.path().join("feeds/sk.toml"));
    let told = shop.run().await.findings[0].to_string();
    assert!(told.contains("feed.csv:1: error: kod: the column `kod` of sk is missing"), "{told}");
}

#[tokio::test]
async fn the_shipped_mapping_reads_cents_without_quoting() {
    let feed = "id\tean\tbrand\ttype\tcolour\tprice_cents\tmpn\ttitle\tshort_description\n\
                1\t0001\tHP\t\tGrey\t4995\tM-1\t17\" screen \\\\ stand\tone\\ttwo\n";
    let mut shop = Shop::with(&[("feed.tsv", feed.as_bytes())]);
    shop.request.profiles = Path::new(env!("CARGO_MANIFEST_DIR")).join("data/feeds");
    shop.request.currency = Some("EUR".parse().unwrap());
    let report = shop.run().await;
    assert_eq!((told(&report), report.quotable), (vec![], 1));
    assert_eq!(shop.quote("1").await.now().unwrap().to_string(), "49.95 EUR");
}

fn policy(front: &str, body: &str) -> Vec<u8> {
    format!("---\n{front}\n---\n{body}").into_bytes()
}

#[tokio::test]
async fn policies_in_force_become_passages() {
    let body = "# Vrátenie\nÚvod.\n\n## Do kedy\nTovar vrátite do 30 dní\nod doručenia.\n\n## Ako\n- Napíšte **nám**.\n- Pošlite balík.\n\n## Prázdne\n";
    let front = "document: returns\ntitle: Vrátenie\nlanguage: sk\nversion: \"2026-01\"\nvalid_from: 2026-01-01";
    let files = [
        ("policies/returns.sk.md", policy(front, body)),
        ("policies/returns.sk.old.md", policy(&format!("{front}\nvalid_to: 2026-10-31"), body)),
        (
            "policies/returns.sk.new.md",
            policy("document: returns\nlanguage: sk\nversion: 3\nvalid_from: 2027-01-01", body),
        ),
        ("policies/README.md", b"not a policy".to_vec()),
    ];
    let mut shop = Shop::with(&[("products.jsonl", MUG.as_bytes())]);
    files.iter().for_each(|(name, content)| drop(shop.write(name, content)));
    let folder = shop.folder.path().join("policies");
    shop.request.policies = Some(folder.clone());
    let report = shop.run().await;
    assert_eq!(told(&report), ["0 not_yet -", "0 expired -"]);
    assert_eq!(report.passages, 2);
    let passages = policies::read(&folder, "2026-11-10".parse().unwrap(), &mut Report::default()).unwrap();
    let texts: Vec<_> = passages.iter().map(|one| (one.id.as_str(), one.passage.text.as_str())).collect();
    let expected =
        [("returns.sk#1", "Tovar vrátite do 30 dní od doručenia."), ("returns.sk#2", "Napíšte nám.\nPošlite balík.")];
    assert_eq!(texts, expected);
}

#[test]
fn questions_stand_with_a_section_and_are_never_told() {
    let body = "## Gifts\n<!-- asked\ndo you wrap presents\n\n  can you add a card \n-->\nWe wrap gifts.\n<!-- a note of our own\n## Old terms\nReturn within 60 days.\n-->\n## Bare\nOpen.\n";
    let folder = tempfile::tempdir().unwrap();
    let front = "document: faq\nlanguage: en\nversion: 1";
    let write = |name: &str, body: &str| std::fs::write(folder.path().join(name), policy(front, body)).unwrap();
    write("faq.en.md", body);
    write("more.en.md", "## Open\nOne.\n<!-- asked\nhow long\n");
    let mut report = Report::default();
    let passages = policies::read(folder.path(), "2026-11-10".parse().unwrap(), &mut report).unwrap();
    assert_eq!(told(&report), ["8 open_comment -", "0 few_questions -"]);
    let all: Vec<_> = passages.iter().map(|one| (one.passage.text.as_str(), one.asked.clone())).collect();
    let asked = vec!["do you wrap presents".to_string(), "can you add a card".to_string()];
    assert_eq!(all, [("We wrap gifts.", asked), ("Open.", Vec::new())]);
}

#[tokio::test]
async fn bad_policies_are_named() {
    let front = "document: faq\nlanguage: en\nversion: 1";
    let bad = async |content: Vec<u8>, expected: &[&str]| {
        let mut shop = Shop::with(&[("products.jsonl", MUG.as_bytes())]);
        shop.write("policies/faq.en.md", &content);
        shop.request.policies = Some(shop.folder.path().join("policies"));
        let report = shop.run().await;
        assert_eq!(told(&report), expected);
        assert!(report.succeeded());
    };
    bad(b"# no front matter".to_vec(), &["1 no_front_matter -"]).await;
    bad(policy("document: faq\nlanguage: xx\nversion: 1", ""), &["3 bad_front_matter language"]).await;
    bad(policy("document: faq\nlanguage: en", ""), &["1 bad_front_matter version"]).await;
    bad(policy(&format!("{front}\nvalid_to: never"), ""), &["5 bad_front_matter valid_to"]).await;
    bad(policy(&format!("{front}\nauthor: x"), ""), &["5 bad_front_matter author"]).await;
    bad(policy(front, "text without a section"), &["6 no_section -"]).await;
    bad(b"---\nlanguage: en\n\xff\n".to_vec(), &["3 invalid_utf8 -"]).await;
    let mut shop = Shop::with(&[("products.jsonl", MUG.as_bytes())]);
    shop.write("policies/faq.en.1.md", &policy(front, "## A\nOne.\n"));
    shop.write("policies/faq.en.2.md", &policy(&front.replace("version: 1", "version: 2"), "## A\nTwo.\n"));
    shop.request.policies = Some(shop.folder.path().join("policies"));
    let report = shop.run().await;
    assert_eq!((told(&report), report.passages), (vec!["1 conflict version".to_string()], 0));
}

/// So many products in a feed.
fn shelf(products: usize) -> String {
    let price = r#"{"currency":"EUR","amount":"7.50"}"#;
    (0..products).map(|at| product(&format!("P{at}"), price) + "\n").collect()
}

#[tokio::test]
async fn a_feed_that_shrank_does_not_switch_by_itself() {
    let mut shop = Shop::with(&[("products.jsonl", shelf(10).as_bytes())]);
    assert!(shop.run().await.succeeded());
    let serving = || generation::current(&shop.folder.path().join("index")).unwrap();
    let first = serving();
    std::fs::write(&shop.request.catalogs[0], shelf(4)).unwrap();
    let Outcome::Refused { reason } = shop.run().await.outcome else { panic!("must be refused") };
    for part in ["4 products after 10", "more than 50 %", "index.max_shrink = 0.5", "truetill index --accept-shrink"] {
        assert!(reason.contains(part), "{reason}");
    }
    assert_eq!(serving(), first);
    // A dry run tells it too.
    shop.request.dry_run = true;
    assert!(!shop.run().await.succeeded());
    shop.request.dry_run = false;

    std::fs::write(&shop.request.catalogs[0], shelf(5)).unwrap();
    assert!(shop.run().await.succeeded(), "half of them is still allowed");
    std::fs::write(&shop.request.catalogs[0], shelf(1)).unwrap();
    assert!(!shop.run().await.succeeded());
    shop.request.max_shrink = 1.0;
    assert!(shop.run().await.succeeded(), "who says so gets it");
    shop.request.max_shrink = 0.0;
    std::fs::write(&shop.request.catalogs[0], shelf(30)).unwrap();
    assert!(shop.run().await.succeeded(), "growing is always allowed");
}

const DOCX_HEAD: &str = "<w:document xmlns:w=\"w\"><w:body>";

fn docx(paragraphs: &[(&str, &str)]) -> Vec<u8> {
    use std::io::Write;
    let one = |(style, text): &(&str, &str)| {
        format!(
            "<w:p><w:pPr>{style}</w:pPr><w:r><w:t>{text}</w:t></w:r><w:del><w:r><w:t>gone</w:t></w:r></w:del></w:p>"
        )
    };
    let body: String = paragraphs.iter().map(one).collect();
    let mut file = zip::ZipWriter::new(std::io::Cursor::new(Vec::new()));
    file.start_file("word/document.xml", zip::write::SimpleFileOptions::default()).unwrap();
    file.write_all(format!("{DOCX_HEAD}{body}</w:body></w:document>").as_bytes()).unwrap();
    file.finish().unwrap().into_inner()
}

#[tokio::test]
async fn policies_are_read_from_pages_and_documents() {
    let page = "<html><head><meta name=\"document\" content=\"returns\"><meta name='language' content='ru'>\
                <meta name=\"version\" content=\"2026-1\"></head><body><h1>Возврат</h1><h2>Срок</h2>\
                <p>Вернуть можно за 14&nbsp;дней.<span hidden>Ignore this.</span></p><ul><li>Сохраните <b>чек</b>.</li></ul></body>";
    let heading = "<w:pStyle w:val=\"Heading2\"/>";
    let document = docx(&[
        ("", "---"),
        ("", "document: warranty"),
        ("", "language: en"),
        ("", "version: 7"),
        ("", "---"),
        (heading, "How long"),
        ("", "Two &amp; a half years.\u{202e}"),
        ("<w:numPr/>", "Keep the receipt."),
    ]);
    let shop = Shop::new();
    shop.write("policies/returns.html", page.as_bytes());
    shop.write("policies/warranty.docx", &document);
    shop.write("policies/broken.docx", b"PK\x03\x04");
    shop.write(
        "policies/faq.en.md",
        &policy("document: faq\nlanguage: en\nversion: 1", "## A\nOne\u{202e}\u{200b}.\n"),
    );
    let mut report = Report::default();
    let folder = shop.folder.path().join("policies");
    let passages = policies::read(&folder, "2026-11-10".parse().unwrap(), &mut report).unwrap();
    assert_eq!(told(&report), ["0 broken_document -"]);
    let texts: Vec<_> =
        passages.iter().map(|one| (one.id.as_str(), one.passage.section.as_str(), one.passage.text.as_str())).collect();
    let expected = [
        ("faq.en#1", "A", "One."),
        ("returns.ru#1", "Срок", "Вернуть можно за 14 дней.\nСохраните чек."),
        ("warranty.en#1", "How long", "Two & a half years.\nKeep the receipt."),
    ];
    assert_eq!(texts, expected);
    assert_eq!(passages[2].passage.version, "7");
}
