//! Who carries a code to its owner: a webhook of the merchant's (which has the SMS and mail contracts), or for development a file or
//! the log. A code is never written to the database in plain, so no outbox carries it.

use std::io::Write;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, bail, ensure};
use async_trait::async_trait;
use jiff::Timestamp;
use ring::hmac;
use serde_json::json;

use crate::config::CodeSettings;
use crate::domain::identity::Contact;
use crate::engine::{CodeLetter, CodeSender};

/// A webhook answers within this time or not at all.
const PATIENCE: Duration = Duration::from_secs(10);
/// It is asked so many times.
const TRIES: u32 = 3;

/// The sender of the settings; none when codes are not used.
///
/// # Errors
/// An unknown sender, or one that lacks its target, by its setting.
pub fn open(settings: &CodeSettings) -> anyhow::Result<Option<Arc<dyn CodeSender>>> {
    let target = settings.target.clone();
    Ok(match settings.sender.as_str() {
        "none" => None,
        "log" => Some(Arc::new(Log)),
        "file" => {
            ensure!(!target.is_empty(), "identity.code.target names the file that codes are written to");
            Some(Arc::new(Lines(PathBuf::from(target))))
        }
        "webhook" => {
            let local =
                ["http://localhost", "http://127.0.0.1", "http://[::1]"].iter().any(|host| target.starts_with(host));
            ensure!(
                target.starts_with("https://") || local,
                "identity.code.target is an https address, or one of this machine"
            );
            ensure!(!settings.secret.0.is_empty(), "identity.code.secret is missing: the webhook must know who calls");
            let key = hmac::Key::new(hmac::HMAC_SHA256, settings.secret.0.as_bytes());
            Some(Arc::new(Webhook { url: target, key }))
        }
        other => bail!("identity.code.sender: `{other}` is none of none, webhook, file, log"),
    })
}

/// What a letter is to a machine.
fn wire(letter: &CodeLetter) -> serde_json::Value {
    let (channel, to) = match &letter.to {
        Contact::Phone(phone) => ("sms", phone),
        Contact::Email(email) => ("email", email),
    };
    json!({
        "event": "code", "id": letter.id, "channel": channel, "to": to, "code": letter.code, "text": letter.text,
        "language": letter.language, "expires": letter.expires,
    })
}

struct Log;

#[async_trait]
impl CodeSender for Log {
    async fn send(&self, letter: &CodeLetter) -> anyhow::Result<()> {
        tracing::warn!(
            text = letter.text,
            "a code, in the log because identity.code.sender is `log`: for development only"
        );
        Ok(())
    }
}

/// A line of JSON per code.
struct Lines(PathBuf);

#[async_trait]
impl CodeSender for Lines {
    async fn send(&self, letter: &CodeLetter) -> anyhow::Result<()> {
        let (path, line) = (self.0.clone(), format!("{}\n", wire(letter)));
        let writing = tokio::task::spawn_blocking(move || {
            let mut file = std::fs::OpenOptions::new().create(true).append(true).open(&path)?;
            file.write_all(line.as_bytes())
        });
        writing.await?.with_context(|| format!("writing a code to {}", self.0.display()))
    }
}

/// A POST, signed as `t=SECONDS,v1=HEX`: HMAC-SHA256 of the seconds, a full stop and the body.
struct Webhook {
    url: String,
    key: hmac::Key,
}

#[async_trait]
impl CodeSender for Webhook {
    async fn send(&self, letter: &CodeLetter) -> anyhow::Result<()> {
        let (url, key, body) = (self.url.clone(), self.key.clone(), wire(letter).to_string());
        tokio::task::spawn_blocking(move || post(&url, &key, &body)).await.context("the webhook for codes")?
    }
}

/// The same `id` comes again when the answer was lost, so that one code is not sent twice by a webhook that looks.
fn post(url: &str, key: &hmac::Key, body: &str) -> anyhow::Result<()> {
    let settings =
        ureq::Agent::config_builder().timeout_global(Some(PATIENCE)).http_status_as_error(false).max_redirects(0);
    let agent: ureq::Agent = settings.build().into();
    let mut last = anyhow::anyhow!("never asked");
    for _ in 0..TRIES {
        let at = Timestamp::now().as_second();
        let tag = hex::encode(hmac::sign(key, format!("{at}.{body}").as_bytes()));
        let asked = agent
            .post(url)
            .header("Content-Type", "application/json")
            .header("X-Truetill-Signature", format!("t={at},v1={tag}"))
            .send(body);
        last = match asked.map(|response| response.status().as_u16()) {
            Ok(200..300) => return Ok(()),
            Ok(status @ 400..500) => bail!("the webhook for codes answered {status}"),
            Ok(status) => anyhow::anyhow!("the webhook for codes answered {status}"),
            Err(error) => error.into(),
        };
    }
    Err(last)
}
