//! The ledger's own checkpoint key, changed by two people: a ciso approves the new key, an admin puts it in force. The
//! files are renamed last, and opening finds the key in force under any name, so that a crash anywhere leaves a ledger
//! that works; the renaming is finished the next time.

use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, bail};
use blotter_keys::ed25519::PublicKey;
use blotter_keys::judge::Refusal;
use blotter_keys::keyring::Keyring;
use blotter_keys::note::VerifierKey;
use blotter_ledger::{Appended, Error, Ledger};
use blotter_record::{Event, Id, Json, Jti, Presentation, Seen};
use clap::{Args, Subcommand};
use serde_json::json;

use super::recover::newest_approval;
use crate::context::Context;
use crate::keystore::{self, CHECKPOINT_KEY, CHECKPOINT_NEXT_KEY};
use crate::own_keys::checkpoint_files;
use crate::session::{Words, keyring_of, open_writer, seen_now, write_anchor};
use crate::voice::{Said, Voice, ask, tell};

/// How often the rotation is built again because somebody else wrote in between.
const TRIES_MAX: usize = 10;

/// Change the key that signs the ledger's checkpoints: a ciso approves, an admin executes
///
/// One checkpoint is signed by both keys; whoever holds the anchor follows the change from there.
#[derive(Debug, Args)]
pub(crate) struct RotateLedger {
    #[command(subcommand)]
    step: Step,
}

#[derive(Debug, Subcommand)]
enum Step {
    /// Make the new key where the ledger keeps its keys, and approve it, as ciso
    Approve(Approve),
    /// Put the approved key in force, as an admin
    Execute(Execute),
}

#[derive(Debug, Args)]
struct Approve {
    /// Why, for people
    #[arg(long, value_name = "TEXT")]
    reason: Option<String>,
}

#[derive(Debug, Args)]
struct Execute {
    /// The approval; without it, the newest for the new key that was not used
    #[arg(long, value_name = "JTI")]
    approval: Option<Jti>,

    /// Why, for people
    #[arg(long, value_name = "TEXT")]
    reason: Option<String>,
}

pub(crate) fn run(context: &Context, args: &RotateLedger) -> Result<()> {
    match &args.step {
        Step::Approve(args) => approve(context, args),
        Step::Execute(args) => execute(context, args),
    }
}

fn approve(context: &Context, args: &Approve) -> Result<()> {
    let voice = Voice::open(context)?;
    let keyring = &voice.reader.keyring;
    settle_names(context, keyring)?;
    let next = match next_key(context)? {
        Some(next) => next,
        None => *keystore::create(&context.keys_dir(), CHECKPOINT_NEXT_KEY, None)?.public(),
    };
    let vkey = vkey(keyring, next)?;
    let mut words = Words::now("rotation.approved", Id::ledger()).fact("new_vkey", vkey.as_str());
    words.data.extend(args.reason.iter().map(|reason| ("reason".to_owned(), Json::from(reason.as_str()))));
    let said = voice.say(context, &[words], None)?;
    let note = "Next, an admin: `blotter key rotate-ledger execute`".to_owned();
    tell(context, &said, json!({ "new_vkey": vkey }), Some(note));
    Ok(())
}

fn execute(context: &Context, args: &Execute) -> Result<()> {
    let voice = Voice::open(context)?;
    let keyring = &voice.reader.keyring;
    settle_names(context, keyring)?;
    let Some(next) = next_key(context)? else {
        bail!(
            "there is no {CHECKPOINT_NEXT_KEY}.key; a ciso makes and approves it: `blotter key rotate-ledger approve`"
        );
    };
    let (old, new) = (in_force(keyring)?.to_string(), vkey(keyring, next)?);
    let approval = match args.approval {
        Some(approval) => approval,
        None => newest_approval(&voice.reader, &Id::ledger(), Event::RotationApproved, |approval| {
            approval.facts.word("new_vkey") == Some(&new)
        })?
        .with_context(|| format!("no ciso approved {new} yet: `blotter key rotate-ledger approve`"))?,
    };
    let seen = seen_now(&*voice.reader.store, keyring, &Id::ledger(), &context.state_dir()?)?;
    let question = format!(
        "The ledger's checkpoints will be signed by\n  {new}\ninstead of\n  {old}\nSign and record this as {}?",
        voice.speaker.actor
    );
    ask(context, &question)?;
    let mut words = Words::now("ledger.key-rotated", Id::ledger())
        .fact("old_vkey", old.as_str())
        .fact("new_vkey", new.as_str())
        .fact("approval", approval.to_string());
    words.data.extend(args.reason.iter().map(|reason| ("reason".to_owned(), Json::from(reason.as_str()))));
    let ledger = open_writer(context)?;
    let (appended, presentation) = say_at_the_head(&ledger, &voice, &words, &seen)?;
    let keyring = keyring_of(&ledger)?;
    ledger.read(|store| Ok(write_anchor(context.dir(), store, &keyring)))??;
    settle_names(context, &keyring)?;
    let note = format!(
        "{new} signs the ledger's checkpoints from size {} on.\nThe old key's file is kept as checkpoint-old-N.key; nothing \
         needs it any more.\nWho signs on a machine without the ledger must be told the new key (`blotter sign --ledger-key`).",
        appended.seq + 1
    );
    let more = json!({ "old_vkey": old, "new_vkey": new, "from_size": appended.seq + 1 });
    tell(context, &[Said { appended, presentation }], more, Some(note));
    Ok(())
}

