//! Settings: defaults compiled in from `config.toml`, over them the merchant's `truetill.toml`, over it the
//! environment (`TRUETILL__AREA__KEY`). Unknown keys are refused by name.

mod generation;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use anyhow::{Context, bail};
use serde::Deserialize;

use crate::domain::source::Sources;
use crate::domain::vectors::IndexSettings;
use crate::domain::{Currency, Language};

pub use crate::domain::vectors::Secret;
pub use generation::{Composition, Engine, Generation};

/// The defaults, which are also the reference.
pub const DEFAULTS: &str = include_str!("../config.toml");

/// All settings.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// Where things lie.
    pub paths: Paths,
    /// Which database keeps the state.
    pub store: Store,
    /// The HTTP server.
    pub server: Server,
    /// The shop's currencies and price age.
    pub shop: Shop,
    /// Understanding.
    pub understanding: Understanding,
    /// Retrieval.
    pub search: Search,
    /// Where vectors are searched, and what a new index may lack.
    pub index: IndexSettings,
    /// The language model.
    pub generation: Generation,
    /// What a conversation remembers.
    pub session: Session,
    /// Where orders are paid.
    pub payments: Payments,
    /// Whose word is taken for who a shopper is.
    pub identity: Identity,
    /// Where events go.
    pub outbox: Outbox,
    /// The secrets of carriers, by their names in `data/rules/carriers.toml`.
    pub carriers: BTreeMap<String, CarrierKeys>,
    /// The merchant's own systems.
    pub sources: Sources,
}

/// Where things lie.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Paths {
    /// The merchant's data.
    pub data: PathBuf,
    /// Index generations.
    pub index: PathBuf,
    /// Weights; empty for `$TRUETILL_MODELS`, else `models`.
    pub models: PathBuf,
    /// Sessions and audit.
    pub state: PathBuf,
}

/// Which database keeps the state.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Store {
    /// A PostgreSQL server's address, which may hold a password; empty: SQLite.
    pub url: Secret,
    /// The most connections to it.
    pub connections: u32,
}

/// The HTTP server.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Server {
    /// Address to bind.
    pub host: String,
    /// Port to bind; 0 takes a free one.
    pub port: u16,
    /// Largest body in bytes.
    pub body_bytes: usize,
    /// Larger bodies of catalog patches are refused.
    pub catalog_bytes: usize,
    /// Longest message in characters.
    pub message_chars: usize,
    /// Turns running at once.
    pub concurrent_turns: usize,
    /// Messages that may wait for one of them.
    pub waiting_turns: usize,
    /// The longest wait in seconds.
    pub wait_s: u64,
    /// Longest turn in seconds.
    pub turn_timeout_s: u64,
    /// sha256 of each API key, hex.
    pub keys: Vec<String>,
    /// sha256 of each admin key, hex.
    pub admin_keys: Vec<String>,
}

/// Currencies and price age.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Shop {
    /// The currency where no market says otherwise.
    pub currency: Currency,
    /// Oldest price of a live source that may be told, in seconds.
    pub max_price_age_s: u64,
    /// Whether a live source confirms prices.
    pub live_prices: bool,
    /// Currency per language.
    pub market: BTreeMap<Language, Currency>,
}

impl Shop {
    /// The currency a shopper of this language is quoted in.
    pub fn currency_of(&self, language: Language) -> Currency {
        self.market.get(&language).copied().unwrap_or(self.currency)
    }
}

/// Understanding.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Understanding {
    /// Least confidence of the examples tier; 0 for the calibrated value.
    pub examples_threshold: f32,
    /// Whether the model is asked at all.
    pub use_model: bool,
    /// Labelled messages it is shown.
    pub shots: usize,
    /// Likeliest commands among which it chooses.
    pub candidates: usize,
}

/// Retrieval.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Search {
    /// Products fetched per question.
    pub candidates: usize,
    /// Share of a name that must stand in the message.
    pub sure_name: f32,
    /// Products shown when several fit.
    pub offers: usize,
}

/// What a conversation remembers.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Session {
    /// Exchanges the model sees.
    pub recent: usize,
}

/// Where orders are paid.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Payments {
    /// `link`, `stripe` or `yookassa`.
    pub provider: String,
    /// The shop's own page, with {order}, {amount}, {currency} and {language}.
    pub link: String,
    /// Where the provider sends the buyer afterwards, with {order}.
    pub return_url: String,
    /// The provider's secret key; of YooKassa `SHOPID:SECRET`.
    pub key: Secret,
    /// What Stripe signs its notices with.
    pub webhook_secret: Secret,
    /// Another address of the provider, for a sandbox.
    pub base: String,
}

/// Whose word is taken for who a shopper is.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Identity {
    /// Tokens signed by the shop's site.
    pub token: TokenSettings,
    /// Codes sent to a phone or an e-mail.
    pub code: CodeSettings,
}

