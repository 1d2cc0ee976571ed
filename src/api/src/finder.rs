//! Finding entries by what they are about: with the index in `views.db` where that can be used, else by a scan of the
//! whole log with the same filter. Either way what is found is read from the log before it is shown.

use std::path::Path;

use blotter_ledger::read::{self, ReadEntry};
use blotter_ledger::{Error, Read};
use blotter_projections::{Filter, LogEntry, LogIndex, Row, Source, VIEWS, Values, ViewError};
use blotter_record::{Disclosure, Hash, Id, Jti};

/// Entries that a scan reads at once.
const SCAN_ENTRIES: usize = 2_048;

/// Where to look.
pub enum Finder {
    /// Nothing is filtered: seqs are just numbers.
    Everything,
    /// In the index.
    Index(Box<LogIndex>),
    /// In the log itself.
    Scan,
}

impl Finder {
    /// Opens the index in the file `views` and catches it up, if the filter needs one. `progress(done, size)` is told
    /// after each batch, `unusable` why the index can't be used: then the log is scanned.
    ///
    /// # Errors
    /// If the log can't be read; a view that can't be used is no error.
    pub fn open(
        views: &Path,
        store: &dyn Read,
        filter: &Filter,
        progress: &mut dyn FnMut(u64, u64),
        unusable: &mut dyn FnMut(&str),
    ) -> Result<Self, Error> {
        if filter.is_empty() {
            return Ok(Self::Everything);
        }
        match LogIndex::open(views, &Log(store), progress) {
            Ok(index) => Ok(Self::Index(Box::new(index))),
            Err(ViewError::Source(error)) => Err(error),
            Err(error @ (ViewError::Unusable { .. } | ViewError::Restless)) => {
                unusable(&error.to_string());
                Ok(Self::Scan)
            }
        }
    }

    /// Seqs of the admitted entries from `from` on and before `end`, at most `limit`: the oldest or the newest of them,
    /// in that order.
    ///
    /// # Errors
    /// If log or index can't be read.
    pub fn seqs(
        &self,
        store: &dyn Read,
        filter: &Filter,
        (from, end): (u64, u64),
        newest_first: bool,
        limit: usize,
    ) -> Result<Vec<u64>, Error> {
        match self {
            Self::Everything if newest_first => Ok((from..end).rev().take(limit).collect()),
            Self::Everything => Ok((from..end).take(limit).collect()),
            Self::Index(index) => index
                .seqs(filter, (from, end), newest_first, limit)
                .map_err(|e| Error::System { what: VIEWS.to_owned(), cause: e.to_string() }),
            Self::Scan if newest_first => scan_back(store, filter, (from, end), limit),
            Self::Scan => scan(store, filter, (from, end), limit),
        }
    }
}

/// Makes the index of a new ledger.
///
/// # Errors
/// If it can't be made.
pub fn begin(dir: &Path, store: &dyn Read) -> Result<(), ViewError<Error>> {
    LogIndex::open(&dir.join(VIEWS), &Log(store), &mut |_, _| {}).map(drop)
}

fn scan(store: &dyn Read, filter: &Filter, (mut from, end): (u64, u64), limit: usize) -> Result<Vec<u64>, Error> {
    let mut found = Vec::new();
    while from < end && found.len() < limit {
        let count = SCAN_ENTRIES.min((end - from) as usize);
        found.extend(admitted(store, filter, from, count)?);
        from += count as u64;
    }
    found.truncate(limit);
    Ok(found)
}

fn scan_back(store: &dyn Read, filter: &Filter, (from, mut end): (u64, u64), limit: usize) -> Result<Vec<u64>, Error> {
    let mut found = Vec::new();
    while from < end && found.len() < limit {
        let count = SCAN_ENTRIES.min((end - from) as usize);
        end -= count as u64;
        found.extend(admitted(store, filter, end, count)?.into_iter().rev());
    }
    found.truncate(limit);
    Ok(found)
}

fn admitted(store: &dyn Read, filter: &Filter, from: u64, count: usize) -> Result<Vec<u64>, Error> {
    let entries = read::entries(store, from, count)?;
    let rows = entries.iter().filter_map(|entry| entry.said.as_ref().map(|(entry, said)| Row::of(entry, said)));
    Ok(rows.filter(|row| filter.admits(row)).map(|row| row.seq).collect())
}

/// The log, as projections want it.
pub struct Log<'a>(pub &'a dyn Read);

impl Source for Log<'_> {
    type Error = Error;

    fn size(&self) -> Result<u64, Error> {
        Ok(self.0.size()?)
    }

    fn leaf(&self, seq: u64) -> Result<Hash, Error> {
        self.0.hashes(0, seq, 1)?.pop().ok_or(Error::Corrupt { seq, what: "not there".into() })
    }

    fn entries(&self, from: u64, limit: usize) -> Result<Vec<LogEntry>, Error> {
        read::entries_as(self.0, from, limit, log_entry)
    }

    fn stream(&self, stream: &Id, from_n: u64, limit: usize) -> Result<Vec<LogEntry>, Error> {
        read::entries_at(self.0, &self.0.stream_seqs(stream, from_n, limit)?, log_entry)
    }

    fn values_between(&self, from: u64, end: u64) -> Result<Vec<(u64, Values)>, Error> {
        let mut found: Vec<(u64, Values)> = Vec::new();
        for (seq, text) in self.0.disclosures_between(from, end)? {
            let value = Disclosure::parse(&text).map_err(|e| Error::Corrupt { seq, what: e.to_string() })?;
            let value = (value.name().to_owned(), value.value().clone());
            match found.last_mut().filter(|(last, _)| *last == seq) {
                Some((_, values)) => values.push(value),
                None => found.push((seq, vec![value])),
            }
        }
        Ok(found)
    }

    fn seq_of(&self, jti: &Jti) -> Result<Option<u64>, Error> {
        Ok(self.0.seq_of(jti)?)
    }
}

fn log_entry(entry: ReadEntry) -> LogEntry {
    LogEntry { seq: entry.stored.seq, leaf: entry.stored.leaf, said: entry.said }
}
