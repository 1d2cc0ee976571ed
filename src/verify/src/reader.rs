//! Reads entries, with their disclosures and the checkpoints among them, in batches and in the order of their keys. It
//! judges nothing but the types of the cells; a value longer than the format allows is not even copied.

use std::ops::Range;

use blotter_record::limits::{DISCLOSURE_BYTES_MAX, DISCLOSURES_MAX, ENTRY_BYTES_MAX};
use rusqlite::types::ValueRef;
use rusqlite::{Connection, Row, Rows};

use crate::error::ReadError;
use crate::store::Store;

/// Entries in a batch, at most.
const BATCH_ENTRIES_MAX: usize = 256;
/// A batch ends with the entry that reaches this many bytes.
const BATCH_BYTES_MAX: usize = 1 << 19;
/// Room for the bytes of a batch of ordinary entries.
const BATCH_BYTES_RESERVED: usize = BATCH_BYTES_MAX + (1 << 16);
/// Rows that belong to no entry, in a batch, at most.
const BATCH_STRAYS_MAX: usize = 512;
/// The longest signed note that is read.
const NOTE_BYTES_MAX: usize = 1 << 20;

/// Where the bytes of a cell are in [`Batch::bytes`], or what is wrong with them.
pub(crate) type Cell = Result<Range<usize>, String>;

/// Some rows of the log, in their order.
#[derive(Debug, Default)]
pub(crate) struct Batch {
    /// The bytes of all cells, one behind the other.
    pub(crate) bytes: Vec<u8>,
    /// Entries.
    pub(crate) entries: Vec<EntryRow>,
    /// Rows that belong to no entry: which entry they name, and what they are.
    pub(crate) strays: Vec<(Option<u64>, String)>,
    /// In the last batch: checkpoints larger than the last entry's number.
    pub(crate) checkpoints_behind: Vec<CheckpointRow>,
    /// Reading ended here, because the database is corrupt.
    pub(crate) corrupt: Option<String>,
}

/// A row of `entry`, with what belongs to it.
#[derive(Debug)]
pub(crate) struct EntryRow {
    /// Column `seq`.
    pub(crate) seq: i64,
    /// Column `leaf`.
    pub(crate) leaf: Result<[u8; 32], String>,
    /// Column `jti`.
    pub(crate) jti: Result<[u8; 16], String>,
    /// Column `bytes`.
    pub(crate) bytes: Cell,
    /// Its disclosures.
    pub(crate) disclosures: Vec<DisclosureRow>,
    /// Checkpoints whose size is at most `seq`, and that did not come before.
    pub(crate) checkpoints_before: Vec<CheckpointRow>,
}

/// A row of `disclosure`.
#[derive(Debug)]
pub(crate) struct DisclosureRow {
    /// Column `slot`.
    pub(crate) slot: i64,
    /// Column `seq`.
    pub(crate) seq: Result<i64, String>,
    /// Column `name`.
    pub(crate) name: Cell,
    /// Column `text`.
    pub(crate) text: Cell,
}

/// A row of `checkpoint`.
#[derive(Debug)]
pub(crate) struct CheckpointRow {
    /// Column `size`.
    pub(crate) size: i64,
    /// Column `note`.
    pub(crate) note: Cell,
}

/// Where the next batch begins.
#[derive(Debug)]
pub(crate) struct Cursor {
    entry: i64,
    slot: i64,
    size: i64,
    with_disclosures: bool,
    ended: bool,
}

impl Cursor {
    /// The beginning of the log.
    pub(crate) fn start(with_disclosures: bool) -> Self {
        Self { entry: i64::MIN, slot: i64::MIN, size: i64::MIN, with_disclosures, ended: false }
    }
}

/// The next batch; `None` behind the last.
pub(crate) fn next_batch(store: &Store, cursor: &mut Cursor) -> Result<Option<Batch>, ReadError> {
    if cursor.ended {
        return Ok(None);
    }
    let mut batch = Batch::default();
    match store.with(|db| fill(db, cursor, &mut batch)) {
        Ok(()) => {}
        Err(ReadError::Corrupt(what)) => {
            cursor.ended = true;
            batch.corrupt = Some(what);
        }
        Err(error) => return Err(error),
    }
    Ok(Some(batch))
}

