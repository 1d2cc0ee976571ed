//! Key files, sealed and open, and public halves.

#![no_main]

use blotter_keys::key_file;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    use std::io::Write;
    if let Ok(text) = std::str::from_utf8(bytes)
        && let Ok(key) = key_file::parse_public(text)
    {
        assert_eq!(key_file::parse_public(&key_file::print_public(&key)), Ok(key));
    }
    // Mode 0600 from the start.
    let mut file = tempfile::NamedTempFile::new().expect("a temporary file");
    file.write_all(bytes).expect("room for it");
    let _ = key_file::read(file.path(), None);
});
