//! Identifiers (FORMAT.md §1.5): ids of things and of actors, event ids (`jti`), and origins.
//! A value of these types has the right spelling; what it names need not exist.

use std::fmt;
use std::str::FromStr;

use crate::limits::{ID_KIND_LEN_MAX, ID_NAME_LEN_MAX, ORIGIN_LEN_MAX};

/// The kinds of streams of format 1. Only `ledger` stands alone; every other kind needs a name behind it.
pub const STREAM_KINDS: [&str; 13] = [
    "ledger",
    "actor",
    "policy",
    "source",
    "asset",
    "service",
    "import",
    "alert",
    "incident",
    "evidence",
    "lesson",
    "playbook",
    "compliance",
];

/// The kinds of actors.
pub const ACTOR_KINDS: [&str; 5] = ["person", "service", "ledger", "notary", "imported"];

/// Text that is not the identifier it should be.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("\"{}\" is not {wanted}", shown(.text))]
pub struct IdError {
    /// What stood there.
    pub text: String,
    /// What was wanted.
    pub wanted: &'static str,
}

/// Hostile text in an error: escaped, and cut at 80 characters.
fn shown(text: &str) -> String {
    text.escape_debug().to_string().chars().take(80).collect()
}

/// An id: `kind/name`, or a lone `kind`: `[a-z]{1,16}(/[A-Za-z0-9][A-Za-z0-9._-]{0,63})?`.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Id(String);

impl Id {
    /// The part before the slash.
    pub fn kind(&self) -> &str {
        self.0.split_once('/').map_or(&self.0, |(kind, _)| kind)
    }

    /// The part behind the slash; empty where there is none.
    pub fn name(&self) -> &str {
        self.0.split_once('/').map_or("", |(_, name)| name)
    }

    /// The whole id.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The same for any two ids that differ only in case; a ledger takes only one of them.
    pub fn folded(&self) -> String {
        self.0.to_ascii_lowercase()
    }

    /// The id as a stream's: its kind is one of [`STREAM_KINDS`], and a name is there unless the kind is `ledger`.
    ///
    /// # Errors
    /// If it can't name a stream.
    pub fn into_stream(self) -> Result<Self, IdError> {
        let known = STREAM_KINDS.contains(&self.kind());
        if known && (self.kind() == "ledger") == self.name().is_empty() {
            return Ok(self);
        }
        Err(IdError { text: self.0, wanted: "a stream (ledger, or incident/…, alert/…, actor/… and so on)" })
    }

    /// The stream `ledger`.
    pub fn ledger() -> Self {
        Self("ledger".to_owned())
    }
}

impl FromStr for Id {
    type Err = IdError;

    fn from_str(text: &str) -> Result<Self, IdError> {
        let (kind, name) = text.split_once('/').map_or((text, None), |(kind, name)| (kind, Some(name)));
        let kind_ok = (1..=ID_KIND_LEN_MAX).contains(&kind.len()) && kind.bytes().all(|b| b.is_ascii_lowercase());
        if kind_ok && name.is_none_or(is_id_name) {
            return Ok(Self(text.to_owned()));
        }
        Err(IdError { text: text.to_owned(), wanted: "an id (kind/name: a kind in a-z, a name in A-Z a-z 0-9 . _ -)" })
    }
}

fn is_id_name(name: &str) -> bool {
    let bytes = name.as_bytes();
    (1..=ID_NAME_LEN_MAX).contains(&bytes.len())
        && bytes[0].is_ascii_alphanumeric()
        && bytes.iter().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'_' | b'-'))
}

/// An actor's id: `person/…`, `service/…`, `ledger/…`, `notary/…` or `imported/…`.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ActorId(Id);

impl ActorId {
    /// `person`, `service`, `ledger`, `notary` or `imported`.
    pub fn kind(&self) -> &str {
        self.0.kind()
    }

    /// The part behind the slash; no two actors of a ledger share it, whatever their kind.
    pub fn name(&self) -> &str {
        self.0.name()
    }

    /// The whole id.
    pub fn as_str(&self) -> &str {
        self.0.as_str()
    }

    /// The stream of entries that concern this actor: `actor/<name>`.
    pub fn stream(&self) -> Id {
        Id(format!("actor/{}", self.name()))
    }
}

impl FromStr for ActorId {
    type Err = IdError;

    fn from_str(text: &str) -> Result<Self, IdError> {
        let wanted = "an actor (person/…, service/…, ledger/…, notary/… or imported/…)";
        let id: Id = text.parse().map_err(|_| IdError { text: text.to_owned(), wanted })?;
        if ACTOR_KINDS.contains(&id.kind()) && !id.name().is_empty() {
            return Ok(Self(id));
        }
        Err(IdError { text: text.to_owned(), wanted })
    }
}

/// A statement's id, unique in the ledger: a UUID of version 7, or 8 for imports (RFC 9562), lower case with hyphens.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Jti(u128);

impl Jti {
    /// A UUIDv7 from a time in milliseconds since 1970 and 10 random bytes (RFC 9562 §5.7).
    pub fn v7(unix_ms: u64, random: [u8; 10]) -> Self {
        let mut bytes = [0; 16];
        bytes[..6].copy_from_slice(&unix_ms.to_be_bytes()[2..]);
        bytes[6..].copy_from_slice(&random);
        Self(stamped(bytes, 7))
    }

    /// A UUIDv8 from 16 bytes of a hash (RFC 9562 §5.8): the same source row gives the same id for ever.
    pub fn v8(hash: [u8; 16]) -> Self {
        Self(stamped(hash, 8))
    }

    /// The 16 bytes, in network order.
    pub fn to_bytes(self) -> [u8; 16] {
        self.0.to_be_bytes()
    }

