//! What only something from outside can show: a log that was cut, written anew, or signed with a stolen key. And what
//! nothing shows.

use std::fs;

use blotter_keys::anchor::Anchor;
use blotter_keys::checkpoint::UnverifiedCheckpoint;
use blotter_record::Hash;
use blotter_verify::{KnownHead, Options, Outcome, Report};
use tempfile::TempDir;

use crate::forge::{Forge, Say, founding, say, vkey};
use crate::script::{FOUNDER, LEDGER, enrol, full, on_disk, run, show, small, staffed};

fn report(ledger: &Forge, options: Options) -> Report {
    run(on_disk(ledger).path(), options).unwrap()
}

fn of_anchor(anchor: Anchor) -> Options {
    Options { anchor: Some(anchor), ..Options::default() }
}

fn since(note: &str) -> Options {
    Options { since: Some(UnverifiedCheckpoint::parse(note.as_bytes()).unwrap()), ..Options::default() }
}

fn comment(by: &'static str, text: &str) -> Say {
    say(by, "comment.added", "incident/INC-1").data("text", text)
}

fn expect(name: &str, report: &Report, code: &str, first_bad: Option<u64>) {
    let named = report.findings.iter().any(|finding| finding.damage && finding.code == code);
    assert!(named, "{name}: wanted {code}; {}", show(report));
    assert_eq!((report.outcome, report.first_bad), (Outcome::Damaged, first_bad), "{name}: {}", show(report));
}

#[test]
fn a_cut_tail_shows_against_a_fresh_anchor_alone() {
    let (honest, _) = full();
    let size = honest.size();
    let mut cut = honest.clone();
    cut.cut(size - 1);
    expect("anchor", &report(&cut, of_anchor(honest.anchor(size))), "cut", Some(size - 1));
    let old = report(&cut, of_anchor(honest.anchor(size - 5)));
    assert_eq!((old.outcome, old.anchored, old.fresh), (Outcome::Verified, true, false), "{}", show(&old));
    assert_eq!(old.vouched_size(), Some(size - 5));
    let fresh = report(&honest, of_anchor(honest.anchor(size)));
    assert!(fresh.fresh);
}

#[test]
fn an_anchor_names_this_ledger_and_no_other() {
    let ledger = small();
    let anchor = ledger.anchor(3);
    let check = |name, anchor, code, first_bad| expect(name, &report(&ledger, of_anchor(anchor)), code, first_bad);
    check("genesis", Anchor { genesis: Hash::of(b"x"), ..anchor.clone() }, "anchor", Some(0));
    check("origin", Anchor { origin: "example.org/noc".parse().unwrap(), ..anchor.clone() }, "anchor", Some(0));
    check("vkey", Anchor { ledger_vkey: vkey(9), ..anchor.clone() }, "anchor", Some(0));
    check("founder", Anchor { founder: Hash::of(b"x"), ..anchor.clone() }, "anchor", Some(0));
    check("root", Anchor { root: Hash::of(b"x"), ..anchor.clone() }, "rewritten", Some(2));
    check("an earlier root", Anchor { size: 2, ..anchor.clone() }, "rewritten", Some(1));
    check("size", Anchor { size: 4, ..anchor.clone() }, "cut", Some(3));
    check("an impossible size", Anchor { size: 1 << 53, ..anchor.clone() }, "cut", Some(3));
    // Founded anew by the same people, a second later: everything verifies, and it is another ledger.
    let mut anew = Forge::new(LEDGER);
    anew.keys.insert("person/fay", FOUNDER);
    anew.clock_us += 1_000_000;
    anew.say(founding("person/fay", FOUNDER, LEDGER));
    enrol(&mut anew, "person/fay", "ledger/own", 4);
    anew.say(comment("person/fay", "first"));
    assert_eq!(report(&anew, of_anchor(anew.anchor(3))).outcome, Outcome::Verified);
    expect("founded anew", &report(&anew, of_anchor(anchor)), "anchor", Some(0));
}

#[test]
fn the_anchor_in_the_directory_vouches_for_nothing_but_must_not_contradict() {
    let ledger = small();
    let with = |text: String| {
        let dir = on_disk(&ledger);
        fs::write(dir.path().join("anchor.json"), text).unwrap();
        run(dir.path(), Options::default()).unwrap()
    };
    let good = with(ledger.anchor(3).to_string());
    assert_eq!((good.outcome, good.anchored, good.fresh), (Outcome::Incomplete, false, false));
    expect("its root", &with(Anchor { root: Hash::of(b"x"), ..ledger.anchor(3) }.to_string()), "rewritten", Some(2));
    expect("its size", &with(Anchor { size: 9, ..ledger.anchor(3) }.to_string()), "cut", Some(3));
    expect("its founder", &with(Anchor { founder: Hash::of(b"x"), ..ledger.anchor(3) }.to_string()), "anchor", Some(0));
    expect("no anchor at all", &with("{}".to_owned()), "anchor", None);
    let dir = on_disk(&ledger);
    fs::remove_file(dir.path().join("anchor.json")).unwrap();
    assert_eq!(run(dir.path(), of_anchor(ledger.anchor(3))).unwrap().outcome, Outcome::Verified);
}

