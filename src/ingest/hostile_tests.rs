//! Files made to break the readers: each ends in a report, the index that serves stays whole, and nothing grows.
//! Also how much memory a large feed takes, in a process of its own.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::Command;

use jiff::tz::TimeZone;

use super::*;

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).to_path_buf()
}

fn request(feed: &Path, index: &Path) -> IndexRequest {
    IndexRequest {
        catalogs: vec![feed.to_path_buf()],
        terms: std::collections::BTreeMap::new(),
        policies: None,
        profile: None,
        profiles: root().join("data/feeds"),
        format: None,
        categories: None,
        messages: None,
        currency: Some("EUR".parse().unwrap()),
        language: None,
        index: index.to_path_buf(),
        time_zone: TimeZone::get("Europe/Bratislava").unwrap(),
        dry_run: false,
        strict: false,
        max_shrink: 1.0,
        now: "2026-11-21T12:00:00Z".parse().unwrap(),
    }
}

/// A stream of numbers that is the same each time.
struct Dice(u64);

impl Dice {
    fn next(&mut self, below: usize) -> usize {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        ((self.0 >> 33) as usize) % below.max(1)
    }
}

fn fixtures() -> Vec<(String, Vec<u8>)> {
    let mut found: Vec<(String, Vec<u8>)> = std::fs::read_dir(root().join("tests/data/feeds"))
        .unwrap()
        .map(|entry| entry.unwrap())
        .map(|entry| (entry.file_name().to_string_lossy().into_owned(), std::fs::read(entry.path()).unwrap()))
        .collect();
    found.sort();
    found
}

/// Every fixture cut short, overwritten, doubled, packed and turned into other encodings.
fn broken_fixtures() -> Vec<(String, Vec<u8>)> {
    let mut made = Vec::new();
    let mut dice = Dice(7);
    for (name, bytes) in fixtures() {
        let mut add = |what: &str, bytes: Vec<u8>| made.push((format!("{what}-{name}"), bytes));
        for part in [1, 3, 5, 7] {
            add(&format!("cut{part}"), bytes[..bytes.len() * part / 8].to_vec());
        }
        for round in 0..3 {
            let mut noisy = bytes.clone();
            for _ in 0..20 {
                let at = dice.next(noisy.len());
                noisy[at] = dice.next(256) as u8;
            }
            add(&format!("noise{round}"), noisy);
        }
        let mut nulls = bytes.clone();
        (0..10).for_each(|_| nulls.insert(dice.next(nulls.len()), 0));
        add("nulls", nulls);
        add("twice", [bytes.as_slice(), bytes.as_slice()].concat());
        let wide: Vec<u8> = bytes.iter().flat_map(|byte| [*byte, 0]).collect();
        add("utf16", wide);
        let mut packed = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        packed.write_all(&bytes).unwrap();
        let mut packed = packed.finish().unwrap();
        packed.truncate(packed.len() * 2 / 3);
        add("gz", packed);
    }
    made
}

fn nested(open: &str, close: &str, times: usize) -> String {
    format!("{}{}", open.repeat(times), close.repeat(times))
}

