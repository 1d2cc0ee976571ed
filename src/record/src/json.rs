//! Strict JSON (FORMAT.md §1.2): what a statement may be made of. Duplicate members are refused at every depth, after
//! unescaping; numbers are integers within ±(2^53 − 1); no U+0000, no lone surrogate; at most eight deep.
//! Two readers of the same bytes must never see two different documents.

use std::borrow::Cow;
use std::collections::BTreeSet;
use std::fmt;

use serde::de::{self, DeserializeSeed, MapAccess, SeqAccess, Visitor};

use crate::limits::{INTEGER_MAX, JSON_DEPTH_MAX};

/// A JSON value that owns its strings.
pub type Json = Value<String>;

/// A JSON value whose strings are those of the text it was read from, but where they had to be unescaped.
pub(crate) type JsonIn<'a> = Value<Cow<'a, str>>;

/// A JSON value; members keep the order in which they stood.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Value<S> {
    /// `null`.
    Null,
    /// `true` or `false`.
    Bool(bool),
    /// An integer, |n| ≤ 2^53 − 1.
    Int(i64),
    /// A string without U+0000.
    Text(S),
    /// An array.
    List(Vec<Self>),
    /// An object; no two members have one name.
    Object(Vec<(S, Self)>),
}

/// Bytes that are not strict JSON.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("not strict JSON: {0}")]
pub struct JsonError(String);

impl<'a> JsonIn<'a> {
    /// The document in `bytes`, and nothing after it.
    ///
    /// # Errors
    /// Says what is wrong, with line and column.
    pub(crate) fn read(bytes: &'a [u8]) -> Result<Self, JsonError> {
        let mut reader = serde_json::Deserializer::from_slice(bytes);
        let value = Depth(0).deserialize(&mut reader).map_err(|e| JsonError(e.to_string()))?;
        reader.end().map_err(|e| JsonError(e.to_string()))?;
        Ok(value)
    }

    fn into_owned(self) -> Json {
        match self {
            Self::Null => Json::Null,
            Self::Bool(value) => Json::Bool(value),
            Self::Int(value) => Json::Int(value),
            Self::Text(text) => Json::Text(text.into_owned()),
            Self::List(items) => Json::List(items.into_iter().map(Self::into_owned).collect()),
            Self::Object(members) => {
                let owned = |(name, value): (Cow<'a, str>, Self)| (name.into_owned(), value.into_owned());
                Json::Object(members.into_iter().map(owned).collect())
            }
        }
    }
}

impl<S: AsRef<str>> Value<S> {
    /// The string inside, if it is one.
    pub fn as_text(&self) -> Option<&str> {
        match self {
            Self::Text(text) => Some(text.as_ref()),
            _ => None,
        }
    }

    /// What it is, for error messages.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Null => "null",
            Self::Bool(_) => "a boolean",
            Self::Int(_) => "an integer",
            Self::Text(_) => "a string",
            Self::List(_) => "a list",
            Self::Object(_) => "an object",
        }
    }
}

impl Json {
    /// The document in `bytes`, and nothing after it.
    ///
    /// # Errors
    /// Says what is wrong, with line and column.
    pub fn parse(bytes: &[u8]) -> Result<Self, JsonError> {
        Ok(JsonIn::read(bytes)?.into_owned())
    }

    /// The compact text: no white space, only the escapes that RFC 8259 §7 demands, members in their order.
    pub fn to_text(&self) -> String {
        let mut out = String::new();
        self.write(&mut out);
        out
    }

    fn write(&self, out: &mut String) {
        match self {
            Self::Null => out.push_str("null"),
            Self::Bool(value) => out.push_str(if *value { "true" } else { "false" }),
            Self::Int(value) => out.push_str(&value.to_string()),
            Self::Text(text) => write_text(text, out),
            Self::List(items) => {
                out.push('[');
                for (index, item) in items.iter().enumerate() {
                    if index > 0 {
                        out.push(',');
                    }
                    item.write(out);
                }
                out.push(']');
            }
            Self::Object(members) => {
                out.push('{');
                for (index, (name, value)) in members.iter().enumerate() {
                    if index > 0 {
                        out.push(',');
                    }
                    write_text(name, out);
                    out.push(':');
                    value.write(out);
                }
                out.push('}');
            }
        }
    }
}

