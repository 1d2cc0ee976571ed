//! Foreign JSON, read so that no two readers can take it for different things: a member twice in one object and too deep
//! a nesting are flaws, of which the caller says whether they are the end. Everything else of RFC 8259 is let in, but
//! numbers that no float can hold.

use std::fmt;

use serde::de::{self, DeserializeSeed, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Value};

use super::DEPTH_MAX;
use crate::error::shown;

/// What makes a document ambiguous, or too much.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Flaw<'a> {
    /// The member of that name stands there twice.
    #[error("the member \"{}\" twice", shown(.0))]
    Twice(&'a str),
    /// What stands there is an array or object inside too many others.
    #[error("nested more than {DEPTH_MAX} deep")]
    TooDeep,
}

/// The one value in `text`, if it has no flaw. The error says what is wrong, and in which line and column of `text`.
pub(crate) fn parse(text: &str) -> Result<Value, String> {
    parse_judged(text, &|flaw, _| Err(flaw.to_string())).map_err(|e| format!("not JSON that can be taken: {e}"))
}

/// The one value in `text`. `judge` hears of each flaw and the JSON pointer (RFC 6901) to it; if it lets it pass, of two
/// members the first stays, and what is too deep is null.
pub(crate) fn parse_judged(
    text: &str,
    judge: &dyn Fn(Flaw<'_>, String) -> Result<(), String>,
) -> Result<Value, serde_json::Error> {
    let mut reader = serde_json::Deserializer::from_str(text);
    let place = Place { path: &Path::Root, depth: 0, judge };
    place.deserialize(&mut reader).and_then(|value| reader.end().map(|()| value))
}

/// The pointer to a member of what `at` points to.
pub(crate) fn below(at: &str, name: &str) -> String {
    format!("{at}/{}", name.replace('~', "~0").replace('/', "~1"))
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
struct Place<'p> {
    path: &'p Path<'p>,
    depth: usize,
    judge: &'p dyn Fn(Flaw<'_>, String) -> Result<(), String>,
}

impl<'p> Place<'p> {
    fn inside(self, path: &'p Path<'p>) -> Self {
        Self { path, depth: self.depth + 1, ..self }
    }

    /// Whether what stands here is too deep, if that is not the end.
    fn is_too_deep<E: de::Error>(self) -> Result<bool, E> {
        let deep = self.depth >= DEPTH_MAX;
        if deep {
            (self.judge)(Flaw::TooDeep, self.path.pointer()).map_err(E::custom)?;
        }
        Ok(deep)
    }
}

impl<'de> DeserializeSeed<'de> for Place<'_> {
    type Value = Value;

    fn deserialize<D: de::Deserializer<'de>>(self, reader: D) -> Result<Value, D::Error> {
        reader.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Place<'_> {
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
        if self.is_too_deep()? {
            while items.next_element::<IgnoredAny>()?.is_some() {}
            return Ok(Value::Null);
        }
        let mut list = Vec::new();
        while let Some(item) = items.next_element_seed(self.inside(&Path::Item(self.path, list.len())))? {
            list.push(item);
        }
        Ok(Value::Array(list))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<Value, A::Error> {
        if self.is_too_deep()? {
            while members.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
            return Ok(Value::Null);
        }
        let mut object = Map::new();
        while let Some(name) = members.next_key::<String>()? {
            let path = Path::Member(self.path, &name);
            if object.contains_key(&name) {
                (self.judge)(Flaw::Twice(&name), path.pointer()).map_err(de::Error::custom)?;
                members.next_value_seed(self.inside(&path))?;
                continue;
            }
            let value = members.next_value_seed(self.inside(&path))?;
            object.insert(name, value);
        }
        Ok(Value::Object(object))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, expect: Result<(), &str>) {
        match (parse(text), expect) {
            (Ok(_), Ok(())) => {}
            (Err(what), Err(part)) => assert!(what.contains(part), "{text}: {what}"),
            (got, _) => panic!("{text}: {got:?}, not {expect:?}"),
        }
    }

    #[test]
    fn a_document_that_could_be_read_in_two_ways_is_refused() {
        check(r#"{"a":1,"b":[1.5,-0,1e300,18446744073709551616,null,true,"\u0000"]}"#, Ok(()));
        check(r#"{"a":1,"a":2}"#, Err("\"a\" twice at line 1 column 10"));
        check("{\"a\":1,\"\\u0061\":2}", Err("twice"));
        check(r#"[{"x":{"a":1,"a":1}}]"#, Err("twice"));
        check("1e999", Err("out of range"));
        check("\"\\ud800\"", Err("line 1"));
        check("{} {}", Err("trailing"));
        check("", Err("EOF"));
    }

    #[test]
    fn sixty_four_deep_is_taken_and_one_more_is_not() {
        let nested = |depth: usize| format!("{}{}", "[".repeat(depth), "]".repeat(depth));
        check(&nested(DEPTH_MAX), Ok(()));
        check(&nested(DEPTH_MAX + 1), Err("64 deep"));
        check(&"[".repeat(100_000), Err("64 deep"));
    }

    #[test]
    fn a_name_that_some_readers_treat_apart_is_an_ordinary_member() {
        let value = parse(r#"{"$serde_json::private::RawValue":"[1]"}"#).expect("an object");
        assert!(value.is_object());
    }
}
