//! The one writer of a ledger, and its stores. It enforces keyring, `seen`, idempotency and a policy, and knows no
//! incident. What it answers with a receipt survives power loss; what it signs, it never contradicts.
//!
//! Invariant: nothing is signed or answered that is not committed, and nothing is committed that a verifier would refuse.

mod error;
pub mod head_file;
mod ledger;
mod own;
mod plan;
mod prepare;
mod publisher;
pub mod read;
mod sqlite;
mod store;
mod writer;

pub use error::Error;
pub use ledger::{
    DATABASE, LISTS_BYTES_MAX, LISTS_STATEMENTS_MAX, Ledger, Opening, QUEUE_BYTES_MAX, QUEUE_JOBS_MAX,
    QUEUE_STATEMENTS_MAX, Software, genesis_of, mark_restored,
};
pub use own::REFUSALS_A_MINUTE_MAX;
pub use plan::{BATCH_BYTES_MAX, BATCH_ENTRIES_MAX};
pub use prepare::{BlobRef, Prepared};
pub use sqlite::Sqlite;
pub use store::{Batch, NewEntry, Read, Readers, Store, StoreError, Stored, StreamHead, Tree};
pub use writer::{Appended, Commit, LedgerKeys, Recorded};

/// Microseconds since 1970, from outside.
pub type Clock = Box<dyn Fn() -> i64 + Send>;
/// Fills a buffer with random bytes, from outside.
pub type Random = Box<dyn FnMut(&mut [u8]) + Send>;
