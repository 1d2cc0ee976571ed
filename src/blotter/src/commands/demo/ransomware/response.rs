//! Execute: contain it, tell whom the law names, lose containment, and shut the city's network down.

use anyhow::Result;

use super::words;
use crate::commands::demo::lines::{jti_list, list, sha256};
use crate::commands::demo::setting::playbook_sha256;
use crate::commands::demo::stage::Stage;
use crate::session::Words;

const ISOLATE: &str = "action--9d4e2b70-31f5-4a6c-b8d2-5e7c0f1a3b11";
const PRESERVE: &str = "action--9d4e2b70-31f5-4a6c-b8d2-5e7c0f1a3b12";
pub(super) const RESET: &str = "action--9d4e2b70-31f5-4a6c-b8d2-5e7c0f1a3b13";
pub(super) const REBUILD: &str = "action--9d4e2b70-31f5-4a6c-b8d2-5e7c0f1a3b14";

/// A step of the playbook's run, begun; or done.
pub(super) fn step(stage: &Stage<'_>, event: &str, step: &str) -> Words {
    let words = words(event).fact("playbook", "playbook/ransomware").fact("run", stage.jti("run")).fact("step", step);
    if event == "step.completed" { words.fact("outcome", "done") } else { words }
}

fn authorised(action: &str, disruptive: bool, asset: &str, expires: &str, scope: &str) -> Words {
    words("action.authorised")
        .fact("action", action)
        .fact("disruptive", disruptive)
        .fact("assets", list([asset]))
        .fact("expires", expires)
        .data("scope", scope)
}

pub(super) fn execute(stage: &mut Stage<'_>) -> Result<()> {
    stage.narrate("Execute: by the playbook; contain, preserve, and score it again with what is known by seven.");
    let run = words("playbook.started")
        .fact("playbook", "playbook/ransomware")
        .fact("version", "3")
        .fact("document_sha256", playbook_sha256());
    stage.say("analyst", "run", "2025-07-25T05:40:00-05:00", run)?;
    let isolate = authorised(
        "isolate-hosts",
        false,
        "asset/fs-parks-02",
        "2025-07-26T06:00:00-05:00",
        "File servers of Parks and Recreation",
    );
    stage.say("manager", "isolate", "2025-07-25T05:44:00-05:00", isolate)?;
    stage.say("itops", "step", "2025-07-25T05:50:00-05:00", step(stage, "step.started", ISOLATE))?;
    let started = words("containment.started")
        .fact("run", stage.jti("run"))
        .fact("assets", list(["asset/fs-parks-02"]))
        .fact("authorisation", stage.jti("isolate"))
        .data("detail", "Network port closed, memory kept.");
    stage.say("itops", "containing", "2025-07-25T05:51:00-05:00", started)?;
    stage.say("itops", "isolated", "2025-07-25T06:05:00-05:00", step(stage, "step.completed", ISOLATE))?;
    let task = words("task.opened")
        .fact("task", "task/T-1")
        .fact("owner", stage.actor("analyst2").as_str())
        .fact("due", "2025-07-26T12:00:00-05:00")
        .data("title", "Where else did that service account log in since June?");
    stage.say("analyst", "task", "2025-07-25T06:40:00-05:00", task)?;
    let intel = words("intel.attached")
        .fact("kind", "campaign")
        .fact("tlp", "amber")
        .data("source", "The state's fusion centre, and a joint advisory of federal agencies, July 2025")
        .data("summary", "A group that steals files first and encrypts afterwards is hitting public bodies.");
    stage.say("analyst", "intel", "2025-07-25T07:02:00-05:00", intel)?;
    let severity = words("severity.assessed")
        .fact("scale", "city-1-4")
        .fact("scale_version", "3")
        .fact("level", 4)
        .fact("impact", 4)
        .fact("scope", 3)
        .fact("urgency", 4)
        .fact("intel", jti_list(stage, &["intel"]))
        .data("reason", "Shared identity system; every department may be reached from here.");
    stage.say("analyst", "severity", "2025-07-25T07:10:00-05:00", severity)?;
    let escalated = words("escalated")
        .fact("from", "secops_manager")
        .fact("to", "ciso")
        .fact("path_version", "7")
        .fact("kind", "escalation")
        .data("reason", "Level 4: the CISO decides on shutting systems down.");
    stage.say("manager", "escalated", "2025-07-25T07:14:00-05:00", escalated)?;
    stage.say("analyst", "step", "2025-07-25T07:20:00-05:00", step(stage, "step.started", PRESERVE))?;
    super::evidence::acquire(stage)?;
    stage.say("analyst", "preserved", "2025-07-25T08:30:00-05:00", step(stage, "step.completed", PRESERVE))?;
    hand_over(stage)
}