fn fill(db: &Connection, cursor: &mut Cursor, batch: &mut Batch) -> rusqlite::Result<()> {
    let mut entries = db.prepare_cached("SELECT seq, leaf, jti, bytes FROM entry WHERE seq >= ?1 ORDER BY seq")?;
    let mut disclosures =
        db.prepare_cached("SELECT slot, seq, name, text FROM disclosure WHERE slot >= ?1 ORDER BY slot")?;
    let mut checkpoints = db.prepare_cached("SELECT size, note FROM checkpoint WHERE size >= ?1 ORDER BY size")?;
    let mut entries = entries.query([cursor.entry])?;
    let mut disclosures = Peek::new(disclosures.query([cursor.slot])?, cursor.with_disclosures)?;
    let mut checkpoints = Peek::new(checkpoints.query([cursor.size])?, true)?;
    batch.bytes.reserve(BATCH_BYTES_RESERVED);
    while batch.entries.len() < BATCH_ENTRIES_MAX && batch.bytes.len() < BATCH_BYTES_MAX {
        let Some(row) = entries.next()? else {
            cursor.ended = take_rest(&mut disclosures, &mut checkpoints, cursor, batch)?;
            return Ok(());
        };
        let seq = row.get(0)?;
        let (first, behind) = slots_of(seq);
        let mut checkpoints_before = Vec::new();
        while let Some(row) = checkpoints.next_if(|size| size <= seq)? {
            checkpoints_before.push(checkpoint(row, &mut cursor.size, &mut batch.bytes)?);
        }
        while let Some(row) = disclosures.next_if(|slot| slot < first)? {
            batch.strays.push(stray(row, &mut cursor.slot)?);
            if batch.strays.len() == BATCH_STRAYS_MAX {
                // The entry is read again with the next batch; its checkpoints must be too.
                cursor.size = checkpoints_before.first().map_or(cursor.size, |first: &CheckpointRow| first.size);
                return Ok(());
            }
        }
        let mut found = Vec::new();
        while let Some(row) = disclosures.next_if(|slot| slot < behind)? {
            found.push(disclosure(row, &mut cursor.slot, &mut batch.bytes)?);
        }
        let entry = EntryRow {
            seq,
            leaf: fixed(row, 1)?,
            jti: fixed(row, 2)?,
            bytes: blob(row, 3, ENTRY_BYTES_MAX, &mut batch.bytes)?,
            disclosures: found,
            checkpoints_before,
        };
        batch.entries.push(entry);
        let Some(next) = seq.checked_add(1) else {
            cursor.ended = take_rest(&mut disclosures, &mut checkpoints, cursor, batch)?;
            return Ok(());
        };
        cursor.entry = next;
    }
    Ok(())
}

/// What is left behind the last entry; whether that was all.
fn take_rest(
    disclosures: &mut Peek<'_>,
    checkpoints: &mut Peek<'_>,
    cursor: &mut Cursor,
    batch: &mut Batch,
) -> rusqlite::Result<bool> {
    cursor.entry = i64::MAX;
    while let Some(row) = disclosures.next_if(|_| true)? {
        batch.strays.push(stray(row, &mut cursor.slot)?);
        if batch.strays.len() == BATCH_STRAYS_MAX {
            return Ok(false);
        }
    }
    while let Some(row) = checkpoints.next_if(|_| true)? {
        batch.checkpoints_behind.push(checkpoint(row, &mut cursor.size, &mut batch.bytes)?);
        if batch.checkpoints_behind.len() == BATCH_ENTRIES_MAX {
            return Ok(false);
        }
    }
    Ok(true)
}

/// The first slot of an entry, and the first behind it.
fn slots_of(seq: i64) -> (i64, i64) {
    let width = DISCLOSURES_MAX as i64;
    let first = seq.saturating_mul(width);
    (first, first.saturating_add(width))
}

