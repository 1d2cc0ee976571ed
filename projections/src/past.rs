//! The view of facts as it was: of a log's first entries alone, in a database that has no name and is gone with whoever
//! asked. It has facts only; words are read from the live views, so that what was erased since then stays erased.

use std::path::Path;

use blotter_record::{Hash, Id, Jti};

use crate::facts::Facts;
use crate::views::{LogEntry, Source, Values, ViewError};

/// To SQLite, a new database of this connection alone: in a file that is unlinked as soon as it is there.
const NAMELESS: &str = "";

/// A log up to an entry; what comes later is not there.
pub struct Until<S> {
    log: S,
    end: u64,
}

impl<S: Source> Until<S> {
    /// The entries of `log` before `end`.
    pub fn new(log: S, end: u64) -> Self {
        Self { log, end }
    }

    fn cut(&self, mut entries: Vec<LogEntry>) -> Vec<LogEntry> {
        entries.retain(|entry| entry.seq < self.end);
        entries
    }
}

impl<S: Source> Source for Until<S> {
    type Error = S::Error;

    fn size(&self) -> Result<u64, S::Error> {
        Ok(self.log.size()?.min(self.end))
    }

    fn leaf(&self, seq: u64) -> Result<Hash, S::Error> {
        self.log.leaf(seq)
    }

    fn entries(&self, from: u64, limit: usize) -> Result<Vec<LogEntry>, S::Error> {
        let room = usize::try_from(self.end.saturating_sub(from)).unwrap_or(usize::MAX);
        self.log.entries(from, limit.min(room))
    }

    fn stream(&self, stream: &Id, from_n: u64, limit: usize) -> Result<Vec<LogEntry>, S::Error> {
        Ok(self.cut(self.log.stream(stream, from_n, limit)?))
    }

    fn values_between(&self, from: u64, end: u64) -> Result<Vec<(u64, Values)>, S::Error> {
        self.log.values_between(from, end)
    }

    fn seq_of(&self, jti: &Jti) -> Result<Option<u64>, S::Error> {
        Ok(self.log.seq_of(jti)?.filter(|seq| *seq < self.end))
    }
}

/// The view of facts as the entries of `log` before `end` made it. What alerts say is read from the views in `words`, as
/// far as these still have it. `progress(done, size)` is told after each batch.
///
/// # Errors
/// If the log can't be read, the database can't be made, or that of words can't be opened.
pub fn facts_as_of<S: Source>(
    log: S,
    end: u64,
    words: &Path,
    progress: &mut dyn FnMut(u64, u64),
) -> Result<Facts, ViewError<S::Error>> {
    let facts = Facts::open(Path::new(NAMELESS), &Until::new(log, end), progress)?;
    let attached = facts.db().execute("ATTACH ?1 AS live", [words.to_string_lossy()]);
    attached.map_err(|cause| ViewError::Unusable { path: words.to_owned(), cause })?;
    Ok(facts)
}
