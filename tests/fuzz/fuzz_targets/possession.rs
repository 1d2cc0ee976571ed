//! Proofs of possession, and what an actor's key would sign.

#![no_main]

use blotter_keys::ed25519::SecretKey;
use blotter_keys::possession::Possession;
use blotter_keys::signer::SigningInput;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    let key = SecretKey::from_seed([7; 32]);
    let _ = Possession::verify(text, key.public());
    if let Ok(input) = SigningInput::parse(text) {
        assert_eq!(input.as_str(), text);
    }
});