fn checkpoint(row: &Row<'_>, next: &mut i64, bytes: &mut Vec<u8>) -> rusqlite::Result<CheckpointRow> {
    let size: i64 = row.get(0)?;
    *next = size.saturating_add(1);
    Ok(CheckpointRow { size, note: text(row, 1, NOTE_BYTES_MAX, bytes)? })
}

fn disclosure(row: &Row<'_>, next: &mut i64, bytes: &mut Vec<u8>) -> rusqlite::Result<DisclosureRow> {
    let slot: i64 = row.get(0)?;
    *next = slot.saturating_add(1);
    let seq = match row.get_ref(1)? {
        ValueRef::Integer(seq) => Ok(seq),
        other => Err(format!("the column seq holds {}", kind(other))),
    };
    let name = text(row, 2, DISCLOSURE_BYTES_MAX, bytes)?;
    Ok(DisclosureRow { slot, seq, name, text: text(row, 3, DISCLOSURE_BYTES_MAX, bytes)? })
}

fn stray(row: &Row<'_>, next: &mut i64) -> rusqlite::Result<(Option<u64>, String)> {
    let slot: i64 = row.get(0)?;
    *next = slot.saturating_add(1);
    let seq = u64::try_from(slot.div_euclid(DISCLOSURES_MAX as i64)).ok();
    Ok((seq, format!("the disclosure in slot {slot} belongs to no entry")))
}

fn blob(row: &Row<'_>, column: usize, bytes_max: usize, bytes: &mut Vec<u8>) -> rusqlite::Result<Cell> {
    Ok(match row.get_ref(column)? {
        ValueRef::Blob(value) => cell(value, bytes_max, bytes),
        other => Err(format!("{} instead of a blob", kind(other))),
    })
}

fn text(row: &Row<'_>, column: usize, bytes_max: usize, bytes: &mut Vec<u8>) -> rusqlite::Result<Cell> {
    Ok(match row.get_ref(column)? {
        ValueRef::Text(value) => cell(value, bytes_max, bytes),
        other => Err(format!("{} instead of text", kind(other))),
    })
}

fn cell(value: &[u8], bytes_max: usize, bytes: &mut Vec<u8>) -> Cell {
    if value.len() > bytes_max {
        return Err(format!("{} bytes; at most {bytes_max}", value.len()));
    }
    let start = bytes.len();
    bytes.extend_from_slice(value);
    Ok(start..bytes.len())
}

fn fixed<const N: usize>(row: &Row<'_>, column: usize) -> rusqlite::Result<Result<[u8; N], String>> {
    Ok(match row.get_ref(column)? {
        ValueRef::Blob(bytes) => bytes.try_into().map_err(|_| format!("{} bytes instead of {N}", bytes.len())),
        other => Err(format!("{} instead of a blob", kind(other))),
    })
}

fn kind(value: ValueRef<'_>) -> &'static str {
    match value {
        ValueRef::Null => "nothing",
        ValueRef::Integer(_) => "an integer",
        ValueRef::Real(_) => "a fraction",
        ValueRef::Text(_) => "text",
        ValueRef::Blob(_) => "a blob",
    }
}

/// Rows of which the next one's key, its first column, can be looked at.
struct Peek<'s> {
    rows: Rows<'s>,
    key: Option<i64>,
    taken: bool,
}

impl<'s> Peek<'s> {
    fn new(rows: Rows<'s>, wanted: bool) -> rusqlite::Result<Self> {
        let mut peek = Self { rows, key: None, taken: !wanted };
        if wanted {
            peek.advance()?;
        }
        Ok(peek)
    }

    fn advance(&mut self) -> rusqlite::Result<()> {
        self.key = self.rows.next()?.map(|row| row.get(0)).transpose()?;
        self.taken = false;
        Ok(())
    }

    /// The next row, if its key is wanted.
    fn next_if(&mut self, wanted: impl FnOnce(i64) -> bool) -> rusqlite::Result<Option<&Row<'s>>> {
        use rusqlite::fallible_streaming_iterator::FallibleStreamingIterator as _;
        if self.taken && self.key.is_some() {
            self.advance()?;
        }
        if !self.key.is_some_and(wanted) {
            return Ok(None);
        }
        self.taken = true;
        Ok(self.rows.get())
    }
}
