//! Paths of tiles and bundles, and what is in them.

#![no_main]

use blotter_keys::tile::{Bundle, Tile, decode_bundle, decode_hashes, encode_bundle, encode_hashes};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    if let Ok(text) = std::str::from_utf8(bytes) {
        if let Ok(tile) = text.parse::<Tile>() {
            assert_eq!(tile.to_string(), text);
        }
        if let Ok(bundle) = text.parse::<Bundle>() {
            assert_eq!(bundle.to_string(), text);
        }
    }
    let Some((width, rest)) = bytes.split_first() else { return };
    let width = u16::from(*width) + 1;
    if let Ok(hashes) = decode_hashes(rest, width) {
        assert_eq!(encode_hashes(&hashes), rest);
    }
    if let Ok(entries) = decode_bundle(rest, width) {
        assert_eq!(encode_bundle(entries).as_deref(), Ok(rest));
    }
});
