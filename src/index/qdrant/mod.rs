//! Vectors in a Qdrant server: one collection for each generation, filled before the generation serves, and an alias that names the
//! one that does. In: vectors of a generation's folder; questions. Out: the same rows with the same cosines as the vectors in memory
//! give, as near as the server's own index is. The only place that names Qdrant. Written for Qdrant 1.20, see `docs/qdrant.md`.

mod ask;
mod upload;

use std::time::Duration;

use anyhow::{Context, ensure};
use qdrant_client::qdrant::HealthCheckReply;
use qdrant_client::{Qdrant, QdrantError};
use tonic::Code;

use crate::domain::vectors::QdrantSettings;

pub use ask::Asked;
pub use upload::UploadProgress;

/// How long the server may take for a step of an upload.
const STEP: Duration = Duration::from_secs(60);
/// How long a connection may take to come about.
const CONNECT: Duration = Duration::from_secs(3);
/// The oldest server that understands how this client writes vectors.
const OLDEST: (u32, u32) = (1, 16);

/// How long a server that did not answer is left alone.
const REST: Duration = Duration::from_secs(5);

/// How often an upload's step is tried, and how long it waits between; how long questions leave a silent server alone.
#[derive(Clone, Copy, Debug)]
pub struct Patience {
    /// At most so often.
    pub tries: u32,
    /// The first pause; each further one is twice as long.
    pub pause: Duration,
    /// Questions are answered by words for so long before the server is asked again.
    pub rest: Duration,
}

impl Default for Patience {
    fn default() -> Self {
        Patience { tries: 6, pause: Duration::from_millis(500), rest: REST }
    }
}

/// A Qdrant server.
#[derive(Clone)]
pub struct Server {
    client: Qdrant,
    settings: QdrantSettings,
    patience: Patience,
}

impl Server {
    /// A server by its settings; nothing is asked of it yet.
    ///
    /// # Errors
    /// When its address cannot be read.
    pub fn new(settings: &QdrantSettings) -> anyhow::Result<Self> {
        let key = Some(settings.api_key.0.clone()).filter(|key| !key.is_empty());
        let client = Qdrant::from_url(&settings.url)
            .api_key(key)
            .timeout(STEP)
            .connect_timeout(CONNECT)
            .skip_compatibility_check()
            .build()
            .with_context(|| format!("index.qdrant.url = \"{}\"", settings.url))?;
        Ok(Server { client, settings: settings.clone(), patience: Patience::default() })
    }

    /// The same with another patience.
    pub fn with_patience(self, patience: Patience) -> Self {
        Server { patience, ..self }
    }

    /// Its address.
    pub fn url(&self) -> &str {
        &self.settings.url
    }

    /// The collection of a generation.
    pub fn collection(&self, generation: &str) -> String {
        format!("{}-{generation}", self.settings.collection)
    }

    /// Its version, when it answers and is not too old.
    ///
    /// # Errors
    /// When it does not answer, refuses the key, or is older than this program can speak to.
    pub async fn version(&self) -> anyhow::Result<String> {
        let asked = self.client.health_check().await;
        let HealthCheckReply { version, .. } = asked.map_err(|error| self.told("looking for it", &error))?;
        let (major, minor) = OLDEST;
        let new_enough = numbers(&version).is_none_or(|found| found >= OLDEST);
        ensure!(
            new_enough,
            "the server at {} is Qdrant {version}: at least {major}.{minor} is needed, upgrade it",
            self.url()
        );
        Ok(version)
    }

    /// Does a step until it succeeds, as often as patience allows and only while another try could help.
    async fn persistently<T, F>(&self, what: &str, step: impl Fn() -> F) -> anyhow::Result<T>
    where
        F: Future<Output = Result<T, QdrantError>>,
    {
        let Patience { tries, mut pause, .. } = self.patience;
        let mut left = tries;
        loop {
            left = left.saturating_sub(1);
            match step().await {
                Ok(done) => return Ok(done),
                Err(error) if left > 0 && passing(&error) => {
                    let wait = asked_pause(&error).unwrap_or(pause);
                    tracing::warn!(url = self.url(), left, "{what} is tried again: {}", self.reason(&error));
                    tokio::time::sleep(wait).await;
                    pause *= 2;
                }
                Err(error) => return Err(self.told(what, &error)),
            }
        }
    }

    /// An error with the address and what to do about it.
    fn told(&self, what: &str, error: &QdrantError) -> anyhow::Error {
        anyhow::anyhow!("{what}: {}", self.reason(error))
    }

    fn reason(&self, error: &QdrantError) -> String {
        let url = self.url();
        let Some(status) = status(error) else { return format!("the Qdrant server at {url}: {error}") };
        let message = status.message();
        match status.code() {
            Code::Unauthenticated | Code::PermissionDenied => {
                format!("the Qdrant server at {url} refuses the key: set TRUETILL__INDEX__QDRANT__API_KEY ({message})")
            }
            Code::NotFound => format!(
                "the Qdrant server at {url} has no such collection: run `truetill index --to qdrant` ({message})"
            ),
            Code::ResourceExhausted => format!("the Qdrant server at {url} is at its limits: {message}"),
            code if passing(error) => format!(
                "no answer from a Qdrant server at {url}: start it, or correct index.qdrant.url; its gRPC port is usually 6334, \
                 not 6333 ({code:?}: {message})"
            ),
            code => format!("the Qdrant server at {url} refused ({code:?}): {message}"),
        }
    }
}

fn status(error: &QdrantError) -> Option<&tonic::Status> {
    match error {
        QdrantError::ResponseError { status } | QdrantError::ResourceExhaustedError { status, .. } => Some(status),
        _ => None,
    }
}

/// True when the same step may succeed a little later.
fn passing(error: &QdrantError) -> bool {
    let code = status(error).map(tonic::Status::code);
    // A connection that does not come about is told as Internal, one that breaks as Unknown, a deadline as Cancelled.
    code.is_some_and(|code| {
        matches!(
            code,
            Code::Unavailable
                | Code::DeadlineExceeded
                | Code::ResourceExhausted
                | Code::Aborted
                | Code::Internal
                | Code::Unknown
                | Code::Cancelled
        )
    })
}

fn asked_pause(error: &QdrantError) -> Option<Duration> {
    match error {
        QdrantError::ResourceExhaustedError { retry_after_seconds, .. } => {
            Some(Duration::from_secs(*retry_after_seconds).min(STEP))
        }
        _ => None,
    }
}

/// Major and minor of a version; none when it is written otherwise, as development builds are.
fn numbers(version: &str) -> Option<(u32, u32)> {
    let mut parts = version.trim_start_matches('v').split('.');
    Some((parts.next()?.parse().ok()?, parts.next()?.parse().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_compare_by_number() {
        let check = |text: &str, expected: Option<(u32, u32)>| assert_eq!(numbers(text), expected, "{text}");
        check("1.20.0", Some((1, 20)));
        check("v1.9.2", Some((1, 9)));
        check("dev", None);
    }
}
