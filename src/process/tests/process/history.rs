//! What is never refused: what happened, in any phase, and imported history; and what taking back, importing and expunging
//! do to a state.

use std::cell::Cell;

use blotter_process::{Incident, Phase, Process, Said};
use blotter_record::{
    About, Event, Id, Instant, Jti, Objection, Past, PastEntry, Policy, Standing, Statement, Unreadable,
};

use crate::log::{INC, Log, Record, Refused, Say, list, say};
use crate::script::{ASSET, enter, fresh_in, go_on, opened, overriding, ready_in};

/// All that the process may refuse.
const REFUSED: [&str; 11] = [
    "phase.entered",
    "validation.signed-off",
    "incident.recovered",
    "incident.closed",
    "incident.reopened",
    "incident.opened",
    "incident.merged",
    "incident.split",
    "evidence.disposed",
    "retention.disposed",
    "policy.set",
];

fn any_place(event: Event) -> Say {
    let rule = event.rule();
    let sub = match rule.subject {
        Some("incident") | None => INC.to_owned(),
        Some("ledger") => "ledger".to_owned(),
        Some(kind) => format!("{kind}/1"),
    };
    let said = say("person/mia", event.name(), &sub);
    if rule.about == About::Some("incident") { said.about(&[INC]) } else { said }
}

/// Asks the process alone: whatever keys and roles say, it has nothing against it.
fn asked(log: &mut Log, said: &Say) -> Result<(), Objection> {
    let statement = log.statement(said);
    let recorded = Instant::from_unix_us(log.clock_us).unwrap();
    let standing = Standing { recorded: &recorded, has_role: &|_| false, held_by: &|_| None };
    log.process.admit(&statement, &standing, &log.record)
}

#[test]
fn what_happened_is_never_refused_in_any_phase() {
    let happened: Vec<Event> = Event::ALL.iter().copied().filter(|event| !REFUSED.contains(&event.name())).collect();
    assert_eq!(happened.len(), 145 - REFUSED.len());
    let mut logs = vec![Log::new()];
    logs.extend(Phase::ALL.map(fresh_in));
    let mut merged = ready_in(Phase::Execute);
    merged.say(opened("incident/OTHER"));
    merged.say(say("person/mia", "incident.merged", INC).fact("into", "incident/OTHER").about(&["incident/OTHER"]));
    logs.push(merged);
    for log in &mut logs {
        for event in &happened {
            let said = any_place(*event);
            assert_eq!(asked(log, &said), Ok(()), "{event:?} in {:?}", log.incident(INC).current_phase());
            let statement = log.statement(&said);
            assert!(!log.process.judges(&statement), "{event:?}");
        }
        assert_eq!(asked(log, &say("service/siem", "x.acme.seen", INC)), Ok(()));
        let refused = say("person/mia", "validation.signed-off", INC).fact("outcome", "refused");
        assert_eq!(asked(log, &refused), Ok(()), "nor is a refusal to sign off");
    }
}

#[test]
fn what_comes_in_another_phase_is_admitted_and_marked() {
    let mut log = fresh_in(Phase::Initiate);
    log.say(say("person/ira", "containment.achieved", INC).fact("assets", list(&[ASSET])));
    let incident = log.incident(INC);
    assert_eq!((incident.out_of_phase, incident.contained.len()), (vec![incident.last_seq], 1));
    log.say(say("person/ana", "comment.added", INC));
    assert_eq!(log.incident(INC).out_of_phase.len(), 1, "what belongs to no phase is in none's way");
}

#[test]
fn imported_history_is_admitted_and_never_judged() {
    let mut log = Log::new();
    for said in [
        say("notary/not", "incident.closed", "incident/OLD"),
        say("notary/not", "incident.opened", "incident/OLD"),
        say("notary/not", "incident.opened", "incident/OLD"),
        say("notary/not", "phase.entered", "incident/OLD").fact("from", "improve").fact("to", "validate"),
        say("notary/not", "validation.signed-off", "incident/OLD").fact("outcome", "accepted"),
        say("notary/not", "incident.recovered", "incident/OLD"),
        say("notary/not", "incident.reopened", "incident/OLD"),
        say("notary/not", "evidence.disposed", "evidence/OLD").about(&["incident/OLD"]),
    ] {
        let said = said.imported();
        let statement = log.statement(&said);
        assert!(!log.process.judges(&statement));
        log.say(said);
    }
    assert_eq!(log.incident("incident/OLD").current_phase(), Some(Phase::Validate), "history moves, too");
}

