//! The gates: what each phase needs before it can be left, and what a sign-off, a closure and a disposal need. A check
//! says by which entries it is met, or what would meet it.

use std::collections::{BTreeMap, BTreeSet};

use blotter_record::{Gate, Id};

use crate::incident::Incident;
use crate::phase::{Course, Phase};

/// Gates that an organisation adds: per phase, the events that must have happened before it can be left.
pub type OwnGates = BTreeMap<Phase, BTreeSet<String>>;

/// A gate, looked at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Check {
    /// The gate.
    pub gate: Gate,
    /// Seqs of the entries that meet it; `None` if it is unmet.
    pub met_by: Option<Vec<u64>>,
}

/// The gates among `checks` that are unmet.
pub fn unmet(checks: Vec<Check>) -> Vec<Gate> {
    checks.into_iter().filter(|check| check.met_by.is_none()).map(|check| check.gate).collect()
}

/// What stands between an incident and leaving `from` on that course. `now_us`: when the statement is recorded.
pub fn checks(course: Course, from: Phase, incident: &Incident, own: &OwnGates, now_us: i64) -> Vec<Check> {
    let mut checks = match (course, from) {
        (Course::Forward, Phase::Initiate) => initiate(incident),
        (Course::Forward, Phase::Assess) => assess(incident),
        (Course::Forward, Phase::Execute) => execute(incident, now_us),
        (Course::Forward, Phase::Validate) => validate(incident),
        (Course::Forward, Phase::Close) => close(incident),
        (Course::Forward, Phase::Improve) | (Course::Rest, _) => improve(incident, now_us),
        (Course::Dismissal, Phase::Assess) => assess(incident)
            .into_iter()
            .filter(|check| check.gate.code != "confirmed")
            .chain([dismissal(incident)])
            .collect(),
        (Course::Dismissal, _) => vec![dismissal(incident)],
        (Course::Back, _) => return vec![setback(incident)],
        (Course::Reopening, _) => return vec![reopening(incident)],
    };
    for event in own.get(&from).into_iter().flatten() {
        let met_by = incident.events.get(event).map(|(_, seq)| vec![*seq]);
        checks.push(Check { gate: gate(&own_code(event), format!("your organisation wants {event} first")), met_by });
    }
    checks
}

/// Initiate: a telemetry reference; acknowledged by a person.
fn initiate(incident: &Incident) -> Vec<Check> {
    let alerts: Vec<u64> = incident.alerts.values().copied().collect();
    vec![
        check("telemetry", "no alert or report is linked: alert.linked names one", some(alerts)),
        check(
            "acknowledged",
            "no person has acknowledged it: incident.acknowledged",
            incident.acknowledged.as_ref().map(|made| vec![made.seq]),
        ),
    ]
}

/// Assess: threat intelligence considered; severity scored; a verdict that confirms it.
fn assess(incident: &Incident) -> Vec<Check> {
    let confirmed = incident.verdict.as_ref().filter(|_| !incident.is_dismissed()).map(|made| vec![made.seq]);
    vec![
        check(
            "intel",
            "no threat intelligence was considered: intel.attached, with kind none-found if there is none",
            some(incident.intel.clone()),
        ),
        check(
            "severity",
            "no severity was scored: severity.assessed",
            incident.severity.as_ref().map(|made| vec![made.seq]),
        ),
        check(
            "confirmed",
            "no verdict confirms it: incident.confirmed with true-positive or policy-violation",
            confirmed,
        ),
    ]
}

fn dismissal(incident: &Incident) -> Check {
    let verdict = incident.verdict.as_ref().filter(|_| incident.is_dismissed()).map(|made| vec![made.seq]);
    check(
        "dismissed",
        "no verdict dismisses it: incident.confirmed with false-positive, benign or undetermined",
        verdict,
    )
}

