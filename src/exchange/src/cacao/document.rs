//! A playbook's JSON, read so that no two readers can take it for different things. A member that stands twice, and what
//! is nested too deep, is a finding and not the end: the rest is read on, with the first of the two members.

use std::cell::RefCell;
use std::fmt;

use serde::de::{self, DeserializeSeed, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Value};

use super::finding::{Findings, below, quoted};
use super::{DEPTH_MAX, PLAYBOOK_BYTES_MAX};

/// The one object in `bytes`; `None` if there is none, and `findings` says why.
pub(super) fn read(bytes: &[u8], findings: &mut Findings) -> Option<Map<String, Value>> {
    if bytes.len() > PLAYBOOK_BYTES_MAX {
        let what = format!("it has {} bytes, and at most {PLAYBOOK_BYTES_MAX} are read; take it apart", bytes.len());
        findings.error("", what);
        return None;
    }
    let text = match std::str::from_utf8(bytes) {
        Ok(text) => text,
        Err(e) => {
            findings.error("", format!("it is not UTF-8 ({e}); save it as UTF-8"));
            return None;
        }
    };
    if text.starts_with('\u{feff}') {
        findings.error("", "it begins with a byte order mark; save it without one");
        return None;
    }
    let mut reader = serde_json::Deserializer::from_str(text);
    let shared = RefCell::new(findings);
    let value = Place { path: &Path::Root, depth: 0, findings: &shared }
        .deserialize(&mut reader)
        .and_then(|value| reader.end().map(|()| value));
    let findings = shared.into_inner();
    match value {
        Ok(Value::Object(members)) => Some(members),
        Ok(_) => {
            findings.error("", "it is not a JSON object; a CACAO playbook is one");
            None
        }
        Err(e) => {
            findings.error("", format!("it is not JSON that can be taken ({e}); correct it there"));
            None
        }
    }
}

/// Where a value stands.
enum Path<'a> {
    Root,
    Member(&'a Path<'a>, &'a str),
    Item(&'a Path<'a>, usize),
}

impl Path<'_> {
    fn pointer(&self) -> String {
        match self {
            Self::Root => String::new(),
            Self::Member(above, name) => below(&above.pointer(), name),
            Self::Item(above, index) => format!("{}/{index}", above.pointer()),
        }
    }
}

/// Reads the value that stands at `path`.
#[derive(Clone, Copy)]
struct Place<'p, 'f> {
    path: &'p Path<'p>,
    depth: usize,
    findings: &'p RefCell<&'f mut Findings>,
}

impl Place<'_, '_> {
    fn error(&self, pointer: String, what: String) {
        self.findings.borrow_mut().error(pointer, what);
    }

    /// Whether what stands here is too deep; then that is said.
    fn is_too_deep(&self) -> bool {
        let deep = self.depth >= DEPTH_MAX;
        if deep {
            let what = format!("it is nested more than {DEPTH_MAX} deep, and was not read; make it flatter");
            self.error(self.path.pointer(), what);
        }
        deep
    }
}

impl<'de> DeserializeSeed<'de> for Place<'_, '_> {
    type Value = Value;

    fn deserialize<D: de::Deserializer<'de>>(self, reader: D) -> Result<Value, D::Error> {
        reader.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Place<'_, '_> {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON value")
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_i64<E>(self, value: i64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_u64<E>(self, value: u64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_f64<E>(self, value: f64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_str<E>(self, text: &str) -> Result<Value, E> {
        Ok(text.into())
    }

    fn visit_string<E>(self, text: String) -> Result<Value, E> {
        Ok(text.into())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Value, A::Error> {
        if self.is_too_deep() {
            while items.next_element::<IgnoredAny>()?.is_some() {}
            return Ok(Value::Null);
        }
        let mut list = Vec::new();
        loop {
            let path = Path::Item(self.path, list.len());
            let place = Place { path: &path, depth: self.depth + 1, findings: self.findings };
            match items.next_element_seed(place)? {
                Some(item) => list.push(item),
                None => return Ok(Value::Array(list)),
            }
        }
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<Value, A::Error> {
        if self.is_too_deep() {
            while members.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
            return Ok(Value::Null);
        }
        let mut object = Map::new();
        while let Some(name) = members.next_key::<String>()? {
            let path = Path::Member(self.path, &name);
            let value =
                members.next_value_seed(Place { path: &path, depth: self.depth + 1, findings: self.findings })?;
            if object.contains_key(&name) {
                let what = format!(
                    "the member {} stands twice, and two readers may take one or the other; remove one",
                    quoted(&name)
                );
                self.error(path.pointer(), what);
                continue;
            }
            object.insert(name, value);
        }
        Ok(Value::Object(object))
    }
}
