//! Metrics: what numbers can be had of incidents, each with its definition as data, so that no number is shown without
//! it. What is computed here are pure functions over rows; METRICS.md has all definitions for people.
//!
//! Invariant: nothing is estimated, clamped or left out silently. What is not in a number is excluded with a reason, and
//! what is odd is flagged; either can be listed with its entries.

mod alerts;
mod audit;
mod cost;
mod measure;
mod period;
mod subject;
mod uptime;

pub use alerts::{AlertsClosed, alerts_closed};
pub use audit::{AuditInput, audit_inputs};
pub use cost::{Cost, CostKind, Unread, costs};
pub use measure::{Asked, Excluded, Flag, Group, Measured, Reason, Report, Stats, measure};
pub use period::{By, Period};
pub use subject::{Outage, Subject, add_alerted, subjects, subjects_of};
pub(crate) use subject::{id, seq, seq_or_none};
pub use uptime::{Outages, Uptime, registered, uptime};

use std::collections::BTreeSet;

use blotter_record::{Event, Jti};

use crate::filter::{Filter, Pattern};
use crate::incidents::Milestone;
use crate::log_index::LogIndex;
use crate::views::{LogEntry, Source, ViewError};

/// What a metric is.
#[derive(Debug, Clone, Copy)]
pub struct Definition {
    /// Its name in commands and URLs.
    pub name: &'static str,
    /// Its name among people.
    pub title: &'static str,
    /// What it is, in one sentence.
    pub about: &'static str,
    /// Where the term comes from.
    pub source: &'static str,
    /// What is counted or measured.
    pub kind: Kind,
}

/// What a metric is computed from.
#[derive(Debug, Clone, Copy)]
pub enum Kind {
    /// The time between two milestones of an incident; of several, the first that it reached counts.
    Interval {
        /// From where.
        from: Milestone,
        /// To where; the first of these that is there.
        to: &'static [Milestone],
        /// Leaves out incidents whose verdict is that they were none.
        confirmed_only: bool,
    },
    /// Something else, as [`Definition::about`] says; in this unit.
    Other {
        /// The unit.
        unit: &'static str,
    },
}

impl Definition {
    /// The unit of its numbers.
    pub fn unit(&self) -> &'static str {
        match self.kind {
            Kind::Interval { .. } => "time",
            Kind::Other { unit } => unit,
        }
    }
}

