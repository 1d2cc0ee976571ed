//! The static resources of a log (C2SP tlog-tiles): the paths of its hash tiles and entry bundles, and their bytes.
//! Promises: a path that parses prints the same again, so each resource has one name; bytes that decode are exactly one
//! resource of that width, with nothing before, between or after.

use std::fmt;
use std::str::FromStr;

use blotter_record::Hash;

use crate::merkle::{SIZE_MAX, TILE_HEIGHT};

/// Hashes or entries in a full tile or bundle.
pub const WIDTH_FULL: u16 = 256;

/// The highest tile level that has a path. The largest tree reaches level 7.
pub const LEVEL_MAX: u8 = 63;

/// The highest tile index: that of the level 0 tile with the last leaf of the largest tree.
pub const INDEX_MAX: u64 = SIZE_MAX / WIDTH_FULL as u64;

/// The longest entry that a bundle can hold, in bytes.
pub const ENTRY_BYTES_MAX: usize = u16::MAX as usize;

/// Why something is not a tile or bundle.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TileError {
    /// Not the one path that a tile or bundle has.
    #[error("not the path of a tile")]
    Path,
    /// Above [`LEVEL_MAX`].
    #[error("tile level {level} is above {LEVEL_MAX}")]
    Level {
        /// The level asked for.
        level: u8,
    },
    /// Above [`INDEX_MAX`].
    #[error("tile index {index} is above {INDEX_MAX}")]
    Index {
        /// The index asked for.
        index: u64,
    },
    /// Not 1 to [`WIDTH_FULL`].
    #[error("no tile is {width} wide")]
    Width {
        /// The width asked for.
        width: u16,
    },
    /// The bytes are not exactly so many hashes or entries.
    #[error("the bytes are not a tile {width} wide")]
    Bytes {
        /// The width that was wanted.
        width: u16,
    },
    /// Above [`ENTRY_BYTES_MAX`].
    #[error("an entry of {bytes} bytes is above {ENTRY_BYTES_MAX}")]
    EntryTooLong {
        /// Its length.
        bytes: usize,
    },
}

/// A tile of Merkle hashes, named by `tile/<L>/<N>[.p/<W>]`: at level 0 the leaf hashes `start()` and following, at
/// level L the roots of the full subtrees of 256^L leaves with these numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Tile {
    level: u8,
    span: Span,
}

impl Tile {
    /// The tile number `index` of `level`, partial if `width` is below [`WIDTH_FULL`].
    ///
    /// # Errors
    /// If the level, the index or the width can't be.
    pub fn new(level: u8, index: u64, width: u16) -> Result<Self, TileError> {
        if level > LEVEL_MAX {
            return Err(TileError::Level { level });
        }
        Ok(Self { level, span: Span::new(index, width)? })
    }

    /// The tile level, from 0.
    pub fn level(&self) -> u8 {
        self.level
    }

    /// The number of the tile within its level, from 0.
    pub fn index(&self) -> u64 {
        self.span.index
    }

    /// How many hashes it holds: 1 to 256.
    pub fn width(&self) -> u16 {
        self.span.width
    }

    /// The number of its first hash within its level.
    pub fn start(&self) -> u64 {
        self.span.start()
    }

    /// Whether a tree of `size` leaves has all these hashes.
    pub fn is_within(&self, size: u64) -> bool {
        let hashes = size.checked_shr(TILE_HEIGHT * u32::from(self.level)).unwrap_or(0);
        self.span.is_within(hashes)
    }
}

impl fmt::Display for Tile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "tile/{}/{}", self.level, self.span)
    }
}

impl FromStr for Tile {
    type Err = TileError;

    fn from_str(path: &str) -> Result<Self, TileError> {
        let rest = path.strip_prefix("tile/").ok_or(TileError::Path)?;
        let (level, span) = rest.split_once('/').ok_or(TileError::Path)?;
        let level = level.parse().map_err(|_| TileError::Path)?;
        let Span { index, width } = span.parse()?;
        same_again(Self::new(level, index, width)?, path)
    }
}

