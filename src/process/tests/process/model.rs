//! Random stories of three incidents, told to the process and to a model. The model is the judge: it keeps the history as a
//! list, asks it questions, and shares nothing with the process but the words; its ways and triggers are the table of
//! transitions.rs. They must agree on every verdict, gate by gate, and on every phase, whatever is forgotten in between.

use std::collections::BTreeSet;

use blotter_process::{Phase, Process};
use blotter_record::{Json, Jti, Policy};
use proptest::prelude::*;

use crate::history::from_scratch;
use crate::log::{Log, Refused, Say, list, say};
use crate::script::nobodys;
use crate::transitions::WAYS;

const INCIDENTS: [&str; 3] = ["incident/M-0", "incident/M-1", "incident/M-2"];
const PHASES: [&str; 6] = ["initiate", "assess", "execute", "validate", "close", "improve"];
/// Two with every role, and an analyst.
const PEOPLE: [&str; 3] = ["person/mia", "person/max", "person/ana"];

#[derive(Debug, Clone, Copy, PartialEq)]
enum Act {
    Open,
    Link(u8),
    Unlink(u8),
    Acknowledge,
    Intel,
    Severity,
    /// Confirmed, or dismissed.
    Verdict(bool),
    /// These assets, by bits.
    Scope(u8),
    Playbook,
    StartContainment,
    Contain(u8),
    Lose(u8),
    Clean(u8),
    Risk,
    Restore(u8),
    Validate(u8, bool),
    SignOff(bool),
    Recover,
    Class,
    Occurrence,
    Detection,
    RootCause,
    Report,
    Task,
    TaskDone,
    Close,
    Reopen,
    Review,
    Feedback,
    /// Whether there was something to learn.
    Lesson(bool),
    ActionDone,
    /// Into another, by its number.
    Merge(u8),
    Brief,
    /// To a phase; whether unmet gates are overridden.
    Enter(u8, bool),
    /// Onwards from wherever it is.
    GoOn,
    /// What the phase it is in waits for: the n-th thing.
    Work(u8),
    /// The statement so many before the last of this incident.
    Retract(u8),
    /// A gate of one's own, for a phase: that there was a briefing; set or withdrawn.
    OwnGate(u8, bool),
}

#[derive(Debug, Clone, Copy)]
struct Step {
    incident: usize,
    act: Act,
    by: usize,
    /// It is tried and then undone, as in a list that is refused.
    undone: bool,
    /// What the process is made to forget first: the incident, everything.
    forget: u8,
}

/// What was recorded.
#[derive(Debug, Clone)]
struct Fact {
    incident: usize,
    act: Act,
    by: usize,
    jti: Jti,
    back: bool,
}

/// The history, as the model keeps it.
#[derive(Default, Clone)]
struct Model(Vec<Fact>);

type Verdict = Result<(), BTreeSet<String>>;

impl Model {
    /// All of an incident, with their places in the history; what was taken back, too.
    fn all(&self, incident: usize) -> impl DoubleEndedIterator<Item = (usize, &Fact)> {
        self.0.iter().enumerate().filter(move |(_, fact)| fact.incident == incident)
    }

    fn live(&self, incident: usize) -> impl DoubleEndedIterator<Item = (usize, &Fact)> {
        self.all(incident).filter(|(_, fact)| !fact.back)
    }

    fn last(&self, incident: usize, is: impl Fn(Act) -> bool) -> Option<(usize, Act)> {
        self.live(incident).rev().find(|(_, fact)| is(fact.act)).map(|(at, fact)| (at, fact.act))
    }

    /// The last one, taken back or not.
    fn last_ever(&self, incident: usize, is: impl Fn(Act) -> bool) -> Option<usize> {
        self.all(incident).rev().find(|(_, fact)| is(fact.act)).map(|(at, _)| at)
    }

    fn has(&self, incident: usize, is: impl Fn(Act) -> bool) -> bool {
        self.last(incident, is).is_some()
    }

    fn opened(&self, incident: usize) -> bool {
        self.last_ever(incident, |act| act == Act::Open).is_some()
    }

    fn merged(&self, incident: usize) -> bool {
        self.last_ever(incident, |act| matches!(act, Act::Merge(_))).is_some()
    }

