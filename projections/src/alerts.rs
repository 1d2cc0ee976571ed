//! Alerts and reports: of each, what its source said, what became of it, and what it names. All rows of an alert are a
//! function of its stream; what people linked it to stands in the incidents' rows (`incident_link`).

pub mod correlate;
pub mod load;
pub mod queue;
pub mod threshold;
pub mod words;

use std::collections::BTreeSet;

use blotter_process::Said;
use blotter_record::{Event, Facts, Id, Instant, Jti, Statement};

use crate::table::{Cell, Row, Table, int, table, text};

/// An alert or a report, as its stream tells it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Alert {
    received: Option<Received>,
    /// Times that it came, those that its source counted for us among them.
    count: i64,
    /// When it was seen last: microseconds since 1970.
    last_observed_us: Option<i64>,
    techniques: BTreeSet<String>,
    assets: BTreeSet<String>,
    triaged: Option<Triaged>,
    imported: bool,
    first_seq: Option<u64>,
    last_seq: u64,
    retracted: BTreeSet<Jti>,
}

/// What `alert.received` or `report.received` says.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Received {
    kind: &'static str,
    source: String,
    severity: Option<i64>,
    severity_source: Option<String>,
    observed_us: i64,
    received_us: i64,
    seq: u64,
}

/// The newest decision about it.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Triaged {
    state: &'static str,
    verdict: Option<String>,
    criteria_version: Option<String>,
    by: String,
    at_us: i64,
    seq: u64,
}

impl Alert {
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

    /// Takes one more entry of the stream `id`. Events of incidents stand here, too, if they name the alert; they say
    /// nothing about the alert that the incident's own rows don't say.
    pub fn fold(&mut self, id: &Id, said: Said<'_>) {
        let Said { seq, recorded_us, statement } = said;
        if self.first_seq.is_none() {
            (self.first_seq, self.imported) = (Some(seq), statement.is_imported());
        }
        self.last_seq = seq;
        if statement.sub != *id || self.retracted.contains(&statement.jti) {
            return;
        }
        let facts = &statement.facts;
        match statement.event.known() {
            Some(Event::AlertReceived) => {
                let observed_us = instant_us(facts, "observed_at").unwrap_or(recorded_us);
                self.receive(Received {
                    kind: "alert",
                    source: facts.id("source").map(Id::to_string).unwrap_or_default(),
                    severity: facts.int("severity"),
                    severity_source: facts.word("severity_source").map(str::to_owned),
                    observed_us,
                    received_us: instant_us(facts, "received_at").unwrap_or(recorded_us),
                    seq,
                });
                self.techniques = facts.words("techniques").into_iter().map(str::to_owned).collect();
                self.assets = facts.ids("assets").into_iter().map(Id::to_string).collect();
            }
            Some(Event::ReportReceived) => self.receive(Received {
                kind: "report",
                source: facts.word("channel").unwrap_or_default().to_owned(),
                severity: None,
                severity_source: None,
                observed_us: instant_us(facts, "discovered_at").unwrap_or(recorded_us),
                received_us: recorded_us,
                seq,
            }),
            Some(Event::AlertAggregated) => {
                self.count = self.count.saturating_add(facts.int("count").unwrap_or(0).max(0));
                self.seen_at(instant_us(facts, "to").unwrap_or(recorded_us));
            }
            Some(Event::AlertTriaged) => {
                let state = match facts.word("disposition") {
                    Some("dismiss") => "dismissed",
                    Some("duplicate") => "duplicate",
                    Some("merge") => "merged",
                    _ => "investigate",
                };
                let criteria_version = facts.word("criteria_version").map(str::to_owned);
                self.triaged = Some(Triaged { state, verdict: None, criteria_version, ..triaged(said) });
            }
            Some(Event::AlertDismissed) => {
                let verdict = facts.word("verdict").map(str::to_owned);
                let state = if verdict.as_deref() == Some("duplicate") { "duplicate" } else { "dismissed" };
                let criteria_version = self.triaged.take().and_then(|before| before.criteria_version);
                self.triaged = Some(Triaged { state, verdict, criteria_version, ..triaged(said) });
            }
            _ => {}
        }
    }

    fn receive(&mut self, received: Received) {
        self.count = self.count.saturating_add(1);
        self.seen_at(received.observed_us);
        self.received = Some(received);
    }

    fn seen_at(&mut self, at_us: i64) {
        self.last_observed_us = self.last_observed_us.max(Some(at_us));
    }