/// Execute: playbook and tools; containment achieved; eradication, or the risk accepted.
fn execute(incident: &Incident, now_us: i64) -> Vec<Check> {
    let steps = incident.runs.values().flat_map(|run| run.steps.values()).map(|(_, seq)| *seq);
    let tools: Vec<u64> = incident.containment_started.into_iter().chain(steps).collect();
    let left = |done: &BTreeMap<Id, u64>| {
        let wanted = incident.scope.iter().flat_map(|scope| &scope.value.assets);
        wanted.filter(|asset| !done.contains_key(asset)).map(Id::to_string).collect::<Vec<_>>()
    };
    let (uncontained, unclean) = (left(&incident.contained), left(&incident.eradicated));
    let contained = incident.containment.as_ref().filter(|_| uncontained.is_empty()).map(|made| vec![made.seq]);
    // What was accepted for a lesson is not what is left on these assets.
    let left_on = incident.risks.iter().rfind(|risk| risk.lesson.is_none() && risk.expires_us > now_us);
    let risk = left_on.map(|risk| vec![risk.seq]);
    let eradicated = incident.eradication.filter(|_| unclean.is_empty()).map(|seq| vec![seq]);
    vec![
        check(
            "playbook",
            "no playbook was started: playbook.started",
            some(incident.runs.values().map(|run| run.seq).collect()),
        ),
        check("tools", "nothing was done yet: a playbook's step, or containment.started", some(tools)),
        check_named("containment", "containment is not achieved: containment.achieved", &uncontained, contained),
        check_named(
            "eradication",
            "not eradicated, and the CISO has not accepted the risk: eradication.completed or risk.accepted",
            &unclean,
            eradicated.or(risk),
        ),
    ]
}

/// Validate: validation results of all that was restored; a sign-off by somebody who restored nothing (the sign-off itself
/// is refused to others), of this time in Validate and newer than all that it is to vouch for.
fn validate(incident: &Incident) -> Vec<Check> {
    let entered = incident.phases.iter().rfind(|entered| entered.phase == Phase::Validate).map(|entered| entered.seq);
    let restored = incident.restored.values().map(|made| made.seq).max();
    let newest = [entered, restored, incident.validation_failed, incident.containment_lost].into_iter().flatten().max();
    let signed = incident.signed_off.as_ref().filter(|made| made.value && newest.is_none_or(|seq| made.seq > seq));
    let mut checks = validation(incident);
    checks.push(check(
        "sign-off",
        "not signed off since it was last restored, found wanting or sent to Validate: validation.signed-off, accepted",
        signed.map(|made| vec![made.seq]),
    ));
    checks
}

fn validation(incident: &Incident) -> Vec<Check> {
    let restored = incident.restored.keys();
    let open: Vec<String> = restored
        .filter(|asset| incident.validated.get(*asset).is_none_or(|passed| !passed.value))
        .map(Id::to_string)
        .collect();
    let failed = incident.validated.values().any(|passed| !passed.value);
    let passed: Vec<u64> = incident.validated.values().filter(|passed| passed.value).map(|made| made.seq).collect();
    vec![check_named(
        "validation",
        "no passed validation of all that was restored: validation.performed",
        &open,
        some(passed).filter(|_| open.is_empty() && !failed),
    )]
}

/// What an accepted `validation.signed-off` by `signer` needs.
pub fn sign_off(incident: &Incident, signer: &blotter_record::ActorId) -> Vec<Check> {
    let mut checks = validation(incident);
    checks.push(in_phase(incident, &[Phase::Validate]));
    let separate = (!incident.restorers.contains(signer)).then(Vec::new);
    checks.push(fixed("separation", "whoever contained, cleaned or restored something can't sign it off", separate));
    checks
}

/// What `incident.recovered` needs.
pub fn recovery(incident: &Incident) -> Vec<Check> {
    validate(incident)
}