    /// Its phase, and since when.
    fn phase(&self, incident: usize) -> (usize, usize) {
        let entered = self.last_ever(incident, |act| matches!(act, Act::Enter(..)));
        match entered.map(|at| (at, self.0[at].act)) {
            Some((at, Act::Enter(to, _))) => (to.into(), at),
            _ => (0, self.last_ever(incident, |act| act == Act::Open).unwrap_or(0)),
        }
    }

    fn dismissed(&self, incident: usize) -> Option<bool> {
        match self.last(incident, |act| matches!(act, Act::Verdict(_))) {
            Some((_, Act::Verdict(confirmed))) => Some(!confirmed),
            _ => None,
        }
    }

    fn scope(&self, incident: usize) -> u8 {
        match self.last(incident, |act| matches!(act, Act::Scope(_))) {
            Some((_, Act::Scope(assets))) => assets,
            _ => 0,
        }
    }

    fn contained(&self, incident: usize) -> bool {
        let newest = self.last(incident, |act| matches!(act, Act::Contain(_) | Act::Lose(_)));
        let holds = |asset: u8| {
            let about = |act| match act {
                Act::Contain(assets) => assets & asset != 0,
                Act::Lose(assets) => assets & asset != 0 || assets == 0,
                _ => false,
            };
            matches!(self.last(incident, about), Some((_, Act::Contain(_))))
        };
        let scope = self.scope(incident);
        matches!(newest, Some((_, Act::Contain(_))))
            && [1, 2].into_iter().all(|asset| scope & asset == 0 || holds(asset))
    }

    fn eradicated(&self, incident: usize) -> bool {
        let clean = |asset: u8| self.has(incident, |act| matches!(act, Act::Clean(assets) if assets & asset != 0));
        let scope = self.scope(incident);
        let all = [1, 2].into_iter().all(|asset| scope & asset == 0 || clean(asset));
        self.has(incident, |act| act == Act::Risk) || (all && self.has(incident, |act| matches!(act, Act::Clean(_))))
    }

    fn validated(&self, incident: usize) -> bool {
        let mut passed = 0;
        for asset in [0, 1] {
            let newest =
                self.last(incident, |act| matches!(act, Act::Restore(of) | Act::Validate(of, _) if of == asset));
            match newest {
                Some((_, Act::Restore(_) | Act::Validate(_, false))) => return false,
                Some(_) => passed += 1,
                None => {}
            }
        }
        passed > 0
    }

    fn signed_off(&self, incident: usize) -> bool {
        let Some((at, Act::SignOff(true))) = self.last(incident, |act| matches!(act, Act::SignOff(_))) else {
            return false;
        };
        let later = |seq: Option<usize>| seq.is_none_or(|seq| seq < at);
        later(self.last_ever(incident, |act| matches!(act, Act::Enter(3, _))))
            && later(self.last(incident, |act| matches!(act, Act::Restore(_) | Act::Lose(_))).map(|(at, _)| at))
            && later(self.last(incident, |act| matches!(act, Act::Validate(_, false))).map(|(at, _)| at))
    }

    fn closed(&self, incident: usize) -> bool {
        let mut closed = false;
        let mut phase = 0;
        for (_, fact) in self.all(incident) {
            match fact.act {
                Act::Close => closed = true,
                Act::Reopen => closed = false,
                Act::Enter(to, _) => {
                    closed &= !(phase >= 4 && matches!(to, 1 | 2));
                    phase = to;
                }
                _ => {}
            }
        }
        closed
    }

    /// Whether there is one since it was reopened, or moved back behind its closing.
    fn has_again(&self, incident: usize, act: Act) -> bool {
        let mut phase = 0;
        let mut has = false;
        for (_, fact) in self.all(incident) {
            match fact.act {
                other if other == act => has |= !fact.back,
                Act::Reopen => has = false,
                Act::Enter(to, _) => {
                    has &= !(phase >= 4 && matches!(to, 1 | 2));
                    phase = to;
                }
                _ => {}
            }
        }
        has
    }

