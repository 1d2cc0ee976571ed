//! Events of ITSM tools by a user's mapping. The judge of values is the record's own disclosure.

use blotter_exchange::tickets::{TicketChange, TicketMapping};
use blotter_exchange::{ID_BYTES_MAX, VALUE_BYTES_MAX};
use blotter_record::{Disclosure, Hash};

const JIRA: &str = include_str!("../mappings/jira.toml");
const DOCS: &str = include_str!("../TICKETS.md");
const EVENT: &str = r#"{"timestamp":1795431240178,"user":{"displayName":"Dana"},"issue":{"key":"SEC-7","fields":{"status":{"name":"Done"}}},"comment":{"body":"back"}}"#;

fn one(mapping: &str, event: &str) -> Result<TicketChange, String> {
    let mapping = TicketMapping::parse(mapping).expect("a mapping");
    mapping.read(event.as_bytes()).expect("a document").remove(0).map_err(|error| error.to_string())
}

fn value<'a>(change: &'a TicketChange, name: &str) -> Option<&'a str> {
    change.data.iter().find(|(other, _)| other == name).and_then(|(_, value)| value.as_text())
}

#[test]
fn an_event_of_jira_is_read() {
    assert!(DOCS.contains(JIRA), "the documentation has the file as it is");
    let change = one(JIRA, EVENT).expect("taken");
    assert_eq!((change.ticket.as_str(), change.state), ("SEC-7", "closed"));
    assert_eq!(change.changed_at.as_str(), "2026-11-23T10:54:00.178000Z");
    let values = ["ticket", "their_state", "by", "note", "raw"].map(|name| value(&change, name));
    assert_eq!(values, ["SEC-7", "Done", "Dana", "back", EVENT].map(Some));
    assert_eq!(value(&change, "raw_sha256"), Some(Hash::of(EVENT.as_bytes()).to_hex().as_str()));
    let stateless = one(JIRA, &EVENT.replace("status", "stat")).expect("taken");
    assert_eq!((stateless.state, value(&stateless, "their_state")), ("none", None));
}

#[test]
fn an_event_is_one_by_its_text_or_by_what_the_mapping_says() {
    let (first, later) = (EVENT, EVENT.replace("back", "back again"));
    let reference = |mapping: &str, event: &str| one(mapping, event).expect("taken").change_ref;
    assert_eq!(reference(JIRA, first), reference(JIRA, first));
    assert_ne!(reference(JIRA, first), reference(JIRA, &later));
    let by_time = JIRA.replace("by  ", "change_ref = { join = [\"$.issue.key\", \"$.timestamp\"] }\nby  ");
    assert_eq!(reference(&by_time, first), reference(&by_time, &later));
}

#[test]
fn what_an_event_lacks_is_named() {
    for (event, part) in [
        (EVENT.replace("SEC-7", ""), "ticket"),
        (EVENT.replace("\"SEC-7\"", "1.5"), "ticket"),
        (EVENT.replace("1795431240178", "null"), "changed_at"),
        (EVENT.replace("SEC-7", &"S".repeat(ID_BYTES_MAX + 1)), "at most 1024"),
        (EVENT.replace("SEC-7", "S\\u0000"), "U+0000"),
        (EVENT.replace("{\"timestamp", "{\"user\":1,\"timestamp"), "twice"),
        ("7".to_owned(), "an object is wanted"),
    ] {
        let error = one(JIRA, &event).expect_err(&event);
        assert!(error.contains(part), "{event}: {error}");
    }
}

#[test]
fn what_is_too_long_is_cut_and_fits_a_statement() {
    let long = "\\\"é".repeat(VALUE_BYTES_MAX);
    let change = one(JIRA, &EVENT.replace("Dana", &long).replace("back", &long.repeat(30))).expect("taken");
    assert!(value(&change, "by").expect("taken").ends_with(" [cut]"));
    assert!(value(&change, "raw").expect("taken").contains("[cut: the original has"));
    for (name, value) in change.data {
        Disclosure::new(&[0; 32], &name, value).expect("it was made to fit");
    }
}

#[test]
fn a_mapping_that_means_nothing_is_refused_with_its_place() {
    for (text, part) in [
        (JIRA.replace("name = \"jira\"", ""), "name"),
        (JIRA.replace("$.issue.key", "key"), "key is no JSONPath"),
        (JIRA.replace("Done = \"closed\"", "Done = \"shut\""), "unknown variant `shut`"),
        (JIRA.replace("note ", "notes "), "notes"),
        (JIRA.replace("state  ", "stat "), "stat"),
    ] {
        let error = TicketMapping::parse(&text).expect_err(&text).to_string();
        assert!(error.contains(part), "{text}: {error}");
    }
}
