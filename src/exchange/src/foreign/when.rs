//! Times as other systems write them, as instants (FORMAT.md §1.5). A time without an offset is refused, because it could
//! be any of a day's; a fraction finer than a microsecond is cut, never rounded.

use blotter_record::Instant;
use serde::Deserialize;

/// What a number counts since 1970.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
pub(crate) enum Unit {
    /// Seconds.
    #[serde(rename = "s")]
    Seconds,
    /// Milliseconds.
    #[serde(rename = "ms")]
    Milliseconds,
    /// Microseconds.
    #[serde(rename = "us")]
    Microseconds,
    /// Nanoseconds.
    #[serde(rename = "ns")]
    Nanoseconds,
}

impl Unit {
    /// How many of it are a second.
    fn per_second(self) -> i64 {
        match self {
            Self::Seconds => 1,
            Self::Milliseconds => 1_000,
            Self::Microseconds => 1_000_000,
            Self::Nanoseconds => 1_000_000_000,
        }
    }
}

/// RFC 3339 and its cousins: `T`, `t` or a blank between; a fraction of any length behind a dot or a comma; `Z`, `z`,
/// `+hh:mm`, `+hhmm` or `+hh`.
pub(crate) fn from_text(text: &str) -> Result<Instant, String> {
    let refuse = || {
        format!(
            "\"{}\" is not a time with an offset, such as 2026-11-23T11:54:00.25+01:00 or 2026-11-23T10:54:00Z",
            crate::error::shown(text)
        )
    };
    rewritten(text).and_then(|text| text.parse().ok()).ok_or_else(refuse)
}

/// The one spelling that an instant has; `None` if `text` is far from it.
fn rewritten(text: &str) -> Option<String> {
    let (date, rest) = text.split_at_checked(10)?;
    let rest = rest.strip_prefix(['T', 't', ' '])?;
    let (clock, rest) = rest.split_at_checked(8)?;
    let (fraction, offset) = match rest.strip_prefix(['.', ',']) {
        Some(rest) => rest.split_at(rest.find(|c: char| !c.is_ascii_digit())?),
        None => ("", rest),
    };
    let fraction = fraction.get(..6).unwrap_or(fraction);
    let dot = if fraction.is_empty() { "" } else { "." };
    Some(format!("{date}T{clock}{dot}{fraction}{}", offset_of(offset)?))
}

fn offset_of(text: &str) -> Option<String> {
    if matches!(text, "Z" | "z") {
        return Some("Z".into());
    }
    let sign = text.get(..1).filter(|sign| matches!(*sign, "+" | "-"))?;
    let digits = text[1..].replacen(':', "", 1);
    let (hours, minutes) = digits.split_at_checked(2)?;
    let minutes = if minutes.is_empty() { "00" } else { minutes };
    // -00:00 says: this is UTC, and the local offset isn't known. An instant has no such word.
    let unknown = sign == "-" && hours == "00" && minutes == "00";
    Some(if unknown { "Z".into() } else { format!("{sign}{hours}:{minutes}") })
}

/// A whole number of `unit` since 1970.
pub(crate) fn from_unix(count: i64, unit: Unit) -> Result<Instant, String> {
    let unix_us = i128::from(count) * 1_000_000 / i128::from(unit.per_second());
    let instant = i64::try_from(unix_us).ok().and_then(|unix_us| Instant::from_unix_us(unix_us).ok());
    instant.ok_or_else(|| format!("{count} since 1970 is not within the years 0000 to 9999"))
}

/// Seconds since 1970 in decimal, such as `1795431240.178`.
pub(crate) fn from_unix_decimal(text: &str) -> Option<Instant> {
    let (seconds, fraction) = text.split_once('.').unwrap_or((text, ""));
    if seconds.is_empty() || !seconds.bytes().chain(fraction.bytes()).all(|b| b.is_ascii_digit()) {
        return None;
    }
    let fraction = format!("{fraction:0<6}");
    let unix_us = seconds.parse::<i64>().ok()?.checked_mul(1_000_000)?.checked_add(fraction[..6].parse().ok()?)?;
    Instant::from_unix_us(unix_us).ok()
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn check(text: &str, expect: Option<&str>) {
        assert_eq!(from_text(text).ok().map(|time| time.as_str().to_owned()).as_deref(), expect, "{text}");
    }

    #[test]
    fn a_time_keeps_its_offset_and_loses_only_what_is_finer_than_a_microsecond() {
        check("2026-11-23T11:54:00Z", Some("2026-11-23T11:54:00Z"));
        check("2026-11-23t11:54:00z", Some("2026-11-23T11:54:00Z"));
        check("2026-11-23 11:54:00+01", Some("2026-11-23T11:54:00+01:00"));
        check("2026-11-23T11:54:00.123+0000", Some("2026-11-23T11:54:00.123+00:00"));
        check("2026-11-23T11:54:00,5-0330", Some("2026-11-23T11:54:00.5-03:30"));
        check("2026-11-23T11:54:00.1234569Z", Some("2026-11-23T11:54:00.123456Z"));
        check("2026-11-23T11:54:00.000000000-00:00", Some("2026-11-23T11:54:00.000000Z"));
    }

    #[test]
    fn a_time_that_could_be_another_is_refused() {
        for text in [
            "",
            "2026-11-23",
            "2026-11-23T11:54:00",
            "2026-11-23T11:54:00.",
            "2026-11-23T11:54:00.5",
            "2026-11-23T11:54Z",
            "2026-11-23T11:54:60Z",
            "2026-02-30T11:54:00Z",
            "2026-11-23T11:54:00+1",
            "2026-11-23T11:54:00+1:00",
            "2026-11-23T11:54:00+01:0",
            "2026-11-23T11:54:00+01:00:00",
            "2026-11-23T11:54:00 CET",
            "2026-11-23T11:54:00é",
            "2026-11-2é3T11:54:00Z",
            "23.11.2026 11:54:00",
            "1795431240",
        ] {
            check(text, None);
        }
    }

    #[test]
    fn numbers_since_1970_are_read_in_their_unit() {
        let at = |count, unit| from_unix(count, unit).map(|time| time.as_str().to_owned());
        assert_eq!(at(1_795_431_240_178, Unit::Milliseconds).unwrap(), "2026-11-23T10:54:00.178000Z");
        assert_eq!(at(1_795_431_240, Unit::Seconds).unwrap(), "2026-11-23T10:54:00.000000Z");
        assert_eq!(at(1_795_431_240_000_000_999, Unit::Nanoseconds).unwrap(), "2026-11-23T10:54:00.000000Z");
        assert!(at(i64::MAX, Unit::Seconds).is_err());
        assert!(at(i64::MIN, Unit::Microseconds).is_err());
    }

    #[test]
    fn decimal_seconds_are_read_to_the_microsecond() {
        let at = |text| from_unix_decimal(text).map(|time| time.as_str().to_owned());
        assert_eq!(at("1795431240").as_deref(), Some("2026-11-23T10:54:00.000000Z"));
        assert_eq!(at("1795431240.1789999").as_deref(), Some("2026-11-23T10:54:00.178999Z"));
        for bad in ["", ".5", "-1", "1e9", "1795431240.1.2", "99999999999999999999", "９"] {
            assert_eq!(at(bad), None, "{bad}");
        }
    }
}
