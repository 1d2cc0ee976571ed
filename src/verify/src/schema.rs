//! Checks that the tables are what FORMAT.md §9 says: plain tables with exactly these columns. A view, a virtual table or
//! a generated column could show this reader other rows than the next one; and an index that disagrees with its table
//! would do the same, so SQLite's own integrity check runs as well.

use std::collections::{BTreeMap, BTreeSet};

use rusqlite::Connection;

use crate::error::ReadError;
use crate::findings::Findings;
use crate::store::Store;

/// `'blot'`, and the version of the tables.
const APPLICATION_ID: i64 = 0x626c_6f74;
const USER_VERSION: i64 = 1;

/// A column: name, declared type, place in the primary key.
type Column = (&'static str, &'static str, i64);

/// The tables with their columns.
const TABLES: [(&str, &[Column]); 8] = [
    ("blob", &[("id", "TEXT", 1), ("bytes", "BLOB", 0)]),
    ("checkpoint", &[("size", "INTEGER", 1), ("note", "TEXT", 0)]),
    ("disclosure", &[("slot", "INTEGER", 1), ("seq", "INTEGER", 0), ("name", "TEXT", 0), ("text", "TEXT", 0)]),
    ("entry", &[("seq", "INTEGER", 1), ("leaf", "BLOB", 0), ("jti", "BLOB", 0), ("bytes", "BLOB", 0)]),
    ("node", &[("level", "INTEGER", 1), ("idx", "INTEGER", 2), ("hash", "BLOB", 0)]),
    (
        "stream",
        &[
            ("id", "INTEGER", 1),
            ("name", "TEXT", 0),
            ("count", "INTEGER", 0),
            ("leaf", "BLOB", 0),
            ("imported", "INTEGER", 0),
            ("blocking_n", "INTEGER", 0),
            ("blocking_by", "TEXT", 0),
            ("blocking_n_other", "INTEGER", 0),
        ],
    ),
    ("stream_entry", &[("stream", "INTEGER", 1), ("n", "INTEGER", 2), ("seq", "INTEGER", 0)]),
    ("trust", &[("seq", "INTEGER", 1)]),
];

/// The triggers of the writer; they guard honest tools, and their absence is no damage.
const TRIGGERS: [&str; 4] =
    ["checkpoint_is_never_deleted", "checkpoint_is_never_updated", "entry_is_never_deleted", "entry_is_never_updated"];

/// Whether all tables are there and plain, so that their rows can be read at all.
pub(crate) fn check_schema(store: &Store, findings: &mut Findings) -> Result<bool, ReadError> {
    let faults = store.with(faults)?;
    for fault in &faults {
        findings.damage(None, "schema", fault);
    }
    Ok(faults.is_empty())
}

/// SQLite's own check of pages, order and indexes; what it finds wrong.
pub(crate) fn check_integrity(store: &Store) -> Result<Vec<String>, ReadError> {
    store.with(|db| {
        let mut check = db.prepare("PRAGMA integrity_check(10)")?;
        let rows = check.query_map([], |row| row.get::<_, String>(0))?;
        rows.filter(|row| row.as_ref().map_or(true, |row| row != "ok")).collect()
    })
}

fn faults(db: &Connection) -> rusqlite::Result<Vec<String>> {
    let mut faults = Vec::new();
    let pragma = |name: &str| db.pragma_query_value(None, name, |row| row.get::<_, i64>(0));
    if (pragma("application_id")?, pragma("user_version")?) != (APPLICATION_ID, USER_VERSION) {
        faults.push("application_id and user_version are not those of a ledger of format 1".to_owned());
    }
    let mut wanted: BTreeMap<&str, &[Column]> = TABLES.into_iter().collect();
    let mut master = db.prepare("SELECT type, name, sql FROM sqlite_master ORDER BY rowid")?;
    let mut objects = master.query([])?;
    let mut twice = BTreeSet::new();
    while let Some(row) = objects.next()? {
        let (kind, name): (String, String) = (row.get(0)?, row.get(1)?);
        let sql: Option<String> = row.get(2)?;
        let shown = name.escape_debug().to_string();
        match kind.as_str() {
            "index" => {}
            "table" if name.starts_with("sqlite_") => {}
            "trigger" if TRIGGERS.contains(&name.as_str()) => {}
            "table" => match wanted.remove(name.as_str()) {
                Some(columns) => faults.extend(table_fault(db, &name, sql.as_deref(), columns)?),
                None => faults.push(format!("the table {shown} is none of format 1")),
            },
            _ => faults.push(format!("the {} {shown} is none of format 1", kind.escape_debug())),
        }
        if !twice.insert((kind, name)) {
            faults.push(format!("{shown} twice"));
        }
    }
    faults.extend(wanted.keys().map(|name| format!("no table {name}")));
    Ok(faults)
}

/// What is wrong with a table that is there.
fn table_fault(db: &Connection, name: &str, sql: Option<&str>, columns: &[Column]) -> rusqlite::Result<Option<String>> {
    let plain = |sql: &str| sql.get(..13).is_some_and(|start| start.eq_ignore_ascii_case("create table "));
    if !sql.is_some_and(plain) {
        return Ok(Some(format!("{name} is not an ordinary table")));
    }
    let mut statement = db.prepare("SELECT name, type, pk, hidden FROM pragma_table_xinfo(?1)")?;
    let rows = statement.query_map([name], |row| {
        Ok((row.get::<_, String>(0)?, row.get::<_, String>(1)?, row.get::<_, i64>(2)?, row.get::<_, i64>(3)?))
    })?;
    let found = rows.collect::<rusqlite::Result<Vec<_>>>()?;
    if found.iter().any(|(.., hidden)| *hidden != 0) {
        return Ok(Some(format!("{name} has a hidden or generated column")));
    }
    let found = found.iter().map(|(name, kind, key, _)| (name.as_str(), kind.as_str(), *key));
    Ok((!found.eq(columns.iter().copied())).then(|| format!("{name} has not exactly the columns of format 1")))
}
