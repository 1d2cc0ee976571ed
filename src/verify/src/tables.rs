//! Checks the tables that follow from the entries (FORMAT.md §9 and §10 step 6): the tree's nodes, the streams, the trust
//! rows. Exactly the rows that must be there are there, and none besides.

use std::collections::HashMap;

use blotter_record::{ActorId, Hash};
use rusqlite::types::ValueRef;
use rusqlite::{Connection, Row};

use crate::error::ReadError;
use crate::findings::Findings;
use crate::store::Store;
use crate::streams::{Stream, UNKNOWN};
use crate::walk::Walk;

/// Tree levels that one tile spans.
const TILE_LEVELS: u32 = 8;

/// `node`: the root of every full tile, and nothing else.
pub(crate) fn check_nodes(store: &Store, walk: &mut Walk<'_>) -> Result<(), ReadError> {
    let tree = &walk.chain.tree;
    let size = tree.size();
    let mut wanted = (1..u64::BITS / TILE_LEVELS)
        .flat_map(|level| (0..size >> (level * TILE_LEVELS)).map(move |at| (level, at)))
        .peekable();
    let findings = &mut walk.findings;
    let first_of = |level: u32, at: u64| at << (level * TILE_LEVELS);
    store.with(|db| {
        each(db, "SELECT level, idx, hash FROM node ORDER BY level, idx", |row| {
            let (level, at, hash) = (int(row, 0)?, int(row, 1)?, hash(row, 2)?);
            let found =
                level.zip(at).and_then(|(level, at)| Some((u32::try_from(level).ok()?, u64::try_from(at).ok()?)));
            while let Some(missing) = wanted.next_if(|wanted| found.is_some_and(|found| *wanted < found)) {
                let (level, at) = missing;
                findings.damage(first_of(level, at), "node", format_args!("no tree hash {at} of level {level}"));
            }
            match wanted.next_if(|wanted| Some(*wanted) == found) {
                Some((level, at)) => {
                    if hash.is_none() || hash != tree.node(level * TILE_LEVELS, at) {
                        let what = format_args!("the tree hash {at} of level {level} is not that of the entries");
                        findings.damage_to_tree(first_of(level, at), "node", what);
                    }
                }
                None => {
                    let what =
                        format_args!("a tree hash {} of level {} belongs to no full tile", shown(at), shown(level));
                    findings.damage(None, "node", what);
                }
            }
            Ok(())
        })
    })?;
    for (level, at) in wanted {
        findings.damage(first_of(level, at), "node", format_args!("no tree hash {at} of level {level}"));
    }
    Ok(())
}

/// `trust`: the entries that the keyring is folded from.
pub(crate) fn check_trust(store: &Store, walk: &mut Walk<'_>) -> Result<(), ReadError> {
    let (holes, findings) = (&walk.holes, &mut walk.findings);
    let mut wanted = walk.trust.iter().copied().peekable();
    store.with(|db| {
        each(db, "SELECT seq FROM trust ORDER BY seq", |row| {
            let found = int(row, 0)?;
            let seq = found.and_then(|seq| u64::try_from(seq).ok());
            while let Some(missing) = wanted.next_if(|wanted| seq.is_some_and(|seq| *wanted < seq)) {
                findings.damage(missing, "trust-table", "the table trust does not name it");
            }
            // What an expunged entry was can't be told.
            if wanted.next_if(|wanted| Some(*wanted) == seq).is_none() && !seq.is_some_and(|seq| holes.contains(seq)) {
                let what = format_args!("the table trust names {}, which the keyring is not folded from", shown(found));
                findings.damage(seq, "trust-table", what);
            }
            Ok(())
        })
    })?;
    for missing in wanted {
        findings.damage(missing, "trust-table", "the table trust does not name it");
    }
    Ok(())
}

/// `stream` and `stream_entry`.
pub(crate) fn check_streams(store: &Store, walk: &mut Walk<'_>, structure_only: bool) -> Result<(), ReadError> {
    let mut rows = StreamRows::default();
    let Walk { streams, chain, holes, findings, .. } = walk;
    store.with(|db| {
        each(
            db,
            "SELECT id, name, count, leaf, imported, blocking_n, blocking_by, blocking_n_other FROM stream",
            |row| {
                let name = text(row, 1)?.unwrap_or_default();
                let stream =
                    name.parse().ok().and_then(|id| streams.get(&id)).filter(|stream| stream.id.as_str() == name);
                let leaf = hash(row, 3)?;
                let seq = stream.and_then(last_known);
                let what = match stream {
                    None if holes.is_empty() => Some("no entry is in that stream"),
                    // Only an expunged entry can have been in it.
                    None => None,
                    Some(stream) => stream_fault(row, stream, structure_only, !holes.is_empty())?,
                };
                if let Some(what) = what {
                    findings.damage(seq, "stream-table", format_args!("{}: {what}", name.escape_debug()));
                }
                if let Some(id) = int(row, 0)? {
                    rows.by_id.insert(id, StreamRow { name, count: int(row, 2)?, leaf, rows: 0 });
                }
                Ok(())
            },
        )
    })?;
    store.with(|db| {
        each(db, "SELECT stream, n, seq FROM stream_entry ORDER BY stream, n", |row| {
            let (id, n, seq) = (int(row, 0)?, int(row, 1)?, int(row, 2)?);
            let seq = seq.and_then(|seq| u64::try_from(seq).ok());
            let Some(known) = id.and_then(|id| rows.by_id.get_mut(&id)) else {
                findings.damage(seq, "stream-table", "a row of stream_entry belongs to no stream");
                return Ok(());
            };
            let in_order = n == Some(known.rows);
            known.rows += 1;
            let stream = known.name.parse().ok().and_then(|id| streams.get(&id));
            let wanted = stream.and_then(|stream| stream.seqs.get(usize::try_from(n?).ok()?)).copied();
            let fits = match (wanted, seq) {
                (Some(UNKNOWN) | None, Some(seq)) => holes.contains(seq),
                (wanted, seq) => wanted == seq,
            };
            if !in_order || !fits {
                let what = format_args!("{}: the entry {} is not there", known.name.escape_debug(), shown(n));
                findings.damage(seq, "stream-table", what);
            } else if Some(known.rows) == known.count && known.leaf != seq.and_then(|seq| chain.tree.leaf(seq)) {
                let what = format_args!("{}: leaf is not that of its last entry", known.name.escape_debug());
                findings.damage(seq, "stream-table", what);
            }
            Ok(())
        })
    })?;
    rows.check_all_are_there(streams.iter(), streams.len(), findings);
    Ok(())
}

