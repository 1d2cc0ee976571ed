//! The Merkle tree of RFC 6962 §2.1: its right edge for the writer, its roots and proofs out of stored hashes, and in
//! `verify` the judgement on proofs.
//! Promises: a root or proof is read from at most two tiles a level, and a store that gives too little is an error,
//! never a wrong root. That what the store gives is right shows only against a signed root.

mod verify;

#[cfg(test)]
mod tests;

pub use verify::{ProofError, root_from_inclusion, verify_consistency, verify_inclusion};

use blotter_record::Hash;

/// The largest tree: 2⁶³−1 leaves, so a size and an index always fit a signed integer of a database.
pub const SIZE_MAX: u64 = i64::MAX as u64;

/// Levels of the binary tree that one tile level spans: a tile is 2⁸ hashes wide (C2SP tlog-tiles).
pub(crate) const TILE_HEIGHT: u32 = 8;

/// The root of the tree without leaves: SHA-256 of nothing (RFC 6962 §2.1).
pub fn empty_root() -> Hash {
    Hash::of(b"")
}

/// The right edge of a tree: all that an append needs to know of what came before. At most 64 hashes.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Frontier {
    size: u64,
    /// The roots of the complete subtrees that the tree falls into, the leftmost and largest first: one for each set
    /// bit of `size`.
    hashes: Vec<Hash>,
}

/// The hashes are not the right edge of a tree of that size.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{got} hashes can't be the right edge of a tree of {size} leaves")]
pub struct FrontierError {
    /// The size that was claimed.
    pub size: u64,
    /// How many hashes were given.
    pub got: usize,
}

impl Frontier {
    /// The edge of a tree of `size` leaves from its [`hashes`](Self::hashes). That they belong to that tree shows only
    /// when [`root`](Self::root) equals a root that somebody signed.
    ///
    /// # Errors
    /// If there is not one hash for each set bit of `size`, or `size` is above [`SIZE_MAX`].
    pub fn from_parts(size: u64, hashes: Vec<Hash>) -> Result<Self, FrontierError> {
        if size > SIZE_MAX || hashes.len() != size.count_ones() as usize {
            return Err(FrontierError { size, got: hashes.len() });
        }
        Ok(Self { size, hashes })
    }

    /// Appends a leaf hash.
    pub fn push(&mut self, leaf: Hash) {
        self.push_with(leaf, |_, _, _| ());
    }

    /// Appends a leaf hash and tells `store(level, index, hash)` of every hash that [`Hashes`] must give from now on:
    /// the leaf itself at level 0, and the root of each tile that it filled one level up.
    pub fn push_with(&mut self, leaf: Hash, mut store: impl FnMut(u8, u64, Hash)) {
        let (mut hash, mut height, mut index) = (leaf, 0, self.size);
        loop {
            if height % TILE_HEIGHT == 0 {
                store((height / TILE_HEIGHT) as u8, index, hash);
            }
            if index & 1 == 0 {
                break;
            }
            let left = self.hashes.pop().expect("a set bit of the size has its hash");
            hash = Hash::of_node(&left, &hash);
            (height, index) = (height + 1, index >> 1);
        }
        self.hashes.push(hash);
        self.size += 1;
    }

    /// The number of leaves.
    pub fn size(&self) -> u64 {
        self.size
    }

    /// The roots of the complete subtrees, leftmost and largest first.
    pub fn hashes(&self) -> &[Hash] {
        &self.hashes
    }

    /// The root of the tree (RFC 6962 §2.1).
    pub fn root(&self) -> Hash {
        bag(&self.hashes).unwrap_or_else(empty_root)
    }
}

/// Where the tree's hashes are stored: every leaf hash, and the root of every full subtree of 256, 256², … leaves. That
/// is what tiles of C2SP tlog-tiles hold, and what [`Frontier::push_with`] hands out.
pub trait Hashes {
    /// Why the store can't answer.
    type Error;

    /// The hashes number `start` to `start + count - 1` of `level`: at level 0 leaf hashes, at level L the roots of
    /// consecutive full subtrees of 256^L leaves. They lie within one tile, so `count` is at most 256.
    ///
    /// # Errors
    /// Whatever keeps the store from giving exactly these hashes.
    fn hashes(&self, level: u8, start: u64, count: u32) -> Result<Vec<Hash>, Self::Error>;

    /// The root of the complete subtree number `index` of those with 2^`height` leaves, if it was remembered. Such a root
    /// never changes.
    fn recall(&self, _height: u32, _index: u64) -> Option<Hash> {
        None
    }

    /// Takes note of such a root.
    fn remember(&self, _height: u32, _index: u64, _root: Hash) {}
}

/// Why there is no such root or proof. `E` is the store's own error.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TreeError<E> {
    /// The store failed.
    #[error("the stored hashes can't be read")]
    Store(#[source] E),
    /// The store gave another number of hashes than it was asked for: it is damaged, or smaller than the tree.
    #[error("{got} instead of {count} hashes are stored from {start} at tile level {level}")]
    Short {
        /// Tile level.
        level: u8,
        /// Number of the first hash within the level.
        start: u64,
        /// Hashes wanted.
        count: u32,
        /// Hashes received.
        got: usize,
    },
    /// The leaf is not in the tree.
    #[error("there is no leaf {index} in a tree of {size}")]
    OutOfTree {
        /// The leaf asked for, from 0.
        index: u64,
        /// Leaves in the tree.
        size: u64,
    },
    /// The old tree is empty or larger than the new one.
    #[error("there is no consistency proof from a tree of {old} to one of {new}")]
    NotOlder {
        /// Leaves in the old tree.
        old: u64,
        /// Leaves in the new tree.
        new: u64,
    },
}