/// A bundle of entries, named by `tile/entries/<N>[.p/<W>]`: the entries `start()` and following.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Bundle {
    span: Span,
}

impl Bundle {
    /// The bundle number `index`, partial if `width` is below [`WIDTH_FULL`].
    ///
    /// # Errors
    /// If the index or the width can't be.
    pub fn new(index: u64, width: u16) -> Result<Self, TileError> {
        Ok(Self { span: Span::new(index, width)? })
    }

    /// The number of the bundle, from 0.
    pub fn index(&self) -> u64 {
        self.span.index
    }

    /// How many entries it holds: 1 to 256.
    pub fn width(&self) -> u16 {
        self.span.width
    }

    /// The seq of its first entry.
    pub fn start(&self) -> u64 {
        self.span.start()
    }

    /// Whether a log of `size` entries has all of them.
    pub fn is_within(&self, size: u64) -> bool {
        self.span.is_within(size)
    }
}

impl fmt::Display for Bundle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "tile/entries/{}", self.span)
    }
}

impl FromStr for Bundle {
    type Err = TileError;

    fn from_str(path: &str) -> Result<Self, TileError> {
        let span = path.strip_prefix("tile/entries/").ok_or(TileError::Path)?.parse()?;
        same_again(Self { span }, path)
    }
}

/// The hash tiles of a tree of `size` leaves, at most [`SIZE_MAX`]: level by level, each level's partial one last.
pub fn tiles_of(size: u64) -> impl Iterator<Item = Tile> {
    let levels =
        (0..(u64::BITS / TILE_HEIGHT) as u8).map(move |level| (level, size >> (TILE_HEIGHT * u32::from(level))));
    levels.flat_map(|(level, hashes)| spans(hashes).map(move |span| Tile { level, span }))
}

/// The entry bundles of a log of `size` entries, at most [`SIZE_MAX`], the partial one last.
pub fn bundles_of(size: u64) -> impl Iterator<Item = Bundle> {
    spans(size).map(|span| Bundle { span })
}

/// The bytes of a hash tile.
pub fn encode_hashes(hashes: &[Hash]) -> Vec<u8> {
    hashes.iter().flat_map(|hash| hash.0).collect()
}

/// The hashes of a tile `width` wide.
///
/// # Errors
/// If the bytes are not exactly so many hashes.
pub fn decode_hashes(bytes: &[u8], width: u16) -> Result<Vec<Hash>, TileError> {
    let (hashes, rest) = bytes.as_chunks::<32>();
    if hashes.len() != usize::from(width) || !rest.is_empty() {
        return Err(TileError::Bytes { width });
    }
    Ok(hashes.iter().copied().map(Hash).collect())
}

/// The bytes of an entry bundle: each entry after its length as a big-endian uint16.
///
/// # Errors
/// If an entry is longer than [`ENTRY_BYTES_MAX`].
pub fn encode_bundle<'a>(entries: impl IntoIterator<Item = &'a [u8]>) -> Result<Vec<u8>, TileError> {
    let mut bytes = Vec::new();
    for entry in entries {
        let length = u16::try_from(entry.len()).map_err(|_| TileError::EntryTooLong { bytes: entry.len() })?;
        bytes.extend_from_slice(&length.to_be_bytes());
        bytes.extend_from_slice(entry);
    }
    Ok(bytes)
}

/// The entries of a bundle `width` wide.
///
/// # Errors
/// If the bytes are not exactly so many entries.
pub fn decode_bundle(mut bytes: &[u8], width: u16) -> Result<Vec<&[u8]>, TileError> {
    let mut entries = Vec::with_capacity(usize::from(width.min(WIDTH_FULL)));
    while let Some((length, rest)) = bytes.split_first_chunk() {
        let length = usize::from(u16::from_be_bytes(*length));
        let (entry, rest) = rest.split_at_checked(length).ok_or(TileError::Bytes { width })?;
        entries.push(entry);
        bytes = rest;
    }
    if entries.len() != usize::from(width) || !bytes.is_empty() {
        return Err(TileError::Bytes { width });
    }
    Ok(entries)
}

