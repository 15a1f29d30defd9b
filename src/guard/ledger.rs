//! The ledger: what a text may state, taken from the facts of a turn or from a row of a case file.

use std::collections::HashMap;

use serde::Deserialize;

use crate::domain::fact::{OfferFact, Passage};
use crate::domain::order::Order;
use crate::domain::product::Quote;
use crate::domain::{Currency, Fact, FactBody, Localised, Money};

use super::alias::{self, Alias, Names, Part};
use super::lexicon::is_han;
use super::norm::fold;

/// All that a text may state.
#[derive(Clone, Debug, Default)]
pub struct Ledger {
    pub(super) rows: Vec<Row>,
    pub(super) aliases: Names,
    /// Plain texts whose own numbers may be repeated: policies, attributes.
    pub(super) texts: Vec<String>,
    /// The shopper's own words.
    pub(super) shopper: String,
    /// True when stock and delivery would be among the facts, so that silence about them is a no.
    pub(super) complete: bool,
}

/// What a row is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum RowKind {
    Product,
    Shipping,
    FreeFrom,
    Total,
    Promo,
    Instalment,
    Phone,
    Other,
}

/// One thing with its values.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Row {
    pub kind: RowKind,
    pub names: Vec<String>,
    /// The names in plain form.
    pub folded: Vec<String>,
    /// The words of these.
    words: Vec<Part>,
    pub code: String,
    pub now: Option<Money>,
    pub old: Option<Money>,
    pub per: Option<String>,
    pub quantity: Option<u32>,
    /// Counts the fact gives: pieces in all and in each place.
    pub stock: Vec<u32>,
    pub months: Option<u32>,
    pub percent: Option<String>,
    pub attributes: Vec<String>,
}

/// Why a case file's facts cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum LedgerError {
    /// Not the JSON the format asks for.
    #[error("facts: {0}: write a JSON list of objects with sku, name, price and currency")]
    Json(#[from] serde_json::Error),
    /// An amount or currency that is none.
    #[error("facts: `{sku}`: {source}")]
    Money {
        /// Of which row.
        sku: String,
        /// What is wrong.
        source: crate::domain::money::MoneyError,
    },
}

#[derive(Deserialize)]
struct CaseRow {
    sku: String,
    #[serde(default)]
    name: String,
    price: Option<Amount>,
    currency: Option<String>,
    old_price: Option<Amount>,
    per: Option<String>,
    qty: Option<u32>,
    #[serde(default)]
    attrs: Vec<Amount>,
    months: Option<u32>,
    percent: Option<Amount>,
    text: Option<String>,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Amount {
    Text(String),
    Number(serde_json::Number),
}

impl Amount {
    fn text(&self) -> String {
        match self {
            Amount::Text(text) => text.clone(),
            Amount::Number(number) => number.to_string(),
        }
    }
}

impl Row {
    fn new(kind: RowKind, code: &str) -> Row {
        Row {
            kind,
            names: Vec::new(),
            folded: Vec::new(),
            words: Vec::new(),
            code: code.to_string(),
            now: None,
            old: None,
            per: None,
            quantity: None,
            stock: Vec::new(),
            months: None,
            percent: None,
            attributes: Vec::new(),
        }
    }
}

impl Row {
    /// True for a word of one of its names, but for its ending: `чайники` is the noun of `чайник «Волна»`.
    pub fn names_word(&self, word: &str) -> bool {
        if word.starts_with(is_han) {
            return self.folded.iter().any(|name| name.contains(word));
        }
        word.chars().nth(2).is_some() && self.words.iter().any(|part| part.is(word))
    }
}

impl Ledger {
    /// The ledger of a turn.
    pub fn from_facts(facts: &[Fact], shopper: &str) -> Ledger {
        let mut ledger = Ledger { shopper: shopper.to_string(), complete: true, ..Ledger::default() };
        let mut about = About::default();
        for fact in facts {
            match &fact.body {
                FactBody::Offer(offer) => ledger.rows.push(offer_row(offer, about.plain(&offer.summary))),
                FactBody::Delivery(delivery) => {
                    let mut row = Row::new(RowKind::Shipping, "");
                    row.names = delivery.name.all().map(|(_, name)| name.to_string()).collect();
                    row.now = Some(delivery.cost);
                    ledger.rows.push(row);
                    let mut free = Row::new(RowKind::FreeFrom, "");
                    free.now = delivery.free_from;
                    ledger.rows.push(free);
                }
                FactBody::Passage(Passage { text, .. }) => ledger.texts.push(fold(text)),
                FactBody::Order(order) => ledger.rows.push(order_row(order)),
                FactBody::Task(task) => {
                    ledger.rows.push(order_row(&task.order));
                    let mut row = Row::new(RowKind::Total, &task.order.number);
                    row.now = super::task::amount(task, crate::domain::Role::Refund);
                    ledger.rows.push(row);
                }
                FactBody::Cart(cart) => {
                    let mut row = Row::new(RowKind::Total, cart.order.as_deref().unwrap_or_default());
                    row.now = super::cart::amount(cart, crate::domain::Role::Total);
                    ledger.rows.push(row);
                }
                FactBody::Menu(menu) => {
                    let mut row = Row::new(RowKind::Total, "");
                    row.now = super::cart::estimate(menu);
                    ledger.rows.extend(row.now.is_some().then_some(row));
                }
                FactBody::Range(_) => {}
                FactBody::Contact(contact) => {
                    ledger.rows.push(Row::new(RowKind::Phone, &contact.phone));
                    ledger.texts.extend(contact.hours.all().map(|(_, hours)| fold(hours)));
                }
                FactBody::Total(total) => {
                    let mut row = Row::new(RowKind::Total, "");
                    row.now = Some(total.total);
                    row.quantity = Some(total.quantity);
                    ledger.rows.push(row);
                }
            }
        }
        ledger.named()
    }

