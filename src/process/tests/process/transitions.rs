//! Every way from one phase to another, who may go it, and what may trigger it; and every pair that is no way.

use blotter_process::Phase;
use blotter_record::{About, Event, Role};

use crate::log::{CAST, INC, Log, Refused, list, say};
use crate::script::{enter, fresh_in, go_on, leads_on, next, nobodys, opened, overriding, ready_in};

/// All ways: from, to, who may sign, and what triggers.
pub(crate) const WAYS: [(&str, &str, &[&str], &[&str]); 13] = [
    (
        "initiate",
        "assess",
        &["soc_analyst", "secops_manager"],
        &["incident.acknowledged", "alert.triaged", "incident.assigned", "incident.opened"],
    ),
    ("assess", "execute", &["soc_analyst", "secops_manager"], &["incident.confirmed"]),
    ("assess", "close", &["soc_analyst", "secops_manager"], &["incident.confirmed"]),
    (
        "execute",
        "validate",
        &["it_ops_lead", "soc_analyst", "secops_manager"],
        &["system.restored", "eradication.completed", "containment.achieved", "recovery.initiated", "risk.accepted"],
    ),
    ("execute", "close", &["soc_analyst", "secops_manager"], &["incident.confirmed"]),
    (
        "validate",
        "execute",
        &["it_ops_lead", "soc_analyst", "secops_manager"],
        &["validation.performed", "validation.signed-off", "containment.lost"],
    ),
    ("validate", "close", &["secops_manager"], &["validation.signed-off", "incident.recovered", "incident.resolved"]),
    ("close", "assess", &["soc_analyst", "secops_manager"], &["incident.reopened"]),
    ("close", "execute", &["it_ops_lead", "soc_analyst", "secops_manager"], &["incident.reopened", "containment.lost"]),
    ("close", "improve", &["secops_manager", "grc_lead"], &["review.held", "incident.closed", "report.published"]),
    ("improve", "assess", &["soc_analyst", "secops_manager"], &["incident.reopened"]),
    (
        "improve",
        "execute",
        &["it_ops_lead", "soc_analyst", "secops_manager"],
        &["incident.reopened", "containment.lost"],
    ),
    (
        "improve",
        "close",
        &["secops_manager", "grc_lead"],
        &[
            "action.completed",
            "action.verified",
            "playbook.published",
            "risk.accepted",
            "lesson.recorded",
            "review.held",
        ],
    ),
];

/// Every gate that a manager could override.
pub(crate) const ALL_GATES: [&str; 29] = [
    "telemetry",
    "acknowledged",
    "intel",
    "severity",
    "confirmed",
    "dismissed",
    "playbook",
    "tools",
    "containment",
    "eradication",
    "validation",
    "sign-off",
    "record.severity",
    "record.verdict",
    "record.class",
    "record.occurrence",
    "record.detection",
    "record.root-cause",
    "record.steps",
    "report",
    "clocks",
    "evidence",
    "tasks",
    "closed",
    "review",
    "feedback",
    "lessons",
    "setback",
    "reopened",
];

fn phase(name: &str) -> Phase {
    Phase::from_name(name).unwrap()
}

/// An incident in which everything happened once, of which a phase could be entered.
fn all_happened(from: Phase) -> Log {
    let mut log = fresh_in(from);
    let mover = |event: &Event| {
        matches!(event, Event::PhaseEntered | Event::IncidentMerged | Event::IncidentSplit | Event::IncidentOpened)
    };
    let unlinked = |event: &Event| *event == Event::AlertUnlinked;
    for event in Event::ALL.iter().filter(|event| !mover(event) && !unlinked(event)) {
        let rule = event.rule();
        let said = match rule.subject {
            Some("incident") | None => say("person/mia", event.name(), INC),
            Some("alert") => say("person/ana", event.name(), "alert/1"),
            Some(kind) if rule.about == About::OneOrMore("incident") => {
                say("person/mia", event.name(), &format!("{kind}/L1"))
            }
            Some("playbook") => say("person/mia", event.name(), "playbook/P1").about(&["lesson/L1"]),
            Some(_) => continue,
        };
        log.forces(&said);
    }
    log
}

#[test]
fn every_pair_is_a_way_or_is_none() {
    let mut ways = 0;
    for from in Phase::ALL {
        let mut log = all_happened(from);
        for to in Phase::ALL {
            let way = WAYS.iter().find(|(a, b, ..)| (*a, *b) == (from.name(), to.name()));
            let trigger = way.map_or("incident.opened", |(.., triggers)| triggers[0]);
            let said = overriding(enter(&log, from, to, trigger), &ALL_GATES);
            let answer = log.would(&said);
            match way {
                Some(_) => assert_eq!(answer, Ok(()), "{from} to {to}"),
                None => assert_eq!(answer.unwrap_err().codes(), ["transition"], "{from} to {to}"),
            }
            ways += usize::from(way.is_some());
        }
    }
    assert_eq!(ways, WAYS.len());
}

#[test]
fn from_is_where_the_incident_is() {
    for at in Phase::ALL {
        let mut log = ready_in(at);
        for from in Phase::ALL.into_iter().filter(|from| *from != at) {
            for to in Phase::ALL {
                let said = overriding(enter(&log, from, to, "incident.opened"), &ALL_GATES);
                assert_eq!(log.refuses(said), ["from"], "in {at}, from {from} to {to}");
            }
        }
    }
}

