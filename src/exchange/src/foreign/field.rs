//! A place in a foreign document, present or not: what stands there, read as what it should be, or an error that names
//! the place.
//!
//! Two ways to read: what the format itself types is read strictly, and another type refuses the alert; what the format
//! leaves to its users (a log's fields, a search's columns) is read loosely, and another type stays in `raw` only.

use blotter_record::Instant;
use serde_json::Value;

use super::json::below;
use super::{ForeignError, when};

/// A place in a document.
#[derive(Debug, Clone)]
pub(crate) struct Field<'a> {
    /// What stands there; null if nothing does.
    value: &'a Value,
    pointer: String,
}

impl<'a> Field<'a> {
    /// The document itself, which `pointer` points to.
    pub(crate) fn root(value: &'a Value, pointer: &str) -> Self {
        Self { value, pointer: pointer.to_owned() }
    }

    /// The member of that name; of anything but an object, nothing.
    pub(crate) fn get(&self, name: &str) -> Self {
        let value = self.value.get(name).unwrap_or(&Value::Null);
        Self { value, pointer: below(&self.pointer, name) }
    }

    /// The member at the end of names with slashes between.
    pub(crate) fn path(&self, names: &str) -> Self {
        names.split('/').fold(self.clone(), |field, name| field.get(name))
    }

    /// The field of a dotted name, whether its objects are nested, flat (`"host.name"`), or both; of a list the first
    /// element, since searches give every field as a list.
    pub(crate) fn dotted(&self, name: &str) -> Self {
        let field = self.dotted_whole(name);
        if field.value.is_array() { field.items().next().unwrap_or(self.nothing(name)) } else { field }
    }

    /// All elements of the field of a dotted name, as [`Field::dotted`] finds it.
    pub(crate) fn dotted_items(&self, name: &str) -> impl Iterator<Item = Self> + use<'a> {
        self.dotted_whole(name).items()
    }

    fn dotted_whole(&self, name: &str) -> Self {
        let dots = name.match_indices('.').map(|(at, _)| at);
        let mut ways = std::iter::once(self.get(name)).chain(dots.map(|at| {
            let head = self.get(&name[..at]);
            if head.value.is_object() { head.dotted_whole(&name[at + 1..]) } else { self.nothing(name) }
        }));
        ways.find(|field| !field.is_missing()).unwrap_or(self.nothing(name))
    }

    fn nothing(&self, name: &str) -> Self {
        Self { value: &Value::Null, pointer: format!("{}/{name}", self.pointer) }
    }

    /// The elements of a list; of nothing none, of anything else itself.
    pub(crate) fn items(&self) -> impl Iterator<Item = Self> + use<'a> {
        let (elements, of_list) = match self.value {
            Value::Null => (&[][..], false),
            Value::Array(list) => (list.as_slice(), true),
            lone => (std::slice::from_ref(lone), false),
        };
        let pointer = self.pointer.clone();
        elements.iter().enumerate().map(move |(index, value)| {
            let pointer = if of_list { format!("{pointer}/{index}") } else { pointer.clone() };
            Self { value, pointer }
        })
    }

    /// What stands there; null if nothing does.
    pub(crate) fn value(&self) -> &'a Value {
        self.value
    }

    /// Whether nothing stands there.
    pub(crate) fn is_missing(&self) -> bool {
        self.value.is_null()
    }

    /// The string there; an empty one counts as none.
    pub(crate) fn text(&self) -> Result<Option<&'a str>, ForeignError> {
        match self.value {
            Value::Null => Ok(None),
            Value::String(text) => Ok(Some(text.as_str()).filter(|text| !text.is_empty())),
            _ => Err(self.refuse("a string")),
        }
    }

    /// The string there, as owned text.
    pub(crate) fn owned(&self) -> Result<Option<String>, ForeignError> {
        Ok(self.text()?.map(str::to_owned))
    }

    /// The string that must be there.
    pub(crate) fn needed_text(&self) -> Result<&'a str, ForeignError> {
        self.text()?.ok_or_else(|| self.missing())
    }

    /// A string, or a number or boolean as JSON spells it; of a list, its first such element. Anything else is none.
    pub(crate) fn loose(&self) -> Option<String> {
        match self.value {
            Value::String(text) => Some(text.clone()).filter(|text| !text.is_empty()),
            Value::Number(number) => Some(number.to_string()),
            Value::Bool(value) => Some(value.to_string()),
            Value::Array(_) => self.items().filter(|item| !item.value.is_array()).find_map(|item| item.loose()),
            Value::Null | Value::Object(_) => None,
        }
    }

    /// The integer there.
    pub(crate) fn int(&self) -> Result<Option<i64>, ForeignError> {
        match self.value {
            Value::Null => Ok(None),
            value => value.as_i64().map(Some).ok_or_else(|| self.refuse("an integer")),
        }
    }

    /// The point in time there, a text with an offset.
    pub(crate) fn time(&self) -> Result<Option<Instant>, ForeignError> {
        let Some(text) = self.text()? else { return Ok(None) };
        when::from_text(text).map(Some).map_err(|what| self.error(what))
    }

    /// The point in time there, in milliseconds since 1970.
    pub(crate) fn unix_ms(&self) -> Result<Option<Instant>, ForeignError> {
        let Some(ms) = self.int()? else { return Ok(None) };
        when::from_unix(ms, when::Unit::Milliseconds).map(Some).map_err(|what| self.error(what))
    }

    /// What must be there isn't.
    pub(crate) fn missing(&self) -> ForeignError {
        self.error("not there, and it is needed".into())
    }

    /// Something else is there than `wanted`.
    pub(crate) fn refuse(&self, wanted: &str) -> ForeignError {
        self.error(format!("{wanted} is wanted, not {}", kind(self.value)))
    }

    /// An error at this place.
    pub(crate) fn error(&self, what: String) -> ForeignError {
        ForeignError { at: self.pointer.clone(), what }
    }
}

