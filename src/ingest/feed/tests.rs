//! Every format by its own file: what it is taken for and why, which products come out, and what is named.

use std::path::{Path, PathBuf};

use super::*;
use crate::domain::product::{Price, Variant};
use crate::ingest::feed::profile::Profile;

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).to_path_buf()
}

fn zone() -> TimeZone {
    TimeZone::get("Europe/Bratislava").unwrap()
}

fn price(price: &Price) -> String {
    let mut told = format!("{} {}", price.amount, price.currency);
    let mut add = |name: &str, value: Option<String>| told.extend(value.map(|value| format!(" {name} {value}")));
    add("old", price.old.clone());
    add("from", price.starts.map(|at| at.to_string()));
    add("until", price.until.map(|at| at.to_string()));
    add("ends", price.ends.map(|at| at.to_string()));
    told
}

fn variant(variant: &Variant, stock: &[crate::domain::product::StockLine]) -> String {
    let mut told = variant.sku.0.clone();
    for part in [&variant.size, &variant.colour].into_iter().flatten() {
        told.push_str(&format!(", {part}"));
    }
    told.push_str(": ");
    told.push_str(&variant.prices.iter().map(price).collect::<Vec<_>>().join(" & "));
    for line in stock.iter().filter(|line| line.sku == variant.sku) {
        told.push_str(&format!(" x{}", line.count));
    }
    told
}

/// The products of a feed as `id | name | category | variants`, then its findings as `line code field`.
fn check(file: &str, currency: Option<&str>, name: &str, expected: &[&str]) -> Report {
    let path = root().join("tests/data/feeds").join(file);
    let profiles = Profile::all(&root().join("data/feeds")).unwrap();
    let source = Source::open(&path, None).unwrap();
    let detected = detect(&path, &source, &profiles).unwrap_or_else(|finding| panic!("{finding}"));
    assert_eq!(detected.name, name, "{file}: {}", detected.reason);
    let Shape::Profiled(profile) = detected.shape else { panic!("{file} has no profile") };
    let zone = zone();
    let currency = currency.map(|code| code.parse().unwrap());
    let settings =
        Settings { currency, language: None, zone: &zone, hostile: &|text| text.contains("Ignore the rules") };
    let (mut report, mut told) = (Report::default(), Vec::new());
    let mut feed = Feed::open(&path, &profile, &settings).unwrap();
    while let Some(Assembled { product, stock, .. }) =
        feed.next(&mut report).unwrap_or_else(|finding| panic!("{finding}"))
    {
        let (language, name) = product.name.0.iter().next().map(|(language, name)| (*language, name.clone())).unwrap();
        let variants: Vec<String> = product.variants.iter().map(|one| variant(one, &stock)).collect();
        told.push(format!("{} | {language} {name} | {} | {}", product.id, product.category, variants.join("; ")));
    }
    feed.unknown(&mut report);
    told.extend(report.findings.iter().map(|finding| {
        assert!(!finding.fix.is_empty() && finding.file.ends_with(file), "{finding}");
        format!("{} {} {}", finding.line, finding.code, finding.field.as_deref().unwrap_or("-"))
    }));
    assert_eq!(told, expected, "{file}");
    report
}

#[test]
fn shopify_with_its_old_headers() {
    let report = check(
        "shopify-old.csv",
        Some("EUR"),
        "Shopify CSV (old headers)",
        &[
            "linen-shirt | en Linen shirt | Shirts | LS-S-W, S, White: 39.00 EUR old 49.00 x4; \
             LS-M-W, M, White: 39.00 EUR old 49.00 x0; linen-shirt/M/Blue, M, Blue: 41.50 EUR",
            "enamel-mug | en Enamel mug, 0.4 l | Mugs | EM-1: 12.00 EUR x0",
            "bad-price | en Felt bag | Bags | FB-1:  x3",
            "8 bad_price Variant Price",
        ],
    );
    assert_eq!((report.counts["not_for_sale"], report.counts["no_item"]), (1, 1));
}

#[test]
fn shopify_with_its_new_headers() {
    check(
        "shopify.csv",
        Some("EUR"),
        "Shopify CSV",
        &[
            "vlnene-ponozky | sk Vlnené ponožky | Ponožky | VP-39, 39-42: 11.90 EUR old 14.90 x12; \
             VP-43, 43-46: 11.90 EUR old 14.90 x3",
            "len-nazov | sk Len názov |  | len-nazov: ",
            "1 unknown_column Metafield: x",
        ],
    );
}

#[test]
fn woocommerce_with_variations_by_sku_and_by_id() {
    let report = check(
        "woocommerce.csv",
        Some("RUB"),
        "WooCommerce CSV",
        &[
            "12 | ru Чай чёрный | Чай | TEA-1: 249.50 RUB old 299.00 until 2026-11-30 x20",
            "44 | ru Толстовка «Ветер» | Толстовки | HOOD-M, M, Серый: 2490.00 RUB old 2990.00 \
             from 2026-11-30T23:00:00Z until 2026-12-24 ends 2026-12-24T11:00:00Z x5; HOOD-L, L, Синий: 2990.00 RUB x0",
            "53 | ru Свеча | Дом | SALE:  x1",
            "9 bad_price Date sale price starts",
        ],
    );
    assert_eq!(report.counts["not_for_sale"], 2);
}

