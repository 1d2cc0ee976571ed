//! One entry as the server shows it, and whether that can be: bytes and leaf hash belong together, and values are those of
//! its statement.

use std::collections::HashSet;

use blotter_ledger::{StoreError, Stored};
use blotter_record::{Entry, Hash, Statement};

use crate::wire::EntryView;

/// An entry that was looked at.
#[derive(Debug, Clone)]
pub(crate) enum Shown {
    /// It is there, or it was expunged.
    There(Stored, Vec<String>),
    /// It is not for this caller: why, as a problem's code.
    Withheld(String),
}

impl Shown {
    /// What a view shows of an entry whose leaf hash is `leaf`.
    ///
    /// # Errors
    /// [`StoreError::Corrupt`] if the view shows another entry, or values that its statement does not have.
    pub(crate) fn of(view: EntryView, leaf: Hash) -> Result<Self, StoreError> {
        let seq = view.seq;
        let corrupt = |what: &str| StoreError::Corrupt { seq, what: what.to_owned() };
        if view.leaf.parse() != Ok(leaf) {
            return Err(corrupt("the server shows another leaf hash than its tree has"));
        }
        if let Some(code) = view.withheld {
            return Ok(Self::Withheld(code));
        }
        let Some(text) = view.entry else {
            return Ok(Self::There(Stored { seq, leaf, bytes: leaf.0.to_vec() }, Vec::new()));
        };
        if Hash::of_leaf(text.as_bytes()) != leaf {
            return Err(corrupt("its bytes don't have the leaf hash that is in the tree"));
        }
        let read = |e: &dyn std::fmt::Display| StoreError::Corrupt { seq, what: e.to_string() };
        let entry = Entry::parse(text.as_bytes()).map_err(|e| read(&e))?;
        let statement = Statement::parse(&entry.statement).map_err(|e| read(&e))?;
        if entry.seq != seq {
            return Err(corrupt("it says that it is another entry"));
        }
        let digests: HashSet<Hash> = statement.digests.iter().copied().collect();
        if !view.disclosures.iter().all(|text| digests.contains(&Hash::of(text.as_bytes()))) {
            return Err(corrupt("the server shows a value that its statement does not have"));
        }
        Ok(Self::There(Stored { seq, leaf, bytes: text.into_bytes() }, view.disclosures))
    }
}
