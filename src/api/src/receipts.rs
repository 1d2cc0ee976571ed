//! Receipts of what was just appended, made from what the writer hands over with its answers: no look into the store, but
//! for the first one. The tree's right edge is kept, and the roots of complete subtrees, which never change.

use std::cell::RefCell;
use std::collections::HashMap;
use std::sync::Mutex;

use blotter_keys::checkpoint::UnverifiedCheckpoint;
use blotter_keys::merkle::Hashes;
use blotter_ledger::{Appended, Commit, Error, Read, Recorded, StoreError, read};
use blotter_record::Hash;

use crate::problem::Problem;

const TILE: u64 = 256;
/// Leaf hashes that are kept: the last ones.
const LEAVES_MAX: usize = 2_048;
/// Roots that are kept; then they are forgotten, and made again.
const SUBTREES_MAX: usize = 65_536;

/// The tree's right edge at the newest checkpoint that was handed over.
#[derive(Default)]
pub(crate) struct Receipts(Mutex<Edge>);

#[derive(Default)]
struct Edge {
    checkpoint: Option<UnverifiedCheckpoint>,
    size: u64,
    /// The leaf of `leaves[0]`, a multiple of 256.
    start: u64,
    leaves: Vec<Hash>,
    /// By height and index.
    subtrees: HashMap<(u32, u64), Hash>,
}

impl Receipts {
    /// The receipt of what was appended.
    pub(crate) fn of(&self, store: &dyn Read, appended: &Appended) -> Result<read::Receipt, Problem> {
        let Some(Recorded { entry, commit }) = &appended.recorded else {
            return Ok(read::receipt(store, appended.seq)?);
        };
        let mut edge = self.0.lock().expect("no thread panics while it holds this");
        if edge.size < appended.size {
            edge.extend(store, commit)?;
        }
        let checkpoint = edge.checkpoint.clone();
        let checkpoint = checkpoint.ok_or_else(|| Problem::new("unavailable", "there is no checkpoint"))?;
        let tree = Kept { store, edge: RefCell::new(&mut edge) };
        Ok(read::receipt_of(&tree, &checkpoint, appended.seq, entry)?)
    }
}

impl Edge {
    /// Moves on to the end of a commit. Commits come in their order, almost always; else the edge is read anew.
    fn extend(&mut self, store: &dyn Read, commit: &Commit) -> Result<(), Problem> {
        let size = commit.first + commit.leaves.len() as u64;
        let checkpoint = UnverifiedCheckpoint::parse(commit.note.as_bytes());
        let checkpoint = checkpoint.map_err(|e| Error::Corrupt { seq: size, what: e.to_string() })?;
        // What can fail comes before what changes.
        if commit.first != self.size || self.checkpoint.is_none() {
            let start = commit.first - commit.first % TILE;
            let count = (commit.first - start) as u32;
            let leaves = if count == 0 { Vec::new() } else { store.hashes(0, start, count)? };
            (self.start, self.leaves) = (start, leaves);
        }
        self.leaves.extend_from_slice(&commit.leaves);
        while self.leaves.len() > LEAVES_MAX {
            self.leaves.drain(..TILE as usize);
            self.start += TILE;
        }
        (self.checkpoint, self.size) = (Some(checkpoint), size);
        Ok(())
    }
}

struct Kept<'a> {
    store: &'a dyn Read,
    edge: RefCell<&'a mut Edge>,
}

impl Hashes for Kept<'_> {
    type Error = StoreError;

    fn hashes(&self, level: u8, start: u64, count: u32) -> Result<Vec<Hash>, StoreError> {
        let edge = self.edge.borrow();
        let kept = start.checked_sub(edge.start).filter(|_| level == 0);
        let kept = kept.and_then(|from| edge.leaves.get(from as usize..from as usize + count as usize));
        kept.map_or_else(|| self.store.hashes(level, start, count), |row| Ok(row.to_vec()))
    }

    fn recall(&self, height: u32, index: u64) -> Option<Hash> {
        self.edge.borrow().subtrees.get(&(height, index)).copied()
    }

    fn remember(&self, height: u32, index: u64, root: Hash) {
        let mut edge = self.edge.borrow_mut();
        if edge.subtrees.len() >= SUBTREES_MAX {
            edge.subtrees.clear();
        }
        if height > 0 {
            edge.subtrees.insert((height, index), root);
        }
    }
}
