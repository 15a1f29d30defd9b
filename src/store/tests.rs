//! The catalog store against a real file: which price is told, in which currency, and when none is.

use std::path::PathBuf;
use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};

use super::cluster::{once_more, state};
use super::*;
use crate::domain::product::{Quote, StockLine};
use crate::domain::{Money, Product, ProductId, Sku};
use crate::engine::{Catalog, PriceRange};

const SHOE: &str = r#"{"id":"SH-101","name":{"en":"Runner"},"category":"shoes","codes":["4006381333931","MP-1"],
    "variants":[{"sku":"SH-101-42","size":"42","colour":"black"},{"sku":"SH-101-43","size":"43"}]}"#;
const MUG: &str = r#"{"id":"MUG","name":{"en":"Mug"},"codes":["MP-1"],"variants":[{"sku":"MUG"}]}"#;

#[test]
fn everything_of_the_store_holds_with_postgres() {
    once_more(&["store::"]);
}

fn at(text: &str) -> Timestamp {
    text.parse().unwrap()
}

fn money(text: &str) -> Money {
    let (amount, currency) = text.split_once(' ').unwrap();
    Money::parse(amount, currency.parse().unwrap()).unwrap()
}

async fn shop(folder: &tempfile::TempDir) -> PathBuf {
    let path = folder.path().join("catalog.db");
    let mut writer = CatalogWriter::create(&path, "g1", at("2026-11-01T08:00:00Z")).await.unwrap();
    let shoe: Product = serde_json::from_str(SHOE).unwrap();
    let mug: Product = serde_json::from_str(MUG).unwrap();
    let until = Some("2026-11-20".parse().unwrap());
    let terms = |now: &str, old: Option<&str>, until| PriceTerms {
        now: money(now),
        old: old.map(money),
        until,
        starts: None,
        ends: None,
    };
    let prices = vec![terms("19.90 EUR", Some("24.90 EUR"), until), terms("1990 RUB", None, None)];
    let sale_without_old = vec![terms("5.00 EUR", None, until)];
    let rows = [
        VariantRow { sku: "SH-101-42".into(), prices },
        VariantRow { sku: "SH-101-43".into(), prices: sale_without_old },
    ];
    writer.add(&shoe, &rows).await.unwrap();
    writer.add(&mug, &[]).await.unwrap();
    writer.add_stock(&StockLine { sku: "SH-101-42".into(), place: "kosice".into(), count: 3 }).await.unwrap();
    writer.finish().await.unwrap();
    path
}

async fn store(now: &str, max_age_minutes: Option<i64>) -> (tempfile::TempDir, CatalogStore) {
    let folder = tempfile::tempdir().unwrap();
    let path = shop(&folder).await;
    let now = at(now);
    let settings = CatalogSettings {
        max_age: max_age_minutes.map(SignedDuration::from_mins),
        time_zone: jiff::tz::TimeZone::get("Europe/Bratislava").unwrap(),
        clock: Arc::new(move || now),
    };
    (folder, CatalogStore::open(&path, "g1", settings).await.unwrap())
}

fn known(now: &str, old: Option<&str>, until: Option<&str>) -> Quote {
    Quote::Known { now: money(now), old: old.map(money), until: until.map(|day| day.parse().unwrap()) }
}

#[tokio::test]
async fn the_whole_range_is_told_by_price_and_by_kind() {
    let (_folder, store) = store("2026-11-10T12:00:00Z", None).await;
    let check = async |most: Option<i64>, dearest_first: bool, expected: &[&str]| {
        let range = PriceRange { currency: "EUR".parse().unwrap(), most, dearest_first, limit: 5 };
        let found = store.by_price(range).await.unwrap();
        assert_eq!(found.iter().map(ProductId::as_str).collect::<Vec<_>>(), expected, "{range:?}");
    };
    check(None, true, &["SH-101"]).await;
    check(Some(500), false, &["SH-101"]).await;
    check(Some(499), false, &[]).await;
    assert_eq!(store.kinds(5).await.unwrap(), ["shoes"]);
    assert_eq!(store.kinds(0).await.unwrap(), Vec::<String>::new());
}

async fn check(now: &str, sku: &str, currency: &str, expected: Quote) {
    let (_folder, store) = store(now, None).await;
    let ids = ["SH-101".into(), "MUG".into()];
    let offers = store.offers(&ids, currency.parse().unwrap()).await.unwrap();
    let offer = offers.iter().find(|offer| offer.sku.as_str() == sku).unwrap();
    assert_eq!(offer.price, expected, "{sku} in {currency} at {now}");
}

