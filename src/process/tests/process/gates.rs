//! Each gate of each phase: named while it is unmet, gone when it is met, and named again when what met it is gone.

use blotter_process::Phase;
use blotter_record::Json;

use crate::log::{INC, Log, Say, list, say};
use crate::script::{
    ACTION, ASSET, LESSON, closed, deeds, enter, fresh_in, go_on, leads_on, next, ready_in, validated,
};

/// The gates of each phase that nothing has met yet, in the order in which they are told.
fn unmet_at_first(phase: Phase) -> &'static [&'static str] {
    match phase {
        Phase::Initiate => &["telemetry", "acknowledged"],
        Phase::Assess => &["intel", "severity", "confirmed"],
        Phase::Execute => &["playbook", "tools", "containment", "eradication"],
        Phase::Validate => &["validation", "sign-off"],
        Phase::Close => {
            &["record.class", "record.occurrence", "record.detection", "record.root-cause", "report", "closed"]
        }
        Phase::Improve => &["review", "feedback", "lessons"],
    }
}

/// The statement that goes on, triggered by whatever is there of its triggers.
fn on(log: &Log, phase: Phase) -> Say {
    let trigger = match phase {
        _ if log.has(leads_on(phase)) => leads_on(phase),
        Phase::Initiate => "incident.opened",
        Phase::Execute => "containment.achieved",
        Phase::Close => "report.published",
        Phase::Improve => "review.held",
        _ => "incident.opened",
    };
    let trigger = if log.has(trigger) { trigger } else { "incident.opened" };
    enter(log, phase, next(phase), trigger)
}

fn codes(log: &mut Log, phase: Phase) -> Vec<String> {
    let said = on(log, phase);
    match log.would(&said) {
        Ok(()) => Vec::new(),
        // A trigger that can't be there yet is not what this is about.
        Err(refused) => refused.codes().into_iter().filter(|code| *code != "trigger").map(str::to_owned).collect(),
    }
}

#[test]
fn gates_are_met_one_by_one() {
    for phase in Phase::ALL {
        let mut log = fresh_in(phase);
        let mut unmet: Vec<&str> = unmet_at_first(phase).to_vec();
        assert_eq!(codes(&mut log, phase), unmet, "{phase}");
        for (code, said) in deeds(phase) {
            let said = said(&log);
            log.say(said);
            if code == "lessons" {
                // It leads nowhere yet.
                unmet.push("lessons.led");
            }
            unmet.retain(|other| *other != code);
            assert_eq!(codes(&mut log, phase), unmet, "{phase}, with {code}");
        }
        assert!(unmet.is_empty(), "{phase}: {unmet:?}");
        let said = go_on(&log, phase);
        log.say(said);
    }
}

/// What was met is unmet again after `spoil`, by that gate alone, and met by `cure`.
fn check(phase: Phase, code: &str, spoil: impl FnOnce(&mut Log), cure: impl FnOnce(&mut Log)) {
    let mut log = ready_in(phase);
    spoil(&mut log);
    assert_eq!(codes(&mut log, phase), [code], "{phase}");
    cure(&mut log);
    assert_eq!(codes(&mut log, phase), [""; 0], "{phase}, {code}");
    let said = on(&log, phase);
    log.say(said);
}

fn confirmed(verdict: &str) -> Say {
    say("person/ana", "incident.confirmed", INC).fact("verdict", verdict)
}

#[test]
fn an_alert_that_is_not_the_incidents_is_no_telemetry() {
    let alert = |event| say("person/ana", event, INC).fact("alert", "alert/A1");
    let spoil = |log: &mut Log| _ = log.say(alert("alert.unlinked"));
    check(Phase::Initiate, "telemetry", spoil, |log| _ = log.say(alert("alert.linked")));
    let mut log = Log::new();
    log.say(say("person/ana", "incident.opened", INC).about(&["alert/A9"]));
    assert_eq!(codes(&mut log, Phase::Initiate), ["acknowledged"], "an alert that it was opened about counts");
}

