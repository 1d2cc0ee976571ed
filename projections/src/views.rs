//! `views.db`: the file that views live in, and the runner that brings them up to date. It may be deleted at any time.
//! A view knows how far it got and in which log; if that log is another now, or was cut or rewritten, it starts anew.

use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::facts::Fold;
use crate::log_index::LogRows;
use crate::words::WordRows;
use blotter_record::{Entry, Hash, Id, Json, Jti, Statement};
use rusqlite::{Connection, ErrorCode, OpenFlags, OptionalExtension, Transaction, TransactionBehavior, params};
use sha2::{Digest as _, Sha256};

/// The file's name in a ledger's directory.
pub const VIEWS: &str = "views.db";

/// Entries folded and saved at once.
pub(crate) const BATCH_ENTRIES: usize = 16_384;
/// How long another process may hold the file before we do without it.
const BUSY_MS_MAX: u64 = 2_000;
/// The format of the table of positions.
const LAYOUT: i64 = 1;

/// An entry to be folded.
#[derive(Debug, Clone)]
pub struct LogEntry {
    /// Its number.
    pub seq: u64,
    /// Its leaf hash.
    pub leaf: Hash,
    /// The entry and its statement; `None` if it was expunged.
    pub said: Option<(Entry, Statement)>,
}

/// A log to be folded: entries that are committed, and never change but by being expunged.
pub trait Source {
    /// Why it can't be read.
    type Error;

    /// How many entries there are.
    ///
    /// # Errors
    /// If the log can't be read.
    fn size(&self) -> Result<u64, Self::Error>;

    /// The leaf hash of an entry that is there.
    ///
    /// # Errors
    /// If the log can't be read.
    fn leaf(&self, seq: u64) -> Result<Hash, Self::Error>;

    /// Up to `limit` entries from `from` on.
    ///
    /// # Errors
    /// If the log can't be read.
    fn entries(&self, from: u64, limit: usize) -> Result<Vec<LogEntry>, Self::Error>;

    /// Up to `limit` entries of a stream, from its entry `from_n` on; expunged ones among them.
    ///
    /// # Errors
    /// If the log can't be read.
    fn stream(&self, stream: &Id, from_n: u64, limit: usize) -> Result<Vec<LogEntry>, Self::Error>;

    /// The disclosed values of an entry that the vault still has: names and values, as JSON.
    ///
    /// # Errors
    /// If the log can't be read.
    fn values(&self, seq: u64) -> Result<Vec<(String, Json)>, Self::Error>;

    /// The entry that holds the statement of that id.
    ///
    /// # Errors
    /// If the log can't be read.
    fn seq_of(&self, jti: &Jti) -> Result<Option<u64>, Self::Error>;
}

/// A view: rows that are a function of the log.
pub(crate) trait View {
    /// Its name; its tables' names begin otherwise than those of other views.
    const NAME: &'static str;
    /// Changes whenever the rows would: then the view is built anew.
    const VERSION: i64;

    /// Its name and version.
    fn version() -> (&'static str, i64) {
        (Self::NAME, Self::VERSION)
    }

    /// The statements that make its tables.
    fn create() -> String;

    /// The statements that take them away.
    fn drop() -> String;

    /// Takes entries that follow each other, the first being `at`.
    ///
    /// # Errors
    /// If the log can't be read, or the database can't be written.
    fn take<S: Source>(
        &mut self,
        tx: &Transaction<'_>,
        source: &S,
        at: u64,
        entries: &[LogEntry],
    ) -> Result<(), Failed<S::Error>>;
}

/// SHA-256 over the digests of a view's tables.
pub(crate) fn over<V: View>(digests: impl Iterator<Item = Hash>) -> Hash {
    let hasher = Sha256::new().chain_update(format!("blotter/view/{}/{}\n", V::NAME, V::VERSION));
    Hash(digests.fold(hasher, |hasher, digest| hasher.chain_update(digest.0)).finalize().into())
}

