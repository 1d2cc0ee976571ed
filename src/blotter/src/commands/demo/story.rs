//! The story of the demo: what happened, when, and who said so. The order of events follows public reports on the attack
//! on the City of Saint Paul, Minnesota, in July and August 2025 (first signs on Friday 25 July; systems taken offline on
//! Monday 28 July; emergency declared and National Guard called in on 29 July; no ransom paid; in August passwords of all
//! staff reset in person, part of a file share published by the attackers, services back step by step). Everybody and
//! every machine in it is made up.

use anyhow::Result;
use blotter_record::{Hash, Id, Json};

use super::Stage;
use crate::session::Words;

const INCIDENT: &str = "incident/INC-2025-0725";

fn id(text: &str) -> Id {
    text.parse().expect("the story's ids are well-formed")
}

fn words(event: &str) -> Words {
    Words::now(event, id(INCIDENT))
}

fn list<const N: usize>(items: [&str; N]) -> Json {
    Json::List(items.into_iter().map(Json::from).collect())
}

fn jtis<const N: usize>(items: [String; N]) -> Json {
    Json::List(items.into_iter().map(Json::from).collect())
}

fn sha256(text: &str) -> String {
    Hash::of(text.as_bytes()).to_hex()
}

fn phase(stage: &Stage<'_>, from: &str, to: &str, trigger: &str, reason: &str) -> Words {
    words("phase.entered")
        .fact("from", from)
        .fact("to", to)
        .fact("trigger", stage.jti(trigger))
        .fact("inputs", Json::List(Vec::new()))
        .fact("outputs", Json::List(Vec::new()))
        .fact("override", false)
        .fact("unmet", Json::List(Vec::new()))
        .data("reason", reason)
}

pub(super) fn tell(stage: &mut Stage<'_>) -> Result<()> {
    initiate(stage)?;
    assess(stage)?;
    execute(stage)?;
    notify(stage)?;
    shut_down(stage)?;
    recover(stage)?;
    validate(stage)?;
    close(stage)?;
    improve(stage)
}

fn initiate(stage: &mut Stage<'_>) -> Result<()> {
    stage.narrate("Initiate: an alert before dawn.");
    let source = Words::now("source.registered", id("source/edr"))
        .fact("source", "source/edr")
        .fact("kind", "edr")
        .fact("heartbeat_max", "PT15M")
        .data("name", "Endpoint detection, all city departments");
    stage.say("manager", "source", "2025-07-01T09:00:00-05:00", source)?;
    let alert = |n: &str, at: &str, severity: i64, title: &str, host: &str| {
        Words::now("alert.received", id(&format!("alert/{n}")))
            .fact("source", "source/edr")
            .fact("severity", severity)
            .fact("severity_source", "edr:high")
            .fact("techniques", list(["T1078", "T1021.001"]))
            .fact("observed_at", at)
            .fact("received_at", at)
            .data("title", title)
            .data("host", host)
    };
    let at = "2025-07-25T04:41:00-05:00";
    stage.say(
        "edr",
        "alert",
        at,
        alert("A-1", at, 3, "Remote desktop session with a service account", "fs-parks-02"),
    )?;
    let at = "2025-07-25T04:58:00-05:00";
    stage.say("edr", "alert2", at, alert("A-2", at, 4, "Many files renamed in a short time", "fs-parks-02"))?;
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
    stage.say("analyst", "acknowledged", "2025-07-25T05:15:00-05:00", words("incident.acknowledged"))
}