#[tokio::test]
async fn the_price_is_the_true_one_in_a_currency_of_the_feed() {
    let sale = known("19.90 EUR", Some("24.90 EUR"), Some("2026-11-20"));
    check("2026-11-10T12:00:00Z", "SH-101-42", "EUR", sale.clone()).await;
    check("2026-11-10T12:00:00Z", "SH-101-42", "RUB", known("1990 RUB", None, None)).await;
    check("2026-11-10T12:00:00Z", "SH-101-42", "USD", sale.clone()).await;
    // The last day counts, in the shop's zone: 22:59 UTC is still the 20th in Bratislava, 23:00 is not.
    check("2026-11-20T22:59:00Z", "SH-101-42", "EUR", sale).await;
    check("2026-11-20T23:00:00Z", "SH-101-42", "EUR", known("24.90 EUR", None, None)).await;
    check("2026-11-20T23:00:00Z", "SH-101-43", "EUR", Quote::Missing).await;
    check("2026-11-10T12:00:00Z", "MUG", "EUR", Quote::Missing).await;
}

#[tokio::test]
async fn an_old_price_of_a_live_source_is_never_told() {
    let (_folder, store) = store("2026-11-01T08:06:00Z", Some(5)).await;
    let eur = "EUR".parse().unwrap();
    let ids = ["SH-101".into()];
    let quote = |offers: Vec<crate::domain::Offer>| offers[0].price.clone();
    assert_eq!(quote(store.offers(&ids, eur).await.unwrap()), Quote::Stale);

    let state = state().await;
    let store = store.under(state.clone());
    let patched = async |patch: &str, as_of: &str| {
        let patch: Patch = serde_json::from_str(patch).unwrap();
        let word = Word { as_of: at(as_of), max_age_s: None };
        let batch = Batch { source: "erp", word, now: at("2026-11-01T08:06:00Z") };
        state.patch(&[patch], &batch).await.unwrap().remove(0)
    };
    let new = r#"{"sku":"SH-101-42","prices":[{"currency":"EUR","amount":"21.50"}]}"#;
    assert_eq!(patched(new, "2026-11-01T07:00:00Z").await, Patched::Applied);
    assert_eq!(quote(store.offers(&ids, eur).await.unwrap()), Quote::Stale, "the feed is newer");
    assert_eq!(patched(new, "2026-11-01T08:05:00Z").await, Patched::Applied);
    assert_eq!(quote(store.offers(&ids, eur).await.unwrap()), known("21.50 EUR", None, None));
    let older = r#"{"sku":"SH-101-42","prices":[{"currency":"EUR","amount":"1.00"}]}"#;
    assert_eq!(patched(older, "2026-11-01T08:04:00Z").await, Patched::Older);
    for wrong in [
        r#"{"sku":"SH-101-42"}"#,
        r#"{"sku":"SH-101-42","prices":[{"currency":"EUR","amount":"21,50"}]}"#,
        r#"{"sku":"SH-101-42","prices":[{"currency":"EUR","amount":"0"}]}"#,
        r#"{"sku":"SH-101-42","prices":[{"currency":"EUR","amount":"5","old":"4"}]}"#,
        r#"{"sku":"SH-101-42","prices":[{"currency":"EUR","amount":"5"},{"currency":"EUR","amount":"6"}]}"#,
        r#"{"sku":"SH-101-42","stock":[{"count":1},{"count":2}]}"#,
        r#"{"sku":"SH-101-42","stock":[{"count":1}],"as_of":"2026-11-02T00:00:00Z"}"#,
    ] {
        assert!(matches!(patched(wrong, "2026-11-01T08:06:00Z").await, Patched::Refused(..)), "{wrong}");
    }
    assert_eq!(quote(store.offers(&ids, eur).await.unwrap()), known("21.50 EUR", None, None));
    let none = r#"{"sku":"SH-101-42","prices":[]}"#;
    assert_eq!(patched(none, "2026-11-01T08:06:00Z").await, Patched::Applied);
    assert_eq!(quote(store.offers(&ids, eur).await.unwrap()), Quote::Missing, "it is not sold any more");
    assert_eq!(store.known(&[Sku::from("SH-101-42"), Sku::from("sh-101-42")]).await.unwrap(), [true, false]);
}

