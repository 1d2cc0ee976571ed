//! The second incident, smaller: a vendor's account left a school district's enrolment share open to whoever had the link.
//! Personal data of pupils, a breach assessed and told to their families; closed, and then held up in Improve, because its
//! lesson leads nowhere yet. All of it is made up.

use anyhow::Result;

use super::lines::{Transition, id, list, none, sha256};
use super::stage::Stage;
use crate::session::Words;

pub(super) const INCIDENT: &str = "incident/INC-2025-1006";
const CLOCK: &str = "us-mn-13-055.families";

pub(super) fn tell(stage: &mut Stage<'_>) -> Result<()> {
    discover(stage)?;
    assess(stage)?;
    contain(stage)?;
    tell_families(stage)?;
    withdraw(stage)?;
    close(stage)
}

fn words(event: &str) -> Words {
    Words::now(event, id(INCIDENT))
}

const fn transition<'a>(from: &'a str, to: &'a str, trigger: &'a str, reason: &'a str) -> Transition<'a> {
    Transition { incident: INCIDENT, from, to, trigger, inputs: &[], outputs: &[], overrides: &[], reason }
}

fn discover(stage: &mut Stage<'_>) -> Result<()> {
    stage.narrate("October: a parent calls. Forms of pupils lie open on the web.");
    let report = Words::now("report.received", id("alert/R-2"))
        .fact("channel", "phone")
        .fact("discovered_at", "2025-10-06T08:20:00-05:00")
        .data("reporter", "A parent")
        .data("description", "A link in last year's welcome letter opens the folder with everybody's enrolment forms.");
    stage.say("analyst2", "report", "2025-10-06T08:40:00-05:00", report)?;
    let opened = words("incident.opened")
        .about(id("alert/R-2"))
        .fact("lead", stage.actor("analyst2").as_str())
        .fact("category", "data-exposure")
        .fact("tlp", "amber-strict")
        .data("title", "Enrolment forms of the school district readable by anybody with the link");
    stage.say("analyst2", "opened", "2025-10-06T08:47:00-05:00", opened)?;
    stage.say("analyst2", "acknowledged", "2025-10-06T08:48:00-05:00", words("incident.acknowledged"))?;
    let entered = Transition {
        inputs: &["report"],
        outputs: &["opened"],
        ..transition("initiate", "assess", "acknowledged", "The link works; I opened it myself, once.")
    };
    stage.say("analyst2", "assess", "2025-10-06T08:50:00-05:00", entered.words(stage))
}

fn assess(stage: &mut Stage<'_>) -> Result<()> {
    let intel = words("intel.attached")
        .fact("kind", "none-found")
        .fact("tlp", "green")
        .data("source", "Search engines, paste sites, the district's own logs")
        .data("summary", "No copy found elsewhere; 212 downloads since August.");
    stage.say("analyst2", "intel", "2025-10-06T09:30:00-05:00", intel)?;
    let severity = words("severity.assessed")
        .fact("scale", "city-1-4")
        .fact("scale_version", "3")
        .fact("level", 3)
        .fact("impact", 3)
        .fact("scope", 2)
        .fact("urgency", 3)
        .fact("intel", none())
        .data("reason", "Children's data, readable for nine weeks.");
    stage.say("analyst2", "severity", "2025-10-06T09:40:00-05:00", severity)?;
    let scope = words("scope.assessed")
        .fact("assets", list(["asset/share-enrolment"]))
        .fact("services", none())
        .fact("grew", false)
        .fact("subjects_known", true)
        .data("subjects", "Pupils who enrolled this year, and their parents")
        .data("records", 1340);
    stage.say("analyst2", "scope", "2025-10-06T10:15:00-05:00", scope)?;
    let confirmed = words("incident.confirmed")
        .fact("verdict", "true-positive")
        .fact("criteria_version", "2025.2")
        .fact("criteria", list(["data-readable", "access-seen"]))
        .data("reason", "The share's log shows downloads from addresses outside the district.");
    stage.say("analyst2", "confirmed", "2025-10-06T10:20:00-05:00", confirmed)?;
    let class = words("incident.classified")
        .fact("scheme", "rsit")
        .fact("class", "information-content-security:data-leak")
        .fact("criteria", none());
    stage.say("analyst2", "class", "2025-10-06T10:22:00-05:00", class)?;
    let entered = Transition {
        inputs: &["intel", "scope"],
        outputs: &["severity"],
        ..transition("assess", "execute", "confirmed", "Confirmed, level 3.")
    };
    stage.say("analyst2", "execute", "2025-10-06T10:25:00-05:00", entered.words(stage))
}