#[test]
fn imported_history_opens_no_gate() {
    let all = |log: &mut Log, imported: bool| {
        let say =
            |event| if imported { say("notary/not", event, INC).imported() } else { say("person/ana", event, INC) };
        let asset = |event| say(event).fact("asset", ASSET);
        log.say(say("alert.linked").fact("alert", "alert/A1"));
        log.say(say("incident.acknowledged"));
        log.say(say("intel.attached"));
        log.say(say("severity.assessed"));
        log.say(say("incident.confirmed"));
        log.say(asset("validation.performed").fact("result", "pass"));
    };
    let mut log = Log::new();
    log.say(opened(INC).about(&["alert/A9"]).imported());
    all(&mut log, true);
    let codes = |log: &mut Log| log.refuses(enter(log, Phase::Initiate, Phase::Assess, "incident.acknowledged"));
    assert_eq!(codes(&mut log), ["trigger", "telemetry", "acknowledged"]);
    all(&mut log, false);
    let on = go_on(&log, Phase::Initiate);
    log.say(on);
    let mut log = Log::new();
    log.say(opened(INC).imported());
    all(&mut log, true);
    log.say(say("notary/not", "phase.entered", INC).fact("to", "validate").imported());
    log.say(say("notary/not", "validation.signed-off", INC).fact("outcome", "accepted").imported());
    let report = log.say(say("notary/not", "report.published", INC).imported());
    let sign_off = say("person/mia", "validation.signed-off", INC).fact("outcome", "accepted");
    assert_eq!(log.refuses(sign_off), ["validation"]);
    let on = overriding(enter(&log, Phase::Validate, Phase::Close, "validation.signed-off"), &[]);
    assert_eq!(log.refuses(on), ["trigger", "validation", "sign-off"]);
    log.say(say("notary/not", "phase.entered", INC).fact("to", "close").imported());
    let closed = say("person/mia", "incident.closed", INC).fact("report", report.to_string());
    let wanted = ["record.severity", "record.verdict", "record.class", "record.occurrence", "record.detection"];
    assert_eq!(log.refuses(closed), [&wanted[..], &["record.root-cause", "report"]].concat());
}

#[test]
fn what_moved_stays_moved_though_it_was_taken_back() {
    for phase in Phase::ALL.into_iter().skip(1) {
        let mut log = fresh_in(phase);
        log.retract("phase.entered");
        assert_eq!(log.incident(INC).current_phase(), Some(phase));
    }
    let mut log = ready_in(Phase::Close);
    for event in ["incident.closed", "incident.opened"] {
        log.retract(event);
        assert_eq!(log.incident(INC).status(), "closed", "{event}");
    }
    log.say(say("person/mia", "incident.reopened", INC));
    log.retract("incident.reopened");
    assert_eq!(log.incident(INC).status(), "open");
    log.retract("retraction.recorded");
    assert_eq!(log.incident(INC).status(), "open", "and what was taken back stays so");
}

#[test]
fn a_retraction_in_another_stream_takes_nothing_back_here() {
    let mut log = ready_in(Phase::Initiate);
    let of = log.newest("incident.acknowledged").to_string();
    log.say(say("person/mia", "retraction.recorded", "incident/OTHER").fact("of", of));
    let on = go_on(&log, Phase::Initiate);
    log.say(on);
}

#[test]
fn the_state_after_a_retraction_is_that_of_a_stream_without_the_statement() {
    let mut log = ready_in(Phase::Execute);
    log.say(say("person/ana", "severity.assessed", INC).fact("level", 5));
    let before = log.incident(INC);
    log.say(say("person/ana", "severity.assessed", INC).fact("level", 1));
    assert_eq!(log.incident(INC).severity.unwrap().value.level, 1);
    log.retract("severity.assessed");
    let after = log.incident(INC);
    assert_eq!((after.severity, after.severities), (before.severity, before.severities));
}