fn hand_over(stage: &mut Stage<'_>) -> Result<()> {
    let given = words("handover.given")
        .fact("to", stage.actor("analyst2").as_str())
        .fact("open_tasks", list(["task/T-1"]))
        .data("summary", "One server isolated and imaged; the account's other logins are the open question.");
    stage.say("analyst", "handover", "2025-07-25T08:40:00-05:00", given)?;
    let accepted = words("handover.accepted").fact("handover", stage.jti("handover"));
    stage.say("analyst2", "accepted", "2025-07-25T08:45:00-05:00", accepted)?;
    let ticket = words("ticket.linked")
        .fact("system", "endpoint/servicenow")
        .data("ticket", "INC0014207")
        .data("url", "https://city.example/itsm/INC0014207");
    stage.say("analyst2", "ticket", "2025-07-25T08:50:00-05:00", ticket)?;
    let class = words("incident.classified")
        .fact("scheme", "rsit")
        .fact("class", "malicious-code:ransomware")
        .fact("criteria", list(["encryption-seen", "note-found"]))
        .data("reason", "Reference taxonomy of the incident response teams.");
    stage.say("analyst2", "class", "2025-07-25T08:55:00-05:00", class)
}

pub(super) fn notify(stage: &mut Stage<'_>) -> Result<()> {
    stage.narrate("Clocks start at a human determination, not at the alert.");
    let determined = words("determination.made")
        .fact("regime", "us-mn-16e-36")
        .fact("kind", "believed")
        .fact("at", "2025-07-25T05:30:00-05:00")
        .data("reasons", "The confirmed verdict; a public agency reports within 72 hours.");
    stage.say("grc", "determined", "2025-07-25T09:00:00-05:00", determined)?;
    let obliged = words("obligation.assessed")
        .fact("regime", "us-mn-16e-36")
        .fact("applies", true)
        .fact("determination", stage.jti("determined"))
        .fact("rules_version", "2024.12")
        .data("reason", "A city is a public agency of the state.");
    stage.say("grc", "obliged", "2025-07-25T09:05:00-05:00", obliged)?;
    let mut clock = words("clock.started")
        .fact("clock", "us-mn-16e-36.72h")
        .fact("trigger", stage.jti("determined"))
        .fact("due_at", "2025-07-28T05:30:00-05:00")
        .fact("rules_version", "2024.12");
    clock.via = blotter_record::Via::Automation;
    stage.say("ledger", "clock", "2025-07-25T09:05:00-05:00", clock)?;
    let drafted = words("notification.drafted")
        .fact("clock", "us-mn-16e-36.72h")
        .fact("stage", "initial")
        .fact("version", "1")
        .data("content", "A ransomware attack on city systems is being contained; emergency calls are not affected.")
        .data("content_sha256", sha256("notice"));
    stage.say("grc", "drafted", "2025-07-25T10:10:00-05:00", drafted)?;
    let approved = words("notification.approved").fact("draft", stage.jti("drafted"));
    stage.say("ciso", "approved", "2025-07-25T10:40:00-05:00", approved)?;
    let sent = words("notification.sent")
        .fact("clock", "us-mn-16e-36.72h")
        .fact("stage", "initial")
        .fact("draft", stage.jti("drafted"))
        .fact("sent_at", "2025-07-25T10:45:00-05:00")
        .fact("channel", "state-portal")
        .fact("late", false)
        .data("recipient", "The state's reporting portal");
    stage.say("grc", "sent", "2025-07-25T10:46:00-05:00", sent)?;
    let acknowledged = words("notification.acknowledged")
        .fact("clock", "us-mn-16e-36.72h")
        .fact("sent", stage.jti("sent"))
        .data("reference", "MN-2025-3318");
    stage.say("grc", "receipt", "2025-07-25T11:20:00-05:00", acknowledged)
}