fn contain(stage: &mut Stage<'_>) -> Result<()> {
    let document = "Exposed file share: close, keep the log, withdraw access, tell.";
    let run = words("playbook.started")
        .fact("playbook", "playbook/exposed-share")
        .fact("version", "1")
        .fact("document_sha256", sha256(document));
    stage.say("analyst2", "run", "2025-10-06T10:30:00-05:00", run)?;
    let share = || list(["asset/share-enrolment"]);
    let started = words("containment.started").fact("assets", share()).data("detail", "Links withdrawn, log kept.");
    stage.say("itops", "containing", "2025-10-06T10:35:00-05:00", started)?;
    let achieved =
        words("containment.achieved").fact("assets", share()).data("detail", "Nobody without account gets in.");
    stage.say("itops", "contained", "2025-10-06T10:50:00-05:00", achieved)
}

fn tell_families(stage: &mut Stage<'_>) -> Result<()> {
    stage.narrate("The data protection officer assesses the breach; the families are told.");
    let breach = words("breach.assessed")
        .fact("personal_data", true)
        .fact("health_data", false)
        .fact("high_risk", true)
        .fact("controller_role", "processor")
        .data("subjects", "1,340 pupils: names, birth dates, addresses, parents' phone numbers")
        .data("reasoning", "Children; addresses; readable by anybody, and read.");
    stage.say("dpo", "breach", "2025-10-06T14:00:00-05:00", breach)?;
    let determined = words("determination.made")
        .fact("regime", "us-mn-13-055")
        .fact("kind", "discovered")
        .fact("at", "2025-10-06T10:20:00-05:00")
        .data("reasons", "Private data on individuals was acquired without authorisation.");
    stage.say("legal", "determined", "2025-10-06T15:00:00-05:00", determined)?;
    let obliged = words("obligation.assessed")
        .fact("regime", "us-mn-13-055")
        .fact("applies", true)
        .fact("significant", true)
        .fact("determination", stage.jti("determined"))
        .fact("rules_version", "2025.1")
        .data("reason", "A government entity tells everybody concerned, without unreasonable delay.");
    stage.say("legal", "obliged", "2025-10-06T15:10:00-05:00", obliged)?;
    let drafted = words("notification.drafted")
        .fact("clock", CLOCK)
        .fact("stage", "individuals")
        .fact("version", "1")
        .data("content", "Your child's enrolment form could be opened by others until 6 October. This is what we know.")
        .data("content_sha256", sha256("letter to families"));
    stage.say("grc", "drafted", "2025-10-07T11:00:00-05:00", drafted)?;
    let approved = words("notification.approved").fact("draft", stage.jti("drafted"));
    stage.say("legal", "approved", "2025-10-07T16:00:00-05:00", approved)?;
    let sent = words("notification.sent")
        .fact("clock", CLOCK)
        .fact("stage", "individuals")
        .fact("draft", stage.jti("drafted"))
        .fact("sent_at", "2025-10-08T09:00:00-05:00")
        .fact("channel", "post")
        .fact("late", false)
        .data("recipient", "Families of 1,340 pupils");
    stage.say("grc", "sent", "2025-10-08T09:30:00-05:00", sent)
}