/// Tokens signed by the shop's site.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TokenSettings {
    /// `HS256`, `RS256`, `ES256`, `EdDSA`; empty: no token is accepted.
    pub algorithm: String,
    /// The secret of HS256.
    pub secret: Secret,
    /// A file: public keys as PEM, a JWKS document, or the secret.
    pub keys: String,
    /// What `iss` must be; empty: anything.
    pub issuer: String,
    /// What `aud` must name; empty: anything.
    pub audience: String,
    /// By how much clocks may differ.
    pub leeway_s: u32,
}

/// Codes sent to a phone or an e-mail.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CodeSettings {
    /// `none`, `webhook`, `file` or `log`.
    pub sender: String,
    /// The webhook's address, or the file.
    pub target: String,
    /// What calls of the webhook are signed with.
    pub secret: Secret,
    /// What digests of codes are keyed with; empty: drawn at each start.
    pub key: Secret,
    /// How long a code is worth something.
    pub minutes: u32,
    /// How often it may be typed.
    pub tries: u32,
    /// Seconds until another may be asked for.
    pub resend_s: u32,
    /// Codes within an hour for one contact, and in one conversation.
    pub per_hour: u32,
    /// Codes within an hour for one client.
    pub client_per_hour: u32,
    /// How long a proved contact opens its orders.
    pub proof_minutes: u32,
}

/// Where events go.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Outbox {
    /// The merchant's own system; empty: nothing is carried.
    pub url: String,
    /// What requests are signed with.
    pub secret: Secret,
    /// Hours after which an event is given up.
    pub give_up_h: i64,
    /// Seconds between two looks at what is due.
    pub every_s: u64,
}

/// The secrets of one carrier.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct CarrierKeys {
    /// What its events prove themselves with.
    pub webhook_secret: Secret,
    /// The account it is asked under.
    pub account: String,
    /// The account's password, or the key a generic carrier is asked with.
    pub secret: Secret,
    /// Another address, for its sandbox.
    pub base: String,
}

impl Config {
    /// The settings in force: defaults, then `file` (or `truetill.toml` when it exists), then the environment.
    ///
    /// # Errors
    /// A file that is named but absent, a syntax error, an unknown key or a value of the wrong type, each by name.
    pub fn load(file: Option<&Path>) -> anyhow::Result<Config> {
        let environment = std::env::vars().filter(|(key, _)| key.starts_with("TRUETILL__"));
        let default_file = Path::new("truetill.toml");
        let file = file.or_else(|| default_file.exists().then_some(default_file));
        let text = match file {
            Some(path) => {
                std::fs::read_to_string(path).with_context(|| format!("reading settings from {}", path.display()))?
            }
            None => String::new(),
        };
        let name = file.map_or_else(|| "settings".to_string(), |path| path.display().to_string());
        Config::assemble(&text, environment).with_context(|| format!("in {name}"))
    }

    /// The defaults alone.
    pub fn defaults() -> Config {
        Config::assemble("", std::iter::empty()).expect("invariant: src/config.toml is complete, a test reads it")
    }

    fn assemble(text: &str, environment: impl Iterator<Item = (String, String)>) -> anyhow::Result<Config> {
        let mut settings: toml::Table = toml::from_str(DEFAULTS).context("in the built-in defaults")?;
        let over: toml::Table = toml::from_str(text)?;
        overlay(&mut settings, over, "")?;
        for (key, value) in environment {
            let path: Vec<String> = key["TRUETILL__".len()..].split("__").map(str::to_lowercase).collect();
            set_from_environment(&mut settings, &path, &value).with_context(|| format!("environment {key}"))?;
        }
        let config: Config = toml::Value::Table(settings).try_into()?;
        config.check()?;
        Ok(config)
    }

    fn check(&self) -> anyhow::Result<()> {
        if self.search.candidates == 0 || self.search.offers == 0 {
            bail!("search.candidates and search.offers must be at least 1");
        }
        if self.server.concurrent_turns == 0 || self.generation.queue == 0 {
            bail!("server.concurrent_turns and generation.queue must be at least 1");
        }
        let url = &self.store.url.0;
        if !(url.is_empty() || url.starts_with("postgres://") || url.starts_with("postgresql://"))
            || self.store.connections == 0
        {
            bail!("store.url must be empty (SQLite) or begin with postgres://, store.connections must be at least 1");
        }
        self.generation.check()?;
        if self.outbox.every_s == 0 || self.outbox.give_up_h < 1 {
            bail!("outbox.every_s and outbox.give_up_h must be at least 1");
        }
        self.index.check().map_err(|fault| anyhow::anyhow!(fault))?;
        self.sources.check().map_err(|fault| anyhow::anyhow!(fault))
    }

    /// The weights folder in force.
    pub fn models_dir(&self) -> PathBuf {
        if !self.paths.models.as_os_str().is_empty() {
            return self.paths.models.clone();
        }
        std::env::var_os("TRUETILL_MODELS").map_or_else(|| PathBuf::from("models"), PathBuf::from)
    }
}

