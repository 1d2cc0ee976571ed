//! Signed notes, verifier keys and checkpoints print as they were read.

#![no_main]

use blotter_keys::checkpoint::UnverifiedCheckpoint;
use blotter_keys::note::{SignedNote, VerifierKey};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    if let Ok(note) = SignedNote::parse(bytes) {
        assert_eq!(note.to_string().as_bytes(), bytes);
        let _ = note.verify(&[]);
    }
    if let Ok(checkpoint) = UnverifiedCheckpoint::parse(bytes) {
        let _ = checkpoint.open(checkpoint.claimed_origin(), &[]);
        let _ = checkpoint.claimed_size();
    }
    if let Ok(text) = std::str::from_utf8(bytes)
        && let Ok(key) = text.parse::<VerifierKey>()
    {
        assert_eq!(key.to_string(), text);
    }
});
