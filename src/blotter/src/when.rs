//! Times as people type and read them. Typed: instants, dates, and how long ago; read: in a time zone that they chose.
//! What goes into the record is never read here; that has one spelling.

use chrono::{DateTime, MappedLocalTime, NaiveDate, NaiveDateTime, SecondsFormat, TimeDelta, TimeZone};
use chrono_tz::Tz;
use clap::Args;

/// In which time zone to show times, and to read those that name none.
#[derive(Debug, Clone, Args)]
pub(crate) struct Zone {
    /// Show times in this time zone (IANA name), and read in it what names no offset
    #[arg(long, visible_alias = "time-zone", value_name = "ZONE", env = "BLOTTER_TIMEZONE", default_value = "UTC", value_parser = zone)]
    pub(crate) timezone: Tz,
}

fn zone(text: &str) -> Result<Tz, String> {
    text.parse().map_err(|_| format!("{text:?} is no IANA time zone; Europe/Vienna, America/New_York and UTC are some"))
}

/// Which end of a span a text names; for a date, that is its first instant or the first one behind it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Edge {
    Since,
    Until,
}

const WANTED: &str =
    "a time is wanted: 2026-11-23T11:54:00Z, 2026-11-23T11:54, 2026-11-23, or how long ago: 90m, 2h, 3d, 1w";

/// Microseconds since 1970 of what somebody typed at `now_us`.
///
/// # Errors
/// Says what is wanted, or that the zone's clocks never showed such a time.
pub(crate) fn read(text: &str, edge: Edge, zone: Tz, now_us: i64) -> Result<i64, String> {
    if let Some(ago_us) = span_us(text) {
        return now_us.checked_sub(ago_us).ok_or_else(|| WANTED.to_owned());
    }
    if let Ok(instant) = text.parse::<blotter_record::Instant>() {
        return Ok(instant.unix_us());
    }
    if let Ok(date) = NaiveDate::parse_from_str(text, "%Y-%m-%d") {
        let day = if edge == Edge::Until { date.succ_opt() } else { Some(date) };
        let midnight = day.and_then(|day| day.and_hms_opt(0, 0, 0)).ok_or(WANTED)?;
        return first_instant_of(midnight, zone);
    }
    let forms = ["%Y-%m-%dT%H:%M:%S%.f", "%Y-%m-%d %H:%M:%S%.f", "%Y-%m-%dT%H:%M", "%Y-%m-%d %H:%M"];
    let local = forms.iter().find_map(|form| NaiveDateTime::parse_from_str(text, form).ok()).ok_or(WANTED)?;
    match zone.from_local_datetime(&local) {
        MappedLocalTime::Single(at) => Ok(at.timestamp_micros()),
        // An hour that the clocks showed twice: the span takes in both.
        MappedLocalTime::Ambiguous(first, second) => {
            Ok(if edge == Edge::Since { first } else { second }.timestamp_micros())
        }
        MappedLocalTime::None => Err(format!("clocks in {zone} never showed {local}; name the offset")),
    }
}

/// Where clocks are set forward at midnight, a day begins when they had been.
fn first_instant_of(midnight: NaiveDateTime, zone: Tz) -> Result<i64, String> {
    let quarters = (0..12).map(|quarter| midnight + TimeDelta::minutes(15 * quarter));
    let mut found = quarters.filter_map(|local| zone.from_local_datetime(&local).earliest());
    found.next().map(|at| at.timestamp_micros()).ok_or_else(|| WANTED.to_owned())
}

/// `2h`, `3d`, `1d12h`: a length of time in microseconds.
pub(crate) fn span_us(text: &str) -> Option<i64> {
    let (mut rest, mut sum_us) = (text, 0_i64);
    while !rest.is_empty() {
        let digits = rest.bytes().take_while(u8::is_ascii_digit).count();
        let number: i64 = rest.get(..digits).filter(|digits| digits.len() <= 6)?.parse().ok()?;
        let unit = rest[digits..].chars().next()?;
        let seconds = match unit {
            's' => 1,
            'm' => 60,
            'h' => 3_600,
            'd' => 86_400,
            'w' => 7 * 86_400,
            _ => return None,
        };
        sum_us += number * seconds * 1_000_000;
        rest = &rest[digits + 1..];
    }
    (!text.is_empty()).then_some(sum_us)
}