    fn record(&self, incident: usize) -> Vec<(&'static str, bool)> {
        let has = |act: Act| self.has(incident, |other| other == act);
        let mut record =
            vec![("record.severity", has(Act::Severity)), ("record.verdict", self.dismissed(incident).is_some())];
        if self.dismissed(incident) != Some(true) {
            record.extend([
                ("record.class", has(Act::Class)),
                ("record.occurrence", has(Act::Occurrence)),
                ("record.detection", has(Act::Detection)),
                ("record.root-cause", has(Act::RootCause)),
            ]);
        }
        let task = self.last(incident, |act| matches!(act, Act::Task | Act::TaskDone));
        record.push(("tasks", !matches!(task, Some((_, Act::Task)))));
        record
    }

    fn lessons(&self, incident: usize) -> Vec<(&'static str, bool)> {
        let has = |act: Act| self.has(incident, |other| other == act);
        // There is one lesson, and one action of it, opened with it; a lesson told anew keeps what it led to.
        let newest = self.last(incident, |act| matches!(act, Act::Lesson(_)));
        let led = match newest {
            Some((_, Act::Lesson(to_learn))) => {
                let first = self.all(incident).find(|(_, fact)| matches!(fact.act, Act::Lesson(_))).map(|(at, _)| at);
                let done = self.last(incident, |act| act == Act::ActionDone).map(|(at, _)| at);
                !to_learn || done > first
            }
            _ => true,
        };
        vec![
            ("review", self.has_again(incident, Act::Review)),
            ("feedback", has(Act::Feedback)),
            ("lessons", newest.is_some()),
            ("lessons.led", led),
        ]
    }

    fn gates(&self, incident: usize, to: usize) -> Vec<(&'static str, bool)> {
        let has = |act: Act| self.has(incident, |other| other == act);
        let (from, since) = self.phase(incident);
        let dismissed = self.dismissed(incident);
        let mut gates = match (from, to) {
            (0, 1) => {
                let linked = |alert| {
                    let newest =
                        self.last(incident, |act| matches!(act, Act::Link(of) | Act::Unlink(of) if of == alert));
                    matches!(newest, Some((_, Act::Link(_))))
                };
                vec![("telemetry", linked(0) || linked(1)), ("acknowledged", has(Act::Acknowledge))]
            }
            (1, 2) => {
                let confirmed = ("confirmed", dismissed == Some(false));
                vec![("intel", has(Act::Intel)), ("severity", has(Act::Severity)), confirmed]
            }
            (1, 4) => {
                let dismissed = ("dismissed", dismissed == Some(true));
                vec![("intel", has(Act::Intel)), ("severity", has(Act::Severity)), dismissed]
            }
            (2, 3) => vec![
                ("playbook", has(Act::Playbook)),
                ("tools", has(Act::StartContainment)),
                ("containment", self.contained(incident)),
                ("eradication", self.eradicated(incident)),
            ],
            (2, 4) => vec![("dismissed", dismissed == Some(true))],
            (3, 4) => vec![("validation", self.validated(incident)), ("sign-off", self.signed_off(incident))],
            (4, 5) => {
                let mut gates = self.record(incident);
                gates.push(("report", self.has_again(incident, Act::Report)));
                gates.push(("closed", self.closed(incident)));
                gates
            }
            (5, 4) => self.lessons(incident),
            _ => {
                let failed = self.last(incident, |act| matches!(act, Act::Validate(_, false)));
                let refused = self.last(incident, |act| matches!(act, Act::SignOff(_)));
                let refused = refused.filter(|(_, act)| *act == Act::SignOff(false));
                let lost = self.last(incident, |act| matches!(act, Act::Lose(_)));
                let setback = [failed, refused, lost].into_iter().flatten().any(|(at, _)| at > since);
                let reopened = self.last_ever(incident, |act| act == Act::Reopen).is_some_and(|at| at > since);
                let back = if to == 2 && from >= 4 { setback || reopened } else { from == 3 && setback };
                return vec![match (from, to) {
                    (3, 2) => ("setback", back),
                    (_, 2) => ("reopened", back),
                    _ => ("reopened", reopened),
                }];
            }
        };
        let own = self.0.iter().rev().find_map(|fact| match fact.act {
            Act::OwnGate(of, stands) if usize::from(of) == from => Some(stands),
            _ => None,
        });
        if own == Some(true) {
            gates.push(("own.x.soc.briefed", has(Act::Brief)));
        }
        gates
    }

