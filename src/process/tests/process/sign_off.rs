//! Whoever worked on it does not sign it off; what is signed off was validated, in Validate, and nothing happened since.

use blotter_process::Phase;
use blotter_record::{Event, Role};

use crate::log::{INC, Log, Say, list, say};
use crate::script::{ASSET, enter, fresh_in, go_on, ready_in, validated};

fn sign_off(outcome: &str) -> Say {
    say("person/mia", "validation.signed-off", INC).fact("outcome", outcome)
}

/// The one who signs off has two roles.
fn log_with_busy_manager() -> Log {
    let mut log = fresh_in(Phase::Validate);
    log.grant("person/mia", Role::ItOpsLead);
    log
}

#[test]
fn whoever_worked_on_it_does_not_sign_it_off() {
    let works = [
        "containment.achieved",
        "eradication.started",
        "eradication.completed",
        "recovery.initiated",
        "system.restored",
    ];
    let mut separated = Vec::new();
    for event in Event::ALL.iter().filter(|event| event.rule().subject == Some("incident")) {
        let mut log = log_with_busy_manager();
        let decides = ["phase.entered", "phase.refused", "incident.merged", "incident.split"].contains(&event.name());
        let said = say("person/mia", event.name(), INC).fact_if("asset", ASSET).fact_if("result", "pass");
        if decides || log.tries(&said).is_err() {
            continue;
        }
        log.say(validated("pass"));
        let answer = log.would(&sign_off("accepted"));
        match works.contains(&event.name()) {
            true => assert_eq!(answer.unwrap_err().codes(), ["separation"], "{event:?}"),
            false => assert_eq!(answer, Ok(()), "{event:?}"),
        }
        if works.contains(&event.name()) {
            assert_eq!(log.would(&sign_off("accepted").by("person/max")), Ok(()), "another may: {event:?}");
            assert_eq!(log.would(&sign_off("refused")), Ok(()), "and everybody may refuse: {event:?}");
            separated.push(event.name());
        }
    }
    assert_eq!(separated, works);
}

#[test]
fn who_takes_their_work_back_has_done_it() {
    let mut log = log_with_busy_manager();
    log.say(say("person/mia", "system.restored", INC).fact("asset", ASSET));
    log.say(validated("pass"));
    log.retract("system.restored");
    assert_eq!(log.refuses(sign_off("accepted")), ["separation"]);
}

#[test]
fn a_sign_off_needs_passed_validations() {
    let mut log = fresh_in(Phase::Validate);
    assert_eq!(log.refuses(sign_off("accepted")), ["validation"]);
    log.say(validated("fail"));
    assert_eq!(log.refuses(sign_off("accepted")), ["validation"]);
    log.say(sign_off("refused"));
    log.say(validated("pass"));
    log.say(sign_off("accepted"));
}

#[test]
fn a_sign_off_is_made_in_validate() {
    for phase in Phase::ALL.into_iter().filter(|phase| *phase != Phase::Validate) {
        let mut log = fresh_in(phase);
        log.say(say("person/ira", "system.restored", INC).fact("asset", ASSET));
        log.say(validated("pass"));
        assert_eq!(log.refuses(sign_off("accepted")), ["phase"], "{phase}");
        log.say(sign_off("refused"));
    }
}

#[test]
fn a_service_owner_signs_off_too() {
    let mut log = fresh_in(Phase::Validate);
    log.say(validated("pass"));
    log.say(sign_off("accepted").by("person/sue"));
    let on = go_on(&log, Phase::Validate);
    log.say(on);
}

#[test]
fn an_acceptance_that_was_taken_back_or_followed_by_a_refusal_opens_nothing() {
    let mut log = ready_in(Phase::Validate);
    let on = go_on(&log, Phase::Validate);
    log.say(sign_off("refused").by("person/max"));
    assert_eq!(log.refuses(on.clone()), ["sign-off"]);
    log.say(sign_off("accepted"));
    assert_eq!(log.would(&on), Ok(()));
    log.retract("validation.signed-off");
    assert_eq!(log.refuses(on), ["sign-off"], "what stands now is the refusal");
}

#[test]
fn a_sign_off_is_of_this_time_in_validate() {
    let mut log = ready_in(Phase::Validate);
    log.say(say("person/ira", "containment.lost", INC).fact("assets", list(&[ASSET])));
    let on = go_on(&log, Phase::Validate);
    assert_eq!(log.refuses(on.clone()), ["sign-off"], "containment was lost since");
    let back = enter(&log, Phase::Validate, Phase::Execute, "containment.lost");
    log.say(back);
    log.say(say("person/ira", "containment.achieved", INC).fact("assets", list(&[ASSET])));
    let again = enter(&log, Phase::Execute, Phase::Validate, "containment.achieved");
    log.say(again);
    assert_eq!(log.refuses(on.clone()), ["sign-off"], "what was signed off before does not count");
    log.say(sign_off("accepted"));
    log.say(on);
}

#[test]
fn recovery_is_declared_of_what_was_signed_off() {
    let recovered = || say("person/mia", "incident.recovered", INC);
    let mut log = fresh_in(Phase::Validate);
    assert_eq!(log.refuses(recovered()), ["validation", "sign-off"]);
    log.say(validated("pass"));
    assert_eq!(log.refuses(recovered()), ["sign-off"]);
    log.say(sign_off("accepted"));
    log.say(recovered());
    let on = go_on(&log, Phase::Validate);
    log.say(on);
    log.say(recovered());
}
