//! How a kind of system is asked and read: one file of `data/sources`, checked when it is opened.

use std::collections::BTreeMap;
use std::path::Path;

use anyhow::{Context, ensure};
use serde::Deserialize;

use crate::domain::Sku;
use crate::domain::source::LiveSource;

/// A kind of system.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Mapping {
    pub name: String,
    pub method: Method,
    pub path: String,
    #[serde(default)]
    pub body: String,
    pub key: String,
    pub separator: String,
    /// A SKU with one of these signs is not asked for.
    #[serde(default)]
    pub refuse: String,
    pub batch: usize,
    /// Rows asked for beyond the SKUs.
    #[serde(default)]
    pub spare: usize,
    #[serde(default)]
    pub headers: BTreeMap<String, String>,
    pub credentials: Option<Credentials>,
    pub currency: Option<CurrencyAt>,
    pub answer: AnswerAt,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub(super) enum Method {
    Get,
    Post,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Credentials {
    pub header: String,
    pub scheme: Scheme,
}

#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Scheme {
    Plain,
    Bearer,
    Basic,
}

/// Where the currency of all prices is asked.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct CurrencyAt {
    pub path: String,
    pub at: String,
}

/// Where in an answer things stand: JSON pointers.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct AnswerAt {
    pub items: String,
    pub sku: String,
    pub price: String,
    #[serde(default)]
    pub old: Option<String>,
    #[serde(default)]
    pub currency: Option<String>,
    #[serde(default)]
    pub currency_of_all: Option<String>,
    #[serde(default)]
    pub stock: Option<String>,
    #[serde(default)]
    pub unit: Unit,
    #[serde(default)]
    pub errors: Option<String>,
    #[serde(default)]
    pub stock_when: BTreeMap<String, Vec<String>>,
    #[serde(default)]
    pub sold_when: BTreeMap<String, Vec<String>>,
    #[serde(default)]
    pub sold_out_when: BTreeMap<String, Vec<String>>,
    pub limit: Option<LimitAt>,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Unit {
    #[default]
    Major,
    Minor,
}

/// Where an answer tells how much may still be asked.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct LimitAt {
    pub available: String,
    pub restored: String,
    pub cost: String,
    pub refused: String,
    pub refused_as: String,
}

impl Mapping {
    /// Reads a file of `data/sources`.
    ///
    /// # Errors
    /// It is missing, or says something that cannot be done.
    pub(super) fn load(folder: &Path, name: &str) -> anyhow::Result<Mapping> {
        let path = folder.join(format!("{name}.toml"));
        let text = std::fs::read_to_string(&path).with_context(|| format!("reading {}", path.display()))?;
        let read: anyhow::Result<Mapping> = toml::from_str(&text).map_err(Into::into);
        read.and_then(Mapping::checked).with_context(|| format!("in {}", path.display()))
    }

    fn checked(self) -> anyhow::Result<Mapping> {
        let answer = &self.answer;
        let of_items = [Some(&answer.sku), Some(&answer.price), answer.old.as_ref(), answer.currency.as_ref()];
        let whole =
            [Some(&answer.items), answer.currency_of_all.as_ref(), answer.errors.as_ref(), answer.stock.as_ref()];
        let when = [&answer.stock_when, &answer.sold_when, &answer.sold_out_when].into_iter().flat_map(BTreeMap::keys);
        for pointer in of_items.into_iter().chain(whole).flatten().chain(when) {
            ensure!(pointer.is_empty() || pointer.starts_with('/'), "`{pointer}` is no JSON pointer: begin it with /");
        }
        ensure!((1..=200).contains(&self.batch), "batch must be between 1 and 200");
        ensure!(self.path.starts_with('/'), "path must begin with /");
        ensure!(self.key.contains("{sku}"), "key must hold {{sku}}");
        let asks = self.path.contains("{keys}") || self.body.contains("{keys}") || self.body.contains("\"{list}\"");
        ensure!(asks, "neither path nor body holds {{keys}}");
        if self.method == Method::Post {
            let example = self.body_for(&[Sku::from("a\"\\b")], "SK");
            let read: Result<serde_json::Value, _> = serde_json::from_str(&example);
            read.context("body is no JSON once it is filled")?;
        }
        Ok(self)
    }

