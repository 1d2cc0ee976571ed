//! Thresholds of triage: who decided, by which signed entry, that a source's alerts below a severity or beyond a rate
//! stay out of the way.

use std::collections::{BTreeMap, BTreeSet};

use blotter_process::Said;
use blotter_record::{Event, Id, Jti, Statement};

use super::is_undone_by;
use crate::escalation;
use crate::table::{Row, Table, int, table, text};

/// What a policy's stream sets: thresholds by source, and an escalation path.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Thresholds {
    of: BTreeMap<String, Set>,
    retracted: BTreeSet<Jti>,
    path: escalation::Path,
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct Set {
    severity: i64,
    per_hour: i64,
    by: String,
    seq: u64,
}

impl Thresholds {
    /// Takes note of what `statement` takes back.
    pub fn note_retraction(&mut self, statement: &Statement) {
        if statement.event.known() == Some(Event::RetractionRecorded) {
            self.retracted.extend(statement.facts.jti("of"));
        }
    }

    /// Whether the fold so far no longer holds: then fold the stream anew.
    pub fn is_undone_by(&self, statement: &Statement) -> bool {
        is_undone_by(&self.retracted, statement)
    }

    /// Takes one more entry of the policy's stream `id`.
    pub fn fold(&mut self, id: &Id, said: Said<'_>) {
        self.path.fold(id, said, &self.retracted);
        let Said { seq, statement, .. } = said;
        let sets = statement.event.known() == Some(Event::TriageThresholdSet) && statement.sub == *id;
        if !sets || self.retracted.contains(&statement.jti) {
            return;
        }
        let facts = &statement.facts;
        if let (Some(source), Some(severity), Some(per_hour)) =
            (facts.id("source"), facts.int("severity"), facts.int("per_hour"))
        {
            let by = statement.actor().to_string();
            self.of.insert(source.folded(), Set { severity, per_hour, by, seq });
        }
    }

    /// Its rows in [`THRESHOLD`], and that of its escalation path.
    pub fn rows(&self, id: &Id) -> Vec<Row> {
        let row = |(source, set): (&String, &Set)| {
            let Set { severity, per_hour, by, seq } = set;
            THRESHOLD.row([
                id.as_str().into(),
                source.as_str().into(),
                (*severity).into(),
                (*per_hour).into(),
                by.as_str().into(),
                (*seq).into(),
            ])
        };
        self.of.iter().map(row).chain(self.path.rows(id)).collect()
    }
}

/// One row a source whose threshold a policy sets.
pub static THRESHOLD: Table = table(
    "triage_threshold",
    "a source's threshold of triage; of several policies' the one with the newest entry counts",
    2,
    &[
        text("policy", "the policy's stream"),
        text("source", "the source, in lower case"),
        int("severity", "alerts below it are suppressed"),
        int("per_hour", "alerts of a group beyond so many in an hour are suppressed"),
        text("set_by", "who signed it"),
        int("seq", "the entry that says so"),
    ],
    &[&["source", "seq"]],
);