fn assess(stage: &mut Stage<'_>) -> Result<()> {
    stage.narrate("Assess: is it real, and how bad?");
    let entered = phase(stage, "initiate", "assess", "acknowledged", "Acknowledged, telemetry at hand.");
    stage.say("analyst", "assess", "2025-07-25T05:16:00-05:00", entered)?;
    let intel = words("intel.attached")
        .fact("kind", "campaign")
        .fact("tlp", "amber")
        .data("source", "A joint advisory of federal agencies, July 2025")
        .data("summary", "A group that steals files first and encrypts afterwards is hitting public bodies.");
    stage.say("analyst", "intel", "2025-07-25T05:40:00-05:00", intel)?;
    let technique = words("technique.attributed")
        .fact("technique", "T1486")
        .fact("tactic", "TA0040")
        .fact("confidence", 80)
        .data("basis", "Renamed files carry one new extension, and a note lies beside them.");
    stage.say("analyst", "technique", "2025-07-25T05:47:00-05:00", technique)?;
    let severity = words("severity.assessed")
        .fact("scale", "city-1-4")
        .fact("scale_version", "3")
        .fact("level", 4)
        .fact("impact", 4)
        .fact("scope", 3)
        .fact("urgency", 4)
        .fact("intel", jtis([stage.jti("intel")]))
        .data("reason", "Shared identity system; every department may be reached from here.");
    stage.say("analyst", "severity", "2025-07-25T05:55:00-05:00", severity)?;
    let confirmed = words("incident.confirmed")
        .fact("verdict", "true-positive")
        .fact("criteria_version", "2025.2")
        .fact("criteria", list(["encryption-seen", "note-found"]))
        .data("reason", "Encrypted files and a ransom note, seen by two people.");
    stage.say("analyst", "confirmed", "2025-07-25T06:02:00-05:00", confirmed)?;
    let review = words("review.recorded")
        .fact("of", stage.jti("confirmed"))
        .fact("outcome", "agree")
        .data("comment", "I looked at the same samples.");
    stage.say("manager", "review", "2025-07-25T06:10:00-05:00", review)?;
    let escalated = words("escalated")
        .fact("from", "soc_analyst")
        .fact("to", "ciso")
        .fact("path_version", "7")
        .fact("kind", "escalation")
        .data("reason", "Level 4: the CISO decides on shutting systems down.");
    stage.say("analyst", "escalated", "2025-07-25T06:12:00-05:00", escalated)
}

fn execute(stage: &mut Stage<'_>) -> Result<()> {
    stage.narrate("Execute: contain it, at a price.");
    let entered = phase(stage, "assess", "execute", "confirmed", "Confirmed, level 4.");
    stage.say("manager", "execute", "2025-07-25T06:20:00-05:00", entered)?;
    let isolate = words("action.authorised")
        .fact("action", "isolate-hosts")
        .fact("disruptive", false)
        .fact("assets", list(["asset/fs-parks-02"]))
        .fact("expires", "2025-07-26T06:00:00-05:00")
        .data("scope", "File servers of Parks and Recreation");
    stage.say("manager", "isolate", "2025-07-25T06:24:00-05:00", isolate)?;
    let started = words("containment.started")
        .fact("assets", list(["asset/fs-parks-02"]))
        .fact("authorisation", stage.jti("isolate"))
        .data("detail", "Network port closed, memory kept.");
    stage.say("itops", "containing", "2025-07-25T06:31:00-05:00", started)?;
    let evidence = Words::now("evidence.acquired", id("evidence/E-1"))
        .about(id(INCIDENT))
        .fact("evidence", "evidence/E-1")
        .fact("method", "live-image")
        .fact("tool", "ewfacquire")
        .fact("tool_version", "20240506")
        .fact("acquired_at", "2025-07-25T07:45:00-05:00")
        .fact("asset", "asset/fs-parks-02")
        .fact("original_hashed", true)
        .data("name", "Disk image of fs-parks-02")
        .data("location", "Evidence safe, shelf 3")
        .data("sha256_source", sha256("image"))
        .data("sha256_copy", sha256("image"));
    stage.say("analyst", "evidence", "2025-07-25T07:50:00-05:00", evidence)
}