    /// True when a SKU can be asked for.
    pub(super) fn asks(&self, sku: &Sku) -> bool {
        let plain = |c: char| !c.is_control() && !self.refuse.contains(c);
        !sku.0.is_empty() && sku.0.len() <= 200 && sku.0.chars().all(plain)
    }

    fn keys(&self, skus: &[Sku]) -> String {
        let keys: Vec<String> = skus.iter().map(|sku| self.key.replace("{sku}", &sku.0)).collect();
        keys.join(&self.separator)
    }

    /// Path and query.
    pub(super) fn path_for(&self, skus: &[Sku], source: &LiveSource) -> String {
        self.path.replace("{country}", &source.country).replace("{keys}", &escaped(&self.keys(skus)))
    }

    /// The body of a POST.
    pub(super) fn body_for(&self, skus: &[Sku], country: &str) -> String {
        let quoted = serde_json::Value::from(self.keys(skus)).to_string();
        let list: Vec<&str> = skus.iter().map(Sku::as_str).collect();
        let list = serde_json::Value::from(list).to_string();
        let body = self.body.replace("{count}", &(skus.len() * self.spare.max(1)).min(250).to_string());
        // What comes from the catalog goes in last: nothing is looked for in it.
        let body = body.replace("{country}", country);
        match body.contains("\"{list}\"") {
            true => body.replace("\"{list}\"", &list),
            false => body.replace("{keys}", &quoted[1..quoted.len() - 1]),
        }
    }
}

/// Everything but plain letters and digits, for a place in an address.
fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.' | b'~') {
            out.push(char::from(byte));
        } else {
            out.push_str(&format!("%{byte:02X}"));
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_shipped_mapping_opens_and_asks() {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("data/sources");
        for name in ["shopify", "woocommerce", "json"] {
            let mapping = Mapping::load(&folder, name).unwrap();
            assert!(mapping.asks(&"SH-101/42 B".into()), "{name}");
        }
        let shopify = Mapping::load(&folder, "shopify").unwrap();
        let body: serde_json::Value =
            serde_json::from_str(&shopify.body_for(&["A-1".into(), "B 2".into()], "")).unwrap();
        assert_eq!(body["variables"]["q"], "sku:\"A-1\" OR sku:\"B 2\"");
        assert!(body["query"].as_str().unwrap().contains("first: 4,"), "{body}");
        assert!(!shopify.asks(&"A\" OR sku:*".into()) && !shopify.asks(&"".into()));
        let woo = Mapping::load(&folder, "woocommerce").unwrap();
        let source: LiveSource =
            toml::from_str("name = \"w\"\nurl = \"https://s.example\"\nmapping = \"woocommerce\"").unwrap();
        assert!(woo.path_for(&["A&b=1".into(), "Č 2".into()], &source).ends_with("&sku=A%26b%3D1%2C%C4%8C%202"));
        assert!(!woo.asks(&"A,B".into()));
    }

    #[test]
    fn what_cannot_be_done_is_named() {
        let base = "name = \"x\"\nmethod = \"GET\"\npath = \"/p?s={keys}\"\nkey = \"{sku}\"\nseparator = \",\"\nbatch = 5\n\
                    [answer]\nitems = \"\"\nsku = \"/sku\"\nprice = \"/price\"";
        let read = |text: &str| toml::from_str::<Mapping>(text).map_err(Into::into).and_then(Mapping::checked);
        assert!(read(base).is_ok());
        let error = |from: &str, to: &str| format!("{:#}", read(&base.replace(from, to)).unwrap_err());
        assert!(error("\"/price\"", "\"price\"").contains("`price` is no JSON pointer"));
        assert!(error("{keys}", "x").contains("{keys}"));
        assert!(error("batch = 5", "batch = 0").contains("batch"));
        assert!(error("\"GET\"", "\"POST\"\nbody = '{\"q\": {keys}}'").contains("no JSON"));
        assert!(error("separator", "seperator").contains("seperator"));
    }
}
