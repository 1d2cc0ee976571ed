//! What can go wrong with a ledger, by what the caller can do about it.

use std::path::PathBuf;

use blotter_keys::judge::Refusal;
use blotter_record::StatementError;

use crate::head_file::HeadFileError;
use crate::store::StoreError;

/// Why a ledger did not do something.
#[derive(Debug, Clone, thiserror::Error)]
pub enum Error {
    /// The statement is not one. Nothing has changed; mend it.
    #[error("not a statement: {0}")]
    Malformed(#[from] StatementError),
    /// The statement may not enter the log. Nothing has changed.
    #[error(transparent)]
    Refused(#[from] Refusal),
    /// Another statement of the list was refused, and the list enters as a whole or not at all.
    #[error("not recorded, because statement {index} of the list was refused: {why}")]
    ListRefused {
        /// Which one, from 0.
        index: usize,
        /// Why.
        why: Refusal,
    },
    /// Too much is waiting. Nothing has changed; try again later.
    #[error("busy: {waiting} statements are waiting; try again in {retry_after_ms} ms")]
    Busy {
        /// Statements in the queue.
        waiting: usize,
        /// When to try again.
        retry_after_ms: u64,
    },
    /// A commit failed: whether the statement was recorded is unknown. The writer stays shut until the ledger is opened
    /// again; then append the same statement again, and the ledger says which.
    #[error(
        "the ledger is shut after a failed commit ({why}); open it again, and append again: nothing is recorded twice"
    )]
    Poisoned {
        /// What failed.
        why: String,
    },
    /// The ledger is behind what it signed before: a backup was restored. It can be read, not written.
    #[error(
        "this ledger has {size} entries, but it signed {signed} before (says {}): it was restored from an old backup, and \
         writing would fork its history. Bring back the newer copy, or found a successor that names this one as its \
         predecessor", .head_file.display()
    )]
    Behind {
        /// Entries now.
        size: u64,
        /// Entries that it signed.
        signed: u64,
        /// Which file says so.
        head_file: PathBuf,
    },
    /// What is stored is not what was signed. Call somebody.
    #[error("entry {seq}: {what}. Don't write to this ledger; run `blotter verify` and keep the files as they are")]
    Corrupt {
        /// The first entry concerned.
        seq: u64,
        /// What is wrong.
        what: String,
    },
    /// The directory holds no ledger.
    #[error("{}: no ledger here ({why}); `blotter init --dir {}` founds one", .dir.display(), .dir.display())]
    NotALedger {
        /// The directory.
        dir: PathBuf,
        /// Why not.
        why: String,
    },
    /// Another process has it open for writing.
    #[error("{}: another process has this ledger open for writing; end it, or send to it instead", .0.display())]
    Locked(PathBuf),
    /// The system refused something outside a commit.
    #[error("{what}: {cause}")]
    System {
        /// What was tried.
        what: String,
        /// What the system said.
        cause: String,
    },
}

impl From<StoreError> for Error {
    fn from(error: StoreError) -> Self {
        match error {
            StoreError::Corrupt { seq, what } => Self::Corrupt { seq, what },
            StoreError::Conflict { size } => {
                Self::Poisoned { why: format!("somebody else wrote: the log has {size} entries") }
            }
            StoreError::Failed { what, cause } => Self::System { what: what.to_owned(), cause },
        }
    }
}

impl From<HeadFileError> for Error {
    fn from(error: HeadFileError) -> Self {
        match error {
            HeadFileError::Locked(path) => Self::Locked(path),
            other => Self::System { what: "the head file".to_owned(), cause: other.to_string() },
        }
    }
}
