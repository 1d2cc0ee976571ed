//! What can be said of an entry by itself, in any order and on any thread: its spelling, its hash, its statement's shape,
//! its signature under the key it names, its disclosures. What depends on the entries before it is the walk's.

use blotter_keys::keyring::Keyring;
use blotter_record::limits::DISCLOSURES_MAX;
use blotter_record::{Disclosure, Entry, Event, Hash, Statement};

use crate::blob_name::BlobName;
use crate::known_keys::KnownKeys;
use crate::notes::{Note, examine_note};
use crate::reader::{Batch, Cell, DisclosureRow, EntryRow};

/// Something that is wrong with an entry: a code, and what.
pub(crate) type Fault = (&'static str, String);

/// An examined batch.
#[derive(Debug)]
pub(crate) struct Examined {
    pub(crate) entries: Vec<ExaminedEntry>,
    pub(crate) strays: Vec<(Option<u64>, String)>,
    pub(crate) notes_behind: Vec<Note>,
    pub(crate) corrupt: Option<String>,
}

/// An examined entry.
#[derive(Debug)]
pub(crate) struct ExaminedEntry {
    /// The row's number.
    pub(crate) seq: i64,
    /// The hash of its bytes; of an expunged entry, the hash that stands in their place.
    pub(crate) leaf: Hash,
    /// The statement's id, as the table has it.
    pub(crate) jti: Option<[u8; 16]>,
    pub(crate) body: Body,
    pub(crate) faults: Vec<Fault>,
    pub(crate) vault: Vault,
    pub(crate) notes_before: Vec<Note>,
}

/// What the bytes of an entry are.
#[derive(Debug)]
pub(crate) enum Body {
    /// No entry.
    Malformed,
    /// Gone, by order or not.
    Expunged,
    /// An entry whose statement is none, or was not read; it is of no use any more.
    Bare(Entry),
    /// An entry with its statement.
    Said(Box<(Entry, Statement, Signature)>),
}

/// The verdict on a statement's signature.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Signature {
    Good,
    Bad,
    /// The key was not met yet.
    KeyUnknown,
    /// Not looked at.
    Unverified,
}

/// What the vault holds of an entry.
#[derive(Debug, Default)]
pub(crate) struct Vault {
    /// Disclosures that are right.
    pub(crate) disclosures: u64,
    /// Digests whose disclosures are not there.
    pub(crate) missing: Vec<Hash>,
    /// Blobs that the values name.
    pub(crate) blobs: Vec<BlobName>,
}

/// Examines a batch.
pub(crate) fn examine(batch: Batch, keys: &KnownKeys, structure_only: bool) -> Examined {
    let Batch { bytes, entries, strays, checkpoints_behind, corrupt } = batch;
    let entry = |row| examine_entry(row, &bytes, keys, structure_only);
    let note = |row| examine_note(row, &bytes, keys, structure_only);
    Examined {
        entries: entries.into_iter().map(entry).collect(),
        strays,
        notes_behind: checkpoints_behind.into_iter().map(note).collect(),
        corrupt,
    }
}

fn examine_entry(row: EntryRow, bytes: &[u8], keys: &KnownKeys, structure_only: bool) -> ExaminedEntry {
    let mut faults = Vec::new();
    let (leaf, body) = match &row.bytes {
        Ok(at) => examine_bytes(&bytes[at.clone()], keys, structure_only, &mut faults),
        Err(what) => {
            faults.push(("row", format!("the column bytes holds {what}")));
            (Hash::of_leaf(b""), Body::Malformed)
        }
    };
    match &row.leaf {
        Ok(found) if *found == leaf.0 => {}
        Ok(_) => faults.push(("leaf", "the column leaf is not the hash of the bytes".to_owned())),
        Err(what) => faults.push(("row", format!("the column leaf holds {what}"))),
    }
    match (&row.jti, &body) {
        (Ok(found), Body::Said(said)) if *found != said.1.jti.to_bytes() => {
            faults.push(("jti", format!("the column jti is not the statement's id {}", said.1.jti)));
        }
        (Err(what), _) => faults.push(("row", format!("the column jti holds {what}"))),
        _ => {}
    }
    let vault = match &body {
        Body::Said(said) if !structure_only => examine_vault(&row, bytes, &said.1, &mut faults),
        Body::Expunged if !row.disclosures.is_empty() => {
            faults.push(("disclosure", "the entry was expunged, but a disclosure of it is still there".to_owned()));
            Vault::default()
        }
        _ => Vault::default(),
    };
    let notes_before = row.checkpoints_before.into_iter().map(|row| examine_note(row, bytes, keys, structure_only));
    ExaminedEntry { seq: row.seq, leaf, jti: row.jti.ok(), faults, vault, notes_before: notes_before.collect(), body }
}

