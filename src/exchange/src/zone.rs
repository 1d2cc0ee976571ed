//! Local times of a source that names no zone: each becomes the one instant that it means in the zone given from
//! outside, written with its offset, or is refused.

use std::fmt;
use std::str::FromStr;

use blotter_record::Instant;
use chrono::{DateTime, NaiveDate, NaiveDateTime, Offset, TimeZone, Utc};
use chrono_tz::Tz;

/// A time zone by its IANA name, such as `America/Sao_Paulo`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Zone(Tz);

/// A name that is no IANA time zone.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("\"{}\" is not an IANA time zone such as Europe/Berlin, America/Sao_Paulo or UTC", crate::error::shown(.0))]
pub struct UnknownZone(pub String);

impl FromStr for Zone {
    type Err = UnknownZone;

    fn from_str(name: &str) -> Result<Self, UnknownZone> {
        name.parse().map(Self).map_err(|_| UnknownZone(name.to_owned()))
    }
}

impl fmt::Display for Zone {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0.name())
    }
}

/// A local time, understood.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct LocalTime {
    /// Written with the zone's offset at that moment.
    pub(crate) instant: Instant,
    /// The clocks showed this time twice; `instant` is the earlier one.
    pub(crate) ambiguous: bool,
}

impl Zone {
    /// Reads `dd-mm-yyyy hh:mm`, of the years 1970 to 9999.
    pub(crate) fn read(&self, text: &str) -> Result<LocalTime, String> {
        let local = parse(text).ok_or_else(|| {
            format!("\"{}\" is not a time dd-mm-yyyy hh:mm (1970 to 9999)", crate::error::shown(text))
        })?;
        let found = self.0.from_local_datetime(&local);
        let Some(earliest) = found.earliest() else {
            return Err(format!("{text} never was in {self}: the clocks skipped it"));
        };
        let ambiguous = found.latest().is_some_and(|latest| latest != earliest);
        let instant = written(&earliest).parse().map_err(|e| format!("{text} in {self}: {e}"))?;
        Ok(LocalTime { instant, ambiguous })
    }
}

fn parse(text: &str) -> Option<NaiveDateTime> {
    let bytes = text.as_bytes();
    let right = bytes.len() == 16
        && bytes.iter().zip(b"00-00-0000 00:00").all(|(byte, wanted)| match wanted {
            b'0' => byte.is_ascii_digit(),
            _ => byte == wanted,
        });
    if !right {
        return None;
    }
    let number = |from: usize, to: usize| text[from..to].parse::<u32>().ok();
    let year = i32::try_from(number(6, 10)?).ok().filter(|year| *year >= 1970)?;
    NaiveDate::from_ymd_opt(year, number(3, 5)?, number(0, 2)?)?.and_hms_opt(number(11, 13)?, number(14, 16)?, 0)
}

/// An instant has whole minutes of offset; the few zones of the 1970s that had not are written in UTC.
fn written(time: &DateTime<Tz>) -> String {
    if time.offset().fix().local_minus_utc() % 60 == 0 {
        return time.format("%Y-%m-%dT%H:%M:%S%:z").to_string();
    }
    time.with_timezone(&Utc).format("%Y-%m-%dT%H:%M:%SZ").to_string()
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn check(zone: &str, text: &str, expect: Result<(&str, bool), &str>) {
        let read = zone.parse::<Zone>().unwrap().read(text);
        match (&read, expect) {
            (Ok(time), Ok(expect)) => assert_eq!((time.instant.as_str(), time.ambiguous), expect, "{text} in {zone}"),
            (Err(error), Err(part)) => assert!(error.contains(part), "{text} in {zone}: {error}"),
            _ => panic!("{text} in {zone}: {read:?}, not {expect:?}"),
        }
    }

    #[test]
    fn a_local_time_is_written_with_the_offset_of_its_day() {
        check("America/Sao_Paulo", "29-02-2016 01:16", Ok(("2016-02-29T01:16:00-03:00", false)));
        check("America/Sao_Paulo", "15-02-2016 01:16", Ok(("2016-02-15T01:16:00-02:00", false)));
        check("UTC", "01-01-1970 00:00", Ok(("1970-01-01T00:00:00+00:00", false)));
        check("Asia/Kathmandu", "31-12-9999 23:59", Ok(("9999-12-31T23:59:00+05:45", false)));
        check("Africa/Monrovia", "01-01-1971 00:00", Ok(("1971-01-01T00:44:30Z", false)));
    }

    #[test]
    fn of_a_time_that_came_twice_the_earlier_is_meant_and_flagged() {
        check("Europe/Berlin", "30-10-2016 02:30", Ok(("2016-10-30T02:30:00+02:00", true)));
        check("Europe/Berlin", "30-10-2016 03:00", Ok(("2016-10-30T03:00:00+01:00", false)));
    }

    #[test]
    fn a_time_that_never_was_is_refused() {
        check("Europe/Berlin", "27-03-2016 02:30", Err("never was in Europe/Berlin"));
        check("America/Sao_Paulo", "16-10-2016 00:30", Err("never was in America/Sao_Paulo"));
    }

    #[test]
    fn another_spelling_is_refused() {
        for text in [
            "30-02-2016 01:16",
            "29-02-2016 24:00",
            "29-02-2016 23:60",
            "29/02/2016 01:16",
            "2016-02-29 01:16",
            "29-02-2016 01:16:00",
            "29-02-2016T01:16",
            "9-02-2016 01:16",
            "29-02-1969 01:16",
            "+9-02-2016 01:16",
            "２9-02-2016 01:1",
            "",
        ] {
            check("UTC", text, Err("is not a time dd-mm-yyyy hh:mm"));
        }
    }

    #[test]
    fn a_zone_has_an_iana_name() {
        assert_eq!("America/Sao_Paulo".parse::<Zone>().unwrap().to_string(), "America/Sao_Paulo");
        assert!("-03:00".parse::<Zone>().is_err());
        assert!("".parse::<Zone>().is_err());
    }
}