fn withdraw(stage: &mut Stage<'_>) -> Result<()> {
    stage.narrate("The vendor's account is withdrawn, and somebody else checks.");
    let share = || list(["asset/share-enrolment"]);
    let cause = words("root-cause.identified")
        .fact("cause", "excess-permission")
        .fact("confidence", 95)
        .fact("techniques", list(["T1213"]))
        .data("narrative", "The vendor's support account may share; its job ended in August, the account did not.");
    stage.say("analyst2", "cause", "2025-10-08T13:00:00-05:00", cause)?;
    let done = words("eradication.completed").fact("assets", share()).data("detail", "Account and links removed.");
    stage.say("itops", "eradicated", "2025-10-08T14:00:00-05:00", done)?;
    let entered = Transition {
        inputs: &["run"],
        outputs: &["contained", "eradicated"],
        ..transition("execute", "validate", "eradicated", "Withdrawn; to be checked from outside.")
    };
    stage.say("itops", "validate", "2025-10-08T14:05:00-05:00", entered.words(stage))?;
    let passed = words("validation.performed")
        .fact("asset", "asset/share-enrolment")
        .fact("ioc_scan", false)
        .fact("function_test", true)
        .fact("result", "pass")
        .data("detail", "From outside every old link is refused; from a school it works.");
    stage.say("analyst", "passed", "2025-10-08T22:00:00-05:00", passed)?;
    let signed_off = words("validation.signed-off").fact("services", none()).fact("outcome", "accepted");
    stage.say("manager", "signed-off", "2025-10-09T09:00:00-05:00", signed_off)?;
    let entered = Transition {
        inputs: &["passed"],
        outputs: &["signed-off"],
        ..transition("validate", "close", "signed-off", "Checked by somebody who changed nothing.")
    };
    stage.say("manager", "close", "2025-10-09T09:05:00-05:00", entered.words(stage))
}

fn close(stage: &mut Stage<'_>) -> Result<()> {
    stage.narrate("Closed. But its lesson leads nowhere yet, and so Improve can't be left.");
    let occurred = words("occurrence.asserted")
        .fact("at", "2025-08-01T00:00:00-05:00")
        .fact("precision", "day")
        .fact("confidence", 80);
    stage.say("analyst2", "occurred", "2025-10-09T10:00:00-05:00", occurred)?;
    let detected = words("detection.asserted").fact("at", "2025-10-06T08:20:00-05:00").fact("alert", "alert/R-2");
    stage.say("analyst2", "detected", "2025-10-09T10:02:00-05:00", detected)?;
    let report = words("report.published")
        .fact("report", "report/R-2")
        .fact("kind", "incident-report")
        .fact("as_of_seq", i64::try_from(stage.last_seq())?)
        .data("summary", "Who could read what, since when, and who was told.")
        .data("document_sha256", sha256("report 2"));
    stage.say("manager", "report", "2025-10-10T11:00:00-05:00", report)?;
    let closed = words("incident.closed").fact("resolution", "access-withdrawn").fact("report", stage.jti("report"));
    stage.say("manager", "closed", "2025-10-10T11:20:00-05:00", closed)?;
    let entered = Transition {
        inputs: &["report"],
        outputs: &["report"],
        ..transition("close", "improve", "closed", "To be looked at together with the district.")
    };
    stage.say("manager", "improve", "2025-10-13T09:00:00-05:00", entered.words(stage))?;
    let held = words("review.held")
        .fact("held_at", "2025-10-14T10:00:00-05:00")
        .fact("attendees", list([stage.actor("manager").as_str(), stage.actor("grc").as_str()]))
        .data("minutes", "Nobody is told when a vendor's job ends.");
    stage.say("manager", "held", "2025-10-14T11:00:00-05:00", held)?;
    let of = |event: &str| Words::now(event, id("lesson/L-4")).about(id(INCIDENT));
    let lesson = of("lesson.recorded")
        .fact("lesson", "lesson/L-4")
        .fact("cause", "excess-permission")
        .fact("none_found", false)
        .data("text", "A vendor's accounts must end with the contract.");
    stage.say("grc", "lesson", "2025-10-14T11:10:00-05:00", lesson)?;
    let action = of("action.opened")
        .fact("action", "action/3")
        .fact("lesson", "lesson/L-4")
        .fact("kind", "control")
        .fact("owner", stage.actor("itops").as_str())
        .fact("due", "2025-12-15T00:00:00-06:00")
        .data("text", "Every vendor account gets an end date, which procurement sets.");
    stage.say("grc", "action", "2025-10-14T11:20:00-05:00", action)?;
    let feedback =
        of("feedback.recorded").fact("score", 3).data("text", "The letter was clear; it came on the third day.");
    stage.say("dpo", "feedback", "2025-10-15T09:00:00-05:00", feedback)?;
    let entered = transition("improve", "close", "held", "The district considers it done.");
    stage.refuses("manager", "2025-10-31T16:00:00-05:00", entered.words(stage), &["lessons.led"])
}
