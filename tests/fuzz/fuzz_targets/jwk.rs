//! A JWK: one key, whose canonical spelling is read the same.

#![no_main]

use blotter_keys::jwk;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    if let Ok(key) = jwk::parse(text) {
        assert_eq!(jwk::parse(&jwk::print(&key)), Ok(key));
    }
});
