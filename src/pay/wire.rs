//! One call to a provider: JSON back, or what it said instead. Nothing of a request is logged: it holds keys.

use std::time::Duration;

use anyhow::{Context, bail, ensure};
use serde_json::Value;

/// A provider answers within this time or not at all.
const PATIENCE: Duration = Duration::from_secs(20);

/// A request to a provider.
pub(super) struct Ask {
    /// Whole address.
    pub url: String,
    /// Headers, the keys among them.
    pub headers: Vec<(&'static str, String)>,
    /// What is sent.
    pub body: Sent,
}

/// The body of a request.
pub(super) enum Sent {
    /// None: something is read.
    Nothing,
    /// A form.
    Form(Vec<(String, String)>),
    /// JSON.
    Json(Value),
}

/// Asks, away from the threads that serve.
pub(super) async fn ask(ask: Ask) -> anyhow::Result<Value> {
    tokio::task::spawn_blocking(move || blocking(ask)).await.context("asking the payment provider")?
}

fn blocking(ask: Ask) -> anyhow::Result<Value> {
    let settings =
        ureq::Agent::config_builder().timeout_global(Some(PATIENCE)).http_status_as_error(false).max_redirects(0);
    let agent: ureq::Agent = settings.build().into();
    let Ask { url, headers, body } = ask;
    let mut response = match body {
        Sent::Nothing => headed(agent.get(&url), &headers).call(),
        Sent::Form(fields) => headed(agent.post(&url), &headers).send_form(fields),
        Sent::Json(value) => {
            headed(agent.post(&url), &headers).header("Content-Type", "application/json").send(value.to_string())
        }
    }
    .context("the payment provider does not answer")?;
    let status = response.status().as_u16();
    let text =
        response.body_mut().with_config().limit(1 << 20).read_to_string().context("reading the provider's answer")?;
    if !(200..300).contains(&status) {
        bail!("the payment provider answered {status}: {}", text.chars().take(300).collect::<String>());
    }
    serde_json::from_str(&text).context("the provider's answer is not JSON")
}

fn headed<B>(mut request: ureq::RequestBuilder<B>, headers: &[(&'static str, String)]) -> ureq::RequestBuilder<B> {
    for (name, value) in headers {
        request = request.header(*name, value);
    }
    request
}

/// A text of an answer.
pub(super) fn text(answer: &Value, pointer: &str) -> anyhow::Result<String> {
    let found = answer.pointer(pointer).and_then(Value::as_str);
    found.map(str::to_string).with_context(|| format!("the provider's answer has no {pointer}"))
}

/// A page to pay on: https, or this machine in a test.
pub(super) fn page(answer: &Value, pointer: &str) -> anyhow::Result<String> {
    let url = text(answer, pointer)?;
    ensure!(url.starts_with("https://"), "the provider's page is no https address");
    Ok(url)
}
