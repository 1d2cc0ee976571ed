//! `blotter proof`: proofs that need no ledger to be checked, and the check that needs none either.

use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, bail};
use blotter_keys::anchor::Anchor;
use blotter_keys::checkpoint::Checkpoint;
use blotter_keys::consistency_proof;
use blotter_keys::merkle::{self, inclusion_proof, root_at, verify_consistency};
use blotter_keys::note::VerifierKey;
use blotter_keys::tlog_proof::{TLOG_PROOF_BYTES_MAX, TlogProof};
use blotter_ledger::{Error, Tree, read};
use blotter_record::limits::ENTRY_BYTES_MAX;
use blotter_record::{Entry, Hash, Json, Statement};
use clap::{Args, Subcommand};
use serde_json::json;

use crate::Exit;
use crate::commands::checkpoint::newest_note;
use crate::context::Context;
use crate::files;
use crate::out::Tone;
use crate::session::Reader;

/// Prove that an entry is in the log, or that one log continues another; check such a proof
///
/// Inclusion proofs and receipts can be checked by anybody with an anchor, offline: `blotter proof check`, or another
/// program that reads C2SP tlog-proof files.
#[derive(Debug, Args)]
pub(crate) struct Proof {
    #[command(subcommand)]
    which: Which,
}

#[derive(Debug, Subcommand)]
enum Which {
    /// Prove that an entry is in the log: a C2SP .tlog-proof file, with the newest checkpoint in it
    Inclusion {
        /// The entry
        seq: u64,
        /// Write it to this new file
        #[arg(long, value_name = "FILE")]
        out: Option<PathBuf>,
    },
    /// Prove that the log of NEW entries begins with the log of OLD entries: hashes in standard base64, a line each
    Consistency {
        /// Size of the older log, 1 or more
        old: u64,
        /// Size of the newer log; without it, the newest there is
        new: Option<u64>,
        /// Write it to this new file
        #[arg(long, value_name = "FILE")]
        out: Option<PathBuf>,
    },
    /// An entry together with its inclusion proof: one JSON object that stands alone
    Receipt {
        /// The entry
        seq: u64,
        /// Write it to this new file
        #[arg(long, value_name = "FILE")]
        out: Option<PathBuf>,
    },
    /// Check a receipt or a .tlog-proof file, offline, with nothing but an anchor; exits with 1 if it does not hold
    Check {
        /// The receipt, or the .tlog-proof file
        file: PathBuf,
        /// The anchor, from somewhere else than the proof
        #[arg(long, value_name = "FILE")]
        anchor: PathBuf,
        /// The entry's exact bytes (`blotter show SEQ --raw`), for a .tlog-proof file; a receipt has them inside
        #[arg(long, value_name = "FILE")]
        entry: Option<PathBuf>,
        /// A later key of the ledger, if it changed its key since the anchor's; may be repeated
        #[arg(long, value_name = "VKEY")]
        vkey: Vec<VerifierKey>,
    },
}

pub(crate) fn run(context: &Context, args: &Proof) -> Result<Exit> {
    match &args.which {
        Which::Inclusion { seq, out } => inclusion(context, *seq, out.as_deref())?,
        Which::Consistency { old, new, out } => consistency(context, *old, *new, out.as_deref())?,
        Which::Receipt { seq, out } => receipt(context, *seq, out.as_deref())?,
        Which::Check { file, anchor, entry, vkey } => return check(context, file, anchor, entry.as_deref(), vkey),
    }
    Ok(Exit::Done)
}

fn inclusion(context: &Context, seq: u64, out: Option<&Path>) -> Result<()> {
    let reader = Reader::open(context)?;
    let (note, head) = newest_note(&reader)?;
    if seq >= head.size() {
        bail!("there is no entry {seq}; the log has {}", head.size());
    }
    let path = inclusion_proof(&Tree(&*reader.store), seq, head.size())?;
    let leaf = reader.store.hashes(0, seq, 1).map_err(Error::from)?;
    merkle::verify_inclusion(&leaf[0], seq, head.size(), head.root(), &path)
        .map_err(|e| Error::Corrupt { seq, what: e.to_string() })?;
    let text = TlogProof::new(seq, path, note.note())?.to_string();
    let json = json!({ "seq": seq, "leaf": leaf[0].to_string(), "size": head.size(), "proof": text });
    give(context, out, &text, &json)
}

