//! The words of a user's mapping file (TOML): JSONPaths (RFC 9535) that point to what is meant, checked when the file is
//! read, so that reading a document can't fail for them. A mapping only points: it computes nothing, so that what is
//! said here can be found again in the original.

use std::collections::BTreeMap;

use blotter_record::Instant;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::Value;
use serde_json_path::JsonPath;

use super::field::Field;
use super::when::{self, Unit};
use super::{ForeignError, MappingError};
use crate::error::shown;

/// Bytes of a mapping's file.
pub const MAPPING_BYTES_MAX: usize = 65_536;
/// Characters of one JSONPath in it.
pub const PATH_LEN_MAX: usize = 256;
/// Descendant segments (`..`) of one JSONPath: each is a walk through all below, and two are a walk from every place.
pub const DESCENDANTS_MAX: usize = 1;
/// Characters of a mapping's name: with a colon and a value behind it, it must fit a code.
const NAME_LEN_MAX: usize = 31;

/// Reads a mapping's file. The error has the line.
pub(crate) fn read_file<T: DeserializeOwned>(text: &str) -> Result<T, MappingError> {
    if text.len() > MAPPING_BYTES_MAX {
        return Err(MappingError(format!("{} bytes; at most {MAPPING_BYTES_MAX}", text.len())));
    }
    toml::from_str(text).map_err(|e| MappingError(e.to_string()))
}

/// A mapping's name, which stands in URLs and in front of values.
#[derive(Debug, Clone, Deserialize)]
#[serde(try_from = "String")]
pub(crate) struct Name(String);

impl TryFrom<String> for Name {
    type Error = String;

    fn try_from(name: String) -> Result<Self, String> {
        let letters = name.starts_with(|c: char| c.is_ascii_lowercase())
            && name.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-');
        if !letters || name.len() > NAME_LEN_MAX {
            return Err(format!("name: a-z 0-9 - are wanted, a letter first, at most {NAME_LEN_MAX}"));
        }
        Ok(Self(name))
    }
}

impl Name {
    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }
}

/// One path.
#[derive(Debug, Clone, Deserialize)]
#[serde(try_from = "String")]
pub(crate) struct Path(JsonPath);

impl TryFrom<String> for Path {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        if text.len() > PATH_LEN_MAX {
            return Err(format!("a path of {} characters; at most {PATH_LEN_MAX}", text.len()));
        }
        if text.matches("..").count() > DESCENDANTS_MAX {
            return Err(format!("more than one `..` in {}", shown(&text)));
        }
        JsonPath::parse(&text).map(Self).map_err(|e| format!("{} is no JSONPath: {e}", shown(&text)))
    }
}

impl Path {
    pub(crate) fn query(&self) -> &JsonPath {
        &self.0
    }

    /// What it selects first.
    fn one<'a>(&self, root: &Field<'a>) -> Option<&'a Value> {
        self.0.query(root.value()).first()
    }

    /// The first text, number or boolean that it selects.
    pub(crate) fn text(&self, root: &Field<'_>) -> Option<String> {
        self.one(root).and_then(loose)
    }
}

/// A path, or a list of paths; none if the file has not the key.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(try_from = "PathsWord")]
pub(crate) struct Paths(Vec<Path>);

#[derive(Deserialize)]
#[serde(untagged, expecting = "a path, or a list of paths, is wanted")]
enum PathsWord {
    One(String),
    Several(Vec<String>),
}

impl TryFrom<PathsWord> for Paths {
    type Error = String;

    fn try_from(word: PathsWord) -> Result<Self, String> {
        match word {
            PathsWord::One(path) => paths(vec![path]),
            PathsWord::Several(paths) => self::paths(paths),
        }
        .map(Self)
    }
}

fn paths(texts: Vec<String>) -> Result<Vec<Path>, String> {
    texts.into_iter().map(Path::try_from).collect()
}

impl Paths {
    /// All that they select.
    fn all<'a>(&self, root: &Field<'a>) -> Vec<&'a Value> {
        self.0.iter().flat_map(|path| path.0.query(root.value()).all()).collect()
    }

    /// The texts, numbers and booleans that they select.
    pub(crate) fn texts(&self, root: &Field<'_>) -> Vec<String> {
        self.all(root).into_iter().filter_map(loose).collect()
    }

    /// The first of these.
    pub(crate) fn first(&self, root: &Field<'_>) -> Option<String> {
        self.all(root).into_iter().find_map(loose)
    }
}

fn loose(value: &Value) -> Option<String> {
    Field::root(value, "").loose()
}

