//! Reading a ledger: entries with their statements, receipts, the keyring. Everything here works on a store that some
//! other process is writing, too. Nothing read here is proven unless it says so; `blotter verify` proves.

use std::sync::mpsc::channel;

use blotter_keys::checkpoint::UnverifiedCheckpoint;
use blotter_keys::judge::Said;
use blotter_keys::keyring::Keyring;
use blotter_keys::merkle::{self, Frontier};
use blotter_keys::note::SignedNote;
use blotter_keys::tlog_proof::TlogProof;
use blotter_record::{Entry, Hash, Json, Statement};

use crate::Error;
use crate::store::{Read, StoreError, Stored, Tree, tree_error};

/// Leaves of one tile.
const TILE: u64 = 256;
/// From so many entries on, all cores read them.
const PARALLEL_MIN: usize = 64;
/// Entries that one core reads at once.
const SLICE: usize = 512;

/// An entry and the statement in it.
#[derive(Debug, Clone)]
pub struct ReadEntry {
    /// As stored.
    pub stored: Stored,
    /// The entry and its statement; `None` if it was expunged.
    pub said: Option<(Entry, Statement)>,
}

/// Reads up to `limit` entries from `from` on.
///
/// # Errors
/// If the store can't be read, or one of them is no entry.
pub fn entries(store: &dyn Read, from: u64, limit: usize) -> Result<Vec<ReadEntry>, Error> {
    entries_as(store, from, limit, |entry| entry)
}

/// The same, and makes something of each.
///
/// # Errors
/// As [`entries`].
pub fn entries_as<T: Send>(
    store: &dyn Read,
    from: u64,
    limit: usize,
    make: impl Fn(ReadEntry) -> T + Sync,
) -> Result<Vec<T>, Error> {
    let (mut from, mut left) = (from, limit);
    let next = || {
        let slice = store.entries(from, left.min(SLICE))?;
        from = slice.last().map_or(from, |last| last.seq + 1);
        // Where there are fewer, the log ends.
        left = if slice.len() < SLICE { 0 } else { left - slice.len() };
        Ok(slice)
    };
    sliced(next, make)
}

/// Reads the entries of these seqs, which rise or fall, runs of them in one go, and makes something of each.
///
/// # Errors
/// If the store can't be read, or one of them is not there, or is no entry.
pub fn entries_at<T: Send>(
    store: &dyn Read,
    seqs: &[u64],
    make: impl Fn(ReadEntry) -> T + Sync,
) -> Result<Vec<T>, Error> {
    let mut slices = seqs.chunks(SLICE);
    let next = || {
        let seqs = slices.next().unwrap_or_default();
        let mut slice = Vec::with_capacity(seqs.len());
        for run in seqs.chunk_by(|a, b| a.abs_diff(*b) == 1) {
            let (first, last) = (run[0], run[run.len() - 1]);
            let mut found = store.entries(first.min(last), run.len())?;
            if first > last {
                found.reverse();
            }
            if let Some((seq, _)) =
                run.iter().zip(0..).find(|(seq, n)| found.get(*n).is_none_or(|found| found.seq != **seq))
            {
                return Err(StoreError::Corrupt { seq: *seq, what: "not there".into() });
            }
            slice.append(&mut found);
        }
        Ok(slice)
    };
    sliced(next, make)
}

/// What is made of entries that come in slices until one is empty. All cores work on what was read while more is read.
fn sliced<T: Send>(
    mut next: impl FnMut() -> Result<Vec<Stored>, StoreError>,
    make: impl Fn(ReadEntry) -> T + Sync,
) -> Result<Vec<T>, Error> {
    let all = |slice: Vec<Stored>| -> Result<Vec<T>, StoreError> {
        slice.into_iter().map(|stored| Ok(make(read(stored)?))).collect()
    };
    let first = next()?;
    if first.len() < PARALLEL_MIN {
        return Ok(all(first)?);
    }
    let (done, slices) = channel::<(usize, Result<Vec<T>, StoreError>)>();
    rayon::in_place_scope(|scope| {
        let (mut slice, mut index) = (first, 0);
        while !slice.is_empty() {
            let (done, all) = (done.clone(), &all);
            // Whoever receives it is there until the end of the scope.
            scope.spawn(move |_| drop(done.send((index, all(slice)))));
            (slice, index) = (next()?, index + 1);
        }
        Ok::<_, StoreError>(())
    })?;
    drop(done);
    let mut slices: Vec<_> = slices.into_iter().collect();
    slices.sort_unstable_by_key(|(index, _)| *index);
    let mut found = Vec::with_capacity(slices.len() * SLICE);
    for (_, slice) in slices {
        found.append(&mut slice?);
    }
    Ok(found)
}

