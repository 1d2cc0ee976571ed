//! The log index: which entries are there of a stream, an event, an actor, a time. Only facts are in it, so nothing of
//! it has to be erased; what is expunged leaves it.

use std::path::Path;

use blotter_record::{ActorId, Entry, Event, Hash, Id, Statement};
use rusqlite::types::Value;
use rusqlite::{Connection, OptionalExtension as _, Transaction, params};
use sha2::{Digest, Sha256};

use crate::catch_up::{Batch, Layout, Projection, Saving};
use crate::filter::Filter;
use crate::views::{LogEntry, Source, View, ViewError, Views, read_only, signed};

/// Its tables.
const SCHEMA: &str = "
CREATE TABLE log_entry (
    seq         INTEGER PRIMARY KEY,
    recorded_us INTEGER NOT NULL,
    occurred_us INTEGER,
    event       TEXT NOT NULL,
    actor       TEXT NOT NULL,
    sub         TEXT NOT NULL
) STRICT;
CREATE TABLE log_stream (
    stream TEXT NOT NULL COLLATE NOCASE,
    seq    INTEGER NOT NULL,
    PRIMARY KEY (stream, seq)
) STRICT, WITHOUT ROWID;
";
/// Their indexes.
const INDEXES: &str = "
CREATE INDEX IF NOT EXISTS log_entry_recorded ON log_entry (recorded_us);
CREATE INDEX IF NOT EXISTS log_entry_occurred ON log_entry (occurred_us);
CREATE INDEX IF NOT EXISTS log_entry_event ON log_entry (event);
CREATE INDEX IF NOT EXISTS log_entry_actor ON log_entry (actor);
";
/// What takes them away again.
const DROP: &str = "DROP TABLE IF EXISTS log_entry; DROP TABLE IF EXISTS log_stream;";

/// What the index knows of an entry.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Row {
    /// Its number.
    pub seq: u64,
    /// When it was recorded, in microseconds since 1970.
    pub recorded_us: i64,
    /// When it happened, as its actor says; the start of the interval if that is coarse.
    pub occurred_us: Option<i64>,
    /// Its event.
    pub event: String,
    /// Its actor; of a notarised statement, whom it is attributed to.
    pub actor: ActorId,
    /// Its streams: `sub`, then `about`.
    pub streams: Vec<Id>,
}

impl Row {
    /// The row of an entry.
    pub fn of(entry: &Entry, statement: &Statement) -> Self {
        Self {
            seq: entry.seq,
            recorded_us: entry.recorded.unix_us(),
            occurred_us: statement.occurred.as_ref().map(|at| at.unix_us()),
            event: statement.event.as_str().to_owned(),
            actor: statement.actor().clone(),
            streams: statement.streams().cloned().collect(),
        }
    }
}

/// What an entry does to the index.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Change {
    /// A row more.
    Put(Row),
    /// The row of this entry goes.
    Remove(u64),
}

/// What an entry does to the index. All events are alike to it but the one that takes an entry's bytes away; so a view
/// that saw these bytes and one that never did end up the same.
pub fn fold(entry: &LogEntry) -> Vec<Change> {
    let Some((entry, statement)) = &entry.said else { return Vec::new() };
    let mut changes = vec![Change::Put(Row::of(entry, statement))];
    if statement.event.known() == Some(Event::EntryExpunged) {
        let seq = statement.facts.int("seq").and_then(|seq| u64::try_from(seq).ok());
        changes.extend(seq.map(Change::Remove));
    }
    changes
}

/// The log index, caught up with a ledger.
pub struct LogIndex {
    pub(crate) db: Connection,
}

/// Its tables.
pub(crate) static LAYOUT: Layout = Layout {
    name: "log",
    version: 1,
    create: || SCHEMA.to_owned(),
    index: || INDEXES.to_owned(),
    drop: || DROP.to_owned(),
};

/// The fold behind the index.
pub(crate) struct LogRows;

impl<S: Source> Projection<S> for LogRows {
    fn fold(&mut self, _: &S, batch: &Batch<'_>) -> Result<Saving, S::Error> {
        let changes: Vec<Change> = batch.entries.iter().flat_map(fold).collect();
        Ok(Box::new(move |tx| save(tx, changes)))
    }
}

impl LogIndex {
    /// Opens the index in `path`, makes it if need be, and catches up with the log. `progress(done, size)` is told after
    /// each batch. A damaged file is thrown away and built anew.
    ///
    /// # Errors
    /// If the file can't be used, or the log can't be read.
    pub fn open<S: Source>(
        path: &Path,
        source: &S,
        progress: &mut dyn FnMut(u64, u64),
    ) -> Result<Self, ViewError<S::Error>> {
        Ok(Self { db: Views::open(path, &[View::Log], source, progress)?.into_db() })
    }

    /// The index as somebody else brought it up to date.
    ///
    /// # Errors
    /// If the file can't be read.
    pub fn read(path: &Path) -> rusqlite::Result<Self> {
        Ok(Self { db: read_only(path)? })
    }

    /// Seqs of the entries from `from` on and before `end` that the filter admits, at most `limit`.
    ///
    /// # Errors
    /// If the database can't be read.
    pub fn seqs(
        &self,
        filter: &Filter,
        (from, end): (u64, u64),
        newest_first: bool,
        limit: usize,
    ) -> rusqlite::Result<Vec<u64>> {
        let bounds: Vec<Value> = [from, end, limit as u64].into_iter().map(|n| signed(n).into()).collect();
        let (sql, values) = filter.sql(newest_first, bounds);
        let mut query = self.db.prepare_cached(&sql)?;
        let seqs = query.query_map(rusqlite::params_from_iter(values), |row| row.get::<_, i64>(0))?;
        seqs.map(|seq| seq.map(|seq| u64::try_from(seq).unwrap_or(0))).collect()
    }