    /// The same, with nothing left out: a stock or a delivery it does not hold is none.
    pub fn complete(mut self) -> Ledger {
        self.complete = true;
        self
    }

    /// The ledger of one row of a case file.
    ///
    /// # Errors
    /// What is not a JSON list of facts.
    pub fn from_case(json: &str) -> Result<Ledger, LedgerError> {
        let rows: Vec<CaseRow> = serde_json::from_str(json)?;
        let mut ledger = Ledger::default();
        for row in rows {
            ledger.add_case(row)?;
        }
        Ok(ledger.named())
    }

    fn add_case(&mut self, case: CaseRow) -> Result<(), LedgerError> {
        let (kind, code) = match case.sku.split_once(':') {
            Some(("@promo", code)) => (RowKind::Promo, code),
            Some(("@instalment", sku)) => (RowKind::Instalment, sku),
            _ => match case.sku.as_str() {
                "@ship" => (RowKind::Shipping, ""),
                "@free_ship_from" => (RowKind::FreeFrom, ""),
                "@total" => (RowKind::Total, ""),
                "@phone" => (RowKind::Phone, case.text.as_deref().unwrap_or("")),
                sku if sku.starts_with('@') => (RowKind::Other, ""),
                sku => (RowKind::Product, sku),
            },
        };
        let money = |amount: &Option<Amount>| -> Result<Option<Money>, LedgerError> {
            let (Some(amount), Some(currency)) = (amount, &case.currency) else { return Ok(None) };
            let at = |source| LedgerError::Money { sku: case.sku.clone(), source };
            let currency: Currency = currency.parse().map_err(at)?;
            Money::parse(&amount.text(), currency).map(Some).map_err(at)
        };
        let mut row = Row::new(kind, code);
        row.now = money(&case.price)?;
        row.old = money(&case.old_price)?;
        row.per = case.per.as_deref().map(fold);
        row.quantity = case.qty;
        row.months = case.months;
        row.percent = case.percent.as_ref().map(Amount::text);
        row.attributes = case.attrs.iter().map(|attribute| fold(&attribute.text())).collect();
        match (case.sku.as_str(), &row.kind) {
            ("@user", _) => self.shopper = case.text.clone().unwrap_or_default(),
            (_, RowKind::Other) => {
                self.texts.push(fold(&case.name));
                self.texts.extend(case.text.as_deref().map(fold));
            }
            _ => row.names.push(case.name.clone()),
        }
        self.rows.push(row);
        Ok(())
    }