#[test]
fn a_verdict_confirms_or_does_not() {
    for verdict in ["false-positive", "benign", "undetermined"] {
        let spoil = |log: &mut Log| _ = log.say(confirmed(verdict));
        check(Phase::Assess, "confirmed", spoil, |log| _ = log.say(confirmed("policy-violation")));
    }
}

fn scope(assets: &[&str]) -> Say {
    say("person/ana", "scope.assessed", INC).fact("assets", list(assets))
}

fn contained(assets: &[&str]) -> Say {
    say("person/ira", "containment.achieved", INC).fact("assets", list(assets))
}

fn cleaned(assets: &[&str]) -> Say {
    say("person/ira", "eradication.completed", INC).fact("assets", list(assets))
}

#[test]
fn containment_covers_the_scope_and_can_be_lost() {
    let grows = |log: &mut Log| {
        log.say(scope(&[ASSET, "asset/a2"]));
        log.say(cleaned(&["asset/a2"]));
    };
    check(Phase::Execute, "containment", grows, |log| _ = log.say(contained(&["asset/a2"])));
    check(Phase::Execute, "containment", grows, |log| _ = log.say(scope(&[ASSET])));
    for assets in [&[ASSET][..], &[]] {
        let lost = say("person/ira", "containment.lost", INC).fact("assets", list(assets));
        check(Phase::Execute, "containment", |log| _ = log.say(lost), |log| _ = log.say(contained(&[ASSET])));
    }
}

fn risk(until: &str) -> Say {
    say("person/cid", "risk.accepted", INC).fact("expires", until)
}

#[test]
fn what_is_not_eradicated_is_a_risk_that_the_ciso_accepted_and_that_lasts() {
    let grows = |log: &mut Log| {
        log.say(scope(&[ASSET, "asset/a2"]));
        log.say(contained(&["asset/a2"]));
    };
    check(Phase::Execute, "eradication", grows, |log| _ = log.say(cleaned(&["asset/a2"])));
    check(Phase::Execute, "eradication", grows, |log| _ = log.say(risk("2027-01-01T00:00:00Z")));
    let expired = |log: &mut Log| {
        grows(log);
        log.say(risk("2026-11-23T12:00:00Z"));
        log.say(risk("2027-01-01T00:00:00Z").fact("lesson", LESSON));
    };
    check(Phase::Execute, "eradication", expired, |log| _ = log.say(cleaned(&["asset/a2"])));
    let mut log = ready_in(Phase::Execute);
    grows(&mut log);
    log.say(risk("2026-11-23T13:00:00Z"));
    assert_eq!(codes(&mut log, Phase::Execute), [""; 0]);
    log.clock_us += 3_600_000_000;
    assert_eq!(codes(&mut log, Phase::Execute), ["eradication"], "an hour later");
}

#[test]
fn all_that_was_restored_is_validated() {
    let mut log = ready_in(Phase::Validate);
    log.say(say("person/ira", "system.restored", INC).fact("asset", "asset/a2"));
    assert_eq!(codes(&mut log, Phase::Validate), ["validation", "sign-off"]);
    log.say(validated("pass").fact("asset", "asset/a2"));
    assert_eq!(codes(&mut log, Phase::Validate), ["sign-off"], "the sign-off is older than what it vouches for");
    log.say(validated("fail").fact("asset", "asset/a3"));
    assert_eq!(codes(&mut log, Phase::Validate), ["validation", "sign-off"], "a failed one counts, restored or not");
    log.say(validated("pass").fact("asset", "asset/a3"));
    log.work(Phase::Validate);
    assert_eq!(codes(&mut log, Phase::Validate), [""; 0]);
    log.say(say("person/ira", "system.restored", INC).fact("asset", ASSET));
    assert_eq!(codes(&mut log, Phase::Validate), ["validation", "sign-off"], "restored again, validated again");
}