/// The part of a path that tiles and bundles share: `<N>[.p/<W>]`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
struct Span {
    index: u64,
    width: u16,
}

impl Span {
    fn new(index: u64, width: u16) -> Result<Self, TileError> {
        if index > INDEX_MAX {
            return Err(TileError::Index { index });
        }
        if !(1..=WIDTH_FULL).contains(&width) {
            return Err(TileError::Width { width });
        }
        Ok(Self { index, width })
    }

    fn start(&self) -> u64 {
        self.index * u64::from(WIDTH_FULL)
    }

    fn is_within(&self, count: u64) -> bool {
        count.checked_sub(self.start()).is_some_and(|rest| rest >= u64::from(self.width))
    }
}

impl fmt::Display for Span {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fn write_higher(f: &mut fmt::Formatter<'_>, thousands: u64) -> fmt::Result {
            if thousands == 0 {
                return Ok(());
            }
            write_higher(f, thousands / 1000)?;
            write!(f, "x{:03}/", thousands % 1000)
        }
        write_higher(f, self.index / 1000)?;
        write!(f, "{:03}", self.index % 1000)?;
        if self.width < WIDTH_FULL { write!(f, ".p/{}", self.width) } else { Ok(()) }
    }
}

impl FromStr for Span {
    type Err = TileError;

    /// Reads the numbers and no more; that the rest was spelled as it must be, `same_again` finds.
    fn from_str(text: &str) -> Result<Self, TileError> {
        let (number, width) = match text.split_once(".p/") {
            Some((number, width)) => (number, width.parse().map_err(|_| TileError::Path)?),
            None => (text, WIDTH_FULL),
        };
        let digits: String = number.chars().filter(char::is_ascii_digit).collect();
        Self::new(digits.parse().map_err(|_| TileError::Path)?, width)
    }
}

/// The spans of a level with `count` hashes: the full ones, then the partial one.
fn spans(count: u64) -> impl Iterator<Item = Span> {
    let (full, rest) = (count / u64::from(WIDTH_FULL), (count % u64::from(WIDTH_FULL)) as u16);
    let partial = (rest > 0).then_some(Span { index: full, width: rest });
    (0..full).map(|index| Span { index, width: WIDTH_FULL }).chain(partial)
}

