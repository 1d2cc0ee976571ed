//! An object of the document and where it stands: its members by the types that the specification gives them. A member
//! of another type is a finding, and then as if it were not there.

use std::collections::HashSet;

use serde_json::{Map, Value};

use super::finding::{Findings, quoted};
use super::identifier::{Identifier, check_timestamp};
use super::vocabulary::has;
use crate::foreign::json::below;

/// An object, and where it stands.
#[derive(Debug, Clone)]
pub(super) struct Object<'a> {
    pub(super) at: String,
    pub(super) members: &'a Map<String, Value>,
}

impl<'a> Object<'a> {
    /// The object that `value` is; says so if it is none.
    pub(super) fn of(value: &'a Value, at: String, findings: &mut Findings) -> Option<Self> {
        match value {
            Value::Object(members) => Some(Self { at, members }),
            other => {
                findings.error(at, format!("an object is wanted here, not {}", kind(other)));
                None
            }
        }
    }

    pub(super) fn pointer(&self, name: &str) -> String {
        below(&self.at, name)
    }

    pub(super) fn has(&self, name: &str) -> bool {
        self.members.contains_key(name)
    }

    /// Says that a member is missing that must be there.
    pub(super) fn missing(&self, name: &str, findings: &mut Findings) {
        findings.error(&self.at, format!("\"{name}\" is missing; the specification needs it here, so add it"));
    }

    pub(super) fn text(&self, name: &str, findings: &mut Findings) -> Option<&'a str> {
        match self.members.get(name)? {
            Value::String(text) => Some(text),
            other => self.another(name, "a string", other, findings),
        }
    }

    /// A text that must be there, and not be empty.
    pub(super) fn needed_text(&self, name: &str, findings: &mut Findings) -> Option<&'a str> {
        if !self.has(name) {
            self.missing(name, findings);
        }
        let text = self.text(name, findings)?;
        if text.trim().is_empty() {
            findings.error(self.pointer(name), "it is empty; say something here");
            return None;
        }
        Some(text)
    }

    pub(super) fn boolean(&self, name: &str, findings: &mut Findings) -> Option<bool> {
        match self.members.get(name)? {
            Value::Bool(value) => Some(*value),
            other => self.another(name, "true or false", other, findings),
        }
    }

    /// An integer within bounds.
    pub(super) fn integer(&self, name: &str, min: u64, max: u64, findings: &mut Findings) -> Option<u64> {
        let value = self.members.get(name)?;
        match value.as_u64().filter(|n| (min..=max).contains(n)) {
            Some(n) => Some(n),
            None => {
                let wanted = match max {
                    u64::MAX => format!("an integer of at least {min}"),
                    _ => format!("an integer from {min} to {max}"),
                };
                self.another(name, &wanted, value, findings)
            }
        }
    }

    pub(super) fn object(&self, name: &str, findings: &mut Findings) -> Option<Self> {
        Self::of(self.members.get(name)?, self.pointer(name), findings)
    }

    /// The members of an object that is a dictionary, each with its own pointer; in the order of their names.
    pub(super) fn dictionary(&self, name: &str, findings: &mut Findings) -> Vec<(&'a str, &'a Value, String)> {
        let Some(object) = self.object(name, findings) else { return Vec::new() };
        let mut entries: Vec<_> =
            object.members.iter().map(|(key, value)| (key.as_str(), value, below(&object.at, key))).collect();
        entries.sort_by_key(|(key, ..)| *key);
        entries
    }

    /// The elements of a list, which must have one if it is there; each with its own pointer.
    pub(super) fn list(&self, name: &str, findings: &mut Findings) -> Vec<(&'a Value, String)> {
        let at = self.pointer(name);
        match self.members.get(name) {
            None => Vec::new(),
            Some(Value::Array(items)) => {
                if items.is_empty() {
                    findings.error(&at, "the list is empty; leave it out, or name something");
                }
                items.iter().enumerate().map(|(index, item)| (item, format!("{at}/{index}"))).collect()
            }
            Some(other) => {
                let _: Option<()> = self.another(name, "a list", other, findings);
                Vec::new()
            }
        }
    }

    /// The texts of a list.
    pub(super) fn texts(&self, name: &str, findings: &mut Findings) -> Vec<(&'a str, String)> {
        let mut texts = Vec::new();
        let mut seen = HashSet::new();
        for (item, at) in self.list(name, findings) {
            match item {
                Value::String(text) if !seen.insert(text) => {
                    findings.warn(at, format!("{} is in the list twice; once is enough", quoted(text)));
                }
                Value::String(text) => texts.push((text.as_str(), at)),
                other => findings.error(at, format!("a string is wanted here, not {}", kind(other))),
            }
        }
        texts
    }

    /// A timestamp, if it is there and one.
    pub(super) fn timestamp(&self, name: &str, findings: &mut Findings) -> Option<blotter_record::Instant> {
        let text = self.text(name, findings)?;
        match check_timestamp(text) {
            Ok(instant) => Some(instant),
            Err(what) => {
                findings.error(self.pointer(name), what);
                None
            }
        }
    }

    /// An identifier of this type, or of any.
    pub(super) fn identifier(&self, name: &str, wanted: Option<&str>, findings: &mut Findings) -> Option<&'a str> {
        let text = self.text(name, findings)?;
        match Identifier::parse(text, wanted) {
            Ok(_) => Some(text),
            Err(what) => {
                findings.error(self.pointer(name), what);
                None
            }
        }
    }

    /// Warns of members that are in none of `known`, lists of words.
    pub(super) fn only(&self, known: &[&str], findings: &mut Findings) {
        for name in self.members.keys().filter(|name| !known.iter().any(|words| has(words, name))) {
            let what = format!(
                "CACAO 2.0 has no member {} here, so others will pass over it; correct its spelling, or put it into an \
                 extension",
                quoted(name)
            );
            findings.warn(self.pointer(name), what);
        }
    }

    /// Looks at the keys of an extensions object: each must be defined.
    pub(super) fn extensions(&self, name: &str, defined: &HashSet<&str>, findings: &mut Findings) {
        for (key, value, at) in self.dictionary(name, findings) {
            Object::of(value, at.clone(), findings);
            if !defined.contains(key) {
                let what = format!("the extension {} is not defined; define it in extension_definitions", quoted(key));
                findings.error(at, what);
            }
        }
    }

    fn another<T>(&self, name: &str, wanted: &str, value: &Value, findings: &mut Findings) -> Option<T> {
        let got = match value {
            Value::Number(n) => n.to_string(),
            other => kind(other).to_owned(),
        };
        findings.error(self.pointer(name), format!("{wanted} is wanted here, not {got}"));
        None
    }
}

fn kind(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "true or false",
        Value::Number(_) => "a number",
        Value::String(_) => "a string",
        Value::Array(_) => "a list",
        Value::Object(_) => "an object",
    }
}
