//! The parts of a document that a mapping's `alerts` selects, each with its exact text.

use std::collections::BTreeMap;

use serde_json::Value;
use serde_json::value::RawValue;
use serde_json_path::JsonPath;

use crate::foreign::document::{self, Original};
use crate::foreign::{ForeignError, PARTS_MAX, json};

/// In the order in which `path` finds them. Several values one after another (NDJSON) are queried as a list.
pub(super) fn selected<'a>(bytes: &'a [u8], path: &JsonPath) -> Result<Vec<Original<'a>>, ForeignError> {
    let values = document::values(bytes)?;
    let several = values.len() > 1;
    let mut parsed = Vec::new();
    for (index, raw) in values.iter().enumerate() {
        let at = if several { format!("/{index}") } else { String::new() };
        parsed.push(json::parse(raw.get()).map_err(|what| ForeignError { at, what })?);
    }
    let document = if several { Value::Array(parsed) } else { parsed.remove(0) };
    let found = path.query_located(&document);
    if found.len() > PARTS_MAX {
        let what = format!("{} in one document; at most {PARTS_MAX}", found.len());
        return Err(ForeignError { at: String::new(), what });
    }
    let mut texts = Texts::of(values);
    let pointers = found.locations().map(|location| location.to_json_pointer());
    Ok(pointers.filter_map(|pointer| Some(Original { text: texts.at(&pointer)?, pointer })).collect())
}

/// The exact texts of a document's parts by their pointers; each part is taken apart once.
struct Texts<'a> {
    parts: BTreeMap<String, BTreeMap<String, &'a RawValue>>,
    whole: Option<&'a str>,
}

impl<'a> Texts<'a> {
    fn of(values: Vec<&'a RawValue>) -> Self {
        match values.as_slice() {
            [one] => Self { parts: BTreeMap::new(), whole: Some(one.get()) },
            _ => Self { parts: BTreeMap::from([(String::new(), numbered(values))]), whole: None },
        }
    }

    fn at(&mut self, pointer: &str) -> Option<&'a str> {
        let Some((parent, name)) = pointer.rsplit_once('/') else { return self.whole };
        if !self.parts.contains_key(parent) {
            let text = self.at(parent)?;
            let parts = document::list(text).map(numbered).or_else(|| document::members(text))?;
            self.parts.insert(parent.to_owned(), parts);
        }
        let name = name.replace("~1", "/").replace("~0", "~");
        self.parts.get(parent)?.get(&name).map(|raw| raw.get())
    }
}

fn numbered(values: Vec<&RawValue>) -> BTreeMap<String, &RawValue> {
    values.into_iter().enumerate().map(|(index, raw)| (index.to_string(), raw)).collect()
}
