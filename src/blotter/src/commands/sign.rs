//! `blotter sign`: signs a statement and writes it to a file, without appending it. On a machine that never sees the
//! ledger, what the signer had before them comes as a context file, and counts only as far as the anchor proves it.

mod offline;

use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, bail};
use blotter_keys::jwk::thumbprint;
use blotter_keys::note::VerifierKey;
use blotter_record::{ActorId, Id, Seen, Unsigned};
use clap::Args;
use serde_json::json;

use super::act::{What, show};
use super::key::request::{read_anchor, write_line};
use crate::context::Context;
use crate::keystore;
use crate::session::{Reader, Speaker, Words, seen_at};
use crate::voice::ask;

/// Sign a statement into a file, to be appended later or elsewhere
///
/// With the ledger at hand: blotter sign EVENT STREAM --fact … --out FILE.
///
/// For a machine that never sees the ledger: where the ledger is, `blotter sign --context-for STREAM --since SIZE --out
/// CONTEXT` writes what the signer will have had before them; on the other machine, `blotter sign EVENT STREAM --context
/// CONTEXT --anchor ANCHOR --out FILE` verifies it against the anchor that is kept there, and signs. SIZE is what that
/// machine saw last. `blotter append FILE` records the statement.
#[derive(Debug, Args)]
pub(crate) struct Sign {
    #[command(flatten)]
    what: What,

    /// Where to write; - for standard output. The file must not be there yet
    #[arg(long, value_name = "FILE")]
    out: PathBuf,

    /// Write a context file for signing in this stream elsewhere, instead of signing
    #[arg(long, value_name = "STREAM", conflicts_with_all = ["event", "context"])]
    context_for: Option<Id>,

    /// With --context-for: the size of the log that the other machine knows; without it, 1
    #[arg(long, value_name = "SIZE", requires = "context_for")]
    since: Option<u64>,

    /// Sign without the ledger: by what this context file shows, verified against --anchor
    #[arg(long, value_name = "FILE", requires = "anchor")]
    context: Option<PathBuf>,

    /// The anchor that this machine trusts
    #[arg(long, value_name = "FILE", requires = "context")]
    anchor: Option<PathBuf>,

    /// The ledger's key in force, if it was rotated after entry 0; from somebody you trust, not from the context file
    #[arg(long, value_name = "VKEY", requires = "context")]
    ledger_key: Option<VerifierKey>,
}

pub(crate) fn run(context: &Context, args: &Sign) -> Result<()> {
    match (&args.context_for, &args.context, &args.anchor) {
        (Some(stream), ..) => write_context(context, args, stream),
        (None, Some(file), Some(anchor)) => sign_offline(context, args, file, anchor),
        _ => sign_here(context, args),
    }
}

fn sign_here(context: &Context, args: &Sign) -> Result<()> {
    let words = words(args)?;
    let reader = Reader::open(context)
        .context("without the ledger at hand, say --context FILE --anchor FILE (`blotter sign --help`)")?;
    let speaker = Speaker::of(keystore::signer(context, Some(&reader.keyring))?, &reader.keyring)?;
    let seen = seen_at(&*reader.store, &words.sub, &reader.head(&context.state_dir()?)?)?;
    let unsigned = speaker.build(reader.keyring.audience(), &words, Some(seen))?;
    finish(context, args, &speaker, unsigned, None)
}

fn sign_offline(context: &Context, args: &Sign, file: &Path, anchor: &Path) -> Result<()> {
    let words = words(args)?;
    let anchor = read_anchor(anchor)?;
    let shown = offline::read(file)?;
    if shown.stream != words.sub {
        bail!("{} is for signing in {}, not in {}", file.display(), shown.stream, words.sub);
    }
    let state_dir = context.state_dir()?;
    let verified = shown.verify(&anchor, args.ledger_key.as_ref(), &state_dir)?;
    let signer = keystore::signer(context, None)?;
    let kid = thumbprint(signer.public());
    let actor: Option<&ActorId> = shown.owners.iter().find(|(owned, _)| *owned == kid).map(|(_, actor)| actor);
    let actor = actor.with_context(|| {
        format!("the key {kid} was nobody's in the ledger when {} was made; an admin enrols it", file.display())
    })?;
    let speaker = Speaker { actor: actor.clone(), signer };
    let unsigned = speaker.build(&shown.audience, &words, Some(verified.seen))?;
    let before = match &verified.head {
        Some(head) => format!("Before it, as far as the context file shows: {head}"),
        None => format!("As far as the context file shows, nothing was said in {} before.", words.sub),
    };
    finish(context, args, &speaker, unsigned, Some(before))?;
    verified.keep(&state_dir)
}

/// What is to be said. Contents for the vault can't travel in a presentation.
fn words(args: &Sign) -> Result<Words> {
    let (words, blobs) = args.what.words()?;
    if !blobs.is_empty() {
        bail!("a value of 32 KiB or more becomes a blob, which can't travel in a presentation; use `blotter act`");
    }
    Ok(words)
}

fn finish(context: &Context, args: &Sign, speaker: &Speaker, unsigned: Unsigned, before: Option<String>) -> Result<()> {
    if !context.globals.yes {
        let mut parts = vec![show(context, &unsigned)];
        parts.extend(before);
        parts.push(format!("Sign this as {}?", speaker.actor));
        ask(context, &parts.join("\n\n"))?;
    }
    let presentation = speaker.sign(unsigned)?;
    let statement = &presentation.statement;
    if args.out == Path::new("-") {
        context.out.line(&presentation.to_text());
        return Ok(());
    }
    write_line(&args.out, &presentation.to_text())?;
    let json = json!({
        "out": args.out, "jti": statement.jti.to_string(), "event": statement.event.as_str(),
        "stream": statement.sub.as_str(), "seen": seen_json(statement.seen.as_ref()),
    });
    context.out.result(&json, || {
        format!(
            "{} signed ({}).\nRecord it with `blotter append {}`.",
            statement.event,
            statement.jti,
            args.out.display()
        )
    });
    Ok(())
}

fn seen_json(seen: Option<&Seen>) -> serde_json::Value {
    json!(seen.map(|seen| json!({ "n": seen.last.map(|(n, _)| n), "size": seen.size })))
}

fn write_context(context: &Context, args: &Sign, stream: &Id) -> Result<()> {
    let reader = Reader::open(context)?;
    let since = args.since.unwrap_or(1);
    let shown = offline::make(&reader, stream.clone().into_stream()?, since, &context.state_dir()?)?;
    if args.out == Path::new("-") {
        context.out.line(&shown.to_text());
        return Ok(());
    }
    write_line(&args.out, &shown.to_text())?;
    let ledger_keys = reader.keyring.ledger_keys();
    let rotated = ledger_keys.last().filter(|_| ledger_keys.len() > 1).map(|key| key.vkey.to_string());
    let json = json!({
        "out": args.out, "stream": stream.as_str(), "since": since, "size": shown.size()?, "ledger_key": rotated,
    });
    context.out.result(&json, || {
        let key = rotated.as_ref().map(|vkey| {
            format!("\nThe ledger's key was rotated: there, also say --ledger-key {vkey}\n(and let its holder check that it is the one).")
        });
        format!(
            "{} shows the head of {stream} to who signs elsewhere:\n  blotter sign EVENT {stream} … --context {} --anchor \
             ANCHOR --out FILE{}",
            args.out.display(),
            args.out.file_name().unwrap_or_default().to_string_lossy(),
            key.unwrap_or_default()
        )
    });
    Ok(())
}
