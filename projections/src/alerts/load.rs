//! Reading what queue and proposals are made of from `views.db`. Only groups with something open in them are read, whole.

use std::collections::{HashMap, HashSet};

use rusqlite::{Connection, OptionalExtension, params};

use super::correlate::{Item, Kind};
use super::queue::{Group, QueuedAlert, Threshold, group, suppress};

/// Whether a reader may see an alert, by the incidents that it is linked to.
pub type MaySee<'a> = &'a dyn Fn(&[String]) -> bool;

/// Which alerts to read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Read<'a> {
    /// Those that are counted together with an open one.
    Open,
    /// All of them.
    All,
    /// Those that are counted together with the alert of this entry.
    With(u64),
    /// Those that are counted together with this alert.
    WithAlert(&'a str),
}

const COLUMNS: &str = "SELECT alert.id, alert.source, alert.severity, alert.observed_us, alert.received_us,
    alert.last_observed_us, alert.count, alert.state, alert.received_seq, said_alert.grouped_by,
    coalesce(said_alert.title, said_alert.description), said_alert.rule, said_alert.host, said_alert.user
    FROM alert LEFT JOIN said_alert ON said_alert.seq = alert.received_seq";

/// The alerts that `may_see` admits.
///
/// # Errors
/// If the database can't be read.
pub fn alerts(db: &Connection, read: Read<'_>, may_see: MaySee<'_>) -> rusqlite::Result<Vec<QueuedAlert>> {
    let linked = linked(db)?;
    let mut alerts = match read {
        Read::All => rows(db, "WHERE alert.received_seq IS NOT NULL", params![])?,
        Read::Open => rows(
            db,
            "WHERE alert.received_seq IS NOT NULL AND (said_alert.grouped_by IS NULL OR said_alert.grouped_by IN
                (SELECT word.grouped_by FROM alert AS open JOIN said_alert AS word ON word.seq = open.received_seq
                 WHERE open.state IN ('new', 'investigate')))",
            params![],
        )?,
        Read::With(seq) => with(db, seq)?,
        Read::WithAlert(id) => {
            let sql = "SELECT received_seq FROM alert WHERE id = ?1 COLLATE NOCASE AND received_seq IS NOT NULL";
            match db.query_row(sql, [id], |row| row.get::<_, i64>(0)).optional()? {
                Some(seq) => with(db, u64::try_from(seq).unwrap_or(0))?,
                None => Vec::new(),
            }
        }
    };
    for alert in &mut alerts {
        if let Some(incidents) = linked.get(&alert.id.to_ascii_lowercase()) {
            alert.incidents.clone_from(&incidents.now);
        }
    }
    alerts.retain(|alert| match linked.get(&alert.id.to_ascii_lowercase()) {
        Some(incidents) => may_see(&incidents.all),
        None => may_see(&[]),
    });
    Ok(alerts)
}

fn with(db: &Connection, seq: u64) -> rusqlite::Result<Vec<QueuedAlert>> {
    rows(
        db,
        "WHERE alert.received_seq IN (SELECT ?1 UNION SELECT seq FROM said_alert WHERE grouped_by =
            (SELECT grouped_by FROM said_alert WHERE seq = ?1))",
        params![i64::try_from(seq).unwrap_or(i64::MAX)],
    )
}

fn rows(db: &Connection, condition: &str, params: impl rusqlite::Params) -> rusqlite::Result<Vec<QueuedAlert>> {
    let mut query = db.prepare_cached(&format!("{COLUMNS} {condition}"))?;
    let rows = query.query_map(params, |row| {
        let (observed_us, received_us): (i64, i64) = (row.get(3)?, row.get(4)?);
        let id: String = row.get(0)?;
        let at_us = observed_us.min(received_us);
        Ok(QueuedAlert {
            source: row.get(1)?,
            severity: row.get::<_, Option<i64>>(2)?.unwrap_or(0),
            at_us,
            last_us: if row.get::<_, i64>(5)? > observed_us { row.get(5)? } else { at_us },
            count: row.get(6)?,
            state: row.get(7)?,
            seq: u64::try_from(row.get::<_, i64>(8)?).unwrap_or(0),
            // An entry that the view of words has not: the alert stands alone.
            key: row.get::<_, Option<String>>(9)?.unwrap_or_else(|| id.clone()),
            title: row.get(10)?,
            rule: row.get(11)?,
            host: row.get(12)?,
            user: row.get(13)?,
            incidents: Vec::new(),
            id,
        })
    })?;
    rows.collect()
}

/// Incidents of an alert: those that stand for it now, and all that a reader must be allowed to read.
#[derive(Default)]
struct Linked {
    now: Vec<String>,
    all: Vec<String>,
}

