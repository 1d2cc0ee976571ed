//! What a caller gives a verification: what they know from outside, and how far it shall go.

use std::path::PathBuf;

use blotter_keys::anchor::Anchor;
use blotter_keys::checkpoint::UnverifiedCheckpoint;
use blotter_record::{Hash, Permissive, Policy};

/// How to verify, and against what.
pub struct Options {
    /// The anchor, from outside (FORMAT.md §8.1).
    pub anchor: Option<Anchor>,
    /// The directory outside the ledger where its writer keeps the head file (FORMAT.md §8.2); none there is no error.
    pub state_dir: Option<PathBuf>,
    /// Other heads of the log that the caller trusts, such as one that a witness saw.
    pub heads: Vec<KnownHead>,
    /// An older checkpoint of this log that somebody kept.
    pub since: Option<UnverifiedCheckpoint>,
    /// Verify only the chain, the tree and the checkpoints' roots.
    pub structure_only: bool,
    /// Entries that were expunged by order do not make the result incomplete.
    pub accept_expunged: bool,
    /// How many threads verify signatures; 0 is one for each core.
    pub threads: usize,
    /// The process's own rules, which judge every decision again; nothing is judged by them unless there are any.
    pub policy: Box<dyn Policy>,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            anchor: None,
            state_dir: None,
            heads: Vec::new(),
            since: None,
            structure_only: false,
            accept_expunged: false,
            threads: 0,
            policy: Box::new(Permissive),
        }
    }
}

/// A head of the log that is known from outside.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KnownHead {
    /// What it is, for the report.
    pub by: String,
    /// The number of entries.
    pub size: u64,
    /// Root of the tree over them.
    pub root: Hash,
}

/// How far a verification is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Progress {
    /// Entries that are done.
    pub entries: u64,
    /// Entries that there seem to be.
    pub of: u64,
}
