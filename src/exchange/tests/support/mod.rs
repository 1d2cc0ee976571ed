//! What the tests of the ServiceNow mapping share: small files, and actors for their persons.
#![allow(dead_code, reason = "each test uses its part")]

use blotter_exchange::{Imported, RowError, Zone, servicenow};
use blotter_record::{ActorId, Attribution, Hash, Json, Unsigned};

/// The columns of the small files.
pub(crate) const HEADER: &str = "number,incident_state,opened_by,opened_at,sys_updated_by,sys_updated_at";

/// An actor for a person, the same in every test.
pub(crate) fn actor_of(person: &str) -> ActorId {
    format!("imported/{}", &Hash::of(person.as_bytes()).to_hex()[..16]).parse().expect("an actor")
}

pub(crate) fn zone(name: &str) -> Zone {
    name.parse().expect("a zone")
}

/// Every row of `text`, mapped.
pub(crate) fn rows(text: impl AsRef<[u8]>) -> Vec<Result<Vec<Imported>, RowError>> {
    servicenow::statements(text.as_ref(), zone("America/Sao_Paulo"), actor_of).expect("a header").collect()
}

/// Every statement of `text`, which has no broken row.
pub(crate) fn statements(text: impl AsRef<[u8]>) -> Vec<Imported> {
    rows(text).into_iter().flat_map(|row| row.expect("a good row")).collect()
}

/// A small file: the header's columns and `more` ones, then rows.
pub(crate) fn file(more: &str, rows: &[&str]) -> String {
    format!("{HEADER}{more}\n{}\n", rows.join("\n"))
}

/// A statement as one line: event, and what it carries.
pub(crate) fn told(statement: &Imported) -> String {
    let mut parts = vec![statement.event.clone()];
    for (name, value) in statement.facts.iter().chain(&statement.data) {
        parts.push(format!("{name}={}", value.as_text().map_or_else(|| value.to_text(), str::to_owned)));
    }
    parts.join(" ")
}

pub(crate) fn fact<'a>(statement: &'a Imported, name: &str) -> Option<&'a Json> {
    statement.facts.iter().find(|(other, _)| other == name).map(|(_, value)| value)
}

/// The judge of facts and data is the record's own reader: it refuses what the vocabulary doesn't allow.
pub(crate) fn build(statement: Imported) -> Unsigned {
    let shown = format!("{statement:?}");
    let attributed = Attribution { actor: actor_of(&statement.person), auth: "import/I1".parse().expect("an import") };
    let aud = format!("example.org/soc#{}", Hash::of(b"genesis"));
    let mut salt = 0_u128;
    statement
        .draft("notary/N1".parse().expect("a notary"), attributed, aud, 1_795_000_000)
        .build(&Hash::of(b"key"), || {
            salt += 1;
            salt.to_be_bytes()
        })
        .unwrap_or_else(|error| panic!("{error}: {shown}"))
}
