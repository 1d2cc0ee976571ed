//! Roots of complete subtrees, which never change: so that a proof is not read from hundreds of entries' rows each time.
//! Full tiles are kept with all that is computed from their hashes; of the tile at the right edge, what was asked for.
//! A full tile is kept only if its hashes have the root that the store has one level up. Memory is bounded.

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex};

use blotter_keys::merkle::Hashes;
use blotter_keys::tile::{Tile, WIDTH_FULL};
use blotter_ledger::StoreError;
use blotter_record::Hash;

/// Full tiles that are kept, of 16 KiB each; then the oldest goes. These are the tiles of about a million entries.
const TILES_MAX: usize = 4_096;
/// Roots at the right edge that are kept; then they are forgotten, and made again.
const EDGE_ROOTS_MAX: usize = 65_536;
/// Levels of the binary tree in a tile.
const TILE_HEIGHT: u32 = 8;

/// What is remembered of the tree.
#[derive(Default)]
pub(crate) struct Subtrees(Mutex<Kept>);

#[derive(Default)]
struct Kept {
    tiles: HashMap<(u8, u64), Arc<FullTile>>,
    /// In the order in which they came.
    order: VecDeque<(u8, u64)>,
    /// By height and index.
    edge: HashMap<(u32, u64), Hash>,
}

impl Subtrees {
    /// `hashes` of a tree of `size` leaves, as far as possible from what is remembered.
    pub(crate) fn over<'a, H>(&'a self, hashes: &'a H, size: u64) -> Remembering<'a, H> {
        Remembering { hashes, subtrees: self, size }
    }

    fn tile(&self, level: u8, index: u64) -> Option<Arc<FullTile>> {
        self.kept().tiles.get(&(level, index)).cloned()
    }

    fn keep(&self, level: u8, index: u64, tile: &Arc<FullTile>) {
        let mut kept = self.kept();
        if kept.tiles.insert((level, index), Arc::clone(tile)).is_some() {
            return;
        }
        kept.order.push_back((level, index));
        if kept.order.len() > TILES_MAX
            && let Some(oldest) = kept.order.pop_front()
        {
            kept.tiles.remove(&oldest);
        }
    }

    fn kept(&self) -> std::sync::MutexGuard<'_, Kept> {
        self.0.lock().expect("no thread panics while it holds this")
    }
}

/// The hashes of a tree, with a memory.
pub(crate) struct Remembering<'a, H> {
    hashes: &'a H,
    subtrees: &'a Subtrees,
    size: u64,
}

impl<H: Hashes<Error = StoreError>> Remembering<'_, H> {
    /// A full tile, kept or read. A failure is none here: whoever asked goes on to read what they need, and meets it.
    fn read(&self, tile: &Tile) -> Option<Arc<FullTile>> {
        let (level, index) = (tile.level(), tile.index());
        if let Some(kept) = self.subtrees.tile(level, index) {
            return Some(kept);
        }
        let row = self.hashes.hashes(level, tile.start(), u32::from(WIDTH_FULL)).ok()?;
        let full = Arc::new(FullTile::of(row)?);
        let above = self.hashes.hashes(level + 1, index, 1).ok()?;
        (above == [full.root()]).then(|| self.subtrees.keep(level, index, &full))?;
        Some(full)
    }

    /// The full tile that a subtree is in; `None` at the right edge.
    fn full_tile_of(&self, height: u32, index: u64) -> Option<Tile> {
        let tile = Tile::new((height / TILE_HEIGHT) as u8, index >> (TILE_HEIGHT - height % TILE_HEIGHT), WIDTH_FULL);
        tile.ok().filter(|tile| tile.is_within(self.size))
    }
}

impl<H: Hashes<Error = StoreError>> Hashes for Remembering<'_, H> {
    type Error = StoreError;

    fn hashes(&self, level: u8, start: u64, count: u32) -> Result<Vec<Hash>, StoreError> {
        self.hashes.hashes(level, start, count)
    }

    fn recall(&self, height: u32, index: u64) -> Option<Hash> {
        match self.full_tile_of(height, index) {
            Some(tile) => self.read(&tile)?.subtree(height % TILE_HEIGHT, index),
            None => self.subtrees.kept().edge.get(&(height, index)).copied(),
        }
    }

    fn remember(&self, height: u32, index: u64, root: Hash) {
        // A full tile that was not kept is not to be believed.
        if self.full_tile_of(height, index).is_some() {
            return;
        }
        let mut kept = self.subtrees.kept();
        if kept.edge.len() >= EDGE_ROOTS_MAX {
            kept.edge.clear();
        }
        kept.edge.insert((height, index), root);
    }
}

/// A full tile's hashes, and the roots of all complete subtrees over them but the topmost, which is one level up.
struct FullTile {
    /// 256 hashes, then the 128 over pairs of them, and so on to 2, and the root.
    rows: Vec<Hash>,
}

impl FullTile {
    /// `None` if these are not the hashes of a full tile.
    fn of(mut rows: Vec<Hash>) -> Option<Self> {
        if rows.len() != usize::from(WIDTH_FULL) {
            return None;
        }
        rows.reserve_exact(rows.len() - 1);
        let mut start = 0;
        while start < rows.len() - 1 {
            let (pairs, _) = rows[start..].as_chunks::<2>();
            let above: Vec<Hash> = pairs.iter().map(|[left, right]| Hash::of_node(left, right)).collect();
            start = rows.len();
            rows.extend(above);
        }
        Some(Self { rows })
    }

