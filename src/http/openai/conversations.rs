//! Which conversation a stateless client goes on with. Such a client sends the whole history each time, so the digest
//! of all messages before the new one, with the caller and `user`, leads back to the session that answered the last.
//! Each way back is taken once: two shoppers with word-for-word the same history never share a session. A history
//! that is not known (restart, edited, sent twice) starts a new session; `metadata.session_id` is the sure way.

use std::collections::{HashMap, VecDeque};
use std::sync::{Mutex, MutexGuard, PoisonError};

use sha2::{Digest, Sha256};

use crate::domain::session::SessionId;
use crate::http::door::auth::KeyDigest;

const MOST: usize = 20_000;

/// The digest of a history.
pub type History = [u8; 32];

/// Histories and the sessions that go on from them.
#[derive(Debug, Default)]
pub struct Conversations(Mutex<Known>);

#[derive(Debug, Default)]
struct Known {
    sessions: HashMap<History, Vec<SessionId>>,
    oldest: VecDeque<History>,
}

/// The digest of messages of one caller's user and customer: a customer's conversation is not found without their token.
pub fn digest<'a>(
    (caller, user, customer): (Option<&KeyDigest>, Option<&str>, Option<&str>),
    messages: impl IntoIterator<Item = (&'a str, &'a str)>,
) -> History {
    let mut hash = Sha256::new();
    let mut add = |part: &[u8]| {
        // Lengths keep neighbours apart.
        hash.update(part.len().to_le_bytes());
        hash.update(part);
    };
    add(caller.map_or(&[][..], |key| &key[..]));
    add(user.unwrap_or_default().as_bytes());
    add(customer.unwrap_or_default().as_bytes());
    for (role, text) in messages {
        add(role.as_bytes());
        add(text.as_bytes());
    }
    hash.finalize().into()
}

impl Conversations {
    /// The session that answered this history, once.
    pub fn take(&self, history: &History) -> Option<SessionId> {
        let mut known = self.known();
        let sessions = known.sessions.get_mut(history)?;
        let session = sessions.pop();
        if sessions.is_empty() {
            known.sessions.remove(history);
        }
        session
    }

    /// Remembers which session answered.
    pub fn keep(&self, history: History, session: SessionId) {
        let mut known = self.known();
        while known.oldest.len() >= MOST {
            let Some(old) = known.oldest.pop_front() else { break };
            known.sessions.remove(&old);
        }
        known.oldest.push_back(history);
        let sessions = known.sessions.entry(history).or_default();
        // An answer that is told twice has one way back.
        if !sessions.contains(&session) {
            sessions.push(session);
        }
    }

    fn known(&self) -> MutexGuard<'_, Known> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_way_back_is_taken_once() {
        let conversations = Conversations::default();
        let history = digest((None, None, None), [("user", "hi"), ("assistant", "hello")]);
        let (first, second) = (SessionId::fresh(), SessionId::fresh());
        conversations.keep(history, first);
        conversations.keep(history, second);
        let mut got = [conversations.take(&history), conversations.take(&history)];
        got.sort();
        assert_eq!(got, [Some(first), Some(second)]);
        assert_eq!(conversations.take(&history), None);
    }

    #[test]
    fn callers_users_and_texts_are_kept_apart() {
        let messages = [("user", "hi")];
        let base = digest((None, None, None), messages);
        assert_ne!(base, digest((Some(&[1; 32]), None, None), messages));
        assert_ne!(base, digest((None, Some("ann"), None), messages));
        assert_ne!(base, digest((None, None, Some("C-1")), messages));
        assert_ne!(base, digest((None, None, None), [("user", "h"), ("i", "")]));
        assert_eq!(base, digest((None, None, None), messages));
    }

    #[test]
    fn memory_is_bounded() {
        let conversations = Conversations::default();
        for n in 0..MOST + 10 {
            conversations.keep(digest((None, None, None), [("user", n.to_string().as_str())]), SessionId::fresh());
        }
        assert!(conversations.known().sessions.len() <= MOST);
    }
}
