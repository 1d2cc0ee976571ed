//! Disclosures: the values of a statement that can be withheld or erased (FORMAT.md §2.5, RFC 9901 §4.2).
//! The log holds only their salted digests; the text of a disclosure is what is hashed, never a re-encoding of it.

use crate::fact::is_field_name;
use crate::json::Json;
use crate::limits::{DISCLOSURE_BYTES_MAX, LIST_LEN_MAX, SALT_BYTES_MAX, SALT_BYTES_MIN};
use crate::statement::StatementError;
use crate::{Hash, base64url};

/// One value: `base64url([salt, name, value])`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Disclosure {
    text: String,
    name: String,
    value: Json,
}

impl Disclosure {
    /// A new disclosure of `value`. `salt` is 16 to 32 fresh random bytes; with fewer, or with bytes used before, the
    /// value can be guessed from its digest.
    ///
    /// # Errors
    /// If the salt is too short or too long, or name or value are not as FORMAT.md §2.5 has them.
    pub fn new(salt: &[u8], name: &str, value: Json) -> Result<Self, StatementError> {
        let document = Json::List(vec![base64url::encode(salt).into(), name.into(), value]);
        Self::parse(&base64url::encode(document.to_text().as_bytes()))
    }

    /// Reads a disclosure as it stands between two tildes.
    ///
    /// # Errors
    /// Names the field, where one can be made out, and what is wrong.
    pub fn parse(text: &str) -> Result<Self, StatementError> {
        let fail = |what: String| StatementError::new("a disclosure", what);
        if text.len() > DISCLOSURE_BYTES_MAX {
            return Err(fail(format!(
                "{} bytes; at most {DISCLOSURE_BYTES_MAX}; put large values into a blob",
                text.len()
            )));
        }
        let bytes = base64url::decode(text).map_err(|e| fail(e.to_string()))?;
        let Json::List(parts) = Json::parse(&bytes).map_err(|e| fail(e.to_string()))? else {
            return Err(fail("not a list of salt, name and value".into()));
        };
        let Ok([salt, name, value]) = <[Json; 3]>::try_from(parts) else {
            return Err(fail("not a list of exactly salt, name and value".into()));
        };
        let Json::Text(name) = name else { return Err(fail("the name is not a string".into())) };
        if !is_field_name(&name) {
            return Err(fail("the name is not of a-z 0-9 _ (at most 64, a letter first)".into()));
        }
        let fail = |what: &str| StatementError::new(format!("data.{name}"), what.to_owned());
        let salt_len = salt.as_text().and_then(|salt| base64url::decode(salt).ok()).map(|salt| salt.len());
        if !salt_len.is_some_and(|len| (SALT_BYTES_MIN..=SALT_BYTES_MAX).contains(&len)) {
            return Err(fail("the salt is not 16 to 32 bytes of base64url"));
        }
        if !is_value(&value) {
            return Err(fail(VALUE_WANTED));
        }
        Ok(Self { text: text.to_owned(), name, value })
    }

    /// The base64url text: what is presented, stored and hashed.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// The name of the value.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The value: a string, an integer, a boolean, or a list of strings.
    pub fn value(&self) -> &Json {
        &self.value
    }

    /// SHA-256 of the text's ASCII bytes (RFC 9901 §4.2.3).
    pub fn digest(&self) -> Hash {
        Hash::of(self.text.as_bytes())
    }
}

const VALUE_WANTED: &str = "a string, an integer, true or false, or a list of at most 256 strings is wanted (foreign JSON goes in as one string)";

fn is_value(value: &Json) -> bool {
    match value {
        Json::Text(_) | Json::Int(_) | Json::Bool(_) => true,
        Json::List(items) => items.len() <= LIST_LEN_MAX && items.iter().all(|item| matches!(item, Json::Text(_))),
        Json::Null | Json::Object(_) => false,
    }
}
