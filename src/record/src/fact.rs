//! Facts: the permanent, typed part of a statement (FORMAT.md §3). There is no text type and none for personal data:
//! what is not an id, an instant, a number, a code or a hash belongs into the disclosable data.

use std::borrow::Cow;

use crate::id::{ActorId, Id, Jti};
use crate::instant::Instant;
use crate::json::Value;
use crate::limits::{CODE_LEN_MAX, LIST_LEN_MAX, NAME_LEN_MAX, VERSION_LEN_MAX};
use crate::{Hash, base64url};

/// The type of a fact, as the rules table spells it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum FactType {
    /// `id(kind)`: an id of that kind.
    Id(&'static str),
    /// `jti`: a statement's id.
    Jti,
    /// `actor`: an actor's id.
    Actor,
    /// `instant`.
    Instant,
    /// `duration`: ISO 8601, whole numbers of weeks, or of days, hours, minutes and seconds.
    Duration,
    /// `sha256`: a document's SHA-256, 64 lower-case hex digits, as `sha256sum` prints it.
    Sha256,
    /// `hash`: a hash of this format, base64url.
    Hash,
    /// `int`.
    Int,
    /// `bool`.
    Bool,
    /// `enum(a|b|c)`: one of these words.
    Enum(Vec<&'static str>),
    /// `code`: a term of some standard, `[A-Za-z0-9._:/+-]{1,64}`, case as that standard has it.
    Code,
    /// `version`: `[A-Za-z0-9][A-Za-z0-9._+-]{0,63}`.
    Version,
    /// `jwk`: an Ed25519 public key as JWK, exactly `crv`, `kty`, `x`.
    Jwk,
    /// `jws`: a compact JWS.
    Jws,
    /// `vkey`: a signed note's verifier key.
    Vkey,
    /// `cosignature`: a signed note's signature, standard base64 of key id and signature.
    Cosignature,
    /// `item`: `{"jti","field","digest"}`, a value to be erased.
    Item,
    /// `head`: `{"stream","count","leaf"}`, the head of a stream.
    Head,
    /// `list(T)`, at most 256.
    List(Box<FactType>),
}

/// A fact's value, of its type.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Fact {
    /// An `id(kind)`.
    Id(Id),
    /// A `jti`.
    Jti(Jti),
    /// An `actor`.
    Actor(ActorId),
    /// An `instant`.
    Instant(Instant),
    /// A `hash`.
    Hash(Hash),
    /// An `int`.
    Int(i64),
    /// A `bool`.
    Bool(bool),
    /// The `x` of a `jwk`: 32 bytes, not yet known to be a good key.
    Jwk([u8; 32]),
    /// A `duration`, `sha256`, `enum`, `code`, `version`, `jws`, `vkey` or `cosignature`, as spelt.
    Word(String),
    /// An `item`.
    Item(ErasureItem),
    /// A `head`.
    Head(StreamHead),
    /// A `list`.
    List(Vec<Fact>),
}

/// A disclosed value that is to be erased (FORMAT.md §6.4). `field` is `*` and `digest` the leaf hash when the whole
/// entry is meant.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ErasureItem {
    /// The statement that holds it.
    pub jti: Jti,
    /// The name of the value.
    pub field: String,
    /// The digest of its disclosure.
    pub digest: Hash,
}

/// How far a stream went: the number of its entries, and the leaf hash of the last.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StreamHead {
    /// The stream.
    pub stream: Id,
    /// Its entries.
    pub count: i64,
    /// Leaf hash of the last of them.
    pub leaf: Hash,
}

impl FactType {
    /// The type that the rules table spells `text`, and whether it is optional (`?` behind it).
    /// `None` if there is no such type.
    pub fn from_spelling(text: &'static str) -> Option<(Self, bool)> {
        let (text, optional) = text.strip_suffix('?').map_or((text, false), |text| (text, true));
        let inside = |prefix: &str| text.strip_prefix(prefix)?.strip_suffix(')');
        let fact_type = match text {
            "jti" => Self::Jti,
            "actor" => Self::Actor,
            "instant" => Self::Instant,
            "duration" => Self::Duration,
            "sha256" => Self::Sha256,
            "hash" => Self::Hash,
            "int" => Self::Int,
            "bool" => Self::Bool,
            "code" => Self::Code,
            "version" => Self::Version,
            "jwk" => Self::Jwk,
            "jws" => Self::Jws,
            "vkey" => Self::Vkey,
            "cosignature" => Self::Cosignature,
            "item" => Self::Item,
            "head" => Self::Head,
            _ => {
                if let Some(kind) = inside("id(") {
                    Self::Id(kind)
                } else if let Some(words) = inside("enum(") {
                    Self::Enum(words.split('|').collect())
                } else {
                    Self::List(Box::new(Self::from_spelling(inside("list(")?)?.0))
                }
            }
        };
        Some((fact_type, optional))
    }

