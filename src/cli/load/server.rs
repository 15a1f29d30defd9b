//! The server under load: this very program, in a process of its own, so that its memory is its own.

use std::fs::File;
use std::net::{SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, bail};
use serde_json::Value;

use crate::config::Config;
use crate::store::StateStore;

use super::client::Client;

const LOG: &str = "log";
const EXAMPLES: &str = "examples";
const START: Duration = Duration::from_secs(300);

/// A running server.
pub(super) struct Server {
    child: Child,
    address: SocketAddr,
    place: String,
    state: Folder,
}

impl Server {
    /// Starts one over the shop's data and index, without the language model, and waits until it answers.
    pub async fn start(config: &Config, store: Option<&str>) -> anyhow::Result<Server> {
        let state = Folder::new()?;
        // What the shop's own server has learnt of its examples is learnt: fitting them again would be measured, too.
        state.take_over(&config.paths.state.join(EXAMPLES))?;
        let place = match store {
            Some(url) => {
                let store = StateStore::connect(url, 1).await.context("opening --store")?;
                if !store.latest(1).await?.is_empty() {
                    bail!("the database of --store holds conversations: give an empty one");
                }
                store.location().to_string()
            }
            None => "SQLite".to_string(),
        };
        // Free now; nobody else on this machine is likely to take it within a second.
        let address = TcpListener::bind("127.0.0.1:0")?.local_addr()?;
        let mut command = Command::new(std::env::current_exe()?);
        command.args(["serve", "--host", "127.0.0.1", "--port", &address.port().to_string()]);
        command.env("TRUETILL__PATHS__DATA", &config.paths.data).env("TRUETILL__PATHS__INDEX", &config.paths.index);
        command.env("TRUETILL_MODELS", config.models_dir()).env("TRUETILL__PATHS__STATE", &state.0);
        command.env("TRUETILL__STORE__URL", store.unwrap_or_default()).env("TRUETILL__GENERATION__MODEL", "none");
        command.env("TRUETILL__SERVER__KEYS", "[]").env("TRUETILL__SERVER__ADMIN_KEYS", "[]");
        // Into a file: a pipe nobody reads fills up, and then the server waits for ever.
        let log = File::create(state.0.join(LOG))?;
        let child = command.stdout(Stdio::null()).stderr(log).spawn().context("starting the server")?;
        let mut server = Server { child, address, place, state };
        server.ready().await?;
        Ok(server)
    }

    async fn ready(&mut self) -> anyhow::Result<()> {
        let patience = Instant::now() + START;
        loop {
            let mut client = Client::new(self.address);
            let asked = client.call("GET", "/ready", None::<&Value>, None);
            if let Ok(Ok((200, _))) = tokio::time::timeout(Duration::from_secs(1), asked).await {
                return Ok(());
            }
            if let Some(status) = self.child.try_wait()? {
                let told = std::fs::read_to_string(self.state.0.join(LOG)).unwrap_or_default();
                bail!("the server ended with {status}: {told}");
            }
            if Instant::now() > patience {
                bail!("the server was not ready after {} s", START.as_secs());
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Where it keeps its state.
    pub fn place(&self) -> &str {
        &self.place
    }

    /// Its number, as `/proc` names it.
    pub fn process(&self) -> String {
        self.child.id().to_string()
    }

    /// What it counts, in Prometheus' text.
    pub async fn metrics(&self) -> anyhow::Result<String> {
        let mut client = Client::new(self.address);
        let (status, body) = client.call("GET", "/metrics", None::<&Value>, None).await.context("reading /metrics")?;
        if status != 200 {
            bail!("/metrics answered {status}");
        }
        Ok(String::from_utf8_lossy(&body).into_owned())
    }

    /// Its resident memory.
    pub fn memory_mb(&self) -> anyhow::Result<f64> {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.child.id()))
            .context("the server is gone, or this system has no /proc")?;
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).context("the server has ended")?;
        let kilobytes: f64 = line.trim().trim_end_matches(" kB").parse().context("VmRSS")?;
        Ok((kilobytes / 102.4).round() / 10.0)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A folder for the server's state that goes away with it.
struct Folder(PathBuf);

impl Folder {
    fn new() -> anyhow::Result<Folder> {
        let path = std::env::temp_dir().join(format!("truetill-load-{}", std::process::id()));
        std::fs::create_dir_all(&path).with_context(|| format!("making {}", path.display()))?;
        Ok(Folder(path))
    }

    /// Copies the files of a folder, where there is one.
    fn take_over(&self, from: &Path) -> anyhow::Result<()> {
        let Ok(files) = std::fs::read_dir(from) else { return Ok(()) };
        let to = self.0.join(EXAMPLES);
        std::fs::create_dir_all(&to)?;
        for file in files {
            let file = file?;
            std::fs::copy(file.path(), to.join(file.file_name()))
                .with_context(|| format!("copying {}", file.path().display()))?;
        }
        Ok(())
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}
