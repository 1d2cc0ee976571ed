//! Strict JSON: what is read prints as text that is read the same.

#![no_main]

use blotter_record::Json;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let Ok(value) = Json::parse(bytes) else { return };
    assert_eq!(Json::parse(value.to_text().as_bytes()).as_ref(), Ok(&value));
});
