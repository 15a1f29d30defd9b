//! The merchant's own systems as the settings name them: feeds fetched by a schedule, and sources that are asked for a price
//! while somebody waits. In: `[sources]`. Out: checked descriptions. Secrets stay in the environment, only their names are here.

use std::path::PathBuf;

use serde::Deserialize;

use super::language::Language;
use super::money::Currency;

/// All sources.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Sources {
    /// Seconds between two looks at what is due.
    pub every_s: u64,
    /// Files and folders that are indexed beside the feeds.
    pub beside: Vec<PathBuf>,
    /// Feeds that are fetched.
    pub feed: Vec<FeedSource>,
    /// Systems that are asked when a price is told.
    pub live: Vec<LiveSource>,
}

/// What a feed holds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Holds {
    /// Products: a new generation of the index.
    #[default]
    Products,
    /// Prices and stock of products that are indexed: they count at once.
    Changes,
}

impl Holds {
    /// Its name in the settings.
    pub fn name(self) -> &'static str {
        match self {
            Holds::Products => "products",
            Holds::Changes => "changes",
        }
    }
}

/// A feed that is fetched.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FeedSource {
    /// Its name in reports, and of its folder.
    pub name: String,
    /// Its address.
    pub url: String,
    /// What it holds.
    #[serde(default)]
    pub holds: Holds,
    /// The header that carries the credentials.
    #[serde(default = "authorization")]
    pub header: String,
    /// The environment variable with the header's whole value; empty: nothing is sent.
    #[serde(default)]
    pub header_env: String,
    /// Seconds between two fetches.
    #[serde(default = "hour")]
    pub interval_s: u64,
    /// Seconds one fetch may take.
    #[serde(default = "two_minutes")]
    pub timeout_s: u64,
    /// A longer answer is refused.
    #[serde(default = "gigabyte")]
    pub max_bytes: u64,
    /// Prices and stock of it that are older are not told.
    #[serde(default)]
    pub max_age_s: Option<u64>,
    /// Takes an answer that does not say where it ends.
    #[serde(default)]
    pub open_end: bool,
    /// Its profile; without it one is found by its content.
    #[serde(default)]
    pub mapping: Option<PathBuf>,
    /// The currency of prices that name none.
    #[serde(default)]
    pub currency: Option<Currency>,
    /// The language of texts, where the feed does not say it.
    #[serde(default)]
    pub language: Option<Language>,
}

fn authorization() -> String {
    "Authorization".to_string()
}

fn hour() -> u64 {
    3600
}

fn two_minutes() -> u64 {
    120
}

fn gigabyte() -> u64 {
    1 << 30
}

impl FeedSource {
    /// A feed of which only the address is known.
    pub fn at(name: &str, url: &str) -> FeedSource {
        FeedSource {
            name: name.to_string(),
            url: url.to_string(),
            holds: Holds::Products,
            header: authorization(),
            header_env: String::new(),
            interval_s: hour(),
            timeout_s: two_minutes(),
            max_bytes: gigabyte(),
            max_age_s: None,
            open_end: false,
            mapping: None,
            currency: None,
            language: None,
        }
    }
}

/// A system that is asked when a price is told.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LiveSource {
    /// Its name in reports.
    pub name: String,
    /// The shop's address, `https://shop.example`.
    pub url: String,
    /// How it is asked and read: a file of `data/sources`, without its ending.
    pub mapping: String,
    /// The environment variable with its key or token; with `user_env` the password.
    #[serde(default)]
    pub secret_env: String,
    /// The environment variable with its user: WooCommerce's consumer key.
    #[serde(default)]
    pub user_env: String,
    /// Only variants whose SKU begins so.
    #[serde(default)]
    pub prefix: String,
    /// Only prices in these currencies are its; empty: all.
    #[serde(default)]
    pub currencies: Vec<Currency>,
    /// The currency of its prices, where its answers name none.
    #[serde(default)]
    pub currency: Option<Currency>,
    /// The market whose prices are asked for, where a source tells several.
    #[serde(default)]
    pub country: String,
    /// Milliseconds a shopper waits for it.
    #[serde(default = "deadline")]
    pub deadline_ms: u64,
    /// Seconds an answer counts.
    #[serde(default = "five_minutes")]
    pub cache_s: u64,
    /// Requests a second at most.
    #[serde(default = "two")]
    pub per_second: u32,
    /// Failures in a row after which it is left alone ...
    #[serde(default = "five")]
    pub failures: u32,
    /// ... for so many seconds, then longer.
    #[serde(default = "quarter")]
    pub pause_s: u64,
}

fn deadline() -> u64 {
    800
}

fn five_minutes() -> u64 {
    300
}

fn two() -> u32 {
    2
}

fn five() -> u32 {
    5
}

fn quarter() -> u64 {
    15
}

