//! Refusals: why a statement may not enter the log, each with a code for machines and words for people.

use std::fmt;

use blotter_record::{ActorId, Hash, Id, Jti};

/// Why a statement may not enter the log. Nothing has changed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// It is for another ledger.
    #[error("aud: it is for another ledger; this one is {wanted}")]
    Audience {
        /// This ledger.
        wanted: String,
    },
    /// Another statement has its id.
    #[error("jti: {jti} is already taken, by entry {seq}, which says something else")]
    JtiTaken {
        /// The id.
        jti: Jti,
        /// The entry.
        seq: u64,
    },
    /// The key can't sign it: unknown, another's, revoked or expired.
    #[error("kid: {0}")]
    Key(String),
    /// The signature does not verify.
    #[error("the signature does not verify under the key {kid}")]
    Signature {
        /// Thumbprint of the key.
        kid: Hash,
    },
    /// `iat` is in the future.
    #[error("iat: {ahead_seconds} s ahead of the ledger's clock; at most 300 s; check the clocks")]
    Future {
        /// How far.
        ahead_seconds: i64,
    },
    /// `seen` is missing where it must not be.
    #[error("seen: missing; {why}")]
    SeenMissing {
        /// Why it is needed.
        why: &'static str,
    },
    /// `seen` does not describe this log.
    #[error("seen: {0}")]
    SeenWrong(String),
    /// Another actor decided something in the meantime.
    #[error("seen: since then {by} decided something in {stream} (its entry {n}); look at it and decide again")]
    Stale {
        /// The stream.
        stream: Id,
        /// Number of that decision in the stream.
        n: u64,
        /// Who decided; empty if it was several.
        by: String,
    },
    /// The actor may not say this.
    #[error("not allowed: {event} is for {}; {actor} is none of them", .wanted.join(", "))]
    Role {
        /// The event.
        event: String,
        /// Who tried.
        actor: ActorId,
        /// Who may.
        wanted: Vec<String>,
    },
    /// A rule of that event forbids it.
    #[error("{at}: {what}")]
    Rule {
        /// Where.
        at: &'static str,
        /// What.
        what: String,
    },
    /// A stream differs only in case from one that is there.
    #[error("{id}: differs only in case from {there}, which is there already")]
    Case {
        /// The id.
        id: Id,
        /// The one that is there.
        there: Id,
    },
    /// This program does not know the event, or the rules in force.
    #[error("{0}: not in the rules that this program knows")]
    Unknown(String),
    /// The process forbids it.
    #[error("gates are unmet: {0}")]
    Policy(blotter_record::Unmet),
}

impl Refusal {
    /// A stable code for machines.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Audience { .. } => "wrong-ledger",
            Self::JtiTaken { .. } => "jti-taken",
            Self::Key(_) => "key-not-usable",
            Self::Signature { .. } => "bad-signature",
            Self::Future { .. } => "iat-in-future",
            Self::SeenMissing { .. } => "seen-missing",
            Self::SeenWrong(_) => "seen-wrong",
            Self::Stale { .. } => "seen-stale",
            Self::Role { .. } => "role-missing",
            Self::Rule { .. } => "rule",
            Self::Case { .. } => "case-differs",
            Self::Unknown(_) => "unknown-event",
            Self::Policy(_) => "gate-unmet",
        }
    }
}

/// A refusal, or a failure to look back.
#[derive(Debug)]
pub enum Judgement<E> {
    /// The statement may not enter.
    Refused(Refusal),
    /// The history could not be read.
    Failed(E),
}

impl<E> From<Refusal> for Judgement<E> {
    fn from(refusal: Refusal) -> Self {
        Self::Refused(refusal)
    }
}

impl<E: fmt::Display> fmt::Display for Judgement<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Refused(refusal) => refusal.fmt(f),
            Self::Failed(error) => error.fmt(f),
        }
    }
}