/// What `incident.closed` needs, naming the report of that `jti`.
pub fn closure(incident: &Incident, report: Option<blotter_record::Jti>) -> Vec<Check> {
    let mut checks = vec![in_phase(incident, &[Phase::Close])];
    checks.extend(record(incident));
    let named = report.and_then(|report| incident.reports.get(&report)).filter(|seq| incident.is_current(**seq));
    checks.push(check(
        "report",
        "the report that it names is not published in this incident since it was last reopened: report.published",
        named.map(|seq| vec![*seq]),
    ));
    checks.extend(loose_ends(incident));
    checks
}

/// Close: full incident record; report published; no open clock, no evidence out; and closed.
fn close(incident: &Incident) -> Vec<Check> {
    let mut checks = record(incident);
    let reports = some(incident.reports.values().copied().filter(|seq| incident.is_current(*seq)).collect());
    checks.push(check("report", "no report is published since it was last reopened: report.published", reports));
    checks.extend(loose_ends(incident));
    let closed = incident.closed.as_ref().map(|made| vec![made.seq]);
    checks.push(check("closed", "it is not closed: incident.closed", closed));
    checks
}

/// The full incident record: who, what, when and why. Of a dismissed one, what the verdict rests on is enough.
fn record(incident: &Incident) -> Vec<Check> {
    let made = |seq: Option<u64>| seq.map(|seq| vec![seq]);
    let mut checks = vec![
        check(
            "record.severity",
            "no severity in the record: severity.assessed",
            made(incident.severity.as_ref().map(|s| s.seq)),
        ),
        check(
            "record.verdict",
            "no verdict in the record: incident.confirmed",
            made(incident.verdict.as_ref().map(|v| v.seq)),
        ),
    ];
    if !incident.is_dismissed() {
        let class = some(incident.classes.values().map(|class| class.seq).collect());
        checks.extend([
            check("record.class", "not classified: incident.classified", class),
            check(
                "record.occurrence",
                "nobody says when it began: occurrence.asserted",
                made(incident.occurred.as_ref().map(|at| at.seq)),
            ),
            check(
                "record.detection",
                "nobody says when it was detected: detection.asserted",
                made(incident.detected.as_ref().map(|at| at.seq)),
            ),
            check(
                "record.root-cause",
                "no root cause: root-cause.identified",
                made(incident.root_cause.as_ref().map(|cause| cause.seq)),
            ),
        ]);
    }
    let unfinished: Vec<String> = incident
        .runs
        .values()
        .flat_map(|run| &run.steps)
        .filter(|(_, (outcome, _))| outcome.is_none())
        .map(|(step, _)| step.clone())
        .collect();
    checks.push(check_named(
        "record.steps",
        "steps were started and never completed: step.completed",
        &unfinished,
        Some(Vec::new()).filter(|_| unfinished.is_empty()),
    ));
    checks
}

/// What must not stay open behind a closed incident.
fn loose_ends(incident: &Incident) -> Vec<Check> {
    let none = |open: &[String]| Some(Vec::new()).filter(|_| open.is_empty());
    let clocks: Vec<String> = incident.clocks.keys().cloned().collect();
    let evidence: Vec<String> = incident.evidence_out.values().map(|made| made.value.to_string()).collect();
    let tasks: Vec<String> = incident.tasks.keys().map(Id::to_string).collect();
    vec![
        check_named(
            "clocks",
            "notification clocks are open: notification.sent, or obligation.assessed that none applies",
            &clocks,
            none(&clocks),
        ),
        check_named("evidence", "evidence is out: evidence.received", &evidence, none(&evidence)),
        check_named("tasks", "tasks are open: task.completed", &tasks, none(&tasks)),
    ]
}