fn examine_bytes(bytes: &[u8], keys: &KnownKeys, structure_only: bool, faults: &mut Vec<Fault>) -> (Hash, Body) {
    if let Ok(leaf) = bytes.try_into() {
        return (Hash(leaf), Body::Expunged);
    }
    let leaf = Hash::of_leaf(bytes);
    let mut entry = match Entry::parse(bytes) {
        Ok(entry) => entry,
        Err(error) => {
            faults.push(("entry", error.to_string()));
            return (leaf, Body::Malformed);
        }
    };
    // Without statements, the ledger's own stream is still read: it says which key signs checkpoints.
    if structure_only && entry.streams[0].stream.kind() != "ledger" {
        entry.statement.clear();
        entry.statement.shrink_to_fit();
        return (leaf, Body::Bare(entry));
    }
    match Statement::parse(&entry.statement) {
        Ok(statement) => {
            keys.meet(&statement);
            let signature = if structure_only { Signature::Unverified } else { keys.check_signature(&statement) };
            if !statement.streams().eq(entry.streams.iter().map(|link| &link.stream)) {
                faults.push(("streams", "the entry's streams are not the statement's sub and about".to_owned()));
            }
            (leaf, Body::Said(Box::new((entry, statement, signature))))
        }
        Err(error) => {
            faults.push(("statement", error.to_string()));
            (leaf, Body::Bare(entry))
        }
    }
}

/// FORMAT.md §10 step 5: every disclosure has its digest in the statement, under a name of `fields`, none twice.
fn examine_vault(entry: &EntryRow, bytes: &[u8], statement: &Statement, faults: &mut Vec<Fault>) -> Vault {
    let mut vault = Vault::default();
    let mut there = vec![false; statement.digests.len()];
    let mut names: Vec<String> = Vec::new();
    for row in &entry.disclosures {
        match examine_disclosure(entry.seq, row, bytes, statement) {
            Err(fault) => faults.push(("disclosure", format!("slot {}: {fault}", row.slot))),
            Ok((index, disclosure)) => {
                let twice =
                    std::mem::replace(&mut there[index], true) || names.iter().any(|name| name == disclosure.name());
                if twice {
                    faults.push(("disclosure", format!("slot {}: {} twice", row.slot, disclosure.name())));
                    continue;
                }
                vault.disclosures += 1;
                vault.blobs.extend(BlobName::read(disclosure.value()));
                names.push(disclosure.name().to_owned());
            }
        }
    }
    let missing = statement.digests.iter().zip(there).filter(|(_, there)| !there);
    vault.missing = missing.map(|(digest, _)| *digest).collect();
    vault
}

/// The disclosure of a row, and which of the statement's digests it has.
fn examine_disclosure(
    seq: i64,
    row: &DisclosureRow,
    bytes: &[u8],
    statement: &Statement,
) -> Result<(usize, Disclosure), String> {
    if *row.seq.as_ref().map_err(String::clone)? != seq {
        return Err("its column seq names another entry".to_owned());
    }
    let place = usize::try_from(row.slot.rem_euclid(DISCLOSURES_MAX as i64)).unwrap_or(usize::MAX);
    if place >= statement.digests.len() {
        return Err(format!("the statement has only {} values", statement.digests.len()));
    }
    let (name, text) = (utf8(&row.name, bytes)?, utf8(&row.text, bytes)?);
    let digest = Hash::of(text.as_bytes());
    let index = statement.digests.iter().position(|found| *found == digest);
    let index = index.ok_or("its digest is not in the statement")?;
    let disclosure = Disclosure::parse(text).map_err(|e| e.to_string())?;
    if disclosure.name() != name {
        return Err(format!("its column name is not its name {}", disclosure.name()));
    }
    if !statement.fields.iter().any(|field| field == name) {
        return Err(format!("the statement's fields don't name {name}"));
    }
    Ok((index, disclosure))
}

fn utf8<'b>(cell: &Cell, bytes: &'b [u8]) -> Result<&'b str, String> {
    let at = cell.as_ref().map_err(String::clone)?;
    std::str::from_utf8(&bytes[at.clone()]).map_err(|_| "not UTF-8".to_owned())
}

/// Whether the keyring is folded from entries of this event, entry 0 included: the rows of the table `trust`.
pub(crate) fn is_trust(statement: &Statement) -> bool {
    statement.event.known().is_some_and(|event| event == Event::LedgerFounded || Keyring::folds(event))
}
