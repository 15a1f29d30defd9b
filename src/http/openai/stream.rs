//! A guarded turn as chat completion chunks: one chunk a verified segment, then the finish, the counts and `[DONE]`.

use std::convert::Infallible;

use axum::response::IntoResponse;
use axum::response::sse::{self, KeepAlive, Sse};
use jiff::Timestamp;
use serde_json::{Value, json};
use tokio_stream::{Stream, StreamExt};
use uuid::Uuid;

use crate::http::chat::types::ChatReply;
use crate::http::openai::{GUARDED, Thread, usage};
use crate::http::turns::{Running, Told};
use crate::turn::Event;

/// The chunks of a running turn.
pub fn guarded(running: Running, thread: Thread, counts: bool) -> impl IntoResponse {
    let mut writer = Writer::new(GUARDED, counts);
    let chunks = running.tell(move |told| match told {
        Told::Event(Event::Status(_)) => Vec::new(),
        Told::Event(Event::Segment(segment)) => vec![writer.line(segment.text())],
        Told::Done(answer) => {
            let reply = ChatReply::from(&*answer);
            thread.keep(&reply);
            writer.finish(&reply)
        }
        Told::Failed(problem) => {
            thread.restore();
            vec![data(&json!(problem.openai_body()))]
        }
    });
    respond(chunks)
}

/// The chunks of a turn that was answered before.
pub fn again(reply: &ChatReply, counts: bool) -> impl IntoResponse + use<> {
    let mut writer = Writer::new(GUARDED, counts);
    let mut chunks: Vec<sse::Event> = reply.reply.segments.iter().map(|segment| writer.line(&segment.text)).collect();
    chunks.extend(writer.finish(reply));
    respond(tokio_stream::iter(chunks))
}

/// Writes chunks of one completion.
struct Writer {
    id: String,
    created: i64,
    model: &'static str,
    counts: bool,
    started: bool,
}

impl Writer {
    fn new(model: &'static str, counts: bool) -> Writer {
        let id = format!("chatcmpl-{}", Uuid::now_v7());
        Writer { id, created: Timestamp::now().as_second(), model, counts, started: false }
    }

    /// A segment; those after the first begin with a line break, so that the chunks add up to the reply's text.
    fn line(&mut self, text: &str) -> sse::Event {
        let delta = if self.started {
            json!({ "content": format!("\n{text}") })
        } else {
            json!({ "role": "assistant", "content": text })
        };
        self.started = true;
        data(&self.chunk(json!([{ "index": 0, "delta": delta, "finish_reason": null, "logprobs": null }])))
    }

    fn finish(&self, reply: &ChatReply) -> Vec<sse::Event> {
        let mut last = self.chunk(json!([{ "index": 0, "delta": {}, "finish_reason": "stop", "logprobs": null }]));
        last["truetill"] = json!(reply);
        let mut events = vec![data(&last)];
        if self.counts {
            let mut counts = self.chunk(json!([]));
            counts["usage"] = json!(usage(reply));
            events.push(data(&counts));
        }
        events.push(sse::Event::default().data("[DONE]"));
        events
    }

    fn chunk(&self, choices: Value) -> Value {
        json!({
            "id": self.id, "object": "chat.completion.chunk", "created": self.created, "model": self.model,
            "choices": choices,
        })
    }
}

fn data(value: &Value) -> sse::Event {
    sse::Event::default().data(value.to_string())
}

fn respond(events: impl Stream<Item = sse::Event> + Send + 'static) -> impl IntoResponse {
    let events = events.map(Ok::<_, Infallible>);
    ([("x-accel-buffering", "no")], Sse::new(events).keep_alive(KeepAlive::default()))
}