/// An instant as people read it: to the second, in `zone`; `Z` in UTC, else with the offset.
pub(crate) fn show(unix_us: i64, zone: Tz) -> String {
    match DateTime::from_timestamp_micros(unix_us) {
        Some(at) => at.with_timezone(&zone).to_rfc3339_opts(SecondsFormat::Secs, true).replacen('T', " ", 1),
        None => format!("{unix_us} µs"),
    }
}

/// How long something took, in its two largest units: `2d 6h`, `45m`, `-1h 05m`; what is shorter than a minute in seconds.
pub(crate) fn span(us: i64) -> String {
    let sign = if us < 0 { "-" } else { "" };
    let us = us.unsigned_abs();
    let seconds = us / 1_000_000;
    let (days, hours, minutes) = (seconds / 86_400, seconds / 3_600 % 24, seconds / 60 % 60);
    match (days, hours, minutes) {
        (0, 0, 0) if us.is_multiple_of(1_000_000) => format!("{sign}{seconds}s"),
        (0, 0, 0) => format!("{sign}{seconds}.{:03}s", us / 1_000 % 1_000),
        (0, 0, _) => format!("{sign}{minutes}m {:02}s", seconds % 60),
        (0, ..) => format!("{sign}{hours}h {minutes:02}m"),
        _ => format!("{sign}{days}d {hours}h"),
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    const NOW_US: i64 = 1_795_000_000_000_000; // 2026-11-18T11:06:40Z

    fn check(text: &str, edge: Edge, zone: &str, expect: Option<&str>) {
        let expect = expect.map(|at| at.parse::<blotter_record::Instant>().unwrap().unix_us());
        assert_eq!(read(text, edge, zone.parse().unwrap(), NOW_US).ok(), expect, "{text} {edge:?} {zone}");
    }

    #[test]
    fn what_people_type_has_one_meaning() {
        use Edge::{Since, Until};
        check("2h", Since, "UTC", Some("2026-11-18T09:06:40Z"));
        check("1d12h", Until, "Asia/Tokyo", Some("2026-11-16T23:06:40Z"));
        check("0s", Since, "UTC", Some("2026-11-18T11:06:40Z"));
        check("2026-11-18T12:06:40+01:00", Since, "Asia/Tokyo", Some("2026-11-18T11:06:40Z"));
        check("2026-11-18", Since, "UTC", Some("2026-11-18T00:00:00Z"));
        check("2026-11-18", Until, "UTC", Some("2026-11-19T00:00:00Z"));
        check("2026-11-18", Since, "Europe/Vienna", Some("2026-11-17T23:00:00Z"));
        check("2026-11-18T09:30", Since, "Europe/Vienna", Some("2026-11-18T08:30:00Z"));
        check("2026-11-18 09:30:01.5", Since, "UTC", Some("2026-11-18T09:30:01.5Z"));
        for bad in
            ["", "2", "h", "2y", "-2h", "2h ", "1234567d", "yesterday", "2026-02-30", "2026-11-18T25:00", "12:00"]
        {
            check(bad, Since, "UTC", None);
        }
    }

    #[test]
    fn an_hour_shown_twice_is_all_in_the_span_and_one_never_shown_is_refused() {
        check("2026-10-25T02:30", Edge::Since, "Europe/Vienna", Some("2026-10-25T00:30:00Z"));
        check("2026-10-25T02:30", Edge::Until, "Europe/Vienna", Some("2026-10-25T01:30:00Z"));
        check("2026-03-29T02:30", Edge::Since, "Europe/Vienna", None);
        // Clocks in Beirut went from 24:00 on to 01:00.
        check("2026-03-29", Edge::Since, "Asia/Beirut", Some("2026-03-28T22:00:00Z"));
    }

    #[test]
    fn how_long_something_took_is_said_in_its_two_largest_units() {
        let check = |us: i64, expect: &str| assert_eq!(span(us), expect);
        check(0, "0s");
        check(-1_500_000, "-1.500s");
        check(90_000_000, "1m 30s");
        check(3_600_000_000 + 5 * 60_000_000, "1h 05m");
        check(-195_000_000_000, "-2d 6h");
        check(i64::MIN, "-106751991d 4h");
    }

    #[test]
    fn times_are_shown_with_their_offset() {
        assert_eq!(show(NOW_US, Tz::UTC), "2026-11-18 11:06:40Z");
        assert_eq!(show(NOW_US, Tz::Europe__Vienna), "2026-11-18 12:06:40+01:00");
        assert_eq!(show(i64::MAX, Tz::UTC), "9223372036854775807 µs");
    }
}
