//! A .tlog-proof file prints as it was read.

#![no_main]

use blotter_keys::tlog_proof::TlogProof;
use blotter_record::Hash;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    if let Ok(proof) = TlogProof::parse(bytes) {
        assert_eq!(proof.to_string().as_bytes(), bytes);
        let _ = proof.verify(&Hash([0; 32]), "example.org/soc", &[]);
        let _ = proof.checkpoint();
    }
});
