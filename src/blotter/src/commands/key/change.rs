//! What the ledger records about the keys of its actors: added by oneself, or revoked.

use std::path::Path;

use anyhow::{Context as _, Result, bail};
use blotter_keys::keyring::{Key, Keyring};
use blotter_keys::signer::Signer;
use blotter_record::{ActorId, Hash, Instant, Json};
use clap::Args;
use serde_json::json;

use super::files::make;
use super::request::Request;
use crate::context::Context;
use crate::keystore::{self, Seal};
use crate::session::Words;
use crate::voice::{Voice, tell};

/// Add a key to yourself, signed by a key that you have
///
/// Before you lose the old one: afterwards it takes two others (`blotter key recover`). Then revoke the old key with
/// `blotter key revoke`.
#[derive(Debug, Args)]
pub(crate) struct Add {
    /// The file of a request (`key request --actor YOU`), or a key that is at hand; a new name makes the key here
    #[arg(value_name = "REQUEST-or-NAME")]
    what: String,

    /// From when on the key can't sign any more
    #[arg(long, value_name = "INSTANT")]
    expires: Option<Instant>,

    /// What the key is, for people: 'the token in the safe'
    #[arg(long, value_name = "TEXT")]
    label: Option<String>,

    #[command(flatten)]
    seal: Seal,
}

/// Revoke a key: your own, or, as an admin, anybody's
#[derive(Debug, Args)]
pub(crate) struct Revoke {
    /// The key's thumbprint, or the name of its file here
    #[arg(value_name = "KID")]
    key: String,

    /// Why: rotated, lost, compromised or left
    #[arg(long, value_name = "WORD", value_parser = ["rotated", "lost", "compromised", "left"])]
    cause: String,

    /// Since when somebody else may have had it; flags what it signed since, and invalidates nothing
    #[arg(long, value_name = "INSTANT")]
    compromised_since: Option<Instant>,

    /// More about it, for people
    #[arg(long, value_name = "TEXT")]
    reason: Option<String>,
}

pub(crate) fn add(context: &Context, args: &Add) -> Result<()> {
    let voice = Voice::open(context)?;
    let (actor, audience) = (&voice.speaker.actor, voice.reader.keyring.audience());
    let request = if Path::new(&args.what).is_file() && !args.what.ends_with(".key") {
        Request::read(Path::new(&args.what))?
    } else {
        let signer = at_hand_or_made(context, &args.what, &args.seal)?;
        Request::make(actor, actor, audience, &signer)?
    };
    if request.actor != *actor {
        bail!("the request is for {}; you are {actor}, and can only add keys to yourself", request.actor);
    }
    request.check(actor, audience)?;
    let mut words =
        Words::now("key.added", actor.stream()).fact("jwk", request.jwk()?).fact("proof", request.proof.as_str());
    if let Some(expires) = &args.expires {
        words = words.fact("expires", expires.as_str());
    }
    words.data.extend(args.label.iter().map(|label| ("label".to_owned(), Json::from(label.as_str()))));
    let said = voice.say(context, &[words], None)?;
    let kid = blotter_keys::jwk::thumbprint(&request.public).to_string();
    let more = json!({ "actor": actor.to_string(), "thumbprint": kid });
    tell(context, &said, more, Some(format!("{kid} is a key of {actor} now.")));
    Ok(())
}

/// The key of that name, made here if there is none. A file that an earlier run made is opened with the same passphrase,
/// so that the same command can be run again.
pub(crate) fn at_hand_or_made(context: &Context, name: &str, seal: &Seal) -> Result<Signer> {
    if let Some(signer) = keystore::at_hand(&seal.opening(context), name)? {
        return Ok(signer);
    }
    let (key, path) = make(context, &keystore::new_keys_dir(context)?, name, seal)?;
    context.out.note(&format!("made the key {}", path.display()));
    Ok(Signer::Held(key))
}

pub(crate) fn revoke(context: &Context, args: &Revoke) -> Result<()> {
    let voice = Voice::open(context)?;
    let keyring = &voice.reader.keyring;
    let kid = kid_of(context, &args.key)?;
    let key = enrolled(keyring, &kid)?;
    let mut words =
        Words::now("key.revoked", key.actor.stream()).fact("kid", kid.to_string()).fact("cause", args.cause.as_str());
    if let Some(since) = &args.compromised_since {
        words = words.fact("compromised_since", since.as_str());
    }
    words.data.extend(args.reason.iter().map(|reason| ("reason".to_owned(), Json::from(reason.as_str()))));
    let owner = key.actor.clone();
    let usable = usable_keys(keyring, &owner);
    let last = usable.iter().all(|other| *other == kid);
    let beware = last.then(|| {
        format!("It is the last key of {owner}: they can sign nothing afterwards, until two others recover them.")
    });
    let said = voice.say(context, &[words], beware.as_deref())?;
    let more = json!({ "actor": owner.to_string(), "thumbprint": kid.to_string(), "keys_left": usable.len() - 1 });
    let note = match last {
        true => format!("{owner} has no key left; `blotter key recover` gives them a new one."),
        false => format!("{owner} has {} left.", keys(usable.len() - 1)),
    };
    tell(context, &said, more, Some(note));
    Ok(())
}

fn keys(count: usize) -> String {
    if count == 1 { "1 key".to_owned() } else { format!("{count} keys") }
}

/// A thumbprint, or the name of a key that is here.
fn kid_of(context: &Context, key: &str) -> Result<Hash> {
    match key.parse() {
        Ok(kid) => Ok(kid),
        Err(_) => Ok(blotter_keys::jwk::thumbprint(&keystore::public_at_hand(context, key)?)),
    }
}

fn enrolled<'a>(keyring: &'a Keyring, kid: &Hash) -> Result<&'a Key> {
    let key = keyring.key(kid).with_context(|| format!("{kid} is nobody's key in this ledger"))?;
    match key.revoked_seq {
        Some(seq) => bail!("{kid} of {} was revoked before, by entry {seq}", key.actor),
        None => Ok(key),
    }
}

/// Thumbprints of the keys that an actor has left.
fn usable_keys(keyring: &Keyring, actor: &ActorId) -> Vec<Hash> {
    let kids = keyring.actor(actor).map(|actor| actor.kids.clone()).unwrap_or_default();
    kids.into_iter().filter(|kid| keyring.key(kid).is_some_and(|key| key.revoked_seq.is_none())).collect()
}
