//! Every decision as every persona: who owns it, and what stands in its owners' way as long as it is too early. One table,
//! written from DESIGN.md §5 and the vocabulary; nothing in it is computed.

use blotter_process::Phase;
use blotter_record::Role;

use crate::log::{CAST, INC, Log, Refused, Say, list, say};
use crate::script::{closed, deeds, enter, fresh_in, go_on, opened, overriding, ready_in, validated};

/// A log, and what somebody is about to say.
type Scene = fn() -> (Log, Say);

/// A decision: in a log where it can be taken, and in one where it is too early.
struct Row {
    decision: &'static str,
    owners: &'static [&'static str],
    ready: Scene,
    /// The gates that refuse it, and where.
    early: Option<(Scene, &'static [&'static str])>,
}

const MANAGER: &[&str] = &["secops_manager"];
const ANALYSTS: &[&str] = &["soc_analyst", "secops_manager"];
const OPERATORS: &[&str] = &["it_ops_lead", "soc_analyst", "secops_manager"];
const REVIEWERS: &[&str] = &["secops_manager", "grc_lead"];

fn forward(phase: Phase) -> (Log, Say) {
    let log = ready_in(phase);
    let said = go_on(&log, phase);
    (log, said)
}

/// The same, with one deed taken back.
fn early(phase: Phase, event: &str) -> (Log, Say) {
    let (mut log, said) = forward(phase);
    log.retract(event);
    (log, said)
}

fn after(phase: Phase, said: Say, to: Phase, trigger: &str) -> (Log, Say) {
    let mut log = ready_in(phase);
    log.say(said);
    let said = enter(&log, phase, to, trigger);
    (log, said)
}

fn benign() -> Say {
    say("person/ana", "incident.confirmed", INC).fact("verdict", "benign")
}

fn reopened() -> Say {
    say("person/mia", "incident.reopened", INC)
}

fn lost() -> Say {
    say("person/ira", "containment.lost", INC)
}

fn sign_off() -> Say {
    say("person/mia", "validation.signed-off", INC).fact("outcome", "accepted")
}

fn with(log: Log, said: Say) -> (Log, Say) {
    (log, said)
}

fn almost_closed() -> (Log, Say) {
    let mut log = fresh_in(Phase::Close);
    for (_, said) in deeds(Phase::Close).into_iter().filter(|(code, _)| *code != "closed") {
        let said = said(&log);
        log.say(said);
    }
    let said = closed(&log);
    (log, said)
}

fn two() -> Log {
    let mut log = ready_in(Phase::Initiate);
    log.say(opened("incident/OTHER"));
    log
}

fn merge() -> Say {
    say("person/mia", "incident.merged", INC).fact("into", "incident/OTHER").about(&["incident/OTHER"])
}

fn split() -> Say {
    say("person/mia", "incident.split", "incident/NEW").fact("from", INC).fact("alerts", list(&["alert/A1"]))
}

fn disposal(event: &str, by: &'static str, sub: &str, approve: bool) -> (Log, Say) {
    let mut log = Log::new();
    log.say(opened(INC));
    let said = say(by, event, sub);
    if !approve {
        return (log, said);
    }
    let approval = log.say(say("person/leo", "disposal.approved", "evidence/E1"));
    (log, said.about(&[INC]).fact("approval", approval.to_string()))
}

fn anywhere(event: &'static str, sub: &str) -> (Log, Say) {
    (fresh_in(Phase::Execute), say("person/mia", event, sub))
}

fn gate(key: &str) -> (Log, Say) {
    (Log::new(), say("person/mia", "policy.set", "policy/process").fact("key", key))
}

