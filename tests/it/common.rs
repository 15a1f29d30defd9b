//! An assistant over the repository's own data, behind the real router or a real socket.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use axum::Router;
use axum::body::{Body, to_bytes};
use axum::http::{HeaderMap, Request, StatusCode};
use jiff::Timestamp;
use serde_json::Value;
use sha2::{Digest, Sha256};
use tokio::net::TcpListener;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;
use tower::ServiceExt;
use truetill::app::{App, Engines};
use truetill::config::Config;
use truetill::engine::{Generate, Search};
use truetill::http::{self, Peer};
use truetill::store::{OrderBook, StateStore};

use crate::cluster::state;
use crate::fakes::{HashedLetters, ShopFront};

/// The settings of most tests: the defaults over the repository's data.
pub fn config() -> Config {
    let mut config = Config::defaults();
    config.paths.data = Path::new(env!("CARGO_MANIFEST_DIR")).join("data");
    config.paths.state = std::env::temp_dir().join("truetill-tests");
    config
}

/// The same over few labelled messages, in a folder that outlives it: for tests that start many assistants one after another and say
/// only what is understood by rule.
pub fn quick_config(folder: &Path) -> Config {
    let mut config = config();
    let (from, data) = (config.paths.data.clone(), folder.join("data"));
    if !data.exists() {
        linked(&from, &data, "rules");
        linked(&from.join("rules"), &data.join("rules"), "examples");
        linked(&from.join("rules/examples"), &data.join("rules/examples"), "");
        for language in ["en", "ru", "sk", "zh"] {
            let name = format!("rules/examples/{language}.toml");
            let text = std::fs::read_to_string(from.join(&name)).unwrap();
            let mut all: BTreeMap<String, Vec<String>> = toml::from_str(&text).unwrap();
            all.values_mut().for_each(|messages| messages.truncate(MOST_EXAMPLES));
            std::fs::remove_file(data.join(&name)).unwrap();
            std::fs::write(data.join(&name), toml::to_string(&all).unwrap()).unwrap();
        }
    }
    config.paths.data = data;
    config
}

/// Labelled messages of a command that are enough where rules decide.
const MOST_EXAMPLES: usize = 12;

/// A folder of links to what is in another, but for one entry.
fn linked(from: &Path, to: &Path, but: &str) {
    std::fs::create_dir_all(to).unwrap();
    for entry in std::fs::read_dir(from).unwrap().flatten().filter(|entry| entry.file_name() != but) {
        std::os::unix::fs::symlink(entry.path(), to.join(entry.file_name())).unwrap();
    }
}

/// A digest as it stands in the settings.
pub fn digest(key: &str) -> String {
    hex::encode(Sha256::digest(key))
}

/// An assistant over the repository's data, with fakes behind the seams.
pub async fn app(config: Config, generate: Option<Arc<dyn Generate>>) -> Arc<App> {
    let front = ShopFront::load(&config.paths.data);
    app_over(config, generate, front).await
}

/// The same over another shop front.
pub async fn app_over(config: Config, generate: Option<Arc<dyn Generate>>, front: ShopFront) -> Arc<App> {
    let state = state().await;
    app_keeping(config, generate, (front, state)).await
}

/// The same keeping its state elsewhere.
pub async fn app_keeping(
    config: Config,
    generate: Option<Arc<dyn Generate>>,
    (front, state): (ShopFront, StateStore),
) -> Arc<App> {
    let front = Arc::new(front);
    let book = OrderBook::load(&config.paths.data.join("orders")).expect("data/orders");
    state.take_orders(&book).await.expect("orders taken over");
    let engines = Engines {
        search: Arc::clone(&front) as Arc<dyn Search>,
        catalog: front,
        orders: Arc::new(state.clone()),
        embed: Arc::new(HashedLetters),
        generate,
        state,
    };
    let mut app = App::assemble(config, engines).await.expect("the repository's data");
    app.clock = clock;
    Arc::new(app)
}

/// A Monday morning in Bratislava.
pub fn clock() -> Timestamp {
    "2026-11-23T09:00:00Z".parse().expect("a moment")
}

/// The router with an assistant behind it.
pub struct TestApp {
    router: Router,
    peer: &'static str,
}

impl TestApp {
    /// With the settings of most tests, asked from this machine.
    pub async fn new() -> TestApp {
        TestApp::with(config()).await
    }

