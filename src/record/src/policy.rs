//! The `Policy` port: rules beyond keys, roles and `seen` that an organisation's process lays on its record. The ledger
//! asks it before it admits a statement, and a verifier may ask it again for every entry.

use crate::id::{Id, Jti};
use crate::instant::Instant;
use crate::rules::Role;
use crate::statement::Statement;

/// Judges statements by the history of the log so far. Deterministic: no clock, no randomness, and no I/O but through
/// [`Past`]. What it remembers between two calls is only a cache of what [`Past`] would say again.
pub trait Policy: Send {
    /// Whether `statement` may enter the log now.
    ///
    /// # Errors
    /// What stands in its way, or that the past could not be read.
    fn admit(&mut self, statement: &Statement, standing: &Standing<'_>, past: &dyn Past) -> Result<(), Objection>;

    /// Whether it has a rule that such a statement could break; it admits every other.
    fn judges(&self, statement: &Statement) -> bool;

    /// Drops what is remembered of a stream: entries that were to stand in it will not, or not in these words.
    fn forget(&mut self, stream: &Id);

    /// Drops all that is remembered.
    fn forget_all(&mut self);
}

/// In what position a statement is made.
pub struct Standing<'a> {
    /// The `recorded` of its entry.
    pub recorded: &'a Instant,
    /// Whether its actor holds a role then.
    pub has_role: &'a dyn Fn(Role) -> bool,
    /// The stream in which a legal hold was placed that covers these streams and is in force then.
    pub held_by: &'a dyn Fn(&[&Id]) -> Option<Id>,
}

/// The log before the statement that is judged.
pub trait Past {
    /// Entries of a stream from its entry `from` on, at most `limit`; none if there are no more. Expunged ones have no
    /// statement.
    ///
    /// # Errors
    /// If it can't be read; the caller knows why.
    fn entries(&self, stream: &Id, from: u64, limit: usize) -> Result<Vec<PastEntry>, Unreadable>;

    /// The entry that holds the statement of that id.
    ///
    /// # Errors
    /// If it can't be read; the caller knows why.
    fn statement(&self, jti: &Jti) -> Result<Option<PastEntry>, Unreadable>;
}

/// An entry of the past.
#[derive(Debug, Clone)]
pub struct PastEntry {
    /// Its seq.
    pub seq: u64,
    /// Its statement; `None` if it was expunged.
    pub statement: Option<Statement>,
}

/// The past could not be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Unreadable;

/// What stands in the way of a statement.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Objection {
    /// Its actor is in none of these roles, of which the process wants one.
    Role(Vec<Role>),
    /// Gates are unmet.
    Unmet(Unmet),
    /// The past could not be read.
    Unreadable,
}

impl From<Unreadable> for Objection {
    fn from(_: Unreadable) -> Self {
        Self::Unreadable
    }
}

/// The gates that stand in the way of a statement.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{}", self.told())]
pub struct Unmet {
    /// The gates, never none.
    pub gates: Vec<Gate>,
    /// The incident that it is about, in whose stream the refusal is recorded.
    pub incident: Option<Id>,
}

impl Unmet {
    fn told(&self) -> String {
        let told: Vec<String> = self.gates.iter().map(|gate| format!("{}: {}", gate.code, gate.what)).collect();
        told.join("; ")
    }

    /// The codes of the gates.
    pub fn codes(&self) -> impl Iterator<Item = &str> {
        self.gates.iter().map(|gate| gate.code.as_str())
    }
}

/// A gate that is unmet.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Gate {
    /// Its code, as `phase.entered` and `phase.refused` name it; a code of facts.
    pub code: String,
    /// What is missing, and what would meet it, in one sentence.
    pub what: String,
    /// Whether a manager may override it, with a reason.
    pub overridable: bool,
}

/// Admits everything that keys, roles and `seen` admit.
#[derive(Debug, Clone, Copy, Default)]
pub struct Permissive;

impl Policy for Permissive {
    fn admit(&mut self, _: &Statement, _: &Standing<'_>, _: &dyn Past) -> Result<(), Objection> {
        Ok(())
    }

    fn judges(&self, _: &Statement) -> bool {
        false
    }

    fn forget(&mut self, _: &Id) {}

    fn forget_all(&mut self) {}
}
