//! Improve: three lessons, each of which leads somewhere: a playbook version, a training, an accepted risk.

use anyhow::Result;
use blotter_record::Json;

use super::{INCIDENT, transition, words};
use crate::commands::demo::lines::{Transition, id, list, sha256};
use crate::commands::demo::stage::Stage;
use crate::session::Words;

/// The playbook as the first lesson changed it, a CACAO document.
const PLAYBOOK: &str = include_str!("../ransomware-4.json");

fn lesson(event: &str, name: &str) -> Words {
    Words::now(event, id(name)).about(id(INCIDENT))
}

pub(super) fn learn(stage: &mut Stage<'_>) -> Result<()> {
    stage.narrate("Improve: three lessons, and none of them may lead nowhere.");
    let attendees = ["manager", "analyst", "analyst2", "itops", "ciso"].map(|who| stage.actor(who).as_str().into());
    let held = words("review.held")
        .fact("held_at", "2025-09-04T10:00:00-05:00")
        .fact("attendees", Json::List(attendees.into()))
        .data("minutes", "Two days passed between the first isolation and the shutdown.");
    stage.say("manager", "held", "2025-09-04T12:00:00-05:00", held)?;
    for (name, cause, text) in [
        ("lesson/L-1", "stolen-credentials", "The order to shut down must not wait for a Monday."),
        ("lesson/L-2", "stolen-credentials", "Who answers the phone at night must know what a ransom note looks like."),
        ("lesson/L-3", "legacy-system", "The parking controllers can't have a second factor before they are replaced."),
    ] {
        let recorded = lesson("lesson.recorded", name)
            .fact("lesson", name)
            .fact("cause", cause)
            .fact("none_found", false)
            .data("text", text);
        stage.say("manager", "lesson", "2025-09-04T12:30:00-05:00", recorded)?;
    }
    let action = |name: &str, of: &str, kind: &str, owner: &str, due: &str| {
        lesson("action.opened", of)
            .fact("action", name)
            .fact("lesson", of)
            .fact("kind", kind)
            .fact("owner", owner)
            .fact("due", due)
    };
    let due = "2025-10-01T00:00:00-05:00";
    let rewrite = action("action/1", "lesson/L-1", "playbook", stage.actor("manager").as_str(), due)
        .data("text", "Put the right to shut down into the playbook, with a deputy for every hour.");
    stage.say("manager", "action", "2025-09-04T12:40:00-05:00", rewrite)?;
    let training = action("action/2", "lesson/L-2", "training", stage.actor("analyst2").as_str(), due)
        .fact("resource", "resource/cisa-ransomware-101")
        .data("text", "The night desk of every department takes the free course of CISA.");
    stage.say("manager", "action", "2025-09-04T12:45:00-05:00", training)?;
    let feedback = lesson("feedback.recorded", "lesson/L-1")
        .fact("score", 4)
        .data("text", "The order of restoration was clear; who may shut down was not.");
    stage.say("itops", "feedback", "2025-09-05T09:00:00-05:00", feedback)
}

pub(super) fn rest(stage: &mut Stage<'_>) -> Result<()> {
    stage.narrate("Each lesson led somewhere: the incident is at rest.");
    let playbook = Words::now("playbook.published", id("playbook/ransomware"))
        .about(id("lesson/L-1"))
        .fact("playbook", "playbook/ransomware")
        .fact("version", "4")
        .fact("document_sha256", sha256(PLAYBOOK))
        .fact("replaces", "3")
        .fact("lessons", list(["lesson/L-1"]))
        .data("name", "Ransomware")
        .data("document", PLAYBOOK)
        .data("reason", "Shutdown by the CISO or the deputy on call, within the hour.");
    stage.say("manager", "playbook", "2025-09-24T15:00:00-05:00", playbook)?;
    for (who, of, action, note) in [
        ("manager", "lesson/L-1", "action/1", "Playbook version 4 is in force, and was exercised once."),
        ("analyst2", "lesson/L-2", "action/2", "Eleven of eleven night desks have taken it."),
    ] {
        let completed = lesson("action.completed", of).fact("action", action).data("note", note);
        stage.say(who, "completed", "2025-09-24T15:10:00-05:00", completed)?;
    }
    let accepted = words("risk.accepted")
        .fact("risk", "no-second-factor:parking-controllers")
        .fact("expires", "2027-06-30T00:00:00-05:00")
        .fact("lesson", "lesson/L-3")
        .data("reason", "Replaced with next year's budget; until then on a network of their own.");
    stage.say("ciso", "accepted-risk", "2025-09-25T10:00:00-05:00", accepted)?;
    let exercised = Words::now("exercise.completed", id("policy/exercises"))
        .fact("exercise", "exercise/X-1")
        .fact("held_at", "2025-09-26T13:00:00-05:00")
        .data("scenario", "A second department encrypts on a Sunday night.")
        .data("findings", "The deputy shut down after 38 minutes.");
    stage.say("manager", "exercised", "2025-09-26T16:00:00-05:00", exercised)?;
    let verified = lesson("action.verified", "lesson/L-1")
        .fact("action", "action/1")
        .fact("effective", true)
        .data("note", "In the exercise the deputy shut down within the hour.");
    stage.say("grc", "effective", "2025-09-26T16:30:00-05:00", verified)?;
    let entered = Transition {
        inputs: &["feedback", "held"],
        outputs: &["playbook", "completed", "accepted-risk"],
        ..transition("improve", "close", "effective", "Every lesson led somewhere.")
    };
    stage.say("manager", "rest", "2025-09-26T17:00:00-05:00", entered.words(stage))
}
