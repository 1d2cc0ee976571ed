//! Opening: one writer at a time, after a crash it is said, and what is not what was signed is refused: an older copy, a
//! forged head file, a row that somebody changed.

use std::fs;

use blotter_ledger::{Error, Ledger, mark_restored, read};
use blotter_record::{Event, Hash};
use blotter_tests::World;

fn acted() -> World {
    let world = World::new();
    let ledger = world.open();
    world.opened("analyst", "incident/I-1").append(&ledger).unwrap();
    world.comment("analyst", "incident/I-1", "a remark").append(&ledger).unwrap();
    drop(ledger);
    world
}

fn copy(world: &World, to: &str) {
    let files: Vec<_> = fs::read_dir(world.dir()).unwrap().map(|file| file.unwrap().file_name()).collect();
    assert!(!files.iter().any(|name| name == "ledger.db-wal"), "a clean close leaves one file: {files:?}");
    fs::copy(world.database(), world.dir().join(to)).unwrap();
}

fn opened_error(world: &World) -> Error {
    match world.try_open() {
        Err(error) => error,
        Ok(_) => panic!("it was opened"),
    }
}

#[test]
fn a_ledger_is_open_for_writing_once() {
    let world = acted();
    let ledger = world.open();
    assert!(matches!(opened_error(&world), Error::Locked(_)));
    drop(ledger);
    world.open();
}

#[test]
fn a_copy_in_another_directory_is_not_written_beside_the_original() {
    let world = acted();
    let beside = tempfile::tempdir().unwrap();
    fs::copy(world.database(), beside.path().join("ledger.db")).unwrap();
    let ledger = world.open();
    let answer = Ledger::open(beside.path(), world.opening()).map(drop);
    assert!(matches!(answer, Err(Error::Locked(_))), "{answer:?}");
    world.comment("analyst", "incident/I-1", "the original goes on").append(&ledger).unwrap();
    drop(ledger);
    let answer = Ledger::open(beside.path(), world.opening()).map(drop);
    assert!(matches!(answer, Err(Error::Behind { .. })), "and the copy stays behind: {answer:?}");
}

#[test]
fn a_restored_old_copy_is_refused_and_the_newer_one_still_opens() {
    let world = acted();
    copy(&world, "old");
    let ledger = world.open();
    world.comment("analyst", "incident/I-1", "after the backup").append(&ledger).unwrap();
    let size = ledger.size();
    drop(ledger);
    copy(&world, "new");
    fs::rename(world.dir().join("old"), world.database()).unwrap();
    match opened_error(&world) {
        Error::Behind { size: now, signed, head_file } => {
            assert_eq!((now, signed), (size - 1, size));
            assert_eq!(head_file, world.head_file());
        }
        other => panic!("{other}"),
    }
    fs::rename(world.dir().join("new"), world.database()).unwrap();
    world.open();
    assert_eq!(world.check(), size);
}

#[test]
fn a_restored_copy_of_the_newest_state_goes_on_and_says_so() {
    let world = acted();
    mark_restored(&world.dir()).unwrap();
    let ledger = world.open();
    let (_, statement) =
        ledger.read(|store| read::entries(store, ledger.size() - 1, 1)).unwrap().remove(0).said.unwrap();
    assert_eq!(statement.event.known(), Some(Event::LedgerOpened));
    assert_eq!(statement.facts.word("was"), Some("restored"));
}

#[test]
fn after_a_crash_the_ledger_says_so_once() {
    let world = acted();
    let size = world.check();
    fs::write(world.dir().join("writer.lock"), "open\n").unwrap();
    let ledger = world.open();
    assert_eq!(ledger.size(), size + 1);
    let (_, statement) = ledger.read(|store| read::entries(store, size, 1)).unwrap().remove(0).said.unwrap();
    assert_eq!(statement.event.known(), Some(Event::LedgerOpened));
    assert_eq!(statement.facts.word("was"), Some("crashed"));
    assert_eq!(statement.facts.int("size"), Some(size as i64));
    drop(ledger);
    drop(world.open());
    assert_eq!(world.check(), size + 1, "a clean close says nothing");
}

#[test]
fn a_head_file_that_fell_behind_is_moved_on() {
    let world = acted();
    let before = fs::read(world.head_file()).unwrap();
    let ledger = world.open();
    world.comment("analyst", "incident/I-1", "then the power failed").append(&ledger).unwrap();
    drop(ledger);
    let after = fs::read(world.head_file()).unwrap();
    fs::write(world.head_file(), &before).unwrap();
    drop(world.open());
    let now = fs::read_to_string(world.head_file()).unwrap();
    let size = format!("\"size\":{},", world.check());
    assert!(now.contains(&size) && String::from_utf8(after).unwrap().contains(&size), "{now}");
}