fn read(stored: Stored) -> Result<ReadEntry, StoreError> {
    if stored.is_expunged() {
        return Ok(ReadEntry { stored, said: None });
    }
    let corrupt = |what: String| StoreError::Corrupt { seq: stored.seq, what };
    if Hash::of_leaf(&stored.bytes) != stored.leaf {
        return Err(corrupt("its bytes don't have its leaf hash".into()));
    }
    let entry = Entry::parse(&stored.bytes).map_err(|e| corrupt(e.to_string()))?;
    let statement = Statement::parse(&entry.statement).map_err(|e| corrupt(e.to_string()))?;
    Ok(ReadEntry { stored, said: Some((entry, statement)) })
}

pub(crate) fn said(store: &dyn Read, seq: u64) -> Result<Said, StoreError> {
    let stored = store.entries(seq, 1)?.into_iter().next().filter(|stored| stored.seq == seq);
    let stored = stored.ok_or_else(|| StoreError::Corrupt { seq, what: "not there".into() })?;
    let entry = read(stored)?;
    Ok(Said { seq, leaf: entry.stored.leaf, statement: entry.said.map(|(_, statement)| statement) })
}

/// The newest checkpoint, its signature not verified.
///
/// # Errors
/// If there is none, or it is no checkpoint.
pub fn checkpoint(store: &dyn Read) -> Result<UnverifiedCheckpoint, Error> {
    let corrupt = |what: String| Error::Corrupt { seq: store.size().unwrap_or(0), what };
    let note = store.checkpoint()?.ok_or_else(|| corrupt("there is no checkpoint".into()))?;
    UnverifiedCheckpoint::parse(note.as_bytes()).map_err(|e| corrupt(format!("the newest checkpoint: {e}")))
}

/// An entry with the proof that it is in the log (FORMAT.md §7).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Receipt {
    /// The entry's exact bytes.
    pub entry: String,
    /// Its number.
    pub seq: u64,
    /// A `.tlog-proof` file: the inclusion proof and the checkpoint.
    pub proof: String,
}

impl Receipt {
    /// The JSON object of FORMAT.md §7.
    pub fn to_json(&self) -> Json {
        let seq = i64::try_from(self.seq).unwrap_or(i64::MAX);
        Json::Object(vec![
            ("entry".into(), self.entry.as_str().into()),
            ("seq".into(), seq.into()),
            ("proof".into(), self.proof.as_str().into()),
        ])
    }
}

/// The receipt of entry `seq`, by the newest checkpoint.
///
/// # Errors
/// If the log has no such entry, or can't be read.
pub fn receipt(store: &dyn Read, seq: u64) -> Result<Receipt, Error> {
    receipt_over(store, &Tree(store), seq)
}

/// The same, with the hashes of the store's tree from elsewhere.
///
/// # Errors
/// As [`receipt`].
pub fn receipt_over(
    store: &dyn Read,
    tree: &impl merkle::Hashes<Error = StoreError>,
    seq: u64,
) -> Result<Receipt, Error> {
    let note = checkpoint(store)?;
    let stored = store.entries(seq, 1)?.into_iter().next().filter(|stored| stored.seq == seq);
    let Some(stored) = stored.filter(|_| seq < note.claimed_size()) else {
        let what = format!("there is no entry {seq}; the log has {}", note.claimed_size());
        return Err(Error::System { what: "the receipt".into(), cause: what });
    };
    let entry = if stored.is_expunged() { Vec::new() } else { stored.bytes };
    receipt_of(tree, &note, seq, &entry)
}