/// The rows of `stream`, and how many rows of `stream_entry` each has.
#[derive(Default)]
struct StreamRows {
    by_id: HashMap<i64, StreamRow>,
}

struct StreamRow {
    name: String,
    count: Option<i64>,
    leaf: Option<Hash>,
    rows: i64,
}

impl StreamRows {
    fn check_all_are_there<'s>(
        &self,
        streams: impl Iterator<Item = &'s Stream>,
        count: usize,
        findings: &mut Findings,
    ) {
        for row in self.by_id.values().filter(|row| row.count != Some(row.rows)) {
            let what =
                format_args!("{}: {} entries are listed, not {}", row.name.escape_debug(), row.rows, shown(row.count));
            findings.damage(None, "stream-table", what);
        }
        let mut there: HashMap<&str, ()> = HashMap::with_capacity(count);
        there.extend(self.by_id.values().map(|row| (row.name.as_str(), ())));
        for stream in streams.filter(|stream| !there.contains_key(stream.id.as_str())) {
            findings.damage(last_known(stream), "stream-table", format_args!("{}: not in the table", stream.id));
        }
    }
}

/// What is wrong with a stream's row, but for its leaf. With holes in the log, it may know more than we do.
fn stream_fault(
    row: &Row<'_>,
    stream: &Stream,
    structure_only: bool,
    holes: bool,
) -> rusqlite::Result<Option<&'static str>> {
    let count = int(row, 2)?.and_then(|count| usize::try_from(count).ok());
    let len = stream.seqs.len();
    if !count.is_some_and(|count| count == len || holes && count > len) {
        return Ok(Some("count is not the number of its entries"));
    }
    if structure_only || holes {
        return Ok(None);
    }
    if int(row, 4)? != Some(i64::from(stream.imported)) {
        return Ok(Some("imported is not as its first entry has it"));
    }
    let last = stream.blocking.last.as_ref();
    let wanted = (
        last.and_then(|(n, _)| i64::try_from(*n).ok()),
        last.map(|(_, by)| ActorId::to_string(by)),
        stream.blocking.last_by_other.and_then(|n| i64::try_from(n).ok()),
    );
    let null = |column: usize| row.get_ref(column).map(|value| matches!(value, ValueRef::Null));
    let found = (int(row, 5)?, text(row, 6)?, int(row, 7)?);
    let typed = (found.0.is_some() || null(5)?) && (found.1.is_some() || null(6)?) && (found.2.is_some() || null(7)?);
    Ok((found != wanted || !typed).then_some("its blocking decisions are not those of its entries"))
}

fn last_known(stream: &Stream) -> Option<u64> {
    stream.seqs.iter().rev().copied().find(|seq| *seq != UNKNOWN)
}

/// Calls `take` with every row.
pub(crate) fn each(
    db: &Connection,
    sql: &str,
    mut take: impl FnMut(&Row<'_>) -> rusqlite::Result<()>,
) -> rusqlite::Result<()> {
    let mut statement = db.prepare(sql)?;
    let mut rows = statement.query([])?;
    while let Some(row) = rows.next()? {
        take(row)?;
    }
    Ok(())
}

/// The integer in a column, if it is one.
pub(crate) fn int(row: &Row<'_>, column: usize) -> rusqlite::Result<Option<i64>> {
    Ok(match row.get_ref(column)? {
        ValueRef::Integer(value) => Some(value),
        _ => None,
    })
}

/// The text in a column, if it is one.
pub(crate) fn text(row: &Row<'_>, column: usize) -> rusqlite::Result<Option<String>> {
    Ok(match row.get_ref(column)? {
        ValueRef::Text(bytes) => String::from_utf8(bytes.to_vec()).ok(),
        _ => None,
    })
}

fn hash(row: &Row<'_>, column: usize) -> rusqlite::Result<Option<Hash>> {
    Ok(match row.get_ref(column)? {
        ValueRef::Blob(bytes) => bytes.try_into().ok().map(Hash),
        _ => None,
    })
}

fn shown(value: Option<i64>) -> String {
    value.map_or_else(|| "that is no integer".to_owned(), |value| value.to_string())
}
