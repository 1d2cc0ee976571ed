//! The claims of a statement, so that the fuzzer need not learn base64: header and payload, signed by nobody.

#![no_main]

use blotter_record::{Json, Statement, base64url};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let header = br#"{"alg":"EdDSA","kid":"kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k","typ":"blotter+sd-jwt"}"#;
    let jws = [&header[..], bytes, &[0; 64]].map(base64url::encode).join(".");
    if let Ok(statement) = Statement::parse(&jws) {
        assert_eq!(statement.claims(), Json::parse(bytes).expect("it was read"));
    }
});
