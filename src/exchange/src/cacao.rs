//! CACAO Security Playbooks 2.0 (OASIS): read, checked beyond what the schema can say, and followed. PLAYBOOKS.md beside
//! this package says what is checked, and how bad each thing is.
//!
//! It promises: the same bytes give the same findings for ever, all of them and not only the first; a [`Playbook`] has no
//! errors. It never runs a command, follows a link, checks a signature of others, or asks a clock.

mod commands;
mod definitions;
mod document;
mod finding;
mod flow;
mod graph;
mod header;
mod identifier;
mod object;
mod playbook;
mod run;
mod steps;
mod variables;
mod vocabulary;

use blotter_record::Hash;

use definitions::Definitions;
use finding::Findings;
pub use finding::{Finding, Severity};
use object::Object;
pub use playbook::{Playbook, Step, StepKind, Successor, Way};
pub use run::{Deviation, Mark, Outcome, Run, State};
use variables::Declared;

/// Bytes of a playbook.
pub const PLAYBOOK_BYTES_MAX: usize = 4 * 1_048_576;
/// Steps of a workflow.
pub const STEPS_MAX: usize = 1_000;
/// Steps that can follow a step.
pub const SUCCESSORS_MAX: usize = 256;
/// Findings that are named; of more, the number.
pub const FINDINGS_MAX: usize = 1_000;

/// What came of looking at a document.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Checked {
    /// SHA-256 of the exact bytes, in hex.
    pub sha256: String,
    /// The playbook; `None` if there is an error.
    pub playbook: Option<Playbook>,
    /// What is wrong, by place.
    pub findings: Vec<Finding>,
}

impl Checked {
    /// How many findings are of that severity.
    pub fn count(&self, severity: Severity) -> usize {
        self.findings.iter().filter(|finding| finding.severity == severity).count()
    }
}

/// Reads and checks a document.
pub fn check(bytes: &[u8]) -> Checked {
    let sha256 = Hash::of(bytes).to_hex();
    let mut findings = Findings::default();
    let playbook = read(bytes, &sha256, &mut findings);
    let playbook = playbook.filter(|_| !findings.has_errors());
    Checked { sha256, playbook, findings: findings.into_list() }
}

fn read(bytes: &[u8], sha256: &str, findings: &mut Findings) -> Option<Playbook> {
    let members = document::read(bytes, findings)?;
    let document = Object { at: String::new(), members: &members };
    let declared = Declared::read(&document, "playbook_variables", findings);
    let defined = Definitions::read(&document, &step_variables(&document).within(&declared), findings);
    let header = header::read(&document, &defined, findings);
    let steps = steps::read(&document, &defined, &declared, findings);
    let steps = graph::check(&document, steps, findings);
    let named = |name: &str| members.get(name).and_then(|value| value.as_str()).map(str::to_owned);
    Some(Playbook {
        id: header.id,
        name: header.name,
        description: header.description,
        spec_version: header.spec_version,
        created: header.created,
        version: identifier::version_of(&header.modified),
        modified: header.modified,
        playbook_types: header.playbook_types,
        workflow_start: named("workflow_start")?,
        workflow_exception: named("workflow_exception"),
        steps,
        parties: defined.names,
        sha256: sha256.to_owned(),
    })
}

/// The variables of all steps: an agent's or a target's address may use those of the steps that refer to it. What is wrong
/// with them is said with their steps.
fn step_variables<'a>(document: &Object<'a>) -> Declared<'a> {
    let mut unsaid = Findings::default();
    let mut all = Declared::default();
    for (_, value, at) in document.dictionary("workflow", &mut unsaid) {
        if let Some(step) = Object::of(value, at, &mut unsaid) {
            all.extend(Declared::read(&step, "step_variables", &mut unsaid));
        }
    }
    all
}
