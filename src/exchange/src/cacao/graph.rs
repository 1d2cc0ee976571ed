//! The workflow as a whole: that every way leads somewhere, that every step is on one, and that none goes round for ever.

use std::collections::HashMap;

use super::finding::{Findings, quoted};
use super::object::Object;
use super::playbook::{Step, StepKind, Way};
use crate::foreign::json::below;

/// Looks at the graph of the steps; then puts them in the order in which they are reached.
pub(super) fn check(playbook: &Object<'_>, steps: Vec<Step>, findings: &mut Findings) -> Vec<Step> {
    let graph = Graph::new(&steps, findings);
    let start = entry(playbook, &graph, "workflow_start", findings);
    let exception = entry(playbook, &graph, "workflow_exception", findings);
    if let Some(start) = start
        && steps[start].kind != StepKind::Start
    {
        let what = format!("{} is not a start; name a step of that type", quoted(&steps[start].id));
        findings.error(playbook.pointer("workflow_start"), what);
    }
    let order = graph.reached(start.into_iter().chain(exception));
    // Without a start, everything would be unreachable, and that is said.
    if start.is_some() {
        unreachable(&steps, &order, findings);
    }
    rounds(&graph, findings);
    let mut places = vec![usize::MAX; steps.len()];
    order.iter().enumerate().for_each(|(place, index)| places[*index] = place);
    let mut placed: Vec<_> = places.into_iter().zip(steps).collect();
    placed.sort_by_key(|(place, _)| *place);
    placed.into_iter().map(|(_, step)| step).collect()
}

/// Steps and what can follow them, by their places in the list.
struct Graph<'a> {
    steps: &'a [Step],
    places: HashMap<&'a str, usize>,
    edges: Vec<Vec<(&'a Way, usize)>>,
}

impl<'a> Graph<'a> {
    /// The graph of these steps; what leads to a step that is not there is said and left out.
    fn new(steps: &'a [Step], findings: &mut Findings) -> Self {
        let places: HashMap<_, _> = steps.iter().enumerate().map(|(place, step)| (step.id.as_str(), place)).collect();
        let mut edges = Vec::new();
        for step in steps {
            let mut of_step = Vec::new();
            for successor in &step.successors {
                match places.get(successor.to.as_str()) {
                    Some(place) => of_step.push((&successor.way, *place)),
                    None => {
                        let what = format!(
                            "there is no step {} in the workflow; name one that is there, or add it",
                            quoted(&successor.to)
                        );
                        findings.error(pointer(step, &successor.way), what);
                    }
                }
            }
            edges.push(of_step);
        }
        Self { steps, places, edges }
    }

    /// What is reached from these, in that order: each way is followed to its end before the next one.
    fn reached(&self, from: impl DoubleEndedIterator<Item = usize>) -> Vec<usize> {
        let mut seen = vec![false; self.steps.len()];
        let mut order = Vec::new();
        let mut ahead: Vec<usize> = from.rev().collect();
        while let Some(place) = ahead.pop() {
            if !std::mem::replace(&mut seen[place], true) {
                order.push(place);
                ahead.extend(self.edges[place].iter().rev().map(|(_, to)| *to));
            }
        }
        order
    }
}

fn pointer(step: &Step, way: &Way) -> String {
    format!("{}/{way}", below("/workflow", &step.id))
}

/// The step that a member of the playbook names.
fn entry(playbook: &Object<'_>, graph: &Graph<'_>, member: &str, findings: &mut Findings) -> Option<usize> {
    let id = match member {
        "workflow_start" => playbook.needed_text(member, findings)?,
        _ => playbook.text(member, findings)?,
    };
    let place = graph.places.get(id).copied();
    if place.is_none() {
        let what = format!("there is no step {} in the workflow; name one that is there, or add it", quoted(id));
        findings.error(playbook.pointer(member), what);
    }
    place
}

fn unreachable(steps: &[Step], order: &[usize], findings: &mut Findings) {
    let mut seen = vec![false; steps.len()];
    order.iter().for_each(|place| seen[*place] = true);
    for step in steps.iter().zip(seen).filter(|(_, seen)| !seen).map(|(step, _)| step) {
        let what = "no way leads here from workflow_start or workflow_exception, so nobody would ever do it; lead one here, \
                    or remove the step";
        findings.error(below("/workflow", &step.id), what);
    }
}

/// Says where steps go round without a `while-condition` that asks each time. Where nothing is said here, and every step
/// but an end has one that follows, every step reaches an end: on_completion leads out of every loop.
fn rounds(graph: &Graph<'_>, findings: &mut Findings) {
    // A round is allowed if it goes through on_true of a while-condition: without those ways, there must be none.
    let is_loop = |place: usize, way: &Way| graph.steps[place].kind == StepKind::WhileCondition && *way == Way::True;
    let edges: Vec<Vec<usize>> = (0..graph.steps.len())
        .map(|place| graph.edges[place].iter().filter(|(way, _)| !is_loop(place, way)).map(|(_, to)| *to).collect())
        .collect();
    for group in components(&edges) {
        let first = *group.iter().min().expect("a component has a step");
        if group.len() == 1 && !edges[first].contains(&first) {
            continue;
        }
        let what = format!(
            "from this step the workflow comes back to it, {}, and no while-condition asks whether to, so no end may ever be \
             reached; put one into the round, or break it",
            match group.len() {
                1 => "at once".to_owned(),
                count => format!("over {count} steps"),
            }
        );
        findings.error(below("/workflow", &graph.steps[first].id), what);
    }
}

/// The strongly connected components of a graph (Kosaraju), without recursion.
fn components(edges: &[Vec<usize>]) -> Vec<Vec<usize>> {
    let mut finished = Vec::new();
    let mut seen = vec![false; edges.len()];
    for root in 0..edges.len() {
        let mut path = if std::mem::replace(&mut seen[root], true) { Vec::new() } else { vec![(root, 0)] };
        while let Some((place, next)) = path.last_mut() {
            match edges[*place].get(*next) {
                Some(to) => {
                    *next += 1;
                    if !std::mem::replace(&mut seen[*to], true) {
                        path.push((*to, 0));
                    }
                }
                None => {
                    finished.push(*place);
                    path.pop();
                }
            }
        }
    }
    let mut back: Vec<Vec<usize>> = vec![Vec::new(); edges.len()];
    for (place, to) in edges.iter().enumerate() {
        to.iter().for_each(|to| back[*to].push(place));
    }
    let mut taken = vec![false; edges.len()];
    let mut components = Vec::new();
    for root in finished.into_iter().rev() {
        let (mut component, mut ahead) = (Vec::new(), vec![root]);
        while let Some(place) = ahead.pop() {
            if !std::mem::replace(&mut taken[place], true) {
                component.push(place);
                ahead.extend(&back[place]);
            }
        }
        if !component.is_empty() {
            components.push(component);
        }
    }
    components
}