    /// `None`: the role is missing.
    fn judge(&self, step: &Step) -> Option<Verdict> {
        let incident = step.incident;
        let all = |gates: Vec<(&str, bool)>| {
            let unmet: BTreeSet<String> =
                gates.into_iter().filter(|(_, met)| !met).map(|(code, _)| code.to_owned()).collect();
            if unmet.is_empty() { Ok(()) } else { Err(unmet) }
        };
        let (phase, _) = self.phase(incident);
        let opened = self.opened(incident);
        let validate = || vec![("validation", self.validated(incident)), ("sign-off", self.signed_off(incident))];
        let analyst = step.by == 2;
        let decides = matches!(step.act, Act::SignOff(true) | Act::Recover | Act::Close | Act::Reopen | Act::Enter(..));
        if decides && self.merged(incident) {
            return Some(all(vec![("merged", false)]));
        }
        Some(match step.act {
            Act::Open => all(vec![("new", !opened)]),
            Act::SignOff(true) => {
                let works = |act| matches!(act, Act::Contain(_) | Act::Clean(_) | Act::Restore(_));
                let worked = self.all(incident).any(|(_, fact)| fact.by == step.by && works(fact.act));
                let gates = [("phase", opened && phase == 3), ("separation", !worked)];
                all([&validate()[..1], &gates].concat())
            }
            Act::Recover => all(validate()),
            Act::Close => {
                let mut gates = self.record(incident);
                gates.push(("phase", opened && phase == 4));
                gates.push(("report", self.has_again(incident, Act::Report)));
                all(gates)
            }
            Act::Reopen => all(vec![("phase", opened && phase >= 4)]),
            Act::Merge(into) => {
                let into = usize::from(into);
                all(vec![
                    ("opened", opened),
                    ("merged", !self.merged(incident)),
                    ("target.open", self.opened(into) && !self.merged(into)),
                ])
            }
            Act::Enter(to, overrides) => {
                if !opened {
                    return Some(all(vec![("opened", false)]));
                }
                let way = WAYS.iter().find(|(a, b, ..)| (*a, *b) == (PHASES[phase], PHASES[usize::from(to)]));
                let Some((_, _, roles, _)) = way else { return Some(all(vec![("transition", false)])) };
                if analyst && (overrides || !roles.contains(&"soc_analyst")) {
                    return None;
                }
                let mut gates = vec![("trigger", self.trigger(incident, usize::from(to)).is_some())];
                if !overrides {
                    gates.extend(self.gates(incident, to.into()));
                }
                all(gates)
            }
            _ => Ok(()),
        })
    }

    /// The newest statement that can trigger the way, taken back or not.
    fn trigger(&self, incident: usize, to: usize) -> Option<Jti> {
        let (from, _) = self.phase(incident);
        let (.., triggers) = WAYS.iter().find(|(a, b, ..)| (*a, *b) == (PHASES[from], PHASES[to]))?;
        let fits = |fact: &Fact| triggers.contains(&event(fact.act));
        self.all(incident).rev().find(|(_, fact)| fits(fact)).map(|(_, fact)| fact.jti)
    }
}

fn event(act: Act) -> &'static str {
    match act {
        Act::Open => "incident.opened",
        Act::Link(_) => "alert.linked",
        Act::Unlink(_) => "alert.unlinked",
        Act::Acknowledge => "incident.acknowledged",
        Act::Intel => "intel.attached",
        Act::Severity => "severity.assessed",
        Act::Verdict(_) => "incident.confirmed",
        Act::Scope(_) => "scope.assessed",
        Act::Playbook => "playbook.started",
        Act::StartContainment => "containment.started",
        Act::Contain(_) => "containment.achieved",
        Act::Lose(_) => "containment.lost",
        Act::Clean(_) => "eradication.completed",
        Act::Risk => "risk.accepted",
        Act::Restore(_) => "system.restored",
        Act::Validate(..) => "validation.performed",
        Act::SignOff(_) => "validation.signed-off",
        Act::Recover => "incident.recovered",
        Act::Class => "incident.classified",
        Act::Occurrence => "occurrence.asserted",
        Act::Detection => "detection.asserted",
        Act::RootCause => "root-cause.identified",
        Act::Report => "report.published",
        Act::Task => "task.opened",
        Act::TaskDone => "task.completed",
        Act::Close => "incident.closed",
        Act::Reopen => "incident.reopened",
        Act::Review => "review.held",
        Act::Feedback => "feedback.recorded",
        Act::Lesson(_) => "lesson.recorded",
        Act::ActionDone => "action.completed",
        Act::Merge(_) => "incident.merged",
        Act::Brief => "x.soc.briefed",
        Act::Enter(..) => "phase.entered",
        Act::Retract(_) => "retraction.recorded",
        Act::OwnGate(..) => "policy.set",
        Act::GoOn | Act::Work(_) => unreachable!("made into another act first"),
    }
}

