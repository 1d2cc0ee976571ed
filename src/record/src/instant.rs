//! Instants (FORMAT.md §1.5): `YYYY-MM-DDThh:mm:ss[.f{1,6}](Z|±hh:mm)`. An instant keeps its text, because the offset
//! that an actor wrote says something too, and compares as a point in time. No leap second, no `-00:00`.

use std::cmp::Ordering;
use std::fmt;
use std::str::FromStr;

use chrono::NaiveDate;

/// A point in time as somebody wrote it; precise to the microsecond.
#[derive(Clone)]
pub struct Instant {
    unix_us: i64,
    text: String,
}

/// Text that is not an instant.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "\"{}\" is not an instant: 2026-11-23T11:54:00Z or 2026-11-23T12:54:00.25+01:00 is wanted",
    .0.escape_debug().to_string().chars().take(60).collect::<String>()
)]
pub struct InstantError(pub String);

impl Instant {
    /// The instant at `unix_us` microseconds since 1970, written as an entry's `recorded` is: UTC, 27 characters.
    ///
    /// # Errors
    /// If the year is not within 0000 and 9999.
    pub fn from_unix_us(unix_us: i64) -> Result<Self, InstantError> {
        let out_of_range = || InstantError(format!("{unix_us} microseconds since 1970"));
        let time = chrono::DateTime::from_timestamp_micros(unix_us).ok_or_else(out_of_range)?;
        let text = time.format("%Y-%m-%dT%H:%M:%S%.6fZ").to_string();
        if text.len() != RECORDED_LEN {
            return Err(out_of_range());
        }
        Ok(Self { unix_us, text })
    }

    /// Microseconds since 1970-01-01T00:00:00Z.
    pub fn unix_us(&self) -> i64 {
        self.unix_us
    }

    /// The text as written.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// Whether it is spelt as an entry's `recorded` must be: UTC with `Z`, six digits of fraction.
    pub fn is_recorded_form(&self) -> bool {
        self.text.len() == RECORDED_LEN && self.text.ends_with('Z')
    }
}

const RECORDED_LEN: usize = 27;

impl FromStr for Instant {
    type Err = InstantError;

    fn from_str(text: &str) -> Result<Self, InstantError> {
        match parse(text.as_bytes()) {
            Some(unix_us) => Ok(Self { unix_us, text: text.to_owned() }),
            None => Err(InstantError(text.to_owned())),
        }
    }
}

fn parse(text: &[u8]) -> Option<i64> {
    let mark = |at: usize, byte: u8| text.get(at).is_some_and(|found| *found == byte);
    if !(mark(4, b'-') && mark(7, b'-') && mark(10, b'T') && mark(13, b':') && mark(16, b':')) {
        return None;
    }
    let date = NaiveDate::from_ymd_opt(
        i32::try_from(digits(text.get(0..4)?)?).ok()?,
        digits(text.get(5..7)?)?,
        digits(text.get(8..10)?)?,
    )?;
    let time = date.and_hms_opt(digits(text.get(11..13)?)?, digits(text.get(14..16)?)?, digits(text.get(17..19)?)?)?;
    let (fraction_us, rest) = fraction(text.get(19..)?)?;
    let offset_seconds = offset(rest)?;
    Some((time.and_utc().timestamp() - offset_seconds) * 1_000_000 + i64::from(fraction_us))
}

fn digits(text: &[u8]) -> Option<u32> {
    text.iter().try_fold(0, |value, byte| byte.is_ascii_digit().then(|| value * 10 + u32::from(byte - b'0')))
}

fn fraction(text: &[u8]) -> Option<(u32, &[u8])> {
    let Some(rest) = text.strip_prefix(b".") else { return Some((0, text)) };
    let len = rest.iter().take_while(|byte| byte.is_ascii_digit()).count();
    if !(1..=6).contains(&len) {
        return None;
    }
    let scale = 10_u32.pow(6 - u32::try_from(len).ok()?);
    Some((digits(&rest[..len])? * scale, &rest[len..]))
}

