//! The hashes that were fetched. A full tile is kept, and must have the root that the tile above it says; a tile at the
//! right edge is fetched anew when the log grew, and must begin with what it was before. So once the root over a size is
//! computed and found signed, every hash in here below that size is vouched for.

use std::collections::HashMap;

use blotter_keys::merkle::Frontier;
use blotter_keys::tile::{Tile, WIDTH_FULL};
use blotter_ledger::StoreError;
use blotter_record::Hash;

/// Tiles by level and index.
#[derive(Debug, Default)]
pub(crate) struct Tiles(HashMap<(u8, u64), Vec<Hash>>);

impl Tiles {
    /// Hashes of a tile, if at least `width` of them are here.
    pub(crate) fn get(&self, level: u8, index: u64, width: u16) -> Option<&[Hash]> {
        self.0.get(&(level, index)).map(Vec::as_slice).filter(|hashes| hashes.len() >= usize::from(width))
    }

    /// Keeps a tile that was fetched.
    ///
    /// # Errors
    /// [`StoreError::Corrupt`] if it is not what it was.
    pub(crate) fn keep(&mut self, tile: &Tile, hashes: Vec<Hash>) -> Result<(), StoreError> {
        let kept = self.0.entry((tile.level(), tile.index())).or_default();
        let common = kept.len().min(hashes.len());
        if kept[..common] != hashes[..common] {
            let what = format!("{tile} is not what the server showed before: the log was rewritten");
            return Err(StoreError::Corrupt { seq: first_leaf(tile), what });
        }
        if hashes.len() > kept.len() {
            *kept = hashes;
        }
        Ok(())
    }
}

/// Whether a full tile has the root that the tile above it says.
///
/// # Errors
/// [`StoreError::Corrupt`] if not.
pub(crate) fn check_root(tile: &Tile, hashes: &[Hash], above: &Hash) -> Result<(), StoreError> {
    debug_assert_eq!(tile.width(), WIDTH_FULL);
    let mut tree = Frontier::default();
    hashes.iter().for_each(|hash| tree.push(*hash));
    if tree.root() == *above {
        return Ok(());
    }
    let what = format!("{tile}: its hashes are not those of the tree above it");
    Err(StoreError::Corrupt { seq: first_leaf(tile), what })
}

fn first_leaf(tile: &Tile) -> u64 {
    tile.start().checked_shl(8 * u32::from(tile.level())).unwrap_or(u64::MAX)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn hashes(count: u8) -> Vec<Hash> {
        (0..count).map(|n| Hash::of(&[n])).collect()
    }

    fn tile(width: u16) -> Tile {
        Tile::new(0, 0, width).unwrap()
    }

    #[test]
    fn a_tile_at_the_right_edge_only_grows() {
        let mut tiles = Tiles::default();
        tiles.keep(&tile(3), hashes(3)).unwrap();
        tiles.keep(&tile(5), hashes(5)).unwrap();
        tiles.keep(&tile(2), hashes(2)).unwrap();
        assert_eq!(tiles.get(0, 0, 5).unwrap(), hashes(5));
        assert_eq!((tiles.get(0, 0, 6), tiles.get(1, 0, 1)), (None, None));
        let mut other = hashes(6);
        other[4] = Hash::of(b"other");
        assert!(matches!(tiles.keep(&tile(6), other), Err(StoreError::Corrupt { .. })));
        assert_eq!(tiles.get(0, 0, 5).unwrap(), hashes(5), "what was vouched for stays");
    }

    #[test]
    fn a_full_tile_has_the_root_that_is_above_it() {
        let full: Vec<Hash> = (0..=255).map(|n| Hash::of(&[n])).collect();
        let mut tree = Frontier::default();
        full.iter().for_each(|hash| tree.push(*hash));
        assert!(check_root(&tile(256), &full, &tree.root()).is_ok());
        assert!(check_root(&tile(256), &full, &full[0]).is_err());
    }
}
