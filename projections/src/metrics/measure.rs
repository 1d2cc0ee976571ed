//! The time between two milestones over many incidents: who is measured, who is excluded and why, what is odd, and the
//! numbers. Pure.

use std::collections::BTreeMap;

use blotter_record::{Id, Precision};
use chrono_tz::Tz;

use super::period::By;
use super::subject::Subject;
use super::{Definition, Kind};
use crate::filter::Span;
use crate::incidents::{Milestone, Reached};

/// What was recorded later than this behind when it is said to have happened is flagged: a day.
pub(crate) const LATE_US_MAX: i64 = 86_400 * 1_000_000;

/// What somebody wants to know.
#[derive(Debug, Clone, Copy)]
pub struct Asked {
    /// By what it is to be grouped; one group if by nothing.
    pub by: Option<By>,
    /// Only incidents whose interval began in this span; an excluded one that has no beginning counts by its opening.
    pub span: Span,
    /// The zone that periods are of.
    pub zone: Tz,
    /// Excludes what is flagged.
    pub without_flagged: bool,
}

/// A metric's numbers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Report {
    /// The name of its definition.
    pub name: &'static str,
    /// Its groups, by name; none if there was nothing to measure or exclude.
    pub groups: Vec<Group>,
}

/// The numbers of a group.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Group {
    /// Its name; `all` if nothing was asked for.
    pub name: String,
    /// Over what was measured; `None` if nothing was.
    pub stats: Option<Stats>,
    /// What was measured, shortest first.
    pub measured: Vec<Measured>,
    /// What was not, and why, by incident.
    pub excluded: Vec<Excluded>,
}

/// Numbers over intervals, in microseconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stats {
    /// How many.
    pub n: usize,
    /// The middle one; of an even number, the mean of the two in the middle.
    pub median_us: i64,
    /// The 90th percentile by nearest rank: the smallest that at least 90 % do not exceed.
    pub p90_us: i64,
    /// The arithmetic mean, rounded to a microsecond.
    pub mean_us: i64,
    /// The shortest.
    pub min_us: i64,
    /// The longest.
    pub max_us: i64,
    /// How many of them are flagged.
    pub flagged: usize,
}

/// An interval of an incident.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Measured {
    /// The incident.
    pub incident: Id,
    /// How long, in microseconds; negative if the end is said to be before the beginning.
    pub interval_us: i64,
    /// Its beginning.
    pub from: (Milestone, Reached),
    /// Its end.
    pub to: (Milestone, Reached),
    /// What is odd about it.
    pub flags: Vec<Flag>,
}

/// What is odd about an interval.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Flag {
    /// It ends before it begins.
    Negative,
    /// What says so was recorded more than a day after it is said to have happened. Imports are never flagged so.
    BackDated(Milestone),
    /// It is known to the hour or worse.
    Coarse(Milestone, Precision),
}

/// An incident that is not in the numbers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Excluded {
    /// The incident.
    pub incident: Id,
    /// Why.
    pub reason: Reason,
    /// Entries that say so, as far as any do.
    pub entries: Vec<u64>,
}

/// Why an incident is not in the numbers.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Reason {
    /// It was merged into another, which is measured.
    Merged,
    /// It was none, and the metric is only for those that were.
    Dismissed,
    /// It has not come so far yet.
    NotYet(Milestone),
    /// It was never said to have reached this.
    Missing(Milestone),
    /// The same, in an incident that was imported.
    ImportedWithout(Milestone),
    /// It reached this at a time that nobody knows.
    TimeUnknown(Milestone),
    /// Flagged intervals were not wanted.
    Flagged,
}

impl Flag {
    /// The flag in words.
    pub fn text(self) -> String {
        match self {
            Self::Negative => "negative".to_owned(),
            Self::BackDated(milestone) => format!("{} back-dated", milestone.name()),
            Self::Coarse(milestone, precision) => format!("{} known to the {}", milestone.name(), precision.as_str()),
        }
    }
}

impl Reason {
    /// The reason in words.
    pub fn text(&self) -> String {
        match self {
            Self::Merged => "merged away".to_owned(),
            Self::Dismissed => "dismissed".to_owned(),
            Self::NotYet(milestone) => format!("not {} yet", milestone.name()),
            Self::Missing(milestone) => format!("no {}", milestone.name()),
            Self::ImportedWithout(milestone) => format!("imported without {}", milestone.name()),
            Self::TimeUnknown(milestone) => format!("time of {} unknown", milestone.name()),
            Self::Flagged => "flagged".to_owned(),
        }
    }
}

