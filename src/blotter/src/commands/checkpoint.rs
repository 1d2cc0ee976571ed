//! `blotter checkpoint`: the ledger's signed word of what the whole log is, verified before it is printed.

use anyhow::{Result, bail};
use blotter_keys::checkpoint::{Checkpoint, UnverifiedCheckpoint};
use blotter_keys::consistency_proof;
use blotter_keys::merkle::consistency_proof as prove;
use blotter_ledger::{Error, Tree, read};
use clap::Args;
use serde_json::{Value, json};

use crate::context::Context;
use crate::session::{Reader, check_continues, open_checkpoint, open_database};

/// Print the newest checkpoint
///
/// A C2SP signed note: origin, size, root, signatures. It is printed as it is stored, after its signature and the tree
/// were verified, and after it was proven to continue the last one that you verified, which is kept in --state-dir and
/// then replaced. Whoever keeps a copy elsewhere can show later that the log was cut or rewritten.
#[derive(Debug, Args)]
pub(crate) struct CheckpointArgs {
    /// The checkpoint that was signed when the log had this many entries, verified to be continued by the newest
    #[arg(long, value_name = "SIZE")]
    at: Option<u64>,
}

pub(crate) fn run(context: &Context, args: &CheckpointArgs) -> Result<()> {
    let reader = Reader::open(context)?;
    let head = reader.head(&context.state_dir()?)?;
    let Some(size) = args.at else {
        // The log may have grown since; the note that was verified is the one of that size.
        let (note, _) = signed_at(context, &reader, head.size())?;
        return print(context, &note, &head, json!({}));
    };
    if size > head.size() {
        bail!("the log has {} entries", head.size());
    }
    let (note, old) = signed_at(context, &reader, size)?;
    check_continues(&*reader.store, &old, &head)?;
    let proof = prove(&Tree(&*reader.store), size, head.size())?;
    let proof: Vec<_> = consistency_proof::print(&proof).lines().map(str::to_owned).collect();
    print(context, &note, &old, json!({ "newest_size": head.size(), "consistency": proof }))
}

/// The newest checkpoint of at most this size. A server shows the newest of all.
fn checkpoint_upto(context: &Context, reader: &Reader, size: u64) -> Result<Option<(u64, String)>> {
    if reader.remote.is_none() {
        return Ok(open_database(context.dir())?.checkpoint_upto(size).map_err(Error::from)?);
    }
    let note = read::checkpoint(&*reader.store)?;
    if note.claimed_size() > size {
        bail!(
            "a server shows its newest checkpoint, of {} entries; older ones are where the ledger is",
            note.claimed_size()
        );
    }
    Ok(Some((note.claimed_size(), note.note().to_string())))
}

/// The checkpoint of exactly this size, verified under the keys of its time.
fn signed_at(context: &Context, reader: &Reader, size: u64) -> Result<(UnverifiedCheckpoint, Checkpoint)> {
    let Some((found, note)) = checkpoint_upto(context, reader, size)? else {
        bail!("no checkpoint was signed at size {size}: one is signed after each commit, and not between");
    };
    if found != size {
        bail!(
            "no checkpoint was signed at size {size}: one is signed after each commit; the one before is --at {found}"
        );
    }
    let corrupt = |what: String| Error::Corrupt { seq: size, what };
    let note = UnverifiedCheckpoint::parse(note.as_bytes()).map_err(|e| corrupt(format!("its checkpoint: {e}")))?;
    let checkpoint = open_checkpoint(&note, &reader.keyring).map_err(|e| corrupt(format!("its checkpoint: {e}")))?;
    if checkpoint.size() != size {
        return Err(corrupt("its checkpoint is of another size".into()).into());
    }
    Ok((note, checkpoint))
}

fn print(context: &Context, note: &UnverifiedCheckpoint, checkpoint: &Checkpoint, more: Value) -> Result<()> {
    let text = note.note().to_string();
    if !context.out.json {
        context.out.bytes(text.as_bytes());
        return Ok(());
    }
    let signatures = note.note().signatures().iter();
    let signatures: Vec<_> =
        signatures.map(|line| json!({ "name": line.name().as_str(), "key_id": line.id().to_string() })).collect();
    let mut json = json!({
        "origin": checkpoint.origin(), "size": checkpoint.size(), "root": checkpoint.root().to_string(),
        "signatures": signatures, "verified": true, "note": text,
    });
    if let (Some(json), Value::Object(more)) = (json.as_object_mut(), more) {
        json.extend(more);
    }
    context.out.line(&json.to_string());
    Ok(())
}

/// The newest checkpoint as it stands, for those who have verified the ledger already.
pub(crate) fn newest_note(reader: &Reader) -> Result<(UnverifiedCheckpoint, Checkpoint)> {
    let note = read::checkpoint(&*reader.store)?;
    let checkpoint = open_checkpoint(&note, &reader.keyring)
        .map_err(|e| Error::Corrupt { seq: note.claimed_size(), what: format!("its checkpoint: {e}") })?;
    Ok((note, checkpoint))
}