impl From<&str> for Json {
    fn from(text: &str) -> Self {
        Self::Text(text.to_owned())
    }
}

impl From<String> for Json {
    fn from(text: String) -> Self {
        Self::Text(text)
    }
}

impl From<i64> for Json {
    fn from(value: i64) -> Self {
        Self::Int(value)
    }
}

impl From<bool> for Json {
    fn from(value: bool) -> Self {
        Self::Bool(value)
    }
}

fn write_text(text: &str, out: &mut String) {
    out.push('"');
    for c in text.chars() {
        match c {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            c if c < ' ' => out.push_str(&format!("\\u{:04x}", u32::from(c))),
            c => out.push(c),
        }
    }
    out.push('"');
}

/// Reads a value that stands `0` levels deep.
struct Depth(usize);

impl<'de> DeserializeSeed<'de> for Depth {
    type Value = JsonIn<'de>;

    fn deserialize<D: de::Deserializer<'de>>(self, reader: D) -> Result<JsonIn<'de>, D::Error> {
        reader.deserialize_any(self)
    }
}

impl Depth {
    fn deeper<E: de::Error>(&self) -> Result<usize, E> {
        if self.0 >= JSON_DEPTH_MAX {
            return Err(E::custom(format_args!("nested more than {JSON_DEPTH_MAX} deep")));
        }
        Ok(self.0 + 1)
    }
}

impl<'de> Visitor<'de> for Depth {
    type Value = JsonIn<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON value")
    }

    fn visit_unit<E: de::Error>(self) -> Result<JsonIn<'de>, E> {
        Ok(JsonIn::Null)
    }

    fn visit_bool<E: de::Error>(self, value: bool) -> Result<JsonIn<'de>, E> {
        Ok(JsonIn::Bool(value))
    }

    fn visit_i64<E: de::Error>(self, value: i64) -> Result<JsonIn<'de>, E> {
        if value.unsigned_abs() > INTEGER_MAX.unsigned_abs() {
            return Err(E::custom("an integer beyond 2^53 - 1"));
        }
        Ok(JsonIn::Int(value))
    }

    fn visit_u64<E: de::Error>(self, value: u64) -> Result<JsonIn<'de>, E> {
        i64::try_from(value)
            .map_or_else(|_| Err(E::custom("an integer beyond 2^53 - 1")), |value| self.visit_i64(value))
    }

    // A fraction, an exponent, −0, or an integer that is too long for 64 bits.
    fn visit_f64<E: de::Error>(self, _: f64) -> Result<JsonIn<'de>, E> {
        Err(E::custom("a number that is not an integer (no fraction, exponent or -0; decimals are strings)"))
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<JsonIn<'de>, E> {
        no_nul(text)?;
        Ok(JsonIn::Text(Cow::Owned(text.to_owned())))
    }

    // As it stands in the text, where a control character can only be escaped.
    fn visit_borrowed_str<E: de::Error>(self, text: &'de str) -> Result<JsonIn<'de>, E> {
        Ok(JsonIn::Text(Cow::Borrowed(text)))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<JsonIn<'de>, A::Error> {
        let depth = self.deeper()?;
        let mut list = Vec::new();
        while let Some(item) = items.next_element_seed(Depth(depth))? {
            list.push(item);
        }
        Ok(JsonIn::List(list))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<JsonIn<'de>, A::Error> {
        let depth = self.deeper()?;
        let mut object: Vec<(Cow<'de, str>, JsonIn<'de>)> = Vec::new();
        let mut sorted: Option<BTreeSet<Cow<'de, str>>> = None;
        while let Some(name) = members.next_key_seed(Name)? {
            if seen_before(&object, &mut sorted, &name) {
                return Err(de::Error::custom(format_args!("the member \"{}\" twice", name.escape_debug())));
            }
            let value = members.next_value_seed(Depth(depth))?;
            object.push((name, value));
        }
        Ok(JsonIn::Object(object))
    }
}

/// Reads the name of a member.
struct Name;

impl<'de> DeserializeSeed<'de> for Name {
    type Value = Cow<'de, str>;

