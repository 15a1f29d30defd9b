//! A turn as server-sent events. Only verified segments are ever sent, and none is taken back.

use std::convert::Infallible;

use axum::http::{HeaderName, HeaderValue};
use axum::response::sse::{KeepAlive, Sse};
use axum::response::{IntoResponse, sse};
use serde::Serialize;
use serde_json::json;
use tokio_stream::{Stream, StreamExt};

use crate::http::chat::types::{ActionBody, ChatReply, SegmentBody};
use crate::http::door::passage::RequestId;
use crate::http::turns::{Running, Told};
use crate::turn::Event;

/// The events of a running turn.
pub fn live(running: Running, id: RequestId) -> impl IntoResponse {
    let events = running.tell(move |told| match told {
        Told::Event(Event::Status(stage)) => vec![event("status", &json!({ "stage": stage }))],
        Told::Event(Event::Segment(segment)) => vec![event("segment", &SegmentBody::from(&segment))],
        Told::Done(answer) => ending(&ChatReply::from(&*answer)),
        Told::Failed(problem) => vec![event("error", &problem.body(&id.0))],
    });
    respond(events)
}

/// The events of a turn that was answered before.
pub fn replay(reply: &ChatReply) -> impl IntoResponse + use<> {
    let segments = reply.reply.segments.iter().map(|segment| event("segment", segment));
    let events: Vec<sse::Event> = segments.chain(ending(reply)).collect();
    respond(tokio_stream::iter(events))
}

fn ending(reply: &ChatReply) -> Vec<sse::Event> {
    let action = |action: &ActionBody| event("action", action);
    let mut events: Vec<sse::Event> = reply.reply.actions.iter().map(action).collect();
    events.extend(reply.handover.as_ref().map(|handover| event("handover", handover)));
    events.push(event("done", reply));
    events
}

fn event(name: &str, data: &impl Serialize) -> sse::Event {
    let data = serde_json::to_string(data).expect("invariant: wire types hold no map with keys that are not text");
    sse::Event::default().event(name).data(data)
}

fn respond(events: impl Stream<Item = sse::Event> + Send + 'static) -> impl IntoResponse {
    // A buffering proxy would turn the stream into one late block.
    let unbuffered = (HeaderName::from_static("x-accel-buffering"), HeaderValue::from_static("no"));
    let events = events.map(Ok::<_, Infallible>);
    ([unbuffered], Sse::new(events).keep_alive(KeepAlive::default()))
}
