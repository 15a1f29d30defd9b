//! The guard over what the assistant itself says: nothing honest may be refused.

use std::path::Path;

use crate::domain::product::{Price, Variant};
use crate::domain::{Currency, Language, Localised, Product, ProductId, Sku};
use crate::guard::{Guard, Ledger, Verdict};

use super::guard::{self, Report};
use super::replies::{Reply, Shelf};

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// A file of the shared test data, from a checkout or from a worktree one level deeper.
fn shared(name: &str) -> Option<String> {
    let folders = ["../shared/data", "../../shared/data"].iter();
    let found = folders.filter_map(|folder| std::fs::read_to_string(root().join(folder).join(name)).ok()).next();
    if found.is_none() {
        eprintln!("skipped: ../shared/data/{name} is not there");
    }
    found
}

fn market(language: Language) -> Currency {
    let code = match language {
        Language::Ru => "RUB",
        Language::Zh => "CNY",
        Language::En | Language::Sk => "EUR",
    };
    code.parse().unwrap()
}

fn replies(shelf: &Shelf) -> Vec<Reply> {
    shelf.replies(market, "2026-11-23T09:00:00Z".parse().unwrap())
}

/// Prints what is refused and asserts that nothing is: as drafts, which is how the assistant speaks. The same
/// replies as imported free text, without spans, are counted only.
fn observe(what: &str, replies: &[Reply]) {
    let guard = Guard::new();
    let mut refused = Vec::new();
    let mut text_refused = 0;
    for reply in replies {
        let text: Vec<&str> = reply.draft.segments.iter().map(|segment| segment.text.as_str()).collect();
        let text = text.join("\n");
        let ledger = Ledger::from_facts(&reply.facts, "");
        if let Err(fault) = guard.check_text(reply.draft.language, &ledger, &text) {
            text_refused += 1;
            if std::env::var_os("GUARD_TRACE").is_some() {
                eprintln!("FREE {} {} {text:?}", fault.code, fault.detail);
            }
        }
        if let Verdict::Rejected(rejection) = guard.check(reply.draft.clone(), &reply.facts, "") {
            refused.push(format!("{text}: {:?}", rejection.violations));
        }
    }
    let count = replies.len();
    eprintln!("{what}: {count} replies, {} refused; as imported free text {text_refused} refused", refused.len());
    assert!(count >= 2000, "{what}: only {count} replies");
    refused.truncate(10);
    assert!(refused.is_empty(), "{what}: {refused:#?}");
}

#[test]
fn no_honest_reply_over_the_demo_shop_is_refused() {
    observe("demo shop", &replies(&Shelf::load(&root().join("data")).unwrap()));
}

#[test]
fn no_honest_reply_over_a_catalog_nobody_here_wrote_is_refused() {
    let Some(file) = shared("search_chorus_products.tsv") else { return };
    let products: Vec<Product> = file.lines().skip(1).step_by(61).filter_map(chorus).collect();
    observe("Chorus", &replies(&Shelf::load(&root().join("data")).unwrap().with_products(products)));
}

/// A row of the Chorus catalog; none without a price.
fn chorus(row: &str) -> Option<Product> {
    let column: Vec<&str> = row.split('\t').collect();
    let [id, _, brand, category, _, cents, mpn, title, description] = column.as_slice() else { return None };
    let cents: u64 = cents.parse().ok()?;
    let amount = format!("{}.{:02}", cents / 100, cents % 100);
    let price = Price { currency: market(Language::En), amount, old: None, until: None, starts: None, ends: None };
    Some(Product {
        id: ProductId(id.to_string()),
        name: Localised::only(Language::En, *title),
        description: Localised::only(Language::En, *description),
        brand: Some(brand.to_string()),
        category: category.to_string(),
        codes: vec![mpn.to_string()],
        attributes: Default::default(),
        accessories: Vec::new(),
        returnable: true,
        warranty_months: None,
        url: None,
        variants: vec![Variant { sku: Sku(id.to_string()), size: None, colour: None, prices: vec![price] }],
    })
}

/// Prints the table of `truetill bench guard`; only what is let through and refused is asserted.
#[test]
fn the_guard_beside_its_peers() {
    let guard = Guard::new();
    let mut report = Report::default();
    let attacks = std::fs::read_to_string(root().join("tests/data/guard_attacks.tsv")).unwrap();
    let files = [("attacks", Some(attacks)), ("catalogue", shared("guard_cases.tsv"))];
    for (name, file) in files.iter().filter_map(|(name, file)| Some((name, file.as_ref()?))) {
        guard::cases(&mut report, &guard, (name, file)).unwrap();
    }
    guard::replies(&mut report, &guard, ("demo shop", replies(&Shelf::load(&root().join("data")).unwrap())));
    report.sets.iter().for_each(|(set, rows)| rows.iter().for_each(|row| eprintln!("{set}: {row:?}")));
    report.cost.iter().for_each(|(set, rows)| rows.iter().for_each(|row| eprintln!("{set}: {row:?}")));
    for row in report.sets.values().flatten().filter(|row| row.filter == "truetill") {
        assert_eq!((row.escapes, row.refusals), (0, 0), "{:#?} {:#?}", report.escaped, report.refused);
    }
}