#[test]
fn a_way_is_for_its_roles_alone() {
    for (from, to, roles, triggers) in WAYS {
        let mut log = all_happened(phase(from));
        for (actor, role) in CAST.into_iter().filter_map(|(actor, role)| Some((actor, role?))) {
            if role == Role::Service {
                continue;
            }
            let said = enter(&log, phase(from), phase(to), triggers[0]).by(actor);
            let answer = log.would(&said);
            if roles.contains(&role.name()) {
                assert!(!matches!(answer, Err(Refused::Role(_))), "{from} to {to} by {actor}: {answer:?}");
            } else {
                let wanted = roles.iter().map(|role| (*role).to_owned()).collect();
                assert_eq!(answer, Err(Refused::Role(wanted)), "{from} to {to} by {actor}");
            }
        }
        let service = enter(&log, phase(from), phase(to), triggers[0]).by("service/siem");
        assert_eq!(log.would(&service), Err(Refused::Role(vec!["person".to_owned()])), "a machine moves no incident");
    }
}

#[test]
fn a_way_has_its_triggers_and_no_others() {
    for (from, to, _, triggers) in WAYS {
        let mut log = all_happened(phase(from));
        let mut tried = 0;
        let happened: Vec<&Event> = Event::ALL.iter().filter(|event| log.has(event.name())).collect();
        for event in happened {
            let said = overriding(enter(&log, phase(from), phase(to), event.name()), &ALL_GATES);
            let answer = log.would(&said);
            if triggers.contains(&event.name()) {
                assert_eq!(answer, Ok(()), "{from} to {to}, triggered by {event:?}");
                tried += 1;
            } else {
                assert_eq!(answer.unwrap_err().codes(), ["trigger"], "{from} to {to}, triggered by {event:?}");
            }
        }
        assert_eq!(tried, triggers.len(), "{from} to {to}");
    }
}

#[test]
fn what_a_transition_names_is_of_its_incident() {
    for at in Phase::ALL {
        let mut log = ready_in(at);
        let on = go_on(&log, at);
        assert_eq!(log.would(&on), Ok(()));
        let here = log.newest(leads_on(at));
        log.say(opened("incident/OTHER"));
        let elsewhere = log.say(say("person/ana", "incident.acknowledged", "incident/OTHER"));
        for name in ["inputs", "outputs"] {
            assert_eq!(log.would(&on.clone().fact(name, list(&[here]))), Ok(()));
            assert_eq!(log.refuses(on.clone().fact(name, list(&[here, elsewhere]))), [name]);
            assert_eq!(log.refuses(on.clone().fact(name, list(&[nobodys()]))), [name]);
        }
        assert_eq!(log.refuses(on.clone().fact("trigger", nobodys())), ["trigger"]);
        assert_eq!(log.refuses(on.fact("trigger", elsewhere.to_string())), ["trigger"], "of another incident");
    }
}

#[test]
fn an_alert_and_a_lesson_of_the_incident_can_be_named() {
    let mut log = ready_in(Phase::Initiate);
    let triaged = log.say(say("person/ana", "alert.triaged", "alert/A1"));
    let other = log.say(say("person/ana", "alert.triaged", "alert/A2"));
    let on = go_on(&log, Phase::Initiate);
    assert_eq!(log.refuses(on.clone().fact("trigger", other.to_string())), ["trigger"], "an alert of another incident");
    log.say(on.fact("trigger", triaged.to_string()));
    let mut log = fresh_in(Phase::Improve);
    log.work(Phase::Improve);
    let published = log.say(say("person/mia", "playbook.published", "playbook/P1").about(&["lesson/L1"]));
    let on = go_on(&log, Phase::Improve).fact("trigger", published.to_string());
    assert_eq!(log.would(&on), Ok(()));
}

#[test]
fn an_incident_that_was_never_opened_is_in_no_phase() {
    let mut log = Log::new();
    let trigger = log.say(say("person/ana", "incident.acknowledged", INC)).to_string();
    let said = say("person/mia", "phase.entered", INC).fact("to", "assess").fact("trigger", trigger);
    assert_eq!(log.refuses(overriding(said, &ALL_GATES)), ["opened"]);
    let closed = say("person/mia", "incident.closed", INC);
    assert_eq!(log.refuses(closed)[0], "phase");
    log.say(opened(INC));
    assert_eq!(log.refuses(opened(INC)), ["new"], "nor is it opened twice");
}

#[test]
fn the_whole_lifecycle_is_gone_through() {
    let mut log = ready_in(Phase::Improve);
    let on = go_on(&log, Phase::Improve);
    log.say(on);
    let incident = log.incident(INC);
    let went: Vec<&str> = incident.phases.iter().map(|entered| entered.phase.name()).collect();
    assert_eq!(went, ["assess", "execute", "validate", "close", "improve", "close"]);
    assert_eq!((incident.status(), next(Phase::Improve)), ("improved", Phase::Close));
    assert!(incident.phases.iter().all(|entered| entered.overridden.is_empty()));
}
