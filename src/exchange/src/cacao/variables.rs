//! Variables: what a playbook and its steps declare, and where they are used. Used is what stands as `__name__:value` in
//! a text, encoded commands included, and what in_args and out_args name.

use std::collections::BTreeMap;

use blotter_record::base64url;
use serde_json::Value;

use super::finding::{Findings, quoted};
use super::object::Object;
use super::vocabulary::{VARIABLE, VARIABLE_TYPES, has};

/// Characters of a variable's name, between the underscores.
const NAME_LEN_MAX: usize = 200;

/// What is declared, and whether it is constant.
#[derive(Debug, Default)]
pub(super) struct Declared<'a> {
    own: BTreeMap<&'a str, bool>,
    /// What counts besides.
    outer: Option<&'a Declared<'a>>,
}

impl<'a> Declared<'a> {
    /// The variables that a member of `object` declares.
    pub(super) fn read(object: &Object<'a>, name: &str, findings: &mut Findings) -> Self {
        let mut declared = Self::default();
        for (variable, value, at) in object.dictionary(name, findings) {
            if !is_name(variable) {
                let what = format!("{} is not a variable's name; __name__ is one", quoted(variable));
                findings.error(&at, what);
            }
            let Some(object) = Object::of(value, at, findings) else { continue };
            declared.own.insert(variable, check(&object, findings));
        }
        declared
    }

    /// These, and where they don't name a variable, those.
    pub(super) fn within(self, outer: &'a Declared<'a>) -> Self {
        Self { outer: Some(outer), ..self }
    }

    /// Adds those of another object.
    pub(super) fn extend(&mut self, more: Self) {
        self.own.extend(more.own);
    }

    /// Whether a variable is constant; `None` if it is not declared.
    fn is_constant(&self, name: &str) -> Option<bool> {
        self.own.get(name).copied().or_else(|| self.outer?.is_constant(name))
    }

    /// Looks for uses in a text that stands at `at`.
    pub(super) fn check_text(&self, text: &str, at: &str, findings: &mut Findings) {
        for used in uses(text) {
            // `__a____b__` may be one name, or the second of two.
            let is_declared = (0..used.len()).any(|start| self.is_constant(&used[start..]).is_some());
            if !is_declared {
                let what = format!(
                    "the variable {} is used here and declared nowhere that counts here; declare it in \
                     playbook_variables or in this step's step_variables",
                    quoted(used)
                );
                findings.error(at, what);
            }
        }
    }

    /// Looks for uses in every text of a value.
    pub(super) fn check_value(&self, value: &Value, at: &str, findings: &mut Findings) {
        match value {
            Value::String(text) => self.check_text(text, at, findings),
            Value::Array(items) => {
                items.iter().enumerate().for_each(|(n, item)| self.check_value(item, &format!("{at}/{n}"), findings));
            }
            Value::Object(members) => {
                members.iter().for_each(|(name, item)| {
                    self.check_value(item, &crate::foreign::json::below(at, name), findings);
                });
            }
            Value::Null | Value::Bool(_) | Value::Number(_) => {}
        }
    }

    /// Looks at what a step takes and gives back; what it gives back, it sets.
    pub(super) fn check_args(&self, step: &Object<'_>, findings: &mut Findings) {
        for member in ["in_args", "out_args"] {
            for (name, at) in step.texts(member, findings) {
                match self.is_constant(name) {
                    None => {
                        let what = format!(
                            "the variable {} is declared nowhere that counts here; declare it in playbook_variables or \
                             in this step's step_variables",
                            quoted(name)
                        );
                        findings.error(at, what);
                    }
                    Some(true) if member == "out_args" => {
                        let what = format!(
                            "the step sets {}, which is constant; give its result to another variable, or let this one \
                             not be constant",
                            quoted(name)
                        );
                        findings.error(at, what);
                    }
                    Some(_) => {}
                }
            }
        }
    }
}

/// Looks at one declaration; says whether it is constant.
fn check(object: &Object<'_>, findings: &mut Findings) -> bool {
    object.only(&[VARIABLE], findings);
    if let Some(kind) = object.needed_text("type", findings)
        && !has(VARIABLE_TYPES, kind)
    {
        let what =
            format!("{} is none of the specification's types of variables; see that its users know it", quoted(kind));
        findings.warn(object.pointer("type"), what);
    }
    let has_value = !matches!(object.members.get("value"), None | Some(Value::Null));
    if has_value {
        object.text("value", findings);
    }
    let constant = object.boolean("constant", findings).unwrap_or(false);
    let external = object.boolean("external", findings).unwrap_or(false);
    if constant && !has_value && !external {
        findings.error(&object.at, "it is constant and has no value, so nothing can ever give it one; add the value");
    }
    constant
}

fn is_name(text: &str) -> bool {
    let inner = text.strip_prefix("__").and_then(|rest| rest.strip_suffix("__"));
    inner.is_some_and(|inner| {
        (1..=NAME_LEN_MAX).contains(&inner.len())
            && inner.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_')
            && inner.bytes().all(is_name_byte)
    })
}

fn is_name_byte(b: u8) -> bool {
    b.is_ascii_alphanumeric() || b == b'_' || b == b'-'
}

/// The names that stand before `:value` in a text; of each the longest that it can be.
fn uses(text: &str) -> Vec<&str> {
    let found = text.match_indices("__:value").filter_map(|(index, _)| {
        let end = index + 2;
        let bytes = &text.as_bytes()[..end];
        let run = bytes.iter().rev().take_while(|b| is_name_byte(**b)).take(NAME_LEN_MAX + 4).count();
        let run = &text[end - run..end];
        (0..run.len()).map(|start| &run[start..]).find(|name| is_name(name))
    });
    found.collect()
}

/// The text in base64 as RFC 4648 §4 has it, if it is text.
pub(super) fn decoded(text: &str) -> Result<Option<String>, String> {
    let url: String = text
        .trim_end_matches('=')
        .chars()
        .map(|c| match c {
            '+' => '-',
            '/' => '_',
            '-' | '_' => '*',
            other => other,
        })
        .collect();
    match base64url::decode(&url) {
        Ok(bytes) if text.len().is_multiple_of(4) => Ok(String::from_utf8(bytes).ok()),
        _ => Err("it is not base64; encode it as RFC 4648 §4 says, with padding".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_variable_is_used_where_value_stands_behind_its_name() {
        let check = |text: &str, expect: &[&str]| assert_eq!(uses(text), expect, "{text}");
        check("touch __path__:value", &["__path__"]);
        check("__a__:value-__b-2__:value=__a__:value", &["__a__", "__b-2__", "__a__"]);
        check("x__a__:value é__b__:value", &["__a__", "__b__"]);
        check("__a__", &[]);
        check("__a__:values", &["__a__"]);
        check("____:value __:value __1__:value", &[]);
        check(&format!("__{}__:value", "a".repeat(NAME_LEN_MAX)), &[&format!("__{}__", "a".repeat(NAME_LEN_MAX))]);
        check(&format!("__{}__:value", "a".repeat(NAME_LEN_MAX + 1)), &[]);
    }

    #[test]
    fn encoded_text_is_read_and_other_things_are_not() {
        assert_eq!(decoded("bHMgX19wX186dmFsdWU="), Ok(Some("ls __p__:value".to_owned())));
        assert_eq!(decoded("//79"), Ok(None), "bytes that are no text");
        assert!(decoded("bHM").is_err() && decoded("b_-s").is_err() && decoded("é===").is_err());
    }
}