    /// What a value of this type looks like, for error messages and help texts.
    pub fn wanted(&self) -> String {
        match self {
            Self::Id(kind) => format!("an id such as {kind}/7"),
            Self::Jti => "a statement's id (UUID of version 7 or 8)".into(),
            Self::Actor => "an actor (person/…, service/…)".into(),
            Self::Instant => "an instant such as 2026-11-23T11:54:00Z".into(),
            Self::Duration => "an ISO 8601 duration such as PT4H or P3D".into(),
            Self::Sha256 => "a SHA-256 in 64 lower-case hex digits".into(),
            Self::Hash => "a hash in 43 characters of base64url".into(),
            Self::Int => "an integer".into(),
            Self::Bool => "true or false".into(),
            Self::Enum(words) => format!("one of {}", words.join(", ")),
            Self::Code => "a code (1 to 64 of A-Z a-z 0-9 . _ : / + -)".into(),
            Self::Version => "a version such as 1.2".into(),
            Self::Jwk => "an Ed25519 JWK of exactly crv, kty and x".into(),
            Self::Jws => "a compact JWS".into(),
            Self::Vkey => "a verifier key (name+hash+key)".into(),
            Self::Cosignature => "a note signature in base64".into(),
            Self::Item => "{\"jti\",\"field\",\"digest\"}".into(),
            Self::Head => "{\"stream\",\"count\",\"leaf\"}".into(),
            Self::List(inner) => format!("a list of at most {LIST_LEN_MAX}: {}", inner.wanted()),
        }
    }

    /// `value` as a fact of this type.
    ///
    /// # Errors
    /// What was wanted instead.
    pub fn read<S: AsRef<str>>(&self, value: &Value<S>) -> Result<Fact, String> {
        self.read_inner(value).ok_or_else(|| self.wanted())
    }

    fn read_inner<S: AsRef<str>>(&self, value: &Value<S>) -> Option<Fact> {
        match (self, value) {
            (Self::Int, Value::Int(n)) => Some(Fact::Int(*n)),
            (Self::Bool, Value::Bool(b)) => Some(Fact::Bool(*b)),
            (Self::Jwk, Value::Object(_)) => read_jwk(value).map(Fact::Jwk),
            (Self::Item, Value::Object(_)) => read_item(value).map(Fact::Item),
            (Self::Head, Value::Object(_)) => read_head(value).map(Fact::Head),
            (Self::List(inner), Value::List(items)) => {
                if items.len() > LIST_LEN_MAX {
                    return None;
                }
                items.iter().map(|item| inner.read_inner(item)).collect::<Option<_>>().map(Fact::List)
            }
            (_, Value::Text(text)) => self.read_text(text.as_ref()),
            _ => None,
        }
    }