fn kind(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "a boolean",
        Value::Number(number) if number.is_f64() => "a number with a fraction or beyond 64 bits",
        Value::Number(_) => "an integer",
        Value::String(_) => "a string",
        Value::Array(_) => "a list",
        Value::Object(_) => "an object",
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn a_dotted_name_is_found_however_its_objects_nest() {
        for text in [
            r#"{"kibana":{"alert":{"rule":{"name":"x"}}}}"#,
            r#"{"kibana.alert.rule.name":"x"}"#,
            r#"{"kibana.alert":{"rule.name":"x"}}"#,
            r#"{"kibana":{"alert.rule":{"name":["x","y"]}}}"#,
        ] {
            let value: Value = serde_json::from_str(text).unwrap();
            assert_eq!(Field::root(&value, "").dotted("kibana.alert.rule.name").text().unwrap(), Some("x"), "{text}");
        }
        let value: Value = serde_json::from_str(r#"{"host":{"name":[7]}}"#).unwrap();
        assert_eq!(Field::root(&value, "").dotted("host.name").text().unwrap_err().at, "/host/name/0");
        assert_eq!(Field::root(&value, "").dotted("host.id").needed_text().unwrap_err().at, "/host.id");
    }

    #[test]
    fn an_error_points_to_its_place() {
        let value: Value = serde_json::from_str(r#"{"a/b":{"c":[1,{"d":true}]}}"#).unwrap();
        let field = Field::root(&value, "/7").get("a/b").get("c").items().nth(1).unwrap().get("d");
        assert_eq!(field.text().unwrap_err().at, "/7/a~1b/c/1/d");
        assert_eq!(field.text().unwrap_err().what, "a string is wanted, not a boolean");
        assert_eq!(field.get("e").needed_text().unwrap_err().at, "/7/a~1b/c/1/d/e");
    }
}
