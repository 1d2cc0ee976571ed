//! Receipts of what was just appended. Those of one commit share its checkpoint and read the tree's right edge once.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};

use blotter_keys::merkle::Hashes;
use blotter_ledger::{Read, StoreError, read};
use blotter_record::Hash;

use crate::problem::Problem;

/// The newest checkpoint that a receipt was made with, and the hashes that were read for it.
#[derive(Default)]
pub(crate) struct Receipts(Mutex<Option<Arc<Snapshot>>>);

struct Snapshot {
    size: u64,
    note: String,
    rows: Mutex<HashMap<(u8, u64, u32), Vec<Hash>>>,
}

impl Receipts {
    /// The receipt of entry `seq` of a log that has at least `size` entries.
    pub(crate) fn of(&self, store: &dyn Read, seq: u64, size: u64) -> Result<read::Receipt, Problem> {
        let snapshot = self.snapshot(store, size)?;
        Ok(read::receipt_by(store, &Memo { store, snapshot: &snapshot }, &snapshot.note, seq)?)
    }

    fn snapshot(&self, store: &dyn Read, size: u64) -> Result<Arc<Snapshot>, Problem> {
        let mut newest = self.0.lock().expect("no thread panics while it holds this");
        if let Some(snapshot) = newest.as_ref().filter(|snapshot| snapshot.size >= size) {
            return Ok(Arc::clone(snapshot));
        }
        let note = read::checkpoint(store)?;
        let (size, note) = (note.claimed_size(), note.note().to_string());
        let snapshot = Arc::new(Snapshot { size, note, rows: Mutex::default() });
        *newest = Some(Arc::clone(&snapshot));
        Ok(snapshot)
    }
}

struct Memo<'a> {
    store: &'a dyn Read,
    snapshot: &'a Snapshot,
}

impl Hashes for Memo<'_> {
    type Error = StoreError;

    fn hashes(&self, level: u8, start: u64, count: u32) -> Result<Vec<Hash>, StoreError> {
        let rows = || self.snapshot.rows.lock().expect("no thread panics while it holds this");
        let key = (level, start, count);
        if let Some(row) = rows().get(&key) {
            return Ok(row.clone());
        }
        let row = self.store.hashes(level, start, count)?;
        rows().insert(key, row.clone());
        Ok(row)
    }
}
