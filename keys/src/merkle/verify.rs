//! Proofs judged without the tree, step by step as RFC 9162 §2.1.3.2 and §2.1.4.2 write it: what an outsider runs.
//! Promises: a proof of a wrong length never verifies, and no size or index, however hostile, panics. What it cannot
//! give: an inclusion proof binds leaf, index and root, not the size, which only the signed checkpoint binds.

use blotter_record::Hash;

/// Why a proof proves nothing.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ProofError {
    /// The leaf can't be in the tree.
    #[error("there is no leaf {index} in a tree of {size}")]
    OutOfTree {
        /// The leaf claimed, from 0.
        index: u64,
        /// Leaves in the tree.
        size: u64,
    },
    /// The old tree is empty or larger than the new one.
    #[error("nothing can prove that a tree of {new} continues one of {old}")]
    NotOlder {
        /// Leaves in the old tree.
        old: u64,
        /// Leaves in the new tree.
        new: u64,
    },
    /// Hashes are missing.
    #[error("the proof has too few hashes")]
    TooShort,
    /// There are surplus hashes.
    #[error("the proof has too many hashes")]
    TooLong,
    /// Another root comes out: of the only tree of an inclusion proof, or the new one of a consistency proof.
    #[error("the proof leads to another root")]
    OtherRoot,
    /// The consistency proof does not start from the old root: history was rewritten, or it is another tree's proof.
    #[error("the proof does not start from the old root")]
    OtherOldRoot,
}

/// The root that `proof` leads to from `leaf`, which is then at `index` in the tree with that root (RFC 9162
/// §2.1.3.2).
///
/// # Errors
/// If `index` is not below `size`, or the proof has not exactly the length that they imply.
pub fn root_from_inclusion(leaf: &Hash, index: u64, size: u64, proof: &[Hash]) -> Result<Hash, ProofError> {
    if index >= size {
        return Err(ProofError::OutOfTree { index, size });
    }
    let (mut node, mut last) = (index, size - 1);
    let mut root = *leaf;
    for sibling in proof {
        if last == 0 {
            return Err(ProofError::TooLong);
        }
        if node & 1 == 1 || node == last {
            root = Hash::of_node(sibling, &root);
            skip_missing_siblings(&mut node, &mut last);
        } else {
            root = Hash::of_node(&root, sibling);
        }
        (node, last) = (node >> 1, last >> 1);
    }
    if last == 0 { Ok(root) } else { Err(ProofError::TooShort) }
}

/// Checks that `leaf` is at `index` in the tree of `size` leaves with this root (RFC 9162 §2.1.3.2).
///
/// # Errors
/// As [`root_from_inclusion`], or if another root comes out.
pub fn verify_inclusion(leaf: &Hash, index: u64, size: u64, root: &Hash, proof: &[Hash]) -> Result<(), ProofError> {
    if root_from_inclusion(leaf, index, size, proof)? == *root { Ok(()) } else { Err(ProofError::OtherRoot) }
}

/// Checks that the new tree begins with the whole old tree (RFC 9162 §2.1.4.2). Equal sizes want an empty proof and
/// equal roots.
///
/// # Errors
/// If `old_size` is 0 (there is nothing to be consistent with: a caller without an earlier tree has nothing to check,
/// and one whose earlier tree was empty compares its root with [`empty_root`](super::empty_root)) or above `new_size`, the proof has not
/// exactly the length that the sizes imply, or one of the two roots does not come out.
pub fn verify_consistency(
    old_size: u64,
    old_root: &Hash,
    new_size: u64,
    new_root: &Hash,
    proof: &[Hash],
) -> Result<(), ProofError> {
    if old_size == 0 || old_size > new_size {
        return Err(ProofError::NotOlder { old: old_size, new: new_size });
    }
    if old_size == new_size {
        if !proof.is_empty() {
            return Err(ProofError::TooLong);
        }
        return if old_root == new_root { Ok(()) } else { Err(ProofError::OtherRoot) };
    }
    let (first, rest) =
        if old_size.is_power_of_two() { (old_root, proof) } else { proof.split_first().ok_or(ProofError::TooShort)? };
    let complete_height = (old_size - 1).trailing_ones();
    let (mut node, mut last) = ((old_size - 1) >> complete_height, (new_size - 1) >> complete_height);
    let (mut old, mut new) = (*first, *first);
    for sibling in rest {
        if last == 0 {
            return Err(ProofError::TooLong);
        }
        if node & 1 == 1 || node == last {
            old = Hash::of_node(sibling, &old);
            new = Hash::of_node(sibling, &new);
            skip_missing_siblings(&mut node, &mut last);
        } else {
            new = Hash::of_node(&new, sibling);
        }
        (node, last) = (node >> 1, last >> 1);
    }
    if last != 0 {
        return Err(ProofError::TooShort);
    }
    if old != *old_root {
        return Err(ProofError::OtherOldRoot);
    }
    if new == *new_root { Ok(()) } else { Err(ProofError::OtherRoot) }
}

/// On the right edge a node may have no sibling for some levels; the proof has no hash there.
fn skip_missing_siblings(node: &mut u64, last: &mut u64) {
    while *node & 1 == 0 && *node != 0 {
        (*node, *last) = (*node >> 1, *last >> 1);
    }
}
