//! Statements' ids with their entries: 16 bytes for each entry, and an index over them.

use std::hash::{BuildHasher as _, RandomState};

use hashbrown::HashTable;
use hashbrown::hash_table::Entry;

/// The ids so far. Of two entries with one id, the first counts.
#[derive(Debug, Default)]
pub(crate) struct Jtis {
    /// By entry; zeros where there is none.
    ids: Vec<[u8; 16]>,
    entries: HashTable<u64>,
    hasher: RandomState,
}

impl Jtis {
    /// No ids, with room for `entries`.
    pub(crate) fn with_capacity(entries: usize) -> Self {
        Self {
            ids: Vec::with_capacity(entries),
            entries: HashTable::with_capacity(entries),
            hasher: RandomState::new(),
        }
    }

    /// The first entry whose statement has this id.
    pub(crate) fn get(&self, id: &[u8; 16]) -> Option<u64> {
        self.entries.find(self.hasher.hash_one(id), |seq| self.ids[*seq as usize] == *id).copied()
    }

    /// Takes note of the id of entry `seq`, which is behind all that came before. Returns the first entry that has it.
    pub(crate) fn add(&mut self, seq: u64, id: &[u8; 16]) -> u64 {
        let Self { ids, entries, hasher } = self;
        let place = usize::try_from(seq).expect("an entry that was walked has its leaf hash in memory");
        ids.resize(place, [0; 16]);
        ids.push(*id);
        let hash = |seq: &u64| hasher.hash_one(ids[*seq as usize]);
        match entries.entry(hasher.hash_one(id), |seq| ids[*seq as usize] == *id, hash) {
            Entry::Occupied(first) => *first.get(),
            Entry::Vacant(vacant) => {
                vacant.insert(seq);
                seq
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_two_entries_with_one_id_the_first_counts() {
        let mut jtis = Jtis::with_capacity(0);
        assert_eq!((jtis.add(0, &[1; 16]), jtis.add(3, &[2; 16]), jtis.add(4, &[1; 16])), (0, 3, 0));
        assert_eq!((jtis.get(&[1; 16]), jtis.get(&[2; 16]), jtis.get(&[0; 16])), (Some(0), Some(3), None));
        for seq in 5..5_000_u64 {
            assert_eq!(jtis.add(seq, &(u128::from(seq) << 8).to_be_bytes()), seq);
        }
        assert_eq!(jtis.get(&(77_u128 << 8).to_be_bytes()), Some(77));
    }
}
