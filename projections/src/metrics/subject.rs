//! An incident as metrics see it: of its state only what numbers are measured and grouped by. It comes from the rows of
//! the view, or for an earlier moment from a fold; a test holds one against the other.

use std::collections::BTreeMap;

use blotter_record::{Event, Id, Instant, Precision};
use rusqlite::Connection;

use crate::incidents::{Case, Milestone, Reached};
use crate::views::Source;

/// An incident as metrics see it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Subject {
    /// Its stream.
    pub id: Id,
    /// As in the table `incident`.
    pub status: String,
    /// Its severity.
    pub severity: Option<i64>,
    /// Its category.
    pub category: Option<String>,
    /// Who leads it.
    pub lead: Option<String>,
    /// The newest verdict.
    pub verdict: Option<String>,
    /// Whether an import began it.
    pub imported: bool,
    /// When it reached what.
    pub reached: BTreeMap<Milestone, Reached>,
    /// Alerts and reports that it has.
    pub alerts: Vec<Id>,
    /// Interruptions of services.
    pub outages: Vec<Outage>,
    /// Entries that record costs.
    pub costs: Vec<u64>,
}

/// An interruption of a service, in one incident.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Outage {
    /// The service.
    pub service: Id,
    /// Since when, in microseconds since 1970.
    pub from_us: i64,
    /// Until when; `None`: it has not ended.
    pub until_us: Option<i64>,
}

impl Subject {
    /// An incident as a fold made it.
    pub fn of(id: &Id, case: &Case) -> Self {
        let incident = &case.incident;
        let made = |made: &Option<blotter_process::Made<String>>| made.as_ref().map(|made| made.value.clone());
        let ended = incident.outages.iter().map(|(service, from_us, until_us)| Outage {
            service: service.clone(),
            from_us: *from_us,
            until_us: Some(*until_us),
        });
        let open = incident.interrupted.iter().map(|(service, from)| Outage {
            service: service.clone(),
            from_us: from.value,
            until_us: None,
        });
        Self {
            id: id.clone(),
            status: incident.status().to_owned(),
            severity: incident.severity.as_ref().map(|made| made.value.level),
            category: made(&incident.category),
            lead: incident.lead.as_ref().map(|made| made.value.to_string()),
            verdict: made(&incident.verdict),
            imported: incident.imported,
            reached: case.milestones.clone(),
            alerts: incident.alerts.keys().cloned().collect(),
            outages: ended.chain(open).collect(),
            costs: incident.costs.clone(),
        }
    }

    /// Whether the verdict is that it was no incident.
    pub fn is_dismissed(&self) -> bool {
        self.verdict.as_deref().is_some_and(|verdict| matches!(verdict, "false-positive" | "benign" | "undetermined"))
    }
}

/// All incidents of a fold, in the order of their ids.
pub fn subjects_of(cases: &BTreeMap<Id, Case>) -> Vec<Subject> {
    let all = cases.iter().filter(|(_, case)| case.incident.first_seq.is_some());
    all.map(|(id, case)| Subject::of(id, case)).collect()
}

/// All incidents of the view, in the order of their ids.
///
/// # Errors
/// If the database can't be read.
pub fn subjects(db: &Connection) -> rusqlite::Result<Vec<Subject>> {
    let mut query = db.prepare_cached(
        "SELECT id, status, severity, category, lead, verdict, imported FROM incident ORDER BY id COLLATE BINARY",
    )?;
    let read = query.query_map([], |row| {
        Ok(Subject {
            id: id(row, 0)?,
            status: row.get(1)?,
            severity: row.get(2)?,
            category: row.get(3)?,
            lead: row.get(4)?,
            verdict: row.get(5)?,
            imported: row.get(6)?,
            reached: BTreeMap::new(),
            alerts: Vec::new(),
            outages: Vec::new(),
            costs: Vec::new(),
        })
    })?;
    let mut all: BTreeMap<String, Subject> = BTreeMap::new();
    for subject in read {
        let subject = subject?;
        all.insert(subject.id.to_string(), subject);
    }
    milestones(db, &mut all)?;
    hanging(db, &mut all)?;
    Ok(all.into_values().collect())
}

