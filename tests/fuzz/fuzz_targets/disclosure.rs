//! A disclosure: as text, and as the JSON in it.

#![no_main]

use blotter_record::{Disclosure, base64url};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    if let Ok(text) = std::str::from_utf8(bytes)
        && let Ok(disclosure) = Disclosure::parse(text)
    {
        assert_eq!(disclosure.text(), text);
    }
    let text = base64url::encode(bytes);
    if let Ok(disclosure) = Disclosure::parse(&text) {
        assert_eq!(disclosure.text(), text);
        let _ = blotter_ledger::BlobRef::read(disclosure.value());
    }
});
