//! Sessions of people, in memory: a server that starts anew knows none. Nobody can keep others from beginning one: of
//! one person's sessions, the oldest ends when there are too many.

use std::collections::HashMap;
use std::sync::Mutex;

use blotter_record::{ActorId, Hash};

/// How a session's text begins.
pub(crate) const SESSION_PREFIX: &str = "bls_";
const SESSIONS_MAX: usize = 10_000;
/// Sessions of one person.
const SESSIONS_OF_ONE_MAX: usize = 64;

/// By the hashes of their texts.
#[derive(Default)]
pub(crate) struct Sessions(Mutex<HashMap<Hash, Session>>);

/// Who signed in, with which key, and until when that holds.
#[derive(Debug, Clone)]
pub(crate) struct Session {
    pub(crate) actor: ActorId,
    pub(crate) kid: Hash,
    pub(crate) expires_us: i64,
}

impl Sessions {
    /// Begins a session; its text. `None` if there are too many.
    pub(crate) fn begin(&self, session: Session, random: [u8; 32], now_us: i64) -> Option<String> {
        let mut sessions = self.sessions();
        if sessions.len() >= SESSIONS_MAX {
            sessions.retain(|_, session| session.expires_us > now_us);
        }
        let own: Vec<_> = sessions.iter().filter(|(_, other)| other.actor == session.actor).collect();
        if own.len() >= SESSIONS_OF_ONE_MAX {
            let oldest = own.into_iter().min_by_key(|(_, other)| other.expires_us).map(|(hash, _)| *hash);
            oldest.and_then(|hash| sessions.remove(&hash));
        }
        let text = format!("{SESSION_PREFIX}{}", Hash(random).to_hex());
        let free = sessions.len() < SESSIONS_MAX;
        free.then(|| {
            sessions.insert(Hash::of(text.as_bytes()), session);
            text
        })
    }

    /// The session of that text, if it still holds.
    pub(crate) fn find(&self, text: &str, now_us: i64) -> Option<Session> {
        let sessions = self.sessions();
        sessions.get(&Hash::of(text.as_bytes())).filter(|session| now_us < session.expires_us).cloned()
    }

    /// Ends a session.
    pub(crate) fn end(&self, text: &str) {
        self.sessions().remove(&Hash::of(text.as_bytes()));
    }

    fn sessions(&self) -> std::sync::MutexGuard<'_, HashMap<Hash, Session>> {
        self.0.lock().expect("no thread panics while it holds this")
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn a_session_ends_by_time_and_by_wish() {
        let sessions = Sessions::default();
        let session = Session { actor: "person/a".parse().unwrap(), kid: Hash([0; 32]), expires_us: 10 };
        let text = sessions.begin(session, [3; 32], 0).unwrap();
        assert!(sessions.find(&text, 9).is_some() && sessions.find(&text, 10).is_none());
        sessions.end(&text);
        assert!(sessions.find(&text, 0).is_none());
    }

    #[test]
    fn who_begins_too_many_sessions_ends_their_own_and_nobody_else_s() {
        let sessions = Sessions::default();
        let begin = |actor: &str, n: i64| {
            let session = Session { actor: actor.parse().unwrap(), kid: Hash([0; 32]), expires_us: 1_000 + n };
            sessions.begin(session, Hash::of(format!("{actor} {n}").as_bytes()).0, 0).unwrap()
        };
        let other = begin("person/b", 0);
        let own: Vec<String> = (0..=SESSIONS_OF_ONE_MAX as i64).map(|n| begin("person/a", n)).collect();
        let good = |text: &String| sessions.find(text, 0).is_some();
        assert!(!good(&own[0]) && own[1..].iter().all(good) && good(&other));
    }
}