fn overlay(base: &mut toml::Table, over: toml::Table, path: &str) -> anyhow::Result<()> {
    for (key, value) in over {
        let full = if path.is_empty() { key.clone() } else { format!("{path}.{key}") };
        match (base.get_mut(&key), value) {
            (Some(toml::Value::Table(inner)), toml::Value::Table(over)) => overlay(inner, over, &full)?,
            (Some(slot), value) => *slot = value,
            // A market or a carrier may be added; every other key must exist in the defaults.
            (None, value) if path == "shop.market" || path == "carriers" => {
                base.insert(key, value);
            }
            (None, _) => bail!("unknown setting `{full}`; src/config.toml lists them all"),
        }
    }
    Ok(())
}

fn set_from_environment(table: &mut toml::Table, path: &[String], text: &str) -> anyhow::Result<()> {
    let [head, rest @ ..] = path else { bail!("names no setting") };
    if let ("carriers", [name, key]) = (head.as_str(), rest) {
        // A carrier may have any name; its keys are looked at when the settings are read.
        let carriers = table.get_mut(head).and_then(toml::Value::as_table_mut);
        let carrier = carriers.map(|all| all.entry(name).or_insert_with(|| toml::Table::new().into()));
        let Some(toml::Value::Table(carrier)) = carrier else { bail!("`{name}` has no keys below it") };
        carrier.insert(key.clone(), text.into());
        return Ok(());
    }
    let Some(slot) = table.get_mut(head) else { bail!("unknown setting `{head}`") };
    if !rest.is_empty() {
        let toml::Value::Table(inner) = slot else { bail!("`{head}` has no keys below it") };
        return set_from_environment(inner, rest, text);
    }
    *slot = match slot {
        toml::Value::String(_) => toml::Value::String(text.to_string()),
        _ => {
            let line = format!("value = {text}");
            let mut parsed: toml::Table = toml::from_str(&line).context("not a value of this setting's type")?;
            parsed.remove("value").context("empty")?
        }
    };
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, environment: &[(&str, &str)], expected: Result<u16, &str>) {
        let environment = environment.iter().map(|(key, value)| (key.to_string(), value.to_string()));
        match (Config::assemble(text, environment), expected) {
            (Ok(config), Ok(port)) => assert_eq!(config.server.port, port),
            (Err(error), Err(part)) => assert!(format!("{error:#}").contains(part), "{error:#}"),
            (got, _) => panic!("{text}: {got:?}"),
        }
    }

    #[test]
    fn later_sources_win_and_unknown_keys_are_named() {
        check("", &[], Ok(7070));
        check("[server]\nport = 9000", &[], Ok(9000));
        check("[server]\nport = 9000", &[("TRUETILL__SERVER__PORT", "9001")], Ok(9001));
        check("[server]\nprot = 9000", &[], Err("server.prot"));
        check("[sever]\nport = 9000", &[], Err("sever"));
        check("[server]\nport = \"x\"", &[], Err("port"));
        check("", &[("TRUETILL__SERVER__PROT", "1")], Err("prot"));
        check("[shop]\ncurrency = \"EURO\"", &[], Err("EURO"));
        check("[search]\noffers = 0", &[], Err("search.offers"));
        check("[store]\nurl = \"postgres://shop@db.example/shop\"", &[], Ok(7070));
        check("[store]\nurl = \"mysql://db.example/shop\"", &[], Err("store.url"));
        check("[store]\nconnections = 0", &[], Err("store.connections"));
        check("[index]\nvectors = \"qdrant\"", &[("TRUETILL__INDEX__QDRANT__API_KEY", "k")], Ok(7070));
        check("[index]\nvectors = \"faiss\"", &[], Err("vectors"));
        check("[index]\nmax_shrink = 50", &[], Err("index.max_shrink"));
        check("[index.qdrant]\nurl = \"qdrant:6334\"", &[], Err("index.qdrant.url"));
        check("[index.qdrant]\ncollection = \"My Shop\"", &[], Err("index.qdrant.collection"));
        check("[carriers.post]\nwebhook_secret = \"s\"", &[("TRUETILL__CARRIERS__DPD__SECRET", "x")], Ok(7070));
        check("[carriers.cdek]\nkey = \"s\"", &[], Err("carriers.cdek.key"));
        check("[generation]\nengine = \"openai\"", &[], Err("generation.url"));
        check("[generation]\nengine = \"openai\"\nurl = \"http://127.0.0.1:8080/v1\"", &[], Ok(7070));
        check("[generation]\nengine = \"vllm\"", &[], Err("engine"));
        check("[carriers.post]\nkey = \"s\"", &[], Err("key"));
        check("", &[("TRUETILL__CARRIERS__DPD__KEY", "x")], Err("key"));
        check("[[sources.feed]]\nname = \"a\"\nurl = \"https://shop.example/f\"", &[], Ok(7070));
        check("[[sources.feed]]\nname = \"a\"\nurl = \"shop.example/f\"", &[], Err("http(s)"));
    }
}