fn consistency(context: &Context, old: u64, new: Option<u64>, out: Option<&Path>) -> Result<()> {
    let reader = Reader::open(context)?;
    let (_, head) = newest_note(&reader)?;
    let new = new.unwrap_or(head.size());
    if old == 0 || old > new || new > head.size() {
        bail!("the log has {} entries: 1 ≤ OLD ≤ NEW ≤ {0} is wanted; every log continues the empty one", head.size());
    }
    let tree = Tree(&*reader.store);
    let (old_root, new_root) = (root_at(&tree, old)?, root_at(&tree, new)?);
    let proof = merkle::consistency_proof(&tree, old, new)?;
    verify_consistency(old, &old_root, new, &new_root, &proof)
        .map_err(|e| Error::Corrupt { seq: old, what: e.to_string() })?;
    let text = consistency_proof::print(&proof);
    let json = json!({
        "old": { "size": old, "root": old_root.to_string() }, "new": { "size": new, "root": new_root.to_string() },
        "proof": text.lines().collect::<Vec<_>>(),
    });
    give(context, out, &text, &json)
}

fn receipt(context: &Context, seq: u64, out: Option<&Path>) -> Result<()> {
    let reader = Reader::open(context)?;
    let receipt = read::receipt(&*reader.store, seq)?;
    if receipt.entry.is_empty() {
        bail!(
            "entry {seq} was expunged: its bytes are gone; `blotter proof inclusion {seq}` still proves that it was there"
        );
    }
    let text = receipt.to_json().to_text();
    match out {
        None => context.out.line(&text),
        Some(_) => give(context, out, &(text + "\n"), &json!({ "seq": seq }))?,
    }
    Ok(())
}

/// Prints a proof as it stands, or writes it to a new file.
fn give(context: &Context, out: Option<&Path>, text: &str, json: &serde_json::Value) -> Result<()> {
    match out {
        Some(path) => {
            let temporary = files::temporary(path)?;
            files::write_new(&temporary, text.as_bytes(), files::Mode::Public)
                .with_context(|| path.display().to_string())?;
            let published = files::publish_new(&temporary, path);
            let _ = std::fs::remove_file(&temporary);
            published?;
            context.out.result(json, || format!("Wrote {}.", path.display()));
        }
        None if context.out.json => context.out.line(&json.to_string()),
        None => context.out.bytes(text.as_bytes()),
    }
    Ok(())
}

fn check(
    context: &Context,
    file: &Path,
    anchor: &Path,
    entry: Option<&Path>,
    later_keys: &[VerifierKey],
) -> Result<Exit> {
    let anchor: Anchor =
        String::from_utf8(files_bytes(anchor)?)?.parse().with_context(|| format!("{}", anchor.display()))?;
    let bytes = files_bytes(file)?;
    let entry = entry.map(files_bytes).transpose()?;
    if entry.is_none() && !is_receipt(&bytes) {
        bail!(
            "{} is no receipt: say --entry FILE with the entry's exact bytes, as `blotter show SEQ --raw` prints them",
            file.display()
        );
    }
    let keys: Vec<_> = std::iter::once(anchor.ledger_vkey.clone()).chain(later_keys.iter().cloned()).collect();
    match holds(&bytes, entry, &anchor, &keys) {
        Ok(held) => {
            context.out.result(&held.json(&anchor), || held.text(context, &anchor));
            Ok(Exit::Done)
        }
        Err(why) => {
            let json = json!({ "holds": false, "why": format!("{why:#}") });
            context.out.result(&json, || {
                format!("{} {}: {why:#}", context.out.toned(Tone::Bad, "does not hold:"), file.display())
            });
            Ok(Exit::Damaged)
        }
    }
}

/// What a proof proves.
struct Held {
    entry: Entry,
    statement: Statement,
    leaf: Hash,
    checkpoint: Checkpoint,
}

