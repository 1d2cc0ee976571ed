//! `blotter anchor`: what somebody who distrusts the ledger should hold, from outside of it.

use std::path::Path;

use anyhow::{Context as _, Result, bail};
use blotter_keys::anchor::Anchor;
use blotter_keys::merkle::root_at;
use blotter_ledger::{Error, Tree};
use clap::Args;
use serde_json::json;

use crate::context::Context;
use crate::files;
use crate::session::{Reader, anchor_of};

const WHAT_TO_DO: &str = "\
Keep this where whoever runs the ledger can't change it: with an auditor, a notary, in another system, on paper. Verification
starts from it: `blotter verify --anchor FILE`, `blotter proof check PROOF --anchor FILE`. It vouches for the entries that there are
now; take a new one from time to time, because behind the newest anchor a tail can be cut without a trace.";

/// Print the anchor: which ledger this is, and its verified head
///
/// Origin, leaf hash of entry 0, the ledger's key, the founder's key, and size and root of the newest checkpoint, after it
/// was verified. Give a copy to everybody who should be able to notice that the log was cut, rewritten or exchanged.
#[derive(Debug, Args)]
pub(crate) struct AnchorArgs {
    /// Write it to this file. An anchor that is there is replaced only if this log continues it
    #[arg(long, value_name = "FILE")]
    out: Option<std::path::PathBuf>,
}

pub(crate) fn run(context: &Context, args: &AnchorArgs) -> Result<()> {
    let reader = Reader::open(context)?;
    reader.head(&context.state_dir()?)?;
    let anchor = anchor_of(&*reader.store, &reader.keyring)?;
    let json = json!({
        "origin": anchor.origin.as_str(), "genesis": anchor.genesis.to_string(),
        "ledger_vkey": anchor.ledger_vkey.to_string(), "founder": anchor.founder.to_string(),
        "size": anchor.size, "root": anchor.root.to_string(),
    });
    match &args.out {
        None => context.out.result(&json, || anchor.to_string()),
        Some(path) => {
            check_replaces(&reader, path)?;
            files::write(path, anchor.to_string().as_bytes(), files::Mode::Public)?;
            context
                .out
                .result(&json, || format!("Wrote {}: {} entries of {}.", path.display(), anchor.size, anchor.origin));
        }
    }
    if !context.out.json {
        context.out.note(&format!("\n{WHAT_TO_DO}"));
    }
    Ok(())
}

/// An anchor is the one thing that must not be lost to the log that it is there to judge.
fn check_replaces(reader: &Reader, path: &Path) -> Result<()> {
    let Ok(old) = std::fs::read_to_string(path) else {
        if path.exists() {
            bail!("{}: can't be read", path.display());
        }
        return Ok(());
    };
    let old: Anchor = old.parse().with_context(|| format!("{} is there already, and not replaced", path.display()))?;
    check_continues_anchor(reader, &old).with_context(|| format!("{} is kept as it is", path.display()))
}

/// Whether an anchor is of this ledger, however far it got.
pub(crate) fn check_same_ledger(reader: &Reader, anchor: &Anchor) -> Result<()> {
    let now = anchor_of(&*reader.store, &reader.keyring)?;
    if (&anchor.origin, anchor.genesis, anchor.founder) == (&now.origin, now.genesis, now.founder) {
        return Ok(());
    }
    bail!("it is the anchor of another ledger ({}, genesis {})", anchor.origin, anchor.genesis)
}

/// Whether this log continues what an anchor's holder saw.
fn check_continues_anchor(reader: &Reader, old: &Anchor) -> Result<()> {
    check_same_ledger(reader, old)?;
    let now = anchor_of(&*reader.store, &reader.keyring)?;
    let corrupt = |what: &str| Error::Corrupt { seq: old.size, what: what.to_owned() };
    if old.size > now.size {
        return Err(corrupt("the anchor saw more entries than there are: the log was cut, or restored").into());
    }
    let root = root_at(&Tree(&*reader.store), old.size)?;
    if root == old.root { Ok(()) } else { Err(corrupt("the log is not the one that the anchor saw").into()) }
}
