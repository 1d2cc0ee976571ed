//! What an incident's stream adds up to: the state that gates are judged by and that people are shown. A pure fold over
//! the facts of its entries; it cannot fail, asks no clock, and names every event, so that a new one asks it what it means.

use std::collections::{BTreeMap, BTreeSet};

use blotter_record::{ActorId, Id, Jti, Statement};

use crate::phase::Phase;

/// A value, and the entry that made it so.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Made<T> {
    /// The value.
    pub value: T,
    /// Seq of the entry.
    pub seq: u64,
}

/// An entry of the stream, as the fold takes it.
#[derive(Debug, Clone, Copy)]
pub struct Said<'a> {
    /// Its seq.
    pub seq: u64,
    /// When it was recorded, in microseconds since 1970.
    pub recorded_us: i64,
    /// What it says.
    pub statement: &'a Statement,
}

/// An incident, after some of its entries.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Incident {
    /// Entries folded.
    pub entries: u64,
    /// The first, and the last.
    pub first_seq: Option<u64>,
    /// The last of them.
    pub last_seq: u64,
    /// When that was recorded.
    pub updated_us: i64,
    /// Whether an import began it.
    pub imported: bool,
    /// Who opened it, and when that was recorded.
    pub opened: Option<Made<Opened>>,
    /// Its phase, by `phase.entered` alone.
    pub phase: Option<Made<Phase>>,
    /// Every phase it entered.
    pub phases: Vec<Entered>,
    /// Transitions and decisions that were refused and recorded so.
    pub refusals: Vec<u64>,
    /// Statements that came in another phase than the vocabulary files them under.
    pub out_of_phase: Vec<u64>,
    /// Who leads it.
    pub lead: Option<Made<ActorId>>,
    /// Who else was assigned, by role.
    pub assigned: BTreeMap<String, Made<ActorId>>,
    /// Its category.
    pub category: Option<Made<String>>,
    /// Its marking.
    pub tlp: Option<Made<String>>,
    /// Who may read it, if it is restricted.
    pub readers: BTreeSet<ActorId>,
    /// Acknowledged by a person.
    pub acknowledged: Option<Made<ActorId>>,
    /// Alerts and reports that it has, and the entry that linked each.
    pub alerts: BTreeMap<Id, u64>,
    /// Threat intelligence that was considered; `none-found` counts.
    pub intel: Vec<u64>,
    /// Its severity.
    pub severity: Option<Made<Severity>>,
    /// All severities ever assessed, as (seq, level).
    pub severities: Vec<(u64, i64)>,
    /// The verdict.
    pub verdict: Option<Made<String>>,
    /// Its classes, by scheme.
    pub classes: BTreeMap<String, Made<String>>,
    /// When it began, as asserted, in microseconds since 1970.
    pub occurred: Option<Made<i64>>,
    /// When it was detected, as asserted.
    pub detected: Option<Made<i64>>,
    /// What it affects: the newest assessment.
    pub scope: Option<Made<Scope>>,
    /// Techniques attributed to it (ATT&CK codes).
    pub techniques: BTreeMap<String, u64>,
    /// Observables that it has.
    pub observables: BTreeSet<Id>,
    /// Its root cause.
    pub root_cause: Option<Made<String>>,
    /// Runs of playbooks, by the `jti` that started each.
    pub runs: BTreeMap<Jti, Run>,
    /// Containment was started.
    pub containment_started: Option<u64>,
    /// Assets that are contained now, and the entry that says so.
    pub contained: BTreeMap<Id, u64>,
    /// The newest `containment.achieved`.
    pub containment: Option<Made<ActorId>>,
    /// The newest `containment.lost`.
    pub containment_lost: Option<u64>,
    /// Assets that are clean, and the entry that says so.
    pub eradicated: BTreeMap<Id, u64>,
    /// The newest `eradication.completed`.
    pub eradication: Option<u64>,
    /// Accepted risks.
    pub risks: Vec<Risk>,
    /// Authorised actions.
    pub authorised: Vec<u64>,
    /// Assets restored: who, and by which entry, newest.
    pub restored: BTreeMap<Id, Made<ActorId>>,
    /// Everybody who restored, contained or cleaned something: they may not sign off.
    pub restorers: BTreeSet<ActorId>,
    /// The newest validation of each asset: passed or not.
    pub validated: BTreeMap<Id, Made<bool>>,
    /// The newest failed validation.
    pub validation_failed: Option<u64>,
    /// The newest sign-off: accepted or refused.
    pub signed_off: Option<Made<bool>>,
    /// Declared recovered.
    pub recovered: Option<u64>,
    /// Services interrupted and not resumed, and since when they say (microseconds).
    pub interrupted: BTreeMap<Id, Made<i64>>,
    /// Interruptions that ended: service, from, to.
    pub outages: Vec<(Id, i64, i64)>,
    /// The order of restoration, newest.
    pub restoration_order: Option<Made<Vec<Id>>>,
    /// Open tasks.
    pub tasks: BTreeMap<Id, Task>,
    /// Tasks completed.
    pub tasks_done: u64,
    /// Handovers given and not accepted, by their `jti`: to whom.
    pub handovers: BTreeMap<Jti, Made<ActorId>>,
    /// Escalations.
    pub escalations: Vec<Made<String>>,
    /// Open clocks: due at (microseconds), started by.
    pub clocks: BTreeMap<String, Made<i64>>,
    /// Clocks that were answered: code and the entry that answered.
    pub clocks_answered: BTreeMap<String, u64>,
    /// Evidence that is there (not disposed of), by its stream.
    pub evidence: BTreeSet<Id>,
    /// Evidence given out and not received back or by anybody, by the `jti` of its release.
    pub evidence_out: BTreeMap<Jti, Made<Id>>,
    /// Approvals to dispose of evidence: approver and evidence; an approval is used up.
    pub disposals: BTreeMap<Jti, (ActorId, Id)>,
    /// Holds in force.
    pub holds: BTreeMap<Id, u64>,
    /// Tickets and changes linked.
    pub links: Vec<u64>,
    /// Entries that record costs.
    pub costs: Vec<u64>,
    /// When it was resolved, as the statement says it occurred.
    pub resolved: Option<Made<String>>,
    /// Reports, by the `jti` that published each.
    pub reports: BTreeMap<Jti, u64>,
    /// Closed: resolution.
    pub closed: Option<Made<String>>,
    /// The entry by which work was last gone back to: it was reopened, or moved back behind its closing.
    pub resumed: Option<u64>,
    /// Entries that reopened it.
    pub reopened: Vec<u64>,
    /// Merged away, into this incident.
    pub merged_into: Option<Made<Id>>,
    /// Incidents that were merged into it, or that it was split from.
    pub related: BTreeMap<Id, u64>,
    /// The newest review.
    pub reviewed: Option<u64>,
    /// Feedback was given.
    pub feedback: Vec<u64>,
    /// Its lessons.
    pub lessons: BTreeMap<Id, Lesson>,
    /// It went through Improve and rests.
    pub improved: Option<u64>,
    /// Earlier incidents that it repeats.
    pub recurrences: BTreeMap<Id, u64>,
    /// Statements taken back.
    pub retracted: BTreeSet<Jti>,
    /// By event, also of users' own and of those that only newer rules know: how many, and the newest entry. What gates of an
    /// organisation ask for.
    pub events: BTreeMap<String, (u64, u64)>,
}

