//! The steps of a workflow, each for itself: what its kind needs, what it does, and where it says that it goes on.

use std::collections::HashSet;

use serde_json::Value;

use super::commands::check_command;
use super::definitions::{Definitions, check_distinct, check_reference};
use super::finding::{Findings, quoted};
use super::header::references;
use super::identifier::Identifier;
use super::object::Object;
use super::playbook::{Step, StepKind, Successor, Way};
use super::variables::Declared;
use super::vocabulary::STEP;
use super::{STEPS_MAX, SUCCESSORS_MAX};

/// The steps of a playbook, by their ids' order. A step that has no kind is left out, and a finding.
pub(super) fn read(
    playbook: &Object<'_>,
    defined: &Definitions<'_>,
    declared: &Declared<'_>,
    findings: &mut Findings,
) -> Vec<Step> {
    if !playbook.has("workflow") {
        playbook.missing("workflow", findings);
    }
    let entries = playbook.dictionary("workflow", findings);
    if playbook.has("workflow") && entries.is_empty() {
        findings
            .error(playbook.pointer("workflow"), "it has no steps; a start, an end and something between are wanted");
    }
    if entries.len() > STEPS_MAX {
        let what = format!("it has {} steps, and at most {STEPS_MAX} are read; take it apart", entries.len());
        findings.error(playbook.pointer("workflow"), what);
        return Vec::new();
    }
    check_distinct(entries.iter().map(|(id, _, at)| (*id, at.clone())), findings);
    let mut steps = Vec::new();
    for (id, value, at) in entries {
        let identified = Identifier::parse(id, None);
        if let Err(what) = &identified {
            findings.error(&at, what);
        }
        let Some(object) = Object::of(value, at, findings) else { continue };
        let Some(word) = object.needed_text("type", findings) else { continue };
        if let Ok(identifier) = identified
            && identifier.kind != word
        {
            let what =
                format!("it says {}, and its identifier says {}; make them the same", quoted(word), identifier.kind);
            findings.error(object.pointer("type"), what);
        }
        let Some(kind) = StepKind::from_word(word) else {
            let kinds = StepKind::ALL.map(StepKind::word).join(", ");
            findings.error(object.pointer("type"), format!("{} is no kind of step; {kinds} are", quoted(word)));
            continue;
        };
        let step = Reading { object: &object, kind, defined, findings: &mut *findings };
        steps.push(step.read(id, declared));
    }
    steps
}

/// A step that is being read.
struct Reading<'s, 'a> {
    object: &'s Object<'a>,
    kind: StepKind,
    defined: &'s Definitions<'a>,
    findings: &'s mut Findings,
}