/// What was parsed, if it prints as it was written: so there is one path for a thing, and none is forgotten here.
fn same_again<T: fmt::Display>(parsed: T, path: &str) -> Result<T, TileError> {
    if parsed.to_string() == path { Ok(parsed) } else { Err(TileError::Path) }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use proptest::collection::vec;
    use proptest::prelude::*;

    use super::*;

    /// The judge is the text of C2SP tlog-tiles, whose examples these are.
    #[test]
    fn paths_are_the_specification_s() {
        let check = |level, index, width, path: &str| {
            let tile = Tile::new(level, index, width).unwrap();
            assert_eq!(tile.to_string(), path);
            assert_eq!(path.parse(), Ok(tile));
        };
        check(0, 1_234_067, 256, "tile/0/x001/x234/067");
        check(0, 0, 256, "tile/0/000");
        check(1, 0, 1, "tile/1/000.p/1");
        check(0, 273, 112, "tile/0/273.p/112");
        check(63, 999, 255, "tile/63/999.p/255");
        check(2, 1000, 256, "tile/2/x001/000");
        check(0, INDEX_MAX, 1, "tile/0/x036/x028/x797/x018/x963/967.p/1");
        let bundle = Bundle::new(1_234_067, 8).unwrap();
        assert_eq!(bundle.to_string(), "tile/entries/x001/x234/067.p/8");
        assert_eq!("tile/entries/x001/x234/067.p/8".parse(), Ok(bundle));
    }

    #[test]
    fn another_spelling_of_a_path_is_refused() {
        for path in [
            "",
            "tile",
            "tile/",
            "tile/0",
            "tile/0/",
            "/tile/0/000",
            "tile/0/000/",
            "tile/0/0",
            "tile/0/00",
            "tile/0/0000",
            "tile/00/000",
            "tile/+0/000",
            "tile/-1/000",
            "tile/64/000",
            "tile/256/000",
            "tile/x/000",
            "tile//000",
            "tile/0/x000/000",
            "tile/0/x000/x001/000",
            "tile/0/001/000",
            "tile/0/x001/x000",
            "tile/0/x1/000",
            "tile/0/1000",
            "tile/0/X001/000",
            "tile/0/xx001/000",
            "tile/0/x001//000",
            "tile/0/000.p/0",
            "tile/0/000.p/256",
            "tile/0/000.p/01",
            "tile/0/000.p/+1",
            "tile/0/000.p/",
            "tile/0/000.p",
            "tile/0/000.p/1/",
            "tile/0/000.p/1.p/1",
            "tile/0/000.P/1",
            "tile/0/٠٠٠",
            "tile/0/000 ",
            "tile/0/../000",
            "tile/0/x036/x028/x797/x018/x963/968",
            "tile/0/x018/x446/x744/x073/x709/x551/616",
            "tile/entries/000",
            "tile/data/000",
        ] {
            assert!(path.parse::<Tile>().is_err(), "{path:?}");
        }
        for path in
            ["tile/entries", "tile/entries/", "tile/entries/0", "tile/0/000", "tile/entries/000.p/0", "entries/000"]
        {
            assert!(path.parse::<Bundle>().is_err(), "{path:?}");
        }
    }

    /// The judge is the text of C2SP tlog-tiles ("For example, a tree of size 70,000 …").
    #[test]
    fn a_tree_has_the_tiles_that_the_specification_counts() {
        let check = |size, expect: &[&str]| {
            let tiles: Vec<_> = tiles_of(size).map(|tile| tile.to_string()).collect();
            assert_eq!(tiles, expect, "{size}");
        };
        check(0, &[]);
        check(1, &["tile/0/000.p/1"]);
        check(255, &["tile/0/000.p/255"]);
        check(256, &["tile/0/000", "tile/1/000.p/1"]);
        check(257, &["tile/0/000", "tile/0/001.p/1", "tile/1/000.p/1"]);

        let tiles: Vec<_> = tiles_of(70_000).collect();
        let full = |level| tiles.iter().filter(|tile| tile.level() == level && tile.width() == WIDTH_FULL).count();
        assert_eq!((full(0), full(1), full(2)), (273, 1, 0));
        let partial: Vec<_> = tiles.iter().filter(|t| t.width() < WIDTH_FULL).map(|t| (t.level(), t.width())).collect();
        assert_eq!(partial, [(0, 112), (1, 17), (2, 1)]);
        assert_eq!(bundles_of(70_000).count(), 274);
        assert_eq!(tiles_of(u64::MAX).next(), Some(Tile::new(0, 0, WIDTH_FULL).unwrap()));
    }

    #[test]
    fn a_tile_is_within_the_trees_that_have_its_last_hash() {
        let check =
            |path: &str, size, expect| assert_eq!(path.parse::<Tile>().unwrap().is_within(size), expect, "{path}");
        check("tile/0/000", 255, false);
        check("tile/0/000", 256, true);
        check("tile/0/001.p/3", 258, false);
        check("tile/0/001.p/3", 259, true);
        check("tile/1/000.p/2", 511, false);
        check("tile/1/000.p/2", 512, true);
        check("tile/63/000.p/1", u64::MAX, false);
        assert!(Bundle::new(1, 1).unwrap().is_within(257));
        assert!(!Bundle::new(1, 1).unwrap().is_within(256));
    }

    #[test]
    fn limits_hold_on_both_sides() {
        assert!(Tile::new(LEVEL_MAX, INDEX_MAX, WIDTH_FULL).is_ok());
        assert_eq!(Tile::new(LEVEL_MAX + 1, 0, 1), Err(TileError::Level { level: 64 }));
        assert_eq!(Tile::new(0, INDEX_MAX + 1, 1), Err(TileError::Index { index: INDEX_MAX + 1 }));
        assert_eq!(Tile::new(0, 0, 0), Err(TileError::Width { width: 0 }));
        assert_eq!(Bundle::new(0, 257), Err(TileError::Width { width: 257 }));
        let longest = [b'x'; ENTRY_BYTES_MAX];
        assert_eq!(decode_bundle(&encode_bundle([&longest[..]]).unwrap(), 1).unwrap(), [&longest[..]]);
        let longer = [b'x'; ENTRY_BYTES_MAX + 1];
        assert_eq!(encode_bundle([&longer[..]]), Err(TileError::EntryTooLong { bytes: ENTRY_BYTES_MAX + 1 }));
    }

    #[test]
    fn bytes_of_another_width_or_length_are_refused() {
        let bundle = encode_bundle([&b"one"[..], b"", b"three"]).unwrap();
        assert_eq!(bundle, b"\x00\x03one\x00\x00\x00\x05three");
        assert_eq!(decode_bundle(&bundle, 3).unwrap(), [&b"one"[..], b"", b"three"]);
        for (bytes, width) in
            [(&bundle[..], 2), (&bundle[..], 4), (&bundle[..bundle.len() - 1], 3), (&bundle[..6], 1), (b"", 1)]
        {
            assert_eq!(decode_bundle(bytes, width), Err(TileError::Bytes { width }));
        }
        let hashes = [Hash::of(b"a"), Hash::of(b"b")];
        let tile = encode_hashes(&hashes);
        assert_eq!(decode_hashes(&tile, 2).unwrap(), hashes);
        for (bytes, width) in [(&tile[..], 1), (&tile[..], 3), (&tile[..63], 2), (&tile[..63], 1)] {
            assert_eq!(decode_hashes(bytes, width), Err(TileError::Bytes { width }));
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

        #[test]
        fn paths_survive_the_round_trip(
            level in 0..=LEVEL_MAX, index in 0..=INDEX_MAX, shift in 0..56_u32, width in 1..=WIDTH_FULL,
        ) {
            let tile = Tile::new(level, index >> shift, width).unwrap();
            prop_assert_eq!(tile.to_string().parse(), Ok(tile));
            let bundle = Bundle::new(tile.index(), width).unwrap();
            prop_assert_eq!(bundle.to_string().parse(), Ok(bundle));
        }

        #[test]
        fn what_parses_prints_the_same(
            path in "tile/([0-9]{1,2}|entries)/(x?[0-9]{0,3}/){0,3}[0-9]{3}(\\.p/[0-9]{0,3})?",
        ) {
            if let Ok(tile) = path.parse::<Tile>() {
                prop_assert_eq!(tile.to_string(), path);
            } else if let Ok(bundle) = path.parse::<Bundle>() {
                prop_assert_eq!(bundle.to_string(), path);
            }
        }

        #[test]
        fn bundles_survive_the_round_trip(entries in vec(vec(any::<u8>(), 0..40), 0..20)) {
            let bytes = encode_bundle(entries.iter().map(Vec::as_slice)).unwrap();
            prop_assert_eq!(decode_bundle(&bytes, entries.len() as u16).unwrap(), entries);
        }

        #[test]
        fn random_bytes_never_panic(bytes in vec(any::<u8>(), 0..300), width in any::<u16>()) {
            let _ = decode_bundle(&bytes, width);
            let _ = decode_hashes(&bytes, width);
            let text = String::from_utf8_lossy(&bytes);
            prop_assert!(text.parse::<Tile>().is_err() && text.parse::<Bundle>().is_err());
        }
    }
}
