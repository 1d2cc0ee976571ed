//! Break-glass: a manager goes on over unmet gates, with a reason; over nothing else, and not over more than they named.

use blotter_process::{Phase, TRANSITIONS};
use blotter_record::{Json, Role};

use crate::log::{CAST, INC, Log, Refused, list, say};
use crate::script::{enter, fresh_in, go_on, opened, overriding, ready_in};

fn unmet(log: &mut Log, phase: Phase) -> Vec<String> {
    let said = go_on_from_opening(log, phase);
    log.would(&said).unwrap_err().codes().into_iter().filter(|code| *code != "trigger").map(str::to_owned).collect()
}

/// Goes on from a phase with a trigger that is there from the start, where that is one.
fn go_on_from_opening(log: &Log, phase: Phase) -> crate::log::Say {
    enter(log, phase, crate::script::next(phase), "incident.opened")
}

#[test]
fn only_a_manager_overrides() {
    let mut log = ready_in(Phase::Execute);
    log.retract("playbook.started");
    let said = overriding(go_on(&log, Phase::Execute), &["playbook"]);
    for (actor, role) in CAST.into_iter().filter_map(|(actor, role)| Some((actor, role?))) {
        let answer = log.would(&said.clone().by(actor));
        match role {
            Role::SecopsManager => assert_eq!(answer, Ok(())),
            Role::Service => assert_eq!(answer, Err(Refused::Role(vec!["person".to_owned()]))),
            _ => assert_eq!(answer, Err(Refused::Role(vec!["secops_manager".to_owned()])), "{actor}"),
        }
    }
}

#[test]
fn an_override_needs_a_reason() {
    let mut log = ready_in(Phase::Execute);
    log.retract("playbook.started");
    let said = go_on(&log, Phase::Execute).fact("override", Json::Bool(true)).fact("unmet", list(&["playbook"]));
    assert_eq!(log.refuses(said.clone()), ["override.reason"]);
    log.say(said.data("reason"));
    let entered = log.incident(INC).phases.pop().unwrap();
    assert_eq!(entered.overridden, ["playbook"], "and it shows");
}

#[test]
fn each_gate_is_overridden_by_its_name() {
    for phase in Phase::ALL {
        let mut log = fresh_in(phase);
        let all = unmet(&mut log, phase);
        assert!(all.len() >= 2, "{phase}: {all:?}");
        for left_out in &all {
            let named: Vec<&str> = all.iter().map(String::as_str).filter(|code| code != left_out).collect();
            let said = overriding(go_on_from_opening(&log, phase), &named);
            let codes: Vec<String> = log.refuses(said).into_iter().filter(|code| code != "trigger").collect();
            assert_eq!(codes, [left_out.as_str()], "{phase}: nobody has overridden it");
        }
    }
}

#[test]
fn what_was_met_when_it_was_signed_and_is_not_any_more_nobody_has_overridden() {
    let mut log = fresh_in(Phase::Assess);
    log.work(Phase::Assess);
    log.retract("intel.attached");
    let said = overriding(go_on(&log, Phase::Assess), &["intel"]);
    assert_eq!(log.would(&said), Ok(()));
    log.retract("severity.assessed");
    assert_eq!(log.refuses(said.clone()), ["severity"]);
    log.say(say("person/ana", "severity.assessed", INC));
    log.say(say("person/ana", "intel.attached", INC));
    log.say(said);
    assert_eq!(log.incident(INC).current_phase(), Some(Phase::Execute), "what is met by now is no obstacle");
}

#[test]
fn unmet_gates_that_are_named_without_an_override_are_a_mistake() {
    let mut log = ready_in(Phase::Initiate);
    let said = go_on(&log, Phase::Initiate).fact("unmet", list(&["telemetry"]));
    assert_eq!(log.refuses(said.clone()), ["override"]);
    log.retract("incident.acknowledged");
    let said = enter(&log, Phase::Initiate, Phase::Assess, "incident.opened").fact("unmet", list(&["acknowledged"]));
    assert_eq!(log.refuses(said), ["acknowledged"]);
}

#[test]
fn what_is_no_gate_of_a_phase_is_never_overridden() {
    let fixed = ["from", "transition", "merged", "opened", "trigger", "inputs", "outputs", "override.reason"];
    let mut log = ready_in(Phase::Initiate);
    let on = |log: &Log| overriding(go_on(log, Phase::Initiate), &fixed);
    let nobodys = crate::script::nobodys();
    assert_eq!(log.refuses(on(&log).fact("from", "assess").fact("to", "execute")), ["from"]);
    assert_eq!(log.refuses(on(&log).fact("to", "improve")), ["transition"]);
    assert_eq!(log.refuses(on(&log).fact("trigger", nobodys.as_str())), ["trigger"]);
    assert_eq!(log.refuses(on(&log).fact("inputs", list(&[&nobodys]))), ["inputs"]);
    assert_eq!(log.refuses(on(&log).fact("outputs", list(&[&nobodys]))), ["outputs"]);
    let without_reason = go_on(&log, Phase::Initiate).fact("override", Json::Bool(true)).fact("unmet", list(&fixed));
    assert_eq!(log.refuses(without_reason), ["override.reason"]);
    log.say(opened("incident/OTHER"));
    let merge = say("person/mia", "incident.merged", INC).fact("into", "incident/OTHER").about(&["incident/OTHER"]);
    log.say(merge);
    assert_eq!(log.refuses(on(&log)), ["merged"]);
}

#[test]
fn closing_signing_off_and_disposing_have_no_override() {
    // There is no fact for it: the vocabulary has one in phase.entered alone.
    let overridable: Vec<&str> = blotter_record::Event::ALL
        .iter()
        .filter(|event| event.rule().facts.iter().any(|fact| fact.name == "override"))
        .map(|event| event.name())
        .collect();
    assert_eq!(overridable, ["phase.entered"]);
    assert_eq!(TRANSITIONS.len(), 13);
}