    /// How many entries were recorded by `until_us` (microseconds since 1970): all up to the last one that was. Times fall
    /// only where the clock stepped, so between two such places they are searched in halves.
    ///
    /// # Errors
    /// If the database can't be read.
    pub fn size_at(&self, until_us: i64) -> rusqlite::Result<u64> {
        let bound = |sql: &str| self.db.query_row(sql, [], |row| row.get::<_, Option<i64>>(0));
        let Some(last) = bound("SELECT max(seq) FROM log_entry")? else { return Ok(0) };
        let mut steps =
            self.db.prepare_cached("SELECT seq FROM log_entry WHERE event = 'clock.stepped' ORDER BY seq")?;
        let mut starts: Vec<i64> = steps.query_map([], |row| row.get(0))?.collect::<rusqlite::Result<_>>()?;
        starts.insert(0, 0);
        let mut end = last + 1;
        for start in starts.into_iter().rev() {
            // The first seq in start..end that was recorded later; a gap left by an expunged entry counts as its successor.
            let (mut low, mut high) = (start, end);
            while low < high {
                let middle = low + (high - low) / 2;
                let mut next = self.db.prepare_cached(
                    "SELECT recorded_us FROM log_entry WHERE seq >= ?1 AND seq < ?2 ORDER BY seq LIMIT 1",
                )?;
                let recorded: Option<i64> = next.query_row([middle, end], |row| row.get(0)).optional()?;
                if recorded.is_some_and(|at_us| at_us <= until_us) {
                    low = middle + 1;
                } else {
                    high = middle;
                }
            }
            if low > start {
                return Ok(u64::try_from(low).unwrap_or(0));
            }
            end = start;
        }
        Ok(0)
    }

    /// SHA-256 over all rows in the order of their keys: the same for the same log, however the view came to be.
    ///
    /// # Errors
    /// If the database can't be read.
    pub fn digest(&self) -> rusqlite::Result<Hash> {
        self.digest_of(u64::MAX)
    }

    /// As [`LogIndex::digest`], of the rows of entries before `end`.
    ///
    /// # Errors
    /// If the database can't be read.
    pub fn digest_of(&self, end: u64) -> rusqlite::Result<Hash> {
        let mut hasher = Sha256::new();
        hasher.update("blotter/view/log/1\n");
        let mut entries = self.db.prepare(
            "SELECT seq, recorded_us, occurred_us, event, actor, sub FROM log_entry WHERE seq < ?1 ORDER BY seq",
        )?;
        let mut rows = entries.query([signed(end)])?;
        while let Some(row) = rows.next()? {
            let occurred = row.get::<_, Option<i64>>(2)?.map_or(String::new(), |at_us| at_us.to_string());
            let (seq, recorded): (i64, i64) = (row.get(0)?, row.get(1)?);
            let (event, actor, sub): (String, String, String) = (row.get(3)?, row.get(4)?, row.get(5)?);
            hasher.update(format!("{seq}\t{recorded}\t{occurred}\t{event}\t{actor}\t{sub}\n"));
        }
        // By code point, as strings compare in this format, and not as the index collates.
        let mut streams =
            self.db.prepare("SELECT stream, seq FROM log_stream WHERE seq < ?1 ORDER BY stream COLLATE BINARY, seq")?;
        let mut rows = streams.query([signed(end)])?;
        while let Some(row) = rows.next()? {
            let (stream, seq): (String, i64) = (row.get(0)?, row.get(1)?);
            hasher.update(format!("{stream}\t{seq}\n"));
        }
        Ok(Hash(hasher.finalize().into()))
    }
}

/// Writes changes: first the rows, then what takes some away again, which comes behind them in the log.
fn save(tx: &Transaction<'_>, changes: Vec<Change>) -> rusqlite::Result<()> {
    let (mut links, mut removed) = (Vec::new(), Vec::new());
    let mut put = tx.prepare_cached(
        "INSERT OR REPLACE INTO log_entry (seq, recorded_us, occurred_us, event, actor, sub)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
    )?;
    for change in changes {
        match change {
            Change::Put(row) => {
                let seq = signed(row.seq);
                let sub = row.streams.first().map_or("", Id::as_str);
                put.execute(params![seq, row.recorded_us, row.occurred_us, row.event, row.actor.as_str(), sub])?;
                links.extend(row.streams.into_iter().map(|stream| (stream, seq)));
            }
            Change::Remove(seq) => removed.push(signed(seq)),
        }
    }
    // In the order of their table, whose places are found sooner so.
    links.sort_unstable();
    let mut link = tx.prepare_cached("INSERT OR REPLACE INTO log_stream (stream, seq) VALUES (?1, ?2)")?;
    for (stream, seq) in links {
        link.execute(params![stream.as_str(), seq])?;
    }
    for seq in removed {
        tx.execute("DELETE FROM log_entry WHERE seq = ?1", [seq])?;
        // Rare: two people must have ordered it. So no index is kept for it.
        tx.execute("DELETE FROM log_stream WHERE seq = ?1", [seq])?;
    }
    Ok(())
}