/// How an incident began.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Opened {
    /// By whom.
    pub by: ActorId,
    /// When that happened, in microseconds since 1970.
    pub at_us: i64,
}

/// A phase that was entered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entered {
    /// The phase.
    pub phase: Phase,
    /// Seq of the entry.
    pub seq: u64,
    /// When it happened, in microseconds since 1970.
    pub at_us: i64,
    /// Who signed it.
    pub by: ActorId,
    /// Gates that were unmet and overridden.
    pub overridden: Vec<String>,
}

/// A severity on the organisation's scale.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Severity {
    /// The scale and its version.
    pub scale: String,
    /// The level on it.
    pub level: i64,
}

/// What an incident affects.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Scope {
    /// Assets.
    pub assets: BTreeSet<Id>,
    /// Services.
    pub services: BTreeSet<Id>,
}

/// A run of a playbook.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Run {
    /// The playbook.
    pub playbook: Id,
    /// Its version.
    pub version: String,
    /// SHA-256 of its document.
    pub document_sha256: String,
    /// Seq of the entry that started it.
    pub seq: u64,
    /// Steps: outcome if it has one, and the newest entry.
    pub steps: BTreeMap<String, (Option<String>, u64)>,
}

/// A risk that the CISO accepted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Risk {
    /// Its code.
    pub code: String,
    /// Until when, in microseconds since 1970.
    pub expires_us: i64,
    /// The lesson that it answers.
    pub lesson: Option<Id>,
    /// Seq of the entry.
    pub seq: u64,
}

/// An open task.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Task {
    /// Who owes it.
    pub owner: ActorId,
    /// Until when, in microseconds since 1970.
    pub due_us: Option<i64>,
    /// Seq of the entry that opened it.
    pub seq: u64,
}

