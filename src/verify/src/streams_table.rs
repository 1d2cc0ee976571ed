//! Checks the writer's index of streams, the tables `stream` and `stream_entry`, against the streams that the walk found.
//! Where bytes of entries are gone, the index may know more than the walk does, but only of those entries.

use std::collections::{HashMap, HashSet};

use blotter_record::{Hash, is_trust_stream};
use rusqlite::types::ValueRef;
use rusqlite::{Connection, Row};

use crate::error::ReadError;
use crate::findings::Findings;
use crate::store::Store;
use crate::streams::{Holes, Stream, UNKNOWN};
use crate::tables::{each, hash, int, shown, text};
use crate::tree::Tree;
use crate::walk::Walk;

/// Checks both tables.
pub(crate) fn check_streams(store: &Store, walk: &mut Walk<'_>) -> Result<(), ReadError> {
    let Walk { streams, chain, holes, findings, .. } = walk;
    let mut index = Index { tree: &chain.tree, holes, findings, rows: HashMap::new() };
    store.with(|db| {
        index.check_heads(db, |name| streams.get(name).filter(|stream| stream.name() == name))?;
        index.check_entries(db)
    })?;
    index.check_all_are_there(streams.iter());
    Ok(())
}

struct Index<'s> {
    tree: &'s Tree,
    holes: &'s Holes,
    findings: &'s mut Findings,
    /// The rows of `stream`, by their ids.
    rows: HashMap<i64, StreamRow<'s>>,
}

struct StreamRow<'s> {
    name: String,
    stream: Option<&'s Stream>,
    count: Option<i64>,
    leaf: Option<Hash>,
    /// Rows of `stream_entry` so far.
    entries: i64,
}

impl<'s> Index<'s> {
    fn check_heads(&mut self, db: &Connection, find: impl Fn(&str) -> Option<&'s Stream>) -> rusqlite::Result<()> {
        let sql = "SELECT id, name, count, leaf, imported, blocking_n, blocking_by, blocking_n_other FROM stream";
        each(db, sql, |row| {
            let name = text(row, 1)?.unwrap_or_default();
            let stream = find(&name);
            let fault = match stream {
                Some(stream) => self.fault(row, stream)?,
                // With holes in the log, an entry that is gone may have been in it.
                None => self.holes.is_empty().then_some((None, "no entry is in that stream")),
            };
            if let Some((seq, what)) = fault {
                self.findings.damage(seq, "stream-table", format_args!("{}: {what}", name.escape_debug()));
            }
            if let Some(id) = int(row, 0)? {
                let row = StreamRow { name, stream, count: int(row, 2)?, leaf: hash(row, 3)?, entries: 0 };
                self.rows.insert(id, row);
            }
            Ok(())
        })
    }

    /// What is wrong with a stream's row, and from which entry on.
    fn fault(&self, row: &Row<'_>, stream: &Stream) -> rusqlite::Result<Option<(Option<u64>, &'static str)>> {
        let count = int(row, 2)?.and_then(|count| usize::try_from(count).ok()).unwrap_or(0);
        let len = stream.seqs.as_slice().len();
        if stream.faulty {
            return Ok(None);
        }
        if count > len && !self.holes.is_empty() {
            return Ok(None);
        }
        if count != len {
            // The first entry that the row does not count; of one that it invents nothing is known.
            return Ok(Some((stream.seqs.as_slice().get(count).copied(), "count is not the number of its entries")));
        }
        let last = last_known(stream);
        if hash(row, 3)? != last.and_then(|seq| self.tree.leaf(seq)) {
            return Ok(Some((last, "leaf is not that of its last entry")));
        }
        if !self.holes.is_empty() {
            return Ok(None);
        }
        if !stream.begun_by_hole && int(row, 4)? != Some(i64::from(stream.imported)) {
            return Ok(Some((last, "imported is not as its first entry has it")));
        }
        Ok((!is_blocking_right(row, stream)?).then_some((last, "its blocking decisions are not those of its entries")))
    }

    fn check_entries(&mut self, db: &Connection) -> rusqlite::Result<()> {
        each(db, "SELECT stream, n, seq FROM stream_entry ORDER BY stream, n", |row| {
            let (id, n, seq) = (int(row, 0)?, int(row, 1)?, int(row, 2)?);
            let seq = seq.and_then(|seq| u64::try_from(seq).ok());
            let Some(known) = id.and_then(|id| self.rows.get_mut(&id)) else {
                self.findings.damage(seq, "stream-table", "a row of stream_entry belongs to no stream");
                return Ok(());
            };
            let in_order = n == Some(known.entries);
            known.entries += 1;
            if known.stream.is_some_and(|stream| stream.faulty) {
                return Ok(());
            }
            let index = n.and_then(|n| usize::try_from(n).ok());
            let wanted = known.stream.and_then(|stream| stream.seqs.as_slice().get(index?)).copied();
            let gone = matches!(wanted, Some(UNKNOWN) | None) && seq.is_some_and(|seq| self.holes.contains(seq));
            let is_last = Some(known.entries) == known.count;
            let trusted = gone && known.name.parse().is_ok_and(|id| is_trust_stream(&id));
            let what = if trusted {
                "an entry of it is gone; no order can take one".to_owned()
            } else if !in_order || !(gone || wanted.is_some() && wanted == seq) {
                format!("the entry {} is not this one", shown(n))
            } else if gone && is_last && known.leaf != seq.and_then(|seq| self.tree.leaf(seq)) {
                "leaf is not that of its last entry".to_owned()
            } else {
                return Ok(());
            };
            self.findings.damage(seq, "stream-table", format_args!("{}: {what}", known.name.escape_debug()));
            Ok(())
        })
    }

    fn check_all_are_there(self, streams: impl Iterator<Item = &'s Stream>) {
        let mut listed: HashSet<&str> = HashSet::with_capacity(self.rows.len());
        for row in self.rows.values() {
            listed.insert(row.name.as_str());
            if row.count != Some(row.entries) {
                let (name, count) = (row.name.escape_debug(), shown(row.count));
                let what = format_args!("{name}: {} entries are listed, not {count}", row.entries);
                self.findings.damage(None, "stream-table", what);
            }
        }
        for stream in streams.filter(|stream| !listed.contains(stream.name())) {
            let what = format_args!("{}: not in the table stream", stream.name());
            self.findings.damage(last_known(stream), "stream-table", what);
        }
    }
}

fn is_blocking_right(row: &Row<'_>, stream: &Stream) -> rusqlite::Result<bool> {
    let blocking = stream.blocking();
    let last = blocking.last.as_ref();
    let wanted = (
        last.and_then(|(n, _)| i64::try_from(*n).ok()),
        last.map(|(_, by)| by.to_string()),
        blocking.last_by_other.and_then(|n| i64::try_from(n).ok()),
    );
    let found = (int(row, 5)?, text(row, 6)?, int(row, 7)?);
    let null = |column: usize| row.get_ref(column).map(|value| matches!(value, ValueRef::Null));
    let typed = (found.0.is_some() || null(5)?) && (found.1.is_some() || null(6)?) && (found.2.is_some() || null(7)?);
    Ok(found == wanted && typed)
}

fn last_known(stream: &Stream) -> Option<u64> {
    stream.seqs.as_slice().iter().rev().copied().find(|seq| *seq != UNKNOWN)
}
