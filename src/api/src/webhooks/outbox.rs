//! What is to be sent, and what became of it: a database of its own beside the ledger's. It is no part of the record: what
//! counts of it, the ledger records as `webhook.delivered`.

use std::path::Path;

use blotter_record::Id;
use rusqlite::{Connection, OptionalExtension, params};

/// Its file in the ledger's directory.
pub const OUTBOX: &str = "outbox.db";

const SCHEMA: &str = "
CREATE TABLE IF NOT EXISTS position (endpoint TEXT PRIMARY KEY, seq INTEGER NOT NULL) STRICT;
CREATE TABLE IF NOT EXISTS delivery (
    id       INTEGER PRIMARY KEY,
    endpoint TEXT NOT NULL,
    seq      INTEGER NOT NULL,
    jti      TEXT NOT NULL,
    state    TEXT NOT NULL,
    tries    INTEGER NOT NULL,
    next_us  INTEGER NOT NULL,
    why      TEXT,
    UNIQUE (endpoint, seq)
) STRICT;
CREATE INDEX IF NOT EXISTS due ON delivery (endpoint, state, next_us);";

/// Why the outbox can't be used.
#[derive(Debug, thiserror::Error)]
pub enum OutboxError {
    /// The database failed.
    #[error("{OUTBOX}: {0}")]
    Database(#[from] rusqlite::Error),
    /// A thread could not be started.
    #[error("starting a thread: {0}")]
    Thread(String),
}

/// What became of a delivery.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum State {
    /// It is to be tried, or tried again.
    Waiting,
    /// The endpoint took it.
    Delivered,
    /// It was given up.
    Dead,
}

impl State {
    /// Its name.
    pub fn name(self) -> &'static str {
        match self {
            Self::Waiting => "waiting",
            Self::Delivered => "delivered",
            Self::Dead => "dead",
        }
    }
}

/// An entry for an endpoint.
#[derive(Debug, Clone)]
pub struct Delivery {
    /// Its number in the outbox.
    pub id: i64,
    /// For whom.
    pub endpoint: String,
    /// The entry.
    pub seq: u64,
    /// The statement in it.
    pub jti: String,
    /// How often it was tried.
    pub tries: u32,
    /// When it is tried next, in microseconds since 1970.
    pub next_us: i64,
    /// Why it failed the last time.
    pub why: Option<String>,
}

impl Delivery {
    /// `webhook-id`: the same at every try, so a receiver can tell a repeat.
    pub fn message_id(&self) -> String {
        format!("msg_{}", self.jti)
    }
}

/// The outbox, open.
pub struct Outbox(Connection);

impl Outbox {
    /// Opens the outbox at `path`, or makes it.
    ///
    /// # Errors
    /// If the database can't be opened.
    pub fn open(path: &Path) -> Result<Self, OutboxError> {
        let db = Connection::open(path)?;
        db.busy_timeout(std::time::Duration::from_secs(5))?;
        db.pragma_update(None, "journal_mode", "wal")?;
        db.execute_batch(SCHEMA)?;
        Ok(Self(db))
    }

    /// Begins an endpoint at `seq`, if it is new.
    pub(crate) fn begin(&self, endpoint: &Id, seq: u64) -> Result<(), OutboxError> {
        let sql = "INSERT OR IGNORE INTO position (endpoint, seq) VALUES (?1, ?2)";
        self.0.execute(sql, params![endpoint.as_str(), signed(seq)])?;
        Ok(())
    }

    /// The first entry that was not looked at yet.
    pub(crate) fn position(&self, endpoint: &Id) -> Result<u64, OutboxError> {
        let sql = "SELECT seq FROM position WHERE endpoint = ?1";
        let seq: i64 = self.0.query_row(sql, [endpoint.as_str()], |row| row.get(0))?;
        Ok(u64::try_from(seq).unwrap_or(0))
    }