#[test]
fn google_merchant_xml() {
    check(
        "google.xml",
        None,
        "Google Merchant XML",
        &[
            "LAMP | en Tripod lamp |  | LAMP: 89.90 USD x0",
            "T | en Harbour T-shirt | T-shirts | T-RED-M, M, Red: 19.50 EUR old 25.00 from 2026-11-19T23:00:00Z \
             until 2026-11-30 ends 2026-11-30T22:59:00Z; T-BLU-L, L, Blue: 26.00 EUR",
            "P-1 | en Phone 15 |  | P-1, Black: 700.00 EUR",
            "P-2 | en Phone 15 Pro |  | P-2, White: 900.00 EUR",
            "NO-CUR | en Rug € soft |  | NO-CUR: ",
            "TWO | en Vase |  | TWO: ",
            "38 ungrouped -",
            "44 no_currency price",
            "47 several_prices price",
            "47 unknown_word availability",
            "50 no_id id",
            "1 unknown_column wattage",
        ],
    );
}

#[test]
fn google_merchant_atom_table_and_workbook() {
    check("google-atom.xml", None, "Google Merchant XML", &["CUP-1 | zh 青瓷茶杯 200毫升 |  | CUP-1: 68.00 CNY x9"]);
    check(
        "google.tsv",
        None,
        "Google Merchant table",
        &["A-1 | en Oak board |  | A-1: 34.00 GBP", "A-2 | en Oak bowl |  | A-2:  x0", "3 bad_price sale_price"],
    );
    check(
        "workbook.xlsx",
        Some("EUR"),
        "Google Merchant table",
        &[
            "W-1 | zh 竹制砧板 |  | W-1: 59.90 CNY x12",
            "W-2 | en Bamboo & lid |  | W-2:  x0",
            "W-3 | en Vase |  | W-3: 24.90 EUR x2",
        ],
    );
}

#[test]
fn yandex_yml_in_windows_1251_packed_or_not() {
    for file in ["yml.xml", "yml-packed.gz"] {
        let report = check(
            file,
            Some("EUR"),
            "Yandex YML",
            &[
                "101 | ru Чайник «Север» 1,7 л | Чайники | 101, белый: 3490.00 RUB old 3990.00 x5",
                "102 | ru Тостер Север T-2 | Чайники | 102: ",
                "103 | ru Кровать на заказ |  | 103: ",
                "20 | ru Наушники Эхо | Техника | 201, 8 ГБ, чёрный: 5990.50 RUB; 202, 16 ГБ, чёрный: 6990.00 RUB",
                "301 | ru Плед | Техника | 301: 100.00 RUB",
                "302 | ru Плед | Техника | 302: 200.00 RUB",
                "401 | ru Ваза | Техника | 401: ",
                "15 bad_price price",
                "18 inexact_price price/@from",
                "21 ungrouped -",
                "23 bad_price currencyId",
            ],
        );
        assert_eq!(report.rows, 8);
    }
    let path = root().join("tests/data/feeds/yml.xml");
    let profile = Arc::new(Profile::read(&root().join("data/feeds/yml.toml")).unwrap());
    let zone = zone();
    let settings = Settings { currency: None, language: None, zone: &zone, hostile: &|_| false };
    let mut feed = Feed::open(&path, &profile, &settings).unwrap();
    let mut report = Report::default();
    let first = feed.next(&mut report).unwrap().unwrap().product;
    assert_eq!(first.description.get(Language::Ru), "Тихий.\nБыстрый.");
    assert_eq!(first.attributes["Мощность"].get(Language::Ru), "2200 Вт");
    assert_eq!((first.codes, first.accessories.len()), (vec!["4600000000016".to_string(), "SV-17".to_string()], 2));
    assert_eq!(first.url.as_deref(), Some("https://shop.example/101?a=1&b=2"));
    assert_eq!(feed.made(&mut report).unwrap().to_string(), "2026-11-20T09:00:00Z");
}

#[test]
fn heureka() {
    check(
        "heureka.xml",
        Some("EUR"),
        "Heureka XML",
        &[
            "B | sk Botasky Javor | Bežecké topánky | B-41, 41: 59.90 EUR; B-42, 42: 61.90 EUR",
            "S-1 | sk Sprej na topánky | Šport | S-1: ",
            "16 bad_price PRICE_VAT",
        ],
    );
    check(
        "heureka.xml",
        None,
        "Heureka XML",
        &[
            "B | sk Botasky Javor | Bežecké topánky | B-41, 41: ; B-42, 42: ",
            "S-1 | sk Sprej na topánky | Šport | S-1: ",
            "3 no_currency PRICE_VAT",
            "11 no_currency PRICE_VAT",
            "16 no_currency PRICE_VAT",
        ],
    );
}

#[test]
fn schema_org_pages() {
    check(
        "schema-org.html",
        None,
        "schema.org JSON-LD",
        &[
            "AK-1 | en Anvil kettle | Kettles | AK-1: 64.90 EUR",
            "RANGE | en Ladder |  | RANGE: ",
            "TWO | en Bench |  | TWO: ",
            "CLOAK | en Rain cloak |  | C-S, S, Green: 120.00 EUR x0; C-L, L, Green: 130.00 EUR x3",
            "16 several_prices offers/price",
            "18 broken_row -",
        ],
    );
}
