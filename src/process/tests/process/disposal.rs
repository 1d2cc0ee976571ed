//! Evidence is disposed of with another person's approval, of that evidence, once; not while it is out, and never under a
//! hold, whichever of its incidents the statement names.

use blotter_record::{Jti, Role};

use crate::log::{INC, Log, Say, say};
use crate::script::{nobodys, opened};

const EVIDENCE: &str = "evidence/E1";

fn acquired() -> Log {
    let mut log = Log::new();
    log.say(opened(INC));
    log.say(say("person/kit", "evidence.acquired", EVIDENCE));
    log
}

fn approved(log: &mut Log, evidence: &str) -> Jti {
    log.say(say("person/gus", "disposal.approved", evidence))
}

/// What was kept of the incident long enough.
fn kept(approval: impl ToString) -> Say {
    let said = say("person/gus", "retention.disposed", "compliance/2026").about(&[INC]);
    said.fact("approval", approval.to_string())
}

fn disposed(approval: impl ToString) -> Say {
    say("person/kit", "evidence.disposed", EVIDENCE).fact("approval", approval.to_string())
}

#[test]
fn another_person_approves_the_disposal_of_that_evidence() {
    let mut log = acquired();
    log.grant("person/kit", Role::Legal);
    assert_eq!(log.refuses(disposed(nobodys())), ["approval"]);
    let own = log.say(say("person/kit", "disposal.approved", EVIDENCE));
    assert_eq!(log.refuses(disposed(own)), ["approval"], "one's own");
    let other = approved(&mut log, "evidence/E2");
    assert_eq!(log.refuses(disposed(other)), ["approval"], "of other evidence");
    let acquired = log.newest("evidence.acquired");
    assert_eq!(log.refuses(disposed(acquired)), ["approval"], "of another event");
    let approval = approved(&mut log, EVIDENCE);
    log.say(disposed(approval));
    assert_eq!(log.refuses(disposed(approval)), ["approval"], "it is used up");
}

#[test]
fn an_approval_that_was_taken_back_or_imported_approves_nothing() {
    let mut log = acquired();
    let approval = approved(&mut log, EVIDENCE);
    let back = say("person/gus", "retraction.recorded", EVIDENCE).about(&[INC]).fact("of", approval.to_string());
    log.say(back);
    assert_eq!(log.refuses(disposed(approval)), ["approval"]);
    let imported = log.say(say("notary/not", "disposal.approved", EVIDENCE).imported());
    assert_eq!(log.refuses(disposed(imported)), ["approval"]);
}

#[test]
fn evidence_that_is_out_is_not_disposed_of() {
    let mut log = acquired();
    let approval = approved(&mut log, EVIDENCE);
    let release = log.say(say("person/kit", "evidence.released", EVIDENCE).about(&["incident/OTHER"]));
    assert_eq!(log.refuses(disposed(approval)), ["evidence"], "whichever incident it was released for");
    log.say(say("person/leo", "evidence.received", EVIDENCE).fact("release", release.to_string()));
    log.say(disposed(approval));
}

#[test]
fn nothing_under_a_hold_is_disposed_of() {
    for (scope, stream, covers) in [
        ("incident", INC, true),
        ("evidence", INC, true),
        ("all", "incident/FAR", true),
        ("incident", "incident/FAR", false),
    ] {
        let mut log = acquired();
        let approval = approved(&mut log, EVIDENCE);
        log.say(say("person/leo", "legal.hold-placed", stream).fact("hold", "hold/H1").fact("scope", scope));
        let elsewhere = disposed(approval).about(&["incident/OTHER"]);
        if covers {
            assert_eq!(log.refuses(disposed(approval)), ["hold"], "{scope}");
            assert_eq!(log.refuses(elsewhere), ["hold"], "{scope}: it was acquired for the incident that is held");
            log.say(say("person/leo", "legal.hold-released", stream).fact("hold", "hold/H1"));
        }
        log.say(disposed(approval));
    }
}

#[test]
fn all_that_is_in_the_way_is_told_at_once() {
    let mut log = acquired();
    log.say(say("person/leo", "legal.hold-placed", INC).fact("hold", "hold/H1"));
    log.say(say("person/kit", "evidence.released", EVIDENCE));
    assert_eq!(log.refuses(disposed(nobodys())), ["approval", "hold", "evidence"]);
}

#[test]
fn what_was_kept_long_enough_is_disposed_of_by_two_and_not_under_a_hold() {
    let mut log = acquired();
    log.grant("person/gus", Role::Legal);
    assert_eq!(log.refuses(kept(nobodys())), ["approval"]);
    let own = approved(&mut log, EVIDENCE);
    assert_eq!(log.refuses(kept(own)), ["approval"]);
    let approval = log.say(say("person/leo", "disposal.approved", EVIDENCE));
    log.say(say("person/leo", "legal.hold-placed", INC).fact("hold", "hold/H1").fact("scope", "all"));
    assert_eq!(log.refuses(kept(approval)), ["hold"]);
    log.say(say("person/leo", "legal.hold-released", INC).fact("hold", "hold/H1"));
    log.say(kept(approval));
    assert_eq!(log.refuses(kept(approval)), ["approval"], "it is used up");
    assert_eq!(log.refuses(kept(approval).sub("compliance/2027")), ["approval"], "wherever that is said");
    log.retract("retention.disposed");
    assert_eq!(log.refuses(kept(approval)), ["approval"], "and was used though that was taken back");
}

#[test]
fn an_approval_serves_one_disposal_of_either_kind() {
    let mut log = acquired();
    let approval = log.say(say("person/leo", "disposal.approved", EVIDENCE));
    log.say(kept(approval));
    assert_eq!(log.refuses(disposed(approval)), ["approval"]);
    let approval = log.say(say("person/leo", "disposal.approved", EVIDENCE));
    log.say(disposed(approval));
    assert_eq!(log.refuses(kept(approval)), ["approval"]);
}

#[test]
fn what_was_kept_is_disposed_of_in_the_sight_of_each_incident_of_its_approval() {
    let mut log = acquired();
    log.say(opened("incident/OTHER"));
    let both = say("person/leo", "disposal.approved", EVIDENCE).about(&["incident/OTHER", INC]);
    let approval = log.say(both);
    assert_eq!(log.refuses(kept(approval).about(&[])), ["approval"]);
    assert_eq!(log.refuses(kept(approval)), ["approval"], "of one of two");
    log.say(kept(approval).about(&[INC, "incident/OTHER"]));
}

#[test]
fn an_approval_that_was_taken_back_or_imported_lets_nothing_go_that_was_kept() {
    let mut log = acquired();
    let approval = log.say(say("person/leo", "disposal.approved", EVIDENCE));
    let back = say("person/leo", "retraction.recorded", EVIDENCE).about(&[INC]).fact("of", approval.to_string());
    log.say(back);
    assert_eq!(log.refuses(kept(approval)), ["approval"]);
    let imported = log.say(say("notary/not", "disposal.approved", EVIDENCE).imported());
    assert_eq!(log.refuses(kept(imported)), ["approval"]);
}
