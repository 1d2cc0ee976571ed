//! The verifier's own Merkle tree (RFC 6962 §2.1), kept whole so that any earlier root can be had: 64 bytes an entry.
//! It shares no line with the writer's, so that a mistake in one does not hide in the other.

use blotter_record::Hash;

/// A tree; `levels[l][i]` is the root of the complete subtree of 2^l leaves from leaf i·2^l on.
#[derive(Debug, Default)]
pub(crate) struct Tree {
    levels: Vec<Vec<Hash>>,
}

impl Tree {
    /// An empty tree with room for `leaves`.
    pub(crate) fn with_capacity(leaves: usize) -> Self {
        let levels = (0..usize::BITS - leaves.leading_zeros()).map(|level| Vec::with_capacity(leaves >> level));
        Self { levels: levels.collect() }
    }

    /// The number of leaves.
    pub(crate) fn size(&self) -> u64 {
        self.levels.first().map_or(0, |leaves| leaves.len() as u64)
    }

    /// Appends a leaf hash.
    pub(crate) fn push(&mut self, leaf: Hash) {
        let mut hash = leaf;
        for level in 0.. {
            if self.levels.len() == level {
                self.levels.push(Vec::new());
            }
            let row = &mut self.levels[level];
            row.push(hash);
            if row.len() % 2 == 1 {
                return;
            }
            hash = Hash::of_node(&row[row.len() - 2], &row[row.len() - 1]);
        }
    }

    /// Forgets all leaves from `size` on.
    pub(crate) fn truncate(&mut self, size: u64) {
        for (level, row) in self.levels.iter_mut().enumerate() {
            row.truncate(index(size >> level));
        }
    }

    /// The hash of a leaf.
    pub(crate) fn leaf(&self, seq: u64) -> Option<Hash> {
        self.node(0, seq)
    }

    /// The root of the complete subtree of 2^level leaves from leaf at·2^level on.
    pub(crate) fn node(&self, level: u32, at: u64) -> Option<Hash> {
        self.levels.get(level as usize)?.get(index(at)).copied()
    }

    /// The root over the first `size` leaves; `None` if there are fewer.
    pub(crate) fn root_at(&self, size: u64) -> Option<Hash> {
        if size > self.size() {
            return None;
        }
        if size == 0 {
            return Some(Hash::of(b""));
        }
        // The complete subtrees that the tree falls into, from the smallest on the right to the largest on the left.
        let bits = (0..u64::BITS).filter(|level| size >> level & 1 == 1);
        let mut subtrees = bits.map(|level| self.levels[level as usize][index((size >> level) - 1)]);
        let rightmost = subtrees.next()?;
        Some(subtrees.fold(rightmost, |right, left| Hash::of_node(&left, &right)))
    }
}

fn index(at: u64) -> usize {
    usize::try_from(at).unwrap_or(usize::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// RFC 6962 §2.1, word for word.
    fn root_by_definition(leaves: &[Hash]) -> Hash {
        match leaves {
            [] => Hash::of(b""),
            [leaf] => *leaf,
            _ => {
                let (left, right) = leaves.split_at(leaves.len().next_power_of_two() / 2);
                Hash::of_node(&root_by_definition(left), &root_by_definition(right))
            }
        }
    }

    #[test]
    fn every_root_is_the_one_of_the_definition() {
        let leaves: Vec<Hash> = (0..70_u8).map(|n| Hash::of_leaf(&[n])).collect();
        let mut tree = Tree::with_capacity(9);
        for (size, leaf) in (1..).zip(&leaves) {
            tree.push(*leaf);
            assert_eq!(tree.size(), size);
        }
        for size in 0..=leaves.len() {
            assert_eq!(tree.root_at(size as u64), Some(root_by_definition(&leaves[..size])), "{size}");
        }
        assert_eq!(tree.root_at(71), None);
        assert_eq!(tree.node(3, 1), Some(root_by_definition(&leaves[8..16])));
    }

    #[test]
    fn a_truncated_tree_grows_as_if_it_had_never_been_larger() {
        let leaf = |n: u8| Hash::of_leaf(&[n]);
        for keep in 0..20_u8 {
            let (mut cut, mut fresh) = (Tree::default(), Tree::default());
            (0..20).for_each(|n| cut.push(leaf(n)));
            cut.truncate(u64::from(keep));
            (0..keep).for_each(|n| fresh.push(leaf(n)));
            (40..50).for_each(|n| (cut.push(leaf(n)), fresh.push(leaf(n))).0);
            assert_eq!(cut.root_at(u64::from(keep) + 10), fresh.root_at(u64::from(keep) + 10));
        }
    }
}