#[rustfmt::skip]
const ROWS: &[Row] = &[
    Row { decision: "opening", owners: ANALYSTS, ready: || (Log::new(), opened(INC)),
        early: Some((|| (ready_in(Phase::Initiate), opened(INC)), &["new"])) },
    Row { decision: "initiate to assess", owners: ANALYSTS, ready: || forward(Phase::Initiate),
        early: Some((|| early(Phase::Initiate, "incident.acknowledged"), &["acknowledged"])) },
    Row { decision: "assess to execute", owners: ANALYSTS, ready: || forward(Phase::Assess),
        early: Some((|| early(Phase::Assess, "severity.assessed"), &["severity"])) },
    Row { decision: "assess to close", owners: ANALYSTS,
        ready: || after(Phase::Assess, benign(), Phase::Close, "incident.confirmed"),
        early: Some((|| { let log = ready_in(Phase::Assess); let said = enter(&log, Phase::Assess, Phase::Close, "incident.confirmed"); (log, said) },
            &["dismissed"])) },
    Row { decision: "execute to validate", owners: OPERATORS, ready: || forward(Phase::Execute),
        early: Some((|| early(Phase::Execute, "containment.achieved"), &["containment"])) },
    Row { decision: "execute to close", owners: ANALYSTS,
        ready: || after(Phase::Execute, benign(), Phase::Close, "incident.confirmed"),
        early: Some((|| { let log = ready_in(Phase::Execute); let said = enter(&log, Phase::Execute, Phase::Close, "incident.confirmed"); (log, said) },
            &["dismissed"])) },
    Row { decision: "signing off", owners: &["secops_manager", "service_owner"],
        ready: || { let mut log = fresh_in(Phase::Validate); log.say(validated("pass")); (log, sign_off()) },
        early: Some((|| with(fresh_in(Phase::Validate), sign_off()), &["validation"])) },
    Row { decision: "validate to close", owners: MANAGER, ready: || forward(Phase::Validate),
        early: Some((|| early(Phase::Validate, "validation.signed-off"), &["sign-off"])) },
    Row { decision: "validate to execute", owners: OPERATORS,
        ready: || after(Phase::Validate, lost(), Phase::Execute, "containment.lost"),
        early: Some((|| { let log = ready_in(Phase::Validate); let said = enter(&log, Phase::Validate, Phase::Execute, "validation.performed"); (log, said) },
            &["setback"])) },
    Row { decision: "recovery", owners: MANAGER,
        ready: || with(ready_in(Phase::Validate), say("person/mia", "incident.recovered", INC)),
        early: Some((|| with(fresh_in(Phase::Validate), say("person/mia", "incident.recovered", INC)), &["validation", "sign-off"])) },
    Row { decision: "closing", owners: MANAGER, ready: almost_closed,
        early: Some((|| { let (mut log, said) = almost_closed(); log.retract("root-cause.identified"); (log, said) },
            &["record.root-cause"])) },
    Row { decision: "close to improve", owners: REVIEWERS, ready: || forward(Phase::Close),
        early: Some((|| early(Phase::Close, "report.published"), &["report"])) },
    Row { decision: "reopening", owners: ANALYSTS, ready: || with(ready_in(Phase::Close), reopened()),
        early: Some((|| with(ready_in(Phase::Validate), reopened()), &["phase"])) },
    Row { decision: "close to assess", owners: ANALYSTS,
        ready: || after(Phase::Close, reopened(), Phase::Assess, "incident.reopened"), early: None },
    Row { decision: "close to execute, reopened", owners: OPERATORS,
        ready: || after(Phase::Close, reopened(), Phase::Execute, "incident.reopened"), early: None },
    Row { decision: "close to execute, containment lost", owners: OPERATORS,
        ready: || after(Phase::Close, lost(), Phase::Execute, "containment.lost"), early: None },
    Row { decision: "improve to assess", owners: ANALYSTS,
        ready: || after(Phase::Improve, reopened(), Phase::Assess, "incident.reopened"), early: None },
    Row { decision: "improve to execute", owners: OPERATORS,
        ready: || after(Phase::Improve, lost(), Phase::Execute, "containment.lost"), early: None },
    Row { decision: "improve to close", owners: REVIEWERS, ready: || forward(Phase::Improve),
        early: Some((|| early(Phase::Improve, "review.held"), &["review"])) },
    Row { decision: "override", owners: MANAGER,
        ready: || { let (log, said) = early(Phase::Execute, "playbook.started"); (log, overriding(said, &["playbook"])) },
        early: Some((|| { let (log, said) = early(Phase::Execute, "playbook.started"); (log, overriding(said, &["tools"])) },
            &["playbook"])) },
    Row { decision: "merging", owners: MANAGER, ready: || with(two(), merge()),
        early: Some((|| with(ready_in(Phase::Initiate), merge()), &["target.open"])) },
    Row { decision: "splitting", owners: MANAGER, ready: || with(ready_in(Phase::Initiate), split()),
        early: Some((|| with(fresh_in(Phase::Initiate), split()), &["alerts"])) },
    Row { decision: "disposing of evidence", owners: &["custodian"],
        ready: || disposal("evidence.disposed", "person/kit", "evidence/E1", true),
        early: Some((|| disposal("evidence.disposed", "person/kit", "evidence/E1", false), &["approval"])) },
    Row { decision: "approving a disposal", owners: &["grc_lead", "legal"],
        ready: || disposal("disposal.approved", "person/gus", "evidence/E1", false), early: None },
    Row { decision: "disposing of what was kept", owners: &["grc_lead"],
        ready: || disposal("retention.disposed", "person/gus", "compliance/2026", true),
        early: Some((|| disposal("retention.disposed", "person/gus", "compliance/2026", false), &["approval"])) },
    Row { decision: "a gate of one's own", owners: &["secops_manager", "ciso", "grc_lead"],
        ready: || gate("gate:assess:comment.added"), early: Some((|| gate("gate:nowhere:comment.added"), &["own-gate"])) },
    // What the personas own besides; no gate stands before it.
    Row { decision: "risk", owners: &["ciso"], ready: || anywhere("risk.accepted", INC), early: None },
    Row { decision: "budget", owners: &["ciso"], ready: || anywhere("budget.authorised", INC), early: None },
    Row { decision: "waiver", owners: &["ciso"], ready: || anywhere("waiver.signed", "compliance/2026"), early: None },
    Row { decision: "escalation path", owners: &["ciso"], ready: || anywhere("escalation-path.approved", "policy/escalation"), early: None },
    Row { decision: "materiality", owners: &["ciso", "legal"], ready: || anywhere("materiality.determined", INC), early: None },
    Row { decision: "triage threshold", owners: MANAGER, ready: || anywhere("triage-threshold.set", "policy/triage"), early: None },
    Row { decision: "playbook", owners: MANAGER, ready: || anywhere("playbook.published", "playbook/P1"), early: None },
    Row { decision: "severity", owners: ANALYSTS, ready: || anywhere("severity.assessed", INC), early: None },
    Row { decision: "verdict", owners: ANALYSTS, ready: || anywhere("incident.confirmed", INC), early: None },
    Row { decision: "classification", owners: &["soc_analyst", "secops_manager", "grc_lead"], ready: || anywhere("incident.classified", INC), early: None },
    Row { decision: "obligation", owners: &["grc_lead", "legal"], ready: || anywhere("obligation.assessed", INC), early: None },
    Row { decision: "compliance gap", owners: &["grc_lead"], ready: || anywhere("gap.reported", "compliance/2026"), early: None },
    Row { decision: "order of restoration", owners: &["it_ops_lead"], ready: || anywhere("restoration.prioritised", INC), early: None },
    Row { decision: "recovery begun", owners: &["it_ops_lead"], ready: || anywhere("recovery.initiated", INC), early: None },
];