impl Sources {
    /// What is wrong with the settings, by name.
    ///
    /// # Errors
    /// The first fault.
    pub fn check(&self) -> Result<(), String> {
        if self.every_s == 0 {
            return Err("sources.every_s must be at least 1".to_string());
        }
        let mut names: Vec<&str> = self.feed.iter().map(|one| one.name.as_str()).collect();
        names.extend(self.live.iter().map(|one| one.name.as_str()));
        for (at, name) in names.iter().enumerate() {
            let letters = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
            if name.is_empty() || name.len() > 40 || !name.chars().all(letters) {
                return Err(format!("sources: `{name}` is no name: up to 40 of a-z, 0-9 and -"));
            }
            if names[..at].contains(name) {
                return Err(format!("sources: two are named `{name}`"));
            }
        }
        self.feed.iter().try_for_each(FeedSource::check)?;
        self.live.iter().try_for_each(LiveSource::check)
    }
}

impl FeedSource {
    fn check(&self) -> Result<(), String> {
        let what = format!("sources.feed `{}`", self.name);
        address(&what, &self.url, !self.header_env.is_empty())?;
        if self.interval_s < 10 || self.timeout_s == 0 || self.max_bytes == 0 {
            return Err(format!("{what}: interval_s must be at least 10, timeout_s and max_bytes at least 1"));
        }
        Ok(())
    }
}

impl LiveSource {
    fn check(&self) -> Result<(), String> {
        let what = format!("sources.live `{}`", self.name);
        address(&what, &self.url, !self.secret_env.is_empty())?;
        let name = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
        if self.mapping.is_empty() || !self.mapping.chars().all(name) {
            return Err(format!("{what}: mapping names a file of data/sources without its ending"));
        }
        let country = self.country.is_empty() || self.country.len() == 2;
        if !country || !self.country.chars().all(|c| c.is_ascii_uppercase()) {
            return Err(format!("{what}: country is two capital letters, such as SK"));
        }
        if !(50..=10_000).contains(&self.deadline_ms) || self.per_second == 0 || self.failures == 0 || self.pause_s == 0
        {
            return Err(format!(
                "{what}: deadline_ms must be between 50 and 10000, per_second, failures and pause_s at least 1"
            ));
        }
        Ok(())
    }
}

/// Secrets travel over TLS, or do not leave this machine.
fn address(what: &str, url: &str, secret: bool) -> Result<(), String> {
    let (safe, rest) = match (url.strip_prefix("https://"), url.strip_prefix("http://")) {
        (Some(rest), _) => (true, rest),
        (None, Some(rest)) => (false, rest),
        (None, None) => return Err(format!("{what}: `{url}` is no http(s) address")),
    };
    let host = rest.split(['/', '?', '#']).next().unwrap_or_default();
    if host.is_empty() || host.contains('@') {
        return Err(format!("{what}: the address must name a host, and no password: that belongs in the environment"));
    }
    let here = ["127.0.0.1", "localhost", "[::1]"]
        .iter()
        .any(|one| host.strip_prefix(one).is_some_and(|port| port.is_empty() || port.starts_with(':')));
    if secret && !safe && !here {
        return Err(format!("{what}: credentials are only sent over https"));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, expected: Option<&str>) {
        let read: Result<Sources, _> = toml::from_str(&format!("every_s = 5\nbeside = []\n{text}"));
        let told = read.map_err(|error| error.to_string()).and_then(|sources| sources.check());
        match (told, expected) {
            (Ok(()), None) => {}
            (Err(told), Some(part)) => assert!(told.contains(part), "{told}"),
            (told, expected) => panic!("{text}: {told:?}, expected {expected:?}"),
        }
    }

    #[test]
    fn faults_are_named() {
        let feed = |rest: &str| format!("live = []\n[[feed]]\nname = \"a\"\n{rest}");
        check(&feed("url = \"https://shop.example/f.xml\""), None);
        check(&feed("url = \"http://shop.example/f.xml\""), None);
        check(&feed("url = \"http://shop.example/f.xml\"\nheader_env = \"X\""), Some("over https"));
        check(&feed("url = \"http://127.0.0.1:80/f.xml\"\nheader_env = \"X\""), None);
        check(&feed("url = \"http://127.0.0.1.evil.example/f\"\nheader_env = \"X\""), Some("over https"));
        check(&feed("url = \"ftp://shop.example/f.xml\""), Some("no http(s) address"));
        check(&feed("url = \"https://u:p@shop.example/f.xml\""), Some("no password"));
        check(&feed("url = \"https://shop.example/f\"\ninterval_s = 1"), Some("interval_s"));
        check(&feed("url = \"https://shop.example/f\"\ninterval = 1"), Some("interval"));
        check(&feed("url = \"https://shop.example/f\"").replace("\"a\"", "\"../a\""), Some("is no name"));
        let live = |rest: &str| format!("feed = []\n[[live]]\nname = \"b\"\nurl = \"https://s.example\"\n{rest}");
        check(&live("mapping = \"shopify\""), None);
        check(&live("mapping = \"../shopify\""), Some("data/sources"));
        check(&live("mapping = \"shopify\"\ncountry = \"sk\""), Some("country"));
        check(&live("mapping = \"shopify\"\ndeadline_ms = 1"), Some("deadline_ms"));
    }
}
