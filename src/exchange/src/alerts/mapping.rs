//! A user's own mapping: a TOML file with a JSONPath (RFC 9535) for each field, for sources that we don't know. ALERTS.md
//! describes the file; `mappings/suricata.toml` is one.
//!
//! A mapping only points: it computes nothing, so that what an alert says here can be found again in its original.

mod file;
mod selected;

use std::collections::BTreeMap;

use blotter_record::Instant;
use serde_json::Value;
use serde_json_path::JsonPath;

use super::field::Field;
use super::found::{Found, Observables};
use super::severity::Severity;
use super::when::{self, Unit};
use super::{Alert, AlertError, document, read_one};
pub use file::{DESCENDANTS_MAX, MAPPING_BYTES_MAX, PATH_LEN_MAX};

/// A file that is no mapping.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("not a mapping of alerts: {0}")]
pub struct MappingError(String);

/// Where an unknown source's alerts have what ours have.
#[derive(Debug, Clone)]
pub struct Mapping {
    name: String,
    alerts: Option<JsonPath>,
    source_ref: Vec<JsonPath>,
    observed_at: JsonPath,
    unit: Option<Unit>,
    severity: Option<(JsonPath, BTreeMap<String, i64>)>,
    techniques: Vec<JsonPath>,
    title: Vec<JsonPath>,
    description: Vec<JsonPath>,
    rule: Vec<JsonPath>,
    host: Vec<JsonPath>,
    user: Vec<JsonPath>,
    observables: Vec<(String, Vec<JsonPath>)>,
}

impl Mapping {
    /// Reads a mapping's file.
    ///
    /// # Errors
    /// Says what is wrong, and where: a line of TOML, a field that has no such meaning, a path that is no JSONPath.
    pub fn parse(text: &str) -> Result<Self, MappingError> {
        file::parse(text)
    }

    /// The mapping's name: the word for it in a URL, and for its scale in `severity_source`.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The alerts of a document, as [`super::read`] gives those of the formats that we know.
    ///
    /// # Errors
    /// As there.
    pub fn read(&self, bytes: &[u8]) -> Result<Vec<Result<Alert, AlertError>>, AlertError> {
        let originals = match &self.alerts {
            None => document::split(bytes, document::no_list)?,
            Some(path) => selected::selected(bytes, path)?,
        };
        Ok(originals.iter().map(|original| read_one(&self.name, original, |root| self.find(root))).collect())
    }

    fn find(&self, root: &Field<'_>) -> Result<Found, AlertError> {
        let mut observables = Observables::default();
        for (kind, paths) in &self.observables {
            all(root, paths).iter().for_each(|value| observables.add(kind, loose(value)));
        }
        Ok(Found {
            source_ref: self.source_ref(root)?,
            observed_at: self.observed_at(root)?,
            severity: self.severity(root),
            techniques: all(root, &self.techniques).into_iter().filter_map(loose).collect(),
            title: first(root, &self.title),
            description: first(root, &self.description),
            rule: first(root, &self.rule),
            host: first(root, &self.host),
            user: first(root, &self.user),
            observables,
        })
    }

    /// Every part must be there, and be a string or an integer: of a fraction two could have one spelling.
    fn source_ref(&self, root: &Field<'_>) -> Result<String, AlertError> {
        // Parts are escaped, so that joined they stay apart; a lone one is as it is.
        let lone = self.source_ref.len() == 1;
        let mut parts = Vec::new();
        for path in &self.source_ref {
            parts.push(match one(root, path) {
                Some(Value::String(text)) if lone && !text.is_empty() => text.clone(),
                Some(Value::String(text)) if !text.is_empty() => text.replace('~', "~0").replace('/', "~1"),
                Some(Value::Number(number)) if !number.is_f64() => number.to_string(),
                _ => return Err(root.error(format!("no string or integer at {path}, where source_ref is wanted"))),
            });
        }
        Ok(parts.join("/"))
    }

    fn observed_at(&self, root: &Field<'_>) -> Result<Instant, AlertError> {
        let path = &self.observed_at;
        let read = match (one(root, path), self.unit) {
            (Some(Value::String(text)), None) => when::from_text(text),
            (Some(Value::String(text)), Some(Unit::Seconds)) => {
                when::from_unix_decimal(text).ok_or_else(|| "seconds since 1970 are wanted".into())
            }
            (Some(Value::String(text)), Some(unit)) => {
                text.parse().map_err(|_| "an integer is wanted".into()).and_then(|count| when::from_unix(count, unit))
            }
            (Some(Value::Number(number)), Some(Unit::Seconds)) => when::from_unix_decimal(&number.to_string())
                .ok_or_else(|| "seconds since 1970 are wanted, not below 0".into()),
            (Some(Value::Number(number)), Some(unit)) => {
                let count = number.as_i64().ok_or_else(|| "an integer is wanted".to_owned());
                count.and_then(|count| when::from_unix(count, unit))
            }
            (Some(Value::Number(_)), None) => Err("a number, and the mapping has no unit for it".into()),
            _ => Err("no time".into()),
        };
        read.map_err(|what| root.error(format!("at {path}, where observed_at is wanted: {what}")))
    }

    fn severity(&self, root: &Field<'_>) -> Severity {
        let Some((path, scale)) = &self.severity else { return Severity::none(&self.name) };
        let Some(value) = one(root, path).and_then(loose) else { return Severity::none(&self.name) };
        match scale.get(&value) {
            Some(ours) => Severity::new(*ours, &self.name, value),
            None => Severity::other(&self.name),
        }
    }
}

/// What `path` selects first.
fn one<'a>(root: &Field<'a>, path: &JsonPath) -> Option<&'a Value> {
    path.query(root.value()).first()
}

/// What all of `paths` select.
fn all<'a>(root: &Field<'a>, paths: &[JsonPath]) -> Vec<&'a Value> {
    paths.iter().flat_map(|path| path.query(root.value()).all()).collect()
}

/// The first text that one of `paths` selects.
fn first(root: &Field<'_>, paths: &[JsonPath]) -> Option<String> {
    all(root, paths).into_iter().find_map(loose)
}

fn loose(value: &Value) -> Option<String> {
    Field::root(value, "").loose()
}