    /// Adds the ways to write each product's name and code.
    fn named(mut self) -> Ledger {
        for at in 0..self.rows.len() {
            let (before, rest) = self.rows.split_at_mut(at);
            let row = &mut rest[0];
            if let Some(alike) = before.last().filter(|other| other.names == row.names) {
                // Another variant of the same product.
                (row.folded, row.words) = (alike.folded.clone(), alike.words.clone());
                continue;
            }
            row.folded = row.names.iter().map(|name| fold(name)).collect();
            let words = row.folded.iter().flat_map(|name| name.split(|sign: char| !sign.is_alphanumeric()));
            row.words = words.filter(|word| !word.is_empty()).map(Part::new).collect();
        }
        let mut aliases = Vec::new();
        let known = self.by_names();
        for (index, row) in self.rows.iter().enumerate() {
            if row.kind == RowKind::Product {
                aliases.extend(known[row.names.as_slice()].iter().map(|alias| alias.of(index)));
            }
            if matches!(row.kind, RowKind::Product | RowKind::Promo) && telling(&row.code) {
                aliases.push(alias::code(index, &row.code));
            }
        }
        drop(known);
        self.aliases = Names::new(aliases);
        self
    }
}

impl Ledger {
    /// The ways to write each product's names. Its variants share them, and each name is taken apart once: a turn may hold
    /// a hundred offers.
    fn by_names(&self) -> HashMap<&[String], Vec<Alias>> {
        let mut apart: Vec<(&[String], Vec<Vec<String>>)> = Vec::new();
        for row in self.rows.iter().filter(|row| row.kind == RowKind::Product) {
            if !apart.iter().any(|(names, _)| *names == row.names) {
                apart.push((&row.names, row.names.iter().map(|name| alias::parts(name)).collect()));
            }
        }
        let ways = |names: &[String]| {
            let others = apart.iter().filter(|(other, _)| *other != names);
            let rivals: Vec<&[String]> = others.flat_map(|(_, parts)| parts.iter().map(Vec::as_slice)).collect();
            names.iter().flat_map(|name| alias::aliases(0, name, &rivals)).collect()
        };
        apart.iter().map(|(names, _)| (*names, ways(names))).collect()
    }
}

/// True for a code that is no word and no number: `A` stands in most sentences, `42` is whatever is counted.
fn telling(code: &str) -> bool {
    let signs = code.chars().filter(|sign| sign.is_alphanumeric()).count();
    let digit = code.chars().any(char::is_numeric);
    code.chars().any(char::is_alphabetic) && (signs > 2 || (signs == 2 && digit))
}

/// What is said about the product that was read last, in plain form: its variants share it.
#[derive(Default)]
struct About<'a>(Option<(&'a Localised, Vec<String>)>);

impl<'a> About<'a> {
    fn plain(&mut self, summary: &'a Localised) -> &[String] {
        if self.0.as_ref().is_none_or(|(last, _)| *last != summary) {
            self.0 = Some((summary, summary.all().map(|(_, text)| fold(text)).collect()));
        }
        self.0.as_ref().map_or(&[], |(_, plain)| plain)
    }
}

fn offer_row(offer: &OfferFact, about: &[String]) -> Row {
    let mut row = Row::new(RowKind::Product, offer.offer.sku.as_str());
    row.names = offer.name.all().map(|(_, name)| name.to_string()).collect();
    if let Quote::Known { now, old, .. } = &offer.offer.price {
        (row.now, row.old) = (Some(*now), *old);
    }
    row.stock = offer.places.iter().map(|(_, count)| *count).chain(offer.offer.in_stock()).collect();
    row.attributes.extend(offer.offer.size.as_deref().map(fold));
    row.attributes.extend_from_slice(about);
    row
}

fn order_row(order: &Order) -> Row {
    let mut row = Row::new(RowKind::Total, &order.number);
    row.now = Money::parse(&order.total, order.currency).ok();
    row.attributes.push(fold(&order.number));
    row
}