/// A lesson, as the incident's stream tells it.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Lesson {
    /// Seq of `lesson.recorded`; 0 if it was not.
    pub seq: u64,
    /// There was nothing to learn: it need lead nowhere.
    pub none_found: bool,
    /// The cause that it names.
    pub cause: Option<String>,
    /// Its actions.
    pub actions: BTreeMap<Id, Action>,
    /// A playbook version that names it, and the entry that published it.
    pub playbook: Option<u64>,
    /// Until when a risk that names it is accepted, in microseconds since 1970: of several, the one that lasts longest.
    pub risk: Option<Made<i64>>,
}

/// What a lesson led to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Action {
    /// Playbook, control, training, process or tooling.
    pub kind: String,
    /// Who owes it.
    pub owner: ActorId,
    /// Until when, in microseconds since 1970.
    pub due_us: i64,
    /// What is to be learned, for training.
    pub resource: Option<Id>,
    /// Seq of the entry that opened it.
    pub opened: u64,
    /// Seq of the entry that completed it.
    pub completed: Option<u64>,
    /// Whether it was found effective, and the entry that says so.
    pub verified: Option<Made<bool>>,
}

impl Lesson {
    /// Whether it was recorded; an action may have been opened for one that was not, or that was taken back.
    pub fn is_recorded(&self) -> bool {
        // Entry 0 founds the ledger.
        self.seq > 0
    }

    /// Whether it had led somewhere at `at_us`: a playbook version, a completed action, an accepted risk that had not
    /// expired; or there was none.
    pub fn led_somewhere(&self, at_us: i64) -> bool {
        self.none_found
            || self.playbook.is_some()
            || self.risk.as_ref().is_some_and(|until| until.value > at_us)
            || self.actions.values().any(|action| action.completed.is_some())
    }
}

impl Incident {
    /// Whether an entry is newer than what made work be gone back to: what was written before does not know of it.
    pub fn is_current(&self, seq: u64) -> bool {
        self.resumed.is_none_or(|resumed| seq > resumed)
    }

    /// The state after these entries of its stream, in their order. Statements that were taken back by
    /// `retraction.recorded` do not count, but for the ones that moved it or closed it: what moved cannot have not moved.
    pub fn of<'a>(id: &Id, said: impl Iterator<Item = Said<'a>> + Clone) -> Self {
        let mut state = Self::default();
        for entry in said.clone() {
            state.note_retraction(entry.statement);
        }
        for entry in said {
            state.fold(id, entry);
        }
        state
    }

    /// Takes note of what `statement` takes back.
    pub fn note_retraction(&mut self, statement: &Statement) {
        if statement.event.known() == Some(blotter_record::Event::RetractionRecorded) {
            self.retracted.extend(statement.facts.jti("of"));
        }
    }

    /// Whether the fold so far no longer holds, because `statement` takes back one that it may have counted: then fold
    /// the stream anew.
    pub fn is_undone_by(&self, statement: &Statement) -> bool {
        statement.event.known() == Some(blotter_record::Event::RetractionRecorded)
            && statement.facts.jti("of").is_some_and(|of| !self.retracted.contains(&of))
    }

    /// Where it stands: `opened` before any phase, a phase, `merged`, `closed` or `at rest`.
    pub fn status(&self) -> &'static str {
        match (&self.merged_into, &self.phase, &self.closed) {
            (Some(_), _, _) => "merged",
            (None, Some(phase), Some(_)) if phase.value == Phase::Close && self.improved.is_some() => "improved",
            (None, _, Some(_)) => "closed",
            (None, _, None) if self.resolved.is_some() => "resolved",
            (None, _, None) => "open",
        }
    }

    /// The phase that it is in: Initiate until another was entered.
    pub fn current_phase(&self) -> Option<Phase> {
        self.opened.as_ref()?;
        Some(self.phase.as_ref().map_or(Phase::Initiate, |phase| phase.value))
    }

    /// Seq of the entry by which it came into the phase that it is in.
    pub fn phase_since(&self) -> u64 {
        self.phase.as_ref().map(|phase| phase.seq).or(self.opened.as_ref().map(|opened| opened.seq)).unwrap_or(0)
    }

    /// Whether the verdict is that it was none.
    pub fn is_dismissed(&self) -> bool {
        self.verdict
            .as_ref()
            .is_some_and(|verdict| matches!(verdict.value.as_str(), "false-positive" | "benign" | "undetermined"))
    }
}
