//! From Execute to Close: clean, bring services back in the order that people need them, fail a validation and go back,
//! validate again, sign off, and complete the record.

use anyhow::Result;

use super::response::{REBUILD, RESET, step};
use super::{transition, words};
use crate::commands::demo::lines::{Transition, list, sha256};
use crate::commands::demo::stage::Stage;
use crate::session::Words;

pub(super) fn clean(stage: &mut Stage<'_>) -> Result<()> {
    stage.narrate("Remove what they left, and bring services back in the order that people need them.");
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
    stage.say("itops", "step", "2025-08-04T08:05:00-05:00", step(stage, "step.started", REBUILD))?;
    let order = words("restoration.prioritised")
        .fact("order", list(["service/payroll", "service/payments", "service/library"]))
        .data("reason", "Staff must be paid on Friday; then what residents pay and use.");
    stage.say("itops", "order", "2025-08-05T09:00:00-05:00", order)?;
    let change = words("change.linked")
        .fact("system", "endpoint/servicenow")
        .fact("emergency", true)
        .data("change", "CHG0031180")
        .data("approver", "Change board, by phone");
    stage.say("itops", "change", "2025-08-05T09:30:00-05:00", change)?;
    stage.say("itops", "step", "2025-08-10T07:00:00-05:00", step(stage, "step.started", RESET))?;
    let published = words("x.city.files-published")
        .fact("gigabytes", 43)
        .data("text", "The attackers publish files from one shared drive of Parks and Recreation.");
    stage.say("analyst", "published", "2025-08-11T16:00:00-05:00", published)?;
    let reset = words("x.city.passwords-reset")
        .fact("accounts", 3500)
        .data("text", "Every employee comes in person, shows a badge, and gets a new password and a checked device.");
    stage.say("itops", "reset", "2025-08-12T18:00:00-05:00", reset)?;
    stage.say("itops", "stepped", "2025-08-12T18:05:00-05:00", step(stage, "step.completed", RESET))?;
    let done = words("eradication.completed")
        .fact("assets", list(["asset/dc-01", "asset/fs-parks-02", "asset/fs-pw-01"]))
        .data("detail", "All domain controllers and file servers rebuilt.");
    stage.say("itops", "eradicated", "2025-08-13T12:00:00-05:00", done)?;
    stage.say("itops", "stepped", "2025-08-13T12:05:00-05:00", step(stage, "step.completed", REBUILD))?;
    for asset in ["asset/dc-01", "asset/fs-pw-01", "asset/fs-parks-02"] {
        restore(stage, asset, "2025-08-13T15:00:00-05:00", "2025-08-14T10:00:00-05:00")?;
    }
    let entered = Transition {
        inputs: &["run", "shutdown"],
        outputs: &["contained", "eradicated", "restored"],
        ..transition("execute", "validate", "restored", "Systems are back; now to be checked.")
    };
    stage.say("itops", "validate", "2025-08-14T11:00:00-05:00", entered.words(stage))
}

fn restore(stage: &mut Stage<'_>, asset: &str, scanned: &str, restored: &str) -> Result<()> {
    let backup = words("backup.verified").fact("asset", asset).fact("scan", "clean").data("backup", "Full, 20 July");
    stage.say("itops", "backup", scanned, backup)?;
    let words = words("system.restored").fact("asset", asset).fact("restored_at", restored);
    stage.say("itops", "restored", restored, words.fact("backup", stage.jti("backup")))
}

fn validated(asset: &str, result: &str, detail: &str) -> Words {
    words("validation.performed")
        .fact("asset", asset)
        .fact("ioc_scan", true)
        .fact("function_test", true)
        .fact("result", result)
        .data("detail", detail)
}

pub(super) fn validate(stage: &mut Stage<'_>) -> Result<()> {
    stage.narrate("Validate: one server fails, and the way leads back.");
    for asset in ["asset/dc-01", "asset/fs-pw-01"] {
        let passed = validated(asset, "pass", "Nothing found; works as before.");
        stage.say("analyst", "passed", "2025-08-14T12:30:00-05:00", passed)?;
    }
    let failed = validated("asset/fs-parks-02", "fail", "One scheduled task of theirs came back with the data.");
    stage.say("analyst", "failed", "2025-08-14T13:00:00-05:00", failed)?;
    let back = Transition {
        inputs: &["failed"],
        ..transition("validate", "execute", "failed", "Clean it again, and find where the task came from.")
    };
    stage.say("analyst", "back", "2025-08-14T13:10:00-05:00", back.words(stage))?;
    let cleaned = words("eradication.completed")
        .fact("assets", list(["asset/fs-parks-02"]))
        .data("detail", "Task removed; the data comes from the backup of the week before.");
    stage.say("itops", "eradicated", "2025-08-14T19:00:00-05:00", cleaned)?;
    restore(stage, "asset/fs-parks-02", "2025-08-14T20:00:00-05:00", "2025-08-14T23:30:00-05:00")
}

