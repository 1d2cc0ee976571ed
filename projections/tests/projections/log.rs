//! A log in memory, as projections read one.

use std::cell::RefCell;
use std::collections::HashMap;

use blotter_projections::{LogEntry, Source, Values};
use blotter_record::{Hash, Id, Jti};

/// A log in memory, which counts what is read of it.
#[derive(Default)]
pub(crate) struct Log {
    pub(crate) entries: Vec<LogEntry>,
    pub(crate) read: RefCell<usize>,
    /// The streams that were read.
    pub(crate) streams_read: RefCell<Vec<Id>>,
    /// How many entries it gives at once; few, unless it is said, so that several batches are seen.
    pub(crate) at_once: Option<usize>,
    /// Values of entries that the vault has.
    pub(crate) values: HashMap<u64, Values>,
}

impl Source for Log {
    type Error = String;

    fn size(&self) -> Result<u64, String> {
        Ok(self.entries.len() as u64)
    }

    fn leaf(&self, seq: u64) -> Result<Hash, String> {
        self.entries.get(seq as usize).map(|entry| entry.leaf).ok_or("out of the log".to_owned())
    }

    fn entries(&self, from: u64, limit: usize) -> Result<Vec<LogEntry>, String> {
        let limit = limit.min(self.at_once.unwrap_or(5));
        let found: Vec<_> = self.entries.iter().skip(from as usize).take(limit).cloned().collect();
        *self.read.borrow_mut() += found.len();
        Ok(found)
    }

    fn stream(&self, stream: &Id, from_n: u64, limit: usize) -> Result<Vec<LogEntry>, String> {
        self.streams_read.borrow_mut().push(stream.clone());
        let of_it = |entry: &&LogEntry| {
            entry.said.as_ref().is_some_and(|(placed, _)| placed.streams.iter().any(|link| link.stream == *stream))
        };
        Ok(self.entries.iter().filter(of_it).skip(from_n as usize).take(limit).cloned().collect())
    }

    fn values_between(&self, from: u64, end: u64) -> Result<Vec<(u64, Values)>, String> {
        let of = |seq| self.values.get(&seq).map(|values| (seq, values.clone()));
        Ok((from..end).filter_map(of).collect())
    }

    fn seq_of(&self, jti: &Jti) -> Result<Option<u64>, String> {
        let has = |entry: &&LogEntry| entry.said.as_ref().is_some_and(|(_, said)| said.jti == *jti);
        Ok(self.entries.iter().find(has).map(|entry| entry.seq))
    }
}
