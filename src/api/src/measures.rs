//! Metrics as they are answered: computed here once, for the API and for the shell. Nobody's numbers hold an incident that
//! they may not read; how many were left out is said.

pub(crate) mod handlers;
mod shape;

use std::collections::BTreeMap;

use blotter_ledger::{Error, Read};
use blotter_projections::metrics::{
    self, Asked, By, Definition, Flag, Group, Kind, Period, Subject, add_alerted, alerts_closed, audit_inputs, costs,
    entries_of, measure, registered, retracted, subjects, subjects_of, uptime,
};
use blotter_projections::{Facts, LogEntry, LogIndex, Span, VIEWS, ViewError, cases};
use blotter_record::{Event, Id, Instant};
use chrono_tz::Tz;

use crate::finder::Log;

pub(crate) use handlers::{incidents_for, sees, views};
pub use shape::{
    AuditView, ClosedView, CostSum, CostView, ExcludedView, GroupView, MeasuredView, MetricView, OutageView, UptimeView,
};

/// The period of an uptime for which nobody says since when, in microseconds: 30 days.
const UPTIME_US: i64 = 30 * 86_400 * 1_000_000;
/// How numbers over intervals come to be.
const METHOD: &str = "median: the middle value, of an even number the mean of the two in the middle; p90: nearest rank";

/// What somebody wants to know of a metric.
#[derive(Debug, Clone, Copy)]
pub struct MetricAsked {
    /// By what it is grouped.
    pub by: Option<By>,
    /// What began, or was closed, in this span.
    pub span: Span,
    /// The zone that periods are of.
    pub zone: Tz,
    /// Only entries before this one; `None`: all of them.
    pub end: Option<u64>,
    /// Lists what was measured and what was not, with entries.
    pub entries: bool,
    /// Excludes what is flagged.
    pub without_flagged: bool,
    /// What the clock says, in microseconds since 1970.
    pub now_us: i64,
}

/// The words by which metrics can be grouped.
pub const GROUPS: [&str; 7] = ["week", "month", "quarter", "severity", "category", "lead", "origin"];

/// What a word of [`GROUPS`] means; `period` is a month.
pub fn group_by(word: &str) -> Option<By> {
    Some(match word {
        "week" => By::Period(Period::Week),
        "month" | "period" => By::Period(Period::Month),
        "quarter" => By::Period(Period::Quarter),
        "severity" => By::Severity,
        "category" => By::Category,
        "lead" => By::Lead,
        "origin" => By::Origin,
        _ => return None,
    })
}

/// Whether the one who asks may read what stands in these streams.
pub type Sees<'a> = &'a dyn Fn(&[&Id]) -> bool;

/// Computes a metric from the views of a ledger.
///
/// # Errors
/// If log or views can't be read.
pub fn metric(
    (facts, index): (&Facts, &LogIndex),
    store: &dyn Read,
    definition: &'static Definition,
    asked: &MetricAsked,
    sees: Sees<'_>,
) -> Result<MetricView, Error> {
    let source = Log(store);
    let end = asked.end.map_or(facts.size(), |end| end.min(facts.size()));
    let all = if end == facts.size() {
        subjects(facts.db()).map_err(|e| unusable(&e))?
    } else {
        subjects_of(&cases(&source, end, &mut |_, _| ())?)
    };
    let count = all.len();
    let mut all: Vec<Subject> = all.into_iter().filter(|subject| sees(&[&subject.id])).collect();
    let mut view = MetricView::of(definition, end, count - all.len());
    match definition.kind {
        Kind::Interval { from, .. } => {
            if from == blotter_projections::incidents::Milestone::Alerted {
                add_alerted(&source, &mut all)?;
            }
            let wanted =
                Asked { by: asked.by, span: asked.span, zone: asked.zone, without_flagged: asked.without_flagged };
            let report = measure(definition, &all, &wanted);
            view.method = Some(METHOD);
            view.groups =
                Some(report.iter().flat_map(|report| &report.groups).map(|g| group(g, asked.entries)).collect());
        }
        Kind::Other { .. } => other(&mut view, (index, store), &all, end, asked, sees)?,
    }
    Ok(view)
}

