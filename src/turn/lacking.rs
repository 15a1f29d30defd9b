//! "I don't have it" to a question that was just asked: the command that waits goes on and tells the other way. And photos that came where
//! one was asked for.

use crate::app::App;
use crate::domain::message::PiiKind;
use crate::domain::plan::Ask;
use crate::domain::session::Session;
use crate::domain::{Command, Screened};

/// True when the message says that the shopper does not have what was asked for, and gives nothing in its place.
pub(super) fn lacks(app: &App, session: &Session, screened: &Screened) -> bool {
    let asked = session.pending.as_ref().map(|pending| pending.asked);
    let asked = matches!(asked, Some(Ask::OrderNumber | Ask::OrderOrContact | Ask::Identity | Ask::Photo));
    let gives = screened.pii.iter().any(|found| matches!(found.kind, PiiKind::Phone | PiiKind::Email));
    asked && !gives && app.lacking.heard(&screened.text, false)
}

/// The command that goes on although no words answer its question: what it asked for is not there, or came as a photo.
pub(super) async fn goes_on(app: &App, session: &Session, screened: &Screened) -> Option<Command> {
    let pending = session.pending.as_ref()?;
    let goes_on = lacks(app, session, screened) || !photos(app, session).await.is_empty();
    goes_on.then(|| pending.command.clone())
}

/// Photos that came since one was asked for.
pub(super) async fn photos(app: &App, session: &Session) -> Vec<String> {
    let talk = session.talk.as_ref().filter(|talk| talk.asked == Some(Ask::Photo));
    let Some(since) = talk.and_then(|talk| talk.photo_since) else { return Vec::new() };
    app.state.photos_of(session.id, since).await.unwrap_or_else(|error| {
        // It is asked for once more; what came is kept.
        tracing::error!(error = format!("{error:#}"), "photos could not be looked for");
        Vec::new()
    })
}
