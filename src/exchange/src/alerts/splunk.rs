//! What Splunk's webhook action posts: the search that fired, and one row of its result.

use std::collections::BTreeMap;

use blotter_record::{Hash, Instant};
use serde_json::Value;

use super::found::{Found, Observables};
use super::severity::Severity;
use crate::foreign::field::Field;
use crate::foreign::{ForeignError, when};

pub(super) fn find(root: &Field<'_>) -> Result<Found, ForeignError> {
    let row = root.get("result");
    if !row.is_missing() && !row.value().is_object() {
        return Err(row.refuse("an object"));
    }
    let sid = root.get("sid").needed_text()?;
    let column = |names: &[&str]| names.iter().find_map(|name| row.get(name).loose());
    let name = root.get("search_name").owned()?;
    Ok(Found {
        source_ref: source_ref(sid, &row),
        observed_at: observed_at(sid, &row)?,
        severity: column(&["severity"])
            .map_or_else(|| Severity::none("splunk"), |word| Severity::of_word("splunk", &word)),
        techniques: techniques(&row),
        title: name.clone(),
        description: column(&["description"]),
        rule: name,
        host: column(&["dest", "host"]),
        user: column(&["user"]),
        observables: observables(&row),
    })
}

/// A search that fires once for each result posts them all under one sid, so the row belongs to the id. How the row's
/// columns are ordered and spaced is no matter.
fn source_ref(sid: &str, row: &Field<'_>) -> String {
    let mut text = String::new();
    write_sorted(row.value(), &mut text);
    format!("{sid}/{}", &Hash::of(text.as_bytes()).to_hex()[..32])
}

/// JSON without white space, members sorted by name: one text for one row, whatever order a map keeps.
fn write_sorted(value: &Value, out: &mut String) {
    match value {
        Value::Object(members) => {
            let sorted: BTreeMap<_, _> = members.iter().collect();
            out.push('{');
            for (name, value) in sorted {
                out.push_str(&format!("{}:", Value::from(name.as_str())));
                write_sorted(value, out);
                out.push(',');
            }
            out.push('}');
        }
        Value::Array(items) => {
            out.push('[');
            for item in items {
                write_sorted(item, out);
                out.push(',');
            }
            out.push(']');
        }
        other => out.push_str(&other.to_string()),
    }
}

/// When the row's event was, or else when the search ran, which its sid says.
fn observed_at(sid: &str, row: &Field<'_>) -> Result<Instant, ForeignError> {
    let time = row.get("_time");
    if let Some(text) = time.loose() {
        let read = when::from_unix_decimal(&text).map_or_else(|| when::from_text(&text), Ok);
        return read.map_err(|what| time.error(format!("{what}; or seconds since 1970")));
    }
    ran_at(sid).ok_or_else(|| time.missing())
}

/// `scheduler__admin__search__RMD5…_at_1427942640_178`, or of a search by hand `1427942640.178`.
fn ran_at(sid: &str) -> Option<Instant> {
    match sid.rsplit_once("_at_") {
        Some((_, rest)) => when::from_unix_decimal(rest.split('_').next()?),
        None => when::from_unix_decimal(sid),
    }
}

fn techniques(row: &Field<'_>) -> Vec<String> {
    let names = ["annotations.mitre_attack", "annotations.mitre_attack.mitre_technique_id"];
    let fields = names.iter().flat_map(|name| row.get(name).items());
    fields.filter_map(|field| field.loose()).flat_map(|text| words(&text)).collect()
}

/// Splunk writes a column of several values as a list, or as one text with line ends or commas.
fn words(text: &str) -> Vec<String> {
    text.split(['\n', ',', ' ']).filter(|word| !word.is_empty()).map(str::to_owned).collect()
}

fn observables(row: &Field<'_>) -> Observables {
    const PLACES: [(&str, &str); 9] = [
        ("ip", "src_ip"),
        ("ip", "dest_ip"),
        ("other", "src"),
        ("domain", "query"),
        ("url", "url"),
        ("file", "file_path"),
        ("hash", "file_hash"),
        ("process", "process_path"),
        ("command", "process"),
    ];
    let mut observables = Observables::default();
    for (kind, name) in PLACES {
        row.get(name).items().for_each(|field| observables.add(kind, field.loose()));
    }
    observables
}