fn offset(text: &[u8]) -> Option<i64> {
    if text == b"Z" {
        return Some(0);
    }
    let [sign @ (b'+' | b'-'), hours @ .., b':', m1, m2] = text else { return None };
    if hours.len() != 2 {
        return None;
    }
    let (hours, minutes) = (digits(hours)?, digits(&[*m1, *m2])?);
    if hours > 23 || minutes > 59 || (*sign == b'-' && hours == 0 && minutes == 0) {
        return None;
    }
    let seconds = i64::from(hours * 3600 + minutes * 60);
    Some(if *sign == b'-' { -seconds } else { seconds })
}

impl fmt::Display for Instant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl fmt::Debug for Instant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl PartialEq for Instant {
    fn eq(&self, other: &Self) -> bool {
        self.unix_us == other.unix_us
    }
}

impl Eq for Instant {}

impl PartialOrd for Instant {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Instant {
    fn cmp(&self, other: &Self) -> Ordering {
        self.unix_us.cmp(&other.unix_us)
    }
}

/// How exactly an `occurred` is known (FORMAT.md §2.3).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Precision {
    /// To the second, or finer as written; what an absent `precision` means.
    #[default]
    Second,
    /// To the minute.
    Minute,
    /// To the hour.
    Hour,
    /// To the day.
    Day,
    /// To the month.
    Month,
    /// To the year.
    Year,
    /// Not known at all; then there is no `occurred`.
    Unknown,
}

impl Precision {
    /// The word in the statement.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Second => "second",
            Self::Minute => "minute",
            Self::Hour => "hour",
            Self::Day => "day",
            Self::Month => "month",
            Self::Year => "year",
            Self::Unknown => "unknown",
        }
    }

    /// The precision behind a word.
    pub fn from_word(word: &str) -> Option<Self> {
        [Self::Second, Self::Minute, Self::Hour, Self::Day, Self::Month, Self::Year, Self::Unknown]
            .into_iter()
            .find(|precision| precision.as_str() == word)
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn check(text: &str, expect: Option<i64>) {
        assert_eq!(text.parse::<Instant>().ok().map(|instant| instant.unix_us()), expect, "{text}");
    }

    #[test]
    fn instants_have_one_meaning() {
        check("1970-01-01T00:00:00Z", Some(0));
        check("1970-01-01T00:00:00.000001Z", Some(1));
        check("1970-01-01T00:00:00.5Z", Some(500_000));
        check("1970-01-01T01:00:00+01:00", Some(0));
        check("1969-12-31T23:59:59.999999Z", Some(-1));
        check("2024-02-29T00:00:00Z", Some(1_709_164_800_000_000));
        for bad in [
            "2023-02-29T00:00:00Z",
            "2024-02-29T24:00:00Z",
            "2024-02-29T23:59:60Z",
            "2024-02-29T23:60:00Z",
            "2024-13-01T00:00:00Z",
            "2024-02-29 00:00:00Z",
            "2024-02-29T00:00:00z",
            "2024-02-29T00:00:00",
            "2024-02-29T00:00:00.Z",
            "2024-02-29T00:00:00.1234567Z",
            "2024-02-29T00:00:00-00:00",
            "2024-02-29T00:00:00+24:00",
            "2024-02-29T00:00:00+0100",
            "2024-02-29T00:00:00+01:60",
            "2024-02-29T00:00:00Zx",
            "+024-02-29T00:00:00Z",
            "２024-02-29T00:00:00Z",
            "",
        ] {
            check(bad, None);
        }
    }

    #[test]
    fn recorded_is_27_characters_of_utc() {
        let instant = Instant::from_unix_us(1_795_000_000_123_456).unwrap();
        assert_eq!(instant.as_str(), "2026-11-18T11:06:40.123456Z");
        assert!(instant.is_recorded_form());
        assert_eq!(instant.as_str().parse::<Instant>().unwrap().unix_us(), 1_795_000_000_123_456);
        assert!(!"2026-11-18T10:26:40.12345+00:00".parse::<Instant>().unwrap().is_recorded_form());
        assert!(Instant::from_unix_us(i64::MAX).is_err());
    }
}