/// The root of the tree of the first `size` leaves (RFC 6962 §2.1).
///
/// # Errors
/// If the store can't give the hashes.
pub fn root_at<H: Hashes + ?Sized>(hashes: &H, size: u64) -> Result<Hash, TreeError<H::Error>> {
    if size == 0 { Ok(empty_root()) } else { range_root(hashes, 0, size) }
}

/// The right edge of the tree of the first `size` leaves, to append to.
///
/// # Errors
/// If the store can't give the hashes.
pub fn frontier_at<H: Hashes + ?Sized>(hashes: &H, size: u64) -> Result<Frontier, TreeError<H::Error>> {
    Ok(Frontier { size, hashes: subtree_roots(hashes, 0, size)? })
}

/// The proof that leaf `index` is in the tree of the first `size` leaves: `PATH(index, D[size])` of RFC 6962 §2.1.1,
/// the leaf's sibling first. At most two tiles a level are read.
///
/// # Errors
/// If `index` is not below `size`, or the store can't give the hashes.
pub fn inclusion_proof<H: Hashes + ?Sized>(
    hashes: &H,
    index: u64,
    size: u64,
) -> Result<Vec<Hash>, TreeError<H::Error>> {
    if index >= size {
        return Err(TreeError::OutOfTree { index, size });
    }
    let mut proof = Vec::new();
    let (mut start, mut end) = (0, size);
    while end - start > 1 {
        let middle = start + split(end - start);
        if index < middle {
            proof.push(range_root(hashes, middle, end)?);
            end = middle;
        } else {
            proof.push(range_root(hashes, start, middle)?);
            start = middle;
        }
    }
    proof.reverse();
    Ok(proof)
}

/// The proof that the tree of the first `old` leaves is a prefix of that of the first `new`: `PROOF(old, D[new])`
/// of RFC 6962 §2.1.2, empty for equal sizes. At most two tiles a level are read.
///
/// # Errors
/// If `old` is 0 (everything continues the empty tree; the RFCs define no proof) or above `new`, or the store can't
/// give the hashes.
pub fn consistency_proof<H: Hashes + ?Sized>(hashes: &H, old: u64, new: u64) -> Result<Vec<Hash>, TreeError<H::Error>> {
    if old == 0 || old > new {
        return Err(TreeError::NotOlder { old, new });
    }
    let mut proof = Vec::new();
    let (mut start, mut end) = (0, new);
    while end != old {
        let middle = start + split(end - start);
        if old <= middle {
            proof.push(range_root(hashes, middle, end)?);
            end = middle;
        } else {
            proof.push(range_root(hashes, start, middle)?);
            start = middle;
        }
    }
    // A verifier knows the old root, so that subtree is told only if it is not the whole old tree.
    if start != 0 {
        proof.push(range_root(hashes, start, end)?);
    }
    proof.reverse();
    Ok(proof)
}

/// Where RFC 6962 §2.1 splits a tree: the largest power of two below `size`, which is at least 2.
fn split(size: u64) -> u64 {
    1 << (size - 1).ilog2()
}

/// `MTH(D[start:end])` of a node of the tree: `start` is a multiple of the smallest power of two not below the range's
/// length, which is at least 1.
fn range_root<H: Hashes + ?Sized>(hashes: &H, start: u64, end: u64) -> Result<Hash, TreeError<H::Error>> {
    Ok(bag(&subtree_roots(hashes, start, end)?).expect("a range that is not empty has a complete subtree"))
}

/// The roots of the complete subtrees that such a range falls into, the leftmost and largest first.
fn subtree_roots<H: Hashes + ?Sized>(hashes: &H, mut start: u64, end: u64) -> Result<Vec<Hash>, TreeError<H::Error>> {
    let mut roots = Vec::new();
    while start < end {
        let height = (end - start).ilog2();
        roots.push(subtree_root(hashes, height, start >> height)?);
        start += 1 << height;
    }
    Ok(roots)
}

/// The root of the complete subtree number `index` of those with 2^height leaves.
fn subtree_root<H: Hashes + ?Sized>(hashes: &H, height: u32, index: u64) -> Result<Hash, TreeError<H::Error>> {
    if let Some(root) = hashes.recall(height, index) {
        return Ok(root);
    }
    let level = (height / TILE_HEIGHT) as u8;
    let (start, count) = (index << (height % TILE_HEIGHT), 1 << (height % TILE_HEIGHT));
    let mut row = hashes.hashes(level, start, count).map_err(TreeError::Store)?;
    if row.len() != count as usize {
        return Err(TreeError::Short { level, start, count, got: row.len() });
    }
    while row.len() > 1 {
        let (pairs, _) = row.as_chunks::<2>();
        row = pairs.iter().map(|[left, right]| Hash::of_node(left, right)).collect();
    }
    hashes.remember(height, index, row[0]);
    Ok(row[0])
}

/// The root over complete subtrees, leftmost first: nothing for none.
fn bag(roots: &[Hash]) -> Option<Hash> {
    roots.iter().rev().copied().reduce(|right, left| Hash::of_node(&left, &right))
}