/// Measures an interval metric; `None` if `definition` is of another kind.
pub fn measure(definition: &Definition, subjects: &[Subject], asked: &Asked) -> Option<Report> {
    let Kind::Interval { from, to, confirmed_only } = definition.kind else { return None };
    let mut groups: BTreeMap<String, (Vec<Measured>, Vec<Excluded>)> = BTreeMap::new();
    for subject in subjects {
        let begins = subject.reached.get(&from).or(subject.reached.get(&Milestone::Opened)).map(|began| began.at_us);
        let is_bounded = asked.span != Span::default();
        if is_bounded && !begins.is_some_and(|at_us| asked.span.admits(at_us)) {
            continue;
        }
        let name = asked.by.map_or_else(|| "all".to_owned(), |by| by.group(subject, begins, asked.zone));
        let (measured, excluded) = groups.entry(name).or_default();
        match interval(subject, from, to, confirmed_only) {
            Ok(found) if asked.without_flagged && !found.flags.is_empty() => excluded.push(Excluded {
                incident: found.incident,
                reason: Reason::Flagged,
                entries: vec![found.from.1.seq, found.to.1.seq],
            }),
            Ok(found) => measured.push(found),
            Err(why) => excluded.push(why),
        }
    }
    let groups = groups.into_iter().map(|(name, (mut measured, excluded))| {
        measured.sort_by(|a, b| (a.interval_us, &a.incident).cmp(&(b.interval_us, &b.incident)));
        Group { name, stats: Stats::of(&measured), measured, excluded }
    });
    Some(Report { name: definition.name, groups: groups.collect() })
}

fn interval(subject: &Subject, from: Milestone, to: &[Milestone], confirmed_only: bool) -> Result<Measured, Excluded> {
    let excluded = |reason, entries: Vec<u64>| Excluded { incident: subject.id.clone(), reason, entries };
    let known: Vec<u64> = [from].iter().chain(to).filter_map(|m| subject.reached.get(m)).map(|r| r.seq).collect();
    if subject.status == "merged" {
        return Err(excluded(Reason::Merged, known));
    }
    if confirmed_only && subject.is_dismissed() {
        let verdict = subject.reached.get(&Milestone::Confirmed).map(|reached| reached.seq);
        return Err(excluded(Reason::Dismissed, verdict.into_iter().collect()));
    }
    let end = to.iter().find(|milestone| subject.reached.contains_key(milestone)).or(to.first());
    let (begin, end) = (from, *end.unwrap_or(&from));
    let mut ends = Vec::with_capacity(2);
    for milestone in [begin, end] {
        match subject.reached.get(&milestone) {
            None => return Err(excluded(absent(subject, milestone), known)),
            Some(reached) if reached.precision == Precision::Unknown => {
                return Err(excluded(Reason::TimeUnknown(milestone), vec![reached.seq]));
            }
            Some(reached) => ends.push((milestone, *reached)),
        }
    }
    let (from, to) = (ends[0], ends[1]);
    let interval_us = to.1.at_us.saturating_sub(from.1.at_us);
    let mut flags = Vec::new();
    if interval_us < 0 {
        flags.push(Flag::Negative);
    }
    for (milestone, reached) in [from, to] {
        if !subject.imported && reached.late_us.is_some_and(|late_us| late_us > LATE_US_MAX) {
            flags.push(Flag::BackDated(milestone));
        }
        if !matches!(reached.precision, Precision::Second | Precision::Minute) {
            flags.push(Flag::Coarse(milestone, reached.precision));
        }
    }
    Ok(Measured { incident: subject.id.clone(), interval_us, from, to, flags })
}

/// Why a milestone is not there.
fn absent(subject: &Subject, milestone: Milestone) -> Reason {
    let may_come = match milestone {
        // They lie before everything else; who does not know them when it is opened may never.
        Milestone::Occurred | Milestone::Alerted | Milestone::Detected | Milestone::Opened => false,
        Milestone::LessonRecorded | Milestone::Rested => subject.status != "improved",
        _ => matches!(subject.status.as_str(), "open" | "resolved"),
    };
    // What was imported as done is not expected to get what its source doesn't know.
    let is_done = !matches!(subject.status.as_str(), "open" | "resolved");
    match (subject.imported, may_come) {
        (true, may_come) if is_done || !may_come => Reason::ImportedWithout(milestone),
        (_, true) => Reason::NotYet(milestone),
        (_, false) => Reason::Missing(milestone),
    }
}

impl Stats {
    /// Over intervals that are sorted, shortest first.
    fn of(sorted: &[Measured]) -> Option<Self> {
        let n = sorted.len();
        let (first, last) = (sorted.first()?.interval_us, sorted.last()?.interval_us);
        let at = |index: usize| i128::from(sorted[index].interval_us);
        let sum: i128 = sorted.iter().map(|measured| i128::from(measured.interval_us)).sum();
        let rank = (n * 9).div_ceil(10);
        Some(Self {
            n,
            median_us: mean(at((n - 1) / 2) + at(n / 2), 2),
            p90_us: sorted[rank - 1].interval_us,
            mean_us: mean(sum, n as i128),
            min_us: first,
            max_us: last,
            flagged: sorted.iter().filter(|measured| !measured.flags.is_empty()).count(),
        })
    }
}

/// `sum / n`, rounded to the nearest, halves up.
fn mean(sum: i128, n: i128) -> i64 {
    i64::try_from((2 * sum + n).div_euclid(2 * n)).unwrap_or(i64::MAX)
}