#[test]
fn the_head_file_shows_a_cut_and_a_fork() {
    let (ledger, _) = full();
    let size = ledger.size();
    let with = |log: &Forge, content: &str| {
        let state = TempDir::new().unwrap();
        fs::write(state.path().join(format!("{}.head", ledger.leaves[0])), content).unwrap();
        report(log, Options { state_dir: Some(state.path().to_owned()), ..Options::default() })
    };
    let good = with(&ledger, &ledger.head_file(&[size - 1, size]));
    assert_eq!((good.outcome, good.anchored, good.fresh), (Outcome::Verified, true, true), "{}", show(&good));
    let torn = with(&ledger, &format!("{}{}", ledger.head_file(&[size - 1]), "garbage"));
    assert_eq!((torn.outcome, torn.anchored, torn.fresh), (Outcome::Verified, true, false), "{}", show(&torn));
    let lost = with(&ledger, "garbage");
    assert_eq!((lost.outcome, lost.anchored), (Outcome::Incomplete, false));
    assert!(lost.findings.iter().any(|finding| finding.code == "head-file"), "{}", show(&lost));
    let mut cut = ledger.clone();
    cut.cut(size - 2);
    expect("cut", &with(&cut, &ledger.head_file(&[size - 1, size])), "cut", Some(size - 2));
    let mut fork = ledger.clone();
    fork.cut(size - 1);
    fork.say(comment("person/mia", "another future"));
    expect("a fork", &with(&fork, &ledger.head_file(&[size])), "rewritten", Some(size - 1));
    let elsewhere = Options { state_dir: Some("/nowhere/at/all".into()), ..Options::default() };
    assert_eq!(report(&ledger, elsewhere).outcome, Outcome::Incomplete);
}

#[test]
fn a_checkpoint_that_somebody_kept_is_of_this_log() {
    let (ledger, marks) = full();
    let size = marks["comment"] + 1;
    let good = report(&ledger, since(&ledger.notes[&size]));
    assert_eq!((good.outcome, good.anchored, good.fresh), (Outcome::Verified, true, false), "{}", show(&good));
    let newest = report(&ledger, since(&ledger.notes[&ledger.size()]));
    assert!(newest.fresh);
    let both = report(&ledger, since(&ledger.notes[&(marks["rotated"] + 1)]));
    assert_eq!(both.outcome, Outcome::Verified);

    let mut other = ledger.clone();
    other.ledger_keys = vec![(1, 99)];
    let stranger = other.note(size, crate::forge::root(&ledger.leaves[..size as usize]));
    expect("signed by a stranger", &report(&ledger, since(&stranger)), "since", Some(size - 1));
    let contradicting = ledger.note(size, Hash::of(b"x"));
    expect("another root", &report(&ledger, since(&contradicting)), "rewritten", Some(size - 1));
    let mut cut = ledger.clone();
    cut.cut(size - 1);
    expect("cut", &report(&cut, since(&ledger.notes[&size])), "cut", Some(size - 1));
}

#[test]
fn a_head_that_the_caller_knows_counts_as_one_from_outside() {
    let ledger = small();
    let root = crate::forge::root(&ledger.leaves);
    let head = |size, root| Options {
        heads: vec![KnownHead { by: "witness w1".to_owned(), size, root }],
        ..Options::default()
    };
    let good = report(&ledger, head(3, root));
    assert_eq!((good.outcome, good.fresh), (Outcome::Verified, true));
    assert_eq!(good.vouchers[0].by, "witness w1");
    expect("another root", &report(&ledger, head(3, Hash::of(b"x"))), "rewritten", Some(2));
    expect("a larger size", &report(&ledger, head(4, root)), "cut", Some(3));
}

/// Somebody edits history and computes every hash again.
fn rewritten(signed_again: bool) -> (Forge, Forge, u64) {
    let mut honest = staffed();
    let at = honest.say(comment("person/ann", "it was Bob's mistake"));
    honest.say(comment("person/bob", "noted"));
    let mut forged = honest.clone();
    let mut line = forged.lines[at as usize].clone();
    line.recorded_us += 1;
    forged.lines[at as usize] = line;
    forged.relink();
    if signed_again {
        forged.resign();
    }
    (honest, forged, at)
}

#[test]
fn recomputed_hashes_without_the_ledgers_key_are_caught_by_its_checkpoints() {
    let (_, forged, at) = rewritten(false);
    expect("no key", &report(&forged, Options::default()), "checkpoint-root", Some(at));
}

#[test]
fn a_stolen_ledger_key_is_caught_by_whoever_acted_later() {
    let (_, forged, at) = rewritten(true);
    expect("stolen key", &report(&forged, Options::default()), "seen-wrong", Some(at + 1));
}

#[test]
fn not_caught_a_tail_that_nobody_acted_on_forged_with_the_ledgers_key_and_no_fresh_anchor() {
    let mut honest = staffed();
    let at = honest.say(comment("person/ann", "it was Bob's mistake"));
    let old = honest.anchor(at);
    let mut forged = honest.clone();
    forged.lines[at as usize].recorded_us += 3_600_000_000;
    forged.relink();
    forged.resign();
    // It verifies: what gives it away is only that nothing from outside vouches for its end.
    let found = report(&forged, of_anchor(old));
    assert_eq!((found.outcome, found.exit_code()), (Outcome::Verified, 0), "{}", show(&found));
    assert!(found.anchored && !found.fresh);
    assert_eq!((found.vouched_size(), found.entries), (Some(at), at + 1));
    expect("a fresh anchor", &report(&forged, of_anchor(honest.anchor(at + 1))), "rewritten", Some(at));
}
