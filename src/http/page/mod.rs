//! The chat page and the API's page: static files out of the binary, their words out of `data/ui`.
//! No script stands in a page and nothing is fetched from elsewhere.

use std::path::Path as FilePath;
use std::sync::Arc;

use anyhow::Context;
use axum::extract::{Path, State};
use axum::http::{HeaderValue, header};
use axum::response::{IntoResponse, Response};
use serde::{Deserialize, Serialize};

use crate::domain::Language;
use crate::http::Gate;
use crate::http::error::{Code, Problem};

/// The page's words as JSON, by language.
pub struct Words(String);

macro_rules! words {
    ($($key:ident: $doc:literal,)*) => {
        /// What the page says in one language.
        #[derive(Deserialize, Serialize)]
        #[serde(deny_unknown_fields)]
        struct Ui { $(#[doc = $doc] $key: String,)* }
    };
}

words! {
    language: "The language's own name.",
    title: "The page's heading.",
    subtitle: "Who answers here.",
    greeting: "Shown before the first message.",
    placeholder: "In the empty message field.",
    message: "The message field's label.",
    send: "The send button.",
    stop: "The button that ends a reply on its way.",
    person: "The button that asks for a person.",
    person_message: "What that button says for the shopper.",
    fresh: "The button that starts over.",
    language_choice: "The language switch's label.",
    you: "Who wrote the shopper's messages.",
    assistant: "Who wrote the replies.",
    screening: "While the message is read.",
    understanding: "While it is understood.",
    searching: "While facts are looked up.",
    drafting: "While the reply is written.",
    checking: "While the guard checks it.",
    source: "Before a citation.",
    view: "A link to a product's page.",
    handover: "When a person takes over.",
    busy: "When too many ask at once.",
    too_long: "When the message is too long.",
    failed: "When no reply came.",
    lost: "When the conversation is no longer known.",
    retry: "The button that sends it again.",
    attach: "The button that attaches a photo.",
    photo_sent: "What is said for the shopper with a photo.",
    photo_bad: "When a photo was not taken.",
    key: "The key field's label, where a key is needed.",
    key_wanted: "Why it is asked for.",
    key_save: "The button that takes the key.",
    skip: "The link that skips to the message field.",
    ideas: "Before the example questions.",
    idea_price: "An example: a price.",
    idea_delivery: "An example: delivery.",
    idea_return: "An example: returns.",
}

/// The words the binary brings along; a merchant's file in `data/ui` comes before them.
fn built_in(language: Language) -> &'static str {
    match language {
        Language::En => include_str!("../../../data/ui/en.toml"),
        Language::Ru => include_str!("../../../data/ui/ru.toml"),
        Language::Sk => include_str!("../../../data/ui/sk.toml"),
        Language::Zh => include_str!("../../../data/ui/zh.toml"),
    }
}

impl Words {
    /// Reads `ui/{en,ru,sk,zh}.toml` below `data`.
    ///
    /// # Errors
    /// A missing or unknown key, by file.
    pub fn load(data: &FilePath) -> anyhow::Result<Words> {
        let mut all = serde_json::Map::new();
        for language in Language::ALL {
            let path = data.join("ui").join(format!("{language}.toml"));
            let text = match std::fs::read_to_string(&path) {
                Ok(text) => text,
                Err(error) if error.kind() == std::io::ErrorKind::NotFound => built_in(language).to_string(),
                Err(error) => return Err(error).with_context(|| format!("reading {}", path.display())),
            };
            let ui: Ui = toml::from_str(&text).with_context(|| format!("in {}", path.display()))?;
            all.insert(language.code().to_string(), serde_json::to_value(ui)?);
        }
        Ok(Words(serde_json::Value::Object(all).to_string()))
    }
}

/// The chat page.
pub async fn chat() -> Response {
    file("text/html; charset=utf-8", include_str!("chat.html"))
}

/// The API's page.
pub async fn docs() -> Response {
    file("text/html; charset=utf-8", include_str!("docs.html"))
}

/// What the pages load.
pub async fn asset(State(gate): State<Arc<Gate>>, Path(name): Path<String>) -> Result<Response, Problem> {
    const SCRIPT: &str = "text/javascript; charset=utf-8";
    const STYLE: &str = "text/css; charset=utf-8";
    Ok(match name.as_str() {
        "chat.js" => file(SCRIPT, include_str!("chat.js")),
        "chat.css" => file(STYLE, include_str!("chat.css")),
        "docs.js" => file(SCRIPT, include_str!("docs.js")),
        "docs.css" => file(STYLE, include_str!("docs.css")),
        "icon.svg" => file("image/svg+xml", include_str!("icon.svg")),
        "ui.json" => file("application/json", gate.words.0.clone()),
        _ => return Err(Problem::new(Code::NotFound, "No such asset.")),
    })
}

fn file(kind: &'static str, body: impl IntoResponse) -> Response {
    let headers = [
        (header::CONTENT_TYPE, HeaderValue::from_static(kind)),
        (header::CACHE_CONTROL, HeaderValue::from_static("no-cache")),
    ];
    (headers, body).into_response()
}
