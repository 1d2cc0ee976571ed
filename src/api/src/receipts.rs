//! Receipts of what was just appended, made from what the writer hands over with its answers: no look into the store, but
//! for the first one. The tree's right edge is kept here; roots of complete subtrees are where all proofs have them from.

use std::sync::Mutex;

use blotter_keys::checkpoint::UnverifiedCheckpoint;
use blotter_keys::merkle::Hashes;
use blotter_ledger::{Appended, Commit, Error, Read, Recorded, StoreError, Tree, read};
use blotter_record::Hash;

use crate::problem::Problem;
use crate::subtrees::Subtrees;

const TILE: u64 = 256;
/// Leaf hashes that are kept: the last ones.
const LEAVES_MAX: usize = 2_048;

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
}

impl Receipts {
    /// The receipt of what was appended.
    pub(crate) fn of(
        &self,
        store: &dyn Read,
        subtrees: &Subtrees,
        appended: &Appended,
    ) -> Result<read::Receipt, Problem> {
        let Some(Recorded { entry, commit }) = &appended.recorded else {
            return stored(store, subtrees, appended.seq);
        };
        let mut edge = self.0.lock().expect("no thread panics while it holds this");
        if edge.size < appended.size {
            edge.extend(store, commit)?;
        }
        let checkpoint = edge.checkpoint.clone();
        let checkpoint = checkpoint.ok_or_else(|| Problem::new("unavailable", "there is no checkpoint"))?;
        let tree = Kept { store, edge: &edge };
        Ok(read::receipt_of(&subtrees.over(&tree, edge.size), &checkpoint, appended.seq, entry)?)
    }
}

/// The receipt of an entry that is in the store, by the newest checkpoint.
pub(crate) fn stored(store: &dyn Read, subtrees: &Subtrees, seq: u64) -> Result<read::Receipt, Problem> {
    let tree = Tree(store);
    Ok(read::receipt_over(store, &subtrees.over(&tree, store.size()?), seq)?)
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
    edge: &'a Edge,
}

impl Hashes for Kept<'_> {
    type Error = StoreError;

    fn hashes(&self, level: u8, start: u64, count: u32) -> Result<Vec<Hash>, StoreError> {
        let kept = start.checked_sub(self.edge.start).filter(|_| level == 0);
        let kept = kept.and_then(|from| self.edge.leaves.get(from as usize..from as usize + count as usize));
        kept.map_or_else(|| self.store.hashes(level, start, count), |row| Ok(row.to_vec()))
    }
}