    fn root(&self) -> Hash {
        self.rows[self.rows.len() - 1]
    }

    /// The root of the subtree of 2^`within` hashes that has this index in its height's row of the whole tree.
    fn subtree(&self, within: u32, index: u64) -> Option<Hash> {
        let width = usize::from(WIDTH_FULL) >> within;
        let row = 2 * (usize::from(WIDTH_FULL) - width);
        self.rows.get(row + (index % width as u64) as usize).copied()
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use std::cell::{Cell, RefCell};

    use blotter_keys::merkle::{Frontier, consistency_proof, inclusion_proof};

    use super::*;

    /// Leaves and nodes in memory, which counts what it is asked for, and fails on demand.
    #[derive(Default)]
    struct Rows {
        levels: RefCell<Vec<Vec<Hash>>>,
        frontier: RefCell<Frontier>,
        read: Cell<usize>,
        fails: Cell<bool>,
    }

    impl Rows {
        fn grow_to(&self, size: u64) {
            let (mut frontier, mut levels) = (self.frontier.borrow_mut(), self.levels.borrow_mut());
            levels.resize(4, Vec::new());
            while frontier.size() < size {
                let leaf = Hash::of(&frontier.size().to_be_bytes());
                frontier.push_with(leaf, |level, _, hash| levels[usize::from(level)].push(hash));
            }
        }
    }

    impl Hashes for Rows {
        type Error = StoreError;

        fn hashes(&self, level: u8, start: u64, count: u32) -> Result<Vec<Hash>, StoreError> {
            if self.fails.get() {
                return Err(StoreError::Failed { what: "reading", cause: "a fault of the test".to_owned() });
            }
            self.read.set(self.read.get() + count as usize);
            let (start, end) = (start as usize, start as usize + count as usize);
            Ok(self.levels.borrow()[usize::from(level)].get(start..end).unwrap_or_default().to_vec())
        }
    }

    /// The judge is the same proof without a memory, which has RFC 6962's vectors.
    #[test]
    fn proofs_are_the_same_with_a_memory() {
        let (rows, subtrees) = (Rows::default(), Subtrees::default());
        for size in [1, 2, 200, 255, 256, 257, 511, 512, 700, 65_535, 65_536, 65_537, 66_000, 70_000] {
            rows.grow_to(size);
            let remembering = subtrees.over(&rows, size);
            let step = size / 97 + 1;
            for index in (0..size).step_by(step as usize).chain([size - 1]) {
                let expect = inclusion_proof(&rows, index, size).unwrap();
                for _ in 0..2 {
                    assert_eq!(inclusion_proof(&remembering, index, size).unwrap(), expect, "{index} of {size}");
                }
                let old = index + 1;
                assert_eq!(
                    consistency_proof(&remembering, old, size).unwrap(),
                    consistency_proof(&rows, old, size).unwrap(),
                    "{old} to {size}"
                );
            }
        }
    }

    #[test]
    fn what_was_read_once_is_not_read_again() {
        let (rows, subtrees) = (Rows::default(), Subtrees::default());
        rows.grow_to(70_000);
        let read = |index| {
            let before = rows.read.get();
            inclusion_proof(&subtrees.over(&rows, 70_000), index, 70_000).unwrap();
            rows.read.get() - before
        };
        assert!(read(1_000) > 256);
        assert_eq!(read(1_000), 0);
        assert_eq!(read(1_001), 0, "its tile is kept");
        assert_eq!(read(5_000), 257, "another tile, and the root over it");
    }

    #[test]
    fn tiles_that_came_long_ago_are_forgotten() {
        let subtrees = Subtrees::default();
        let tile = Arc::new(FullTile::of(vec![Hash([0; 32]); 256]).unwrap());
        for index in 0..=TILES_MAX as u64 {
            subtrees.keep(0, index, &tile);
            subtrees.keep(0, index, &tile);
        }
        assert!(subtrees.tile(0, 0).is_none() && subtrees.tile(0, 1).is_some());
        let kept = subtrees.kept();
        assert_eq!((kept.tiles.len(), kept.order.len()), (TILES_MAX, TILES_MAX));
    }

    #[test]
    fn nothing_is_kept_of_a_read_that_failed_or_of_rows_that_contradict_each_other() {
        let (rows, subtrees) = (Rows::default(), Subtrees::default());
        rows.grow_to(600);
        let proof = || inclusion_proof(&subtrees.over(&rows, 600), 5, 600);
        rows.fails.set(true);
        assert!(proof().is_err());
        rows.fails.set(false);
        let good = rows.levels.borrow()[0][7];
        rows.levels.borrow_mut()[0][7] = Hash([0; 32]);
        proof().unwrap();
        assert!(subtrees.tile(0, 0).is_none());
        rows.levels.borrow_mut()[0][7] = good;
        assert_eq!(proof().unwrap(), inclusion_proof(&rows, 5, 600).unwrap());
    }
}