/// A line as FORMAT.md §8.2 has it, for a head of one's choice.
fn head_line(size: u64, root: &Hash) -> Vec<u8> {
    let check = &Hash::of(format!("{size} {root}").as_bytes()).to_string()[..16];
    format!("{:<255}\n", format!("{{\"size\":{size},\"root\":\"{root}\",\"check\":\"{check}\"}}")).into_bytes()
}

#[test]
fn a_forged_head_file_makes_the_ledger_refuse_and_never_sign_differently() {
    let world = acted();
    let size = world.check();
    let path = world.head_file();
    let whole = fs::read(&path).unwrap();
    let forged = |line: Vec<u8>| {
        fs::write(&path, &line).unwrap();
        opened_error(&world)
    };
    let other = Hash::of(b"another root");
    assert!(matches!(forged(head_line(size + 1, &other)), Error::Behind { .. }));
    assert!(matches!(forged(head_line(1 << 52, &other)), Error::Behind { .. }));
    assert!(matches!(forged(head_line(size, &other)), Error::Corrupt { .. }), "another log of this length");
    assert!(matches!(forged(head_line(size - 1, &other)), Error::Corrupt { .. }), "another log, shorter");
    assert!(matches!(forged(b"{}".to_vec()), Error::System { .. }));
    assert!(matches!(forged(vec![b' '; 512]), Error::System { .. }));
    assert!(matches!(forged(vec![0xff; 100_000]), Error::System { .. }));
    fs::write(&path, whole).unwrap();
    world.open();
    assert_eq!(world.check(), size, "nothing was written meanwhile");
}

/// Changes the closed database as somebody with the file in their hands would, triggers or not.
fn tamper(world: &World, sql: &str) -> usize {
    let db = rusqlite::Connection::open(world.database()).unwrap();
    let triggers = "SELECT name FROM sqlite_master WHERE type = 'trigger'";
    let names: Vec<String> =
        db.prepare(triggers).unwrap().query_map([], |row| row.get(0)).unwrap().map(Result::unwrap).collect();
    for name in names {
        db.execute_batch(&format!("DROP TRIGGER {name}")).unwrap();
    }
    db.execute(sql, []).unwrap()
}

#[test]
fn a_changed_row_that_trust_rests_on_makes_opening_refuse() {
    let entry_of = "SELECT seq FROM entry ORDER BY seq DESC LIMIT 1";
    for (what, sql) in [
        ("a leaf hash", "UPDATE entry SET leaf = zeroblob(32) WHERE seq = 3".to_owned()),
        ("the last leaf hash", format!("UPDATE entry SET leaf = zeroblob(32) WHERE seq = ({entry_of})")),
        ("an enrolment's bytes", "UPDATE entry SET bytes = CAST(bytes || ' ' AS BLOB) WHERE seq = 1".into()),
        ("two entries' bytes", "UPDATE entry SET bytes = (SELECT bytes FROM entry WHERE seq = 2) WHERE seq = 3".into()),
        ("the newest checkpoint's text", "UPDATE checkpoint SET note = replace(note, 'soc', 'sos')".into()),
        (
            "the newest checkpoint's signature",
            "UPDATE checkpoint SET note = substr(note, 1, length(note) - 6) || 'AAAA=' || char(10)".into(),
        ),
        ("the newest checkpoint", format!("DELETE FROM checkpoint WHERE size > ({entry_of})")),
        ("all checkpoints", "DELETE FROM checkpoint".into()),
        ("the last entry", format!("DELETE FROM entry WHERE seq = ({entry_of})")),
        ("an entry in between", "DELETE FROM entry WHERE seq = 5".into()),
        ("the first entry", "DELETE FROM entry WHERE seq = 0".into()),
        (
            "an inserted entry",
            format!(
                "INSERT INTO entry SELECT seq + 1, leaf, randomblob(16), bytes FROM entry WHERE seq = ({entry_of})"
            ),
        ),
        (
            "an inserted entry far away",
            "INSERT INTO entry SELECT 9223372036854775807, leaf, randomblob(16), bytes FROM entry WHERE seq = 1".into(),
        ),
        ("a trusted row beyond the log", "INSERT INTO trust VALUES (100000)".into()),
        ("a negative trusted row", "INSERT INTO trust VALUES (-1)".into()),
        ("the founding row", "DELETE FROM trust WHERE seq = 0".into()),
        ("all trusted rows", "DELETE FROM trust".into()),
        ("a leaf hash of another length", "UPDATE entry SET leaf = zeroblob(31) WHERE seq = 3".into()),
        ("an entry's bytes gone", "UPDATE entry SET bytes = zeroblob(0) WHERE seq = 1".into()),
    ] {
        let world = acted();
        assert!(tamper(&world, &sql) > 0, "{what}: something was changed");
        match world.try_open() {
            Err(Error::Corrupt { .. } | Error::System { .. } | Error::Behind { .. }) => {}
            other => panic!("{what}: {:?}", other.map(|_| "opened")),
        }
    }
}

