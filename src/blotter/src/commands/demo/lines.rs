//! What the lines of the story are made of.

use blotter_record::{Hash, Id, Json};

use super::stage::Stage;
use crate::session::Words;

pub(super) fn id(text: &str) -> Id {
    text.parse().expect("the story's ids are well-formed")
}

pub(super) fn list<const N: usize>(items: [&str; N]) -> Json {
    Json::List(items.into_iter().map(Json::from).collect())
}

pub(super) fn none() -> Json {
    Json::List(Vec::new())
}

/// The ids of what was said under these labels.
pub(super) fn jti_list(stage: &Stage<'_>, labels: &[&str]) -> Json {
    Json::List(labels.iter().map(|label| stage.jti(label).into()).collect())
}

/// SHA-256 of what a document of the story would hold.
pub(super) fn sha256(text: &str) -> String {
    Hash::of(text.as_bytes()).to_hex()
}

/// A step from one phase to the next, by the labels of what was said before.
pub(super) struct Transition<'a> {
    pub(super) incident: &'a str,
    pub(super) from: &'a str,
    pub(super) to: &'a str,
    /// What triggered it.
    pub(super) trigger: &'a str,
    /// What it rests on.
    pub(super) inputs: &'a [&'a str],
    /// What the phase that is left produced.
    pub(super) outputs: &'a [&'a str],
    /// Unmet gates that are overridden.
    pub(super) overrides: &'a [&'a str],
    pub(super) reason: &'a str,
}

impl Transition<'_> {
    pub(super) fn words(&self, stage: &Stage<'_>) -> Words {
        Words::now("phase.entered", id(self.incident))
            .fact("from", self.from)
            .fact("to", self.to)
            .fact("trigger", stage.jti(self.trigger))
            .fact("inputs", jti_list(stage, self.inputs))
            .fact("outputs", jti_list(stage, self.outputs))
            .fact("override", !self.overrides.is_empty())
            .fact("unmet", Json::List(self.overrides.iter().map(|gate| Json::from(*gate)).collect()))
            .data("reason", self.reason)
    }
}