pub(super) fn validate_again(stage: &mut Stage<'_>) -> Result<()> {
    stage.narrate("Validate again: signed off by somebody who restored nothing.");
    let entered = Transition {
        inputs: &["back"],
        outputs: &["eradicated", "restored"],
        ..transition("execute", "validate", "restored", "Cleaned and restored again.")
    };
    stage.say("itops", "validate", "2025-08-15T08:00:00-05:00", entered.words(stage))?;
    let passed = validated("asset/fs-parks-02", "pass", "Rescanned, function tested.");
    stage.say("analyst", "passed", "2025-08-15T09:00:00-05:00", passed)?;
    let signed_off = words("validation.signed-off")
        .fact("services", list(["service/library", "service/payments", "service/payroll"]))
        .fact("outcome", "accepted")
        .data("reason", "All scans read; I restored none of it.");
    stage.say("manager", "signed-off", "2025-08-15T10:30:00-05:00", signed_off)?;
    let watching = words("monitoring.started")
        .fact("until", "2025-08-25T00:00:00-05:00")
        .fact("assets", list(["asset/dc-01", "asset/fs-parks-02", "asset/fs-pw-01"]));
    stage.say("analyst", "watching", "2025-08-15T11:00:00-05:00", watching)?;
    for (service, at) in
        [("service/payments", "2025-08-18T08:00:00-05:00"), ("service/library", "2025-08-20T12:00:00-05:00")]
    {
        let resumed = words("service.resumed").fact("service", service).fact("at", at);
        stage.say("itops", "resumed", at, resumed)?;
    }
    let recovered = words("incident.recovered").fact("criteria", list(["services-up", "no-ioc-7d"]));
    stage.say("manager", "recovered", "2025-08-25T09:00:00-05:00", recovered)?;
    let entered = Transition {
        inputs: &["passed", "signed-off"],
        outputs: &["signed-off"],
        ..transition("validate", "close", "recovered", "Recovered for a week.")
    };
    stage.say("manager", "close", "2025-08-25T09:10:00-05:00", entered.words(stage))
}

pub(super) fn close(stage: &mut Stage<'_>) -> Result<()> {
    stage.narrate("Close: the record is complete.");
    let at_in = |event: &str, at: &str| words(event).fact("at", at);
    let occurred = at_in("occurrence.asserted", "2025-07-24T22:00:00-05:00")
        .fact("precision", "hour")
        .fact("confidence", 70)
        .data("basis", "The account's first login from outside, in the logs of the domain controller.");
    stage.say("analyst", "occurred", "2025-08-25T09:20:00-05:00", occurred)?;
    let detected = at_in("detection.asserted", "2025-07-25T04:41:00-05:00")
        .fact("alert", "alert/A-1")
        .data("basis", "The first alert that was about it.");
    stage.say("analyst", "detected", "2025-08-25T09:25:00-05:00", detected)?;
    for (who, kind, amount_minor, minutes, note) in [
        ("itops", "labour", 18_400_000, 192_000, "Overtime of IT operations"),
        ("manager", "vendor", 26_000_000, 0, "Forensics by contract"),
        ("grc", "downtime", 9_150_000, 0, "Payments that came late"),
    ] {
        let cost = words("cost.recorded").fact("kind", kind).data("amount_minor", amount_minor).data("currency", "USD");
        let cost = if minutes > 0 { cost.data("minutes", minutes) } else { cost };
        stage.say(who, "cost", "2025-08-27T16:00:00-05:00", cost.data("note", note))?;
    }
    let resolved = words("incident.resolved")
        .fact("code", "restored")
        .data("note", "No ransom paid; files of one shared drive were published.");
    stage.say("analyst", "resolved", "2025-08-28T09:20:00-05:00", resolved)?;
    let report = words("report.published")
        .fact("report", "report/R-1")
        .fact("kind", "incident-report")
        .fact("as_of_seq", i64::try_from(stage.last_seq())?)
        .data("summary", "What happened, what was decided by whom, what it cost.")
        .data("document_sha256", sha256("report"));
    stage.say("manager", "report", "2025-08-29T14:00:00-05:00", report)?;
    let closed = words("incident.closed")
        .fact("resolution", "restored")
        .fact("report", stage.jti("report"))
        .data("reason", "Report published, no clock open, evidence in the safe.");
    stage.say("manager", "closed", "2025-08-29T14:30:00-05:00", closed)?;
    let entered = Transition {
        inputs: &["report", "resolved"],
        outputs: &["report"],
        ..transition("close", "improve", "closed", "Closed; now to learn from it.")
    };
    stage.say("manager", "improve", "2025-09-02T09:00:00-05:00", entered.words(stage))
}