/// The time between milestones.
const fn interval(
    name: &'static str,
    title: &'static str,
    (from, to, confirmed_only): (Milestone, &'static [Milestone], bool),
    about: &'static str,
    source: &'static str,
) -> Definition {
    Definition { name, title, about, source, kind: Kind::Interval { from, to, confirmed_only } }
}

/// Anything else.
const fn other(
    name: &'static str,
    title: &'static str,
    unit: &'static str,
    about: &'static str,
    source: &'static str,
) -> Definition {
    Definition { name, title, about, source, kind: Kind::Other { unit } }
}

/// All metrics.
pub const DEFINITIONS: &[Definition] = &[
    interval(
        "mttd",
        "MTTD, mean time to detect",
        (Milestone::Occurred, &[Milestone::Detected], true),
        "From when the incident began, as newest asserted, until it was detected.",
        "NIST SP 800-55v1 and SP 800-61r3 (Detect)",
    ),
    interval(
        "mtta",
        "MTTA, mean time to acknowledge",
        (Milestone::Opened, &[Milestone::Acknowledged], false),
        "From the opening of the incident until a person first acknowledged it.",
        "ITIL 4 (incident management: response time)",
    ),
    interval(
        "mtta-alert",
        "MTTA from the first alert",
        (Milestone::Alerted, &[Milestone::Acknowledged], false),
        "From the receipt of the incident's first alert or report until a person first acknowledged the incident.",
        "ITIL 4 (monitoring and event management)",
    ),
    interval(
        "mtt-classify",
        "Mean time to classify",
        (Milestone::Opened, &[Milestone::Classified], false),
        "From the opening of the incident until it was first given a severity or a class.",
        "NIST SP 800-61r3 (Respond: RS.MA, triage); ITIL 4 (categorisation, prioritisation)",
    ),
    interval(
        "mttc",
        "MTTC, mean time to contain",
        (Milestone::Detected, &[Milestone::Contained], true),
        "From detection until the newest containment.achieved that was not lost again.",
        "NIST SP 800-61r3 (Respond: RS.MI-01, incidents are contained)",
    ),
    interval(
        "mttr-respond",
        "MTTR, mean time to respond",
        (Milestone::Detected, &[Milestone::ResponseStarted], true),
        "From detection until the first containment, playbook or authorised action was started.",
        "NIST SP 800-61r3 (Respond: RS.MA-01, the response plan is executed)",
    ),
    interval(
        "mttr-restore",
        "MTTR, mean time to restore",
        (Milestone::Detected, &[Milestone::Restored, Milestone::Recovered], true),
        "From detection until the newest restored system or resumed service; without one, until recovery was declared.",
        "ITIL 4 (mean time to restore service, MTRS); NIST SP 800-61r3 (Recover: RC.RP)",
    ),
    interval(
        "mttr-resolve",
        "MTTR, mean time to resolve",
        (Milestone::Opened, &[Milestone::Resolved], false),
        "From the opening of the incident until it was last resolved; without that, until it was closed.",
        "ITIL 4 (resolution time)",
    ),
    interval(
        "lesson-latency",
        "Lesson latency",
        (Milestone::Closed, &[Milestone::LessonRecorded], false),
        "From the newest closure until the first lesson; negative if the lesson was written before the incident closed.",
        "NIST SP 800-61r3 (Identify: ID.IM, improvement)",
    ),
    other(
        "alerts-closed",
        "Alerts closed per analyst",
        "alerts",
        "Different alerts that an analyst dismissed, or triaged as dismissed, duplicate or merged; the newest word on an \
         alert counts, and counts for who said it.",
        "NIST SP 800-61r3 (Detect: DE.AE, adverse event analysis)",
    ),
    other(
        "audit",
        "Audit pass rate's inputs",
        "entries",
        "Attestations by their answer, replays by whether they came to the same state, and verifications of the ledger by \
         their result; what passes is for the checks to say.",
        "NIST SP 800-55v1 (implementation measures); COBIT MEA",
    ),
    other(
        "uptime",
        "Service uptime",
        "percent",
        "The part of the period in which a service was not interrupted; interruptions that overlap count once, and one \
         that has not ended counts until the period's end.",
        "ITIL 4 (service availability)",
    ),
    other(
        "cost",
        "Cost per incident",
        "money",
        "Amounts recorded as costs and payments, from disclosed values, per currency and never converted or summed across \
         currencies; budgets are shown beside them, and amounts that can't be read are counted.",
        "FAIR (primary and secondary loss); ITIL 4 (service financial management)",
    ),
];

/// The definition of that name.
pub fn definition(name: &str) -> Option<&'static Definition> {
    DEFINITIONS.iter().find(|definition| definition.name == name)
}

/// All entries of these events before `end`, in their order.
///
/// # Errors
/// If index or log can't be read.
pub fn entries_of<S: Source>(
    index: &LogIndex,
    source: &S,
    events: &[Event],
    end: u64,
) -> Result<Vec<LogEntry>, ViewError<S::Error>> {
    let mut seqs = Vec::new();
    for event in events {
        let filter = Filter { event: Some(Pattern::Exact(event.name().to_owned())), ..Filter::default() };
        seqs.extend(index.seqs(&filter, (0, end), false, usize::MAX >> 1).map_err(|e| unreadable(index, e))?);
    }
    seqs.sort_unstable();
    let mut entries = Vec::with_capacity(seqs.len());
    for run in seqs.chunk_by(|a, b| a + 1 == *b) {
        let mut from = run[0];
        // A source may give fewer than it was asked for.
        while from <= run[run.len() - 1] {
            let wanted = (run[run.len() - 1] - from + 1) as usize;
            let read = source.entries(from, wanted).map_err(ViewError::Source)?;
            let Some(last) = read.last() else { break };
            from = last.seq + 1;
            entries.extend(read);
        }
    }
    Ok(entries)
}

/// The statements that entries of `retraction.recorded` take back.
pub fn retracted(entries: &[LogEntry]) -> BTreeSet<Jti> {
    let statements = entries.iter().filter_map(|entry| entry.said.as_ref().map(|(_, statement)| statement));
    let retractions = statements.filter(|statement| statement.event.known() == Some(Event::RetractionRecorded));
    retractions.filter_map(|statement| statement.facts.jti("of")).collect()
}

fn unreadable<E>(index: &LogIndex, cause: rusqlite::Error) -> ViewError<E> {
    ViewError::Unusable { path: index.db.path().unwrap_or_default().into(), cause }
}
