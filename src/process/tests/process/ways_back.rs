//! The ways back: each has its cause, and what is gone back over is to be done again.

use blotter_process::Phase;
use blotter_record::Jti;

use crate::log::{INC, Log, Say, list, say};
use crate::script::{ASSET, enter, fresh_in, go_on, ready_in, validated};

fn lost() -> Say {
    say("person/ira", "containment.lost", INC).fact("assets", list(&[ASSET]))
}

fn reopened() -> Say {
    say("person/ana", "incident.reopened", INC)
}

/// Back to Execute or Assess, by an analyst.
fn back(log: &Log, from: Phase, to: Phase, trigger: &str) -> Say {
    enter(log, from, to, trigger).by("person/ana")
}

#[test]
fn a_failed_validation_a_refused_sign_off_and_lost_containment_lead_back() {
    let refused = say("person/mia", "validation.signed-off", INC).fact("outcome", "refused");
    for cause in [validated("fail"), refused, lost()] {
        let mut log = fresh_in(Phase::Validate);
        log.say(validated("pass"));
        let early = back(&log, Phase::Validate, Phase::Execute, "validation.performed");
        assert_eq!(log.refuses(early), ["setback"], "nothing failed");
        let jti = log.say(cause);
        let said = back(&log, Phase::Validate, Phase::Execute, "validation.performed").fact("trigger", jti.to_string());
        log.say(said);
        assert_eq!(log.incident(INC).current_phase(), Some(Phase::Execute));
    }
}

#[test]
fn what_failed_before_the_phase_was_entered_does_not_lead_back() {
    let mut log = ready_in(Phase::Execute);
    log.say(validated("fail"));
    log.say(lost());
    log.say(say("person/ira", "containment.achieved", INC).fact("assets", list(&[ASSET])));
    let on = go_on(&log, Phase::Execute);
    log.say(on);
    let said = back(&log, Phase::Validate, Phase::Execute, "containment.lost");
    assert_eq!(log.refuses(said), ["setback"]);
}

#[test]
fn after_the_way_back_the_gates_stand_again() {
    let mut log = ready_in(Phase::Validate);
    log.say(lost());
    let said = back(&log, Phase::Validate, Phase::Execute, "containment.lost");
    log.say(said);
    let on = go_on(&log, Phase::Execute);
    assert_eq!(log.refuses(on), ["containment"]);
}

#[test]
fn a_closed_incident_is_reopened_and_then_moved() {
    for phase in [Phase::Close, Phase::Improve] {
        for to in [Phase::Assess, Phase::Execute] {
            let mut log = ready_in(phase);
            // A statement of that kind, from another incident, so that only its cause is missing.
            log.forces(&say("person/ira", "containment.lost", "incident/OTHER"));
            let trigger = log.newest("incident.closed").to_string();
            let said = enter(&log, phase, to, "incident.closed").fact("trigger", trigger);
            assert_eq!(log.refuses(said), ["trigger", "reopened"]);
            log.say(reopened());
            assert_eq!(log.incident(INC).current_phase(), Some(phase), "it is moved by phase.entered alone");
            assert_eq!(log.incident(INC).status(), "open");
            let said = back(&log, phase, to, "incident.reopened");
            log.say(said);
            assert_eq!(log.incident(INC).current_phase(), Some(to));
        }
    }
}

#[test]
fn a_reopening_serves_once() {
    let mut log = ready_in(Phase::Close);
    log.say(reopened());
    let said = back(&log, Phase::Close, Phase::Execute, "incident.reopened");
    log.say(said);
    for _ in 0..2 {
        log.work(Phase::Execute);
        let on = go_on(&log, Phase::Execute);
        log.say(on);
        log.work(Phase::Validate);
        let on = go_on(&log, Phase::Validate);
        log.say(on);
        let said = back(&log, Phase::Close, Phase::Execute, "incident.reopened");
        assert_eq!(log.refuses(said), ["reopened"], "that was before");
        log.say(reopened());
        let said = back(&log, Phase::Close, Phase::Execute, "incident.reopened");
        log.say(said);
    }
}