    /// With other settings.
    pub async fn with(config: Config) -> TestApp {
        TestApp::over(app(config, None).await)
    }

    /// Over an assistant made elsewhere.
    pub fn over(app: Arc<App>) -> TestApp {
        TestApp { router: http::router(app).expect("router"), peer: "127.0.0.1:50000" }
    }

    /// Asked from another machine.
    pub fn from_afar(mut self) -> TestApp {
        self.peer = "192.0.2.7:50000";
        self
    }

    /// Sends a request through the router.
    pub async fn send(&self, mut request: Request<Body>) -> Reply {
        request.extensions_mut().insert(Peer(self.peer.parse().unwrap()));
        request.headers_mut().entry("host").or_insert("localhost:7070".parse().unwrap());
        let response = self.router.clone().oneshot(request).await.unwrap();
        let (status, headers) = (response.status(), response.headers().clone());
        let body = to_bytes(response.into_body(), 1 << 22).await.unwrap();
        Reply { status, headers, body: String::from_utf8_lossy(&body).into_owned() }
    }

    /// Gets a path.
    pub async fn get(&self, path: &str) -> Reply {
        self.send(Request::get(path).body(Body::empty()).unwrap()).await
    }

    /// Says something in the chat and takes the reply, in which the guard must have refused nothing. `who` is what the request tells besides,
    /// `before` a reply of the conversation it goes on in.
    pub async fn say(&self, who: Value, before: Option<&Value>, text: &str) -> Value {
        let mut body = who;
        body["message"] = text.into();
        if let Some(before) = before {
            body["session_id"] = before["session_id"].clone();
        }
        let reply = self.post("/api/v1/chat", body.to_string(), &[]).await.json();
        assert_eq!(reply["check"]["rejected"], serde_json::json!([]), "{text}: {reply}");
        reply
    }

    /// Posts JSON with headers.
    pub async fn post(&self, path: &str, body: impl Into<Body>, headers: &[(&str, &str)]) -> Reply {
        let mut request = Request::post(path).header("content-type", "application/json");
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        self.send(request.body(body.into()).unwrap()).await
    }
}

/// What the assistant said in a reply.
pub fn text(reply: &Value) -> &str {
    reply["reply"]["text"].as_str().unwrap_or_else(|| panic!("{reply}"))
}

/// What came back.
pub struct Reply {
    pub status: StatusCode,
    pub headers: HeaderMap,
    pub body: String,
}

impl Reply {
    /// The body as JSON.
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap_or_else(|error| panic!("{error}: {}", self.body))
    }

    /// A header's text, or nothing.
    pub fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().unwrap())
    }

    /// The events of a stream as name and data.
    pub fn events(&self) -> Vec<(String, Value)> {
        let part = |block: &str, name: &str| {
            let line = block.lines().find_map(|line| line.strip_prefix(name));
            line.unwrap_or_default().trim().to_string()
        };
        let blocks = self.body.split("\n\n").filter(|block| block.contains("data:"));
        blocks
            .map(|block| (part(block, "event:"), serde_json::from_str(&part(block, "data:")).unwrap_or_default()))
            .collect()
    }
}

/// A server on a free port of this machine.
pub struct Server {
    pub address: String,
    stop: oneshot::Sender<()>,
    task: JoinHandle<anyhow::Result<()>>,
}

impl Server {
    /// Starts it.
    pub async fn start(config: Config) -> Server {
        Server::over(app(config, None).await).await
    }

    /// Over an assistant made elsewhere.
    pub async fn over(app: Arc<App>) -> Server {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let (stop, stopped) = oneshot::channel();
        let shutdown = async {
            let _ = stopped.await;
        };
        let task = tokio::spawn(http::serve(app, listener, shutdown));
        Server { address, stop, task }
    }

    /// Asks it to stop and waits until it has.
    pub async fn stop(self) {
        let _ = self.stop.send(());
        self.task.await.unwrap().unwrap();
    }
}

/// Tries to serve on an address and gives back the refusal.
pub async fn refusal_on(address: &str, config: Config) -> String {
    let listener = TcpListener::bind(address).await.unwrap();
    let error = http::serve(app(config, None).await, listener, std::future::ready(())).await.unwrap_err();
    format!("{error:#}")
}
