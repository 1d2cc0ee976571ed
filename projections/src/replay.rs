//! Replay: all views are built anew beside the live ones, from the first entry on, and compared with them.

use std::path::Path;
use std::time::Duration;

use blotter_record::Hash;
use rusqlite::backup::Backup;
use sha2::{Digest, Sha256};

use crate::facts::Facts;
use crate::log_index::LogIndex;
use crate::views::{Source, View, ViewError, Views, connect, read_only, remove};

/// How often live and new views are caught up before they are compared at the same size.
const TRIES: usize = 20;

/// What a replay found.
#[derive(Debug, Clone)]
pub struct Replayed {
    /// Entries that were folded.
    pub size: u64,
    /// Digest over all facts, as built anew; see [`state_digest`].
    pub digest: Hash,
    /// The same over the live views.
    pub live_digest: Hash,
    /// Tables that differ.
    pub different: Vec<&'static str>,
}

/// One digest over those of the views of facts.
pub fn state_digest(log: &Hash, facts: &Hash) -> Hash {
    let hasher = Sha256::new().chain_update("blotter/state/1\n").chain_update(log.0).chain_update(facts.0);
    Hash(hasher.finalize().into())
}

/// Digests of the views of facts in a file, caught up with the log: of all, and of each table.
struct Digests {
    size: u64,
    log: Hash,
    facts: Hash,
    tables: Vec<(&'static str, Hash)>,
}

/// Builds all views of `source` in the file `scratch`, which must not be there, and compares them with those in `live`.
/// `progress(what, done, size)` is told after each batch. What is in `scratch` afterwards can take the place of `live`.
///
/// # Errors
/// If a file can't be used, or the log can't be read.
pub fn replay<S: Source>(
    live: &Path,
    scratch: &Path,
    source: &S,
    progress: &mut dyn FnMut(&str, u64, u64),
) -> Result<Replayed, ViewError<S::Error>> {
    remove(scratch);
    // Words have no digest; they are built, too, so that the new file is complete.
    drop(Views::open(scratch, View::ALL, source, &mut |done, size| progress("new views", done, size))?);
    for _ in 1..TRIES {
        let old = digests(live, source, &mut |_, done, size| progress("live views", done, size))?;
        let new = digests(scratch, source, progress)?;
        if old.size != new.size {
            // The log grew in between.
            continue;
        }
        let mut different: Vec<&'static str> =
            old.tables.iter().zip(&new.tables).filter(|(old, new)| old != new).map(|((name, _), _)| *name).collect();
        if old.log != new.log {
            different.push("log_entry, log_stream");
        }
        return Ok(Replayed {
            size: new.size,
            digest: state_digest(&new.log, &new.facts),
            live_digest: state_digest(&old.log, &old.facts),
            different,
        });
    }
    Err(ViewError::Restless)
}

fn digests<S: Source>(
    path: &Path,
    source: &S,
    progress: &mut dyn FnMut(&str, u64, u64),
) -> Result<Digests, ViewError<S::Error>> {
    let index = LogIndex::open(path, source, &mut |done, size| progress("log", done, size))?;
    let facts = Facts::open(path, source, &mut |done, size| progress("facts", done, size))?;
    let unusable = |cause| ViewError::Unusable { path: path.to_owned(), cause };
    let digests = || -> rusqlite::Result<Digests> {
        let (size, tables) = (facts.size(), facts.table_digests()?);
        Ok(Digests { size, log: index.digest_of(size)?, facts: facts.digest()?, tables })
    };
    digests().map_err(unusable)
}

/// Puts the views in `scratch` in the place of those in `live`, in one transaction: whoever has these open reads the old
/// ones before it, and the new ones after it. Then `scratch` is gone.
///
/// # Errors
/// If one of the files can't be used.
pub fn replace(live: &Path, scratch: &Path) -> rusqlite::Result<()> {
    {
        let (from, mut to) = (read_only(scratch)?, connect(live)?);
        Backup::new(&from, &mut to)?.run_to_completion(i32::MAX, Duration::from_millis(50), None)?;
    }
    remove(scratch);
    Ok(())
}