#[test]
fn an_inserted_enrolment_makes_opening_refuse() {
    // A whole, well-formed entry by the founder's own hand that never entered the log, made in a copy of the ledger.
    let world = acted();
    copy(&world, "old");
    let head = fs::read(world.head_file()).unwrap();
    let ledger = world.open();
    world.enrolment(&ledger, "founder", "mallory", "person").append(&ledger).unwrap();
    drop(ledger);
    copy(&world, "forked");
    fs::rename(world.dir().join("old"), world.database()).unwrap();
    fs::write(world.head_file(), head).unwrap();
    let db = rusqlite::Connection::open(world.database()).unwrap();
    db.execute("ATTACH ?1 AS forked", [world.dir().join("forked").to_str().unwrap()]).unwrap();
    for table in ["entry", "trust"] {
        let sql =
            format!("INSERT INTO {table} SELECT * FROM forked.{table} WHERE seq NOT IN (SELECT seq FROM {table})");
        assert_eq!(db.execute(&sql, []).unwrap(), 1);
    }
    drop(db);
    assert!(matches!(opened_error(&world), Error::Corrupt { .. }));
}

#[test]
fn in_a_larger_log_a_changed_node_makes_opening_refuse() {
    let world = acted();
    let ledger = world.open();
    let texts: Vec<String> = (0..600)
        .map(|n| world.comment("siem", &format!("incident/L-{}", n % 9), &format!("{n}")).text(&ledger))
        .collect();
    assert!(ledger.append_many(&texts).iter().all(Result::is_ok));
    drop(ledger);
    world.check();
    let whole = fs::read(world.database()).unwrap();
    for sql in [
        "UPDATE node SET hash = zeroblob(32) WHERE idx = 0",
        "UPDATE node SET hash = zeroblob(32) WHERE idx = 1",
        "DELETE FROM node WHERE idx = 1",
        "UPDATE entry SET leaf = zeroblob(32) WHERE seq = 7",
        "UPDATE entry SET leaf = zeroblob(32) WHERE seq = (SELECT max(seq) FROM entry)",
    ] {
        fs::write(world.database(), &whole).unwrap();
        assert!(tamper(&world, sql) > 0);
        assert!(matches!(opened_error(&world), Error::Corrupt { .. }), "{sql}");
    }
    fs::write(world.database(), &whole).unwrap();
    drop(world.open());
    world.check();
}

#[test]
fn what_is_no_ledger_is_named() {
    let world = acted();
    let nothing = tempfile::tempdir().unwrap();
    assert!(matches!(Ledger::open(nothing.path(), world.opening()).map(drop), Err(Error::NotALedger { .. })));
    assert!(fs::read_dir(nothing.path()).unwrap().next().is_none(), "looking leaves nothing behind");
    for (what, bytes) in [("empty", &b""[..]), ("text", b"not a database\n"), ("a header only", b"SQLite format 3\0")] {
        let dir = tempfile::tempdir().unwrap();
        fs::write(dir.path().join("ledger.db"), bytes).unwrap();
        let error = Ledger::open(dir.path(), world.opening()).map(drop).unwrap_err();
        assert!(matches!(error, Error::System { .. }), "{what}: {error}");
        assert!(error.to_string().contains("ledger.db"), "{what}: {error}");
    }
    let other = tempfile::tempdir().unwrap();
    let path = other.path().join("ledger.db");
    rusqlite::Connection::open(&path).unwrap().execute_batch("CREATE TABLE entry (seq INTEGER)").unwrap();
    let error = Ledger::open(other.path(), world.opening()).map(drop).unwrap_err().to_string();
    assert!(error.contains("not the database of a ledger of format 1"), "{error}");
}

#[test]
fn a_ledger_is_not_founded_over_another() {
    let world = acted();
    let size = world.check();
    let founding = {
        let ledger = world.open();
        let genesis = ledger.read(|store| read::entries(store, 0, 1)).unwrap().remove(0).said.unwrap().1;
        format!("{}~", genesis.jws())
    };
    assert!(Ledger::found(&world.dir(), &founding, &world.key("checkpoint"), 0).is_err());
    assert_eq!(world.check(), size);
    let (mut memory, mut again) = (blotter_tests::Memory::default(), blotter_tests::Memory::default());
    Ledger::found_on(&mut memory, &founding, &world.key("checkpoint"), 0).unwrap();
    assert!(Ledger::found_on(&mut memory, &founding, &world.key("checkpoint"), 0).is_err());
    assert!(Ledger::found_on(&mut again, &founding, &world.key("another"), 0).is_err(), "another key than it names");
}
