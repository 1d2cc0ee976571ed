//! Opens a ledger's database for reading: one connection, one transaction, so everything is of one moment, also beside a
//! writer that goes on. Promises to write nothing: a closed database is opened as immutable, so that not even SQLite's
//! own files appear beside it.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime};

use rusqlite::config::DbConfig;
use rusqlite::limits::Limit;
use rusqlite::{Connection, ErrorCode, OpenFlags};

use crate::error::{CouldNotRun, ReadError};

/// The longest value that is read: more than the largest blob of the format.
const VALUE_BYTES_MAX: i32 = 80 * 1_048_576;
const CACHE_KIB: i64 = 4 * 1024;
const BUSY_MS_MAX: u64 = 5_000;

/// A ledger's database at one moment.
pub(crate) struct Store {
    path: PathBuf,
    db: Mutex<Connection>,
    /// What the file looked like when it was opened as one that nobody writes.
    closed_as: Option<FileState>,
}

type FileState = (u64, Option<SystemTime>);

impl Store {
    /// Opens the database at `path`.
    pub(crate) fn open(path: PathBuf) -> Result<Self, ReadError> {
        let closed_as = closed_state(&path).map_err(ReadError::CouldNotRun)?;
        let db = connect(&path, closed_as.is_some()).map_err(|cause| classify(&path, cause))?;
        let store = Self { path, db: Mutex::new(db), closed_as };
        store.with(begin)?;
        Ok(store)
    }

    /// Does something with the connection. Only one thread at a time can.
    pub(crate) fn with<T>(&self, work: impl FnOnce(&Connection) -> rusqlite::Result<T>) -> Result<T, ReadError> {
        work(&self.lock()).map_err(|cause| classify(&self.path, cause))
    }

    /// Checks that the file is still the one that was opened, if it was opened as one that nobody writes.
    pub(crate) fn check_unchanged(&self) -> Result<(), CouldNotRun> {
        match &self.closed_as {
            Some(state) if file_state(&self.path)? != *state => Err(CouldNotRun::Changed { path: self.path.clone() }),
            _ => Ok(()),
        }
    }

    /// A handle that interrupts the connection.
    pub(crate) fn interrupt_handle(&self) -> rusqlite::InterruptHandle {
        self.lock().get_interrupt_handle()
    }

    fn lock(&self) -> MutexGuard<'_, Connection> {
        // A thread that panicked while it read has changed nothing.
        self.db.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The state of a database that no writer has open: it has neither a write-ahead log nor a journal with anything in it.
fn closed_state(path: &Path) -> Result<Option<FileState>, CouldNotRun> {
    let state = file_state(path)?;
    let empty = |suffix: &str| {
        let mut beside = path.as_os_str().to_owned();
        beside.push(suffix);
        fs::metadata(beside).is_ok_and(|found| found.len() > 0)
    };
    let shm_there = path.with_file_name(format!("{}-shm", file_name(path))).exists();
    Ok((!shm_there && !empty("-wal") && !empty("-journal")).then_some(state))
}

fn file_state(path: &Path) -> Result<FileState, CouldNotRun> {
    match fs::metadata(path) {
        Ok(found) if found.is_file() => Ok((found.len(), found.modified().ok())),
        Ok(_) => Err(CouldNotRun::NotADatabase { path: path.to_owned() }),
        Err(cause) if cause.kind() == std::io::ErrorKind::NotFound => {
            Err(CouldNotRun::NotThere { path: path.to_owned() })
        }
        Err(cause) => Err(CouldNotRun::Io { path: path.to_owned(), cause }),
    }
}

fn file_name(path: &Path) -> String {
    path.file_name().unwrap_or_default().to_string_lossy().into_owned()
}

fn connect(path: &Path, immutable: bool) -> rusqlite::Result<Connection> {
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX | OpenFlags::SQLITE_OPEN_URI;
    let query = if immutable { "?immutable=1" } else { "" };
    let db = Connection::open_with_flags(format!("file:{}{query}", escaped(path)), flags)?;
    // The schema is the attacker's as much as the rows are: none of its expressions may run, no value be too large.
    db.set_db_config(DbConfig::SQLITE_DBCONFIG_DEFENSIVE, true)?;
    db.set_db_config(DbConfig::SQLITE_DBCONFIG_TRUSTED_SCHEMA, false)?;
    db.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_TRIGGER, false)?;
    db.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_VIEW, false)?;
    // A statement is planned once, and not for each new bound of a range.
    db.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_QPSG, true)?;
    db.set_limit(Limit::SQLITE_LIMIT_LENGTH, VALUE_BYTES_MAX)?;
    db.busy_timeout(Duration::from_millis(BUSY_MS_MAX))?;
    Ok(db)
}

fn begin(db: &Connection) -> rusqlite::Result<()> {
    db.pragma_update(None, "query_only", true)?;
    db.pragma_update(None, "mmap_size", 0)?;
    db.pragma_update(None, "cell_size_check", true)?;
    db.pragma_update(None, "cache_size", -CACHE_KIB)?;
    db.execute_batch("BEGIN")?;
    // The first read fixes the moment.
    db.query_row("SELECT count(*) FROM sqlite_master", [], |_| Ok(()))
}

fn escaped(path: &Path) -> String {
    use std::fmt::Write;
    let mut text = String::new();
    for byte in path.as_os_str().as_encoded_bytes() {
        if byte.is_ascii_alphanumeric() || matches!(byte, b'/' | b'.' | b'-' | b'_' | b'~') {
            text.push(char::from(*byte));
        } else {
            let _ = write!(text, "%{byte:02X}");
        }
    }
    text
}

/// Whether a failure says something about the database, or only about this attempt to read it.
fn classify(path: &Path, cause: rusqlite::Error) -> ReadError {
    let path = path.to_owned();
    ReadError::CouldNotRun(match cause.sqlite_error_code() {
        Some(ErrorCode::NotADatabase) => CouldNotRun::NotADatabase { path },
        Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => CouldNotRun::Busy { path },
        Some(ErrorCode::CannotOpen | ErrorCode::ReadOnly) => CouldNotRun::NeedsWritableCopy { path },
        Some(ErrorCode::OperationInterrupted) => CouldNotRun::Cancelled,
        Some(
            ErrorCode::SystemIoFailure | ErrorCode::PermissionDenied | ErrorCode::OutOfMemory | ErrorCode::DiskFull,
        ) => CouldNotRun::Sqlite { path, cause },
        _ => return ReadError::Corrupt(cause.to_string()),
    })
}
