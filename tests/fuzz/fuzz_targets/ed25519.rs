//! Keys and signatures: both ways to verify give one verdict.

#![no_main]

use blotter_keys::ed25519::{PreparedKey, PublicKey};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let Some((head, message)) = bytes.split_at_checked(96) else { return };
    let (key, signature) = head.split_at(32);
    let Ok(key) = PublicKey::from_bytes(key.try_into().expect("32 bytes")) else { return };
    let signature: [u8; 64] = signature.try_into().expect("64 bytes");
    let one = key.verify(message, &signature).is_ok();
    assert_eq!(one, PreparedKey::new(&key).verify(message, &signature).is_ok());
});