/// The statement names the size at which it lands, so it is built again when somebody else was quicker; what was seen
/// stays what it was when the question was asked.
fn say_at_the_head(ledger: &Ledger, voice: &Voice, words: &Words, seen: &Seen) -> Result<(Appended, Presentation)> {
    for _ in 0..TRIES_MAX {
        let size = ledger.read(|store| Ok(store.size()?))?;
        let words = words.clone().fact("from_size", i64::try_from(size + 1)?);
        let unsigned = voice.speaker.build(voice.reader.keyring.audience(), &words, Some(*seen))?;
        let presentation = voice.speaker.sign(unsigned)?;
        match ledger.append(ledger.prepare(&presentation.to_text(), Vec::new())?) {
            Err(Error::Refused(Refusal::Rule { at: "facts.from_size", .. })) => {}
            appended => return Ok((appended?, presentation)),
        }
    }
    bail!("the log grew {TRIES_MAX} times in the moment of signing; try again when it is quieter")
}

fn in_force(keyring: &Keyring) -> Result<&VerifierKey> {
    Ok(&keyring.ledger_keys().last().context("a ledger has a key")?.vkey)
}

fn vkey(keyring: &Keyring, key: PublicKey) -> Result<String> {
    Ok(VerifierKey::new(keyring.origin().as_str().parse()?, key).to_string())
}

/// The public half of the key to be, if it was made.
fn next_key(context: &Context) -> Result<Option<PublicKey>> {
    let path = context.keys_dir().join(format!("{CHECKPOINT_NEXT_KEY}.key"));
    if !path.exists() {
        return Ok(None);
    }
    Ok(Some(*keystore::read_key(context, &path)?.public()))
}

/// Gives the key in force the name `checkpoint`, and those before it names that say so. Stopped anywhere, it goes on
/// where it was.
fn settle_names(context: &Context, keyring: &Keyring) -> Result<()> {
    let dir = context.keys_dir();
    let wanted = dir.join(format!("{CHECKPOINT_KEY}.key"));
    let in_force = *in_force(keyring)?.key();
    let holds = |path: &Path| {
        let public = keystore::public_of(path).or_else(|| Some(*keystore::read_key(context, path).ok()?.public()));
        public == Some(in_force)
    };
    if wanted.exists() && holds(&wanted) {
        return Ok(());
    }
    // If it is not here at all, opening the ledger says so; names are not the trouble then.
    let Some(found) = checkpoint_files(context)?.into_iter().find(|path| holds(path)) else {
        return Ok(());
    };
    if wanted.exists() {
        rename_pair(&wanted, &free_name(&dir))?;
    }
    rename_pair(&found, &wanted)?;
    std::fs::File::open(&dir)?.sync_all().with_context(|| format!("{}", dir.display()))
}

fn free_name(dir: &Path) -> PathBuf {
    let mut names = (1..).map(|n| dir.join(format!("{CHECKPOINT_KEY}-old-{n}.key")));
    names.find(|path| !path.exists()).expect("a directory has fewer files than there are numbers")
}

/// Renames a key file and its public half. The public half goes first: where it is missing the key itself is read,
/// and a wrong one is never left beside a key.
fn rename_pair(from: &Path, to: &Path) -> Result<()> {
    let moved = |from: &Path, to: &Path| {
        std::fs::rename(from, to).with_context(|| format!("renaming {} to {}", from.display(), to.display()))
    };
    if from.with_extension("pub").exists() {
        moved(&from.with_extension("pub"), &to.with_extension("pub"))?;
    }
    moved(from, to)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn names(dir: &Path) -> Vec<String> {
        let files = std::fs::read_dir(dir).unwrap();
        let mut names: Vec<_> = files.map(|file| file.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        names
    }

    #[test]
    fn a_key_and_its_public_half_are_renamed_together_and_over_nothing() {
        let dir = tempfile::tempdir().unwrap();
        let at = |name: &str| dir.path().join(name);
        for name in ["checkpoint.key", "checkpoint.pub", "checkpoint-old-1.key"] {
            std::fs::write(at(name), name).unwrap();
        }
        rename_pair(&at("checkpoint.key"), &free_name(dir.path())).unwrap();
        assert_eq!(names(dir.path()), ["checkpoint-old-1.key", "checkpoint-old-2.key", "checkpoint-old-2.pub"]);
    }

    #[test]
    fn a_renaming_that_stopped_between_the_two_files_goes_on() {
        let dir = tempfile::tempdir().unwrap();
        let at = |name: &str| dir.path().join(name);
        for name in ["checkpoint.key", "checkpoint-old-1.pub"] {
            std::fs::write(at(name), name).unwrap();
        }
        rename_pair(&at("checkpoint.key"), &free_name(dir.path())).unwrap();
        assert_eq!(names(dir.path()), ["checkpoint-old-1.key", "checkpoint-old-1.pub"]);
    }
}
