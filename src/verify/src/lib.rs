//! The independent verifier of blotter. It trusts nobody: it reads FORMAT.md's own tables, walks every entry, and takes no
//! line of code from the writer. It shares with it only the words of the record, and the keyring and the judge, which say
//! what may enter; the walk, the tree and the reading of the database are its own.
//!
//! It promises to name the lowest entry that is damaged, never to say `Verified` of what it did not look at, to write
//! nothing, and to survive whatever bytes it is given.

mod blob_name;
mod chain;
mod error;
mod examine;
mod findings;
mod head_file;
mod history;
mod jtis;
mod known_keys;
mod notes;
mod options;
mod pipeline;
mod reader;
mod report;
mod schema;
mod store;
mod streams;
mod streams_table;
mod tables;
mod tree;
mod vault;
mod walk;
mod watch;
mod witness;

use std::path::Path;
use std::sync::atomic::AtomicBool;
use std::thread;

use blotter_record::{Hash, Permissive};

pub use error::CouldNotRun;
use error::ReadError;
use findings::Findings;
pub use head_file::{Head, TornHead, read_head};
pub use options::{KnownHead, Options, Progress};
pub use report::{Expunged, FINDINGS_LISTED_MAX, Finding, Identity, Outcome, Report, Voucher};
use store::Store;
use vault::VaultCounts;
use walk::Walk;
use watch::interruptible;
use witness::{Witnesses, say_what_is_missing};

/// The database in a ledger's directory.
const DATABASE: &str = "ledger.db";

/// Verifies the ledger in `dir`, as it is at one moment. `progress` is told now and then; once `cancel` is set, the
/// verification ends soon.
///
/// # Errors
/// If nothing can be said of the ledger. Whatever is wrong with it is in the report.
pub fn verify(
    dir: &Path,
    options: Options,
    progress: &(dyn Fn(Progress) + Sync),
    cancel: &AtomicBool,
) -> Result<Report, CouldNotRun> {
    let path = dir.join(DATABASE);
    let structure_only = options.structure_only;
    // Read before the log: a writer that goes on can then only have made the log larger.
    let genesis = Store::open(path.clone()).and_then(|store| genesis_of(&store));
    let witnesses = Witnesses::read(dir, &options, genesis.ok().flatten())?;
    let store = match Store::open(path) {
        Ok(store) => store,
        Err(ReadError::CouldNotRun(error)) => return Err(error),
        Err(ReadError::Corrupt(what)) => return Ok(unreadable(&what, structure_only)),
    };
    let verified = verify_store(&store, dir, options, &witnesses, progress, cancel);
    store.check_unchanged()?;
    match verified {
        Ok(report) => Ok(report),
        Err(ReadError::CouldNotRun(error)) => Err(error),
        Err(ReadError::Corrupt(what)) => Ok(unreadable(&what, structure_only)),
    }
}

fn verify_store(
    store: &Store,
    dir: &Path,
    mut options: Options,
    witnesses: &Witnesses,
    progress: &(dyn Fn(Progress) + Sync),
    cancel: &AtomicBool,
) -> Result<Report, ReadError> {
    // A connection of its own, so that SQLite's check of the file runs beside the walk.
    let second = Store::open(dir.join(DATABASE))?;
    let connections = [store.interrupt_handle(), second.interrupt_handle()];
    interruptible(&connections, cancel, || {
        thread::scope(|scope| {
            let integrity = (!options.structure_only).then(|| scope.spawn(|| schema::check_integrity(&second)));
            let policy = std::mem::replace(&mut options.policy, Box::new(Permissive));
            let mut walk = Walk::new(store, options.structure_only, policy, room_for(store));
            let counts = check_all(store, &mut walk, &options, progress, cancel)?;
            if let Some(integrity) = integrity {
                let problems = integrity.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic));
                tell_problems(problems, &mut walk.findings)?;
            }
            Ok(conclude(walk, counts, witnesses, &options))
        })
    })
}

/// FORMAT.md §10, steps 2, 3, 5 and 6.
fn check_all(
    store: &Store,
    walk: &mut Walk<'_>,
    options: &Options,
    progress: &(dyn Fn(Progress) + Sync),
    cancel: &AtomicBool,
) -> Result<VaultCounts, ReadError> {
    let mut counts = VaultCounts::default();
    if !schema::check_schema(store, &mut walk.findings)? {
        walk.stopped = true;
        return Ok(counts);
    }
    let of = last_seq(store).unwrap_or(0);
    pipeline::run(store, threads(options), options.structure_only, cancel, |batch| {
        walk.take(batch)?;
        progress(Progress { entries: walk.size(), of });
        Ok(())
    })?;
    walk.finish();
    if walk.stopped {
        return Ok(counts);
    }
    let checked = tables::check_nodes(store, walk);
    tolerate(checked, &mut walk.findings)?;
    if !options.structure_only {
        let checked = streams_table::check_streams(store, walk);
        tolerate(checked, &mut walk.findings)?;
        let checked = tables::check_trust(store, walk);
        tolerate(checked, &mut walk.findings)?;
        match vault::check_vault(store, walk) {
            Ok(found) => counts = found,
            Err(error) => tolerate(Err(error), &mut walk.findings)?,
        }
    }
    vault::check_expunged(walk, options);
    Ok(counts)
}