impl<'a> Reading<'_, 'a> {
    fn read<'d>(mut self, id: &str, declared: &'d Declared<'d>) -> Step
    where
        'a: 'd,
    {
        let own = Declared::read(self.object, "step_variables", self.findings);
        let declared = &own.within(declared);
        self.object.only(&[STEP, members(self.kind)], self.findings);
        self.object.extensions("step_extensions", &self.defined.extensions, self.findings);
        references(self.object, self.findings);
        self.object.identifier("owner", None, self.findings);
        self.object.integer("delay", 1, u64::MAX, self.findings);
        declared.check_args(self.object, self.findings);
        if self.kind == StepKind::PlaybookAction {
            if self.object.needed_text("playbook_id", self.findings).is_some() {
                self.object.identifier("playbook_id", Some("playbook"), self.findings);
            }
            self.object.timestamp("playbook_version", self.findings);
        }
        let (agent, targets) = self.parties(declared);
        Step {
            id: id.to_owned(),
            kind: self.kind,
            name: self.object.text("name", self.findings).map(str::to_owned),
            description: self.object.text("description", self.findings).map(str::to_owned),
            condition: self.condition(declared),
            successors: self.successors(),
            commands: self.commands(declared),
            agent,
            targets,
            timeout_ms: self.object.integer("timeout", 0, u64::MAX, self.findings),
        }
    }

    fn condition(&mut self, declared: &Declared<'_>) -> Option<String> {
        let member = match self.kind {
            StepKind::IfCondition | StepKind::WhileCondition => "condition",
            StepKind::SwitchCondition => "switch",
            _ => return None,
        };
        let text = self.object.needed_text(member, self.findings)?;
        declared.check_text(text, &self.object.pointer(member), self.findings);
        Some(text.to_owned())
    }

    /// Who does it and what to; the specification needs an agent for every action.
    fn parties(&mut self, declared: &Declared<'_>) -> (Option<String>, Vec<String>) {
        if self.kind != StepKind::Action {
            return (None, Vec::new());
        }
        let agent = self.object.needed_text("agent", self.findings);
        if let Some(agent) = agent {
            let at = self.object.pointer("agent");
            check_reference(agent, &at, "agent_definitions", &self.defined.agents, declared, self.findings);
        }
        let targets = self.object.texts("targets", self.findings);
        for (target, at) in &targets {
            // An agent may be what something is done to.
            if !self.defined.agents.contains(*target) {
                check_reference(target, at, "target_definitions", &self.defined.targets, declared, self.findings);
            }
        }
        (agent.map(str::to_owned), targets.into_iter().map(|(target, _)| target.to_owned()).collect())
    }

    fn commands(&mut self, declared: &Declared<'_>) -> Vec<String> {
        if self.kind != StepKind::Action {
            return Vec::new();
        }
        if !self.object.has("commands") {
            self.object.missing("commands", self.findings);
        }
        let mut kinds = Vec::new();
        for (item, at) in self.object.list("commands", self.findings) {
            let Some(command) = Object::of(item, at, self.findings) else { continue };
            let Some(kind) = command.needed_text("type", self.findings) else { continue };
            check_command(&command, kind, declared, self.findings);
            kinds.push(kind.to_owned());
        }
        kinds
    }

    /// Where it says that it goes on. Whether that is there, the graph says.
    fn successors(&mut self) -> Vec<Successor> {
        let mut successors = Vec::new();
        let one = |reading: &mut Self, name: &str, way: Way| {
            let to = reading.object.text(name, reading.findings)?.to_owned();
            Some(Successor { way, to })
        };
        match self.kind {
            StepKind::IfCondition => {
                successors.extend(one(self, "on_true", Way::True));
                successors.extend(one(self, "on_false", Way::False));
            }
            StepKind::WhileCondition => successors.extend(one(self, "on_true", Way::True)),
            StepKind::SwitchCondition => {
                for (case, value, at) in self.object.dictionary("cases", self.findings) {
                    match value {
                        Value::String(to) => {
                            successors.push(Successor { way: Way::Case(case.to_owned()), to: to.clone() })
                        }
                        _ => self.findings.error(at, "the identifier of a step is wanted here"),
                    }
                }
            }
            StepKind::Parallel => {
                let mut named = HashSet::new();
                for (index, (item, at)) in self.object.list("next_steps", self.findings).into_iter().enumerate() {
                    match item {
                        Value::String(to) if !named.insert(to) => {
                            self.findings.error(at, "this step is named twice; name each branch once");
                        }
                        Value::String(to) => successors.push(Successor { way: Way::Next(index), to: to.clone() }),
                        _ => self.findings.error(at, "the identifier of a step is wanted here"),
                    }
                }
            }
            StepKind::Start | StepKind::End | StepKind::Action | StepKind::PlaybookAction => {}
        }
        self.check_branches(&successors);
        if self.kind != StepKind::End {
            successors.extend(one(self, "on_completion", Way::Completion));
            successors.extend(one(self, "on_success", Way::Success));
            successors.extend(one(self, "on_failure", Way::Failure));
        }
        self.check_ways();
        if successors.len() > SUCCESSORS_MAX {
            let what =
                format!("{} steps can follow, and at most {SUCCESSORS_MAX} are read; take it apart", successors.len());
            self.findings.error(&self.object.at, what);
            successors.truncate(SUCCESSORS_MAX);
        }
        successors
    }

    fn check_branches(&mut self, branches: &[Successor]) {
        let needed = match self.kind {
            StepKind::IfCondition | StepKind::WhileCondition => "on_true",
            StepKind::SwitchCondition => "cases",
            StepKind::Parallel => "next_steps",
            _ => return,
        };
        if !self.object.has(needed) {
            self.object.missing(needed, self.findings);
        } else if self.kind == StepKind::SwitchCondition && branches.is_empty() {
            self.findings.error(self.object.pointer(needed), "the switch has no cases; name a step for each value");
        } else if self.kind == StepKind::Parallel && branches.len() == 1 {
            self.findings.warn(
                self.object.pointer(needed),
                "one branch is not parallel to anything; name another, or go there at once",
            );
        }
        if self.kind == StepKind::IfCondition
            && !["on_false", "on_completion", "on_success"].iter().any(|name| self.object.has(name))
        {
            let what = "nothing follows if the condition does not hold; say on_false, or on_completion";
            self.findings.error(&self.object.at, what);
        }
    }

    /// Looks at on_completion, on_success and on_failure, which exclude one another.
    fn check_ways(&mut self) {
        let has = |name: &str| self.object.has(name);
        let (completion, success, failure) = (has("on_completion"), has("on_success"), has("on_failure"));
        let at = &self.object.at;
        match self.kind {
            StepKind::End if completion || success || failure => {
                self.findings.error(at, "nothing follows an end; remove on_completion, on_success and on_failure");
            }
            StepKind::End => {}
            StepKind::Start if success || failure => {
                self.findings.error(at, "a start neither succeeds nor fails; say on_completion, and nothing else");
            }
            _ if completion && (success || failure) => {
                let what = "on_completion stands beside on_success or on_failure, and the specification forbids that; \
                            keep one or the others";
                self.findings.error(at, what);
            }
            _ if failure && !success => {
                self.findings
                    .error(at, "it says what follows a failure and not what follows a success; add on_success");
            }
            StepKind::Start | StepKind::Action | StepKind::PlaybookAction | StepKind::WhileCondition
                if !completion && !success =>
            {
                self.findings.error(
                    at,
                    "nothing follows this step, so no end is reached; say on_completion, or on_success and on_failure",
                );
            }
            _ => {}
        }
    }
}

/// Members of a step of this kind, beside those of every step.
fn members(kind: StepKind) -> &'static str {
    match kind {
        StepKind::Start | StepKind::End => "",
        StepKind::Action => "commands agent targets in_args out_args",
        StepKind::PlaybookAction => "playbook_id playbook_version in_args out_args",
        StepKind::Parallel => "next_steps",
        StepKind::IfCondition => "condition on_true on_false",
        StepKind::WhileCondition => "condition on_true",
        StepKind::SwitchCondition => "switch cases",
    }
}