    fn read_text(&self, text: &str) -> Option<Fact> {
        let word = |ok: bool| ok.then(|| Fact::Word(text.to_owned()));
        match self {
            Self::Id(kind) => {
                let id: Id = text.parse().ok()?;
                (id.kind() == *kind && !id.name().is_empty()).then_some(Fact::Id(id))
            }
            Self::Jti => text.parse().ok().map(Fact::Jti),
            Self::Actor => text.parse().ok().map(Fact::Actor),
            Self::Instant => text.parse().ok().map(Fact::Instant),
            Self::Hash => text.parse().ok().map(Fact::Hash),
            Self::Duration => word(is_duration(text)),
            Self::Sha256 => word(text.len() == 64 && text.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'))),
            Self::Enum(words) => word(words.contains(&text)),
            Self::Code => word(is_code(text)),
            Self::Version => word(is_version(text)),
            Self::Jws => word(is_compact_jws(text)),
            Self::Vkey => word(is_vkey(text)),
            Self::Cosignature => word(is_cosignature(text)),
            _ => None,
        }
    }

    /// Whether `text`, as typed on a command line, is better read as JSON than as a bare word.
    pub fn is_json(&self) -> bool {
        matches!(self, Self::Int | Self::Bool | Self::Jwk | Self::Item | Self::Head | Self::List(_))
    }
}

/// A fact of a user's own event (`x.…`): an integer, a boolean, an id or a code.
///
/// # Errors
/// What was wanted instead.
pub(crate) fn read_custom_fact<S: AsRef<str>>(value: &Value<S>) -> Result<Fact, String> {
    match value {
        Value::Int(n) => Ok(Fact::Int(*n)),
        Value::Bool(b) => Ok(Fact::Bool(*b)),
        Value::Text(text) if is_code(text.as_ref()) => {
            let text = text.as_ref();
            Ok(text.parse().map_or_else(|_| Fact::Word(text.to_owned()), Fact::Id))
        }
        _ => Err("an integer, true or false, an id or a code".to_owned()),
    }
}

/// Whether `text` is a code: `[A-Za-z0-9._:/+-]{1,64}`.
pub fn is_code(text: &str) -> bool {
    (1..=CODE_LEN_MAX).contains(&text.len())
        && text.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'_' | b':' | b'/' | b'+' | b'-'))
}

/// Whether `text` names a fact or a value: `[a-z][a-z0-9_]{0,63}`.
pub fn is_field_name(text: &str) -> bool {
    (1..=NAME_LEN_MAX).contains(&text.len())
        && text.as_bytes()[0].is_ascii_lowercase()
        && text.bytes().all(|b| matches!(b, b'a'..=b'z' | b'0'..=b'9' | b'_'))
}

fn is_version(text: &str) -> bool {
    (1..=VERSION_LEN_MAX).contains(&text.len())
        && text.as_bytes()[0].is_ascii_alphanumeric()
        && text.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'_' | b'+' | b'-'))
}

/// `PnW`, or `P[nD][T[nH][nM][nS]]` with at least one part, each number 1 to 9 digits.
fn is_duration(text: &str) -> bool {
    fn parts<'a>(mut text: &'a str, units: &[char], count: &mut usize) -> Option<&'a str> {
        for unit in units {
            let digits = text.bytes().take_while(u8::is_ascii_digit).count();
            if (1..=9).contains(&digits) && text[digits..].starts_with(*unit) {
                text = &text[digits + 1..];
                *count += 1;
            }
        }
        Some(text)
    }
    let Some(text) = text.strip_prefix('P') else { return false };
    let mut count = 0;
    if parts(text, &['W'], &mut count) == Some("") && count == 1 {
        return true;
    }
    count = 0;
    let Some(rest) = parts(text, &['D'], &mut count) else { return false };
    let Some(time) = rest.strip_prefix('T') else { return rest.is_empty() && count > 0 };
    count = 0;
    parts(time, &['H', 'M', 'S'], &mut count) == Some("") && count > 0
}

fn is_compact_jws(text: &str) -> bool {
    let mut parts = text.split('.');
    let part_ok = |part: Option<&str>| part.is_some_and(|part| !part.is_empty() && base64url::decode(part).is_ok());
    part_ok(parts.next()) && part_ok(parts.next()) && part_ok(parts.next()) && parts.next().is_none()
}

fn is_vkey(text: &str) -> bool {
    let mut parts = text.splitn(3, '+');
    let name_ok = parts.next().is_some_and(|name| !name.is_empty() && name.bytes().all(|b| b.is_ascii_graphic()));
    let hash_ok = parts
        .next()
        .is_some_and(|hash| hash.len() == 8 && hash.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f')));
    name_ok && hash_ok && parts.next().is_some_and(|key| key.len() <= 4096 && is_base64(key)) && text.len() <= 4352
}

fn is_cosignature(text: &str) -> bool {
    text.len() <= 8192 && is_base64(text)
}

/// Standard base64 with padding (RFC 4648 §4), as signed notes use it.
fn is_base64(text: &str) -> bool {
    use base64::Engine;
    !text.is_empty() && base64::engine::general_purpose::STANDARD.decode(text).is_ok()
}

fn member<'a, S: AsRef<str>>(object: &'a [(S, Value<S>)], name: &str) -> Option<&'a str> {
    object.iter().find(|(other, _)| other.as_ref() == name).and_then(|(_, value)| value.as_text())
}

