//! Identifiers (`type--uuid`) and timestamps, as the specification spells them.

use blotter_record::Instant;

use super::finding::quoted;

/// Digits of a second's fraction; more are refused, so that a version has room for them.
const FRACTION_LEN_MAX: usize = 9;

/// An identifier's two parts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Identifier<'a> {
    pub(super) kind: &'a str,
    pub(super) uuid: &'a str,
}

impl<'a> Identifier<'a> {
    /// Reads an identifier, of the type `wanted` if one is. The error says what is wanted.
    pub(super) fn parse(text: &'a str, wanted: Option<&str>) -> Result<Self, String> {
        let well_formed = text.split_once("--").filter(|(kind, uuid)| is_kind(kind) && is_uuid(uuid));
        let Some((kind, uuid)) = well_formed else {
            let kind = wanted.unwrap_or("type");
            return Err(format!(
                "{} is not an identifier; {kind}--UUID is wanted, such as {kind}--4f3b2a10-9c8d-4e7f-a6b5-0123456789ab",
                quoted(text)
            ));
        };
        match wanted {
            Some(wanted) if wanted != kind => {
                Err(format!("{} is of type {kind}, and {wanted}--UUID is wanted", quoted(text)))
            }
            _ => Ok(Self { kind, uuid }),
        }
    }
}

fn is_kind(text: &str) -> bool {
    text.starts_with(|c: char| c.is_ascii_lowercase())
        && !text.ends_with('-')
        && text.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-')
}

/// A UUID of RFC 4122: its variant, and a version from 1 to 5.
pub(super) fn is_uuid(text: &str) -> bool {
    let bytes = text.as_bytes();
    bytes.len() == 36
        && bytes.iter().enumerate().all(|(index, b)| match index {
            8 | 13 | 18 | 23 => *b == b'-',
            14 => (b'1'..=b'5').contains(b),
            19 => matches!(b, b'8' | b'9' | b'a' | b'b' | b'A' | b'B'),
            _ => b.is_ascii_hexdigit(),
        })
}

/// The instant of a timestamp: RFC 3339, in UTC. What is finer than a microsecond is cut, for comparisons.
pub(super) fn check_timestamp(text: &str) -> Result<Instant, String> {
    let refuse = || format!("{} is not a timestamp; 2026-11-23T11:54:00.000Z is one, always in UTC", quoted(text));
    let whole = text.strip_suffix('Z').ok_or_else(refuse)?;
    let (seconds, fraction) = whole.split_once('.').unwrap_or((whole, ""));
    let is_fraction = fraction.bytes().all(|b| b.is_ascii_digit()) && !whole.ends_with('.');
    if !is_fraction || fraction.len() > FRACTION_LEN_MAX {
        return Err(refuse());
    }
    let cut = &fraction[..fraction.len().min(6)];
    let dot = if cut.is_empty() { "" } else { "." };
    format!("{seconds}{dot}{cut}Z").parse().map_err(|_| refuse())
}

/// A version by the time of the last change, which is how the specification tells versions apart: `20261123T115400.000Z`.
pub(super) fn version_of(modified: &str) -> String {
    modified.chars().filter(|c| !matches!(c, '-' | ':')).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_identifier_is_a_type_and_a_uuid() {
        let uuid = "4f3b2a10-9c8d-4e7f-a6b5-0123456789ab";
        let check = |text: &str, wanted: Option<&str>, expect: bool| {
            assert_eq!(Identifier::parse(text, wanted).is_ok(), expect, "{text} {wanted:?}");
        };
        check(&format!("action--{uuid}"), None, true);
        check(&format!("if-condition--{}", uuid.to_uppercase()), Some("if-condition"), true);
        check(&format!("action--{uuid}"), Some("playbook"), false);
        check(&format!("action-{uuid}"), None, false);
        check(&format!("Action--{uuid}"), None, false);
        check(&format!("--{uuid}"), None, false);
        check(&format!("action--{uuid}0"), None, false);
        check("action--4f3b2a10-9c8d-0e7f-a6b5-0123456789ab", None, false);
        check("action--4f3b2a10-9c8d-4e7f-c6b5-0123456789ab", None, false);
        check("action--4f3b2a10-9c8d-4e7f-a6b5-0123456789aé", None, false);
        check("", None, false);
    }

    #[test]
    fn a_timestamp_is_in_utc_and_exists() {
        let check = |text: &str, expect: bool| assert_eq!(check_timestamp(text).is_ok(), expect, "{text}");
        check("2026-11-23T11:54:00Z", true);
        check("2026-11-23T11:54:00.123456789Z", true);
        check("2026-11-23T11:54:00.1234567890Z", false);
        check("2026-11-23T11:54:00.Z", false);
        check("2026-11-23T11:54:00+00:00", false);
        check("2026-02-30T11:54:00Z", false);
        check("2026-11-23", false);
        check("", false);
    }

    #[test]
    fn a_version_is_the_time_of_the_last_change() {
        assert_eq!(version_of("2026-11-23T11:54:00.123Z"), "20261123T115400.123Z");
    }
}