/// What identifies something: a path, or several whose values are joined. Every part must be there, and be a string or an
/// integer: of a fraction two could have one spelling.
#[derive(Debug, Clone, Deserialize)]
#[serde(try_from = "ReferenceWord")]
pub(crate) struct Reference(Vec<Path>);

#[derive(Deserialize)]
#[serde(untagged, expecting = "a path, or { join = [paths] }, is wanted")]
enum ReferenceWord {
    One(String),
    Joined(Joined),
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Joined {
    join: Vec<String>,
}

impl TryFrom<ReferenceWord> for Reference {
    type Error = String;

    fn try_from(word: ReferenceWord) -> Result<Self, String> {
        let parts = match word {
            ReferenceWord::One(path) => vec![path],
            ReferenceWord::Joined(joined) if joined.join.is_empty() => return Err("at least one path is wanted".into()),
            ReferenceWord::Joined(joined) => joined.join,
        };
        paths(parts).map(Self)
    }
}

impl Reference {
    /// What it points to; `field` is its key in the mapping.
    pub(crate) fn read(&self, root: &Field<'_>, field: &str) -> Result<String, ForeignError> {
        // Parts are escaped, so that joined they stay apart; a lone one is as it is.
        let lone = self.0.len() == 1;
        let mut parts = Vec::new();
        for path in &self.0 {
            parts.push(match path.one(root) {
                Some(Value::String(text)) if lone && !text.is_empty() => text.clone(),
                Some(Value::String(text)) if !text.is_empty() => text.replace('~', "~0").replace('/', "~1"),
                Some(Value::Number(number)) if !number.is_f64() => number.to_string(),
                _ => return Err(root.error(format!("no string or integer at {}, where {field} is wanted", path.0))),
            });
        }
        Ok(parts.join("/"))
    }
}

/// When something was: a path to a text with an offset, or to a number since 1970 and its unit.
#[derive(Debug, Clone, Deserialize)]
#[serde(try_from = "TimeWord")]
pub(crate) struct Time(Path, Option<Unit>);

#[derive(Deserialize)]
#[serde(untagged, expecting = "a path, or { path, unit } with a unit of s, ms, us or ns, is wanted")]
enum TimeWord {
    Text(String),
    Number(Counted),
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Counted {
    path: String,
    unit: Unit,
}

impl TryFrom<TimeWord> for Time {
    type Error = String;

    fn try_from(word: TimeWord) -> Result<Self, String> {
        let (path, unit) = match word {
            TimeWord::Text(path) => (path, None),
            TimeWord::Number(counted) => (counted.path, Some(counted.unit)),
        };
        Ok(Self(Path::try_from(path)?, unit))
    }
}

impl Time {
    /// What it points to; `field` is its key in the mapping.
    pub(crate) fn read(&self, root: &Field<'_>, field: &str) -> Result<Instant, ForeignError> {
        let Self(path, unit) = self;
        let read = match (path.one(root), unit) {
            (Some(Value::String(text)), None) => when::from_text(text),
            (Some(Value::String(text)), Some(Unit::Seconds)) => {
                when::from_unix_decimal(text).ok_or_else(|| "seconds since 1970 are wanted".into())
            }
            (Some(Value::String(text)), Some(unit)) => {
                text.parse().map_err(|_| "an integer is wanted".into()).and_then(|count| when::from_unix(count, *unit))
            }
            (Some(Value::Number(number)), Some(Unit::Seconds)) => when::from_unix_decimal(&number.to_string())
                .ok_or_else(|| "seconds since 1970 are wanted, not below 0".into()),
            (Some(Value::Number(number)), Some(unit)) => {
                let count = number.as_i64().ok_or_else(|| "an integer is wanted".to_owned());
                count.and_then(|count| when::from_unix(count, *unit))
            }
            (Some(Value::Number(_)), None) => Err("a number, and the mapping has no unit for it".into()),
            _ => Err("no time".into()),
        };
        read.map_err(|what| root.error(format!("at {}, where {field} is wanted: {what}", path.0)))
    }
}

/// A value, and what the source's words for it mean here.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Scaled<T> {
    path: Path,
    scale: BTreeMap<String, T>,
}

impl<T> Scaled<T> {
    /// The source's word, and what it means if the scale says so.
    pub(crate) fn read(&self, root: &Field<'_>) -> Option<(String, Option<&T>)> {
        let value = self.path.text(root)?;
        let ours = self.scale.get(&value);
        Some((value, ours))
    }

    /// The source's words and what they mean.
    pub(crate) fn words(&self) -> impl Iterator<Item = (&str, &T)> {
        self.scale.iter().map(|(word, ours)| (word.as_str(), ours))
    }
}
