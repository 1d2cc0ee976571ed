//! An incident from its opening to its rest, as the tests tell it: what meets each gate, and who says so.

use blotter_process::Phase;
use blotter_record::{Json, Jti};

use crate::log::{INC, Log, NOBODYS, Say, list, say};

pub(crate) const ASSET: &str = "asset/a1";
pub(crate) const LESSON: &str = "lesson/L1";
pub(crate) const ACTION: &str = "action/X1";

impl Log {
    /// The newest statement of that event.
    pub(crate) fn newest(&self, event: &str) -> Jti {
        let mut said = self.record.entries.iter().rev().filter_map(|entry| entry.statement.as_ref());
        said.find(|said| said.event.as_str() == event).unwrap_or_else(|| panic!("no {event}")).jti
    }

    /// Takes the newest statement of that event back.
    pub(crate) fn retract(&mut self, event: &str) {
        let of = self.newest(event);
        self.say(say("person/mia", "retraction.recorded", INC).fact("of", of.to_string()));
    }

    /// Says all that meets the gates of a phase, and what triggers the next one.
    pub(crate) fn work(&mut self, phase: Phase) {
        for (_, said) in deeds(phase) {
            let said = said(self);
            self.say(said);
        }
    }
}

type Deed = (&'static str, fn(&Log) -> Say);

/// What meets each gate of a phase, in the order in which the gates are named; no code where it only leads on.
pub(crate) fn deeds(phase: Phase) -> Vec<Deed> {
    match phase {
        Phase::Initiate => vec![
            ("telemetry", |_| say("person/ana", "alert.linked", INC).fact("alert", "alert/A1")),
            ("acknowledged", |_| say("person/ana", "incident.acknowledged", INC)),
        ],
        Phase::Assess => vec![
            ("intel", |_| say("service/siem", "intel.attached", INC)),
            ("severity", |_| say("person/ana", "severity.assessed", INC).fact("level", 3)),
            ("confirmed", |_| say("person/ana", "incident.confirmed", INC).fact("verdict", "true-positive")),
        ],
        Phase::Execute => vec![
            ("playbook", |_| say("person/ana", "playbook.started", INC)),
            ("tools", |_| say("person/ira", "containment.started", INC)),
            ("containment", |_| say("person/ira", "containment.achieved", INC).fact("assets", list(&[ASSET]))),
            ("eradication", |_| say("person/ira", "eradication.completed", INC).fact("assets", list(&[ASSET]))),
            ("", |_| say("person/ira", "system.restored", INC).fact("asset", ASSET)),
        ],
        Phase::Validate => vec![
            ("validation", |_| validated("pass")),
            ("sign-off", |_| say("person/mia", "validation.signed-off", INC).fact("outcome", "accepted")),
        ],
        Phase::Close => vec![
            ("record.class", |_| say("person/ana", "incident.classified", INC)),
            ("record.occurrence", |_| say("person/ana", "occurrence.asserted", INC)),
            ("record.detection", |_| say("person/ana", "detection.asserted", INC)),
            ("record.root-cause", |_| say("person/ana", "root-cause.identified", INC)),
            ("report", |_| say("person/gus", "report.published", INC)),
            ("closed", closed),
        ],
        Phase::Improve => vec![
            ("review", |_| say("person/mia", "review.held", INC)),
            ("feedback", |_| say("person/ana", "feedback.recorded", LESSON)),
            ("lessons", |_| say("person/mia", "lesson.recorded", LESSON).fact("none_found", Json::Bool(false))),
            ("", |_| say("person/mia", "action.opened", LESSON).fact("action", ACTION)),
            ("lessons.led", |_| say("person/ira", "action.completed", LESSON).fact("action", ACTION)),
        ],
    }
}

pub(crate) fn validated(result: &str) -> Say {
    say("person/ana", "validation.performed", INC).fact("asset", ASSET).fact("result", result)
}

pub(crate) fn opened(id: &str) -> Say {
    say("person/ana", "incident.opened", id)
}

/// The manager closes it, naming the newest report.
pub(crate) fn closed(log: &Log) -> Say {
    say("person/mia", "incident.closed", INC).fact("report", log.newest("report.published").to_string())
}

/// The manager enters a phase; `trigger` names an event of which there is a statement.
pub(crate) fn enter(log: &Log, from: Phase, to: Phase, trigger: &str) -> Say {
    say("person/mia", "phase.entered", INC)
        .fact("from", from.name())
        .fact("to", to.name())
        .fact("trigger", log.newest(trigger).to_string())
}

/// The manager enters a phase all the same.
pub(crate) fn overriding(said: Say, unmet: &[&str]) -> Say {
    said.fact("override", Json::Bool(true)).fact("unmet", list(unmet)).data("reason")
}

/// The event that leads on from a phase.
pub(crate) fn leads_on(phase: Phase) -> &'static str {
    match phase {
        Phase::Initiate => "incident.acknowledged",
        Phase::Assess => "incident.confirmed",
        Phase::Execute => "system.restored",
        Phase::Validate => "validation.signed-off",
        Phase::Close => "incident.closed",
        Phase::Improve => "action.completed",
    }
}

/// The phase behind it.
pub(crate) fn next(phase: Phase) -> Phase {
    match phase {
        Phase::Initiate => Phase::Assess,
        Phase::Assess => Phase::Execute,
        Phase::Execute => Phase::Validate,
        Phase::Validate => Phase::Close,
        Phase::Close => Phase::Improve,
        Phase::Improve => Phase::Close,
    }
}

/// The statement that goes on from a phase.
pub(crate) fn go_on(log: &Log, phase: Phase) -> Say {
    enter(log, phase, next(phase), leads_on(phase))
}

/// An incident that just came into a phase, with nothing of it done.
pub(crate) fn fresh_in(phase: Phase) -> Log {
    let mut log = Log::new();
    log.say(opened(INC));
    let before = Phase::ALL.into_iter().take_while(|earlier| *earlier != phase);
    for earlier in before {
        log.work(earlier);
        let on = go_on(&log, earlier);
        log.say(on);
    }
    assert_eq!(log.incident(INC).current_phase(), Some(phase));
    log
}

/// An incident that can go on from a phase.
pub(crate) fn ready_in(phase: Phase) -> Log {
    let mut log = fresh_in(phase);
    log.work(phase);
    log
}

/// An id of which there is no statement.
pub(crate) fn nobodys() -> String {
    NOBODYS.to_owned()
}
