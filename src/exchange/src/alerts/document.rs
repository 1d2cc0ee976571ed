//! A document as the originals in it: each alert's exact text, and a JSON pointer to where it stands.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::value::RawValue;

use super::{ALERTS_MAX, AlertError, DOCUMENT_BYTES_MAX};

/// One alert as it stood in a document.
#[derive(Debug)]
pub(super) struct Original<'a> {
    /// Where it stood; empty if it was all of the document.
    pub(super) pointer: String,
    /// Its exact bytes, without white space around.
    pub(super) text: &'a str,
}

/// Takes a value apart that stands for a list of alerts: the pointer to the list, and its elements.
pub(super) type Envelope = for<'a> fn(&'a str) -> Option<(&'static str, Vec<&'a RawValue>)>;

/// The originals of a document: the elements of its list, the values that stand one after another, or the one value.
/// `envelope` finds a list inside a lone object.
pub(super) fn split(bytes: &[u8], envelope: Envelope) -> Result<Vec<Original<'_>>, AlertError> {
    let values = values(bytes)?;
    let (at, elements) = match values.as_slice() {
        [one] => match list(one.get()).map(|elements| ("", elements)).or_else(|| envelope(one.get())) {
            Some(found) => found,
            None => return Ok(vec![Original { pointer: String::new(), text: one.get() }]),
        },
        _ => ("", values),
    };
    if elements.len() > ALERTS_MAX {
        let what = format!("{} alerts in one document; at most {ALERTS_MAX}", elements.len());
        return Err(AlertError { at: at.into(), what });
    }
    let numbered = elements.into_iter().enumerate();
    Ok(numbered.map(|(index, raw)| Original { pointer: format!("{at}/{index}"), text: raw.get() }).collect())
}

/// The JSON values of a document, one after another; at least one.
pub(super) fn values(bytes: &[u8]) -> Result<Vec<&RawValue>, AlertError> {
    let refuse = |what: String| AlertError { at: String::new(), what };
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
pub(super) fn list(text: &str) -> Option<Vec<&RawValue>> {
    if text.starts_with('[') { serde_json::from_str(text).ok() } else { None }
}

/// The members of an object by name.
pub(super) fn members(text: &str) -> Option<BTreeMap<String, &RawValue>> {
    if text.starts_with('{') { serde_json::from_str(text).ok() } else { None }
}

/// The format has no such envelope.
pub(super) fn no_list(_: &str) -> Option<(&'static str, Vec<&RawValue>)> {
    None
}

/// What Graph answers when asked for a list of alerts: an object with a list `value`.
pub(super) fn graph_list(text: &str) -> Option<(&'static str, Vec<&RawValue>)> {
    #[derive(Deserialize)]
    struct Answer<'a> {
        #[serde(borrow)]
        value: Vec<&'a RawValue>,
    }
    serde_json::from_str::<Answer<'_>>(text).ok().map(|answer| ("/value", answer.value))
}

/// What Elasticsearch answers to a search: an object with a list `hits` in `hits`.
pub(super) fn elastic_hits(text: &str) -> Option<(&'static str, Vec<&RawValue>)> {
    #[derive(Deserialize)]
    struct Answer<'a> {
        #[serde(borrow)]
        hits: Hits<'a>,
    }
    #[derive(Deserialize)]
    struct Hits<'a> {
        #[serde(borrow)]
        hits: Vec<&'a RawValue>,
    }
    serde_json::from_str::<Answer<'_>>(text).ok().map(|answer| ("/hits/hits", answer.hits.hits))
}
