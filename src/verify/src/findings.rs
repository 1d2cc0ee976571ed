//! Collects findings: all are counted, the lowest hundred kept, so that a hostile log can't fill the memory. Once an entry
//! was altered, every root behind it differs; such consequences are told once for each kind, not for every entry.

use std::collections::{BTreeMap, HashSet};
use std::fmt::Display;

use crate::report::{FINDINGS_LISTED_MAX, Finding, Outcome};

/// The findings so far.
#[derive(Debug, Default)]
pub(crate) struct Findings {
    listed: BTreeMap<(u64, u64), Finding>,
    count: u64,
    damaged: bool,
    incomplete: bool,
    first_bad: Option<u64>,
    broken_from: Option<u64>,
    consequences: HashSet<&'static str>,
}

impl Findings {
    /// Something is wrong.
    pub(crate) fn damage(&mut self, seq: impl Into<Option<u64>>, code: &'static str, what: impl Display) {
        let seq = seq.into();
        self.damaged = true;
        if let Some(seq) = seq {
            self.first_bad = Some(self.first_bad.map_or(seq, |first| first.min(seq)));
        }
        self.list(Finding { seq, code, what: what.to_string(), damage: true });
    }

    /// Something could not be told.
    pub(crate) fn gap(&mut self, seq: impl Into<Option<u64>>, code: &'static str, what: impl Display) {
        self.incomplete = true;
        self.list(Finding { seq: seq.into(), code, what: what.to_string(), damage: false });
    }

    /// Something is wrong, which an altered tree alone may explain: told once of its kind.
    pub(crate) fn damage_to_tree(&mut self, seq: u64, code: &'static str, what: impl Display) {
        match self.broken_from {
            Some(from) if seq >= from => {
                if self.consequences.insert(code) {
                    self.damage(
                        seq,
                        code,
                        format_args!("{what} (entry {from} explains it; more of its kind are not told)"),
                    );
                }
            }
            _ => self.damage(seq, code, what),
        }
    }

    /// From this entry on the tree may not be the one that was signed.
    pub(crate) fn tree_is_broken_from(&mut self, seq: u64) {
        self.broken_from = Some(self.broken_from.map_or(seq, |from| from.min(seq)));
    }

    /// Whether anything is wrong so far.
    pub(crate) fn is_damaged(&self) -> bool {
        self.damaged
    }

    /// The one-word answer.
    pub(crate) fn outcome(&self) -> Outcome {
        match (self.damaged, self.incomplete) {
            (true, _) => Outcome::Damaged,
            (false, true) => Outcome::Incomplete,
            (false, false) => Outcome::Verified,
        }
    }

    /// The lowest entry with damage, the listed findings by entry, and the number of all.
    pub(crate) fn into_parts(self) -> (Option<u64>, Vec<Finding>, u64) {
        (self.first_bad, self.listed.into_values().collect(), self.count)
    }

    fn list(&mut self, finding: Finding) {
        self.listed.insert((finding.seq.unwrap_or(0), self.count), finding);
        self.count += 1;
        if self.listed.len() > FINDINGS_LISTED_MAX {
            self.listed.pop_last();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_lowest_findings_are_kept_and_all_counted() {
        let mut findings = Findings::default();
        for seq in (0..500).rev() {
            findings.damage(seq, "x", "y");
        }
        let (first_bad, listed, count) = findings.into_parts();
        assert_eq!((first_bad, listed.len(), count), (Some(0), FINDINGS_LISTED_MAX, 500));
        assert!(listed.iter().map(|finding| finding.seq).eq((0..100).map(Some)));
    }

    #[test]
    fn damage_wins_over_gaps() {
        let mut findings = Findings::default();
        assert_eq!(findings.outcome(), Outcome::Verified);
        findings.gap(None, "x", "y");
        assert_eq!(findings.outcome(), Outcome::Incomplete);
        findings.damage(None, "x", "y");
        assert_eq!(findings.outcome(), Outcome::Damaged);
    }
}
