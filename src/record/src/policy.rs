//! The `Policy` port: rules beyond keys, roles and `seen` that an organisation's process lays on its record. The ledger
//! asks it before it admits a statement, and a verifier asks it again for every entry.

use crate::entry::Entry;
use crate::statement::Statement;

/// Judges statements by the history of the log so far. Deterministic: no clock, no randomness, no I/O.
pub trait Policy: Send {
    /// Whether `statement` may enter the log now.
    ///
    /// # Errors
    /// If a gate is unmet: which ones.
    fn admit(&self, statement: &Statement) -> Result<(), Unmet>;

    /// Takes note of an entry that entered the log.
    fn apply(&mut self, entry: &Entry, statement: &Statement);

    /// The same policy in the same state; for a list of statements that enters as a whole or not at all.
    fn fork(&self) -> Box<dyn Policy>;
}

/// The gates that stand in the way of a statement, by their codes.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("these gates are unmet: {}", .gates.join(", "))]
pub struct Unmet {
    /// Codes of the gates.
    pub gates: Vec<String>,
}

/// Admits everything that keys, roles and `seen` admit.
#[derive(Debug, Clone, Copy, Default)]
pub struct Permissive;

impl Policy for Permissive {
    fn admit(&self, _: &Statement) -> Result<(), Unmet> {
        Ok(())
    }

    fn apply(&mut self, _: &Entry, _: &Statement) {}

    fn fork(&self) -> Box<dyn Policy> {
        Box::new(*self)
    }
}