fn personas() -> impl Iterator<Item = (&'static str, &'static str)> {
    let mut seen = Vec::new();
    CAST.into_iter().filter_map(move |(actor, role)| {
        let role = role.filter(|role| !seen.contains(role))?;
        seen.push(role);
        Some((actor, role.name()))
    })
}

#[test]
fn every_decision_as_every_persona() {
    assert_eq!(personas().count(), Role::ALL.len(), "each role is somebody's");
    let mut asked = 0;
    for Row { decision, owners, ready, early } in ROWS {
        let (mut log, said) = ready();
        for (actor, role) in personas() {
            let answer = log.would(&said.clone().by(actor));
            match owners.contains(&role) {
                true => assert_eq!(answer, Ok(()), "{decision} by {role}"),
                false => check_role(answer, owners, role, decision),
            }
            asked += 1;
        }
        let Some((early, gates)) = early else { continue };
        let (mut log, said) = early();
        for (actor, role) in personas() {
            let answer = log.would(&said.clone().by(actor));
            match owners.contains(&role) {
                true => assert_eq!(answer.unwrap_err().codes(), *gates, "{decision}, too early, by {role}"),
                false => check_role(answer, owners, role, decision),
            }
            asked += 1;
        }
    }
    assert_eq!(asked, 12 * (ROWS.len() + ROWS.iter().filter(|row| row.early.is_some()).count()));
}

/// Refused for the role, and told who may; a machine hears that a person is wanted where any person may sign.
fn check_role(answer: Result<(), Refused>, owners: &[&str], role: &str, decision: &str) {
    let Err(Refused::Role(mut wanted)) = answer else { panic!("{decision} by {role}: {answer:?}") };
    let person = role == "service" && wanted == ["person"];
    let mut owners = owners.to_vec();
    wanted.sort_unstable();
    owners.sort_unstable();
    assert!(person || wanted == owners, "{decision} by {role}: {wanted:?}");
}

#[test]
fn nobody_decides_without_a_role() {
    for Row { decision, ready, .. } in ROWS {
        let (mut log, said) = ready();
        let answer = log.would(&said.clone().by("person/nob"));
        assert!(matches!(answer, Err(Refused::Role(_))), "{decision}: {answer:?}");
        let own = log.would(&said.by("ledger/own"));
        assert!(matches!(own, Err(Refused::Role(_))), "{decision}: {own:?}");
    }
}