/// Everything that can be known from proof, entry and anchor alone.
fn holds(bytes: &[u8], entry: Option<Vec<u8>>, anchor: &Anchor, keys: &[VerifierKey]) -> Result<Held> {
    let (proof, inside) = if is_receipt(bytes) { read_receipt(bytes)? } else { (TlogProof::parse(bytes)?, None) };
    let mut given = entry.or_else(|| inside.clone()).context("no entry")?;
    // No entry ends in a newline, but a file may.
    if given.last() == Some(&b'\n') {
        given.pop();
    }
    if inside.is_some_and(|inside| inside != given) {
        bail!("the entry in the receipt is not the one of --entry");
    }
    let leaf = Hash::of_leaf(&given);
    let checkpoint = proof.verify(&leaf, anchor.origin.as_str(), keys)?;
    let entry = Entry::parse(&given)?;
    let statement = Statement::parse(&entry.statement).context("the statement in it")?;
    if entry.seq != proof.index() {
        bail!("the entry says that it is entry {}, and the proof is for entry {}", entry.seq, proof.index());
    }
    let audience = format!("{}#{}", anchor.origin, anchor.genesis);
    if entry.seq == 0 && leaf != anchor.genesis {
        bail!("it is the first entry of another ledger than the anchor's");
    }
    if entry.seq > 0 && statement.aud != audience {
        bail!("its statement was made for another ledger ({})", statement.aud);
    }
    if checkpoint.size() == anchor.size && *checkpoint.root() != anchor.root {
        bail!("its checkpoint contradicts the anchor: two logs of {} entries were signed", anchor.size);
    }
    Ok(Held { entry, statement, leaf, checkpoint })
}

impl Held {
    fn json(&self, anchor: &Anchor) -> serde_json::Value {
        json!({
            "holds": true, "seq": self.entry.seq, "leaf": self.leaf.to_string(), "recorded": self.entry.recorded.as_str(),
            "jti": self.statement.jti.to_string(), "event": self.statement.event.as_str(),
            "stream": self.statement.sub.as_str(), "actor": self.statement.actor().as_str(), "kid": self.statement.kid.to_string(),
            "checkpoint": { "origin": self.checkpoint.origin(), "size": self.checkpoint.size(), "root": self.checkpoint.root().to_string() },
            "anchor_size": anchor.size, "anchor_root_equal": self.checkpoint.size() == anchor.size,
        })
    }

    fn text(&self, context: &Context, anchor: &Anchor) -> String {
        let pairs = context.out.pairs(&[
            ("entry", format!("{}, recorded {}", self.entry.seq, self.entry.recorded)),
            ("says", format!("{} in {}, by {}", self.statement.event, self.statement.sub, self.statement.actor())),
            ("leaf", self.leaf.to_string()),
            (
                "checkpoint",
                format!(
                    "{} entries of {}, root {}",
                    self.checkpoint.size(),
                    self.checkpoint.origin(),
                    self.checkpoint.root()
                ),
            ),
        ]);
        let anchored = match self.checkpoint.size() == anchor.size {
            true => "The checkpoint is the very one of the anchor.".to_owned(),
            false => format!(
                "The anchor saw {} entries; that both are of one log, a consistency proof or `blotter verify` shows.",
                anchor.size
            ),
        };
        let heading = context.out.toned(Tone::Good, "holds: the ledger signed a log with this entry in it");
        format!(
            "{heading}\n{pairs}\n{anchored}\nWhose key signed the statement, and in which role, only the ledger tells: `blotter verify`."
        )
    }
}

fn is_receipt(bytes: &[u8]) -> bool {
    bytes.trim_ascii_start().starts_with(b"{")
}

fn read_receipt(bytes: &[u8]) -> Result<(TlogProof, Option<Vec<u8>>)> {
    let fail = || anyhow::anyhow!("not a receipt: exactly entry, seq and proof are wanted (FORMAT.md §7)");
    let Json::Object(members) = Json::parse(bytes)? else { return Err(fail()) };
    let member = |name: &str| members.iter().find(|(other, _)| other == name).map(|(_, value)| value);
    let (Some(Json::Text(entry)), Some(Json::Int(seq)), Some(Json::Text(proof)), 3) =
        (member("entry"), member("seq"), member("proof"), members.len())
    else {
        return Err(fail());
    };
    let proof = TlogProof::parse(proof.as_bytes())?;
    if u64::try_from(*seq).ok() != Some(proof.index()) {
        bail!("the receipt says that it is for entry {seq}, and its proof is for entry {}", proof.index());
    }
    Ok((proof, Some(entry.as_bytes().to_vec())))
}

/// A file, unless it is far too long for what is wanted.
fn files_bytes(path: &Path) -> Result<Vec<u8>> {
    const BYTES_MAX: u64 = 2 * (TLOG_PROOF_BYTES_MAX + ENTRY_BYTES_MAX) as u64;
    let named = || path.display().to_string();
    let mut bytes = Vec::new();
    let file = std::fs::File::open(path).with_context(named)?;
    std::io::Read::read_to_end(&mut std::io::Read::take(file, BYTES_MAX + 1), &mut bytes).with_context(named)?;
    if bytes.len() as u64 > BYTES_MAX {
        bail!("{}: too long for a proof, an entry or an anchor", path.display());
    }
    Ok(bytes)
}
