//! Checks the tables of the tree's hashes and of the trust rows, which follow from the entries (FORMAT.md §9 and §10 step 6):
//! exactly the rows that must be there are there, and none besides.

use blotter_record::Hash;
use rusqlite::types::ValueRef;
use rusqlite::{Connection, Row};

use crate::error::ReadError;
use crate::store::Store;
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

/// The hash in a column, if it is one.
pub(crate) fn hash(row: &Row<'_>, column: usize) -> rusqlite::Result<Option<Hash>> {
    Ok(match row.get_ref(column)? {
        ValueRef::Blob(bytes) => bytes.try_into().ok().map(Hash),
        _ => None,
    })
}

/// An integer for people.
pub(crate) fn shown(value: Option<i64>) -> String {
    value.map_or_else(|| "that is no integer".to_owned(), |value| value.to_string())
}
