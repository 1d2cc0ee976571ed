//! Holds the log against what is known from outside: an anchor, the writer's head file, a checkpoint that somebody kept.
//! A log that is smaller, or another at that size, was cut or rewritten. The anchor in the ledger's own directory vouches
//! for nothing, since whoever rewrote the log could write it too; but it must not contradict the log.

use std::fs;
use std::path::Path;

use blotter_keys::anchor::Anchor;
use blotter_keys::checkpoint::UnverifiedCheckpoint;
use blotter_record::Hash;

use crate::error::CouldNotRun;
use crate::findings::Findings;
use crate::head_file::{Head, TornHead, read_head};
use crate::options::Options;
use crate::report::Voucher;
use crate::walk::Walk;

/// What could be read outside and beside the database, before it: a writer that goes on can only make the log larger.
#[derive(Debug)]
pub(crate) struct Witnesses {
    inside: Option<Result<Anchor, String>>,
    head: Option<Result<Head, TornHead>>,
}

impl Witnesses {
    /// Reads `anchor.json` in the ledger's directory, and the head file of the ledger `genesis`.
    pub(crate) fn read(dir: &Path, options: &Options, genesis: Option<Hash>) -> Result<Self, CouldNotRun> {
        let inside = read_if_there(&dir.join("anchor.json"))?;
        let head_path = options.state_dir.as_ref().zip(genesis);
        let head = match head_path.map(|(dir, genesis)| dir.join(format!("{genesis}.head"))) {
            Some(path) => read_if_there(&path)?,
            None => None,
        };
        Ok(Self { inside: inside.map(|bytes| read_anchor(&bytes)), head: head.map(|bytes| read_head(&bytes)) })
    }

    /// Compares them all with the log; those from outside that agree.
    pub(crate) fn check(&self, walk: &mut Walk<'_>, options: &Options) -> Vec<Voucher> {
        let mut vouchers = Vec::new();
        match &self.inside {
            Some(Ok(anchor)) => {
                check_anchor(walk, anchor, "anchor.json in the ledger's directory");
            }
            Some(Err(what)) => walk.findings.damage(None, "anchor", format_args!("anchor.json: {what}")),
            None => {}
        }
        if let Some(anchor) = &options.anchor {
            vouchers.extend(check_anchor(walk, anchor, "the anchor"));
        }
        match &self.head {
            Some(Ok(head)) => vouchers.extend(check_head(walk, "the head file", head.size, head.root)),
            Some(Err(error)) => walk.findings.gap(None, "head-file", format_args!("the head file: {error}")),
            None => {}
        }
        for head in &options.heads {
            vouchers.extend(check_head(walk, &head.by, head.size, head.root));
        }
        if let Some(since) = &options.since {
            vouchers.extend(check_since(walk, since));
        }
        vouchers
    }
}

fn read_if_there(path: &Path) -> Result<Option<Vec<u8>>, CouldNotRun> {
    match fs::read(path) {
        Ok(bytes) => Ok(Some(bytes)),
        Err(cause) if cause.kind() == std::io::ErrorKind::NotFound => Ok(None),
        Err(cause) => Err(CouldNotRun::Io { path: path.to_owned(), cause }),
    }
}

fn read_anchor(bytes: &[u8]) -> Result<Anchor, String> {
    let text = std::str::from_utf8(bytes).map_err(|error| error.to_string())?;
    text.parse().map_err(|error: blotter_keys::anchor::AnchorError| error.to_string())
}

/// FORMAT.md §10 steps 1 and 4.
fn check_anchor(walk: &mut Walk<'_>, anchor: &Anchor, by: &str) -> Option<Voucher> {
    let keyring = walk.keyring.as_ref().zip(walk.identity.as_ref());
    if keyring.is_none() && walk.stopped {
        return None;
    }
    let what = match keyring {
        None => Some("founds no ledger"),
        Some((_, identity)) if identity.genesis != anchor.genesis => Some("has another leaf hash"),
        Some((_, identity)) if identity.origin != anchor.origin => Some("names another origin"),
        Some((_, identity)) if identity.founder_kid != anchor.founder => Some("is signed by another founder"),
        Some((keyring, _)) if keyring.ledger_keys().first().map(|key| &key.vkey) != Some(&anchor.ledger_vkey) => {
            Some("names another ledger_vkey")
        }
        Some(_) => None,
    };
    if let Some(what) = what {
        walk.findings.damage(0, "anchor", format_args!("this is not the ledger of {by}: entry 0 {what}"));
        return None;
    }
    check_head(walk, by, anchor.size, anchor.root)
}

fn check_head(walk: &mut Walk<'_>, by: &str, size: u64, root: Hash) -> Option<Voucher> {
    match walk.chain.tree.root_at(size) {
        _ if size == 0 => None,
        Some(found) if found == root => Some(Voucher { by: by.to_owned(), size }),
        Some(_) => {
            let what = format_args!("{by} knows another root of the first {size} entries: the log was rewritten");
            walk.findings.damage_to_tree(size - 1, "rewritten", what);
            None
        }
        // Of a log that can't be read to its end, the end is not known.
        None if walk.stopped => None,
        None => {
            let there = walk.size();
            let what = format_args!("{by} knows {size} entries, and {there} are there: the log was cut");
            walk.findings.damage(there, "cut", what);
            None
        }
    }
}

fn check_since(walk: &mut Walk<'_>, since: &UnverifiedCheckpoint) -> Option<Voucher> {
    let (by, size) = ("the checkpoint that was kept", since.claimed_size());
    let keyring = walk.keyring.as_ref()?;
    let keys: Vec<_> = keyring.checkpoint_keys(size).into_iter().cloned().collect();
    let opened = since.open(keyring.origin().as_str(), &keys);
    let signed_by_all = keys.iter().all(|key| since.note().verify(std::slice::from_ref(key)).is_ok());
    match opened {
        Ok(checkpoint) if signed_by_all => check_head(walk, by, size, *checkpoint.root()),
        Ok(_) | Err(_) => {
            let what =
                format_args!("{by} is not one of this ledger's key: of another ledger, or this one was founded anew");
            walk.findings.damage(size.saturating_sub(1), "since", what);
            None
        }
    }
}

/// Says what follows when nothing from outside is there.
pub(crate) fn say_what_is_missing(vouchers: &[Voucher], findings: &mut Findings) {
    if vouchers.is_empty() && !findings.is_damaged() {
        findings.gap(
            None,
            "no-anchor",
            "no anchor from outside was given, so who founded this ledger can't be told; pass --anchor",
        );
    }
}
