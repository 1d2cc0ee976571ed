//! `blotter key recover`: somebody lost all keys. One person vouches that a new key is theirs, an admin puts it in place of
//! the lost ones; neither can do it alone.

use std::path::PathBuf;

use anyhow::{Context as _, Result, bail};
use blotter_keys::jwk::thumbprint;
use blotter_ledger::read;
use blotter_record::{Event, Id, Json, Jti, Statement};
use clap::{Args, Subcommand};
use serde_json::json;

use super::request::Request;
use crate::context::Context;
use crate::session::{Reader, Words};
use crate::voice::{Voice, tell};

/// Give somebody who lost all keys a new one: one person approves, an admin executes
///
/// Who lost the keys makes a new one, and a request: `blotter key request NAME --actor THEM --enroller ADMIN`. The
/// recovery revokes all their earlier keys, and marks everything that the new key signs.
#[derive(Debug, Args)]
pub(crate) struct Recover {
    #[command(subcommand)]
    step: RecoverStep,
}

#[derive(Debug, Subcommand)]
enum RecoverStep {
    /// Approve, as ciso or secops_manager, that this key is theirs
    Approve(Recovery),
    /// Recover, as an admin, with the approval of another
    Execute(Execute),
}

#[derive(Debug, Args)]
struct Recovery {
    /// The file of the request
    request: PathBuf,

    /// How you know that it is them, for people
    #[arg(long, value_name = "TEXT")]
    basis: Option<String>,
}

#[derive(Debug, Args)]
struct Execute {
    #[command(flatten)]
    recovery: Recovery,

    /// The approval; without it, the newest for this key that was not used
    #[arg(long, value_name = "JTI")]
    approval: Option<Jti>,
}

pub(crate) fn recover(context: &Context, args: &Recover) -> Result<()> {
    match &args.step {
        RecoverStep::Approve(args) => approve(context, args),
        RecoverStep::Execute(args) => execute(context, args),
    }
}

fn approve(context: &Context, args: &Recovery) -> Result<()> {
    let voice = Voice::open(context)?;
    let request = Request::read(&args.request)?;
    must_be_enrolled(&voice.reader, &request)?;
    let mut words = Words::now("recovery.approved", request.actor.stream())
        .fact("actor", request.actor.to_string())
        .fact("jwk", request.jwk()?);
    words.data.extend(args.basis.iter().map(|basis| ("basis".to_owned(), Json::from(basis.as_str()))));
    let kid = thumbprint(&request.public);
    let beware =
        format!("You vouch that the key {kid} is in the hands of {}. Compare the thumbprint with them.", request.actor);
    let said = voice.say(context, &[words], Some(&beware))?;
    let more = json!({ "actor": request.actor.to_string(), "thumbprint": kid.to_string() });
    let note = "Next, an admin other than you: `blotter key recover execute REQUEST`".to_owned();
    tell(context, &said, more, Some(note));
    Ok(())
}

fn execute(context: &Context, args: &Execute) -> Result<()> {
    let voice = Voice::open(context)?;
    let request = Request::read(&args.recovery.request)?;
    must_be_enrolled(&voice.reader, &request)?;
    request.check(&voice.speaker.actor, voice.reader.keyring.audience())?;
    let stream = request.actor.stream();
    let fits = |approval: &Statement| approval.facts.jwk("jwk") == Some(*request.public.as_bytes());
    let approval = match args.approval {
        Some(approval) => approval,
        None => newest_approval(&voice.reader, &stream, Event::RecoveryApproved, fits)?.with_context(|| {
            format!(
                "nobody approved this key for {} yet: `blotter key recover approve`, by a ciso or secops_manager",
                request.actor
            )
        })?,
    };
    let mut words = Words::now("key.recovered", stream)
        .fact("jwk", request.jwk()?)
        .fact("proof", request.proof.as_str())
        .fact("approval", approval.to_string());
    words.data.extend(args.recovery.basis.iter().map(|basis| ("basis".to_owned(), Json::from(basis.as_str()))));
    let beware = format!("It revokes all earlier keys of {}.", request.actor);
    let said = voice.say(context, &[words], Some(&beware))?;
    let kid = thumbprint(&request.public).to_string();
    let more = json!({ "actor": request.actor.to_string(), "thumbprint": kid, "approval": approval.to_string() });
    let note = format!("{kid} is the only key of {} now; what it signs is shown as by a recovered key.", request.actor);
    tell(context, &said, more, Some(note));
    Ok(())
}

fn must_be_enrolled(reader: &Reader, request: &Request) -> Result<()> {
    if reader.keyring.actor(&request.actor).is_none() {
        bail!(
            "{} is not in this ledger; a recovery is for somebody who is: `blotter key request … --actor THEM`",
            request.actor
        );
    }
    Ok(())
}

/// The newest approval in `stream` that fits and that no statement used.
pub(crate) fn newest_approval(
    reader: &Reader,
    stream: &Id,
    event: Event,
    fits: impl Fn(&Statement) -> bool,
) -> Result<Option<Jti>> {
    let (mut found, mut used) = (Vec::new(), Vec::new());
    for entry in stream_entries(reader, stream)? {
        let Some((_, statement)) = entry.said else { continue };
        if statement.event.known() == Some(event) && fits(&statement) {
            found.push(statement.jti);
        }
        used.extend(statement.facts.jti("approval"));
    }
    Ok(found.into_iter().rev().find(|approval| !used.contains(approval)))
}

/// All entries of a stream, in their order.
pub(crate) fn stream_entries(reader: &Reader, stream: &Id) -> Result<Vec<read::ReadEntry>> {
    use blotter_ledger::Error;
    const AT_ONCE: usize = 1024;
    let mut entries = Vec::new();
    loop {
        let seqs = reader.store.stream_seqs(stream, entries.len() as u64, AT_ONCE).map_err(Error::from)?;
        for seq in &seqs {
            let entry = read::entries(&*reader.store, *seq, 1)?.pop();
            entries.push(entry.with_context(|| format!("entry {seq} is not there"))?);
        }
        if seqs.len() < AT_ONCE {
            return Ok(entries);
        }
    }
}