#[test]
fn a_statement_that_was_taken_back_meets_nothing() {
    for phase in Phase::ALL {
        for (code, event) in [
            ("acknowledged", "incident.acknowledged"),
            ("intel", "intel.attached"),
            ("severity", "severity.assessed"),
            ("confirmed", "incident.confirmed"),
            ("playbook", "playbook.started"),
            ("tools", "containment.started"),
            ("containment", "containment.achieved"),
            ("eradication", "eradication.completed"),
            ("validation", "validation.performed"),
            ("sign-off", "validation.signed-off"),
            ("record.class", "incident.classified"),
            ("record.occurrence", "occurrence.asserted"),
            ("record.detection", "detection.asserted"),
            ("record.root-cause", "root-cause.identified"),
            ("report", "report.published"),
            ("review", "review.held"),
            ("feedback", "feedback.recorded"),
            ("lessons.led", "action.completed"),
        ] {
            let mut log = ready_in(phase);
            if !deeds(phase).iter().any(|(deed, _)| *deed == code) {
                continue;
            }
            log.retract(event);
            assert_eq!(codes(&mut log, phase), [code], "{phase}");
            let again = deeds(phase).into_iter().find(|(deed, _)| *deed == code).unwrap().1(&log);
            log.say(again);
            assert_eq!(codes(&mut log, phase), [""; 0], "{phase}, {code}");
        }
    }
}

#[test]
fn the_record_is_complete_and_nothing_hangs_loose() {
    let steps = |event: &'static str| {
        move |log: &mut Log| {
            let run = log.newest("playbook.started").to_string();
            log.say(say("person/ira", event, INC).fact("run", run).fact("step", "isolate"));
        }
    };
    check(Phase::Close, "record.steps", steps("step.started"), steps("step.completed"));
    let clock = |event: &'static str, by: &'static str| {
        move |log: &mut Log| _ = log.say(say(by, event, INC).fact("clock", "nis2.early-warning"))
    };
    check(Phase::Close, "clocks", clock("clock.started", "ledger/own"), clock("notification.sent", "person/gus"));
    let none_applies = |log: &mut Log| {
        log.say(say("person/leo", "obligation.assessed", INC).fact("regime", "DORA"));
        assert_eq!(codes(log, Phase::Close), ["clocks"], "another law");
        log.say(say("person/leo", "obligation.assessed", INC).fact("regime", "NIS2").fact("applies", Json::Bool(true)));
        assert_eq!(codes(log, Phase::Close), ["clocks"], "it applies");
        log.say(say("person/leo", "obligation.assessed", INC).fact("regime", "NIS2"));
    };
    check(Phase::Close, "clocks", clock("clock.started", "ledger/own"), none_applies);
    let released = |log: &mut Log| _ = log.say(say("person/kit", "evidence.released", "evidence/E1"));
    let received = |log: &mut Log| {
        let release = log.newest("evidence.released").to_string();
        log.say(say("person/kit", "evidence.received", "evidence/E1").fact("release", release));
    };
    check(Phase::Close, "evidence", released, received);
    let task = |event| move |log: &mut Log| _ = log.say(say("person/ana", event, INC).fact("task", "task/T1"));
    check(Phase::Close, "tasks", task("task.opened"), task("task.completed"));
    for (code, event) in [("record.severity", "severity.assessed"), ("record.verdict", "incident.confirmed")] {
        let again = move |log: &mut Log| _ = log.say(say("person/mia", event, INC));
        check(Phase::Close, code, |log| log.retract(event), again);
    }
}

#[test]
fn a_dismissed_incident_needs_only_what_the_verdict_rests_on() {
    let mut log = fresh_in(Phase::Close);
    log.say(confirmed("false-positive"));
    let report = log.say(say("person/gus", "report.published", INC));
    assert_eq!(codes(&mut log, Phase::Close), ["closed"]);
    log.say(say("person/mia", "incident.closed", INC).fact("report", report.to_string()));
    assert_eq!(codes(&mut log, Phase::Close), [""; 0]);
}

