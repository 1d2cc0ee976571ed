//! In which order an incident's services are to be restored, how far that is, and which tickets and changes of other
//! systems belong to it.

use blotter_record::Id;
use rusqlite::Connection;

use crate::metrics::{id, seq};

/// A service in the order of restoration.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    /// The service.
    pub service: Id,
    /// The entry that decided the order.
    pub seq: u64,
    /// How it stands.
    pub standing: Standing,
}

/// The services of an incident that are to be restored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Restoration {
    /// Those in the order that was decided newest.
    pub order: Vec<Place>,
    /// Those that are, or were, interrupted and stand in no order.
    pub unordered: Vec<(Id, Standing)>,
}

/// How a service stands in an incident.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Standing {
    /// The incident says of no interruption.
    NotInterrupted,
    /// Interrupted since then, in microseconds since 1970.
    Down(i64),
    /// Resumed then, in microseconds since 1970.
    Up(i64),
}

/// How far the restoration of an incident's services is.
///
/// # Errors
/// If the database can't be read.
pub fn restoration(db: &Connection, incident: &Id) -> rusqlite::Result<Restoration> {
    let mut query = db.prepare_cached("SELECT service, seq FROM restoration WHERE incident = ?1 ORDER BY n")?;
    let order = query.query_map([incident.as_str()], |row| Ok((id(row, 0)?, seq(row, 1)?)))?;
    let order: Vec<(Id, u64)> = order.collect::<Result<_, _>>()?;
    // One that was interrupted again is down, whatever ended before.
    let mut query = db.prepare_cached(
        "SELECT service, max(CASE WHEN until_us IS NULL THEN from_us END), max(until_us) FROM outage
         WHERE incident = ?1 GROUP BY service ORDER BY min(from_us), service",
    )?;
    let standing = query.query_map([incident.as_str()], |row| {
        let standing = match (row.get(1)?, row.get(2)?) {
            (Some(since_us), _) => Standing::Down(since_us),
            (None, Some(until_us)) => Standing::Up(until_us),
            (None, None) => Standing::NotInterrupted,
        };
        Ok((id(row, 0)?, standing))
    })?;
    let standing: Vec<(Id, Standing)> = standing.collect::<Result<_, _>>()?;
    let places = order.iter().map(|(service, seq)| {
        let found = standing.iter().find(|(other, _)| other == service);
        Place { service: service.clone(), seq: *seq, standing: found.map_or(Standing::NotInterrupted, |(_, s)| *s) }
    });
    let unordered = standing.iter().filter(|(service, _)| order.iter().all(|(other, _)| other != service));
    Ok(Restoration { order: places.collect(), unordered: unordered.cloned().collect() })
}

/// Entries that link tickets and changes, in their order.
///
/// # Errors
/// If the database can't be read.
pub fn itsm_links(db: &Connection, incident: &Id) -> rusqlite::Result<Vec<u64>> {
    let mut query = db.prepare_cached("SELECT seq FROM itsm_link WHERE incident = ?1 ORDER BY seq")?;
    query.query_map([incident.as_str()], |row| seq(row, 0))?.collect()
}

/// Entries that link a ticket or a change and have these words, beside each other, in a value that nobody erased; oldest
/// first, each with its incident's stream. Whether the value is exactly this, the value itself says.
///
/// # Errors
/// If the database can't be read.
pub fn itsm_links_with(db: &Connection, words: &str) -> rusqlite::Result<Vec<(Id, u64)>> {
    let phrase = format!("\"{}\"", words.replace('"', "\"\""));
    // CROSS: the words first, which few entries have.
    let mut query = db.prepare_cached(
        "SELECT link.incident, link.seq FROM word CROSS JOIN itsm_link link ON link.seq = word.rowid
         WHERE word MATCH ?1 ORDER BY link.seq",
    )?;
    query.query_map([phrase], |row| Ok((id(row, 0)?, seq(row, 1)?)))?.collect()
}
