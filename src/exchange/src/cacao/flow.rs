//! What a workflow foresees, by what was done so far.
//!
//! Nothing tells a run which way a condition went, so until a step of a branch is begun every branch is foreseen, and then
//! only those that were begun. A branch is over at an `end`; what the condition or parallel step names in `on_completion`
//! then follows.

use std::collections::{BTreeSet, HashMap};

use super::playbook::{Playbook, Step, StepKind, Way};
use super::run::{Outcome, State};

/// Walks from the start along what was done; every step is looked at once.
pub(super) fn walk<'a>(playbook: &'a Playbook, places: &HashMap<&'a str, usize>, states: &[Option<State>]) -> Flow {
    let (known, walking) = (vec![None; states.len()], vec![false; states.len()]);
    Walk { playbook, places, states, known, walking }.flow(Some(&playbook.workflow_start))
}

/// What the workflow foresees from a step on.
#[derive(Debug, Clone, Default)]
pub(super) struct Flow {
    /// Steps of work that can be begun, or were and are not over.
    pub(super) next: BTreeSet<usize>,
    /// Steps without work on the way there, of which something can be said.
    pub(super) passed: BTreeSet<usize>,
    /// Whether an end may have been reached: nothing that must be done is left.
    pub(super) ended: bool,
}

impl Flow {
    fn add(&mut self, other: Self) {
        self.next.extend(other.next);
        self.passed.extend(other.passed);
        self.ended |= other.ended;
    }
}

/// A walk from the start along what was done.
struct Walk<'r, 'a> {
    playbook: &'a Playbook,
    places: &'r HashMap<&'a str, usize>,
    states: &'r [Option<State>],
    known: Vec<Option<Flow>>,
    walking: Vec<bool>,
}

impl<'a> Walk<'_, 'a> {
    /// The flow from the step of this id; nothing if there is none.
    fn flow(&mut self, id: Option<&str>) -> Flow {
        let Some(place) = id.and_then(|id| self.places.get(id).copied()) else { return Flow::default() };
        if let Some(known) = &self.known[place] {
            return known.clone();
        }
        if std::mem::replace(&mut self.walking[place], true) {
            // Back at a condition whose branch this is: the round is over.
            return Flow { ended: true, ..Flow::default() };
        }
        let playbook: &'a Playbook = self.playbook;
        let step = &playbook.steps[place];
        let mut flow = match step.kind {
            StepKind::Start => self.flow(step.to(&Way::Completion)),
            StepKind::End => Flow { ended: true, ..Flow::default() },
            StepKind::Action | StepKind::PlaybookAction => self.work_flow(place, step),
            StepKind::Parallel => self.parallel_flow(step),
            StepKind::IfCondition | StepKind::SwitchCondition => self.choice_flow(step),
            StepKind::WhileCondition => self.loop_flow(step),
        };
        if !step.kind.is_work() {
            flow.passed.insert(place);
        }
        self.walking[place] = false;
        self.known[place] = Some(flow.clone());
        flow
    }

    fn work_flow(&mut self, place: usize, step: &Step) -> Flow {
        let here = || Flow { next: BTreeSet::from([place]), ..Flow::default() };
        let Some(State::Completed(outcome)) = self.states[place] else { return here() };
        let (completion, exception) = (step.to(&Way::Completion), self.playbook.workflow_exception.as_deref());
        match (outcome, step.to(&Way::Failure)) {
            (Outcome::Done | Outcome::Skipped, _) => self.flow(completion.or(step.to(&Way::Success))),
            (Outcome::Failed, Some(to)) => self.flow(Some(to)),
            // Where the playbook does not say what follows a failure, it can be tried again.
            (Outcome::Failed, None) if completion.is_none() && exception.is_none() => here(),
            (Outcome::Failed, None) => {
                let mut flow = self.flow(completion);
                flow.add(self.flow(exception));
                flow
            }
        }
    }

    /// All branches at once; what follows them, when all have ended.
    fn parallel_flow(&mut self, step: &Step) -> Flow {
        let mut flow = Flow { ended: true, ..Flow::default() };
        for branch in branches(step) {
            let of_branch = self.flow(Some(branch));
            let ended = flow.ended && of_branch.ended;
            flow.add(of_branch);
            flow.ended = ended;
        }
        if flow.ended { self.after(step, flow) } else { flow }
    }

    /// One of the branches: those that were begun, or else all.
    fn choice_flow(&mut self, step: &Step) -> Flow {
        let begun: Vec<_> = branches(step).filter(|branch| self.is_begun(branch)).collect();
        let is_open = begun.is_empty();
        let mut flow = Flow::default();
        for branch in branches(step).filter(|branch| is_open || begun.contains(branch)) {
            flow.add(self.flow(Some(branch)));
        }
        if flow.ended || (is_open && may_pass(step)) { self.after(step, flow) } else { flow }
    }

    /// A round, if one was begun and is not over; or else another round, or what follows. When that was begun, there are no
    /// more rounds.
    fn loop_flow(&mut self, step: &Step) -> Flow {
        let Some(body) = step.to(&Way::True) else { return Flow::default() };
        if after(step).is_some_and(|to| self.is_begun(to)) {
            return self.after(step, Flow::default());
        }
        let mut flow = self.flow(Some(body));
        if self.is_begun(body) {
            if !flow.ended {
                return flow;
            }
            flow.next.extend(self.heads(body));
        }
        self.after(step, flow)
    }

    /// What follows a condition or parallel step whose branches are over.
    fn after(&mut self, step: &Step, mut flow: Flow) -> Flow {
        flow.ended = after(step).is_none();
        flow.add(self.flow(after(step)));
        flow
    }

    /// Whether something was said of a step that a branch begins with.
    fn is_begun(&self, branch: &str) -> bool {
        self.heads(branch).into_iter().any(|place| self.states[place].is_some())
    }

    /// The steps of work that a branch can begin with.
    fn heads(&self, branch: &str) -> BTreeSet<usize> {
        let mut heads = BTreeSet::new();
        let mut seen = BTreeSet::new();
        let mut ahead: Vec<&str> = vec![branch];
        while let Some(id) = ahead.pop() {
            let Some(place) = self.places.get(id).copied().filter(|place| seen.insert(*place)) else { continue };
            let step = &self.playbook.steps[place];
            match step.kind {
                StepKind::Action | StepKind::PlaybookAction => {
                    heads.insert(place);
                }
                StepKind::Start => ahead.extend(after(step)),
                StepKind::End => {}
                StepKind::Parallel | StepKind::IfCondition | StepKind::WhileCondition | StepKind::SwitchCondition => {
                    ahead.extend(branches(step).chain(after(step).filter(|_| may_pass(step))));
                }
            }
        }
        heads
    }
}

/// What follows a step when it, or all that belongs to it, is over.
fn after(step: &Step) -> Option<&str> {
    step.to(&Way::Completion).or(step.to(&Way::Success))
}

/// Whether a condition may lead to what follows without any of its branches.
fn may_pass(step: &Step) -> bool {
    match step.kind {
        StepKind::IfCondition => step.to(&Way::False).is_none(),
        StepKind::SwitchCondition => step.to(&Way::Case("default".to_owned())).is_none(),
        StepKind::WhileCondition => true,
        _ => false,
    }
}

/// The branches of a condition or parallel step, by the ids of their first steps.
fn branches(step: &Step) -> impl Iterator<Item = &str> {
    let is_branch = |way: &Way| matches!(way, Way::True | Way::False | Way::Case(_) | Way::Next(_));
    step.successors.iter().filter(move |successor| is_branch(&successor.way)).map(|successor| successor.to.as_str())
}
