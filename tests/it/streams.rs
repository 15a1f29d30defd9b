//! Streams cut anywhere: however the network splits the bytes, a client sees the same verified text grow, and every
//! prefix it ever shows is a prefix of the accepted reply. Nothing of a refused draft is ever on the wire.

use std::sync::Arc;

use serde_json::{Value, json};

use truetill::engine::Generate;

use crate::common::{TestApp, app, app_over, config};
use crate::fakes::{Scripted, ShopFront};
use crate::prose::wordy;

const CHUNKINGS: usize = 1000;
const EVENTS: (&str, &str) = ("accept", "text/event-stream");
const ASKED: [&str; 8] = [
    "Сколько стоит чайник «Волна» 1,7 л?",
    "Koľko stojí rýchlovarná kanvica Volna 1,7 l?",
    "“浪花”电热水壶 1.7升多少钱？",
    "How much is the Volna electric kettle 1.7 l?",
    "Сравните чайник «Волна» 1,7 л и чайник «Волна» 1 л",
    "Koľko stojí doručenie do Bratislavy?",
    "退货政策是什么？",
    "I want to talk to a person",
];

/// A small generator with a fixed seed, so that a failure can be repeated.
struct Dice(u64);

impl Dice {
    fn roll(&mut self, sides: usize) -> usize {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) as usize % sides
    }
}

/// A client that is fed bytes as they come and shows what it has understood so far.
#[derive(Default)]
struct Client {
    pending: Vec<u8>,
    shown: String,
    started: bool,
}

impl Client {
    /// Takes some bytes; each complete event may add text.
    fn feed(&mut self, bytes: &[u8]) {
        self.pending.extend_from_slice(bytes);
        while let Some(end) = self.pending.windows(2).position(|pair| pair == b"\n\n") {
            let event: Vec<u8> = self.pending.drain(..end + 2).collect();
            self.event(std::str::from_utf8(&event).expect("an event is whole UTF-8"));
        }
    }

    fn event(&mut self, event: &str) {
        let line = |name: &str| event.lines().find_map(|line| line.strip_prefix(name)).map(str::trim);
        let Some(data) = line("data:").and_then(|data| serde_json::from_str::<Value>(data).ok()) else { return };
        match line("event:") {
            Some("segment") => {
                if std::mem::replace(&mut self.started, true) {
                    self.shown.push('\n');
                }
                self.shown.push_str(data["text"].as_str().expect("a segment has a text"));
            }
            Some(_) => {}
            None => self.shown.push_str(data["choices"][0]["delta"]["content"].as_str().unwrap_or("")),
        }
    }
}

/// Cuts `body` a thousand ways; each must show `reply` and nothing but its prefixes on the way.
fn check(body: &str, reply: &str, dice: &mut Dice) {
    assert!(!reply.is_empty());
    for _ in 0..CHUNKINGS {
        let mut client = Client::default();
        let mut rest = body.as_bytes();
        let longest = 1 + dice.roll(900);
        while !rest.is_empty() {
            let length = (1 + dice.roll(longest)).min(rest.len());
            client.feed(&rest[..length]);
            rest = &rest[length..];
            assert!(reply.starts_with(&client.shown), "{:?} is no prefix of {reply:?}", client.shown);
        }
        assert_eq!(client.shown, reply);
    }
}

/// The reply both streams end in, and their bodies.
async fn streams(app: &TestApp, message: &str) -> [(String, String); 2] {
    let asked = json!({ "message": message }).to_string();
    let native = app.post("/api/v1/chat", asked, &[EVENTS]).await;
    let done = native.events().pop().expect("a last event").1;
    let text = |done: &Value| done["reply"]["text"].as_str().expect("a reply").to_string();
    let body = json!({ "model": "truetill", "stream": true, "messages": [{ "role": "user", "content": message }] });
    let openai = app.post("/v1/chat/completions", body.to_string(), &[]).await;
    let told = openai.events().into_iter().find_map(|(_, data)| data.get("truetill").map(text)).expect("a reply");
    [(native.body, text(&done)), (openai.body, told)]
}

#[tokio::test]
async fn whatever_the_chunks_the_text_is_the_same_and_never_taken_back() {
    let app = TestApp::new().await;
    let mut dice = Dice(3);
    for message in ASKED {
        for (body, reply) in streams(&app, message).await {
            check(&body, &reply, &mut dice);
        }
    }
}

#[tokio::test]
async fn words_of_the_model_are_streamed_only_when_they_passed() {
    let question = "How much is the Volna electric kettle 1.7 l?";
    for (words, passes) in [("Our {name1} costs {price1}.", true), ("Our {name1} is yours for five euros.", false)] {
        let model = Arc::new(Scripted::saying(&[words, words])) as Arc<dyn Generate>;
        let app = TestApp::over(app(wordy(), Some(model)).await);
        for (body, reply) in streams(&app, question).await {
            assert_eq!(reply.contains("Our"), passes, "{reply}");
            assert!(!body.contains("five euros") && reply.contains("€39.90"), "{body}");
            check(&body, &reply, &mut Dice(5));
        }
    }
}

#[tokio::test]
async fn nothing_of_a_refused_draft_is_streamed() {
    let front = ShopFront::load(&config().paths.data).with_unspeakable_mug();
    let app = TestApp::over(app_over(config(), None, front).await);
    let mut dice = Dice(3);
    for (body, reply) in streams(&app, "How much is the Zebra mug?").await {
        assert!(!body.contains("€5.00") && !body.contains('\u{202e}'), "{body}");
        check(&body, &reply, &mut dice);
    }
}