fn shut_down(stage: &mut Stage<'_>) -> Result<()> {
    stage.narrate("Contained, and lost again: the network goes down.");
    let lost = words("containment.lost")
        .fact("assets", list(["asset/dc-01", "asset/fs-pw-01"]))
        .data("detail", "Fresh encryption in Public Works: the stolen account is a domain administrator's.");
    stage.say("itops", "lost", "2025-07-27T21:30:00-05:00", lost)?;
    let shutdown = words("action.authorised")
        .fact("action", "network-shutdown")
        .fact("disruptive", true)
        .fact("assets", list(["asset/city-network"]))
        .fact("expires", "2025-08-31T00:00:00-05:00")
        .data("scope", "All city networks, public wireless and payment portals included; emergency calls stay up.");
    stage.say("ciso", "shutdown", "2025-07-28T05:10:00-05:00", shutdown)?;
    let started = words("containment.started")
        .fact("assets", list(["asset/city-network"]))
        .fact("authorisation", stage.jti("shutdown"))
        .data("detail", "Core switches down in the agreed order.");
    stage.say("itops", "containing", "2025-07-28T05:40:00-05:00", started)?;
    for (service, detail) in
        [("service/payments", "Online payments"), ("service/library", "Library catalogue and wireless")]
    {
        let down = words("service.interrupted")
            .fact("service", service)
            .fact("at", "2025-07-28T05:45:00-05:00")
            .data("detail", detail);
        stage.say("itops", "down", "2025-07-28T05:50:00-05:00", down)?;
    }
    let emergency = words("x.city.emergency-declared")
        .fact("national_guard", true)
        .fact("days", 90)
        .data("text", "The mayor declares an emergency; the governor calls in the National Guard's cyber unit.");
    stage.say("ciso", "emergency", "2025-07-29T13:00:00-05:00", emergency)?;
    let achieved = words("containment.achieved")
        .fact("assets", list(["asset/city-network"]))
        .fact("verified_by", stage.actor("analyst").as_str())
        .data("detail", "No new encryption for 24 hours.");
    stage.say("itops", "contained", "2025-07-29T22:00:00-05:00", achieved)
}

fn notify(stage: &mut Stage<'_>) -> Result<()> {
    stage.narrate("Clocks start at a human determination, not at the alert.");
    let determined = words("determination.made")
        .fact("regime", "us-mn-16e-36")
        .fact("kind", "believed")
        .fact("at", "2025-07-25T06:02:00-05:00")
        .data("reasons", "The confirmed verdict; a public agency reports within 72 hours.");
    stage.say("grc", "determined", "2025-07-25T09:00:00-05:00", determined)?;
    let drafted = words("notification.drafted")
        .fact("clock", "us-mn-16e-36-72h")
        .fact("stage", "initial")
        .fact("version", "1")
        .data("content", "A ransomware attack on city systems is being contained; emergency calls are not affected.")
        .data("content_sha256", sha256("notice"));
    stage.say("grc", "drafted", "2025-07-25T10:10:00-05:00", drafted)?;
    let approved = words("notification.approved").fact("draft", stage.jti("drafted"));
    stage.say("ciso", "approved", "2025-07-25T10:40:00-05:00", approved)?;
    let sent = words("notification.sent")
        .fact("clock", "us-mn-16e-36-72h")
        .fact("stage", "initial")
        .fact("draft", stage.jti("drafted"))
        .fact("sent_at", "2025-07-25T10:45:00-05:00")
        .fact("channel", "state-portal")
        .fact("late", false)
        .data("recipient", "The state's reporting portal");
    stage.say("grc", "sent", "2025-07-25T10:46:00-05:00", sent)
}