#[test]
fn every_lesson_leads_somewhere() {
    let second = |log: &mut Log| _ = log.say(say("person/mia", "lesson.recorded", "lesson/L2"));
    let check = |cure: &dyn Fn(&mut Log)| check(Phase::Improve, "lessons.led", second, cure);
    check(&|log| _ = log.say(say("person/mia", "lesson.recorded", "lesson/L2").fact("none_found", Json::Bool(true))));
    check(&|log| _ = log.say(risk("2027-01-01T00:00:00Z").fact("lesson", "lesson/L2")));
    check(&|log| _ = log.say(say("person/mia", "playbook.published", "playbook/P1").about(&["lesson/L2"])));
    check(&|log| {
        log.say(say("person/mia", "action.opened", "lesson/L2").fact("action", "action/X2"));
        assert_eq!(codes(log, Phase::Improve), ["lessons.led"], "opened is not completed");
        log.say(say("person/ira", "action.completed", "lesson/L2").fact("action", "action/X2"));
    });
    let mut log = ready_in(Phase::Improve);
    log.say(say("person/mia", "lesson.recorded", "lesson/L3").about(&["incident/OTHER"]));
    assert_eq!(codes(&mut log, Phase::Improve), [""; 0], "another incident's lesson");
    log.say(say("person/mia", "lesson.recorded", "lesson/L2"));
    log.say(say("person/ira", "action.completed", "lesson/L2").fact("action", ACTION));
    assert_eq!(codes(&mut log, Phase::Improve), ["lessons.led"], "another lesson's action");
}

#[test]
fn a_lesson_whose_risk_expired_leads_nowhere_again() {
    for told_first in [true, false] {
        let mut log = ready_in(Phase::Improve);
        let lesson = say("person/mia", "lesson.recorded", "lesson/L2");
        if told_first {
            log.say(lesson.clone());
        }
        // 2026-11-23T12:00:00Z and some seconds it is.
        log.say(risk("2026-11-23T14:00:00Z").fact("lesson", "lesson/L2"));
        log.say(risk("2026-11-23T13:00:00Z").fact("lesson", "lesson/L2"));
        log.say(risk("2027-11-23T13:00:00Z").fact("lesson", "lesson/L3"));
        if !told_first {
            log.say(lesson);
        }
        log.clock_us += 3_600_000_000;
        assert_eq!(codes(&mut log, Phase::Improve), [""; 0], "one of the two lasts");
        log.clock_us += 3_600_000_000;
        assert_eq!(codes(&mut log, Phase::Improve), ["lessons.led"], "told first: {told_first}");
        log.say(risk("2026-11-24T00:00:00Z").fact("lesson", "lesson/L2"));
        let said = on(&log, Phase::Improve);
        log.say(said);
    }
}

#[test]
fn what_is_missing_is_named_and_not_more_than_five() {
    let mut log = ready_in(Phase::Execute);
    let assets: Vec<String> = (0..8).map(|n| format!("asset/n{n}")).collect();
    log.say(say("person/ana", "scope.assessed", INC).fact("assets", list(&assets)));
    let said = go_on(&log, Phase::Execute);
    let crate::log::Refused::Gates(gates) = log.tries(&said).unwrap_err() else { panic!("gates") };
    assert!(gates[0].what.ends_with("(asset/n0, asset/n1, asset/n2, asset/n3, asset/n4 and 3 more)"), "{gates:?}");
    let mut log = ready_in(Phase::Close);
    log.retract("incident.closed");
    assert_eq!(codes(&mut log, Phase::Close), [""; 0], "what was closed is closed");
    let again = closed(&log);
    log.say(again);
}
