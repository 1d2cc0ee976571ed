//! A database that somebody prepared: whatever is in it, opening and reading end in an answer, never in a panic.

use blotter_ledger::{Read, Sqlite, read};
use blotter_tests::{Dice, World};

const ROUNDS: usize = 120;

/// Everything that reading can be asked for.
fn read_all(store: &dyn Read) {
    let _ = read::open_keyring(store);
    let _ = read::checkpoint(store);
    for seq in [0, 1, 5, 40, u64::MAX >> 1, u64::MAX] {
        let _ = read::entries(store, seq, 3);
        let _ = read::receipt(store, seq);
        let _ = store.disclosures(seq);
        let _ = store.hashes(1, seq, 256);
    }
    for stream in ["ledger", "incident/I-1"] {
        let _ = store.stream(&stream.parse().unwrap());
        let _ = store.stream_seqs(&stream.parse().unwrap(), 0, 1_000);
    }
}

#[test]
fn a_database_with_any_bytes_changed_is_answered_without_a_panic() {
    let world = World::new();
    let ledger = world.open();
    world.opened("analyst", "incident/I-1").append(&ledger).unwrap();
    drop(ledger);
    let whole = std::fs::read(world.database()).unwrap();
    let head = std::fs::read(world.head_file()).unwrap();
    let head_file = world.head_file();
    let mut dice = Dice::from_environment();
    for _ in 0..ROUNDS {
        let mut bytes = whole.clone();
        match dice.below(4) {
            0 => bytes.truncate(dice.below(whole.len())),
            1 => {
                let at = dice.below(whole.len());
                let len = dice.below(512);
                bytes[at..].iter_mut().take(len).for_each(|byte| *byte = dice.roll() as u8);
            }
            _ => (0..1 + dice.below(20)).for_each(|_| bytes[dice.below(whole.len())] ^= 1 << dice.below(8)),
        }
        std::fs::write(world.database(), bytes).unwrap();
        std::fs::write(&head_file, &head).unwrap();
        if let Ok(store) = Sqlite::open_read_only(&world.database()) {
            read_all(&store);
        }
        if let Ok(ledger) = world.try_open() {
            let text = world.comment("siem", "incident/I-1", "into whatever this is").seen(None);
            let audience = blotter_tests::ORIGIN;
            let _ = ledger.prepare(&text.signed(audience, None), Vec::new()).and_then(|one| ledger.append(one));
        }
        for extension in ["db-wal", "db-shm"] {
            let _ = std::fs::remove_file(world.database().with_extension(extension));
        }
    }
}

#[test]
fn a_database_with_any_cell_changed_is_answered_without_a_panic() {
    const CELLS: [(&str, &[&str]); 8] = [
        ("entry", &["seq", "leaf", "jti", "bytes"]),
        ("node", &["level", "idx", "hash"]),
        ("checkpoint", &["size", "note"]),
        ("disclosure", &["slot", "seq", "name", "text"]),
        ("stream", &["id", "name", "count", "leaf", "imported", "blocking_n", "blocking_by", "blocking_n_other"]),
        ("stream_entry", &["stream", "n", "seq"]),
        ("trust", &["seq"]),
        ("blob", &["id", "bytes"]),
    ];
    const VALUES: [&str; 12] = [
        "-1",
        "0",
        "9223372036854775807",
        "-9223372036854775808",
        "1000",
        "''",
        "'x'",
        "x''",
        "zeroblob(32)",
        "zeroblob(16)",
        "'incident/I-1'",
        "'LEDGER'",
    ];
    let world = World::new();
    let ledger = world.open();
    world.opened("analyst", "incident/I-1").append(&ledger).unwrap();
    drop(ledger);
    let whole = std::fs::read(world.database()).unwrap();
    let head = std::fs::read(world.head_file()).unwrap();
    let head_file = world.head_file();
    let mut dice = Dice::from_environment();
    for _ in 0..ROUNDS {
        std::fs::write(world.database(), &whole).unwrap();
        std::fs::write(&head_file, &head).unwrap();
        let db = rusqlite::Connection::open(world.database()).unwrap();
        db.execute_batch("DROP TRIGGER entry_is_never_updated; DROP TRIGGER checkpoint_is_never_updated").unwrap();
        let (table, columns) = *dice.pick(&CELLS);
        let (column, value) = (*dice.pick(columns), *dice.pick(&VALUES));
        let rows =
            db.query_row(&format!("SELECT count(*) FROM {table}"), [], |row| row.get::<_, i64>(0)).unwrap() as usize;
        let sql = format!(
            "UPDATE OR REPLACE {table} SET {column} = {value} WHERE {column} IN
                           (SELECT {column} FROM {table} LIMIT 1 OFFSET {})",
            dice.below(rows.max(1))
        );
        let _ = db.execute(&sql, []);
        drop(db);
        if let Ok(store) = Sqlite::open_read_only(&world.database()) {
            read_all(&store);
        }
        if let Ok(ledger) = world.try_open() {
            for saying in [world.comment("siem", "incident/I-1", "still"), world.confirmed("manager", "incident/I-1")] {
                let seen = blotter_record::Seen { last: None, size: 1, root: *ledger.genesis() };
                let audience = format!("{}#{}", blotter_tests::ORIGIN, ledger.genesis());
                let text = saying.seen(Some(seen)).signed(&audience, None);
                let _ = ledger.prepare(&text, Vec::new()).and_then(|one| ledger.append(one));
            }
        }
    }
}