/// A past that counts how often it was asked for bytes that are gone.
struct Gapped<'a> {
    record: &'a Record,
    gaps: Cell<usize>,
}

impl Gapped<'_> {
    fn note(&self, entry: &PastEntry) {
        self.gaps.set(self.gaps.get() + usize::from(entry.statement.is_none()));
    }
}

impl Past for Gapped<'_> {
    fn entries(&self, stream: &Id, from: u64, limit: usize) -> Result<Vec<PastEntry>, Unreadable> {
        let found = self.record.entries(stream, from, limit)?;
        found.iter().for_each(|entry| self.note(entry));
        Ok(found)
    }

    fn statement(&self, jti: &Jti) -> Result<Option<PastEntry>, Unreadable> {
        let found = Past::statement(self.record, jti)?;
        found.iter().for_each(|entry| self.note(entry));
        Ok(found)
    }
}

#[test]
fn each_judgement_that_rests_on_an_expunged_entry_looks_at_it() {
    let mut log = ready_in(Phase::Assess);
    let gone = log.newest("severity.assessed");
    log.expunge(gone);
    log.process.forget_all();
    let said = go_on(&log, Phase::Assess);
    let statement = log.statement(&said);
    let recorded = Instant::from_unix_us(log.clock_us).unwrap();
    let standing = Standing { recorded: &recorded, has_role: &|_| true, held_by: &|_| None };
    for turn in 0..3 {
        let past = Gapped { record: &log.record, gaps: Cell::new(0) };
        let Err(Objection::Unmet(unmet)) = log.process.admit(&statement, &standing, &past) else { panic!("unmet") };
        assert_eq!(unmet.codes().collect::<Vec<_>>(), ["severity"]);
        assert!(past.gaps.get() > 0, "turn {turn}");
    }
}

/// A past that can't be read.
struct Broken;

impl Past for Broken {
    fn entries(&self, _: &Id, _: u64, _: usize) -> Result<Vec<PastEntry>, Unreadable> {
        Err(Unreadable)
    }

    fn statement(&self, _: &Jti) -> Result<Option<PastEntry>, Unreadable> {
        Err(Unreadable)
    }
}

#[test]
fn a_past_that_cannot_be_read_admits_and_refuses_nothing() {
    let mut log = ready_in(Phase::Initiate);
    let recorded = Instant::from_unix_us(log.clock_us).unwrap();
    let standing = Standing { recorded: &recorded, has_role: &|_| true, held_by: &|_| None };
    for event in REFUSED.iter().filter(|event| **event != "policy.set") {
        let said = any_place(Event::from_name(event).unwrap());
        let said = if *event == "incident.split" || *event == "incident.merged" {
            said.about(&["incident/OTHER"])
        } else if *event == "validation.signed-off" {
            said.fact("outcome", "accepted")
        } else {
            said
        };
        let statement = log.statement(&said);
        assert!(log.process.judges(&statement), "{event}");
        let answer = Process::default().admit(&statement, &standing, &Broken);
        assert_eq!(answer, Err(Objection::Unreadable), "{event}");
    }
    let on = go_on(&log, Phase::Initiate);
    let statement = log.statement(&on);
    let answer = log.process.admit(&statement, &standing, &Broken);
    assert_eq!(answer, Err(Objection::Unreadable), "nor does what is remembered stand in for it");
    assert_eq!(log.would(&on), Ok(()), "and afterwards it is read again");
}

/// From scratch, all of it.
pub(crate) fn from_scratch(log: &Log, id: &Id) -> Incident {
    let entries = log.record.entries(id, 0, usize::MAX).unwrap();
    let said: Vec<(u64, &Statement)> =
        entries.iter().filter_map(|entry| Some((entry.seq, entry.statement.as_ref()?))).collect();
    Incident::of(id, said.iter().map(|(seq, statement)| Said { seq: *seq, recorded_us: 0, statement }))
}

#[test]
fn what_is_remembered_is_what_the_stream_says() {
    for phase in Phase::ALL {
        let mut log = ready_in(phase);
        let id = INC.parse().unwrap();
        assert_eq!(log.incident(INC), from_scratch(&log, &id), "{phase}");
        assert!(!matches!(log.would(&opened(INC)), Err(Refused::Other(..))));
    }
}
