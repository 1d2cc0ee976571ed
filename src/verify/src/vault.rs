//! Checks what is in the vault against what may be (FORMAT.md §10 step 5): a disclosure is missing exactly where an
//! executed erasure took it, and every blob that a disclosed value names is there, with its bytes, and no other.

use std::collections::{BTreeMap, HashSet};

use blotter_record::Hash;
use blotter_record::limits::DISCLOSURES_MAX;
use rusqlite::types::ValueRef;

use crate::blob_name::BlobName;
use crate::error::ReadError;
use crate::options::Options;
use crate::store::Store;
use crate::tables::{each, int, text};
use crate::walk::{ExpungeOrder, Walk};

/// What was found in the vault.
#[derive(Debug, Default)]
pub(crate) struct VaultCounts {
    pub(crate) erased: u64,
    pub(crate) missing: u64,
    pub(crate) blobs: u64,
}

/// Judges the missing disclosures, looks for erased ones that are still there, and checks the blobs.
pub(crate) fn check_vault(store: &Store, walk: &mut Walk<'_>) -> Result<VaultCounts, ReadError> {
    let mut counts = VaultCounts::default();
    let erased: HashSet<Hash> = walk.keyring.iter().flat_map(|keyring| keyring.erased().copied()).collect();
    for (seq, digest) in &walk.missing {
        if erased.contains(digest) {
            counts.erased += 1;
        } else {
            counts.missing += 1;
            let what = format_args!("the disclosure of digest {digest} is not there, and no order took it");
            walk.findings.damage(*seq, "disclosure-missing", what);
        }
    }
    if !erased.is_empty() {
        check_erased(store, walk, &erased)?;
    }
    counts.blobs = check_blobs(store, walk)?;
    Ok(counts)
}

/// An erased digest never enters the vault again, whatever statement it is under.
fn check_erased(store: &Store, walk: &mut Walk<'_>, erased: &HashSet<Hash>) -> Result<(), ReadError> {
    let findings = &mut walk.findings;
    store.with(|db| {
        each(db, "SELECT slot, text FROM disclosure", |row| {
            let digest = match row.get_ref(1)? {
                ValueRef::Text(bytes) => Hash::of(bytes),
                _ => return Ok(()),
            };
            if erased.contains(&digest) {
                let slot = int(row, 0)?;
                let seq = slot.and_then(|slot| u64::try_from(slot.div_euclid(DISCLOSURES_MAX as i64)).ok());
                let what = format_args!("the value of digest {digest} was erased by order, and is still there");
                findings.damage(seq, "erased-present", what);
            }
            Ok(())
        })
    })
}

/// Returns how many blobs are right.
fn check_blobs(store: &Store, walk: &mut Walk<'_>) -> Result<u64, ReadError> {
    let mut wanted: BTreeMap<&str, Vec<&(u64, BlobName)>> = BTreeMap::new();
    for named in &walk.blobs {
        wanted.entry(named.1.id.as_str()).or_default().push(named);
    }
    let findings = &mut walk.findings;
    let mut right = 0;
    store.with(|db| {
        each(db, "SELECT id, bytes FROM blob", |row| {
            let id = text(row, 0)?.unwrap_or_default();
            let Some(named) = wanted.remove(id.as_str()) else {
                findings.damage(None, "blob", format_args!("no value names the blob {}", id.escape_debug()));
                return Ok(());
            };
            let bytes = match row.get_ref(1)? {
                ValueRef::Blob(bytes) => Some((bytes.len() as u64, Hash::of(bytes))),
                _ => None,
            };
            let mut fits = true;
            for (seq, name) in named {
                if bytes != Some((name.size, name.sha256)) {
                    fits = false;
                    findings.damage(
                        *seq,
                        "blob",
                        format_args!("the blob {id} has not the size and hash that it names"),
                    );
                }
            }
            right += u64::from(fits);
            Ok(())
        })
    })?;
    for (id, named) in wanted {
        for (seq, _) in named {
            findings.damage(*seq, "blob-missing", format_args!("the blob {id} that it names is not there"));
        }
    }
    Ok(right)
}

/// FORMAT.md §6.5: the bytes of an entry are gone exactly where an order took them.
pub(crate) fn check_expunged(walk: &mut Walk<'_>, options: &Options) {
    let (findings, accepted) = (&mut walk.findings, options.accept_expunged);
    if options.structure_only {
        for seq in walk.expunged.iter().filter(|_| !accepted) {
            findings.gap(*seq, "expunged", "its bytes are gone; whether an order took them was not verified");
        }
        return;
    }
    for seq in &walk.expunged {
        let leaf = walk.chain.tree.leaf(*seq);
        let ordered = |order: &&ExpungeOrder| order.seq == *seq && Some(order.leaf) == leaf && order.by_seq > *seq;
        match walk.expunge_orders.iter().find(ordered) {
            None => findings.damage(*seq, "expunged", "its bytes are gone, and no order took them"),
            Some(_) if accepted => {}
            Some(order) => {
                let what = format_args!("its bytes were expunged by order of entry {}", order.by_seq);
                findings.gap(*seq, "expunged", what);
            }
        }
    }
    for order in &walk.expunge_orders {
        if walk.expunged.binary_search(&order.seq).is_err() {
            let what = format_args!("entry {} orders that it be expunged, and its bytes are still there", order.by_seq);
            findings.damage(order.seq, "expunged-present", what);
        }
    }
}