pub(super) fn shut_down(stage: &mut Stage<'_>) -> Result<()> {
    stage.narrate("Contained, and lost again: the network goes down.");
    let held = words("containment.achieved")
        .fact("assets", list(["asset/fs-parks-02"]))
        .data("detail", "No traffic from the server since Friday morning.");
    stage.say("itops", "contained", "2025-07-26T09:00:00-05:00", held)?;
    let found = words("task.completed")
        .fact("task", "task/T-1")
        .fact("outcome", "done")
        .data("note", "On fs-pw-01 and dc-01, four times, always at night.");
    stage.say("analyst2", "found", "2025-07-26T11:30:00-05:00", found)?;
    let lost = words("containment.lost")
        .fact("assets", list(["asset/dc-01", "asset/fs-pw-01"]))
        .data("detail", "Fresh encryption in Public Works: the stolen account is a domain administrator's.");
    stage.say("itops", "lost", "2025-07-27T21:30:00-05:00", lost)?;
    let scope = words("scope.assessed")
        .fact("assets", list(["asset/dc-01", "asset/fs-parks-02", "asset/fs-pw-01"]))
        .fact("services", list(["service/library", "service/payments", "service/payroll"]))
        .fact("grew", true)
        .fact("subjects_known", false)
        .data("detail", "Two departments, and what signs everybody in.");
    stage.say("analyst", "scope", "2025-07-27T22:15:00-05:00", scope)?;
    let scope = "All city networks, public wireless and payment portals included; emergency calls stay up.";
    let shutdown = authorised("network-shutdown", true, "asset/city-network", "2025-08-31T00:00:00-05:00", scope);
    stage.say("ciso", "shutdown", "2025-07-28T05:10:00-05:00", shutdown)?;
    let started = words("containment.started")
        .fact("run", stage.jti("run"))
        .fact("assets", list(["asset/city-network"]))
        .fact("authorisation", stage.jti("shutdown"))
        .data("detail", "Core switches down in the agreed order.")
        .data("deviation_reason", "The playbook has no shutdown; machine by machine was too slow.");
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
    let updated = words("stakeholder.updated")
        .fact("audience", "residents")
        .data("content", "City networks are down on purpose. Emergency calls work. We will say more at noon.");
    stage.say("manager", "updated", "2025-07-28T07:00:00-05:00", updated)?;
    let emergency = words("x.city.emergency-declared")
        .fact("national_guard", true)
        .fact("days", 90)
        .data("text", "The mayor declares an emergency; the governor calls in the National Guard's cyber unit.");
    stage.say("ciso", "emergency", "2025-07-29T13:00:00-05:00", emergency)?;
    let budget = words("budget.authorised")
        .data("amount_minor", 75_000_000)
        .data("currency", "USD")
        .data("cost_centre", "Emergency fund")
        .data("reason", "Forensics, hardware and overtime for ninety days.");
    stage.say("ciso", "budget", "2025-07-29T15:00:00-05:00", budget)?;
    let achieved = words("containment.achieved")
        .fact("assets", list(["asset/city-network", "asset/dc-01", "asset/fs-parks-02", "asset/fs-pw-01"]))
        .fact("verified_by", stage.actor("analyst").as_str())
        .data("detail", "No new encryption for 24 hours.");
    stage.say("itops", "contained", "2025-07-29T22:00:00-05:00", achieved)?;
    let refused = words("x.city.ransom-refused").data("text", "The city does not pay; backups are intact.");
    stage.say("ciso", "refused", "2025-08-01T11:00:00-05:00", refused)
}