/// By alert, in lower case. What was merged away stands for nothing any more: the incident that it was merged into does.
fn linked(db: &Connection) -> rusqlite::Result<HashMap<String, Linked>> {
    let mut query = db.prepare_cached("SELECT id, merged_into FROM incident WHERE merged_into IS NOT NULL")?;
    let merged = query.query_map([], |row| Ok((row.get::<_, String>(0)?.to_ascii_lowercase(), row.get(1)?)))?;
    let merged: HashMap<String, String> = merged.collect::<rusqlite::Result<_>>()?;
    let mut query = db.prepare_cached("SELECT other, incident FROM incident_link WHERE kind = 'alert'")?;
    let mut rows = query.query([])?;
    let mut linked: HashMap<String, Linked> = HashMap::new();
    while let Some(row) = rows.next()? {
        let of = linked.entry(row.get::<_, String>(0)?.to_ascii_lowercase()).or_default();
        let mut incident: String = row.get(1)?;
        let mut passed = HashSet::new();
        of.all.push(incident.clone());
        while let Some(into) = merged.get(&incident.to_ascii_lowercase())
            && passed.insert(incident.clone())
        {
            incident.clone_from(into);
            of.all.push(incident.clone());
        }
        if !of.now.contains(&incident) {
            of.now.push(incident);
        }
    }
    Ok(linked)
}

/// The newest threshold of each source, by the source in lower case.
///
/// # Errors
/// If the database can't be read.
pub fn thresholds(db: &Connection) -> rusqlite::Result<HashMap<String, Threshold>> {
    let mut query =
        db.prepare_cached("SELECT source, severity, per_hour, set_by, seq FROM triage_threshold ORDER BY seq")?;
    let rows = query.query_map([], |row| {
        let seq = u64::try_from(row.get::<_, i64>(4)?).unwrap_or(0);
        let source: String = row.get(0)?;
        let (severity, per_hour, set_by) = (row.get(1)?, row.get(2)?, row.get(3)?);
        Ok((source.clone(), Threshold { source, severity, per_hour, set_by, seq }))
    })?;
    rows.collect()
}

/// What alerts name beside host and user, by the entry that received each: of open ones.
///
/// # Errors
/// If the database can't be read.
pub fn items(db: &Connection) -> rusqlite::Result<HashMap<u64, Vec<Item>>> {
    let mut items: HashMap<u64, Vec<Item>> = HashMap::new();
    let mut take = |sql: &str| -> rusqlite::Result<()> {
        let mut query = db.prepare_cached(sql)?;
        let mut rows = query.query([])?;
        while let Some(row) = rows.next()? {
            let kind = match row.get_ref(1)?.as_str()? {
                "technique" => Kind::Technique,
                "asset" => Kind::Asset,
                _ => Kind::Observable,
            };
            let seq = u64::try_from(row.get::<_, i64>(0)?).unwrap_or(0);
            items.entry(seq).or_default().push(Item::new(kind, row.get_ref(2)?.as_str()?));
        }
        Ok(())
    };
    take(
        "SELECT alert.received_seq, alert_link.kind, alert_link.other FROM alert
         JOIN alert_link ON alert_link.alert = alert.id
         WHERE alert.state IN ('new', 'investigate') AND alert.received_seq IS NOT NULL",
    )?;
    take(
        "SELECT alert.received_seq, 'observable', said_observable.observable FROM alert
         JOIN said_observable ON said_observable.seq = alert.received_seq
         WHERE alert.state IN ('new', 'investigate')",
    )?;
    Ok(items)
}

/// The criteria by which was triaged last.
///
/// # Errors
/// If the database can't be read.
pub fn newest_criteria(db: &Connection) -> rusqlite::Result<Option<String>> {
    db.query_row(
        "SELECT criteria_version FROM alert WHERE criteria_version IS NOT NULL ORDER BY triaged_seq DESC LIMIT 1",
        [],
        |row| row.get(0),
    )
    .optional()
}

/// Groups with what is suppressed in them, and the thresholds that say so.
pub type Queue = (Vec<Group>, HashMap<String, Threshold>);

/// The queue of the alerts that `may_see` admits.
///
/// # Errors
/// If the database can't be read.
pub fn queue(db: &Connection, read: Read<'_>, window_us: i64, may_see: MaySee<'_>) -> rusqlite::Result<Queue> {
    let thresholds = thresholds(db)?;
    let mut groups = group(alerts(db, read, may_see)?, window_us);
    suppress(&mut groups, &thresholds);
    Ok((groups, thresholds))
}