fn other(
    view: &mut MetricView,
    (index, store): (&LogIndex, &dyn Read),
    all: &[Subject],
    end: u64,
    asked: &MetricAsked,
    sees: Sees<'_>,
) -> Result<(), Error> {
    let source = Log(store);
    let entries = |events: &[Event]| -> Result<Vec<LogEntry>, Error> {
        let mut found = entries_of(index, &source, events, end).map_err(view_error)?;
        found.retain(|entry| {
            let said = entry.said.as_ref();
            said.is_none_or(|(_, statement)| sees(&statement.streams().collect::<Vec<_>>()))
        });
        Ok(found)
    };
    match view.name {
        "alerts-closed" => {
            let found = entries(&[Event::AlertDismissed, Event::AlertTriaged, Event::RetractionRecorded])?;
            let closed = alerts_closed(&found, &retracted(&found), asked.span);
            view.alerts_closed = Some(closed.iter().map(|closed| ClosedView::of(closed, asked.entries)).collect());
        }
        "audit" => {
            let events = [Event::AttestationMade, Event::ReplayRun, Event::LedgerVerified, Event::RetractionRecorded];
            let found = entries(&events)?;
            let inputs = audit_inputs(&found, &retracted(&found), asked.span);
            view.audit = Some(inputs.iter().map(|input| AuditView::of(input, asked.entries)).collect());
        }
        "uptime" => {
            let moment = moment(store, end, asked)?;
            let until_us = asked.span.until_us.unwrap_or(moment).min(moment);
            let since_us = asked.span.since_us.unwrap_or(until_us - UPTIME_US);
            view.since = Some(text(since_us));
            view.until = Some(text(until_us));
            let known = registered(&entries(&[Event::ServiceRegistered])?);
            let up = uptime(all, &known, since_us, until_us);
            view.uptime = Some(up.iter().map(UptimeView::of).collect());
        }
        // An entry about money stands in no other stream than its incident's.
        _ => view.cost = Some(costs(&source, all)?.iter().map(|cost| CostView::of(cost, asked.entries)).collect()),
    }
    Ok(())
}

/// Whether an entry is for the one who asks; one that was expunged tells nothing.
pub(crate) fn is_shown(store: &dyn Read, seq: u64, sees: Sees<'_>) -> Result<bool, Error> {
    let said = blotter_ledger::read::entries(store, seq, 1)?.pop().and_then(|entry| entry.said);
    Ok(said.is_none_or(|(_, statement)| sees(&statement.streams().collect::<Vec<&Id>>())))
}

/// Until when something can be known: now, or when the last of the entries that count was recorded.
fn moment(store: &dyn Read, end: u64, asked: &MetricAsked) -> Result<i64, Error> {
    if asked.end.is_none() || end == 0 {
        return Ok(asked.now_us);
    }
    let last = blotter_ledger::read::entries(store, end - 1, 1)?.pop().and_then(|entry| entry.said);
    Ok(last.map_or(asked.now_us, |(placed, _)| placed.recorded.unix_us()))
}

fn group(group: &Group, entries: bool) -> GroupView {
    let mut excluded: BTreeMap<&metrics::Reason, Vec<&metrics::Excluded>> = BTreeMap::new();
    group.excluded.iter().for_each(|one| excluded.entry(&one.reason).or_default().push(one));
    let stats = group.stats;
    GroupView {
        group: group.name.clone(),
        n: group.measured.len(),
        median_us: stats.map(|stats| stats.median_us),
        p90_us: stats.map(|stats| stats.p90_us),
        mean_us: stats.map(|stats| stats.mean_us),
        min_us: stats.map(|stats| stats.min_us),
        max_us: stats.map(|stats| stats.max_us),
        flagged: stats.map_or(0, |stats| stats.flagged),
        excluded: excluded.into_iter().map(|(reason, all)| ExcludedView::of(reason, &all, entries)).collect(),
        measured: entries.then(|| group.measured.iter().map(measured).collect()),
    }
}

fn measured(one: &metrics::Measured) -> MeasuredView {
    MeasuredView {
        incident: one.incident.to_string(),
        interval_us: one.interval_us,
        from: text(one.from.1.at_us),
        from_seq: one.from.1.seq,
        to: text(one.to.1.at_us),
        to_seq: one.to.1.seq,
        flags: one.flags.iter().map(|flag| Flag::text(*flag)).collect(),
    }
}

/// An instant as text; one that no instant can name, as it is.
pub(crate) fn text(at_us: i64) -> String {
    Instant::from_unix_us(at_us).map_or_else(|_| format!("{at_us} µs"), |at| at.as_str().to_owned())
}

pub(crate) fn unusable(cause: &dyn std::fmt::Display) -> Error {
    Error::System { what: VIEWS.to_owned(), cause: cause.to_string() }
}

pub(crate) fn view_error(error: ViewError<Error>) -> Error {
    match error {
        ViewError::Source(error) => error,
        other @ (ViewError::Unusable { .. } | ViewError::Restless) => unusable(&other),
    }
}