/// The n-th thing that a phase waits for, about.
fn work(phase: usize, n: u8) -> Act {
    let acts: &[Act] = match phase {
        0 => &[Act::Link(0), Act::Acknowledge, Act::GoOn],
        1 => &[Act::Intel, Act::Severity, Act::Verdict(true), Act::GoOn],
        2 => &[
            Act::Playbook,
            Act::StartContainment,
            Act::Contain(3),
            Act::Clean(3),
            Act::Restore(0),
            Act::GoOn,
            Act::GoOn,
        ],
        3 => &[Act::Validate(0, true), Act::Validate(1, true), Act::SignOff(true), Act::GoOn],
        4 => &[
            Act::Class,
            Act::Occurrence,
            Act::Detection,
            Act::RootCause,
            Act::Report,
            Act::TaskDone,
            Act::Close,
            Act::GoOn,
            Act::Reopen,
        ],
        _ => &[Act::Review, Act::Feedback, Act::Lesson(false), Act::ActionDone, Act::GoOn],
    };
    acts[usize::from(n) % acts.len()]
}

fn assets(bits: u8) -> Json {
    list(&[1, 2].into_iter().filter(|bit| bits & bit != 0).map(|bit| format!("asset/{}", bit - 1)).collect::<Vec<_>>())
}

/// What is said; a transition that overrides names `unmet`.
fn saying(step: &Step, model: &Model, unmet: &BTreeSet<String>) -> Say {
    let incident = INCIDENTS[step.incident];
    let lesson = format!("lesson/of-{}", step.incident);
    let sub = match step.act {
        Act::Feedback | Act::Lesson(_) | Act::ActionDone => lesson.as_str(),
        Act::OwnGate(..) => "policy/process",
        _ => incident,
    };
    let said = say(PEOPLE[step.by], event(step.act), sub);
    let said = if sub == lesson { said.about(&[incident]) } else { said };
    match step.act {
        Act::Link(n) | Act::Unlink(n) => said.fact("alert", format!("alert/{n}")),
        Act::Verdict(confirmed) => said.fact("verdict", if confirmed { "true-positive" } else { "benign" }),
        Act::Scope(bits) | Act::Contain(bits) | Act::Lose(bits) | Act::Clean(bits) => said.fact("assets", assets(bits)),
        Act::Risk => said.fact("expires", "2030-01-01T00:00:00Z"),
        Act::Restore(n) => said.fact("asset", format!("asset/{n}")),
        Act::Validate(n, passed) => {
            said.fact("asset", format!("asset/{n}")).fact("result", if passed { "pass" } else { "fail" })
        }
        Act::SignOff(accepted) => said.fact("outcome", if accepted { "accepted" } else { "refused" }),
        Act::Close => {
            let report = model.last(step.incident, |act| act == Act::Report).map(|(at, _)| model.0[at].jti.to_string());
            said.fact("report", report.unwrap_or_else(nobodys))
        }
        Act::Lesson(to_learn) => said.fact("none_found", Json::Bool(!to_learn)),
        Act::ActionDone => said.fact("action", format!("action/of-{}", step.incident)),
        Act::Merge(into) => {
            let into = INCIDENTS[usize::from(into)];
            said.fact("into", into).about(&[into])
        }
        Act::Enter(to, overrides) => {
            let (from, _) = model.phase(step.incident);
            let trigger = model.trigger(step.incident, to.into()).map_or_else(nobodys, |jti| jti.to_string());
            let said = said.fact("from", PHASES[from]).fact("to", PHASES[usize::from(to)]).fact("trigger", trigger);
            if overrides {
                crate::script::overriding(said, &unmet.iter().map(String::as_str).collect::<Vec<_>>())
            } else {
                said
            }
        }
        Act::OwnGate(phase, stands) => said
            .fact("key", format!("gate:{}:x.soc.briefed", PHASES[usize::from(phase)]))
            .fact("version", if stands { "1" } else { "off" }),
        _ => said,
    }
}

