//! A run of a playbook: what has been done, what can come next, and whether something departs from the workflow. Pure: a
//! run is folded from what was recorded, mark by mark. A step that is done again begins a round anew: what lies behind it is
//! forgotten.

use std::collections::{BTreeSet, HashMap};

use super::flow::{self, Flow};
use super::playbook::{Playbook, Step, StepKind};

/// How a step ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Outcome {
    /// As it should.
    Done,
    /// It was tried, and did not work.
    Failed,
    /// It was left out.
    Skipped,
}

impl Outcome {
    /// The record's word.
    pub fn word(self) -> &'static str {
        match self {
            Self::Done => "done",
            Self::Failed => "failed",
            Self::Skipped => "skipped",
        }
    }

    /// The outcome of that word.
    pub fn from_word(word: &str) -> Option<Self> {
        [Self::Done, Self::Failed, Self::Skipped].into_iter().find(|outcome| outcome.word() == word)
    }
}

/// What was said of a step.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mark {
    /// It was begun.
    Started,
    /// It ended.
    Completed(Outcome),
}

/// Where a step stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum State {
    /// Begun, and not over.
    Started {
        /// Whether the workflow foresaw it then.
        foreseen: bool,
    },
    /// Over.
    Completed(Outcome),
}

/// How something departs from the workflow.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Deviation {
    /// The playbook has no such step.
    NotInPlaybook,
    /// The workflow foresees other steps now.
    OutOfOrder {
        /// The ids of those.
        foreseen: Vec<String>,
    },
    /// It was begun before, and is not over.
    AlreadyStarted,
    /// It is being completed, and was begun when the workflow did not foresee it.
    StartedOutOfOrder,
}

/// A run of a playbook, as far as it got.
#[derive(Debug, Clone)]
pub struct Run<'a> {
    playbook: &'a Playbook,
    places: HashMap<&'a str, usize>,
    states: Vec<Option<State>>,
}

impl<'a> Run<'a> {
    /// A run in which nothing was done.
    pub fn new(playbook: &'a Playbook) -> Self {
        let places = playbook.steps.iter().enumerate().map(|(place, step)| (step.id.as_str(), place)).collect();
        Self { playbook, places, states: vec![None; playbook.steps.len()] }
    }

    /// Where a step of the playbook stands; `None` if nothing was said of it, or another round has begun since.
    pub fn state(&self, step: &str) -> Option<State> {
        self.places.get(step).and_then(|place| self.states[*place])
    }

    /// The steps of work that can come next or were begun, in the order of the playbook.
    pub fn next(&self) -> Vec<&'a Step> {
        let flow = self.flow();
        flow.next.iter().map(|place| &self.playbook.steps[*place]).filter(|step| step.kind.is_work()).collect()
    }

    /// Whether it can end here: no step is left that must be done. A condition can still lead to more.
    pub fn can_end(&self) -> bool {
        self.flow().ended
    }

    /// How it departs from the workflow to say this of a step now; `None` if it does not.
    pub fn deviation(&self, step: &str, mark: Mark) -> Option<Deviation> {
        let Some(place) = self.places.get(step).copied() else { return Some(Deviation::NotInPlaybook) };
        match (self.states[place], mark) {
            (Some(State::Started { .. }), Mark::Started) => return Some(Deviation::AlreadyStarted),
            (Some(State::Started { foreseen: true }), Mark::Completed(_)) => return None,
            (Some(State::Started { foreseen: false }), Mark::Completed(_)) => {
                return Some(Deviation::StartedOutOfOrder);
            }
            (Some(State::Completed(_)) | None, _) => {}
        }
        let flow = self.flow();
        if flow.next.contains(&place) || flow.passed.contains(&place) {
            return None;
        }
        Some(Deviation::OutOfOrder { foreseen: self.next().into_iter().map(|step| step.id.clone()).collect() })
    }

    /// Takes note of what was said of a step, whether it departs from the workflow or not; and how it did.
    pub fn note(&mut self, step: &str, mark: Mark) -> Option<Deviation> {
        let deviation = self.deviation(step, mark);
        let Some(place) = self.places.get(step).copied() else { return deviation };
        if matches!(self.states[place], Some(State::Completed(_))) {
            self.forget_from(place);
        }
        self.states[place] = Some(match (mark, self.states[place]) {
            (Mark::Completed(outcome), _) => State::Completed(outcome),
            (Mark::Started, Some(started @ State::Started { .. })) => started,
            (Mark::Started, _) => State::Started { foreseen: deviation.is_none() },
        });
        deviation
    }

    /// A round begins anew at a step: forgets it, and all that lies behind it, up to the condition that asks for the round.
    fn forget_from(&mut self, place: usize) {
        let mut seen = BTreeSet::new();
        let mut ahead = vec![place];
        while let Some(place) = ahead.pop() {
            if !seen.insert(place) {
                continue;
            }
            self.states[place] = None;
            let step = &self.playbook.steps[place];
            if step.kind != StepKind::WhileCondition {
                ahead.extend(step.successors.iter().filter_map(|successor| self.places.get(successor.to.as_str())));
            }
        }
    }

    fn flow(&self) -> Flow {
        flow::walk(self.playbook, &self.places, &self.states)
    }
}
