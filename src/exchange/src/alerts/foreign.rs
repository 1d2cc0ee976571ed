//! Foreign JSON, read so that no two readers can take it for different things: a member twice in one object is refused,
//! and so are too deep a nesting and numbers that no float can hold. Everything else of RFC 8259 is let in.

use std::fmt;

use serde::de::{self, DeserializeSeed, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Value};

use super::DEPTH_MAX;

/// The one value in `text`. The error says what is wrong, and in which line and column of `text`.
pub(super) fn parse(text: &str) -> Result<Value, String> {
    let mut reader = serde_json::Deserializer::from_str(text);
    let value = Depth(0).deserialize(&mut reader).and_then(|value| reader.end().map(|()| value));
    value.map_err(|e| format!("not JSON that can be taken: {e}"))
}

/// Reads a value that stands so many levels deep.
#[derive(Clone, Copy)]
struct Depth(usize);

impl Depth {
    fn deeper<E: de::Error>(self) -> Result<Self, E> {
        if self.0 >= DEPTH_MAX {
            return Err(E::custom(format_args!("nested more than {DEPTH_MAX} deep")));
        }
        Ok(Self(self.0 + 1))
    }
}

impl<'de> DeserializeSeed<'de> for Depth {
    type Value = Value;

    fn deserialize<D: de::Deserializer<'de>>(self, reader: D) -> Result<Value, D::Error> {
        reader.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Depth {
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
        let depth = self.deeper()?;
        let mut list = Vec::new();
        while let Some(item) = items.next_element_seed(depth)? {
            list.push(item);
        }
        Ok(Value::Array(list))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<Value, A::Error> {
        let depth = self.deeper()?;
        let mut object = Map::new();
        while let Some(name) = members.next_key::<String>()? {
            if object.contains_key(&name) {
                return Err(de::Error::custom(format_args!("the member \"{}\" twice", crate::error::shown(&name))));
            }
            let value = members.next_value_seed(depth)?;
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
