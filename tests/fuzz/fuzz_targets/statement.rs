//! A compact JWS as a statement, and a presentation: nothing signed is overlooked or changed.

#![no_main]

use blotter_record::{Presentation, Statement};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    if let Ok(statement) = Statement::parse(text) {
        assert_eq!(statement.jws(), text);
        let _ = statement.claims();
    }
    if let Ok(presentation) = Presentation::parse(text) {
        assert_eq!(presentation.to_text(), text);
        let _ = presentation.check_complete();
    }
});