fn read_jwk<S: AsRef<str>>(value: &Value<S>) -> Option<[u8; 32]> {
    let Value::Object(members) = value else { return None };
    let exact =
        members.len() == 3 && member(members, "crv") == Some("Ed25519") && member(members, "kty") == Some("OKP");
    exact.then_some(())?;
    base64url::decode_fixed(member(members, "x")?)
}

fn read_item<S: AsRef<str>>(value: &Value<S>) -> Option<ErasureItem> {
    let Value::Object(members) = value else { return None };
    (members.len() == 3).then_some(())?;
    let field = member(members, "field")?;
    (field == "*" || is_field_name(field)).then_some(())?;
    Some(ErasureItem {
        jti: member(members, "jti")?.parse().ok()?,
        field: field.to_owned(),
        digest: member(members, "digest")?.parse().ok()?,
    })
}

fn read_head<S: AsRef<str>>(value: &Value<S>) -> Option<StreamHead> {
    let Value::Object(members) = value else { return None };
    (members.len() == 3).then_some(())?;
    let count = members.iter().find_map(|(name, value)| match value {
        Value::Int(count) if name.as_ref() == "count" && *count > 0 => Some(*count),
        _ => None,
    })?;
    Some(StreamHead {
        stream: member(members, "stream")?.parse::<Id>().ok()?.into_stream().ok()?,
        count,
        leaf: member(members, "leaf")?.parse().ok()?,
    })
}

/// The facts of one statement: each of its type, none unknown, none required one missing.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Facts(pub(crate) Vec<(Cow<'static, str>, Fact)>);

impl Facts {
    /// The fact of that name.
    pub fn get(&self, name: &str) -> Option<&Fact> {
        self.0.iter().find(|(other, _)| other == name).map(|(_, fact)| fact)
    }