/// Both are told the same, and say the same.
fn tell(steps: &[Step]) {
    let mut log = Log::new();
    for actor in ["person/mia", "person/max"] {
        use blotter_record::Role::{Ciso, GrcLead, ItOpsLead, SocAnalyst};
        [SocAnalyst, ItOpsLead, Ciso, GrcLead].into_iter().for_each(|role| log.grant(actor, role));
    }
    log.grant("person/ana", blotter_record::Role::ItOpsLead);
    let mut model = Model::default();
    for step in steps {
        let Some(step) = made_plain(*step, &model) else { continue };
        forget(&mut log.process, &step);
        take(&mut log, &mut model, &step);
        for (n, id) in INCIDENTS.into_iter().enumerate() {
            let wanted = model.opened(n).then(|| PHASES[model.phase(n).0]);
            let incident = log.incident(id);
            assert_eq!(incident.current_phase().map(Phase::name), wanted, "{id} after {step:?}");
            assert_eq!(incident.merged_into.is_some(), model.merged(n), "{id} after {step:?}");
        }
    }
    for id in INCIDENTS {
        let id = id.parse().unwrap();
        let remembered = log.process.incident(&id, &log.record).unwrap().clone();
        assert_eq!(remembered, from_scratch(&log, &id), "what is remembered is what the stream says");
        assert_eq!(&remembered, Process::default().incident(&id, &log.record).unwrap());
    }
}

/// What depends on where the incident is, made into what it is there.
fn made_plain(step: Step, model: &Model) -> Option<Step> {
    let (phase, _) = model.phase(step.incident);
    let mut act = step.act;
    if let Act::Work(n) = act {
        act = work(phase, n);
    }
    if act == Act::GoOn {
        act = Act::Enter([1, 2, 3, 4, 5, 4][phase], false);
    }
    // An analyst does what an analyst may: the vocabulary is not what is tested here.
    let manager = matches!(
        act,
        Act::Risk
            | Act::SignOff(_)
            | Act::Recover
            | Act::Report
            | Act::Close
            | Act::Review
            | Act::Lesson(_)
            | Act::Merge(_)
            | Act::Retract(_)
            | Act::OwnGate(..)
    );
    let by = if manager { step.by % 2 } else { step.by };
    (act != Act::Merge(step.incident as u8)).then_some(Step { act, by, ..step })
}

fn forget(process: &mut Process, step: &Step) {
    match step.forget {
        0 => process.forget(&INCIDENTS[step.incident].parse().unwrap()),
        1 => process.forget_all(),
        2 => process.forget(&"policy/process".parse().unwrap()),
        3 => process.forget(&format!("lesson/of-{}", step.incident).parse().unwrap()),
        _ => {}
    }
}

fn take(log: &mut Log, model: &mut Model, step: &Step) {
    if let Act::Retract(before) = step.act {
        let of = model.all(step.incident).rev().nth(before.into()).map(|(at, _)| at);
        if let Some(at) = of.filter(|at| !matches!(model.0[*at].act, Act::Retract(_) | Act::OwnGate(..))) {
            let said = say(PEOPLE[step.by], "retraction.recorded", INCIDENTS[step.incident]);
            log.say(said.fact("of", model.0[at].jti.to_string()));
            model.0[at].back = true;
        }
        return;
    }
    let unmet: BTreeSet<String> = match step.act {
        Act::Enter(to, true) => {
            model.gates(step.incident, to.into()).into_iter().map(|(code, _)| code.to_owned()).collect()
        }
        _ => BTreeSet::new(),
    };
    let said = saying(step, model, &unmet);
    let wanted = model.judge(step);
    let answer = if step.undone { log.would(&said).map(|()| None) } else { log.tries(&said).map(Some) };
    match (&answer, wanted) {
        (Ok(jti), Some(Ok(()))) => {
            if let Some(jti) = *jti {
                let fact = Fact { incident: step.incident, act: step.act, by: step.by, jti, back: false };
                model.0.push(fact);
                if matches!(step.act, Act::Lesson(_)) && !has_action(log, step.incident) {
                    open_action(log, step.incident);
                }
            }
        }
        (Err(Refused::Role(_)), None) => {}
        (Err(Refused::Gates(_)), Some(Err(codes))) => {
            let told = answer.as_ref().unwrap_err().codes().into_iter().map(str::to_owned).collect();
            assert_eq!(codes, told, "{step:?}");
        }
        (answer, wanted) => panic!("{step:?}: the process says {answer:?}, the model {wanted:?}"),
    }
}

