//! Gates that an organisation adds: set and withdrawn by signed policy, judged like the others.

use blotter_process::{POLICY_STREAM, Phase};
use blotter_record::{Event, Policy};

use crate::log::{INC, Log, Refused, Say, say};
use crate::script::{enter, fresh_in, go_on, next, overriding, ready_in};

fn set(key: &str, version: &str) -> Say {
    say("person/mia", "policy.set", POLICY_STREAM).fact("key", key).fact("version", version)
}

#[test]
fn a_gate_of_ones_own_stands_until_it_is_withdrawn() {
    for phase in Phase::ALL {
        let mut log = ready_in(phase);
        let key = format!("gate:{phase}:stakeholder.updated");
        log.say(set(&key, "1"));
        let on = go_on(&log, phase);
        assert_eq!(log.refuses(on.clone()), ["own.stakeholder.updated"], "{phase}");
        log.say(set(&key, "2"));
        assert_eq!(log.refuses(on.clone()), ["own.stakeholder.updated"], "{phase}: another version of the same");
        log.say(set(&key, "off"));
        assert_eq!(log.would(&on), Ok(()), "{phase}");
        log.say(set(&key, "3"));
        let informed = log.say(say("person/mia", "stakeholder.updated", INC));
        assert_eq!(log.would(&on), Ok(()), "{phase}: it has happened");
        log.say(say("person/mia", "retraction.recorded", INC).fact("of", informed.to_string()));
        assert_eq!(log.refuses(on.clone()), ["own.stakeholder.updated"], "{phase}: it was taken back");
        log.say(overriding(on, &["own.stakeholder.updated"]));
    }
}

#[test]
fn it_stands_in_its_phase_alone_and_on_dismissals_too() {
    let mut log = ready_in(Phase::Assess);
    log.say(set("gate:execute:x.soc.briefed", "1"));
    let on = go_on(&log, Phase::Assess);
    log.say(on);
    log.say(say("person/ana", "incident.confirmed", INC).fact("verdict", "benign"));
    let dismissed = enter(&log, Phase::Execute, Phase::Close, "incident.confirmed");
    assert_eq!(log.refuses(dismissed.clone()), ["own.x.soc.briefed"]);
    log.say(say("service/siem", "x.soc.briefed", INC));
    log.say(dismissed);
}

#[test]
fn the_ways_back_have_no_gates_of_ones_own() {
    let mut log = fresh_in(Phase::Validate);
    log.say(set("gate:validate:x.soc.briefed", "1"));
    log.say(say("person/ira", "containment.lost", INC));
    let back = enter(&log, Phase::Validate, Phase::Execute, "containment.lost");
    log.say(back);
    assert_eq!(next(Phase::Execute), Phase::Validate);
}

#[test]
fn several_stand_beside_each_other() {
    let mut log = ready_in(Phase::Initiate);
    log.say(set("gate:initiate:x.b", "1"));
    log.say(set("gate:initiate:x.a", "1").by("person/cid"));
    log.say(set("gate:initiate:comment.added", "1").by("person/gus"));
    let on = go_on(&log, Phase::Initiate);
    assert_eq!(log.refuses(on.clone()), ["own.comment.added", "own.x.a", "own.x.b"]);
    log.say(say("person/nob", "comment.added", INC));
    log.say(set("gate:initiate:x.a", "off"));
    assert_eq!(log.refuses(on), ["own.x.b"]);
}

#[test]
fn what_is_no_gate_is_not_set() {
    let mut log = Log::new();
    for key in [
        "gate:",
        "gate:assess",
        "gate:assess:",
        "gate:begin:comment.added",
        "gate:Assess:comment.added",
        "gate:assess:incident.eaten",
        "gate:assess:ledger.founded",
        "gate:assess:role.granted",
        "gate:assess:alert.received",
        "gate:assess:x.",
    ] {
        for version in ["1", "off"] {
            assert_eq!(log.refuses(set(key, version)), ["own-gate"], "{key}");
        }
    }
    let elsewhere = say("person/mia", "policy.set", "policy/severity").fact("key", "gate:assess:comment.added");
    assert_eq!(log.refuses(elsewhere), ["own-gate"], "in another stream");
    let Err(Refused::Gates(gates)) = log.tries(&set("gate:begin:comment.added", "1")) else { panic!("refused") };
    assert!(gates[0].what.contains("begin is not a phase") && !gates[0].overridable, "{gates:?}");
}

#[test]
fn other_policy_is_none_of_its_business() {
    let mut log = ready_in(Phase::Initiate);
    log.say(set("severity-scale", "1"));
    log.say(say("person/mia", "policy.set", "policy/severity").fact("key", "scale").fact("version", "off"));
    let on = go_on(&log, Phase::Initiate);
    log.say(on);
}

#[test]
fn every_event_that_can_stand_in_an_incident_can_be_wanted() {
    let mut log = Log::new();
    for event in Event::ALL.iter().filter(|event| matches!(event.rule().subject, Some("incident" | "evidence"))) {
        log.say(set(&format!("gate:close:{}", event.name()), "1"));
    }
}

#[test]
fn what_is_forgotten_is_read_again() {
    let mut log = ready_in(Phase::Initiate);
    log.say(set("gate:initiate:x.a", "1"));
    let on = go_on(&log, Phase::Initiate);
    for _ in 0..2 {
        assert_eq!(log.refuses(on.clone()), ["own.x.a"]);
        log.process.forget(&POLICY_STREAM.parse().unwrap());
    }
    log.process.forget_all();
    assert_eq!(log.refuses(on), ["own.x.a"]);
}
