//! What is on the table on the last day: a noisy source, its false positives dismissed with a reason; and one incident
//! that is still being assessed.

use anyhow::Result;

use super::lines::{Transition, id, list, none};
use super::stage::Stage;
use crate::session::Words;

const INCIDENT: &str = "incident/INC-2025-1121";

pub(super) fn tell(stage: &mut Stage<'_>) -> Result<()> {
    dismiss(stage)?;
    assess(stage)
}

fn alert(name: &str, source: &str, at: &str, severity: i64, techniques: &[&str], title: &str) -> Words {
    Words::now("alert.received", id(name))
        .fact("source", source)
        .fact("severity", severity)
        .fact("severity_source", "house:1-4")
        .fact("techniques", blotter_record::Json::List(techniques.iter().map(|code| (*code).into()).collect()))
        .fact("observed_at", at)
        .fact("received_at", at)
        .data("title", title)
}

fn dismiss(stage: &mut Stage<'_>) -> Result<()> {
    stage.narrate("21 November: four alerts that are nothing, each dismissed with a reason; one waits.");
    for (name, at, title, verdict, reason) in [
        (
            "alert/A-10",
            "2025-11-21T08:02:00-06:00",
            "Many files read by one account",
            "benign",
            "The yearly archive run.",
        ),
        (
            "alert/A-11",
            "2025-11-21T08:40:00-06:00",
            "Card numbers in a mail",
            "false-positive",
            "Library card numbers.",
        ),
        ("alert/A-12", "2025-11-21T09:15:00-06:00", "Mail to a private address", "test", "The exercise of this week."),
        ("alert/A-13", "2025-11-21T09:58:00-06:00", "Card numbers in a mail", "duplicate", "A-11, sent again."),
    ] {
        stage.say("edr", "noise", at, alert(name, "source/dlp", at, 2, &[], title))?;
        let dismissed = Words::now("alert.dismissed", id(name)).fact("verdict", verdict).data("reason", reason);
        stage.say("analyst2", "dismissed", at, dismissed)?;
    }
    let repeated = Words::now("alert.aggregated", id("alert/A-11"))
        .fact("source", "source/dlp")
        .fact("count", 6)
        .fact("from", "2025-11-21T08:40:00-06:00")
        .fact("to", "2025-11-21T11:40:00-06:00");
    stage.say("edr", "aggregated", "2025-11-21T11:41:00-06:00", repeated)?;
    let at = "2025-11-21T13:05:00-06:00";
    let waiting = alert("alert/A-14", "source/edr", at, 3, &["T1059.001"], "An encoded script on a reception desk");
    stage.say("edr", "waiting", at, waiting)
}

fn assess(stage: &mut Stage<'_>) -> Result<()> {
    stage.narrate("And one incident is open: under assessment, confirmed by nobody yet.");
    let at = "2025-11-21T10:30:00-06:00";
    let suspicious = alert("alert/A-15", "source/edr", at, 3, &["T1110.003"], "Many logins fail, for many accounts");
    stage.say("edr", "alert", at, suspicious)?;
    let triaged = Words::now("alert.triaged", id("alert/A-15"))
        .fact("disposition", "investigate")
        .fact("criteria_version", "2025.2")
        .data("reason", "Forty accounts of three departments, one address.");
    stage.say("analyst2", "triaged", "2025-11-21T10:41:00-06:00", triaged)?;
    let opened = words("incident.opened")
        .about(id("alert/A-15"))
        .fact("lead", stage.actor("analyst2").as_str())
        .fact("category", "account-compromise")
        .fact("tlp", "amber")
        .data("title", "Password spraying against the remote access");
    stage.say("analyst2", "opened", "2025-11-21T10:45:00-06:00", opened)?;
    stage.say("analyst2", "acknowledged", "2025-11-21T10:45:00-06:00", words("incident.acknowledged"))?;
    let entered = Transition {
        incident: INCIDENT,
        from: "initiate",
        to: "assess",
        trigger: "acknowledged",
        inputs: &["alert"],
        outputs: &["opened"],
        overrides: &[],
        reason: "Somebody tries; did anybody get in?",
    };
    stage.say("analyst2", "assess", "2025-11-21T10:46:00-06:00", entered.words(stage))?;
    let severity = words("severity.assessed")
        .fact("scale", "city-1-4")
        .fact("scale_version", "3")
        .fact("level", 2)
        .fact("impact", 2)
        .fact("scope", 2)
        .fact("urgency", 2)
        .fact("intel", none())
        .data("reason", "Every login that failed had a second factor behind it.");
    stage.say("analyst2", "severity", "2025-11-21T11:00:00-06:00", severity)?;
    let scope = words("scope.assessed")
        .fact("assets", list(["asset/remote-access"]))
        .fact("services", none())
        .fact("grew", false)
        .fact("subjects_known", false);
    stage.say("analyst2", "scope", "2025-11-21T11:05:00-06:00", scope)?;
    let task = words("task.opened")
        .fact("task", "task/T-2")
        .fact("owner", stage.actor("analyst").as_str())
        .fact("due", "2025-11-22T06:00:00-06:00")
        .data("title", "Which of the forty logged in since, from anywhere new?");
    stage.say("analyst2", "task", "2025-11-21T11:10:00-06:00", task)
}

fn words(event: &str) -> Words {
    Words::now(event, id(INCIDENT))
}
