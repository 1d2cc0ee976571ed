//! Initiate and Assess: two alerts and a call before dawn; is it real, and how bad?

use anyhow::Result;

use super::{INCIDENT, transition, words};
use crate::commands::demo::lines::{Transition, id, list, none};
use crate::commands::demo::stage::Stage;
use crate::session::Words;

const DUPLICATE: &str = "incident/INC-2025-0726";

fn alert(n: &str, at: &str, severity: i64, title: &str) -> Words {
    Words::now("alert.received", id(&format!("alert/{n}")))
        .fact("source", "source/edr")
        .fact("severity", severity)
        .fact("severity_source", "edr:high")
        .fact("techniques", list(["T1078", "T1021.001"]))
        .fact("observed_at", at)
        .fact("received_at", at)
        .fact("assets", list(["asset/fs-parks-02"]))
        .data("title", title)
        .data("host", "fs-parks-02")
}

pub(super) fn initiate(stage: &mut Stage<'_>) -> Result<()> {
    stage.narrate("Initiate: alerts before dawn. Two analysts open the same incident; the manager merges them.");
    let at = "2025-07-25T04:41:00-05:00";
    stage.say("edr", "alert", at, alert("A-1", at, 3, "Remote desktop session with a service account"))?;
    let at = "2025-07-25T04:58:00-05:00";
    stage.say("edr", "alert2", at, alert("A-2", at, 4, "Many files renamed in a short time"))?;
    let triaged = Words::now("alert.triaged", id("alert/A-2"))
        .fact("disposition", "investigate")
        .fact("criteria_version", "2025.2")
        .data("reason", "Two alerts on one file server within twenty minutes, nobody is on shift there.");
    stage.say("analyst", "triaged", "2025-07-25T05:06:00-05:00", triaged)?;
    let opened = words("incident.opened")
        .about(id("alert/A-2"))
        .fact("lead", stage.actor("analyst").as_str())
        .fact("category", "malware")
        .fact("tlp", "amber")
        .data("title", "Possible ransomware on a file server of Parks and Recreation")
        .data("summary", "A service account logged in at night, then files were renamed in bulk.");
    stage.say("analyst", "opened", "2025-07-25T05:12:00-05:00", opened)?;
    let linked =
        words("alert.linked").about(id("alert/A-1")).fact("alert", "alert/A-1").fact("correlation", "same-host");
    stage.say("analyst", "linked", "2025-07-25T05:14:00-05:00", linked)?;
    stage.say("analyst", "acknowledged", "2025-07-25T05:15:00-05:00", words("incident.acknowledged"))?;
    merge_duplicate(stage)?;
    let entered = Transition {
        inputs: &["alert", "alert2", "report"],
        outputs: &["opened"],
        ..transition("initiate", "assess", "acknowledged", "Acknowledged, telemetry at hand.")
    };
    stage.say("analyst", "assess", "2025-07-25T05:24:00-05:00", entered.words(stage))
}

fn merge_duplicate(stage: &mut Stage<'_>) -> Result<()> {
    let report = Words::now("report.received", id("alert/R-1"))
        .fact("channel", "phone")
        .fact("discovered_at", "2025-07-25T05:10:00-05:00")
        .data("reporter", "A ranger of Parks and Recreation")
        .data("description", "The booking files will not open, and every folder has a new text file.");
    stage.say("analyst2", "report", "2025-07-25T05:16:00-05:00", report)?;
    let opened = Words::now("incident.opened", id(DUPLICATE))
        .about(id("alert/R-1"))
        .fact("lead", stage.actor("analyst2").as_str())
        .fact("category", "malware")
        .fact("tlp", "amber")
        .data("title", "Files of Parks and Recreation can't be opened");
    stage.say("analyst2", "duplicate", "2025-07-25T05:18:00-05:00", opened)?;
    let linked = words("alert.linked")
        .about(id("alert/R-1"))
        .fact("alert", "alert/R-1")
        .data("reason", "The same server, the same hour.");
    stage.say("analyst", "linked", "2025-07-25T05:20:00-05:00", linked)?;
    let merged = Words::now("incident.merged", id(DUPLICATE))
        .about(id(INCIDENT))
        .fact("into", INCIDENT)
        .data("reason", "One attack, seen from two sides.");
    stage.say("manager", "merged", "2025-07-25T05:22:00-05:00", merged)
}

pub(super) fn assess(stage: &mut Stage<'_>) -> Result<()> {
    stage.narrate(
        "Assess: confirmed, and nobody may act before it is scored. The manager breaks the glass, with a reason.",
    );
    let technique = |code: &str, tactic: &str, confidence: i64, basis: &str| {
        words("technique.attributed")
            .fact("technique", code)
            .fact("tactic", tactic)
            .fact("confidence", confidence)
            .data("basis", basis)
    };
    let impact =
        technique("T1486", "TA0040", 80, "Renamed files carry one new extension, and a note lies beside them.");
    stage.say("analyst", "technique", "2025-07-25T05:26:00-05:00", impact)?;
    let access = technique("T1078", "TA0001", 60, "A valid service account, from an address abroad.");
    stage.say("analyst", "technique", "2025-07-25T05:27:00-05:00", access)?;
    let observable = words("observable.added")
        .fact("observable", "observable/O-1")
        .fact("type", "ipv4-addr")
        .fact("tlp", "amber")
        .fact("ioc", true)
        .data("value", "203.0.113.77")
        .data("context", "Where the service account logged in from.");
    stage.say("analyst", "observable", "2025-07-25T05:28:00-05:00", observable)?;
    let confirmed = words("incident.confirmed")
        .fact("verdict", "true-positive")
        .fact("criteria_version", "2025.2")
        .fact("criteria", list(["encryption-seen", "note-found"]))
        .data("reason", "Encrypted files and a ransom note, seen by two people.");
    stage.say("analyst", "confirmed", "2025-07-25T05:30:00-05:00", confirmed)?;
    let execute = transition("assess", "execute", "confirmed", "It is spreading: isolate now.");
    stage.refuses("analyst", "2025-07-25T05:31:00-05:00", execute.words(stage), &["intel", "severity"])?;
    let severity = words("severity.assessed")
        .fact("scale", "city-1-4")
        .fact("scale_version", "3")
        .fact("level", 3)
        .fact("impact", 4)
        .fact("scope", 2)
        .fact("urgency", 4)
        .fact("intel", none())
        .data("reason", "One department so far; but the account reaches every one.");
    stage.say("analyst", "severity", "2025-07-25T05:33:00-05:00", severity)?;
    let escalated = words("escalated")
        .fact("from", "soc_analyst")
        .fact("to", "secops_manager")
        .fact("path_version", "7")
        .fact("kind", "escalation")
        .data("reason", "Level 3, and the playbook wants threat intelligence that nobody has at this hour.");
    stage.say("analyst", "escalated", "2025-07-25T05:34:00-05:00", escalated)?;
    let review = words("review.recorded")
        .fact("of", stage.jti("confirmed"))
        .fact("outcome", "agree")
        .data("comment", "I looked at the same samples.");
    stage.say("manager", "review", "2025-07-25T05:37:00-05:00", review)?;
    let reason = "Files are being encrypted now; the state's fusion centre answers at seven.";
    let overriding = Transition {
        inputs: &["confirmed", "technique"],
        outputs: &["severity"],
        overrides: &["intel"],
        ..transition("assess", "execute", "confirmed", reason)
    };
    stage.say("manager", "override", "2025-07-25T05:38:00-05:00", overriding.words(stage))
}