    /// The id behind 16 bytes in network order.
    ///
    /// # Errors
    /// If version or variant are not those of a statement's id.
    pub fn from_bytes(bytes: [u8; 16]) -> Result<Self, IdError> {
        let id = Self(u128::from_be_bytes(bytes));
        if matches!(bytes[6] >> 4, 7 | 8) && bytes[8] >> 6 == 0b10 {
            return Ok(id);
        }
        Err(IdError { text: id.to_string(), wanted: JTI_WANTED })
    }
}

const JTI_WANTED: &str = "a statement's id (a UUID of version 7 or 8, lower case with hyphens)";

fn stamped(mut bytes: [u8; 16], version: u8) -> u128 {
    bytes[6] = (bytes[6] & 0x0f) | (version << 4);
    bytes[8] = (bytes[8] & 0x3f) | 0x80;
    u128::from_be_bytes(bytes)
}

impl FromStr for Jti {
    type Err = IdError;

    fn from_str(text: &str) -> Result<Self, IdError> {
        let error = || IdError { text: text.to_owned(), wanted: JTI_WANTED };
        let bytes = text.as_bytes();
        if bytes.len() != 36 {
            return Err(error());
        }
        let mut value: u128 = 0;
        for (index, byte) in bytes.iter().enumerate() {
            let digit = match (index, byte) {
                (8 | 13 | 18 | 23, b'-') => continue,
                (8 | 13 | 18 | 23, _) => return Err(error()),
                (_, b'0'..=b'9') => byte - b'0',
                (_, b'a'..=b'f') => byte - b'a' + 10,
                _ => return Err(error()),
            };
            value = value << 4 | u128::from(digit);
        }
        Self::from_bytes(value.to_be_bytes()).map_err(|_| error())
    }
}

impl fmt::Display for Jti {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let v = self.0;
        write!(
            f,
            "{:08x}-{:04x}-{:04x}-{:04x}-{:012x}",
            v >> 96,
            v >> 80 & 0xffff,
            v >> 64 & 0xffff,
            v >> 48 & 0xffff,
            v & 0xffff_ffff_ffff
        )
    }
}

/// A ledger's name in checkpoints and its key's name: `[A-Za-z0-9._/-]`, 1 to 64 characters, such as
/// `example.org/soc` (a schema-less URL, as C2SP recommends; no spaces, no plus).
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Origin(String);

impl Origin {
    /// The whole origin.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for Origin {
    type Err = IdError;

    fn from_str(text: &str) -> Result<Self, IdError> {
        if is_origin(text) {
            return Ok(Self(text.to_owned()));
        }
        Err(IdError { text: text.to_owned(), wanted: "an origin such as example.org/soc (A-Z a-z 0-9 . _ - / :)" })
    }
}

pub(crate) fn is_origin(text: &str) -> bool {
    (1..=ORIGIN_LEN_MAX).contains(&text.len())
        && text.as_bytes()[0].is_ascii_alphanumeric()
        && text.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'_' | b'-' | b'/' | b':'))
}

macro_rules! spelled {
    ($($name:ident),*) => {$(
        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(self.as_str())
            }
        }
        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(self.as_str())
            }
        }
    )*};
}
spelled!(Id, ActorId, Origin);

impl fmt::Debug for Jti {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn ids_have_one_spelling() {
        let name_64 = "a".repeat(64);
        for good in ["incident/INC-2026-0042", "ledger", "a/b", "task/0._-", &format!("x/{name_64}")] {
            assert_eq!(good.parse::<Id>().unwrap().as_str(), good);
        }
        for bad in ["", "/", "a/", "/a", "A/b", "a/b/c", "a/.b", "a/b c", "a/é", "a1/b", &format!("x/{name_64}a")] {
            assert!(bad.parse::<Id>().is_err(), "{bad}");
        }
        assert!("abcdefghijklmnop/x".parse::<Id>().is_ok());
        assert!("abcdefghijklmnopq/x".parse::<Id>().is_err());
    }

    #[test]
    fn only_the_ledger_stream_stands_alone() {
        for (text, expect) in
            [("ledger", true), ("ledger/x", false), ("incident", false), ("incident/x", true), ("person/x", false)]
        {
            assert_eq!(text.parse::<Id>().unwrap().into_stream().is_ok(), expect, "{text}");
        }
    }

    #[test]
    fn a_jti_is_a_uuid_of_version_7_or_8() {
        for good in ["019ab0f2-7b3c-7d4e-8f01-23456789abcd", "019ab0f2-7b3c-8d4e-bf01-23456789abcd"] {
            let id: Jti = good.parse().unwrap();
            assert_eq!(id.to_string(), good);
            assert_eq!(Jti::from_bytes(id.to_bytes()).unwrap(), id);
        }
        for bad in [
            "019ab0f2-7b3c-4d4e-8f01-23456789abcd",
            "019ab0f2-7b3c-7d4e-cf01-23456789abcd",
            "019AB0F2-7b3c-7d4e-8f01-23456789abcd",
            "019ab0f27b3c7d4e8f0123456789abcd",
            "019ab0f2-7b3c-7d4e-8f01-23456789abc",
            "019ab0f2-7b3c-7d4e-8f0-123456789abcd",
            "",
        ] {
            assert!(bad.parse::<Jti>().is_err(), "{bad}");
        }
        let made = Jti::v7(1_795_000_000_123, [0xff; 10]);
        assert_eq!(made.to_string(), "01a1ee56-5e7b-7fff-bfff-ffffffffffff");
        assert_eq!(made.to_string().parse::<Jti>().unwrap(), made);
    }
}
