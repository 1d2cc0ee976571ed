//! The third incident repeats the first one's root cause: a stolen session, stopped within the hour, and linked to the
//! lesson that was to prevent it. Closed, and not yet reviewed. All of it is made up.

use anyhow::Result;

use super::lines::{Transition, id, list, none, sha256};
use super::{ransomware, stage::Stage};
use crate::session::Words;

const INCIDENT: &str = "incident/INC-2025-1112";

pub(super) fn tell(stage: &mut Stage<'_>) -> Result<()> {
    detect(stage)?;
    stop(stage)?;
    close(stage)
}

fn words(event: &str) -> Words {
    Words::now(event, id(INCIDENT))
}

const fn transition<'a>(from: &'a str, to: &'a str, trigger: &'a str, reason: &'a str) -> Transition<'a> {
    Transition { incident: INCIDENT, from, to, trigger, inputs: &[], outputs: &[], overrides: &[], reason }
}

fn detect(stage: &mut Stage<'_>) -> Result<()> {
    stage.narrate("November: it comes again, through a phished session. This time it takes fifty minutes.");
    let at = "2025-11-12T02:10:00-06:00";
    let alert = Words::now("alert.received", id("alert/A-3"))
        .fact("source", "source/edr")
        .fact("severity", 3)
        .fact("severity_source", "edr:high")
        .fact("techniques", list(["T1566.002", "T1539", "T1078"]))
        .fact("observed_at", at)
        .fact("received_at", at)
        .data("title", "A session continues on another continent")
        .data("user", "a clerk of Public Works");
    stage.say("edr", "alert", at, alert)?;
    let opened = words("incident.opened")
        .about(id("alert/A-3"))
        .fact("lead", stage.actor("analyst").as_str())
        .fact("category", "account-compromise")
        .fact("tlp", "amber")
        .data("title", "Stolen session of a clerk of Public Works");
    stage.say("analyst", "opened", "2025-11-12T02:16:00-06:00", opened)?;
    stage.say("analyst", "acknowledged", "2025-11-12T02:16:00-06:00", words("incident.acknowledged"))?;
    let entered = Transition {
        inputs: &["alert"],
        outputs: &["opened"],
        ..transition("initiate", "assess", "acknowledged", "One alert, and a clerk who is asleep.")
    };
    stage.say("analyst", "assess", "2025-11-12T02:17:00-06:00", entered.words(stage))?;
    let intel = words("intel.attached")
        .fact("kind", "indicator")
        .fact("tlp", "amber")
        .data("source", "This ledger, INC-2025-0725")
        .data("summary", "The same provider as in July, another address.");
    stage.say("analyst", "intel", "2025-11-12T02:22:00-06:00", intel)?;
    for (technique, tactic) in [("T1566.002", "TA0001"), ("T1539", "TA0006"), ("T1078", "TA0001")] {
        let attributed =
            words("technique.attributed").fact("technique", technique).fact("tactic", tactic).fact("confidence", 75);
        stage.say("analyst", "technique", "2025-11-12T02:24:00-06:00", attributed)?;
    }
    let severity = words("severity.assessed")
        .fact("scale", "city-1-4")
        .fact("scale_version", "3")
        .fact("level", 3)
        .fact("impact", 2)
        .fact("scope", 1)
        .fact("urgency", 4)
        .fact("intel", none())
        .data("reason", "One mailbox; but this is how July began.");
    stage.say("analyst", "severity", "2025-11-12T02:25:00-06:00", severity)?;
    let confirmed = words("incident.confirmed")
        .fact("verdict", "true-positive")
        .fact("criteria_version", "2025.2")
        .fact("criteria", list(["impossible-travel", "mail-rule-added"]));
    stage.say("analyst", "confirmed", "2025-11-12T02:26:00-06:00", confirmed)?;
    let entered = Transition {
        inputs: &["intel", "alert"],
        outputs: &["severity"],
        ..transition("assess", "execute", "confirmed", "End the session now.")
    };
    stage.say("analyst", "execute", "2025-11-12T02:27:00-06:00", entered.words(stage))
}

