//! A playbook that was checked: what a responder follows, and nothing else of the document.

use std::collections::BTreeMap;
use std::fmt;

/// A CACAO 2.0 playbook without errors.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Playbook {
    /// `playbook--UUID`, as the document spells it.
    pub id: String,
    /// What it is called.
    pub name: String,
    /// What it is for, in its author's words.
    pub description: Option<String>,
    /// The version of the specification; `cacao-2.0`.
    pub spec_version: String,
    /// When it was made, as the document spells it.
    pub created: String,
    /// When it was last changed, as the document spells it: what tells its versions apart.
    pub modified: String,
    /// `modified` as a version of the record: `20261123T115400.000Z`.
    pub version: String,
    /// What it is for, such as `mitigation`.
    pub playbook_types: Vec<String>,
    /// The step that it starts with.
    pub workflow_start: String,
    /// The step that follows a failure for which no other is named.
    pub workflow_exception: Option<String>,
    /// Its steps, in the order in which they are reached.
    pub steps: Vec<Step>,
    /// What its agents and targets are called, by their ids.
    pub parties: BTreeMap<String, String>,
    /// SHA-256 of the document's exact bytes, in hex.
    pub sha256: String,
}

impl Playbook {
    /// The id of its stream in a ledger: `playbook/UUID`, in lower case.
    pub fn stream(&self) -> String {
        self.id.replacen("--", "/", 1).to_ascii_lowercase()
    }

    /// The step with this id.
    pub fn step(&self, id: &str) -> Option<&Step> {
        self.steps.iter().find(|step| step.id == id)
    }

    /// What an agent or target is called; its id if it is not known.
    pub fn party<'a>(&'a self, id: &'a str) -> &'a str {
        self.parties.get(id).map_or(id, String::as_str)
    }
}

/// A step of a workflow.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Step {
    /// `type--UUID`, as the document spells it.
    pub id: String,
    /// What it is.
    pub kind: StepKind,
    /// What it is called.
    pub name: Option<String>,
    /// What it is about.
    pub description: Option<String>,
    /// What an `if-condition` or a `while-condition` asks; what a `switch-condition` looks at.
    pub condition: Option<String>,
    /// The steps that can follow, and when.
    pub successors: Vec<Successor>,
    /// The types of its commands, in their order.
    pub commands: Vec<String>,
    /// Who does it.
    pub agent: Option<String>,
    /// What it is done to.
    pub targets: Vec<String>,
    /// After how long it counts as failed.
    pub timeout_ms: Option<u64>,
}

impl Step {
    /// Its name, or else its id.
    pub fn title(&self) -> &str {
        self.name.as_deref().unwrap_or(&self.id)
    }

    /// The first step that follows in this way.
    pub(super) fn to(&self, way: &Way) -> Option<&str> {
        self.successors.iter().find(|successor| successor.way == *way).map(|successor| successor.to.as_str())
    }
}

/// What a step is.
#[allow(missing_docs, reason = "the specification's own words")]
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum StepKind {
    Start,
    End,
    Action,
    PlaybookAction,
    Parallel,
    IfCondition,
    WhileCondition,
    SwitchCondition,
}

impl StepKind {
    /// All of them.
    pub const ALL: [Self; 8] = [
        Self::Start,
        Self::End,
        Self::Action,
        Self::PlaybookAction,
        Self::Parallel,
        Self::IfCondition,
        Self::WhileCondition,
        Self::SwitchCondition,
    ];

    /// The specification's word.
    pub fn word(self) -> &'static str {
        match self {
            Self::Start => "start",
            Self::End => "end",
            Self::Action => "action",
            Self::PlaybookAction => "playbook-action",
            Self::Parallel => "parallel",
            Self::IfCondition => "if-condition",
            Self::WhileCondition => "while-condition",
            Self::SwitchCondition => "switch-condition",
        }
    }

    /// The kind of that word.
    pub fn from_word(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.word() == word)
    }

    /// Whether somebody does something in it. The others only say which way it goes on.
    pub fn is_work(self) -> bool {
        matches!(self, Self::Action | Self::PlaybookAction)
    }
}

/// A step that can follow, and when.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Successor {
    /// When it follows.
    pub way: Way,
    /// Its id.
    pub to: String,
}

/// When a step follows another.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Way {
    /// However it ended; after a condition or parallel step, when its branches have ended.
    Completion,
    /// It was done.
    Success,
    /// It failed.
    Failure,
    /// The condition holds.
    True,
    /// The condition does not hold.
    False,
    /// The switch has this value.
    Case(String),
    /// At the same time as the others; the number is its place in `next_steps`.
    Next(usize),
}

impl fmt::Display for Way {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Completion => f.write_str("on_completion"),
            Self::Success => f.write_str("on_success"),
            Self::Failure => f.write_str("on_failure"),
            Self::True => f.write_str("on_true"),
            Self::False => f.write_str("on_false"),
            Self::Case(value) => write!(f, "cases/{}", value.replace('~', "~0").replace('/', "~1")),
            Self::Next(index) => write!(f, "next_steps/{index}"),
        }
    }
}