/// Files written by hand against one weakness each.
fn hand_made() -> Vec<(String, Vec<u8>)> {
    let google = |inside: &str| {
        format!("<rss xmlns:g=\"http://base.google.com/ns/1.0\"><channel>{inside}</channel></rss>").into_bytes()
    };
    let item = |fields: &str| google(&format!("<item><g:id>A</g:id><g:title>A thing</g:title>{fields}</item>"));
    let long = "x".repeat(5 << 20);
    let mut bomb = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
    (0..64).for_each(|_| bomb.write_all(&[b' '; 1 << 20]).unwrap());
    let lol: String = (1..10).map(|n| format!("<!ENTITY l{n} \"{}\">", format!("&l{};", n - 1).repeat(10))).collect();
    let entities =
        format!("<!DOCTYPE rss [<!ENTITY l0 \"lol\">{lol}]><rss xmlns:g=\"http://base.google.com/ns/1.0\">&l9;</rss>");
    let outside = "<!DOCTYPE yml_catalog [<!ENTITY x SYSTEM \"file:///etc/passwd\">]><yml_catalog><offers><offer id=\"1\"><name>&x;</name></offer></offers></yml_catalog>";
    let csv = |rows: &str| format!("Handle,Title,Option1 Value,Variant Price\n{rows}").into_bytes();
    let page = |json: &str| format!("<!doctype html><script type=\"application/ld+json\">{json}</script>").into_bytes();
    let many: String = (0..3_000)
        .map(|n| format!("<item><g:id>V{n}</g:id><g:title>One</g:title><g:item_group_id>G</g:item_group_id></item>"))
        .collect();
    let mut list: Vec<(&str, Vec<u8>)> = vec![
        ("empty", Vec::new()),
        ("blank", b" \n\t\n".to_vec()),
        ("bom-only", b"\xef\xbb\xbf".to_vec()),
        ("zeros", vec![0; 100_000]),
        ("random", (0..50_000_u32).map(|n| (n.wrapping_mul(2_654_435_761) >> 13) as u8).collect()),
        ("one-lt", b"<".to_vec()),
        ("one-brace", b"{".to_vec()),
        ("one-bracket", b"[".to_vec()),
        ("open-tag", b"<rss".to_vec()),
        ("not-closed", google("<item>")),
        ("mismatched", google("<item><g:id>1</g:title></item>")),
        ("second-root", [google(""), google("")].concat()),
        ("entities", entities.into_bytes()),
        ("outside-entity", outside.as_bytes().to_vec()),
        ("parameter-entity", b"<!DOCTYPE rss [<!ENTITY % a SYSTEM \"http://x/\">%a;]><rss/>".to_vec()),
        ("unknown-entity", item("<g:description>&nosuch; &#x110000; &#0; &;</g:description>")),
        ("deep", google(&nested("<a>", "</a>", 200_000))),
        ("deep-in-item", item(&nested("<a>", "</a>", 900))),
        ("very-deep-in-item", item(&nested("<a>", "</a>", 200_000))),
        ("long-text", item(&format!("<g:description>{long}</g:description>"))),
        ("long-name", google(&format!("<item><g:id>1</g:id><g:title>{}</g:title></item>", "a ".repeat(9_000)))),
        ("long-attribute", google(&format!("<item x=\"{long}\"/>"))),
        ("long-comment", google(&format!("<!--{long}-->"))),
        ("long-cdata", item(&format!("<g:description><![CDATA[{long}]]></g:description>"))),
        (
            "many-attributes",
            google(&format!("<item {}/>", (0..50_000).map(|n| format!("a{n}=\"1\" ")).collect::<String>())),
        ),
        ("many-fields", item(&"<g:size>1</g:size>".repeat(50_000))),
        ("many-names", item(&(0..50_000).map(|n| format!("<f{n}>1</f{n}>")).collect::<String>())),
        ("many-variants", google(&many)),
        ("huge-price", item("<g:price>99999999999999999999999 EUR</g:price>")),
        ("negative-price", item("<g:price>-5.00 EUR</g:price>")),
        ("float-price", item("<g:price>1e3 EUR</g:price>")),
        ("nan-price", item("<g:price>NaN EUR</g:price>")),
        (
            "infinite-sale",
            item(
                "<g:price>5 EUR</g:price><g:sale_price>4 EUR</g:sale_price><g:sale_price_effective_date>9999999-01-01/x</g:sale_price_effective_date>",
            ),
        ),
        ("turned-price", item("<g:price>\u{202e}00.51 EUR</g:price>")),
        ("other-digits", item("<g:price>١٥.٠٠ EUR</g:price>")),
        ("hidden-name", google("<item><g:id>1</g:id><g:title>\u{200b}\u{e0041}\u{feff}</g:title></item>")),
        ("declared-utf16", b"<?xml version=\"1.0\" encoding=\"UTF-16\"?><rss/>".to_vec()),
        (
            "declared-nonsense",
            b"<?xml version=\"1.0\" encoding=\"klingon\"?><rss xmlns:g=\"http://base.google.com/ns/1.0\"/>".to_vec(),
        ),
        ("utf7", b"<?xml version=\"1.0\" encoding=\"UTF-7\"?>+ADw-rss+AD4-".to_vec()),
        ("odd-utf16", b"\xff\xfe<\0r\0s\0s\0>\0\xd8".to_vec()),
        ("gzip-bomb", bomb.finish().unwrap()),
        ("gzip-head", vec![0x1f, 0x8b, 8]),
        ("zip-head", b"PK\x03\x04".to_vec()),
        ("zip-of-nothing", b"PK\x05\x06\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0".to_vec()),
        ("quote-never-closed", csv(&format!("a,\"{long}"))),
        ("quotes", csv("a,\"\"\"\"\"\",\"\",\"\n\"\n")),
        ("wide-header", format!("Handle,Title,Option1 Value,Variant Price{}\n", ",x".repeat(50_000)).into_bytes()),
        ("wide-row", csv(&",".repeat(100_000))),
        ("same-columns", b"Handle,Title,Option1 Value,Variant Price,Title,Title\na,b,c,1,d,e\n".to_vec()),
        ("formulas", csv("=cmd|'/c calc'!A0,=1+1,@SUM(1),1.00\n")),
        ("header-only", csv("")),
        ("carriage-returns", b"Handle,Title,Option1 Value,Variant Price\ra,b,c,1\r".to_vec()),
        ("path-handle", csv("../../etc/passwd,Thing,x,1.00\n")),
        ("sql-handle", csv("'; DROP TABLE products; --,Thing,x,1.00\n")),
        ("json-deep", page(&nested("[", "]", 100_000))),
        ("json-deep-object", page(&format!("{}1{}", "{\"a\":".repeat(5_000), "}".repeat(5_000)))),
        ("json-duplicate", page("{\"@type\":\"Product\",\"sku\":\"1\",\"name\":\"a\",\"name\":\"b\"}")),
        (
            "json-numbers",
            page(
                "{\"@type\":\"Product\",\"sku\":1e400,\"name\":1,\"offers\":{\"price\":1e-9,\"priceCurrency\":\"EUR\"}}",
            ),
        ),
        ("json-wide", page(&format!("{{\"@type\":\"Product\",\"name\":[{}1]}}", "1,".repeat(100_000)))),
        ("json-surrogate", page("{\"@type\":\"Product\",\"sku\":\"1\",\"name\":\"\\ud800\"}")),
        ("script-never-closed", b"<html><script type=\"application/ld+json\">{".to_vec()),
        ("scripts", b"<html>".iter().copied().chain(b"<script>".repeat(50_000)).collect()),
        ("html-hidden", item(&format!("<g:description>{}</g:description>", "&lt;div hidden&gt;".repeat(20_000)))),
        ("html-tags", item(&format!("<g:description>{}</g:description>", "&lt;b a='".repeat(20_000)))),
        ("stars", item("<g:color>**********</g:color>")),
    ];
    list.push(("jsonl-deep", format!("{}{}", "{\"a\":".repeat(50_000), "}".repeat(50_000)).into_bytes()));
    list.push(("jsonl-long", [b"{\"id\":\"".as_slice(), long.as_bytes(), b"\"}\n{}"].concat()));
    list.into_iter().map(|(name, bytes)| (name.to_string(), bytes)).collect()
}

