//! The chain of entries and the tree over them. When an entry names another leaf hash than its predecessor's bytes have,
//! one of the two was altered: the entry behind them tells which. The tree then goes on with the leaf hash that was
//! signed, so that what was not touched still verifies, and the one entry that was is named.

use blotter_record::Hash;

use crate::findings::Findings;
use crate::tree::Tree;

/// The chain so far.
#[derive(Debug)]
pub(crate) struct Chain {
    pub(crate) tree: Tree,
    suspect: Option<Suspect>,
}

/// An entry whose successor names another leaf hash.
#[derive(Debug, Clone, Copy)]
struct Suspect {
    seq: u64,
    /// The hash of the bytes that are there.
    own: Hash,
    /// The hash that the successor names.
    named: Hash,
}

impl Chain {
    /// An empty chain with room for `entries`.
    pub(crate) fn with_capacity(entries: usize) -> Self {
        Self { tree: Tree::with_capacity(entries), suspect: None }
    }

    /// Checks the `prev` of the entry that comes next. `true` if the tree was changed behind the caller.
    pub(crate) fn check(&mut self, prev: &Hash, findings: &mut Findings) -> bool {
        let Some(last) = self.tree.size().checked_sub(1) else { return false };
        let Some(own) = self.tree.leaf(last) else { return false };
        let fits = own == *prev;
        match (self.suspect.take(), fits) {
            (None, true) => return false,
            (None, false) => {
                self.replace(last, *prev);
                self.suspect = Some(Suspect { seq: last, own, named: *prev });
            }
            (Some(suspect), true) => {
                blame(suspect, findings);
                return false;
            }
            (Some(suspect), false) => {
                // The entry that accused its predecessor is itself another than its successor knows.
                self.replace(suspect.seq, suspect.own);
                self.tree.push(*prev);
                blame(Suspect { seq: last, own, named: *prev }, findings);
            }
        }
        findings.tree_is_broken_from(last);
        true
    }

    /// Whether the last entry names another leaf hash than its predecessor's.
    pub(crate) fn has_suspect(&self) -> bool {
        self.suspect.is_some()
    }

    /// At the end of the log: `signed` says whether the newest checkpoint has the tree's root for all of it.
    pub(crate) fn finish(&mut self, signed: bool, findings: &mut Findings) {
        let Some(suspect) = self.suspect.take() else { return };
        if signed {
            return blame(suspect, findings);
        }
        // The last entry is the one that was altered, and accuses its predecessor wrongly.
        let last = self.tree.leaf(suspect.seq + 1);
        self.replace(suspect.seq, suspect.own);
        if let Some(last) = last {
            self.tree.push(last);
        }
        findings.damage(
            suspect.seq + 1,
            "prev",
            format_args!("it names {} as the entry before, which is {}", suspect.named, suspect.own),
        );
    }

    /// Replaces a leaf, and forgets those behind it.
    fn replace(&mut self, seq: u64, leaf: Hash) {
        self.tree.truncate(seq);
        self.tree.push(leaf);
    }
}

fn blame(suspect: Suspect, findings: &mut Findings) {
    let Suspect { seq, own, named } = suspect;
    findings.damage(
        seq,
        "altered",
        format_args!("its bytes hash to {own}, but the entry behind it names {named} as the leaf before"),
    );
}
