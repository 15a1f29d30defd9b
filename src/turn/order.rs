//! Messages of one conversation at one moment, in two programs perhaps: each is answered on what the one before has left. A turn
//! that only reads is done again when another was faster; one that writes takes the conversation first, while nothing has left
//! the house yet, and is waited for.

use std::time::{Duration, Instant};

use crate::app::{App, Hold};
use crate::domain::desk::Versioned;
use crate::domain::session::{Session, SessionId};
use crate::domain::{CommandName, Understanding};

use super::answer::TurnError;

/// How often a turn is done anew before it is refused.
pub(super) const TRIES: u32 = 8;
/// A turn of another program is looked for this often at first, then twice as rarely, up to the last.
const LOOKS: [Duration; 2] = [Duration::from_millis(10), Duration::from_millis(160)];

/// A conversation that no turn is writing for, with the right to write it; waits for the one that is.
///
/// # Errors
/// It does not exist, is written for all the time, or cannot be read.
pub(super) async fn read(app: &App, id: SessionId) -> Result<(Session, Hold), TurnError> {
    let patience = Instant::now() + Duration::from_secs(app.config.server.wait_s);
    let mut pause = LOOKS[0];
    loop {
        let read = app.state.conversation(id).await.map_err(TurnError::Failed)?;
        let read = read.ok_or(TurnError::UnknownSession(id))?;
        if !read.busy {
            let Versioned { value, version } = read.session;
            return Ok((value, app.state.hold(id, version)));
        }
        if Instant::now() > patience {
            return Err(TurnError::Conflict);
        }
        tokio::time::sleep(pause).await;
        pause = (pause * 2).min(LOOKS[1]);
    }
}

/// Others are writing: a moment that grows with the tries, and is not the same for two.
pub(super) async fn step_aside(attempt: u32) {
    let odd = u64::from(uuid::Uuid::now_v7().as_bytes()[15]) % 16;
    tokio::time::sleep(Duration::from_millis(u64::from(attempt) * 8 + odd)).await;
}

/// Takes the conversation, if what was heard so far may come to a write; false when another turn was faster.
///
/// # Errors
/// The database cannot be written.
pub(super) async fn take(hold: &mut Hold, session: &Session, heard: Option<&Understanding>) -> Result<bool, TurnError> {
    let may_write = heard.map_or_else(|| reads_answers(session), |heard| writes(session, heard));
    if may_write { hold.take().await.map_err(TurnError::Failed) } else { Ok(true) }
}

/// True when the very reading of a message writes: a code that is typed, a time that is chosen.
fn reads_answers(session: &Session) -> bool {
    session.login.code.is_some() || session.menu.is_some()
}

/// True when the answer may write something besides its record: anything that is being arranged, any command but questions.
fn writes(session: &Session, understanding: &Understanding) -> bool {
    use CommandName::{
        Compare, Complaint, DeliveryInfo, FindProduct, Human, OutOfScope, Policy, Price, Smalltalk, Spam, Stock, Unsafe,
    };
    let asks = |name| {
        let product = matches!(name, FindProduct | Price | Stock | Compare | DeliveryInfo | Policy);
        product || matches!(name, Smalltalk | OutOfScope | Spam | Unsafe | Human | Complaint)
    };
    let arranged = session.talk.is_some() || session.checkout.is_some() || session.consent.is_some();
    arranged || reads_answers(session) || !understanding.commands.iter().all(|command| asks(command.name))
}
