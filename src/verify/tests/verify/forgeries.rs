//! Whoever can write the database, and has no key: every edit is named, with the entry that it touched.

use blotter_record::Hash;
use blotter_verify::Outcome;
use rusqlite::{Connection, params};
use tempfile::TempDir;

use crate::forge::{Forge, root};
use crate::script::{Marks, anchored, edited, full, long, run, show};

/// What an edit must be called, and the first bad entry.
type Expect = (&'static str, Option<u64>);

fn check(name: &str, ledger: &Forge, edit: impl FnOnce(&Connection), expect: Expect) {
    check_dir(name, &edited(ledger, edit), ledger, expect);
}

fn check_dir(name: &str, dir: &TempDir, ledger: &Forge, (code, first_bad): Expect) {
    let report = run(dir.path(), anchored(ledger)).unwrap();
    let named = report.findings.iter().any(|finding| finding.damage && finding.code == code);
    let bad = (report.outcome, report.exit_code(), report.first_bad);
    assert!(named, "{name}: wanted {code}; {}", show(&report));
    assert_eq!(bad, (Outcome::Damaged, 1, first_bad), "{name}: {}", show(&report));
}

/// A batch of edits, each one statement of SQL.
fn check_sql(ledger: &Forge, cases: &[(String, Expect)]) -> usize {
    for (sql, expect) in cases {
        check(sql, ledger, |db| db.execute_batch(sql).unwrap_or_else(|error| panic!("{sql}: {error}")), *expect);
    }
    cases.len()
}

fn set_bytes(db: &Connection, seq: u64, bytes: &[u8]) {
    db.execute("UPDATE entry SET bytes = ?2 WHERE seq = ?1", params![seq as i64, bytes]).unwrap();
}

fn set_leaf(db: &Connection, seq: u64, bytes: &[u8]) {
    let leaf = Hash::of_leaf(bytes);
    db.execute("UPDATE entry SET leaf = ?2 WHERE seq = ?1", params![seq as i64, leaf.0.as_slice()]).unwrap();
}

/// The entry with another fraction in `recorded`: well-formed, and signed by the same actor.
fn other_second(ledger: &Forge, seq: u64) -> Vec<u8> {
    let text = String::from_utf8(ledger.entries[seq as usize].clone()).unwrap();
    text.replacen(".000000Z", ".000001Z", 1).into_bytes()
}

#[test]
fn an_altered_entry_is_named() {
    let (ledger, marks) = full();
    let (at, last) = (marks["comment"], marks["last"]);
    let bytes = other_second(&ledger, at);
    check("bytes", &ledger, |db| set_bytes(db, at, &bytes), ("leaf", Some(at)));
    let both = |db: &Connection| (set_bytes(db, at, &bytes), set_leaf(db, at, &bytes)).0;
    check("bytes and leaf", &ledger, both, ("altered", Some(at)));
    let bytes = other_second(&ledger, last);
    let both = |db: &Connection| (set_bytes(db, last, &bytes), set_leaf(db, last, &bytes)).0;
    check("the last one", &ledger, both, ("checkpoint-root", Some(last)));
    let first = String::from_utf8(ledger.entries[0].clone()).unwrap().replacen(":01.000000Z", ":00.000000Z", 1);
    let both = |db: &Connection| (set_bytes(db, 0, first.as_bytes()), set_leaf(db, 0, first.as_bytes())).0;
    check("the first one", &ledger, both, ("anchor", Some(0)));
    let other = |from: &str, to: &str, seq: u64| {
        String::from_utf8(ledger.entries[seq as usize].clone()).unwrap().replacen(from, to, 1).into_bytes()
    };
    let bytes = other("\"v\":1", "\"v\":2", at);
    check("the version", &ledger, |db| set_bytes(db, at, &bytes), ("entry", Some(at)));
    let bytes = other("\"v\":1,", "\"v\":1, ", at);
    check("a space", &ledger, |db| set_bytes(db, at, &bytes), ("entry", Some(at)));
    let prev = ledger.leaves[at as usize - 1].to_string();
    let bytes = other(&prev, &ledger.leaves[0].to_string(), at);
    let both = |db: &Connection| (set_bytes(db, at, &bytes), set_leaf(db, at, &bytes)).0;
    check("its prev", &ledger, both, ("altered", Some(at)));
    let prev = ledger.leaves[last as usize - 1].to_string();
    let bytes = other(&prev, &ledger.leaves[0].to_string(), last);
    let both = |db: &Connection| (set_bytes(db, last, &bytes), set_leaf(db, last, &bytes)).0;
    check("the last one's prev", &ledger, both, ("prev", Some(last)));
    check(
        "the link of a stream",
        &ledger,
        |db| set_bytes(db, at, &other("\",1,\"", "\",2,\"", at)),
        ("stream", Some(at)),
    );
}

#[test]
fn only_the_altered_entry_is_named() {
    let (ledger, marks) = full();
    let at = marks["comment"];
    let bytes = other_second(&ledger, at);
    let dir = edited(&ledger, |db| (set_bytes(db, at, &bytes), set_leaf(db, at, &bytes)).0);
    let report = run(dir.path(), anchored(&ledger)).unwrap();
    assert!(report.findings.iter().all(|finding| finding.seq == Some(at)), "{}", show(&report));
    assert_eq!(report.checkpoints, ledger.notes.len() as u64 - 1);
}

#[test]
fn missing_extra_and_misplaced_entries_are_named() {
    let (ledger, marks) = full();
    let (at, last, size) = (marks["comment"], marks["last"], ledger.size());
    let missing = |seq: u64| (format!("DELETE FROM entry WHERE seq = {seq}"), ("missing", Some(seq)));
    let swap = |a: u64, b: u64| {
        format!(
            "UPDATE entry SET seq = -1 WHERE seq = {a}; UPDATE entry SET seq = {a} WHERE seq = {b};
             UPDATE entry SET seq = {b} WHERE seq = -1"
        )
    };
    let copy = |as_seq: &str| {
        format!(
            "INSERT INTO entry SELECT {as_seq}, leaf, x'00112233445546778899aabbccddeeff', bytes FROM entry WHERE seq = {at}"
        )
    };
    let cases = [
        missing(at),
        missing(0),
        missing(1),
        (format!("DELETE FROM entry WHERE seq BETWEEN {at} AND {}", at + 2), ("missing", Some(at))),
        (format!("DELETE FROM entry WHERE seq = {last}"), ("cut", Some(last))),
        (format!("DELETE FROM entry WHERE seq >= {at}"), ("cut", Some(at))),
        ("DELETE FROM entry".to_owned(), ("empty", Some(0))),
        (swap(at, at + 1), ("seq", Some(at))),
        (swap(3, last), ("seq", Some(3))),
        (copy(&size.to_string()), ("seq", Some(size))),
        (copy("-7"), ("row", None)),
        (copy("9223372036854775807"), ("missing", Some(size))),
        (copy(&(size + 5).to_string()), ("missing", Some(size))),
        (format!("UPDATE entry SET bytes = leaf WHERE seq = {at}"), ("expunged", Some(at))),
        (format!("UPDATE entry SET bytes = x'' WHERE seq = {at}"), ("entry", Some(at))),
        (format!("UPDATE entry SET bytes = zeroblob(70000) WHERE seq = {at}"), ("row", Some(at))),
        (format!("UPDATE entry SET leaf = zeroblob(32) WHERE seq = {at}"), ("leaf", Some(at))),
        (format!("UPDATE entry SET leaf = x'00' WHERE seq = {at}"), ("row", Some(at))),
        (format!("UPDATE entry SET jti = zeroblob(16) WHERE seq = {at}"), ("jti", Some(at))),
        (format!("UPDATE entry SET jti = x'00' WHERE seq = {at}"), ("row", Some(at))),
    ];
    assert_eq!(check_sql(&ledger, &cases), 20);
}

#[test]
fn disclosures_and_blobs_are_exactly_those_of_the_entries() {
    let (ledger, marks) = full();
    let (at, blob, size) = (marks["opened"], marks["blob"], ledger.size());
    let (slot, erased) = (64 * at, marks["comment"]);
    let erased_text = ledger.lines[erased as usize].disclosures[0].text();
    let cases = [
        (format!("DELETE FROM disclosure WHERE slot = {slot}"), ("disclosure-missing", Some(at))),
        (format!("DELETE FROM disclosure WHERE seq = {at}"), ("disclosure-missing", Some(at))),
        (format!("UPDATE disclosure SET text = text || 'A' WHERE slot = {slot}"), ("disclosure", Some(at))),
        (format!("UPDATE disclosure SET text = '' WHERE slot = {slot}"), ("disclosure", Some(at))),
        (format!("UPDATE disclosure SET text = hex(zeroblob(40000)) WHERE slot = {slot}"), ("disclosure", Some(at))),
        (format!("UPDATE disclosure SET name = 'summary' WHERE slot = {slot}"), ("disclosure", Some(at))),
        (format!("UPDATE disclosure SET seq = 0 WHERE slot = {slot}"), ("disclosure", Some(at))),
        (format!("UPDATE disclosure SET slot = slot + 7 WHERE slot = {slot}"), ("disclosure", Some(at))),
        (format!("UPDATE disclosure SET slot = slot + 64 WHERE slot = {slot}"), ("disclosure", Some(at))),
        (
            format!("INSERT INTO disclosure SELECT {slot} + 7, seq, name, text FROM disclosure WHERE slot = {slot}"),
            ("disclosure", Some(at)),
        ),
        (
            format!(
                "UPDATE disclosure SET (name, text) = (SELECT name, text FROM disclosure WHERE slot = {slot} + 1) WHERE slot = {slot}"
            ),
            ("disclosure", Some(at)),
        ),
        (
            format!(
                "UPDATE disclosure SET text = (SELECT text FROM disclosure WHERE seq = {blob}) WHERE slot = {slot}"
            ),
            ("disclosure", Some(at)),
        ),
        (
            format!(
                "INSERT INTO disclosure SELECT 64 * {size}, {size}, name, text FROM disclosure WHERE slot = {slot}"
            ),
            ("disclosure", Some(size)),
        ),
        (
            format!("INSERT INTO disclosure SELECT -64, -1, name, text FROM disclosure WHERE slot = {slot}"),
            ("disclosure", None),
        ),
        (
            format!(
                "INSERT INTO disclosure SELECT 9223372036854775807, 1, name, text FROM disclosure WHERE slot = {slot}"
            ),
            ("disclosure", Some(144_115_188_075_855_871)),
        ),
        (
            format!("INSERT INTO disclosure VALUES ({}, {erased}, 'text', '{erased_text}')", 64 * erased),
            ("erased-present", Some(erased)),
        ),
        ("UPDATE blob SET bytes = zeroblob(18)".to_owned(), ("blob", Some(blob))),
        ("UPDATE blob SET bytes = CAST(bytes || 'x' AS BLOB)".to_owned(), ("blob", Some(blob))),
        ("UPDATE blob SET id = 'bcdefghijklmnopqrstuvwx27a'".to_owned(), ("blob-missing", Some(blob))),
        ("DELETE FROM blob".to_owned(), ("blob-missing", Some(blob))),
        ("INSERT INTO blob VALUES ('extra', x'00')".to_owned(), ("blob", None)),
    ];
    assert_eq!(check_sql(&ledger, &cases), 21);
}

#[test]
fn checkpoints_are_of_this_tree_and_cover_all_of_it() {
    let (ledger, marks) = full();
    let size = ledger.size();
    let (middle, rotated) = (marks["comment"] + 1, marks["rotated"] + 1);
    let stranger = {
        let mut other = ledger.clone();
        other.ledger_keys = vec![(1, 99)];
        other.note(size, root(&ledger.leaves))
    };
    let beyond = ledger.note(size + 3, root(&ledger.leaves));
    let one_key = {
        let mut other = ledger.clone();
        other.ledger_keys.pop();
        other.note(rotated, root(&ledger.leaves[..rotated as usize]))
    };
    let note = |size: u64, note: &str| format!("UPDATE checkpoint SET note = '{note}' WHERE size = {size}");
    let cases = [
        (format!("DELETE FROM checkpoint WHERE size = {size}"), ("unsealed", Some(size - 1))),
        ("DELETE FROM checkpoint".to_owned(), ("unsealed", Some(0))),
        (format!("DELETE FROM checkpoint WHERE size = {rotated}"), ("rotation", Some(rotated - 1))),
        (format!("UPDATE checkpoint SET size = -1 WHERE size = {middle}"), ("checkpoint", None)),
        (format!("UPDATE checkpoint SET size = 0 WHERE size = {middle}"), ("checkpoint", None)),
        (
            format!(
                "UPDATE checkpoint SET note = (SELECT note FROM checkpoint WHERE size = {middle}) WHERE size = {size}"
            ),
            ("checkpoint", Some(size - 1)),
        ),
        (format!("UPDATE checkpoint SET size = {} WHERE size = {size}", size + 1), ("checkpoint", Some(size - 1))),
        (note(middle, ""), ("checkpoint", Some(middle - 1))),
        (note(middle, "example.org/soc"), ("checkpoint", Some(middle - 1))),
        (note(size, &stranger), ("checkpoint-signature", Some(size - 1))),
        (note(rotated, &one_key), ("checkpoint-signature", Some(rotated - 1))),
        (format!("INSERT INTO checkpoint VALUES ({}, '{beyond}')", size + 3), ("cut", Some(size))),
    ];
    assert_eq!(check_sql(&ledger, &cases), 12);
}

#[test]
fn the_tree_hashes_are_exactly_those_of_full_tiles() {
    let ledger = long();
    let cases = [
        ("UPDATE node SET hash = zeroblob(32) WHERE idx = 1", ("node", Some(256))),
        ("UPDATE node SET hash = x'00' WHERE idx = 0", ("node", Some(0))),
        ("DELETE FROM node WHERE idx = 0", ("node", Some(0))),
        ("DELETE FROM node", ("node", Some(0))),
        ("INSERT INTO node SELECT 1, 2, hash FROM node WHERE idx = 1", ("node", None)),
        ("INSERT INTO node SELECT 2, 0, hash FROM node WHERE idx = 1", ("node", None)),
        ("INSERT INTO node SELECT 0, 0, hash FROM node WHERE idx = 1", ("node", None)),
        ("INSERT INTO node SELECT -1, -1, hash FROM node WHERE idx = 1", ("node", None)),
        ("INSERT INTO node SELECT 9223372036854775807, 0, hash FROM node WHERE idx = 1", ("node", None)),
    ];
    assert_eq!(check_sql(&ledger, &cases.map(|(sql, expect)| (sql.to_owned(), expect))), 9);
}

#[test]
fn the_writers_index_agrees_with_the_entries() {
    let (ledger, marks) = full();
    let (last_of_incident, of_bob) = (marks["last"], marks["key-recovered"]);
    let incident = "(SELECT id FROM stream WHERE name = 'incident/INC-1')";
    let stream = |set: &str| {
        (format!("UPDATE stream SET {set} WHERE name = 'incident/INC-1'"), ("stream-table", Some(last_of_incident)))
    };
    let not_blocked = "UPDATE stream SET blocking_n = NULL, blocking_by = NULL WHERE name = 'actor/bob'";
    let cases = [
        ("UPDATE stream SET count = count + 1 WHERE name = 'incident/INC-1'".to_owned(), ("stream-table", None)),
        (
            "UPDATE stream SET count = 1 WHERE name = 'incident/INC-1'".to_owned(),
            ("stream-table", Some(marks["comment"])),
        ),
        (
            "UPDATE stream SET count = -1 WHERE name = 'incident/INC-1'".to_owned(),
            ("stream-table", Some(marks["opened"])),
        ),
        stream("leaf = zeroblob(32)"),
        stream("imported = 1"),
        (
            "UPDATE stream SET name = 'incident/inc-1' WHERE name = 'incident/INC-1'".to_owned(),
            ("stream-table", Some(marks["opened"])),
        ),
        stream("blocking_n = 1"),
        stream("blocking_by = 'person/ann'"),
        stream("blocking_n_other = NULL"),
        (not_blocked.to_owned(), ("stream-table", Some(of_bob))),
        ("DELETE FROM stream WHERE name = 'actor/bob'".to_owned(), ("stream-table", Some(4))),
        (
            "INSERT INTO stream SELECT 999, 'incident/X', 1, leaf, 0, NULL, NULL, NULL FROM stream LIMIT 1".to_owned(),
            ("stream-table", None),
        ),
        ("INSERT INTO stream_entry VALUES (999, 0, 3)".to_owned(), ("stream-table", Some(3))),
        (format!("INSERT INTO stream_entry VALUES ({incident}, 99, 3)"), ("stream-table", Some(3))),
        (format!("UPDATE stream_entry SET seq = 3 WHERE stream = {incident} AND n = 1"), ("stream-table", Some(3))),
        (
            format!("DELETE FROM stream_entry WHERE stream = {incident} AND seq = {last_of_incident}"),
            ("stream-table", None),
        ),
        ("DELETE FROM trust WHERE seq = 2".to_owned(), ("trust-table", Some(2))),
        ("DELETE FROM trust".to_owned(), ("trust-table", Some(0))),
        (format!("INSERT INTO trust VALUES ({})", marks["comment"]), ("trust-table", Some(marks["comment"]))),
        ("INSERT INTO trust VALUES (99999)".to_owned(), ("trust-table", Some(99_999))),
        ("INSERT INTO trust VALUES (-1)".to_owned(), ("trust-table", None)),
    ];
    assert_eq!(check_sql(&ledger, &cases), 21);
}

#[test]
fn cells_of_another_type_are_named() {
    let (ledger, marks) = full();
    let at = marks["opened"];
    let not_strict = |table: &str, columns: &str, update: String| {
        format!(
            "CREATE TABLE t AS SELECT * FROM {table}; DROP TABLE {table}; CREATE TABLE {table} ({columns});
                 INSERT INTO {table} SELECT * FROM t; DROP TABLE t; {update}"
        )
    };
    let entry = "seq INTEGER PRIMARY KEY, leaf BLOB, jti BLOB, bytes BLOB";
    let disclosure = "slot INTEGER PRIMARY KEY, seq INTEGER, name TEXT, text TEXT";
    let cases = [
        (
            not_strict("entry", entry, format!("UPDATE entry SET bytes = CAST(bytes AS TEXT) WHERE seq = {at}")),
            ("row", Some(at)),
        ),
        (not_strict("entry", entry, format!("UPDATE entry SET bytes = NULL WHERE seq = {at}")), ("row", Some(at))),
        (not_strict("entry", entry, format!("UPDATE entry SET leaf = 7 WHERE seq = {at}")), ("row", Some(at))),
        (not_strict("entry", entry, format!("UPDATE entry SET jti = 1.5 WHERE seq = {at}")), ("row", Some(at))),
        (
            not_strict(
                "disclosure",
                disclosure,
                format!("UPDATE disclosure SET text = CAST(text AS BLOB) WHERE seq = {at}"),
            ),
            ("disclosure", Some(at)),
        ),
        (
            not_strict("disclosure", disclosure, format!("UPDATE disclosure SET seq = 'x' WHERE seq = {at}")),
            ("disclosure", Some(at)),
        ),
        (
            not_strict(
                "checkpoint",
                "size INTEGER PRIMARY KEY, note TEXT",
                "UPDATE checkpoint SET note = NULL WHERE size = 3".to_owned(),
            ),
            ("checkpoint", Some(2)),
        ),
        (
            not_strict("blob", "id TEXT PRIMARY KEY, bytes BLOB", "UPDATE blob SET bytes = 'x'".to_owned()),
            ("blob", Some(marks["blob"])),
        ),
    ];
    assert_eq!(check_sql(&ledger, &cases), 8);
}

#[test]
fn the_marks_of_the_script_are_where_the_tests_think() {
    let (ledger, marks): (Forge, Marks) = full();
    assert_eq!(marks["last"] + 1, ledger.size());
}