fn tell_problems(problems: Result<Vec<String>, ReadError>, findings: &mut Findings) -> Result<(), ReadError> {
    let told = problems.map(|problems| {
        for problem in problems {
            findings.damage(None, "store", format_args!("the database file is inconsistent: {problem}"));
        }
    });
    tolerate(told, findings)
}

/// A table that can't be read is damage, and no reason not to read the next.
fn tolerate(checked: Result<(), ReadError>, findings: &mut Findings) -> Result<(), ReadError> {
    match checked {
        Err(ReadError::Corrupt(what)) => {
            findings.damage(None, "store", format_args!("the database can't be read: {what}"));
            Ok(())
        }
        checked => checked,
    }
}

fn conclude(mut walk: Walk<'_>, vault: VaultCounts, witnesses: &Witnesses, options: &Options) -> Report {
    let vouchers = witnesses.check(&mut walk, options);
    say_what_is_missing(&vouchers, &mut walk.findings);
    let by_compromised_keys = walk.by_compromised_keys();
    let expunged = walk.expunged.iter().take(FINDINGS_LISTED_MAX).map(|seq| Expunged {
        seq: *seq,
        order: walk.keyring.as_ref().and_then(|keyring| keyring.expunged_by(*seq)).copied(),
    });
    let expunged = expunged.collect();
    let entries = walk.size();
    let (outcome, counts) = (walk.findings.outcome(), walk.counts);
    let (first_bad, findings, findings_count) = walk.findings.into_parts();
    Report {
        outcome,
        structure_only: options.structure_only,
        identity: walk.identity,
        rules_version: walk.keyring.map(|keyring| keyring.rules_version().to_owned()),
        entries,
        root: walk.chain.tree.root_at(entries).unwrap_or(Hash([0; 32])),
        recorded: walk.recorded,
        signatures: counts.signatures,
        checkpoints: counts.checkpoints,
        disclosures: counts.disclosures,
        blobs: vault.blobs,
        erased: vault.erased,
        missing: vault.missing,
        expunged,
        expunged_count: walk.expunged.len() as u64,
        unknown_events: counts.unknown_events,
        unjudged: counts.unjudged,
        decisions_judged: counts.decisions_judged,
        notarised: counts.notarised,
        imported: counts.imported,
        late: counts.late,
        by_compromised_keys,
        by_recovered_keys: counts.by_recovered_keys,
        first_bad,
        findings,
        findings_count,
        anchored: !vouchers.is_empty(),
        fresh: vouchers.iter().any(|voucher| voucher.size == entries),
        vouchers,
    }
}

/// The report of a database that opens, and then can't be read.
fn unreadable(what: &str, structure_only: bool) -> Report {
    let mut findings = Findings::default();
    findings.damage(None, "store", format_args!("the database can't be read: {what}"));
    let outcome = findings.outcome();
    let (first_bad, findings, findings_count) = findings.into_parts();
    Report { outcome, first_bad, findings, findings_count, structure_only, ..Report::nothing() }
}

fn threads(options: &Options) -> usize {
    match options.threads {
        0 => thread::available_parallelism().map_or(1, usize::from),
        threads => threads,
    }
}

fn genesis_of(store: &Store) -> Result<Option<Hash>, ReadError> {
    store.with(|db| {
        db.query_row("SELECT bytes FROM entry WHERE seq = 0", [], |row| {
            Ok(row.get_ref(0)?.as_blob().ok().map(Hash::of_leaf))
        })
    })
}

fn last_seq(store: &Store) -> Result<u64, ReadError> {
    let last: i64 = store.with(|db| db.query_row("SELECT coalesce(max(seq), -1) FROM entry", [], |row| row.get(0)))?;
    Ok(u64::try_from(last).map_or(0, |last| last.saturating_add(1)))
}

/// Room for the entries that the database can hold at all: its last number alone could be a lie.
fn room_for(store: &Store) -> usize {
    const ENTRY_BYTES_MIN: u64 = 256;
    let pages = store.with(|db| {
        let pragma = |name: &str| db.pragma_query_value(None, name, |row| row.get::<_, i64>(0));
        Ok(pragma("page_count")?.saturating_mul(pragma("page_size")?))
    });
    let bytes = pages.ok().and_then(|bytes| u64::try_from(bytes).ok()).unwrap_or(0);
    let entries = last_seq(store).unwrap_or(0).min(bytes / ENTRY_BYTES_MIN);
    usize::try_from(entries).unwrap_or(0)
}
