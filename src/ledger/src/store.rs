//! The store port: where a ledger's bytes live. A store keeps what it is given and gives it back; it judges nothing and
//! signs nothing. Every append is all or nothing, and survives power loss when it returns.
//! One contract test suite (tests/contract.rs) runs against every store.

use std::collections::HashSet;

use blotter_keys::judge::StreamState;
use blotter_keys::merkle::TreeError;
use blotter_record::{Disclosure, Hash, Id, Jti};

/// Why a store could not do something.
#[derive(Debug, Clone, thiserror::Error)]
pub enum StoreError {
    /// The log is not as long as the writer thought: somebody else wrote.
    #[error("the log has {size} entries; another writer is at work")]
    Conflict {
        /// Its entries.
        size: u64,
    },
    /// Reading or writing failed; after a failed append it is unknown whether it was kept.
    #[error("{what}: {cause}")]
    Failed {
        /// What was tried.
        what: &'static str,
        /// What the system said.
        cause: String,
    },
    /// What is stored can't be what was written.
    #[error("entry {seq}: {what}")]
    Corrupt {
        /// The entry.
        seq: u64,
        /// What is wrong.
        what: String,
    },
}

/// An entry as stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stored {
    /// Its number.
    pub seq: u64,
    /// Its leaf hash.
    pub leaf: Hash,
    /// Its exact bytes; the 32 bytes of the leaf hash if it was expunged.
    pub bytes: Vec<u8>,
}

impl Stored {
    /// Whether the bytes were replaced by their leaf hash.
    pub fn is_expunged(&self) -> bool {
        self.bytes == self.leaf.0
    }
}

/// The head of a stream: what a signer names in `seen`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StreamHead {
    /// Its id, as first written.
    pub id: Id,
    /// Its entries, at least 1.
    pub count: u64,
    /// Leaf hash of the last.
    pub leaf: Hash,
}

/// One commit: everything that becomes true at once.
#[derive(Debug, Default)]
pub struct Batch {
    /// How many entries there are before.
    pub expected_size: u64,
    /// New entries, in order.
    pub entries: Vec<NewEntry>,
    /// New roots of full tiles: level (1 and up), index, hash.
    pub nodes: Vec<(u8, u64, Hash)>,
    /// The streams that the new entries entered, as they are afterwards.
    pub streams: Vec<StreamState>,
    /// The signed note over the tree of all entries.
    pub checkpoint: String,
    /// Digests of the disclosures to delete, whichever entries they belong to.
    pub erase: Vec<Hash>,
    /// Entries whose bytes are to be replaced by their leaf hash.
    pub expunge: Vec<(u64, Hash)>,
    /// Blobs to keep: id and bytes.
    pub blobs: Vec<(String, Vec<u8>)>,
    /// Ids of blobs to delete.
    pub drop_blobs: Vec<String>,
}

/// An entry to be appended.
#[derive(Debug)]
pub struct NewEntry {
    /// Its number.
    pub seq: u64,
    /// Its leaf hash.
    pub leaf: Hash,
    /// Its statement's id.
    pub jti: Jti,
    /// Its exact bytes.
    pub bytes: Vec<u8>,
    /// The streams it enters, with its number in each.
    pub links: Vec<(Id, u64)>,
    /// What it discloses.
    pub disclosures: Vec<Disclosure>,
    /// Whether the keyring is folded from it.
    pub trust: bool,
}

/// Reading. Everything returned was committed.
pub trait Read: Send {
    /// How many entries there are.
    ///
    /// # Errors
    /// If the store can't be read.
    fn size(&self) -> Result<u64, StoreError>;

    /// The newest signed checkpoint.
    ///
    /// # Errors
    /// If the store can't be read.
    fn checkpoint(&self) -> Result<Option<String>, StoreError>;

    /// Up to `limit` entries from `from` on.
    ///
    /// # Errors
    /// If the store can't be read.
    fn entries(&self, from: u64, limit: usize) -> Result<Vec<Stored>, StoreError>;

