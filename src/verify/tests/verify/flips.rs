//! Every byte counts: whichever one of the record is flipped, the ledger does not verify.

use blotter_verify::{Options, Outcome};
use rusqlite::types::Value;
use rusqlite::{Connection, params};

use crate::script::{anchored, drop_triggers, run, show, small};
use tempfile::TempDir;

/// The cells that are the record: table, its key, and the column; and whether it is text.
const CELLS: [(&str, &str, &str, bool); 7] = [
    ("entry", "seq", "bytes", false),
    ("entry", "seq", "leaf", false),
    ("entry", "seq", "jti", false),
    ("checkpoint", "size", "note", true),
    ("disclosure", "slot", "text", true),
    ("disclosure", "slot", "name", true),
    ("disclosure", "slot", "seq", true),
];

/// Flipping every bit would take long; each byte gets one flip, and which bit it is follows from its place.
#[test]
fn no_flipped_byte_of_the_record_verifies() {
    let ledger = small();
    let dir = TempDir::new().unwrap();
    let db = ledger.write(dir.path());
    drop_triggers(&db);
    let verifies = || {
        let report = run(dir.path(), anchored(&ledger)).unwrap();
        (report.outcome, show(&report))
    };
    assert_eq!(verifies().0, Outcome::Verified);
    let mut flips = 0;
    for (table, key, column, is_text) in CELLS.into_iter().filter(|cell| cell.2 != "seq") {
        for (row, bytes) in cells(&db, table, key, column) {
            let set = |bytes: &[u8]| {
                let value = if is_text { "CAST(?2 AS TEXT)" } else { "?2" };
                let sql = format!("UPDATE {table} SET {column} = {value} WHERE {key} = ?1");
                db.execute(&sql, params![row, bytes]).unwrap();
            };
            for at in 0..bytes.len() {
                let mut flipped = bytes.clone();
                flipped[at] ^= 1 << (at * 5 % 8);
                set(&flipped);
                let (outcome, shown) = verifies();
                assert_eq!(outcome, Outcome::Damaged, "{table} {row} {column} byte {at}: {shown}");
                flips += 1;
            }
            set(&bytes);
        }
    }
    assert_eq!(verifies().0, Outcome::Verified);
    assert!(flips > 4_500, "{flips}");
    let structure = Options { structure_only: true, ..anchored(&ledger) };
    assert_eq!(run(dir.path(), structure).unwrap().outcome, Outcome::Verified);
}

fn cells(db: &Connection, table: &str, key: &str, column: &str) -> Vec<(i64, Vec<u8>)> {
    let mut select = db.prepare(&format!("SELECT {key}, {column} FROM {table}")).unwrap();
    let rows = select.query_map([], |row| {
        let bytes = match row.get::<_, Value>(1)? {
            Value::Blob(bytes) => bytes,
            Value::Text(text) => text.into_bytes(),
            other => panic!("{other:?}"),
        };
        Ok((row.get(0)?, bytes))
    });
    rows.unwrap().map(Result::unwrap).collect()
}
