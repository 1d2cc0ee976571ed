//! The words of FORMAT.md §1.5: ids, instants, origins, event names, hashes.

#![no_main]

use blotter_record::{ActorId, EventName, Hash, Id, Instant, Jti, Origin};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    if let Ok(id) = text.parse::<Id>() {
        assert_eq!(id.as_str(), text);
    }
    if let Ok(actor) = text.parse::<ActorId>() {
        assert_eq!(actor.as_str(), text);
        assert!(actor.stream().into_stream().is_ok());
    }
    if let Ok(jti) = text.parse::<Jti>() {
        assert_eq!(jti.to_string(), text);
    }
    if let Ok(instant) = text.parse::<Instant>() {
        assert_eq!(instant.as_str(), text);
        let same = Instant::from_unix_us(instant.unix_us());
        assert!(same.is_err() || same.is_ok_and(|same| same == instant));
    }
    if let Ok(hash) = text.parse::<Hash>() {
        assert_eq!(hash.to_string(), text);
    }
    let _ = text.parse::<Origin>();
    let _ = text.parse::<EventName>();
});
