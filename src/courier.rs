//! The one door by which events leave the house: leads, cases, orders, and messages the shop starts. In: an event under its id. Out:
//! whether the merchant's own system has taken it. It is asked again until it has; the id tells it what it has already.

use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, bail, ensure};
use async_trait::async_trait;
use jiff::Timestamp;

use crate::config::Outbox;
use crate::pay::seal;

/// The other system answers within this time or not at all.
const PATIENCE: Duration = Duration::from_secs(20);

/// An event on its way.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Parcel {
    /// The event's id: the same at every try.
    pub id: String,
    /// What it says, as JSON.
    pub body: String,
}

/// Carries events out.
#[async_trait]
pub trait Courier: Send + Sync {
    /// Carries one; an error means that nobody knows whether it arrived.
    async fn carry(&self, parcel: &Parcel, now: Timestamp) -> anyhow::Result<()>;
}

/// The courier of the settings; none while `outbox.url` is empty.
///
/// # Errors
/// An address that is none, by its setting.
pub fn open(settings: &Outbox) -> anyhow::Result<Option<Arc<dyn Courier>>> {
    if settings.url.is_empty() {
        return Ok(None);
    }
    let whole = settings.url.starts_with("https://") || settings.url.starts_with("http://");
    ensure!(whole, "outbox.url: `{}` is no http(s) address", settings.url);
    Ok(Some(Arc::new(Webhook { url: settings.url.clone(), secret: settings.secret.0.clone() })))
}

/// A POST of JSON for each event.
struct Webhook {
    url: String,
    secret: String,
}

#[async_trait]
impl Courier for Webhook {
    async fn carry(&self, parcel: &Parcel, now: Timestamp) -> anyhow::Result<()> {
        let mut headers = vec![
            ("Content-Type", "application/json".to_string()),
            ("Idempotency-Key", parcel.id.clone()),
            ("Truetill-Event", parcel.id.clone()),
        ];
        if !self.secret.is_empty() {
            headers.push(("Truetill-Signature", signature(&self.secret, now, &parcel.body)));
        }
        let (url, body) = (self.url.clone(), parcel.body.clone());
        // A slow system holds up no thread that serves.
        tokio::task::spawn_blocking(move || post(&url, &headers, body)).await.context("carrying an event")?
    }
}

/// `t=SECONDS,v1=HEX`: the HMAC-SHA256 of `SECONDS.BODY` under `outbox.secret`.
pub fn signature(secret: &str, now: Timestamp, body: &str) -> String {
    let at = now.as_second().to_string();
    let tag = seal::hmac(secret.as_bytes(), &[at.as_bytes(), b".", body.as_bytes()]);
    format!("t={at},v1={}", hex::encode(tag))
}

fn post(url: &str, headers: &[(&'static str, String)], body: String) -> anyhow::Result<()> {
    let settings =
        ureq::Agent::config_builder().timeout_global(Some(PATIENCE)).http_status_as_error(false).max_redirects(0);
    let agent: ureq::Agent = settings.build().into();
    let mut request = agent.post(url);
    for (name, value) in headers {
        request = request.header(*name, value);
    }
    let status = request.send(body).context("outbox.url does not answer")?.status().as_u16();
    if !(200..300).contains(&status) {
        bail!("outbox.url answered {status}");
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_signature_is_of_this_body_at_this_moment() {
        let now = Timestamp::from_second(1_700_000_000).unwrap();
        let made = signature("s", now, "{}");
        assert!(made.starts_with("t=1700000000,v1=") && made.len() == 16 + 64, "{made}");
        assert_ne!(made, signature("s", now, "{ }"));
        assert_ne!(made, signature("t", now, "{}"));
        assert_ne!(made, signature("s", Timestamp::UNIX_EPOCH, "{}"));
    }

    #[test]
    fn without_an_address_there_is_no_courier() {
        let mut settings = crate::config::Config::defaults().outbox;
        assert!(open(&settings).unwrap().is_none());
        settings.url = "shop.example/hook".to_string();
        assert!(open(&settings).err().unwrap().to_string().contains("outbox.url"));
        settings.url = "https://shop.example/hook".to_string();
        assert!(open(&settings).unwrap().is_some());
    }
}