/// The receipt of entry `seq`, whose bytes are given, by a checkpoint of this ledger and the hashes of its tree.
///
/// # Errors
/// If the log had no such entry at that checkpoint, or the hashes can't be read.
pub fn receipt_of(
    tree: &impl merkle::Hashes<Error = StoreError>,
    note: &UnverifiedCheckpoint,
    seq: u64,
    entry: &[u8],
) -> Result<Receipt, Error> {
    let corrupt = |what: String| Error::Corrupt { seq, what };
    let path = merkle::inclusion_proof(tree, seq, note.claimed_size()).map_err(|e| tree_error(seq, e))?;
    let proof = proof_file(seq, path, note.note()).map_err(corrupt)?;
    Ok(Receipt { entry: String::from_utf8_lossy(entry).into_owned(), seq, proof })
}

fn proof_file(seq: u64, path: Vec<Hash>, note: &SignedNote) -> Result<String, String> {
    TlogProof::new(seq, path, note).map(|proof| proof.to_string()).map_err(|e| e.to_string())
}

/// A log's head as the store's hashes have it, and the keyring at it; each entry that the keyring was folded from is
/// proven to be in that very tree, which the newest checkpoint signs. So a row that somebody inserted can't make the
/// ledger trust a key.
pub struct Opened {
    /// Who may say what, at the head.
    pub keyring: Keyring,
    /// The tree's right edge.
    pub frontier: Frontier,
}

/// Reads the head and folds the keyring. Another process may append meanwhile: what counts is the log at its newest
/// checkpoint, and nothing before that ever changes.
///
/// # Errors
/// [`Error::Corrupt`] if checkpoint, tree and entries don't belong together.
pub fn open_keyring(store: &dyn Read) -> Result<Opened, Error> {
    let note = head(store)?;
    let frontier = prove_nodes(store, note.claimed_size())?;
    let keyring = fold_keyring(store, note.claimed_size(), note.claimed_size())?;
    check_head(&note, &keyring, &frontier)?;
    Ok(Opened { keyring, frontier })
}

/// Who could say what just before entry `seq` of a ledger that [`open_keyring`] opened; before entry 0, nobody could.
///
/// # Errors
/// [`Error::Corrupt`] if an entry that the keyring is folded from is not in the tree.
pub fn keyring_before(store: &dyn Read, seq: u64) -> Result<Option<Keyring>, Error> {
    if seq == 0 {
        return Ok(None);
    }
    let size = head(store)?.claimed_size();
    fold_keyring(store, size, seq).map(Some)
}

/// The newest checkpoint, its signature not verified; there is one over every entry that was committed before.
fn head(store: &dyn Read) -> Result<UnverifiedCheckpoint, Error> {
    let before = store.size()?;
    let note = checkpoint(store)?;
    let size = note.claimed_size();
    if before == size || (before < size && size <= store.size()?) {
        return Ok(note);
    }
    let what = format!("there are {before} entries, but the newest checkpoint is over {size}");
    Err(Error::Corrupt { seq: before.min(size), what })
}