    /// Takes in entries, and moves on to `next`; both or neither.
    pub(crate) fn put(
        &mut self,
        endpoint: &Id,
        next: u64,
        chosen: &[(u64, String)],
        now_us: i64,
    ) -> Result<(), OutboxError> {
        let tx = self.0.transaction()?;
        for (seq, jti) in chosen {
            tx.execute(
                "INSERT OR IGNORE INTO delivery (endpoint, seq, jti, state, tries, next_us) VALUES (?1, ?2, ?3, 'waiting', 0, ?4)",
                params![endpoint.as_str(), signed(*seq), jti, now_us],
            )?;
        }
        tx.execute("UPDATE position SET seq = ?2 WHERE endpoint = ?1", params![endpoint.as_str(), signed(next)])?;
        tx.commit()?;
        Ok(())
    }

    /// The delivery that is due first.
    pub(crate) fn due(&self, endpoint: &Id, now_us: i64) -> Result<Option<Delivery>, OutboxError> {
        let sql = "SELECT id, endpoint, seq, jti, tries, next_us, why FROM delivery
                   WHERE endpoint = ?1 AND state = 'waiting' AND next_us <= ?2 ORDER BY next_us, seq LIMIT 1";
        Ok(self.0.query_row(sql, params![endpoint.as_str(), now_us], delivery).optional()?)
    }

    /// It is over with this one.
    pub(crate) fn settle(
        &self,
        delivery: &Delivery,
        state: State,
        tries: u32,
        why: Option<&str>,
    ) -> Result<(), OutboxError> {
        let sql = "UPDATE delivery SET state = ?2, tries = ?3, why = ?4 WHERE id = ?1";
        self.0.execute(sql, params![delivery.id, state.name(), tries, why])?;
        Ok(())
    }

    /// It is tried again at `next_us`.
    pub(crate) fn retry(&self, delivery: &Delivery, tries: u32, next_us: i64, why: &str) -> Result<(), OutboxError> {
        let sql = "UPDATE delivery SET tries = ?2, next_us = ?3, why = ?4 WHERE id = ?1";
        self.0.execute(sql, params![delivery.id, tries, next_us, why])?;
        Ok(())
    }

    /// Deliveries in this state, the oldest first, at most `limit`.
    ///
    /// # Errors
    /// If the database can't be read.
    pub fn list(&self, state: State, limit: usize) -> Result<Vec<Delivery>, OutboxError> {
        let sql =
            "SELECT id, endpoint, seq, jti, tries, next_us, why FROM delivery WHERE state = ?1 ORDER BY id LIMIT ?2";
        let mut query = self.0.prepare(sql)?;
        let rows = query.query_map(params![state.name(), i64::try_from(limit).unwrap_or(i64::MAX)], delivery)?;
        Ok(rows.collect::<Result<_, _>>()?)
    }

    /// How many are in this state.
    ///
    /// # Errors
    /// If the database can't be read.
    pub fn count(&self, state: State) -> Result<u64, OutboxError> {
        let count: i64 =
            self.0.query_row("SELECT count(*) FROM delivery WHERE state = ?1", [state.name()], |row| row.get(0))?;
        Ok(u64::try_from(count).unwrap_or(0))
    }

    /// Has dead deliveries tried again from the beginning: that one, or all. Says how many.
    ///
    /// # Errors
    /// If the database can't be written.
    pub fn replay(&self, id: Option<i64>, now_us: i64) -> Result<usize, OutboxError> {
        let sql = "UPDATE delivery SET state = 'waiting', tries = 0, next_us = ?2
                   WHERE state = 'dead' AND (?1 IS NULL OR id = ?1)";
        Ok(self.0.execute(sql, params![id, now_us])?)
    }
}

fn delivery(row: &rusqlite::Row<'_>) -> rusqlite::Result<Delivery> {
    let seq: i64 = row.get(2)?;
    Ok(Delivery {
        id: row.get(0)?,
        endpoint: row.get(1)?,
        seq: u64::try_from(seq).unwrap_or(0),
        jti: row.get(3)?,
        tries: row.get(4)?,
        next_us: row.get(5)?,
        why: row.get(6)?,
    })
}

fn signed(n: u64) -> i64 {
    i64::try_from(n).unwrap_or(i64::MAX)
}
