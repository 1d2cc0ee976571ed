//! Attacks that a hostile reading of the verifier found, each once open. The judge is the forge: it writes what no honest
//! writer would.

use blotter_verify::{Options, Outcome};

use crate::expunging::expunged;
use crate::forge::say;
use crate::script::{anchored, confirmed, enrol, full, grant, imported, on_disk, run, show, staffed};

#[test]
fn a_forged_signature_right_behind_its_keys_enrolment_is_named() {
    let mut ledger = staffed();
    ledger.commits = false;
    // So that enrolment and forgery stand on both sides of where the verifier's threads divide the log, wherever that is.
    while ledger.size() < 505 {
        ledger.say(say("service/siem", "x.tick", "incident/INC-1").fact("n", 1));
    }
    ledger.commits = true;
    enrol(&mut ledger, "person/ada", "person/zed", 77);
    grant(&mut ledger, "person/cid", "person/zed", "secops_manager");
    let mut forged_at = Vec::new();
    for _ in 0..12 {
        let mut forged = confirmed("person/zed");
        forged.signature = Some([7; 64]);
        forged_at.push(ledger.say(forged));
    }
    let dir = on_disk(&ledger);
    for _ in 0..10 {
        let report = run(dir.path(), anchored(&ledger)).unwrap();
        assert_eq!((report.outcome, report.first_bad), (Outcome::Damaged, Some(forged_at[0])), "{}", show(&report));
        let named = report.findings.iter().filter(|finding| finding.code == "bad-signature").count();
        assert_eq!(named, forged_at.len());
    }
}

#[test]
fn what_trust_rests_on_cannot_be_expunged() {
    let (ledger, marks) = full();
    for name in ["import", "erased", "erasure-requested"] {
        let (ledger, _) = expunged(ledger.clone(), marks[name], true);
        let report = run(on_disk(&ledger).path(), Options { accept_expunged: true, ..anchored(&ledger) }).unwrap();
        assert_eq!(report.outcome, Outcome::Damaged, "{name}: {}", show(&report));
    }
}

#[test]
fn the_first_imported_entry_of_a_stream_can_be_expunged() {
    let (ledger, marks) = full();
    let (ledger, _) = expunged(ledger, marks["imported"], true);
    let report = run(on_disk(&ledger).path(), Options { accept_expunged: true, ..anchored(&ledger) }).unwrap();
    assert_eq!(report.outcome, Outcome::Verified, "{}", show(&report));
}

#[test]
fn an_import_neither_places_nor_releases_a_legal_hold() {
    let mut ledger = staffed();
    ledger.say(say("person/ada", "actor.enrolled", "actor/old").fact("kind", "imported").data("name", "O. Ld"));
    let started =
        say("person/gus", "import.started", "import/i1").fact("import", "import/i1").fact("mapping", "thehive");
    ledger.say(started.fact("mapping_version", "5").fact("time_zone", "UTC").data("file", "cases.json"));
    ledger.say(imported("incident/OLD-1"));
    let held = say("person/leo", "legal.hold-placed", "incident/OLD-1").fact("hold", "hold/h1");
    ledger.say(held.fact("scope", "incident").data("matter", "m"));
    let released = say("notary/not", "legal.hold-released", "incident/OLD-1").on_behalf("imported/old", "import/i1");
    let at = ledger.say(released.fact("hold", "hold/h1"));
    let report = run(on_disk(&ledger).path(), anchored(&ledger)).unwrap();
    assert_eq!((report.outcome, report.first_bad), (Outcome::Damaged, Some(at)), "{}", show(&report));
}
