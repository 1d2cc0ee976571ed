//! The database as a file: what is no database, what pretends to be a table, and what a reader leaves behind.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::sync::atomic::AtomicBool;

use blotter_verify::{CouldNotRun, Options, Outcome, Progress, verify};
use rusqlite::Connection;
use tempfile::TempDir;

use crate::forge::say;
use crate::script::{anchored, drop_triggers, edited, full, long, on_disk, run, show, small};

fn names(dir: &Path) -> Vec<String> {
    let mut names: Vec<String> =
        fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

#[test]
fn what_is_no_database_could_not_be_verified() {
    let dir = TempDir::new().unwrap();
    assert!(matches!(run(dir.path(), Options::default()), Err(CouldNotRun::NotThere { .. })));
    fs::write(dir.path().join("ledger.db"), "this is a text, and longer than a header of SQLite would be. ".repeat(20))
        .unwrap();
    assert!(matches!(run(dir.path(), Options::default()), Err(CouldNotRun::NotADatabase { .. })));
    fs::remove_file(dir.path().join("ledger.db")).unwrap();
    fs::create_dir(dir.path().join("ledger.db")).unwrap();
    assert!(matches!(run(dir.path(), Options::default()), Err(CouldNotRun::NotADatabase { .. })));
}

#[test]
fn an_empty_database_is_damaged() {
    let ledger = small();
    let dir = TempDir::new().unwrap();
    fs::write(dir.path().join("ledger.db"), "").unwrap();
    let report = run(dir.path(), anchored(&ledger)).unwrap();
    assert_eq!((report.outcome, report.findings[0].code), (Outcome::Damaged, "schema"), "{}", show(&report));
    let dir = TempDir::new().unwrap();
    let db = Connection::open(dir.path().join("ledger.db")).unwrap();
    db.execute_batch(include_str!("../../../ledger/src/schema.sql")).unwrap();
    drop(db);
    let report = run(dir.path(), anchored(&ledger)).unwrap();
    assert_eq!(report.outcome, Outcome::Damaged);
    assert!(report.findings.iter().any(|finding| finding.code == "empty"), "{}", show(&report));
}

#[test]
fn a_truncated_or_scribbled_file_is_damaged() {
    let (ledger, _) = full();
    let whole = fs::read(on_disk(&ledger).path().join("ledger.db")).unwrap();
    let mut outcomes = 0;
    for pages in [1, 3, 10, whole.len() / 4096 - 1] {
        let dir = TempDir::new().unwrap();
        fs::write(dir.path().join("ledger.db"), &whole[..pages * 4096]).unwrap();
        let report = run(dir.path(), anchored(&ledger)).unwrap();
        assert_eq!(report.outcome, Outcome::Damaged, "{pages} pages: {}", show(&report));
        outcomes += 1;
    }
    for page in 1..whole.len() / 4096 {
        let mut bytes = whole.clone();
        bytes[page * 4096..(page + 1) * 4096].fill(0xaa);
        let dir = TempDir::new().unwrap();
        fs::write(dir.path().join("ledger.db"), &bytes).unwrap();
        let report = run(dir.path(), anchored(&ledger)).unwrap();
        assert_eq!(report.outcome, Outcome::Damaged, "page {page}: {}", show(&report));
        outcomes += 1;
    }
    assert!(outcomes > 30, "{outcomes}");
}

#[test]
fn a_table_is_a_table() {
    let ledger = small();
    let rename = "ALTER TABLE entry RENAME TO hidden;";
    let cases = [
        format!("{rename} CREATE VIEW entry AS SELECT seq, leaf, jti, bytes FROM hidden"),
        format!(
            "{rename} CREATE TABLE entry (seq INTEGER PRIMARY KEY, leaf BLOB, jti BLOB, raw BLOB, bytes BLOB AS (raw));
             INSERT INTO entry (seq, leaf, jti, raw) SELECT * FROM hidden; DROP TABLE hidden"
        ),
        format!(
            "{rename} CREATE TABLE entry (seq INTEGER PRIMARY KEY, leaf BLOB, jti BLOB, raw BLOB, bytes BLOB AS (raw) STORED);
             INSERT INTO entry (seq, leaf, jti, raw) SELECT * FROM hidden; DROP TABLE hidden"
        ),
        format!("{rename} CREATE VIRTUAL TABLE entry USING fts5(seq, leaf, jti, bytes)"),
        "ALTER TABLE entry ADD COLUMN note TEXT".to_owned(),
        "ALTER TABLE entry RENAME COLUMN bytes TO byte".to_owned(),
        "CREATE TABLE more (x)".to_owned(),
        "CREATE VIEW more AS SELECT * FROM entry".to_owned(),
        "CREATE TRIGGER more AFTER INSERT ON entry BEGIN DELETE FROM trust; END".to_owned(),
        "DROP TABLE trust".to_owned(),
        "DROP TABLE blob; CREATE TABLE blob (bytes BLOB, id TEXT PRIMARY KEY)".to_owned(),
        "CREATE TABLE t AS SELECT * FROM entry; DROP TABLE entry;
         CREATE TABLE entry (seq INT PRIMARY KEY, leaf BLOB, jti BLOB, bytes BLOB); INSERT INTO entry SELECT * FROM t; DROP TABLE t"
            .to_owned(),
        "PRAGMA user_version = 2".to_owned(),
        "PRAGMA application_id = 7".to_owned(),
    ];
    for sql in &cases {
        let dir = edited(&ledger, |db| db.execute_batch(sql).unwrap_or_else(|error| panic!("{sql}: {error}")));
        let report = run(dir.path(), anchored(&ledger)).unwrap();
        assert_eq!(report.outcome, Outcome::Damaged, "{sql}");
        assert_eq!(report.findings[0].code, "schema", "{sql}: {}", show(&report));
    }
    assert_eq!(cases.len(), 14);
}

/// A look-up by id would show another entry than a reading of the table: the index over the ids is one of a copy of the
/// table in which two ids are exchanged.
#[test]
fn an_index_that_contradicts_its_table_is_damage() {
    let ledger = small();
    let dir = edited(&ledger, |db| {
        db.execute_batch(
            "CREATE TABLE copy (seq INTEGER PRIMARY KEY, leaf BLOB, jti BLOB NOT NULL UNIQUE, bytes BLOB) STRICT;
             INSERT INTO copy SELECT seq, leaf, (SELECT jti FROM entry WHERE seq = 3 - copied.seq), bytes FROM entry AS copied WHERE seq > 0;
             INSERT INTO copy SELECT * FROM entry WHERE seq = 0;
             PRAGMA writable_schema = on;
             UPDATE sqlite_master SET rootpage = (SELECT rootpage FROM sqlite_master WHERE name = 'sqlite_autoindex_copy_1')
                 WHERE name = 'sqlite_autoindex_entry_1';
             DELETE FROM sqlite_master WHERE tbl_name = 'copy'",
        )
        .unwrap();
    });
    let db = Connection::open(dir.path().join("ledger.db")).unwrap();
    let found: i64 = db
        .query_row("SELECT seq FROM entry WHERE jti = (SELECT jti FROM entry NOT INDEXED WHERE seq = 1)", [], |row| {
            row.get(0)
        })
        .unwrap();
    assert_eq!(found, 2, "the forgery works");
    drop(db);
    let report = run(dir.path(), anchored(&ledger)).unwrap();
    assert!(report.findings.iter().any(|finding| finding.code == "store"), "{}", show(&report));
}

#[test]
fn a_closed_ledger_is_read_without_a_trace() {
    let ledger = small();
    let dir = on_disk(&ledger);
    let before = (names(dir.path()), fs::read(dir.path().join("ledger.db")).unwrap());
    assert_eq!(run(dir.path(), anchored(&ledger)).unwrap().outcome, Outcome::Verified);
    assert_eq!((names(dir.path()), fs::read(dir.path().join("ledger.db")).unwrap()), before);
    fs::set_permissions(dir.path(), fs::Permissions::from_mode(0o500)).unwrap();
    assert_eq!(run(dir.path(), anchored(&ledger)).unwrap().outcome, Outcome::Verified);
    fs::set_permissions(dir.path(), fs::Permissions::from_mode(0o700)).unwrap();
}

#[test]
fn a_live_ledger_is_verified_as_it_is_at_one_moment() {
    let mut ledger = small();
    let dir = TempDir::new().unwrap();
    let db = ledger.write(dir.path());
    assert!(names(dir.path()).contains(&"ledger.db-wal".to_owned()));
    let writer = Connection::open(dir.path().join("ledger.db")).unwrap();
    drop_triggers(&writer);
    let old = anchored(&ledger);
    ledger.say(say("person/fay", "comment.added", "incident/INC-1").data("text", "second"));
    // The writer commits in the middle of the verification; what is verified is the log before.
    let report = verify(
        dir.path(),
        Options { threads: 1, ..old },
        &|_: Progress| {
            let _ = writer_appends(dir.path());
        },
        &AtomicBool::new(false),
    )
    .unwrap();
    assert_eq!((report.outcome, report.entries, report.fresh), (Outcome::Verified, 3, true), "{}", show(&report));
    let after = run(dir.path(), Options::default()).unwrap();
    assert_eq!(after.outcome, Outcome::Damaged, "what was written in between is not hidden for ever");
    drop(db);
}

fn writer_appends(dir: &Path) -> rusqlite::Result<()> {
    let db = Connection::open(dir.join("ledger.db"))?;
    db.execute_batch("INSERT OR IGNORE INTO entry SELECT 3, leaf, zeroblob(16), bytes FROM entry WHERE seq = 2")
}

#[test]
fn a_verification_can_be_cancelled() {
    let ledger = long();
    let dir = on_disk(&ledger);
    let cancelled = verify(dir.path(), anchored(&ledger), &|_| (), &AtomicBool::new(true));
    assert!(matches!(cancelled, Err(CouldNotRun::Cancelled)));
    let cancel = AtomicBool::new(false);
    let stop = |_| cancel.store(true, std::sync::atomic::Ordering::Relaxed);
    let cancelled = verify(dir.path(), anchored(&ledger), &stop, &cancel);
    assert!(matches!(cancelled, Err(CouldNotRun::Cancelled)));
}