/// Why there is no view.
#[derive(Debug, thiserror::Error)]
pub enum ViewError<E> {
    /// The file can't be used: read-only, held by somebody else, or the disk is full. The log itself can still be scanned.
    #[error("{}: {cause}", .path.display())]
    Unusable {
        /// The file.
        path: PathBuf,
        /// What the database said.
        cause: rusqlite::Error,
    },
    /// The log can't be read.
    #[error(transparent)]
    Source(E),
    /// The log grows faster than two views can be brought to the same size.
    #[error("the log grows faster than views can be compared; try again when less comes in")]
    Restless,
}

/// `views.db` to be read, whatever is in it.
///
/// # Errors
/// If it can't be opened.
pub fn read_only(path: &Path) -> rusqlite::Result<Connection> {
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let db = Connection::open_with_flags(path, flags)?;
    db.busy_timeout(Duration::from_millis(BUSY_MS_MAX))?;
    Ok(db)
}

/// Whether the views in a file are of another version of this program than theirs now: they can still be read, as far as
/// they have what is asked for, but are to be built anew.
pub fn is_stale(path: &Path) -> bool {
    let version = |db: &Connection, name: &str| {
        db.query_row("SELECT version FROM view WHERE name = ?1", [name], |row| row.get::<_, i64>(0)).optional()
    };
    let differs = |db: &Connection| {
        let known = [LogRows::version(), Fold::version(), WordRows::version()];
        known.iter().any(|(name, now)| version(db, name).is_ok_and(|version| version.is_some_and(|then| then != *now)))
    };
    path.exists() && read_only(path).is_ok_and(|db| differs(&db))
}

/// How many entries the view of facts in a file has.
///
/// # Errors
/// If it can't be read.
pub fn facts_size(db: &Connection) -> rusqlite::Result<u64> {
    let size = db.query_row("SELECT size FROM view WHERE name = ?1", [Fold::NAME], |row| row.get::<_, i64>(0));
    size.optional().map(|size| size.map_or(0, i64::unsigned_abs))
}

/// Opens `views.db`, and throws away a damaged one.
pub(crate) fn with_views<T, E>(
    path: &Path,
    mut then: impl FnMut(Connection) -> Result<T, Failed<E>>,
) -> Result<T, ViewError<E>> {
    let mut once = || then(connect(path)?);
    match once() {
        Err(Failed::Database(cause)) if is_damaged(&cause) => {
            remove(path);
            once()
        }
        done => done,
    }
    .map_err(|failed| unusable(path, failed))
}

pub(crate) fn unusable<E>(path: &Path, failed: Failed<E>) -> ViewError<E> {
    match failed {
        Failed::Database(cause) => ViewError::Unusable { path: path.to_owned(), cause },
        Failed::Source(cause) => ViewError::Source(cause),
    }
}

/// The answer of a view that was asked in `db`.
pub(crate) fn answer<T, E>(db: &Connection, result: Result<T, Failed<E>>) -> Result<T, ViewError<E>> {
    result.map_err(|failed| unusable(Path::new(db.path().unwrap_or_default()), failed))
}

pub(crate) enum Failed<E> {
    Database(rusqlite::Error),
    Source(E),
}

impl<E> From<rusqlite::Error> for Failed<E> {
    fn from(error: rusqlite::Error) -> Self {
        Self::Database(error)
    }
}

/// Brings a view up to the end of the log. `progress(done, size)` is told after each batch. Says how far it is.
pub(crate) fn catch_up<V: View, S: Source>(
    db: &mut Connection,
    view: &mut V,
    source: &S,
    progress: &mut dyn FnMut(u64, u64),
) -> Result<u64, Failed<S::Error>> {
    let genesis = source.leaf(0).map_err(Failed::Source)?;
    loop {
        let size = source.size().map_err(Failed::Source)?;
        // Where we are is read in the transaction that moves us: another process may be catching up, too.
        let tx = db.transaction_with_behavior(TransactionBehavior::Immediate)?;
        let at = position::<V, S>(&tx, source, &genesis, size)?;
        let entries = if at < size { source.entries(at, BATCH_ENTRIES).map_err(Failed::Source)? } else { Vec::new() };
        let Some(last) = entries.last() else {
            tx.commit()?;
            return Ok(at);
        };
        view.take(&tx, source, at, &entries)?;
        let done = last.seq + 1;
        tx.execute(
            "UPDATE view SET size = ?2, leaf = ?3 WHERE name = ?1",
            params![V::NAME, signed(done), last.leaf.0.as_slice()],
        )?;
        tx.commit()?;
        progress(done, size.max(done));
    }
}