#[test]
fn a_reopened_incident_is_reported_closed_and_reviewed_anew() {
    let mut log = ready_in(Phase::Improve);
    let rest = go_on(&log, Phase::Improve);
    log.say(rest);
    let old = log.newest("report.published");
    log.say(reopened());
    let closing = |report: Jti| say("person/mia", "incident.closed", INC).fact("report", report.to_string());
    assert_eq!(log.refuses(closing(old)), ["report"], "though it is still in Close");
    let said = back(&log, Phase::Close, Phase::Execute, "incident.reopened");
    log.say(said);
    log.work(Phase::Execute);
    let on = go_on(&log, Phase::Execute);
    log.say(on);
    log.work(Phase::Validate);
    let on = go_on(&log, Phase::Validate);
    log.say(on);
    assert_eq!(log.refuses(closing(old)), ["report"]);
    let on = go_on(&log, Phase::Close);
    assert_eq!(log.refuses(on), ["report", "closed"]);
    let new = log.say(say("person/gus", "report.published", INC));
    assert_eq!(log.refuses(closing(old)), ["report"], "the old one, though there is a new one");
    log.say(closing(new));
    let on = go_on(&log, Phase::Close);
    log.say(on);
    let rest = go_on(&log, Phase::Improve);
    assert_eq!(log.refuses(rest.clone()), ["review"]);
    log.say(say("person/mia", "review.held", INC));
    log.say(rest);
}

#[test]
fn only_what_is_in_close_or_improve_is_reopened() {
    for phase in Phase::ALL {
        let mut log = fresh_in(phase);
        match phase {
            Phase::Close | Phase::Improve => _ = log.say(reopened()),
            _ => assert_eq!(log.refuses(reopened()), ["phase"], "{phase}"),
        }
    }
}

#[test]
fn containment_that_is_lost_behind_a_closing_leads_to_execute_and_it_is_to_be_closed_again() {
    for phase in [Phase::Close, Phase::Improve] {
        let mut log = ready_in(phase);
        log.say(lost());
        let said = back(&log, phase, Phase::Assess, "incident.closed");
        assert_eq!(log.refuses(said), ["trigger", "reopened"], "to Assess only what was reopened goes");
        let said = back(&log, phase, Phase::Execute, "containment.lost");
        log.say(said);
        assert_eq!(log.incident(INC).status(), "open");
        log.work(Phase::Execute);
        let on = go_on(&log, Phase::Execute);
        log.say(on);
        log.work(Phase::Validate);
        let on = go_on(&log, Phase::Validate);
        log.say(on);
        let on = go_on(&log, Phase::Close);
        assert_eq!(log.refuses(on), ["report", "closed"], "the old report and closing are of another time");
    }
}

#[test]
fn what_turns_out_to_be_none_is_dismissed() {
    let verdict = |verdict: &str| say("person/ana", "incident.confirmed", INC).fact("verdict", verdict);
    for phase in [Phase::Assess, Phase::Execute] {
        let mut log = ready_in(phase);
        let close = |log: &Log| back(log, phase, Phase::Close, "incident.confirmed");
        let said = close(&log);
        assert_eq!(log.refuses(said), ["dismissed"], "{phase}");
        log.say(verdict("benign"));
        let said = close(&log);
        log.say(said);
    }
    let mut log = fresh_in(Phase::Assess);
    log.say(verdict("false-positive"));
    let said = back(&log, Phase::Assess, Phase::Close, "incident.confirmed");
    assert_eq!(log.refuses(said), ["intel", "severity"], "a verdict rests on something");
    let mut log = fresh_in(Phase::Execute);
    log.say(verdict("false-positive"));
    let said = back(&log, Phase::Execute, Phase::Close, "incident.confirmed");
    log.say(said);
}
