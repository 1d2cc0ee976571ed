//! An anchor prints as text that is read the same.

#![no_main]

use blotter_keys::anchor::Anchor;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    if let Ok(anchor) = text.parse::<Anchor>() {
        let printed = anchor.to_string();
        assert_eq!(printed.parse::<Anchor>().expect("it was printed").to_string(), printed);
    }
});