pub(crate) fn connect(path: &Path) -> rusqlite::Result<Connection> {
    make_private(path);
    let db = Connection::open(path)?;
    db.busy_timeout(Duration::from_millis(BUSY_MS_MAX))?;
    db.pragma_update_and_check(None, "journal_mode", "wal", |_| Ok(()))?;
    // Whatever a power loss takes is folded again.
    db.pragma_update(None, "synchronous", "normal")?;
    db.pragma_update(None, "trusted_schema", false)?;
    db.pragma_update(None, "cache_size", -64 * 1024)?;
    let layout: i64 = db.pragma_query_value(None, "user_version", |row| row.get(0))?;
    if layout != LAYOUT {
        db.execute_batch(
            "CREATE TABLE IF NOT EXISTS view (
                 name    TEXT PRIMARY KEY,
                 version INTEGER NOT NULL,
                 genesis BLOB NOT NULL,      -- leaf hash of entry 0
                 size    INTEGER NOT NULL,   -- entries folded
                 leaf    BLOB NOT NULL       -- leaf hash of the last of them
             ) STRICT;
             PRAGMA user_version = 1;",
        )?;
    }
    Ok(db)
}

/// How many entries the view has of this very log; one of another log, or of another version, is emptied first.
fn position<V: View, S: Source>(
    tx: &Transaction<'_>,
    source: &S,
    genesis: &Hash,
    size: u64,
) -> Result<u64, Failed<S::Error>> {
    let known: Option<(i64, [u8; 32], i64, [u8; 32])> = tx
        .query_row("SELECT version, genesis, size, leaf FROM view WHERE name = ?1", [V::NAME], |row| {
            Ok((row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?))
        })
        .optional()?;
    if let Some((version, of, at, leaf)) = known
        && version == V::VERSION
        && of == genesis.0
        && let Ok(at) = u64::try_from(at)
        && at <= size
        && (at == 0 || source.leaf(at - 1).map_err(Failed::Source)?.0 == leaf)
    {
        return Ok(at);
    }
    tx.execute_batch(&V::drop())?;
    tx.execute_batch(&V::create())?;
    tx.execute(
        "INSERT OR REPLACE INTO view (name, version, genesis, size, leaf) VALUES (?1, ?2, ?3, 0, zeroblob(32))",
        params![V::NAME, V::VERSION, genesis.0.as_slice()],
    )?;
    Ok(0)
}

/// Actors and streams are not for everybody on the machine; the database makes its other files with the mode of this.
fn make_private(path: &Path) {
    use std::os::unix::fs::OpenOptionsExt;
    // If it can't be made, opening it says why.
    let _ = std::fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(path);
}

fn is_damaged(error: &rusqlite::Error) -> bool {
    let code = error.sqlite_error_code();
    matches!(code, Some(ErrorCode::NotADatabase | ErrorCode::DatabaseCorrupt)) || is_strange(error)
}

/// Tables that are not ours, or rows that are not of our types: somebody else's database, or a hand in ours.
fn is_strange(error: &rusqlite::Error) -> bool {
    matches!(error, rusqlite::Error::InvalidColumnType(..) | rusqlite::Error::FromSqlConversionFailure(..))
        || error.sqlite_error_code() == Some(ErrorCode::Unknown)
}

pub(crate) fn remove(path: &Path) {
    for suffix in ["", "-wal", "-shm"] {
        let mut name = path.as_os_str().to_owned();
        name.push(suffix);
        let _ = std::fs::remove_file(name);
    }
}

pub(crate) fn signed(n: u64) -> i64 {
    i64::try_from(n).unwrap_or(i64::MAX)
}
