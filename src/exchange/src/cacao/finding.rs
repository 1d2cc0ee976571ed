//! What is wrong with a playbook: where, how bad, and what to do about it.

use std::fmt;

use super::FINDINGS_MAX;
use crate::error::shown;

/// How bad a finding is. An error keeps a playbook from being published, a warning does not.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Severity {
    /// The playbook can't be relied on as it is.
    Error,
    /// It may be meant so; somebody should look.
    Warning,
}

impl Severity {
    /// `error` or `warning`.
    pub fn word(self) -> &'static str {
        match self {
            Self::Error => "error",
            Self::Warning => "warning",
        }
    }
}

/// One thing that is wrong.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Finding {
    /// A JSON pointer (RFC 6901) into the document; empty for all of it.
    pub pointer: String,
    /// How bad it is.
    pub severity: Severity,
    /// What is wrong, and what to do.
    pub what: String,
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { pointer, severity, what } = self;
        let at = if pointer.is_empty() { "the document" } else { pointer };
        write!(f, "{}: {at}: {what}", severity.word())
    }
}

/// Findings as they are made; so many at most, and then how many more there were.
#[derive(Debug, Default)]
pub(super) struct Findings {
    list: Vec<Finding>,
    errors: usize,
    left_out: usize,
}

impl Findings {
    pub(super) fn error(&mut self, pointer: impl Into<String>, what: impl Into<String>) {
        self.errors += 1;
        self.add(Severity::Error, pointer.into(), what.into());
    }

    pub(super) fn warn(&mut self, pointer: impl Into<String>, what: impl Into<String>) {
        self.add(Severity::Warning, pointer.into(), what.into());
    }

    pub(super) fn has_errors(&self) -> bool {
        self.errors > 0
    }

    /// All of them by place, and what was left out.
    pub(super) fn into_list(mut self) -> Vec<Finding> {
        self.list.sort();
        self.list.dedup();
        if self.left_out > 0 {
            let what = format!(
                "{} more findings, and at most {FINDINGS_MAX} are named; correct these, and check again",
                self.left_out
            );
            self.list.push(Finding { pointer: String::new(), severity: Severity::Warning, what });
        }
        self.list
    }

    fn add(&mut self, severity: Severity, pointer: String, what: String) {
        if self.list.len() >= FINDINGS_MAX {
            self.left_out += 1;
            return;
        }
        self.list.push(Finding { pointer, severity, what });
    }
}

/// Hostile text in a sentence: quoted, escaped and cut.
pub(super) fn quoted(text: &str) -> String {
    format!("\"{}\"", shown(text))
}
