//! The file of a mapping: what TOML has, checked and with its paths parsed, so that reading alerts can't fail for it.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json_path::JsonPath;

use super::{Mapping, MappingError};
use crate::alerts::when::Unit;
use crate::alerts::{Format, SEVERITY_MAX};

/// Bytes of a mapping's file.
pub const MAPPING_BYTES_MAX: usize = 65_536;
/// Characters of one JSONPath in it.
pub const PATH_LEN_MAX: usize = 256;
/// Descendant segments (`..`) of one JSONPath: each is a walk through all below, and two are a walk from every place.
pub const DESCENDANTS_MAX: usize = 1;
/// Characters of a mapping's name: with a colon and a value behind it, it must fit a code.
const NAME_LEN_MAX: usize = 31;
/// Characters of a value in a scale of severities.
const SCALE_VALUE_LEN_MAX: usize = 32;
/// The kinds of observables.
const KINDS: [&str; 13] = [
    "ip",
    "mac",
    "host",
    "user",
    "domain",
    "url",
    "email",
    "file",
    "hash",
    "process",
    "command",
    "user-agent",
    "other",
];

/// Reads it.
pub(super) fn parse(text: &str) -> Result<Mapping, MappingError> {
    if text.len() > MAPPING_BYTES_MAX {
        return Err(MappingError(format!("{} bytes; at most {MAPPING_BYTES_MAX}", text.len())));
    }
    let file: File = toml::from_str(text).map_err(|e| MappingError(e.to_string()))?;
    check_name(&file.name)?;
    let source_ref = file.source_ref.into_paths();
    if source_ref.is_empty() {
        return Err(MappingError("source_ref: at least one path is wanted".into()));
    }
    let (observed_at, unit) = file.observed_at.into_parts();
    Ok(Mapping {
        name: file.name,
        alerts: file.alerts.map(|path| path_of("alerts", &path)).transpose()?,
        source_ref: paths_of("source_ref", source_ref)?,
        observed_at: path_of("observed_at", &observed_at)?,
        unit: unit.map(Into::into),
        severity: file.severity.map(severity_of).transpose()?,
        techniques: paths_of("techniques", file.techniques.into_paths())?,
        title: paths_of("title", file.title.into_paths())?,
        description: paths_of("description", file.description.into_paths())?,
        rule: paths_of("rule", file.rule.into_paths())?,
        host: paths_of("host", file.host.into_paths())?,
        user: paths_of("user", file.user.into_paths())?,
        observables: observables_of(file.observables)?,
    })
}

/// The file, as TOML has it.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    name: String,
    alerts: Option<String>,
    source_ref: Reference,
    observed_at: Time,
    severity: Option<Scaled>,
    #[serde(default)]
    techniques: Paths,
    #[serde(default)]
    title: Paths,
    #[serde(default)]
    description: Paths,
    #[serde(default)]
    rule: Paths,
    #[serde(default)]
    host: Paths,
    #[serde(default)]
    user: Paths,
    #[serde(default)]
    observables: BTreeMap<String, Paths>,
}

#[derive(Deserialize)]
#[serde(untagged, expecting = "a path, or a list of paths, is wanted")]
enum Paths {
    One(String),
    Several(Vec<String>),
}

impl Default for Paths {
    fn default() -> Self {
        Self::Several(Vec::new())
    }
}

impl Paths {
    fn into_paths(self) -> Vec<String> {
        match self {
            Self::One(path) => vec![path],
            Self::Several(paths) => paths,
        }
    }
}

#[derive(Deserialize)]
#[serde(untagged, expecting = "a path, or { join = [paths] }, is wanted")]
enum Reference {
    One(String),
    Joined(Joined),
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Joined {
    join: Vec<String>,
}

impl Reference {
    fn into_paths(self) -> Vec<String> {
        match self {
            Self::One(path) => vec![path],
            Self::Joined(joined) => joined.join,
        }
    }
}

#[derive(Deserialize)]
#[serde(untagged, expecting = "a path, or { path, unit } with a unit of s, ms, us or ns, is wanted")]
enum Time {
    Text(String),
    Number(Counted),
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Counted {
    path: String,
    unit: UnitWord,
}

#[derive(Deserialize, Clone, Copy)]
#[serde(rename_all = "lowercase")]
enum UnitWord {
    S,
    Ms,
    Us,
    Ns,
}

impl From<UnitWord> for Unit {
    fn from(word: UnitWord) -> Self {
        match word {
            UnitWord::S => Self::Seconds,
            UnitWord::Ms => Self::Milliseconds,
            UnitWord::Us => Self::Microseconds,
            UnitWord::Ns => Self::Nanoseconds,
        }
    }
}

impl Time {
    fn into_parts(self) -> (String, Option<UnitWord>) {
        match self {
            Self::Text(path) => (path, None),
            Self::Number(counted) => (counted.path, Some(counted.unit)),
        }
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Scaled {
    path: String,
    scale: BTreeMap<String, i64>,
}

fn check_name(name: &str) -> Result<(), MappingError> {
    let letters = name.starts_with(|c: char| c.is_ascii_lowercase())
        && name.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-');
    if !letters || name.len() > NAME_LEN_MAX {
        let what = format!("name: a-z 0-9 - are wanted, a letter first, at most {NAME_LEN_MAX}");
        return Err(MappingError(what));
    }
    if name.parse::<Format>().is_ok() {
        return Err(MappingError(format!("name: {name} is a format of our own")));
    }
    Ok(())
}

fn path_of(field: &str, text: &str) -> Result<JsonPath, MappingError> {
    if text.len() > PATH_LEN_MAX {
        return Err(MappingError(format!("{field}: a path of {} characters; at most {PATH_LEN_MAX}", text.len())));
    }
    if text.matches("..").count() > DESCENDANTS_MAX {
        return Err(MappingError(format!("{field}: more than one `..` in {}", crate::error::shown(text))));
    }
    JsonPath::parse(text)
        .map_err(|e| MappingError(format!("{field}: {} is no JSONPath: {e}", crate::error::shown(text))))
}

fn paths_of(field: &str, texts: Vec<String>) -> Result<Vec<JsonPath>, MappingError> {
    texts.iter().map(|text| path_of(field, text)).collect()
}

fn severity_of(scaled: Scaled) -> Result<(JsonPath, BTreeMap<String, i64>), MappingError> {
    for (value, ours) in &scaled.scale {
        if value.len() > SCALE_VALUE_LEN_MAX || !blotter_record::is_code(value) {
            let shown = crate::error::shown(value);
            let what = format!("at most {SCALE_VALUE_LEN_MAX} of A-Z a-z 0-9 . _ : / + - are wanted");
            return Err(MappingError(format!("severity.scale: \"{shown}\": {what}")));
        }
        if !(0..=SEVERITY_MAX).contains(ours) {
            return Err(MappingError(format!("severity.scale.{value}: 0 to {SEVERITY_MAX} is wanted, not {ours}")));
        }
    }
    Ok((path_of("severity.path", &scaled.path)?, scaled.scale))
}

fn observables_of(kinds: BTreeMap<String, Paths>) -> Result<Vec<(String, Vec<JsonPath>)>, MappingError> {
    let mut observables = Vec::new();
    for (kind, paths) in kinds {
        if !KINDS.contains(&kind.as_str()) {
            let what = format!("observables.{}: one of {} is wanted", crate::error::shown(&kind), KINDS.join(", "));
            return Err(MappingError(what));
        }
        let paths = paths_of("observables", paths.into_paths())?;
        observables.push((kind, paths));
    }
    Ok(observables)
}
