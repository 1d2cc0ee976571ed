//! Entries whose bytes were removed by order (FORMAT.md §6.5), and such as were only removed.

use blotter_record::Json;
use blotter_verify::{Options, Outcome};

use crate::forge::{Forge, list, say};
use crate::script::{anchored, full, item, on_disk, run, show, staffed};

/// A ledger in which the entry `of` is expunged by order, unless the order is left out. Returns the order's entry.
pub(crate) fn expunged(mut ledger: Forge, of: u64, ordered: bool) -> (Forge, u64) {
    let stream = ledger.lines[of as usize].streams[0].to_string();
    let leaf = ledger.leaves[of as usize];
    let items = item(ledger.jti_of(of), "*", leaf);
    let request = say("person/dan", "erasure.requested", &stream).fact("items", items.clone()).fact("basis", "secret");
    let request = ledger.say(request);
    let request = ledger.jti_of(request).to_string();
    let approval = say("person/leo", "erasure.approved", &stream).fact("request", request).fact("items", items);
    let approval = ledger.say(approval);
    let approval = ledger.jti_of(approval).to_string();
    let order = say("person/dan", "entry.expunged", &stream).fact("seq", Json::Int(of as i64));
    let order = order.fact("leaf", leaf.to_string()).fact("approvals", list(&[&approval]));
    let order = if ordered { ledger.say(order) } else { 0 };
    ledger.lines[of as usize].expunged = true;
    ledger.entries[of as usize] = leaf.0.to_vec();
    (ledger, order)
}

fn log() -> (Forge, u64) {
    let mut ledger = staffed();
    ledger.say(say("person/ann", "comment.added", "incident/INC-1").data("text", "one"));
    let of = ledger.say(
        say("person/ann", "x.secret.told", "incident/INC-1")
            .about("alert/A1")
            .fact("code", "hunter2")
            .data("text", "two"),
    );
    ledger.say(say("person/bob", "comment.added", "incident/INC-1").data("text", "three"));
    (ledger, of)
}

#[test]
fn an_expunged_entry_is_named_and_makes_the_result_incomplete_unless_accepted() {
    let (ledger, of) = log();
    let (ledger, order) = expunged(ledger, of, true);
    let dir = on_disk(&ledger);
    let report = run(dir.path(), anchored(&ledger)).unwrap();
    assert_eq!((report.outcome, report.first_bad), (Outcome::Incomplete, None), "{}", show(&report));
    assert_eq!((report.expunged_count, report.expunged[0].seq), (1, of));
    assert_eq!(report.expunged[0].order, Some(ledger.jti_of(order)));
    assert!(report.findings.iter().any(|finding| finding.code == "expunged" && finding.seq == Some(of)));
    let accepted = run(dir.path(), Options { accept_expunged: true, ..anchored(&ledger) }).unwrap();
    assert_eq!(accepted.outcome, Outcome::Verified, "{}", show(&accepted));
    assert_eq!(accepted.signatures + 1, accepted.entries);
    let structure = run(dir.path(), Options { structure_only: true, ..anchored(&ledger) }).unwrap();
    assert_eq!(structure.outcome, Outcome::Incomplete, "{}", show(&structure));
}

#[test]
fn the_last_entry_of_a_stream_can_be_expunged_too() {
    let mut ledger = staffed();
    let of = ledger.say(say("person/ann", "comment.added", "incident/INC-7").data("text", "one"));
    let at = ledger.say(say("person/ann", "comment.added", "incident/INC-8").data("text", "one"));
    let (ledger, _) = expunged(ledger, of, true);
    let (mut ledger, _) = expunged(ledger, at, true);
    ledger.say(say("person/ann", "comment.added", "incident/INC-9").data("text", "one"));
    let report = run(on_disk(&ledger).path(), Options { accept_expunged: true, ..anchored(&ledger) }).unwrap();
    assert_eq!((report.outcome, report.expunged_count), (Outcome::Verified, 2), "{}", show(&report));
}

#[test]
fn bytes_that_are_gone_without_an_order_are_damage() {
    let (ledger, of) = log();
    let (ledger, _) = expunged(ledger, of, false);
    for accept_expunged in [false, true] {
        let report = run(on_disk(&ledger).path(), Options { accept_expunged, ..anchored(&ledger) }).unwrap();
        assert_eq!((report.outcome, report.first_bad), (Outcome::Damaged, Some(of)), "{}", show(&report));
        assert!(report.findings.iter().any(|finding| finding.damage && finding.code == "expunged"));
    }
}

#[test]
fn an_order_that_was_not_carried_out_is_damage() {
    let (ledger, of) = log();
    let (mut ledger, _) = expunged(ledger, of, true);
    ledger.lines[of as usize].expunged = false;
    ledger.relink();
    let report = run(on_disk(&ledger).path(), anchored(&ledger)).unwrap();
    assert_eq!((report.outcome, report.first_bad), (Outcome::Damaged, Some(of)), "{}", show(&report));
    assert!(report.findings.iter().any(|finding| finding.code == "expunged-present"));
}

#[test]
fn an_entry_that_trust_rests_on_is_never_expunged() {
    let (ledger, marks) = full();
    let (ledger, _) = expunged(ledger, marks["key-revoked"], true);
    let report = run(on_disk(&ledger).path(), Options { accept_expunged: true, ..anchored(&ledger) }).unwrap();
    assert_eq!(report.outcome, Outcome::Damaged, "{}", show(&report));
}
