//! Severity in our scale, beside the source's own: 0 unknown, 1 informational, 2 low, 3 medium, 4 high, 5 critical.
//!
//! The source's is a fact, so permanent: only values of a known scale enter it. What else stands in the field becomes
//! `other`, and is in `raw`.

use super::SEVERITY_MAX;

/// How bad an alert is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Severity {
    /// In our scale, 0 to [`SEVERITY_MAX`].
    pub(super) ours: i64,
    /// The source's, a code.
    pub(super) source: String,
}

impl Severity {
    /// The value `value` of the scale `scale`, which is `ours` in ours.
    pub(super) fn new(ours: i64, scale: &str, value: impl std::fmt::Display) -> Self {
        assert!((0..=SEVERITY_MAX).contains(&ours), "a mapping of ours gives a severity of ours");
        Self { ours, source: format!("{scale}:{value}") }
    }

    /// The source gave none.
    pub(super) fn none(scale: &str) -> Self {
        Self::new(0, scale, "none")
    }

    /// The source gave one that its scale doesn't have.
    pub(super) fn other(scale: &str) -> Self {
        Self::new(0, scale, "other")
    }

    /// A small number of which nobody says what it means; `what` is what it is of.
    pub(super) fn of_no_scale(scale: &str, what: &str, value: i64) -> Self {
        if (0..=1_000).contains(&value) {
            Self::new(0, scale, format_args!("{what}-{value}"))
        } else {
            Self::other(scale)
        }
    }

    /// One of the words that most scales are made of, whatever its case.
    pub(super) fn of_word(scale: &str, word: &str) -> Self {
        let word = word.to_ascii_lowercase();
        match word.as_str() {
            "unknown" => Self::new(0, scale, word),
            "informational" | "info" => Self::new(1, scale, word),
            "low" => Self::new(2, scale, word),
            "medium" => Self::new(3, scale, word),
            "high" => Self::new(4, scale, word),
            "critical" => Self::new(5, scale, word),
            _ => Self::other(scale),
        }
    }
}