fn recover(stage: &mut Stage<'_>) -> Result<()> {
    stage.narrate("Remove what they left, and bring services back in the order that people need them.");
    let refused = words("x.city.ransom-refused").data("text", "The city does not pay; backups are intact.");
    stage.say("ciso", "refused", "2025-08-01T11:00:00-05:00", refused)?;
    let cause = words("root-cause.identified")
        .fact("cause", "stolen-credentials")
        .fact("confidence", 70)
        .fact("techniques", list(["T1078", "T1486"]))
        .data("narrative", "A service account without a second factor, used from outside.");
    stage.say("analyst", "cause", "2025-08-03T15:00:00-05:00", cause)?;
    let started = words("eradication.started")
        .fact("assets", list(["asset/dc-01", "asset/fs-parks-02", "asset/fs-pw-01"]))
        .fact("destructive", true)
        .fact("authorisation", stage.jti("shutdown"))
        .data("detail", "Rebuild from known images; evidence was taken before.");
    stage.say("itops", "eradicating", "2025-08-04T08:00:00-05:00", started)?;
    let order = words("restoration.prioritised")
        .fact("order", list(["service/payroll", "service/payments", "service/library"]))
        .data("reason", "Staff must be paid on Friday; then what residents pay and use.");
    stage.say("itops", "order", "2025-08-05T09:00:00-05:00", order)?;
    let scope = words("scope.assessed")
        .fact("assets", list(["asset/fs-parks-02"]))
        .fact("services", Json::List(Vec::new()))
        .fact("grew", true)
        .fact("subjects_known", false)
        .data("detail", "The attackers publish about 43 GB from one shared drive of Parks and Recreation.");
    stage.say("analyst", "scope", "2025-08-11T16:00:00-05:00", scope)?;
    let reset = words("x.city.passwords-reset")
        .fact("accounts", 3500)
        .data("text", "Every employee comes in person, shows a badge, and gets a new password and a checked device.");
    stage.say("itops", "reset", "2025-08-12T18:00:00-05:00", reset)?;
    let done = words("eradication.completed")
        .fact("assets", list(["asset/dc-01", "asset/fs-parks-02", "asset/fs-pw-01"]))
        .data("detail", "All domain controllers and file servers rebuilt.");
    stage.say("itops", "eradicated", "2025-08-13T12:00:00-05:00", done)?;
    let backup = words("backup.verified")
        .fact("asset", "asset/fs-parks-02")
        .fact("scan", "clean")
        .data("backup", "Weekly full, 20 July");
    stage.say("itops", "backup", "2025-08-13T15:00:00-05:00", backup)?;
    let restored = words("system.restored")
        .fact("asset", "asset/fs-parks-02")
        .fact("service", "service/library")
        .fact("restored_at", "2025-08-14T10:00:00-05:00")
        .fact("backup", stage.jti("backup"));
    stage.say("itops", "restored", "2025-08-14T10:05:00-05:00", restored)
}

fn validate(stage: &mut Stage<'_>) -> Result<()> {
    stage.narrate("Validate: signed off by somebody who restored nothing.");
    let entered = phase(stage, "execute", "validate", "restored", "Systems are back; now to be checked.");
    stage.say("manager", "validate", "2025-08-14T11:00:00-05:00", entered)?;
    let check = |result: &str, detail: &str| {
        words("validation.performed")
            .fact("asset", "asset/fs-parks-02")
            .fact("ioc_scan", true)
            .fact("function_test", true)
            .fact("result", result)
            .data("detail", detail)
    };
    stage.say(
        "analyst",
        "failed",
        "2025-08-14T13:00:00-05:00",
        check("fail", "One scheduled task of theirs is still there."),
    )?;
    stage.say(
        "analyst",
        "passed",
        "2025-08-15T09:00:00-05:00",
        check("pass", "Task removed, rescanned, function tested."),
    )?;
    let signed_off = words("validation.signed-off")
        .fact("services", list(["service/library", "service/payments"]))
        .fact("outcome", "accepted")
        .data("reason", "Both scans read; I restored none of it.");
    stage.say("manager", "signed-off", "2025-08-15T10:30:00-05:00", signed_off)?;
    for service in ["service/payments", "service/library"] {
        let resumed = words("service.resumed").fact("service", service).fact("at", "2025-08-18T08:00:00-05:00");
        stage.say("itops", "resumed", "2025-08-18T08:05:00-05:00", resumed)?;
    }
    let recovered = words("incident.recovered").fact("criteria", list(["services-up", "no-ioc-7d"]));
    stage.say("manager", "recovered", "2025-08-25T09:00:00-05:00", recovered)
}