fn stop(stage: &mut Stage<'_>) -> Result<()> {
    let run = words("playbook.started")
        .fact("playbook", "playbook/account-takeover")
        .fact("version", "2")
        .fact("document_sha256", sha256("Account takeover: end sessions, reset, look for rules and grants."));
    stage.say("analyst", "run", "2025-11-12T02:28:00-06:00", run)?;
    let mailbox = || list(["asset/mailbox-pw-clerk"]);
    let started = words("containment.started").fact("assets", mailbox()).fact("run", stage.jti("run"));
    stage.say("analyst", "containing", "2025-11-12T02:29:00-06:00", started)?;
    let achieved = words("containment.achieved").fact("assets", mailbox()).data("detail", "All sessions ended.");
    stage.say("itops", "contained", "2025-11-12T02:41:00-06:00", achieved)?;
    let done = words("eradication.completed").fact("assets", mailbox()).data("detail", "Mail rule and grant removed.");
    stage.say("itops", "eradicated", "2025-11-12T02:55:00-06:00", done)?;
    let entered = Transition {
        inputs: &["run"],
        outputs: &["contained", "eradicated"],
        ..transition("execute", "validate", "eradicated", "Fifty minutes after the alert.")
    };
    stage.say("analyst", "validate", "2025-11-12T03:00:00-06:00", entered.words(stage))?;
    let passed = words("validation.performed")
        .fact("asset", "asset/mailbox-pw-clerk")
        .fact("ioc_scan", true)
        .fact("function_test", true)
        .fact("result", "pass");
    stage.say("analyst2", "passed", "2025-11-12T09:00:00-06:00", passed)?;
    let signed_off = words("validation.signed-off").fact("services", none()).fact("outcome", "accepted");
    stage.say("manager", "signed-off", "2025-11-12T09:30:00-06:00", signed_off)?;
    let entered = Transition {
        inputs: &["passed"],
        outputs: &["signed-off"],
        ..transition("validate", "close", "signed-off", "Checked by the day shift.")
    };
    stage.say("manager", "close", "2025-11-12T09:35:00-06:00", entered.words(stage))
}

fn close(stage: &mut Stage<'_>) -> Result<()> {
    let cause = words("root-cause.identified")
        .fact("cause", "stolen-credentials")
        .fact("confidence", 90)
        .fact("techniques", list(["T1566.002", "T1539", "T1078"]))
        .data("narrative", "A second factor protects the login, and not the session that follows it.");
    stage.say("analyst2", "cause", "2025-11-12T13:00:00-06:00", cause)?;
    let linked = Words::now("recurrence.linked", id("lesson/L-1"))
        .about(id(INCIDENT))
        .fact("incident", ransomware::INCIDENT)
        .fact("lesson", "lesson/L-1")
        .data("reason", "Stolen credentials again, T1078 again; what changed since July made it small.");
    stage.say("analyst2", "recurrence", "2025-11-12T13:30:00-06:00", linked)?;
    let class = words("incident.classified")
        .fact("scheme", "rsit")
        .fact("class", "intrusions:privileged-account-compromise")
        .fact("criteria", none());
    stage.say("analyst2", "class", "2025-11-12T14:00:00-06:00", class)?;
    let occurred = words("occurrence.asserted")
        .fact("at", "2025-11-11T17:40:00-06:00")
        .fact("precision", "minute")
        .fact("confidence", 90);
    stage.say("analyst2", "occurred", "2025-11-12T14:05:00-06:00", occurred)?;
    let detected = words("detection.asserted").fact("at", "2025-11-12T02:10:00-06:00").fact("alert", "alert/A-3");
    stage.say("analyst2", "detected", "2025-11-12T14:06:00-06:00", detected)?;
    let report = words("report.published")
        .fact("report", "report/R-3")
        .fact("kind", "incident-report")
        .fact("as_of_seq", i64::try_from(stage.last_seq())?)
        .data("summary", "A recurrence, stopped early, and what stopped it.")
        .data("document_sha256", sha256("report 3"));
    stage.say("manager", "report", "2025-11-13T10:00:00-06:00", report)?;
    let closed = words("incident.closed").fact("resolution", "stopped").fact("report", stage.jti("report"));
    stage.say("manager", "closed", "2025-11-13T10:10:00-06:00", closed)
}
