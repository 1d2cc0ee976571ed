//! The API's JSON, as far as this client reads it. Members that it does not know are left alone: servers may say more.

use serde::Deserialize;

use crate::error::Problem;

/// Which entries are wanted.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct EntriesQuery {
    /// From this entry on.
    pub from: u64,
    /// Only those before this one.
    pub before: Option<u64>,
    /// How many, at most 1000.
    pub limit: usize,
    /// The newest of them, newest first.
    pub newest: bool,
    /// Only those that the keyring is folded from; not together with the filters below.
    pub trusted: bool,
    /// In this stream; `incident/` means all of a kind.
    pub stream: Option<String>,
    /// Of this event; `incident.` means all that begin so.
    pub event: Option<String>,
    /// By this actor.
    pub actor: Option<String>,
    /// Recorded at this instant or later.
    pub since: Option<String>,
    /// Recorded before this instant.
    pub until: Option<String>,
    /// Happened at this instant or later.
    pub occurred_since: Option<String>,
    /// Happened before this instant.
    pub occurred_until: Option<String>,
}

impl EntriesQuery {
    pub(crate) fn pairs(&self) -> Vec<(&'static str, String)> {
        let mut pairs = vec![("from", self.from.to_string()), ("limit", self.limit.to_string())];
        pairs.extend(self.before.map(|before| ("before", before.to_string())));
        pairs.extend(self.newest.then(|| ("newest", "true".to_owned())));
        pairs.extend(self.trusted.then(|| ("trusted", "true".to_owned())));
        for (name, value) in [
            ("stream", &self.stream),
            ("event", &self.event),
            ("actor", &self.actor),
            ("since", &self.since),
            ("until", &self.until),
            ("occurred_since", &self.occurred_since),
            ("occurred_until", &self.occurred_until),
        ] {
            pairs.extend(value.iter().map(|value| (name, value.clone())));
        }
        pairs
    }
}

/// A page of entries.
#[derive(Debug, Clone, Deserialize)]
pub struct Page {
    /// What is on it.
    pub entries: Vec<EntryView>,
    /// `from` of the next page; with `newest`, its `before`.
    pub next: u64,
    /// Whether there is more.
    pub more: bool,
}

/// An entry as far as the caller may see it.
#[derive(Debug, Clone, Deserialize)]
pub struct EntryView {
    /// Its number.
    pub seq: u64,
    /// Its leaf hash.
    pub leaf: String,
    /// Its exact bytes; not there if it was expunged or is withheld.
    pub entry: Option<String>,
    /// The disclosures that the vault has.
    #[serde(default)]
    pub disclosures: Vec<String>,
    /// Why it is not shown.
    pub withheld: Option<String>,
}

/// A stream's head.
#[derive(Debug, Clone, Deserialize)]
pub struct StreamView {
    /// Its id, as first written.
    pub stream: String,
    /// Its entries.
    pub count: u64,
    /// Seq of the last.
    pub seq: u64,
}

/// What became of one statement of a list.
#[derive(Debug, Clone, Deserialize)]
pub struct LineResult {
    /// The line, from 1.
    pub line: usize,
    /// As if it had been sent alone: 201 is recorded now, 200 was recorded before.
    pub status: u16,
    /// The number of its entry.
    pub seq: Option<u64>,
    /// The entry with its proof.
    pub receipt: Option<Receipt>,
    /// Why it was not recorded.
    pub problem: Option<Problem>,
}

/// An entry with the proof that it is in the log (FORMAT.md §7).
#[derive(Debug, Clone, Deserialize)]
pub struct Receipt {
    /// Its exact bytes; empty if it was expunged.
    pub entry: String,
    /// Its number.
    pub seq: u64,
    /// A `.tlog-proof` file.
    pub proof: String,
}

/// What a login is to say, as the server proposes it; the client decides.
#[derive(Debug, Clone, Deserialize)]
pub struct LoginOffer {
    /// Good once.
    pub nonce: String,
    /// Which ledger the server says that it is.
    pub aud: String,
    /// Where the server says that it is.
    pub url: String,
}

/// A session that began.
#[derive(Clone, Deserialize)]
pub struct Session {
    /// The secret.
    pub session: String,
    /// Whose it is.
    pub actor: String,
    /// Until when it holds.
    pub expires: String,
}

impl std::fmt::Debug for Session {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Session").field("actor", &self.actor).field("expires", &self.expires).finish_non_exhaustive()
    }
}
