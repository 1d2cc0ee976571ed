//! By what numbers are grouped: periods of a time zone, and what an incident is.

use chrono::{DateTime, Datelike};
use chrono_tz::Tz;

use super::subject::Subject;

/// What stands where an incident has no such property.
const NONE: &str = "(none)";

/// By what incidents are grouped.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum By {
    /// When the interval began.
    Period(Period),
    /// Severity.
    Severity,
    /// Category.
    Category,
    /// Who leads it: the nearest to a team that facts say.
    Lead,
    /// Recorded here, or imported.
    Origin,
}

/// A kind of period.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Period {
    /// ISO weeks, from Monday on.
    Week,
    /// Months.
    Month,
    /// Quarters.
    Quarter,
}

impl By {
    /// The group that an incident belongs to, whose interval begins at `from_us`.
    pub(super) fn group(self, subject: &Subject, from_us: Option<i64>, zone: Tz) -> String {
        let none = || NONE.to_owned();
        match self {
            Self::Period(period) => from_us.and_then(|from_us| period.name(from_us, zone)).unwrap_or_else(none),
            Self::Severity => subject.severity.map_or_else(none, |level| level.to_string()),
            Self::Category => subject.category.clone().unwrap_or_else(none),
            Self::Lead => subject.lead.clone().unwrap_or_else(none),
            Self::Origin => if subject.imported { "imported" } else { "live" }.to_owned(),
        }
    }
}

impl Period {
    /// The period of an instant, as it is called in `zone`: `2026-11`, `2026-Q4`, `2026-W48`.
    pub fn name(self, at_us: i64, zone: Tz) -> Option<String> {
        let at = DateTime::from_timestamp_micros(at_us)?.with_timezone(&zone);
        Some(match self {
            Self::Week => format!("{:04}-W{:02}", at.iso_week().year(), at.iso_week().week()),
            Self::Month => format!("{:04}-{:02}", at.year(), at.month()),
            Self::Quarter => format!("{:04}-Q{}", at.year(), at.month0() / 3 + 1),
        })
    }
}
