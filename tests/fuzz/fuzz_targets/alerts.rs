//! Alerts of every format, and alerts and tickets by a user's mapping: what is taken fits into a statement's disclosures.

#![no_main]

use blotter_exchange::alerts::{Format, Mapping, SEVERITY_MAX, read};
use blotter_exchange::tickets::TicketMapping;
use blotter_record::{Disclosure, is_code};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let mapping = Mapping::parse(include_str!("../../../src/exchange/mappings/suricata.toml")).expect("our own");
    let documents = Format::ALL.map(|format| read(format, None, bytes));
    for alert in documents.into_iter().chain([mapping.read(bytes)]).flatten().flatten().flatten() {
        assert!((0..=SEVERITY_MAX).contains(&alert.severity) && is_code(&alert.severity_source));
        assert!(alert.techniques.len() <= 256 && alert.techniques.iter().all(|id| is_code(id)));
        for (name, value) in alert.data {
            Disclosure::new(&[0; 32], &name, value).expect("it was made to fit");
        }
    }
    let tickets = TicketMapping::parse(include_str!("../../../src/exchange/mappings/jira.toml")).expect("our own");
    for change in tickets.read(bytes).into_iter().flatten().flatten() {
        assert!(is_code(change.state));
        for (name, value) in change.data {
            Disclosure::new(&[0; 32], &name, value).expect("it was made to fit");
        }
    }
    if let Ok(text) = std::str::from_utf8(bytes) {
        let _ = Mapping::parse(text);
        let _ = TicketMapping::parse(text);
    }
});
