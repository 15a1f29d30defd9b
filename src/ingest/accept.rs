//! The door for products and stock lines: what passes is unique, has a name, and its prices are `Money`.
//! Duplicates are named and left out (the first wins); a price of zero is never quoted.

use std::collections::{HashMap, HashSet};

use crate::domain::Product;
use crate::domain::product::{StockLine, Variant};
use crate::store::{PriceTerms, VariantRow};

use super::report::{Finding, Place, Report};

/// Remembers what was taken so far.
#[derive(Default)]
pub struct Door {
    ids: HashMap<String, u64>,
    skus: HashMap<String, u64>,
    stock: HashSet<(String, String)>,
    accessories: Vec<(Place, String)>,
}

impl Door {
    /// Takes a product with its readable prices, or notes why not.
    pub fn product(
        &mut self,
        mut product: Product,
        at: &Place,
        report: &mut Report,
    ) -> Option<(Product, Vec<VariantRow>)> {
        if let Some(finding) = self.refusal(&product, at) {
            report.skip(finding);
            return None;
        }
        product.variants.retain(|variant| self.new_sku(variant, at, report));
        if product.variants.is_empty() {
            let reason = "no variant is left; the row was left out";
            report.skip(Finding::error(
                "no_variant",
                at,
                reason,
                "give the product at least one variant with its own SKU",
            ));
            return None;
        }
        self.ids.insert(product.id.0.clone(), at.line);
        let rows: Vec<VariantRow> = product.variants.iter().map(|variant| prices(variant, at, report)).collect();
        self.accessories.extend(product.accessories.iter().map(|id| (at.clone(), id.0.clone())));
        report.products += 1;
        report.variants += product.variants.len() as u64;
        report.quotable += rows.iter().filter(|row| !row.prices.is_empty()).count() as u64;
        Some((product, rows))
    }

    /// Takes a stock line, or notes why not.
    pub fn stock_line(&mut self, line: StockLine, at: &Place, report: &mut Report) -> Option<StockLine> {
        if !self.skus.contains_key(line.sku.as_str()) {
            let reason = format!("no product has the SKU `{}`; the line was left out", line.sku);
            report.skip(Finding::error("unknown_sku", at, reason, "correct the SKU, or add the product").of("sku"));
            return None;
        }
        if !self.stock.insert((line.sku.0.clone(), line.place.0.clone())) {
            let reason = format!("`{}` in `{}` a second time; the first line counts", line.sku, line.place);
            report.skip(Finding::error("duplicate_stock", at, reason, "keep one line per SKU and place").of("sku"));
            return None;
        }
        report.stock_lines += 1;
        Some(line)
    }

    /// Names accessories that are no product; called once all products are known.
    pub fn dangling_accessories(&self, report: &mut Report) {
        for (at, id) in self.accessories.iter().filter(|(_, id)| !self.ids.contains_key(id)) {
            let reason = format!("`{id}` is not in the catalog");
            report.add(Finding::warning("unknown_accessory", at, reason, "correct or remove it").of("accessories"));
        }
    }

    fn refusal(&self, product: &Product, at: &Place) -> Option<Finding> {
        let id = product.id.as_str();
        if id.trim().is_empty() {
            return Some(
                Finding::error("no_id", at, "no id; the row was left out", "give each product its own id").of("id"),
            );
        }
        if product.name.is_empty() {
            let reason = format!("`{id}` has no name; the row was left out");
            return Some(Finding::error("no_name", at, reason, "give its name in at least one language").of("name"));
        }
        let first = self.ids.get(id)?;
        let reason = format!("the id `{id}` was taken by line {first}; this row was left out");
        Some(Finding::error("duplicate_id", at, reason, "give each product its own id").of("id"))
    }

    fn new_sku(&mut self, variant: &Variant, at: &Place, report: &mut Report) -> bool {
        let sku = variant.sku.as_str();
        let finding = if sku.trim().is_empty() {
            Finding::error("no_sku", at, "a variant without SKU was left out", "give each variant its own SKU")
        } else if let Some(first) = self.skus.get(sku) {
            let reason = format!("the SKU `{sku}` was taken by line {first}; this variant was left out");
            Finding::error("duplicate_sku", at, reason, "give each variant its own SKU")
        } else {
            self.skus.insert(sku.to_string(), at.line);
            return true;
        };
        report.add(finding.of("sku"));
        false
    }
}

fn prices(variant: &Variant, at: &Place, report: &mut Report) -> VariantRow {
    let mut row = VariantRow { sku: variant.sku.clone(), prices: Vec::new() };
    for price in &variant.prices {
        match PriceTerms::read(price) {
            Ok(terms) => row.prices.extend(told(terms, (variant, &row.prices), at, report)),
            Err(error) => {
                let reason = format!("{error}; the variant is not quotable in this price");
                report.add(Finding::error("bad_price", at, reason, "write it as 24.90").of("amount"));
            }
        }
    }
    if row.prices.is_empty() {
        let reason = format!("`{}` has no readable price; it is indexed but not quotable", variant.sku);
        report.add(Finding::error("not_quotable", at, reason, "give a price with its currency").of("prices"));
    }
    row
}

/// The price as far as it may be told.
fn told(
    terms: PriceTerms,
    (variant, others): (&Variant, &[PriceTerms]),
    at: &Place,
    report: &mut Report,
) -> Option<PriceTerms> {
    let now = terms.now;
    if others.iter().any(|other| other.now.currency == now.currency) {
        let reason = format!("`{}` has two prices in {}; the first counts", variant.sku, now.currency);
        report.add(Finding::error("duplicate_price", at, reason, "keep one price per currency").of("prices"));
        return None;
    }
    if now.minor == 0 {
        let reason = format!("`{}` costs 0 {}; it is not quotable", variant.sku, now.currency);
        report.add(Finding::error("zero_price", at, reason, "give its price").of("amount"));
        return None;
    }
    match terms.old {
        Some(old) if old.minor <= now.minor => {
            let reason = format!("the old price {old} is not above the price {now}; only the price is kept");
            report.add(Finding::warning("old_price", at, reason, "remove `old`").of("old"));
            Some(PriceTerms { old: None, until: None, starts: None, ends: None, ..terms })
        }
        None if terms.until.is_some() || terms.starts.is_some() || terms.ends.is_some() => {
            let reason = "a reduction with dates but without the price before it: not quotable outside of them";
            report.add(Finding::warning("no_old_price", at, reason, "give `old`, or remove the dates").of("until"));
            Some(terms)
        }
        _ => Some(terms),
    }
}