#[tokio::test]
async fn a_reduction_holds_between_its_moments_and_a_source_has_its_own_age() {
    let told = async |now: &str| {
        let (_folder, store) = store(now, None).await;
        let state = state().await;
        let patch = r#"{"sku":"SH-101-43","prices":[{"currency":"EUR","amount":"8.00","old":"10.00",
            "starts":"2026-11-10T23:00:00Z","ends":"2026-11-12T11:00:00Z"}],"stock":[{"place":"kosice","count":2}]}"#;
        let word = Word { as_of: at("2026-11-10T00:00:00Z"), max_age_s: Some(3 * 86_400) };
        let batch = Batch { source: "erp", word, now: at("2026-11-10T00:00:00Z") };
        let patches = [serde_json::from_str::<Patch>(patch).unwrap()];
        assert_eq!(state.patch(&patches, &batch).await.unwrap(), [Patched::Applied]);
        let offers = store.under(state).offers(&["SH-101".into()], "EUR".parse().unwrap()).await.unwrap();
        (offers[1].price.clone(), offers[1].in_stock())
    };
    assert_eq!(told("2026-11-10T22:59:59Z").await, (known("10.00 EUR", None, None), Some(2)));
    assert_eq!(told("2026-11-10T23:00:00Z").await, (known("8.00 EUR", Some("10.00 EUR"), None), Some(2)));
    assert_eq!(told("2026-11-12T11:00:00Z").await, (known("10.00 EUR", None, None), Some(2)));
    assert_eq!(told("2026-11-13T00:00:01Z").await, (Quote::Stale, None), "neither price nor count after its age");
}

#[tokio::test]
async fn stock_is_per_place_and_carries_its_age() {
    let (_folder, store) = store("2026-11-10T12:00:00Z", None).await;
    let state = state().await;
    let word = Word { as_of: at("2026-11-02T08:00:00Z"), max_age_s: None };
    let batch = Batch { source: "erp", word, now: at("2026-11-10T12:00:00Z") };
    let patch: Patch = serde_json::from_str(r#"{"sku":"SH-101-42","stock":[{"place":"zilina","count":4}]}"#).unwrap();
    assert_eq!(state.patch(&[patch], &batch).await.unwrap(), [Patched::Applied]);
    let store = store.under(state);
    let offers = store.offers(&["SH-101".into()], "EUR".parse().unwrap()).await.unwrap();
    assert_eq!((offers[0].in_stock(), offers[1].in_stock()), (Some(7), None));
    assert_eq!(offers[0].as_of, at("2026-11-01T08:00:00Z"), "as old as the oldest of price and stock");
}

#[tokio::test]
async fn products_come_in_the_order_asked_and_without_prices() {
    let (_folder, store) = store("2026-11-10T12:00:00Z", None).await;
    let ids = ["MUG", "nothing", "SH-101"].map(ProductId::from);
    let products = store.products(&ids).await.unwrap();
    assert_eq!(products.iter().map(|product| product.id.as_str()).collect::<Vec<_>>(), ["MUG", "SH-101"]);
    assert!(products.iter().flat_map(|product| &product.variants).all(|variant| variant.prices.is_empty()));
}

#[tokio::test]
async fn a_code_names_one_product_or_none() {
    let (_folder, store) = store("2026-11-10T12:00:00Z", None).await;
    let found = async |code: &str| {
        let hit = store.by_code(code).await.unwrap();
        hit.map(|(product, sku)| (product.0, sku.map(|sku| sku.0)))
    };
    let shoe = |sku: Option<&str>| Some(("SH-101".to_string(), sku.map(str::to_string)));
    assert_eq!(found("sh 101").await, shoe(None));
    assert_eq!(found("SH-101 42").await, shoe(Some("SH-101-42")));
    assert_eq!(found("4006381333931").await, shoe(None));
    assert_eq!(found("mug").await, Some(("MUG".into(), Some("MUG".into()))));
    assert_eq!(found("MP-1").await, None, "two products share it");
    assert_eq!(found(" - ").await, None);
}

#[tokio::test]
async fn a_catalog_of_another_generation_is_refused_by_name() {
    let folder = tempfile::tempdir().unwrap();
    let path = shop(&folder).await;
    let refused = async |path: &std::path::Path, generation| {
        let store = CatalogStore::open(path, generation, CatalogSettings::default()).await;
        format!("{:#}", store.err().expect("must be refused"))
    };
    let other = refused(&path, "g2").await;
    assert!(other.contains("written for generation g1, not for g2: run make index"), "{other}");
    let missing = refused(&folder.path().join("none.db"), "g1").await;
    assert!(missing.contains("none.db cannot be opened: run make index"), "{missing}");
    std::fs::write(folder.path().join("junk.db"), "not a database, not at all, no".repeat(100)).unwrap();
    let junk = refused(&folder.path().join("junk.db"), "g1").await;
    assert!(junk.contains("junk.db"), "{junk}");
}
