//! A writer that slipped a decision past the gates: it has the ledger's key, every person signed, and chain, tree and
//! checkpoints are right. Only the process, asked again, finds it.

use blotter_keys::judge::refusal_jti;
use blotter_process::Process;
use blotter_record::{Hash, Json};
use blotter_verify::{Options, Outcome, Report};

use crate::expunging::expunged;
use crate::forge::{Forge, Say, list, say};
use crate::script::{anchored, confirmed, on_disk, run, show, staffed};

const INC: &str = "incident/INC-1";

fn judged(ledger: &Forge) -> Report {
    let options = Options { policy: Box::new(Process::default()), accept_expunged: true, ..anchored(ledger) };
    run(on_disk(ledger).path(), options).unwrap()
}

fn enter(ledger: &Forge, from: &'static str, to: &'static str, trigger: u64) -> Say {
    let entered = say("person/mia", "phase.entered", INC).fact("from", from).fact("to", to);
    let entered = entered.fact("trigger", ledger.jti_of(trigger).to_string()).fact("override", Json::Bool(false));
    entered.fact("inputs", list(&[])).fact("outputs", list(&[])).fact("unmet", list(&[]))
}

fn opening() -> Say {
    let opening = say("person/ann", "incident.opened", INC).about("alert/A1").fact("lead", "person/ann");
    opening.fact("category", "malware").fact("tlp", "amber")
}

fn severity(level: i64) -> Say {
    let severity = say("person/ann", "severity.assessed", INC).fact("scale", "soc").fact("scale_version", "1");
    let severity = severity.fact("level", Json::Int(level)).fact("impact", Json::Int(1)).fact("scope", Json::Int(1));
    severity.fact("urgency", Json::Int(1)).fact("intel", list(&[]))
}

fn intel() -> Say {
    say("person/ann", "intel.attached", INC).fact("kind", "none-found").fact("tlp", "amber")
}

/// As far as Assess, by the rules; and the entry of its verdict. `scored` tells whether a severity is there.
fn assessed(scored: bool) -> (Forge, u64) {
    let mut ledger = staffed();
    ledger.say(opening());
    let acknowledged = ledger.say(say("person/ann", "incident.acknowledged", INC));
    ledger.say(enter(&ledger.clone(), "initiate", "assess", acknowledged));
    ledger.say(intel());
    if scored {
        ledger.say(severity(3));
    }
    let verdict = ledger.say(confirmed("person/mia"));
    (ledger, verdict)
}

#[test]
fn a_ledger_that_kept_to_its_gates_verifies_and_its_decisions_are_counted() {
    let (mut ledger, verdict) = assessed(true);
    ledger.say(enter(&ledger.clone(), "assess", "execute", verdict));
    let report = judged(&ledger);
    assert_eq!((report.outcome, report.decisions_judged), (Outcome::Verified, 3), "{}", show(&report));
    let without = run(on_disk(&ledger).path(), anchored(&ledger)).unwrap();
    assert_eq!((without.outcome, without.decisions_judged), (Outcome::Verified, 0));
}

#[test]
fn a_transition_that_was_slipped_past_the_gates_is_named_with_them() {
    let (mut ledger, verdict) = assessed(false);
    let bad = ledger.say(enter(&ledger.clone(), "assess", "execute", verdict));
    // What stands behind it, and is right, hides nothing.
    ledger.say(say("person/ann", "comment.added", INC).data("text", "on we go"));
    let without = run(on_disk(&ledger).path(), anchored(&ledger)).unwrap();
    assert_eq!(without.outcome, Outcome::Verified, "chain, keys and roles are right: {}", show(&without));
    let report = judged(&ledger);
    assert_eq!((report.outcome, report.exit_code(), report.first_bad), (Outcome::Damaged, 1, Some(bad)));
    let finding = &report.findings[0];
    assert_eq!((finding.code, finding.seq, report.findings_count), ("gate-unmet", Some(bad), 1), "{}", show(&report));
    assert!(finding.what.contains("severity: no severity was scored"), "{}", finding.what);
    assert_eq!(report.decisions_judged, 3);
}

