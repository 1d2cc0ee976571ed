//! `views.db`: the file that views live in, and which of them there are. It may be deleted at any time.

use std::path::{Path, PathBuf};
use std::time::Duration;

use blotter_record::{Entry, Hash, Id, Json, Jti, Statement};
use rusqlite::config::DbConfig;
use rusqlite::{Connection, ErrorCode, OpenFlags, OptionalExtension};
use sha2::{Digest as _, Sha256};

use crate::alerts::words::{self as alert_words, AlertRows};
use crate::catch_up::{Layout, Projection, catch_up, index};
use crate::facts::{self, Fold};
use crate::log_index::{self, LogRows};
use crate::words::{self, WordRows};

/// The file's name in a ledger's directory.
pub const VIEWS: &str = "views.db";

/// How long another process may hold the file before we do without it.
const BUSY_MS_MAX: u64 = 2_000;
/// Pages of the file that are kept in memory, in KiB; and while indexes are made.
const PAGES_KIB: i64 = 64 * 1024;
const SORTED_KIB: i64 = 16 * 1024;
/// Statements that are kept prepared: two a table, and some more.
const STATEMENTS: usize = 128;
/// The format of the table of positions.
const FORMAT: i64 = 1;

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

/// Names of disclosed values, and the values.
pub type Values = Vec<(String, Json)>;

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

    /// The disclosed values, which the vault still has, of the entries from `from` on and before `end`: of each that has
    /// any, in the order of the log, names and values as JSON.
    ///
    /// # Errors
    /// If the log can't be read.
    fn values_between(&self, from: u64, end: u64) -> Result<Vec<(u64, Values)>, Self::Error>;

    /// Those of one entry.
    ///
    /// # Errors
    /// If the log can't be read.
    fn values(&self, seq: u64) -> Result<Values, Self::Error> {
        Ok(self.values_between(seq, seq.saturating_add(1))?.pop().map(|(_, values)| values).unwrap_or_default())
    }

    /// The entry that holds the statement of that id.
    ///
    /// # Errors
    /// If the log can't be read.
    fn seq_of(&self, jti: &Jti) -> Result<Option<u64>, Self::Error>;
}

/// A view: rows that are a function of the log.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum View {
    /// Which entries there are of a stream, an event, an actor, a time.
    Log,
    /// What the streams add up to.
    Facts,
    /// Full text over the values that the vault still has.
    Words,
    /// What alerts say, of these values.
    Alerts,
}

impl View {
    /// All of them.
    pub const ALL: &'static [Self] = &[Self::Log, Self::Facts, Self::Words, Self::Alerts];

    fn layout(self) -> &'static Layout {
        match self {
            Self::Log => &log_index::LAYOUT,
            Self::Facts => &facts::LAYOUT,
            Self::Words => &words::LAYOUT,
            Self::Alerts => &alert_words::LAYOUT,
        }
    }
}

/// Views of a ledger that are kept up together: what they all need of the log is read and parsed once.
pub struct Views {
    db: Connection,
    path: PathBuf,
    which: &'static [View],
    log: LogRows,
    facts: Fold,
    words: WordRows,
    alerts: AlertRows,
    at: u64,
    /// Whether all indexes are known to be there.
    indexed: bool,
}

impl Views {
    /// Opens the views in `path`, makes them if need be, and catches up with the log. `progress(done, size)` is told after
    /// each batch. A damaged file is thrown away and built anew.
    ///
    /// # Errors
    /// If the file can't be used, or the log can't be read.
    pub fn open<S: Source>(
        path: &Path,
        which: &'static [View],
        source: &S,
        progress: &mut dyn FnMut(u64, u64),
    ) -> Result<Self, ViewError<S::Error>> {
        let mut views = Self::begin(path, which)?;
        views.catch_up(source, progress)?;
        views.index()?;
        Ok(views)
    }

    /// Opens the views in `path` as they are, to be caught up step by step. Of views that are made here, the indexes are to
    /// be made after the last step.
    ///
    /// # Errors
    /// If the file can't be used.
    pub fn begin<E>(path: &Path, which: &'static [View]) -> Result<Self, ViewError<E>> {
        let db = connect_anew(path).map_err(|cause| unusable(path, Failed::Database(cause)))?;
        let (log, facts, words, alerts) = (LogRows, Fold::default(), WordRows, AlertRows);
        Ok(Self { db, path: path.to_owned(), which, log, facts, words, alerts, at: 0, indexed: false })
    }

    /// Makes the indexes that are not there yet.
    ///
    /// # Errors
    /// If the file can't be used.
    pub fn index<E>(&mut self) -> Result<(), ViewError<E>> {
        self.make_indexes().map_err(|cause| unusable(&self.path, Failed::Database(cause)))
    }

    fn make_indexes(&mut self) -> rusqlite::Result<()> {
        if !self.indexed {
            // What is sorted has room beside the pages.
            self.db.pragma_update(None, "cache_size", -SORTED_KIB)?;
            index(&mut self.db, self.which.iter().map(|view| view.layout()))?;
            self.db.pragma_update(None, "cache_size", -PAGES_KIB)?;
            self.indexed = true;
        }
        Ok(())
    }