/// The most memory this process had, in MB; 0 where the system does not say.
fn peak_mb() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap_or_default();
    line.trim().trim_end_matches(" kB").parse::<u64>().unwrap_or(0) / 1024
}

#[tokio::test]
async fn hostile_files_end_in_a_report_and_never_switch_in_part() {
    let folder = tempfile::tempdir().unwrap();
    let index = folder.path().join("index");
    let good = root().join("tests/data/feeds/heureka.xml");
    run(&request(&good, &index), &NoShelves, &|_| false).await.unwrap();
    let mut files = broken_fixtures();
    let made = files.len();
    files.extend(hand_made());
    assert!(made >= 100 && files.len() - made >= 60, "{made} and {}", files.len() - made);
    let (mut refused, mut switched) = (0, 0);
    for (name, bytes) in &files {
        let feed = folder.path().join("feed");
        std::fs::write(&feed, bytes).unwrap();
        let before = std::fs::read_to_string(index.join("current")).unwrap();
        let report =
            run(&request(&feed, &index), &NoShelves, &|_| false).await.unwrap_or_else(|e| panic!("{name}: {e:#}"));
        let now = generation::current(&index).unwrap_or_else(|error| panic!("{name}: {error}"));
        match &report.outcome {
            Outcome::Refused { .. } => {
                refused += 1;
                assert_eq!(std::fs::read_to_string(index.join("current")).unwrap(), before, "{name}");
                assert!(!report.findings.is_empty(), "{name}: refused without a word");
            }
            Outcome::Switched { generation } => {
                switched += 1;
                assert!(now.ends_with(generation) && report.products > 0, "{name}");
                Manifest::read(&now).unwrap().verify(&now).unwrap_or_else(|error| panic!("{name}: {error}"));
            }
            Outcome::DryRun => panic!("{name}: it was no dry run"),
        }
        for finding in &report.findings {
            assert!(!finding.reason.is_empty() && !finding.fix.is_empty(), "{name}: {finding}");
        }
    }
    let left = std::fs::read_dir(&index)
        .unwrap()
        .filter(|entry| entry.as_ref().unwrap().file_name().to_string_lossy().ends_with(".building"));
    assert_eq!(left.count(), 0);
    eprintln!("hostile: {} files, {refused} refused, {switched} read in part, peak {} MB", files.len(), peak_mb());
}