#[test]
fn each_decision_against_the_rules_is_named() {
    let opened = || {
        let mut ledger = staffed();
        ledger.say(opening());
        ledger
    };
    let closing = |ledger: &Forge| {
        let report = ledger.jti_of(ledger.size() - 1).to_string();
        say("person/mia", "incident.closed", INC).fact("resolution", "done").fact("report", report)
    };
    let disposal = |ledger: &Forge| {
        let approval = ledger.jti_of(ledger.size() - 1).to_string();
        let disposed = say("person/kit", "evidence.disposed", "evidence/E1").about(INC);
        disposed.fact("method", "shredded").fact("approval", approval)
    };
    let cases: [(&str, Say); 5] = [
        ("closed too early", closing(&opened())),
        ("reopened, and never closed", say("person/mia", "incident.reopened", INC)),
        ("opened twice", opening()),
        ("disposed of without an approval", disposal(&opened())),
        (
            "a gate that is none",
            say("person/mia", "policy.set", "policy/process")
                .fact("key", "gate:nowhere:comment.added")
                .fact("version", "1")
                .fact("document_sha256", "0".repeat(64)),
        ),
    ];
    for (what, said) in cases {
        let mut ledger = opened();
        let bad = ledger.say(said);
        let report = judged(&ledger);
        let named = report.findings.iter().any(|finding| finding.code == "gate-unmet" && finding.seq == Some(bad));
        assert!(named && report.first_bad == Some(bad), "{what}: {}", show(&report));
    }
    let mut ledger = opened();
    let acknowledged = ledger.say(say("person/ann", "incident.acknowledged", INC));
    let by_another = enter(&ledger, "initiate", "assess", acknowledged);
    let bad = ledger.say(Say { by: "person/gus", ..by_another });
    let report = judged(&ledger);
    assert_eq!((report.findings[0].code, report.first_bad), ("role-missing", Some(bad)), "{}", show(&report));
}

/// The ledger's word that it refused `refused`.
fn refusal(refused: &str) -> Say {
    let refusal = say("ledger/own", "phase.refused", INC).fact("refused", refused);
    Say { jti: Some(refusal_jti(refused)), ..refusal.fact("unmet", list(&["severity"])) }
}

#[test]
fn a_refusal_on_the_record_is_right_where_it_stands() {
    let (mut ledger, verdict) = assessed(false);
    let early = enter(&ledger, "assess", "execute", verdict);
    let refused = ledger.line(&early).jws;
    ledger.say(refusal(&refused));
    ledger.say(severity(2));
    ledger.say(enter(&ledger.clone(), "assess", "execute", verdict));
    let report = judged(&ledger);
    assert_eq!((report.outcome, report.decisions_judged), (Outcome::Verified, 3), "{}", show(&report));
}

#[test]
fn a_refusal_of_what_nobody_tried_is_named() {
    let (ledger, verdict) = assessed(false);
    let tried = || enter(&ledger, "assess", "execute", verdict);
    let jws = |said: &Say| ledger.clone().line(said).jws;
    let comment = say("person/mia", "comment.added", INC).data("text", "on we go");
    let elsewhere = Say { sub: "incident/INC-2".to_owned(), ..tried() };
    let there = ledger.lines[verdict as usize].jws.clone();
    let cases: [(&str, Say); 8] = [
        ("facts.refused", refusal("e30.e30.AA")),
        ("facts.refused", refusal(&jws(&Say { signature: Some([7; 64]), ..tried() }))),
        (
            "facts.refused",
            refusal(&jws(&Say {
                aud: Some(format!("{}#{}", crate::forge::ORIGIN, Hash::of(b"another genesis"))),
                ..tried()
            })),
        ),
        ("facts.refused", refusal(&jws(&tried().key(99)))),
        ("facts.refused", refusal(&jws(&comment))),
        ("facts.refused", refusal(&jws(&elsewhere))),
        ("facts.refused", refusal(&there)),
        ("jti", Say { jti: None, ..refusal(&jws(&tried())) }),
    ];
    for (number, (at, said)) in cases.into_iter().enumerate() {
        let mut ledger = ledger.clone();
        let bad = ledger.say(said);
        let report = run(on_disk(&ledger).path(), anchored(&ledger)).unwrap();
        let finding = &report.findings[0];
        assert_eq!((report.first_bad, report.findings_count), (Some(bad), 1), "{number}: {}", show(&report));
        assert!(finding.what.contains(at), "{number}: {}", finding.what);
    }
}

#[test]
fn what_rests_on_an_expunged_entry_is_not_judged_however_often_it_is_asked_for() {
    let (mut ledger, verdict) = assessed(true);
    let first = ledger.say(enter(&ledger.clone(), "assess", "execute", verdict));
    // Another decision of that stream, so that its past is remembered when the next one is judged.
    ledger.say(enter(&ledger.clone(), "execute", "validate", verdict));
    let severity = verdict - 1;
    assert!(severity < first);
    let (ledger, _) = expunged(ledger, severity, true);
    let report = judged(&ledger);
    // Both transitions rest on a past with a hole in it; so does the request to expunge, as ever.
    assert_eq!((report.outcome, report.unjudged, report.first_bad), (Outcome::Verified, 3, None), "{}", show(&report));
}
