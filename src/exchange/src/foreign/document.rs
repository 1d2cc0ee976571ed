//! A document as the originals in it: each part's exact text, and a JSON pointer to where it stands.

use std::collections::BTreeMap;

use serde_json::Value;
use serde_json::value::RawValue;

use super::field::Field;
use super::{DOCUMENT_BYTES_MAX, ForeignError, PARTS_MAX, json};

/// One part as it stood in a document.
#[derive(Debug)]
pub(crate) struct Original<'a> {
    /// Where it stood; empty if it was all of the document.
    pub(crate) pointer: String,
    /// Its exact bytes, without white space around.
    pub(crate) text: &'a str,
}

impl Original<'_> {
    /// The object that it is.
    pub(crate) fn parse(&self) -> Result<Value, ForeignError> {
        let value = json::parse(self.text).map_err(|what| ForeignError { at: self.pointer.clone(), what })?;
        if !value.is_object() {
            return Err(Field::root(&value, &self.pointer).refuse("an object"));
        }
        Ok(value)
    }
}

/// Takes a value apart that stands for a list: the pointer to the list, and its elements.
pub(crate) type Envelope = for<'a> fn(&'a str) -> Option<(&'static str, Vec<&'a RawValue>)>;

/// The originals of a document: the elements of its list, the values that stand one after another, or the one value.
/// `envelope` finds a list inside a lone object.
pub(crate) fn split(bytes: &[u8], envelope: Envelope) -> Result<Vec<Original<'_>>, ForeignError> {
    let values = values(bytes)?;
    let (at, elements) = match values.as_slice() {
        [one] => match list(one.get()).map(|elements| ("", elements)).or_else(|| envelope(one.get())) {
            Some(found) => found,
            None => return Ok(vec![Original { pointer: String::new(), text: one.get() }]),
        },
        _ => ("", values),
    };
    if elements.len() > PARTS_MAX {
        let what = format!("{} in one document; at most {PARTS_MAX}", elements.len());
        return Err(ForeignError { at: at.into(), what });
    }
    let numbered = elements.into_iter().enumerate();
    Ok(numbered.map(|(index, raw)| Original { pointer: format!("{at}/{index}"), text: raw.get() }).collect())
}

/// The JSON values of a document, one after another; at least one.
pub(crate) fn values(bytes: &[u8]) -> Result<Vec<&RawValue>, ForeignError> {
    let refuse = |what: String| ForeignError { at: String::new(), what };
    if bytes.len() > DOCUMENT_BYTES_MAX {
        return Err(refuse(format!("{} bytes; at most {DOCUMENT_BYTES_MAX} in one document", bytes.len())));
    }
    let text = std::str::from_utf8(bytes).map_err(|e| refuse(format!("not UTF-8: {e}")))?;
    let values: Vec<&RawValue> = serde_json::Deserializer::from_str(text)
        .into_iter()
        .collect::<Result<_, _>>()
        .map_err(|e| refuse(format!("not JSON: {e}")))?;
    if values.is_empty() {
        return Err(refuse("empty; at least one JSON value is wanted".into()));
    }
    Ok(values)
}

/// The elements of a list.
pub(crate) fn list(text: &str) -> Option<Vec<&RawValue>> {
    if text.starts_with('[') { serde_json::from_str(text).ok() } else { None }
}

/// The members of an object by name.
pub(crate) fn members(text: &str) -> Option<BTreeMap<String, &RawValue>> {
    if text.starts_with('{') { serde_json::from_str(text).ok() } else { None }
}

/// The format has no such envelope.
pub(crate) fn no_list(_: &str) -> Option<(&'static str, Vec<&RawValue>)> {
    None
}