    /// The entry of the statement with that id.
    ///
    /// # Errors
    /// If the store can't be read.
    fn seq_of(&self, jti: &Jti) -> Result<Option<u64>, StoreError>;

    /// A stream as the judge must know it, its id compared without case.
    ///
    /// # Errors
    /// If the store can't be read.
    fn stream(&self, id: &Id) -> Result<Option<StreamState>, StoreError>;

    /// What a reader needs to know of a stream's head. A store that only reads may know no more than this.
    ///
    /// # Errors
    /// If the store can't be read.
    fn stream_head(&self, id: &Id) -> Result<Option<StreamHead>, StoreError> {
        let head = |state: StreamState| StreamHead { id: state.id, count: state.count, leaf: state.leaf };
        Ok(self.stream(id)?.map(head))
    }

    /// Seqs of a stream's entries, from its entry `from_n` on, at most `limit`.
    ///
    /// # Errors
    /// If the store can't be read.
    fn stream_seqs(&self, id: &Id, from_n: u64, limit: usize) -> Result<Vec<u64>, StoreError>;

    /// `count` consecutive hashes of the tree, from `start` on: leaves at level 0, roots of full tiles above.
    ///
    /// # Errors
    /// If the store can't be read, or one of them is not there.
    fn hashes(&self, level: u8, start: u64, count: u32) -> Result<Vec<Hash>, StoreError>;

    /// The texts of an entry's disclosures that are still there, in their order.
    ///
    /// # Errors
    /// If the store can't be read.
    fn disclosures(&self, seq: u64) -> Result<Vec<String>, StoreError>;

    /// Those of the entries from `from` on and before `end`, in their order, each with its entry's number.
    ///
    /// # Errors
    /// If the store can't be read.
    fn disclosures_between(&self, from: u64, end: u64) -> Result<Vec<(u64, String)>, StoreError> {
        let of = |seq| Ok(self.disclosures(seq)?.into_iter().map(move |text| (seq, text)));
        (from..end).map(of).collect::<Result<Vec<_>, StoreError>>().map(|all| all.into_iter().flatten().collect())
    }

    /// A blob.
    ///
    /// # Errors
    /// If the store can't be read.
    fn blob(&self, id: &str) -> Result<Option<Vec<u8>>, StoreError>;

    /// Seqs of the entries that the keyring is folded from.
    ///
    /// # Errors
    /// If the store can't be read.
    fn trusted(&self) -> Result<Vec<u64>, StoreError>;
}

/// Writing: one writer at a time.
pub trait Store: Read {
    /// Appends a batch, durably, or nothing of it.
    ///
    /// # Errors
    /// [`StoreError::Conflict`] if the log is not as long as expected; after any other error the writer must not go on: it
    /// is unknown what was kept.
    fn append(&mut self, batch: &Batch) -> Result<(), StoreError>;

    /// Deletes every disclosure with one of these digests, and the blobs that they name, for a restored backup that holds values erased since; says how
    /// many there were.
    ///
    /// # Errors
    /// If the store can't be read or written.
    fn erase_again(&mut self, digests: &HashSet<Hash>) -> Result<usize, StoreError>;

    /// How other threads get readers of the same store.
    fn readers(&self) -> Readers;
}

/// Opens readers of a store.
pub type Readers = Box<dyn Fn() -> Result<Box<dyn Read>, StoreError> + Send + Sync>;

/// Why there is no root or proof: a store that can't be read is no damage.
pub(crate) fn tree_error(seq: u64, error: TreeError<StoreError>) -> StoreError {
    match error {
        TreeError::Store(error) => error,
        other => StoreError::Corrupt { seq, what: other.to_string() },
    }
}

/// A store's hashes, for the functions over the tree.
pub struct Tree<'a, R: ?Sized>(pub &'a R);

impl<R: Read + ?Sized> blotter_keys::merkle::Hashes for Tree<'_, R> {
    type Error = StoreError;

    fn hashes(&self, level: u8, start: u64, count: u32) -> Result<Vec<Hash>, StoreError> {
        self.0.hashes(level, start, count)
    }
}