/// Improve: metrics and feedback; each lesson led to a playbook version, a completed action or an
/// accepted risk that has not expired.
fn improve(incident: &Incident, now_us: i64) -> Vec<Check> {
    let recorded = || incident.lessons.iter().filter(|(_, lesson)| lesson.is_recorded());
    let leads_nowhere: Vec<String> =
        recorded().filter(|(_, lesson)| !lesson.led_somewhere(now_us)).map(|(id, _)| id.to_string()).collect();
    let reviewed = incident.reviewed.filter(|seq| incident.is_current(*seq));
    let lessons = some(recorded().map(|(_, lesson)| lesson.seq).collect());
    vec![
        check("review", "no review was held since it was last reopened: review.held", reviewed.map(|seq| vec![seq])),
        check("feedback", "nobody gave feedback: feedback.recorded", some(incident.feedback.clone())),
        check("lessons", "no lesson is recorded: lesson.recorded, with none_found if there is none", lessons),
        check_named(
            "lessons.led",
            "lessons lead nowhere yet: playbook.published, action.completed or risk.accepted",
            &leads_nowhere,
            Some(Vec::new()).filter(|_| leads_nowhere.is_empty()),
        ),
    ]
}

/// The way back: something failed since the phase was entered.
fn setback(incident: &Incident) -> Check {
    let since = incident.phase_since();
    let refused = incident.signed_off.as_ref().filter(|made| !made.value).map(|made| made.seq);
    let met: Vec<u64> = [incident.validation_failed, refused, incident.containment_lost]
        .into_iter()
        .flatten()
        .filter(|seq| *seq > since)
        .collect();
    check(
        "setback",
        "no validation failed, no sign-off was refused and no containment was lost in this phase",
        some(met),
    )
}

fn reopening(incident: &Incident) -> Check {
    let since = incident.phase_since();
    let met: Vec<u64> = incident.reopened.iter().copied().filter(|seq| *seq > since).collect();
    check("reopened", "it was not reopened: incident.reopened", some(met))
}

/// Whether the incident is in one of these phases.
pub fn in_phase(incident: &Incident, phases: &[Phase]) -> Check {
    let at = incident.current_phase();
    let names: Vec<&str> = phases.iter().map(|phase| phase.name()).collect();
    let here = at.map_or("not opened", Phase::name);
    let what = format!("the incident is in {here}, not in {}", names.join(" or "));
    let met_by = at.filter(|at| phases.contains(at)).map(|_| vec![incident.phase_since()]);
    fixed("phase", &what, met_by)
}

fn some(seqs: Vec<u64>) -> Option<Vec<u64>> {
    Some(seqs).filter(|seqs| !seqs.is_empty())
}

fn gate(code: &str, what: String) -> Gate {
    Gate { code: code.to_owned(), what, overridable: true }
}

fn check(code: &str, what: &str, met_by: Option<Vec<u64>>) -> Check {
    Check { gate: gate(code, what.to_owned()), met_by }
}

/// A gate that nobody overrides.
pub(crate) fn fixed(code: &str, what: &str, met_by: Option<Vec<u64>>) -> Check {
    Check { gate: Gate { overridable: false, ..gate(code, what.to_owned()) }, met_by }
}

const NAMED_MAX: usize = 5;

/// A check that names what is missing; at most five.
fn check_named(code: &str, what: &str, missing: &[String], met_by: Option<Vec<u64>>) -> Check {
    let mut what = what.to_owned();
    if met_by.is_none() && !missing.is_empty() {
        let more = missing.len().saturating_sub(NAMED_MAX);
        what = format!("{what} ({}", missing.iter().take(NAMED_MAX).cloned().collect::<Vec<_>>().join(", "));
        what += &if more > 0 { format!(" and {more} more)") } else { ")".to_owned() };
    }
    Check { gate: gate(code, what), met_by }
}

const OWN_CODE_LEN_MAX: usize = 64;

/// The code of an organisation's own gate: `own.` and the event, cut at the length of a code.
fn own_code(event: &str) -> String {
    format!("own.{event}").chars().take(OWN_CODE_LEN_MAX).collect()
}