    fn state(&self) -> &'static str {
        match (&self.triaged, &self.received) {
            (Some(triaged), _) => triaged.state,
            (None, Some(_)) => "new",
            (None, None) => "absent",
        }
    }

    /// Its rows in all of [`TABLES`]. An alert about which things are said stands here even if nobody received it, or who
    /// did took that back.
    pub fn rows(&self, id: &Id) -> Vec<Row> {
        let Some(first_seq) = self.first_seq else { return Vec::new() };
        let (received, triaged) = (self.received.as_ref(), self.triaged.as_ref());
        let row = ALERT.row([
            id.as_str().into(),
            received.map(|r| r.kind).into(),
            received.map(|r| r.source.clone()).into(),
            received.and_then(|r| r.severity).into(),
            received.and_then(|r| r.severity_source.clone()).into(),
            received.map(|r| r.observed_us).into(),
            self.last_observed_us.into(),
            received.map(|r| r.received_us).into(),
            self.count.into(),
            self.state().into(),
            triaged.and_then(|t| t.verdict.clone()).into(),
            triaged.and_then(|t| t.criteria_version.clone()).into(),
            triaged.map(|t| t.by.clone()).into(),
            triaged.map(|t| t.at_us).into(),
            triaged.map(|t| t.seq).into(),
            self.imported.into(),
            received.map(|r| r.seq).into(),
            first_seq.into(),
            self.last_seq.into(),
        ]);
        let link = |kind: &str, other: &String| {
            ALERT_LINK.row([id.as_str().into(), kind.into(), other.as_str().into(), Cell::from(first_seq)])
        };
        let techniques = self.techniques.iter().map(|other| link("technique", other));
        let assets = self.assets.iter().map(|other| link("asset", other));
        std::iter::once(row).chain(techniques).chain(assets).collect()
    }
}

/// Whether `statement` takes back one that is not in `retracted`.
pub(crate) fn is_undone_by(retracted: &BTreeSet<Jti>, statement: &Statement) -> bool {
    statement.event.known() == Some(Event::RetractionRecorded)
        && statement.facts.jti("of").is_some_and(|of| !retracted.contains(&of))
}

fn triaged(said: Said<'_>) -> Triaged {
    let at_us = said.statement.occurred.as_ref().map_or(said.recorded_us, Instant::unix_us);
    let by = said.statement.actor().to_string();
    Triaged { state: "investigate", verdict: None, criteria_version: None, by, at_us, seq: said.seq }
}

fn instant_us(facts: &Facts, name: &str) -> Option<i64> {
    facts.instant(name).map(Instant::unix_us)
}

/// The tables of alerts, in the order of their digest.
pub static TABLES: &[&Table] = &[&ALERT, &ALERT_LINK];

/// One row an alert or report.
pub static ALERT: Table = table(
    "alert",
    "an alert or a report, as it is now",
    1,
    &[
        text("id", "its stream, alert/…"),
        text("kind", "alert or report; NULL if nobody received it, or that was taken back"),
        text("source", "its source, source/…; of a report, the channel"),
        int("severity", "0 (unknown) to 5 (critical), as mapped from the source's"),
        text("severity_source", "the source's own"),
        int("observed_us", "when its source saw it; of a report, when it was discovered"),
        int("last_observed_us", "when it was seen last, by alert.aggregated"),
        int("received_us", "when it was received"),
        int("count", "times that it came; what alert.aggregated counts is added"),
        text("state", "new, investigate, dismissed, duplicate, merged; absent: nobody received it"),
        text("verdict", "why it was dismissed"),
        text("criteria_version", "by which criteria it was triaged"),
        text("triaged_by", "who triaged it"),
        int("triaged_us", "when"),
        int("triaged_seq", "the entry that did"),
        int("imported", "1 if an import began it"),
        int("received_seq", "the entry that received it: its values are there"),
        int("first_seq", "its first entry"),
        int("last_seq", "its newest entry"),
    ],
    &[&["state", "received_seq"], &["received_seq"]],
);

/// One row a thing that an alert names.
pub static ALERT_LINK: Table = table(
    "alert_link",
    "what an alert names: technique, asset",
    3,
    &[
        text("alert", "its stream"),
        text("kind", "what kind of thing"),
        text("other", "its id or code"),
        int("seq", "the alert's first entry"),
    ],
    &[&["kind", "other"]],
);
