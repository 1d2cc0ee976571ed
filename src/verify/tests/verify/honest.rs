//! Honest ledgers verify, with the right counts.

use blotter_verify::{Options, Outcome};

use crate::script::{anchored, full, long, on_disk, run, show, small};

#[test]
fn a_ledger_in_which_everything_happens_verifies() {
    let (ledger, marks) = full();
    let dir = on_disk(&ledger);
    let report = run(dir.path(), anchored(&ledger)).unwrap();
    assert_eq!(report.outcome, Outcome::Verified, "{}", show(&report));
    assert_eq!(report.exit_code(), 0);
    assert_eq!((report.entries, report.signatures), (ledger.size(), ledger.size()));
    assert_eq!(report.checkpoints, ledger.notes.len() as u64);
    let disclosures: usize = ledger.lines.iter().map(|line| line.disclosures.len()).sum();
    assert_eq!((report.disclosures, report.erased, report.missing), (disclosures as u64 - 1, 1, 0));
    assert_eq!(report.blobs, 1);
    assert_eq!((report.notarised, report.imported, report.late), (1, 2, 0));
    assert_eq!((report.unknown_events, report.unjudged, report.expunged_count), (0, 0, 0));
    assert_eq!(report.by_recovered_keys, 1);
    assert!(report.by_compromised_keys > 0 && report.by_compromised_keys < 8, "{}", report.by_compromised_keys);
    assert_eq!((report.first_bad, report.findings_count), (None, 0));
    assert!(report.anchored && report.fresh);
    assert_eq!(report.vouched_size(), Some(ledger.size()));
    assert_eq!(report.rules_version.as_deref(), Some("1"));
    let identity = report.identity.unwrap();
    assert_eq!((identity.genesis, identity.founder.as_str()), (ledger.leaves[0], "person/fay"));
    assert!(marks["rotated"] < marks["clock"]);
}

#[test]
fn a_log_with_tree_hashes_verifies() {
    let ledger = long();
    let report = run(on_disk(&ledger).path(), anchored(&ledger)).unwrap();
    assert_eq!(report.outcome, Outcome::Verified, "{}", show(&report));
    assert_eq!((report.entries, report.checkpoints), (602, 3));
}

#[test]
fn the_structure_alone_verifies_and_says_so() {
    let (ledger, _) = full();
    let options = Options { structure_only: true, ..anchored(&ledger) };
    let report = run(on_disk(&ledger).path(), options).unwrap();
    assert_eq!(report.outcome, Outcome::Verified, "{}", show(&report));
    assert!(report.structure_only);
    assert_eq!((report.entries, report.signatures, report.disclosures), (ledger.size(), 0, 0));
    assert_eq!(report.checkpoints, ledger.notes.len() as u64);
}

#[test]
fn without_anything_from_outside_the_result_is_incomplete() {
    let ledger = small();
    let report = run(on_disk(&ledger).path(), Options::default()).unwrap();
    assert_eq!((report.outcome, report.exit_code()), (Outcome::Incomplete, 3));
    assert_eq!(report.findings[0].code, "no-anchor");
    assert!(!report.anchored && !report.fresh);
}