/// The keyring after the entries before `end`, each proven to be in the tree of `size` entries.
fn fold_keyring(store: &dyn Read, size: u64, end: u64) -> Result<Keyring, Error> {
    let trusted = store.trusted()?;
    let there = store.size()?;
    if let Some(seq) = trusted.iter().copied().find(|seq| *seq >= there) {
        let what = "the keyring's index names it, but the log is shorter".into();
        return Err(Error::Corrupt { seq, what });
    }
    let mut keyring: Option<Keyring> = None;
    let mut tile: Option<(u64, Vec<Hash>)> = None;
    for seq in trusted.into_iter().take_while(|seq| *seq < size.min(end)) {
        let corrupt = |what: String| Error::Corrupt { seq, what };
        if tile.as_ref().is_none_or(|(index, _)| *index != seq / TILE) {
            tile = Some((seq / TILE, prove_tile(store, seq / TILE, size)?));
        }
        let stored = store.entries(seq, 1)?.into_iter().next().filter(|stored| stored.seq == seq);
        let entry = read(stored.ok_or_else(|| corrupt("not there".into()))?)?;
        let in_tree = tile.as_ref().and_then(|(_, leaves)| leaves.get((seq % TILE) as usize));
        if in_tree != Some(&entry.stored.leaf) {
            return Err(corrupt("it is not in the tree".into()));
        }
        let Some((entry, statement)) = entry.said else { continue };
        match &mut keyring {
            None if seq == 0 => {
                let genesis = *in_tree.expect("compared just now");
                let founded = Keyring::found(&statement, &genesis).map_err(|e| corrupt(e.to_string()))?;
                let key = founded.key(&statement.kid).expect("the founder's key was added");
                key.public
                    .verify(statement.signing_input(), statement.signature())
                    .map_err(|_| corrupt("the founder's signature does not verify".into()))?;
                keyring = Some(founded);
            }
            None => return Err(corrupt("the keyring's index does not begin with entry 0".into())),
            Some(keyring) => keyring.apply(&entry, &statement),
        }
    }
    keyring.ok_or(Error::Corrupt { seq: 0, what: "there is no entry 0".into() })
}

/// The tree's right edge, computed from all stored roots of full tiles of leaves; those above them must agree.
fn prove_nodes(store: &dyn Read, size: u64) -> Result<Frontier, Error> {
    let corrupt = |what: String| Error::Corrupt { seq: size, what };
    let frontier = merkle::frontier_at(&Tree(store), size).map_err(|e| tree_error(size, e))?;
    let (mut full, mut level) = (size / TILE, 1);
    while full / TILE > 0 {
        for index in 0..full / TILE {
            let mut tile = Frontier::default();
            for hash in store.hashes(level, index * TILE, 256)? {
                tile.push(hash);
            }
            if store.hashes(level + 1, index, 1)? != [tile.root()] {
                return Err(corrupt(format!(
                    "the stored tree contradicts itself at level {}, index {index}",
                    level + 1
                )));
            }
        }
        (full, level) = (full / TILE, level + 1);
    }
    Ok(frontier)
}

/// The leaf hashes of a tile, proven by the root that the tree has for it.
fn prove_tile(store: &dyn Read, index: u64, size: u64) -> Result<Vec<Hash>, Error> {
    let start = index * TILE;
    let count = (size - start).min(TILE);
    let leaves = store.hashes(0, start, count as u32)?;
    // The last tile, if partial, is part of the right edge, which the checkpoint's root was computed from.
    if count == TILE {
        let mut tile = Frontier::default();
        leaves.iter().for_each(|leaf| tile.push(*leaf));
        if store.hashes(1, index, 1)? != [tile.root()] {
            return Err(Error::Corrupt {
                seq: start,
                what: "the leaf hashes of its tile are not those of the tree".into(),
            });
        }
    }
    Ok(leaves)
}

fn check_head(note: &UnverifiedCheckpoint, keyring: &Keyring, frontier: &Frontier) -> Result<(), Error> {
    let size = frontier.size();
    let corrupt = |what: String| Error::Corrupt { seq: size, what };
    let keys: Vec<_> = keyring.checkpoint_keys(size).into_iter().cloned().collect();
    let signed = note.note().verify(&keys).map_err(|e| corrupt(format!("the newest checkpoint: {e}")))?;
    if signed.len() != keys.len() {
        return Err(corrupt("the newest checkpoint is not signed by every key that must have signed it".into()));
    }
    let checkpoint =
        note.open(keyring.origin().as_str(), &keys).map_err(|e| corrupt(format!("the newest checkpoint: {e}")))?;
    if *checkpoint.root() != frontier.root() {
        return Err(corrupt("the newest checkpoint signs another tree than the one that is stored".into()));
    }
    Ok(())
}
