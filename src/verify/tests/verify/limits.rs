//! Hostile sizes and numbers: the verifier names them and goes on living.

use blotter_record::Hash;
use blotter_verify::{FINDINGS_LISTED_MAX, Outcome};
use rusqlite::params;

use crate::script::{anchored, edited, long, run, show, small};

#[test]
fn findings_are_counted_beyond_what_is_listed() {
    let ledger = long();
    let dir = edited(&ledger, |db| db.execute_batch("UPDATE entry SET leaf = zeroblob(32)").unwrap());
    let report = run(dir.path(), anchored(&ledger)).unwrap();
    assert_eq!((report.first_bad, report.findings.len()), (Some(0), FINDINGS_LISTED_MAX));
    assert!(report.findings_count >= ledger.size());
}

#[test]
fn a_value_beyond_every_limit_is_damage() {
    let ledger = small();
    let dir = edited(&ledger, |db| {
        db.execute_batch("INSERT INTO blob VALUES ('big', zeroblob(100000000))").unwrap();
    });
    let report = run(dir.path(), anchored(&ledger)).unwrap();
    assert_eq!(report.outcome, Outcome::Damaged, "{}", show(&report));
}

#[test]
fn thousands_of_rows_that_belong_to_nothing_are_named() {
    let ledger = small();
    let dir = edited(&ledger, |db| {
        for n in 0..2_000_i64 {
            db.execute("INSERT INTO disclosure VALUES (?1, ?2, 'text', 'x')", params![-64 * 2_000 + n, n]).unwrap();
            db.execute("INSERT INTO disclosure VALUES (?1, ?2, 'text', 'x')", params![64 * 2_000 + n, n]).unwrap();
            db.execute("INSERT INTO checkpoint VALUES (?1, 'x')", [1_000 + n]).unwrap();
            let leaf = Hash::of(&n.to_be_bytes());
            db.execute(
                "INSERT INTO entry VALUES (?1, ?2, ?3, x'00')",
                params![-5_000 + n, leaf.0.as_slice(), &leaf.0[..16]],
            )
            .unwrap();
        }
    });
    let report = run(dir.path(), anchored(&ledger)).unwrap();
    assert_eq!(report.outcome, Outcome::Damaged);
    assert!(report.findings_count >= 8_000, "{}", report.findings_count);
    assert_eq!(report.entries, 3);
}

#[test]
fn the_last_number_of_all_is_no_reason_to_reserve_memory() {
    let ledger = small();
    let dir = edited(&ledger, |db| {
        let sql = "INSERT INTO entry SELECT 9223372036854775806, leaf, zeroblob(16), bytes FROM entry WHERE seq = 1";
        db.execute_batch(sql).unwrap();
    });
    let report = run(dir.path(), anchored(&ledger)).unwrap();
    assert_eq!((report.outcome, report.first_bad), (Outcome::Damaged, Some(3)), "{}", show(&report));
}