    fn deserialize<D: de::Deserializer<'de>>(self, reader: D) -> Result<Cow<'de, str>, D::Error> {
        reader.deserialize_str(self)
    }
}

impl<'de> Visitor<'de> for Name {
    type Value = Cow<'de, str>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the name of a member")
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<Cow<'de, str>, E> {
        no_nul(text)?;
        Ok(Cow::Owned(text.to_owned()))
    }

    fn visit_borrowed_str<E: de::Error>(self, text: &'de str) -> Result<Cow<'de, str>, E> {
        Ok(Cow::Borrowed(text))
    }
}

fn no_nul<E: de::Error>(text: &str) -> Result<(), E> {
    if text.as_bytes().contains(&0) {
        return Err(E::custom("U+0000 in a string"));
    }
    Ok(())
}

/// Small objects are searched through; a large (hostile) one gets an index, so that reading stays linear.
fn seen_before<'a>(
    object: &[(Cow<'a, str>, JsonIn<'a>)],
    sorted: &mut Option<BTreeSet<Cow<'a, str>>>,
    name: &str,
) -> bool {
    const SEARCHED_THROUGH_MAX: usize = 32;
    if object.len() < SEARCHED_THROUGH_MAX {
        return object.iter().any(|(other, _)| other == name);
    }
    let names = sorted.get_or_insert_with(|| object.iter().map(|(name, _)| name.clone()).collect());
    !names.insert(Cow::Owned(name.to_owned()))
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn check(text: &str, expect: Result<&str, &str>) {
        match (Json::parse(text.as_bytes()), expect) {
            (Ok(value), Ok(printed)) => assert_eq!(value.to_text(), printed, "{text}"),
            (Err(error), Err(part)) => assert!(error.to_string().contains(part), "{text}: {error}"),
            (got, expect) => panic!("{text}: got {got:?}, wanted {expect:?}"),
        }
    }

    #[test]
    fn only_one_reading_of_a_document_is_accepted() {
        check(r#"{"a":1,"b":[true,null,"x"]}"#, Ok(r#"{"a":1,"b":[true,null,"x"]}"#));
        check(r#" { "a" : 1 } "#, Ok(r#"{"a":1}"#));
        check(r#"{"a":1,"a":2}"#, Err("twice"));
        check("{\"a\":1,\"\\u0061\":2}", Err("twice"));
        check(r#"{"x":{"a":1,"a":1}}"#, Err("twice"));
        check("9007199254740991", Ok("9007199254740991"));
        check("-9007199254740991", Ok("-9007199254740991"));
        check("9007199254740992", Err("2^53"));
        check("-9007199254740992", Err("2^53"));
        check("18446744073709551616", Err("not an integer"));
        check("1.0", Err("not an integer"));
        check("1e2", Err("not an integer"));
        check("-0", Err("not an integer"));
        check("\"\\u0000\"", Err("U+0000"));
        check("{\"\\u0000\":1}", Err("U+0000"));
        check("\"\\ud800\"", Err("not strict JSON"));
        check("\u{feff}{}", Err("not strict JSON"));
        check("{} {}", Err("trailing"));
        check("[[[[[[[[1]]]]]]]]", Ok("[[[[[[[[1]]]]]]]]"));
        check("[[[[[[[[[1]]]]]]]]]", Err("8 deep"));
        check("\"a\\u001f\\n\u{2028}é\"", Ok("\"a\\u001f\\n\u{2028}é\""));
    }

    #[test]
    fn a_duplicate_among_many_members_is_found() {
        let members: Vec<String> = (0..200).map(|n| format!("\"m{n}\":0")).collect();
        check(&format!("{{{}}}", members.join(",")), Ok(&format!("{{{}}}", members.join(","))));
        check(&format!("{{{},\"m7\":1}}", members.join(",")), Err("twice"));
        check(&format!("{{{},\"m150\":1}}", members.join(",")), Err("twice"));
    }

    #[test]
    fn bytes_that_are_not_utf_8_are_refused() {
        assert!(Json::parse(b"\"\xff\"").is_err());
        assert!(Json::parse(b"\"\xed\xa0\x80\"").is_err());
    }
}