fn has_action(log: &Log, incident: usize) -> bool {
    let stream = format!("lesson/of-{incident}");
    let mut said = log.record.entries.iter().filter_map(|entry| entry.statement.as_ref());
    said.any(|said| said.event.as_str() == "action.opened" && said.sub.as_str() == stream)
}

fn open_action(log: &mut Log, incident: usize) {
    let said = say("person/mia", "action.opened", &format!("lesson/of-{incident}")).about(&[INCIDENTS[incident]]);
    log.say(said.fact("action", format!("action/of-{incident}")));
}

fn acts() -> impl Strategy<Value = Act> {
    let other = prop_oneof![
        (0..2_u8).prop_map(Act::Link),
        (0..2_u8).prop_map(Act::Unlink),
        any::<bool>().prop_map(Act::Verdict),
        (0..4_u8).prop_map(Act::Scope),
        (1..4_u8).prop_map(Act::Contain),
        (0..4_u8).prop_map(Act::Lose),
        (1..4_u8).prop_map(Act::Clean),
        Just(Act::Risk),
        (0..2_u8).prop_map(Act::Restore),
        (0..2_u8, any::<bool>()).prop_map(|(asset, passed)| Act::Validate(asset, passed)),
        any::<bool>().prop_map(Act::SignOff),
        prop_oneof![Just(Act::Recover), Just(Act::Task), Just(Act::Brief), Just(Act::Reopen), Just(Act::Open)],
        any::<bool>().prop_map(Act::Lesson),
        Just(Act::ActionDone),
        Just(Act::Severity),
    ];
    prop_oneof![
        10 => (0..9_u8).prop_map(Act::Work),
        4 => other,
        2 => Just(Act::GoOn),
        2 => (0..6_u8, prop::bool::weighted(0.4)).prop_map(|(to, overrides)| Act::Enter(to, overrides)),
        1 => (0..12_u8).prop_map(Act::Retract),
        1 => prop_oneof![
            1 => (0..3_u8).prop_map(Act::Merge),
            3 => (0..6_u8, any::<bool>()).prop_map(|(phase, stands)| Act::OwnGate(phase, stands)),
        ],
    ]
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let incident = prop_oneof![6 => Just(0_usize), 1 => Just(1), 1 => Just(2)];
    let step = (incident, acts(), 0..3_usize, prop::bool::weighted(0.1), 0..40_u8);
    let step = step.prop_map(|(incident, act, by, undone, forget)| Step { incident, act, by, undone, forget });
    (0..6_usize, prop::collection::vec(step, 1..120)).prop_map(|(phase, mut steps)| {
        let plain = |incident, act, by| Step { incident, act, by, undone: false, forget: 9 };
        let mut story = vec![plain(0, Act::Open, 0), plain(1, Act::Open, 0)];
        for earlier in 0..phase {
            let done = (0..).map(|n| work(earlier, n)).take_while(|act| *act != Act::GoOn);
            // The one who signs off is another than the one who works.
            story.extend(done.map(|act| plain(0, act, usize::from(matches!(act, Act::SignOff(_))))));
            story.push(plain(0, Act::GoOn, 0));
        }
        story.append(&mut steps);
        story
    })
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(192) })]

    #[test]
    fn the_process_and_the_model_agree_on_every_story(steps in steps()) {
        tell(&steps);
    }
}
