//! Sessions of people, in memory: a server that starts anew knows none. A login is a JWS that the person's own client
//! built (`blotter_keys::login`), over a nonce that is good once.

use std::collections::HashMap;
use std::sync::Mutex;

use blotter_record::{ActorId, Hash};

/// How a session's text begins.
pub(crate) const SESSION_PREFIX: &str = "bls_";
/// How long a nonce is good, in microseconds.
pub(crate) const NONCE_US_MAX: i64 = 120 * 1_000_000;
const NONCES_MAX: usize = 10_000;
const SESSIONS_MAX: usize = 10_000;

#[derive(Default)]
pub(crate) struct Sessions(Mutex<Inner>);

#[derive(Default)]
struct Inner {
    nonces: HashMap<String, i64>,
    /// By the hash of its text.
    sessions: HashMap<Hash, Session>,
}

/// Who signed in, with which key, and until when that holds.
#[derive(Debug, Clone)]
pub(crate) struct Session {
    pub(crate) actor: ActorId,
    pub(crate) kid: Hash,
    pub(crate) expires_us: i64,
}

impl Sessions {
    /// Gives out a nonce; `None` if too many are out.
    pub(crate) fn nonce(&self, random: [u8; 32], now_us: i64) -> Option<String> {
        let mut inner = self.inner();
        if inner.nonces.len() >= NONCES_MAX {
            inner.nonces.retain(|_, expires_us| *expires_us > now_us);
        }
        let nonce = Hash(random).to_string();
        let free = inner.nonces.len() < NONCES_MAX;
        free.then(|| {
            inner.nonces.insert(nonce.clone(), now_us + NONCE_US_MAX);
            nonce
        })
    }

    /// Takes a nonce back, which can be done once.
    pub(crate) fn redeem(&self, nonce: &str, now_us: i64) -> bool {
        self.inner().nonces.remove(nonce).is_some_and(|expires_us| now_us < expires_us)
    }

    /// Begins a session; its text. `None` if there are too many.
    pub(crate) fn begin(&self, session: Session, random: [u8; 32], now_us: i64) -> Option<String> {
        let mut inner = self.inner();
        if inner.sessions.len() >= SESSIONS_MAX {
            inner.sessions.retain(|_, session| session.expires_us > now_us);
        }
        let text = format!("{SESSION_PREFIX}{}", Hash(random).to_hex());
        let free = inner.sessions.len() < SESSIONS_MAX;
        free.then(|| {
            inner.sessions.insert(Hash::of(text.as_bytes()), session);
            text
        })
    }

    /// The session of that text, if it still holds.
    pub(crate) fn find(&self, text: &str, now_us: i64) -> Option<Session> {
        let inner = self.inner();
        inner.sessions.get(&Hash::of(text.as_bytes())).filter(|session| now_us < session.expires_us).cloned()
    }

    /// Ends a session.
    pub(crate) fn end(&self, text: &str) {
        self.inner().sessions.remove(&Hash::of(text.as_bytes()));
    }

    fn inner(&self) -> std::sync::MutexGuard<'_, Inner> {
        self.0.lock().expect("no thread panics while it holds this")
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn a_nonce_is_good_once_and_not_for_long() {
        let sessions = Sessions::default();
        let nonce = sessions.nonce([1; 32], 0).unwrap();
        assert!(sessions.redeem(&nonce, 1) && !sessions.redeem(&nonce, 2));
        let nonce = sessions.nonce([2; 32], 0).unwrap();
        assert!(!sessions.redeem(&nonce, NONCE_US_MAX));
    }

    #[test]
    fn a_session_ends_by_time_and_by_wish() {
        let sessions = Sessions::default();
        let session = Session { actor: "person/a".parse().unwrap(), kid: Hash([0; 32]), expires_us: 10 };
        let text = sessions.begin(session, [3; 32], 0).unwrap();
        assert!(sessions.find(&text, 9).is_some() && sessions.find(&text, 10).is_none());
        sessions.end(&text);
        assert!(sessions.find(&text, 0).is_none());
    }
}
