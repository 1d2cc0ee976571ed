//! Checkpoints of the store, as far as each can be examined by itself: its form, and which of the keys that were met
//! signed it. Which keys it needs, and whether its root is the tree's, is known only at its place in the walk.

use std::ops::Range;

use blotter_keys::checkpoint::{Checkpoint, UnverifiedCheckpoint};
use blotter_keys::note::VerifierKey;
use blotter_record::Hash;

use crate::known_keys::KnownKeys;
use crate::reader::CheckpointRow;

/// An examined checkpoint.
#[derive(Debug)]
pub(crate) struct Note {
    /// The row's size.
    pub(crate) size: i64,
    /// The checkpoint, or why it is none.
    pub(crate) checkpoint: Result<UnverifiedCheckpoint, String>,
    /// Verdicts that are known already.
    verdicts: Vec<(VerifierKey, bool)>,
}

impl Note {
    /// Whether `key` signed it, and every signature under that key's name and id is its.
    pub(crate) fn is_signed_by(&self, key: &VerifierKey) -> bool {
        match self.verdicts.iter().find(|(known, _)| known == key) {
            Some((_, signed)) => *signed,
            None => self.checkpoint.as_ref().is_ok_and(|checkpoint| signed(checkpoint, key)),
        }
    }

    /// Whether it says `root` of the first `size` entries of its own origin.
    pub(crate) fn has_root(&self, size: u64, root: Hash) -> bool {
        let Ok(checkpoint) = &self.checkpoint else { return false };
        let said = checkpoint.claimed_origin().parse().ok();
        let wanted = said.and_then(|origin| Checkpoint::new(&origin, size, root).ok());
        // Extension lines may follow; they mean nothing.
        wanted.is_some_and(|wanted| checkpoint.note().text().starts_with(&wanted.to_string()))
    }
}

/// Examines a row of `checkpoint`; without its signatures, if these are not wanted for all.
pub(crate) fn examine_note(row: CheckpointRow, bytes: &[u8], keys: &KnownKeys, structure_only: bool) -> Note {
    let parse = |at: Range<usize>| UnverifiedCheckpoint::parse(&bytes[at]).map_err(|error| error.to_string());
    let checkpoint = row.note.map_err(|what| format!("the column note holds {what}")).and_then(parse);
    let verdicts = match &checkpoint {
        Ok(checkpoint) if !structure_only => {
            keys.ledger().into_iter().map(|key| (signed(checkpoint, &key), key)).map(|(ok, key)| (key, ok)).collect()
        }
        _ => Vec::new(),
    };
    Note { size: row.size, checkpoint, verdicts }
}

fn signed(checkpoint: &UnverifiedCheckpoint, key: &VerifierKey) -> bool {
    checkpoint.note().verify(std::slice::from_ref(key)).is_ok()
}
