//! Why a verification could not run. It is never said of a ledger that can be read and is wrong: that is damage.

use std::io;
use std::path::PathBuf;

/// The verification has no result (exit code 2).
#[derive(Debug, thiserror::Error)]
pub enum CouldNotRun {
    /// There is no such file.
    #[error("{}: there is no ledger's database", .path.display())]
    NotThere {
        /// The database that was looked for.
        path: PathBuf,
    },
    /// The file is something else than a SQLite database.
    #[error("{}: this is no SQLite database", .path.display())]
    NotADatabase {
        /// The file.
        path: PathBuf,
    },
    /// Its last writes are in a write-ahead log that can't be opened on a read-only medium.
    #[error(
        "{}: it was not closed properly, and can't be read where nothing can be written; copy the directory to a place \
         where it can", .path.display()
    )]
    NeedsWritableCopy {
        /// The database.
        path: PathBuf,
    },
    /// A writer changed the database while it was read as a closed one.
    #[error("{}: a writer opened it during the verification; run it again", .path.display())]
    Changed {
        /// The database.
        path: PathBuf,
    },
    /// The database is locked; try again.
    #[error("{}: the database is locked; try again", .path.display())]
    Busy {
        /// The database.
        path: PathBuf,
    },
    /// The system refused to read a file.
    #[error("{}: {cause}", .path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// What the system said.
        cause: io::Error,
    },
    /// SQLite could not read the database, for a reason that is not in the database.
    #[error("{}: {cause}", .path.display())]
    Sqlite {
        /// The database.
        path: PathBuf,
        /// What SQLite said.
        cause: rusqlite::Error,
    },
    /// The caller asked to stop.
    #[error("cancelled")]
    Cancelled,
}

/// Why something could not be read from the database.
#[derive(Debug)]
pub(crate) enum ReadError {
    /// The database is corrupt; what SQLite said.
    Corrupt(String),
    /// Nothing can be said of the database.
    CouldNotRun(CouldNotRun),
}