    /// All of them, in the order of the statement.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &Fact)> {
        self.0.iter().map(|(name, fact)| (&**name, fact))
    }

    /// The integer of that name.
    pub fn int(&self, name: &str) -> Option<i64> {
        match self.get(name)? {
            Fact::Int(n) => Some(*n),
            _ => None,
        }
    }

    /// The word (code, version, enum, …) of that name.
    pub fn word(&self, name: &str) -> Option<&str> {
        match self.get(name)? {
            Fact::Word(word) => Some(word),
            _ => None,
        }
    }

    /// The hash of that name.
    pub fn hash(&self, name: &str) -> Option<Hash> {
        match self.get(name)? {
            Fact::Hash(hash) => Some(*hash),
            _ => None,
        }
    }

    /// The statement's id of that name.
    pub fn jti(&self, name: &str) -> Option<Jti> {
        match self.get(name)? {
            Fact::Jti(jti) => Some(*jti),
            _ => None,
        }
    }

    /// The actor of that name.
    pub fn actor(&self, name: &str) -> Option<&ActorId> {
        match self.get(name)? {
            Fact::Actor(actor) => Some(actor),
            _ => None,
        }
    }

    /// The id of that name.
    pub fn id(&self, name: &str) -> Option<&Id> {
        match self.get(name)? {
            Fact::Id(id) => Some(id),
            _ => None,
        }
    }

    /// The instant of that name.
    pub fn instant(&self, name: &str) -> Option<&Instant> {
        match self.get(name)? {
            Fact::Instant(instant) => Some(instant),
            _ => None,
        }
    }

    /// The key bytes of the JWK of that name.
    pub fn jwk(&self, name: &str) -> Option<[u8; 32]> {
        match self.get(name)? {
            Fact::Jwk(x) => Some(*x),
            _ => None,
        }
    }

    /// The codes in the list of that name.
    pub fn words(&self, name: &str) -> Vec<&str> {
        self.list(name)
            .iter()
            .filter_map(|fact| match fact {
                Fact::Word(word) => Some(word.as_str()),
                _ => None,
            })
            .collect()
    }

    /// The actors in the list of that name.
    pub fn actors(&self, name: &str) -> Vec<&ActorId> {
        self.list(name)
            .iter()
            .filter_map(|fact| match fact {
                Fact::Actor(actor) => Some(actor),
                _ => None,
            })
            .collect()
    }

    /// The ids in the list of that name.
    pub fn ids(&self, name: &str) -> Vec<&Id> {
        self.list(name)
            .iter()
            .filter_map(|fact| match fact {
                Fact::Id(id) => Some(id),
                _ => None,
            })
            .collect()
    }

    /// The integers in the list of that name.
    pub fn ints(&self, name: &str) -> Vec<i64> {
        self.list(name)
            .iter()
            .filter_map(|fact| match fact {
                Fact::Int(n) => Some(*n),
                _ => None,
            })
            .collect()
    }

    /// Whether the boolean of that name is true.
    pub fn is_true(&self, name: &str) -> bool {
        self.get(name) == Some(&Fact::Bool(true))
    }

    /// The statements' ids in the list of that name.
    pub fn jtis(&self, name: &str) -> Vec<Jti> {
        self.list(name)
            .iter()
            .filter_map(|fact| match fact {
                Fact::Jti(jti) => Some(*jti),
                _ => None,
            })
            .collect()
    }

    /// The erasure items in the list of that name.
    pub fn items(&self, name: &str) -> Vec<&ErasureItem> {
        self.list(name)
            .iter()
            .filter_map(|fact| match fact {
                Fact::Item(item) => Some(item),
                _ => None,
            })
            .collect()
    }

    /// The heads of streams in the list of that name.
    pub fn heads(&self, name: &str) -> Vec<&StreamHead> {
        self.list(name)
            .iter()
            .filter_map(|fact| match fact {
                Fact::Head(head) => Some(head),
                _ => None,
            })
            .collect()
    }

    fn list(&self, name: &str) -> &[Fact] {
        match self.get(name) {
            Some(Fact::List(list)) => list,
            _ => &[],
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(spelling: &'static str, value: &str, expect: bool) {
        let (fact_type, _) = FactType::from_spelling(spelling).expect("a type");
        let value = Value::parse(value.as_bytes()).expect("strict JSON");
        assert_eq!(fact_type.read(&value).is_ok(), expect, "{spelling} {}", value.to_text());
    }

    #[test]
    fn a_fact_is_of_its_type_or_refused() {
        check("id(alert)", r#""alert/7""#, true);
        check("id(alert)", r#""alert""#, false);
        check("id(alert)", r#""incident/7""#, false);
        check("int", "7", true);
        check("int", r#""7""#, false);
        check("bool", "true", true);
        check("bool", "1", false);
        check("enum(a|b)", r#""b""#, true);
        check("enum(a|b)", r#""c""#, false);
        check("code", r#""T1566.001""#, true);
        check("code", r#""CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:H/I:H/A:H""#, true);
        check("code", r#""two words""#, false);
        check("code", r#""""#, false);
        check("duration", r#""PT4H""#, true);
        check("duration", r#""P1DT2H30M""#, true);
        check("duration", r#""P2W""#, true);
        for bad in [r#""P""#, r#""PT""#, r#""P1Y""#, r#""PT4H3D""#, r#""4H""#, r#""P1DT""#, r#""PT1.5H""#, r#""P2W1D""#]
        {
            check("duration", bad, false);
        }
        check("sha256", &format!("\"{}\"", "0a".repeat(32)), true);
        check("sha256", &format!("\"{}\"", "0A".repeat(32)), false);
        check("list(int)", "[1,2]", true);
        check("list(int)", r#"[1,"2"]"#, false);
        check("list(int)", &format!("[{}1]", "1,".repeat(255)), true);
        check("list(int)", &format!("[{}1]", "1,".repeat(256)), false);
        check("jwk", r#"{"crv":"Ed25519","kty":"OKP","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}"#, true);
        check(
            "jwk",
            r#"{"crv":"Ed25519","kty":"OKP","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo","d":""}"#,
            false,
        );
        check("vkey", r#""example.org/soc+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW""#, true);
        check("vkey", r#""example.org/soc+c74f20a3""#, false);
        check(
            "head",
            r#"{"stream":"incident/1","count":3,"leaf":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}"#,
            true,
        );
        check("head", r#"{"stream":"person/1","count":3,"leaf":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}"#, false);
    }
}