fn close(stage: &mut Stage<'_>) -> Result<()> {
    stage.narrate("Close: the record is complete.");
    let entered = phase(stage, "validate", "close", "recovered", "Recovered for a week.");
    stage.say("manager", "close", "2025-08-25T09:10:00-05:00", entered)?;
    let resolved = words("incident.resolved").fact("code", "restored").data("note", "No ransom paid, no data lost.");
    stage.say("analyst", "resolved", "2025-08-25T09:20:00-05:00", resolved)?;
    let report = words("report.published")
        .fact("report", "report/R-1")
        .fact("kind", "incident-report")
        .fact("as_of_seq", 60)
        .data("summary", "What happened, what was decided by whom, what it cost.")
        .data("document_sha256", sha256("report"));
    stage.say("manager", "report", "2025-08-29T14:00:00-05:00", report)?;
    let closed = words("incident.closed")
        .fact("resolution", "restored")
        .fact("report", stage.jti("report"))
        .data("reason", "Report published, no clock open, evidence in the safe.");
    stage.say("manager", "closed", "2025-08-29T14:30:00-05:00", closed)
}

fn improve(stage: &mut Stage<'_>) -> Result<()> {
    stage.narrate("Improve: a lesson that leads somewhere.");
    let entered = phase(stage, "close", "improve", "closed", "Closed; now to learn from it.");
    stage.say("manager", "improve", "2025-09-02T09:00:00-05:00", entered)?;
    let held = words("review.held")
        .fact("held_at", "2025-09-04T10:00:00-05:00")
        .fact(
            "attendees",
            list([stage.actor("manager").as_str(), stage.actor("analyst").as_str(), stage.actor("itops").as_str()]),
        )
        .data("minutes", "Two days passed between the first isolation and the shutdown.");
    stage.say("manager", "held", "2025-09-04T12:00:00-05:00", held)?;
    let lesson = Words::now("lesson.recorded", id("lesson/L-1"))
        .about(id(INCIDENT))
        .fact("lesson", "lesson/L-1")
        .fact("cause", "stolen-credentials")
        .fact("none_found", false)
        .data("text", "Service accounts need a second factor, and the order to shut down must not wait for a Monday.");
    stage.say("manager", "lesson", "2025-09-04T12:30:00-05:00", lesson)?;
    let action = Words::now("action.opened", id("lesson/L-1"))
        .about(id(INCIDENT))
        .fact("action", "action/1")
        .fact("lesson", "lesson/L-1")
        .fact("kind", "playbook")
        .fact("owner", stage.actor("manager").as_str())
        .fact("due", "2025-10-01T00:00:00-05:00")
        .data("text", "Put the right to shut down into the playbook, with a deputy for every hour.");
    stage.say("manager", "action", "2025-09-04T12:40:00-05:00", action)?;
    let playbook = Words::now("playbook.published", id("playbook/ransomware"))
        .about(id("lesson/L-1"))
        .fact("playbook", "playbook/ransomware")
        .fact("version", "4")
        .fact("document_sha256", sha256("playbook 4"))
        .fact("replaces", "3")
        .fact("lessons", list(["lesson/L-1"]))
        .data("name", "Ransomware, city-wide")
        .data("reason", "Shutdown by the CISO or the deputy on call, within the hour.");
    stage.say("manager", "playbook", "2025-09-24T15:00:00-05:00", playbook)?;
    let completed = Words::now("action.completed", id("lesson/L-1"))
        .about(id(INCIDENT))
        .fact("action", "action/1")
        .data("note", "Playbook version 4 is in force, and was exercised once.");
    stage.say("manager", "completed", "2025-09-24T15:10:00-05:00", completed)
}