fn milestones(db: &Connection, all: &mut BTreeMap<String, Subject>) -> rusqlite::Result<()> {
    let mut query = db.prepare_cached("SELECT incident, name, at_us, seq, precision, late_us FROM milestone")?;
    let mut rows = query.query([])?;
    while let Some(row) = rows.next()? {
        let (incident, name, precision): (String, String, String) = (row.get(0)?, row.get(1)?, row.get(4)?);
        let milestone = Milestone::ALL.iter().find(|milestone| milestone.name() == name);
        if let (Some(subject), Some(milestone)) = (all.get_mut(&incident), milestone) {
            let precision = Precision::from_word(&precision).unwrap_or(Precision::Unknown);
            let reached = Reached { at_us: row.get(2)?, seq: seq(row, 3)?, precision, late_us: row.get(5)? };
            subject.reached.insert(*milestone, reached);
        }
    }
    Ok(())
}

fn hanging(db: &Connection, all: &mut BTreeMap<String, Subject>) -> rusqlite::Result<()> {
    let mut query =
        db.prepare_cached("SELECT incident, other FROM incident_link WHERE kind = 'alert' ORDER BY incident, other")?;
    let mut rows = query.query([])?;
    while let Some(row) = rows.next()? {
        if let Some(subject) = all.get_mut(&row.get::<_, String>(0)?) {
            subject.alerts.push(id(row, 1)?);
        }
    }
    let mut query =
        db.prepare_cached("SELECT incident, service, from_us, until_us FROM outage ORDER BY incident, n")?;
    let mut rows = query.query([])?;
    while let Some(row) = rows.next()? {
        if let Some(subject) = all.get_mut(&row.get::<_, String>(0)?) {
            let outage = Outage { service: id(row, 1)?, from_us: row.get(2)?, until_us: row.get(3)? };
            subject.outages.push(outage);
        }
    }
    let mut query = db.prepare_cached("SELECT incident, seq FROM cost ORDER BY incident, seq")?;
    let mut rows = query.query([])?;
    while let Some(row) = rows.next()? {
        if let Some(subject) = all.get_mut(&row.get::<_, String>(0)?) {
            subject.costs.push(seq(row, 1)?);
        }
    }
    Ok(())
}

/// A stream's id in a column. One that is none is somebody's hand in the database.
pub(crate) fn id(row: &rusqlite::Row<'_>, column: usize) -> rusqlite::Result<Id> {
    let text: String = row.get(column)?;
    text.parse().map_err(|error| {
        rusqlite::Error::FromSqlConversionFailure(column, rusqlite::types::Type::Text, Box::new(error))
    })
}

/// A seq in a column.
pub(crate) fn seq(row: &rusqlite::Row<'_>, column: usize) -> rusqlite::Result<u64> {
    row.get::<_, i64>(column).map(|seq| u64::try_from(seq).unwrap_or(0))
}

/// A seq in a column that may be NULL.
pub(crate) fn seq_or_none(row: &rusqlite::Row<'_>, column: usize) -> rusqlite::Result<Option<u64>> {
    row.get::<_, Option<i64>>(column).map(|seq| seq.and_then(|seq| u64::try_from(seq).ok()))
}

/// Looks up when the first alert of each incident was received, which stands in the alert's own stream.
///
/// # Errors
/// If the log can't be read.
pub fn add_alerted<S: Source>(source: &S, subjects: &mut [Subject]) -> Result<(), S::Error> {
    for subject in subjects {
        let mut first: Option<Reached> = None;
        for alert in &subject.alerts {
            let received = source.stream(alert, 0, 1)?.pop().and_then(|entry| received(&entry));
            if let Some(received) = received
                && first.is_none_or(|first| (received.at_us, received.seq) < (first.at_us, first.seq))
            {
                first = Some(received);
            }
        }
        subject.reached.extend(first.map(|first| (Milestone::Alerted, first)));
    }
    Ok(())
}

/// When an alert or report was received, if its first entry says so.
fn received(entry: &crate::views::LogEntry) -> Option<Reached> {
    let (placed, statement) = entry.said.as_ref()?;
    let at = match statement.event.known()? {
        Event::AlertReceived => statement.facts.instant("received_at"),
        Event::ReportReceived => statement.occurred.as_ref(),
        _ => None,
    };
    let at_us = at.map(Instant::unix_us)?;
    let late_us = statement.occurred.as_ref().map(|occurred| placed.recorded.unix_us() - occurred.unix_us());
    Some(Reached { at_us, seq: entry.seq, precision: Precision::Second, late_us })
}