/// A YML feed of `offers` offers, four variants to a product.
fn large(path: &Path, offers: usize) {
    let mut file = std::io::BufWriter::new(std::fs::File::create(path).unwrap());
    writeln!(file, "<?xml version=\"1.0\"?><yml_catalog date=\"2026-11-20 10:00\"><shop><categories>").unwrap();
    (0..50).for_each(|n| writeln!(file, "<category id=\"{n}\">Раздел {n}</category>").unwrap());
    writeln!(file, "</categories><offers>").unwrap();
    for n in 0..offers {
        let (group, size) = (n / 4, 40 + n % 4);
        writeln!(
            file,
            "<offer id=\"{n}\" group_id=\"{group}\" available=\"true\"><name>Ботинки Тайга {group} р. {size}</name>\
             <price>{}</price><currencyId>RUB</currencyId><categoryId>{}</categoryId><vendor>Тайга</vendor>\
             <vendorCode>TG-{n}</vendorCode><barcode>{}</barcode><url>https://shop.example/{n}</url>\
             <description><![CDATA[<p>Зимние ботинки из плотной кожи с тёплой подкладкой, шнуровкой и литой подошвой. \
             Подходят для города и леса.</p><ul><li>Материал: кожа</li><li>Подкладка: шерсть</li></ul>]]></description>\
             <param name=\"Размер\">{size}</param><param name=\"Материал\">кожа</param><count>{}</count></offer>",
            1_000 + n % 9_000,
            n % 50,
            4_600_000_000_000_u64 + n as u64,
            n % 20,
        )
        .unwrap();
    }
    writeln!(file, "</offers></shop></yml_catalog>").unwrap();
}

#[tokio::test]
#[allow(clippy::print_stdout, reason = "it is read by the test that started it")]
async fn child() {
    let Ok(feed) = std::env::var("LARGE_FEED") else { return };
    let mut request = request(Path::new(&feed), Path::new("unused"));
    request.dry_run = true;
    let report = run(&request, &NoShelves, &|_| false).await.unwrap();
    println!("LARGE {} {} {} {:.1}", report.products, report.variants, peak_mb(), report.seconds);
}

/// `FEED_ITEMS=500000 cargo test a_large_feed_is_streamed -- --nocapture` measures the figure of the README.
#[test]
fn a_large_feed_is_streamed() {
    let items: usize = std::env::var("FEED_ITEMS").ok().and_then(|items| items.parse().ok()).unwrap_or(20_000);
    let folder = tempfile::tempdir().unwrap();
    let feed = folder.path().join("large");
    large(&feed, items);
    let output = Command::new(std::env::current_exe().unwrap())
        .args(["ingest::hostile_tests::child", "--exact", "--nocapture"])
        .env("LARGE_FEED", &feed)
        .output()
        .unwrap();
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let line = text.lines().find_map(|line| line.split("LARGE ").nth(1)).unwrap_or_else(|| panic!("{text}"));
    let numbers: Vec<f64> = line.split(' ').map(|number| number.parse().unwrap()).collect();
    assert_eq!((numbers[0] as usize, numbers[1] as usize), (items / 4, items));
    assert!(numbers[2] <= 400.0, "{} MB", numbers[2]);
    let bytes = std::fs::metadata(&feed).unwrap().len() >> 20;
    eprintln!("large feed: {items} offers, {bytes} MB, peak {} MB, {} s", numbers[2], numbers[3]);
}
