//! One question to a carrier: status and JSON back. Nothing of a question is logged: it holds keys.

use std::time::Duration;

use anyhow::{Context, ensure};
use serde_json::Value;

/// A carrier answers within this time or not at all.
const PATIENCE: Duration = Duration::from_secs(10);
/// The longest answer that is read.
const MOST: u64 = 1 << 20;

/// A question.
pub(super) struct Ask {
    /// Whole address.
    pub url: String,
    /// What stands after `Bearer`; empty: the header is left out.
    pub bearer: String,
    /// A form to post; none: something is read.
    pub form: Option<Vec<(&'static str, String)>>,
}

/// Asks, away from the threads that serve. The body is `null` where a refusal is not JSON.
pub(super) async fn ask(ask: Ask) -> anyhow::Result<(u16, Value)> {
    tokio::task::spawn_blocking(move || blocking(ask)).await.context("asking the carrier")?
}

fn blocking(ask: Ask) -> anyhow::Result<(u16, Value)> {
    let settings =
        ureq::Agent::config_builder().timeout_global(Some(PATIENCE)).http_status_as_error(false).max_redirects(0);
    let agent: ureq::Agent = settings.build().into();
    let answered = match ask.form {
        Some(fields) => agent.post(&ask.url).send_form(fields),
        None if ask.bearer.is_empty() => agent.get(&ask.url).call(),
        None => agent.get(&ask.url).header("Authorization", format!("Bearer {}", ask.bearer)).call(),
    };
    let mut response = answered.context("the carrier does not answer")?;
    let status = response.status().as_u16();
    let text =
        response.body_mut().with_config().limit(MOST).read_to_string().context("reading the carrier's answer")?;
    let body = serde_json::from_str(&text);
    ensure!(body.is_ok() || !(200..300).contains(&status), "the carrier's answer is not JSON");
    Ok((status, body.unwrap_or_default()))
}