    /// Catches up with the log. `progress(done, size)` is told after each batch. A damaged file is thrown away and built
    /// anew.
    ///
    /// # Errors
    /// If the file can't be used, or the log can't be read.
    pub fn catch_up<S: Source>(
        &mut self,
        source: &S,
        progress: &mut dyn FnMut(u64, u64),
    ) -> Result<(), ViewError<S::Error>> {
        let done = match self.go_on(source, progress) {
            Err(Failed::Database(cause)) if is_damaged(&cause) => {
                self.begin_anew().map_err(Failed::Database).and_then(|()| self.go_on(source, progress))
            }
            done => done,
        };
        done.map_err(|failed| unusable(&self.path, failed))
    }

    /// Throws the file away. What is open is closed before: closing takes the write-ahead log of that name away.
    fn begin_anew(&mut self) -> rusqlite::Result<()> {
        self.db = Connection::open_in_memory()?;
        remove(&self.path);
        (self.db, self.indexed) = (connect(&self.path)?, false);
        Ok(())
    }

    fn go_on<S: Source>(&mut self, source: &S, progress: &mut dyn FnMut(u64, u64)) -> Result<(), Failed<S::Error>> {
        let Self { db, which, log, facts, words, alerts, .. } = self;
        let all: [(View, &mut (dyn Projection<S> + 'static)); 4] =
            [(View::Log, log), (View::Facts, facts), (View::Words, words), (View::Alerts, alerts)];
        let wanted = all.into_iter().filter(|(view, _)| which.contains(view));
        let mut wanted: Vec<_> = wanted.map(|(view, fold)| (view.layout(), fold)).collect();
        let reached = catch_up(db, &mut wanted, source, progress)?;
        self.at = reached.at;
        self.indexed &= !reached.made;
        Ok(())
    }

    /// How many entries all of them have.
    pub fn size(&self) -> u64 {
        self.at
    }

    /// The database, to be read.
    pub fn db(&self) -> &Connection {
        &self.db
    }

    pub(crate) fn into_db(self) -> Connection {
        self.db
    }
}

/// SHA-256 over the digests of a view's tables.
pub(crate) fn over(view: &Layout, digests: impl Iterator<Item = Hash>) -> Hash {
    let hasher = Sha256::new().chain_update(format!("blotter/view/{}/{}\n", view.name, view.version));
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
    steady(&db)?;
    Ok(db)
}

/// What every connection has. A statement is planned once and stays prepared: without this, the planner looks at each new
/// bound of a range.
fn steady(db: &Connection) -> rusqlite::Result<()> {
    db.busy_timeout(Duration::from_millis(BUSY_MS_MAX))?;
    db.set_prepared_statement_cache_capacity(STATEMENTS);
    db.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_QPSG, true).map(drop)
}

/// Whether the views in a file are of another version of this program than theirs now: they can still be read, as far as
/// they have what is asked for, but are to be built anew.
pub fn is_stale(path: &Path) -> bool {
    let version = |db: &Connection, name: &str| {
        db.query_row("SELECT version FROM view WHERE name = ?1", [name], |row| row.get::<_, i64>(0)).optional()
    };
    let differs = |db: &Connection| {
        let mut known = View::ALL.iter().map(|view| view.layout());
        known.any(|view| version(db, view.name).is_ok_and(|then| then.is_some_and(|then| then != view.version)))
    };
    path.exists() && read_only(path).is_ok_and(|db| differs(&db))
}

/// How many entries the view of facts in a file has.
///
/// # Errors
/// If it can't be read.
pub fn facts_size(db: &Connection) -> rusqlite::Result<u64> {
    let size = db.query_row("SELECT size FROM view WHERE name = ?1", [facts::LAYOUT.name], |row| row.get::<_, i64>(0));
    size.optional().map(|size| size.map_or(0, i64::unsigned_abs))
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

/// Connects; a damaged file is thrown away.
fn connect_anew(path: &Path) -> rusqlite::Result<Connection> {
    match connect(path) {
        Err(cause) if is_damaged(&cause) => {
            remove(path);
            connect(path)
        }
        done => done,
    }
}

pub(crate) fn connect(path: &Path) -> rusqlite::Result<Connection> {
    make_private(path);
    let db = Connection::open(path)?;
    steady(&db)?;
    db.pragma_update_and_check(None, "journal_mode", "wal", |_| Ok(()))?;
    // Whatever a power loss takes is folded again.
    db.pragma_update(None, "synchronous", "normal")?;
    db.pragma_update(None, "trusted_schema", false)?;
    db.pragma_update(None, "cache_size", -PAGES_KIB)?;
    // Pages that are written again and again while a view is built reach the file itself less often.
    db.pragma_update_and_check(None, "wal_autocheckpoint", 8_192, |_| Ok(()))?;
    let format: i64 = db.pragma_query_value(None, "user_version", |row| row.get(0))?;
    if format != FORMAT {
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
