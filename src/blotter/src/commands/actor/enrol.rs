//! `blotter actor enrol`: takes somebody in, by a request that they made, or by a key that is at hand.

use std::path::PathBuf;

use anyhow::{Result, bail};
use blotter_keys::jwk::thumbprint;
use blotter_record::{ActorId, Role};
use clap::Args;
use serde_json::json;

use super::{granted, role};
use crate::commands::key::change::at_hand_or_made;
use crate::commands::key::request::Request;
use crate::context::{Context, new_name};
use crate::keystore::Seal;
use crate::session::Words;
use crate::voice::{Voice, tell};

/// Take somebody into the ledger, as an admin, or as founder while the bootstrap is open
///
/// By the request that they made with `blotter key request`: then only they ever had the key. In a small team, by --key:
/// the key is made here if there is none of that name. People of an imported history have no key: --kind imported.
#[derive(Debug, Args)]
#[command(group = clap::ArgGroup::new("how").args(["request", "key", "kind"]).required(true).multiple(true))]
pub(crate) struct Enrol {
    /// The file of their request
    #[arg(long, value_name = "FILE", conflicts_with_all = ["key", "kind"])]
    request: Option<PathBuf>,

    /// A key that is at hand, in a file or an agent; a new name makes the key here
    #[arg(long, value_name = "NAME")]
    key: Option<String>,

    /// What they are; imported ones have a --name and no key
    #[arg(long, value_name = "KIND", value_parser = ["person", "service", "notary", "imported"])]
    kind: Option<String>,

    /// Their name; disclosable, not permanent
    #[arg(long, value_name = "TEXT")]
    name: Option<String>,

    /// Their e-mail address; disclosable
    #[arg(long, value_name = "TEXT")]
    email: Option<String>,

    /// Their title; disclosable
    #[arg(long, value_name = "TEXT")]
    title: Option<String>,

    /// How you know who they are; disclosable: 'passport, seen by me'
    #[arg(long, value_name = "TEXT")]
    identity_basis: Option<String>,

    /// Grant this role too; may be repeated. Only the founder can, while the bootstrap is open
    #[arg(long = "role", value_name = "ROLE", value_parser = role)]
    roles: Vec<Role>,

    #[command(flatten)]
    seal: Seal,
}

pub(crate) fn enrol(context: &Context, args: &Enrol) -> Result<()> {
    let voice = Voice::open(context)?;
    check_roles(&voice, &args.roles)?;
    let newcomer = newcomer(context, args, &voice)?;
    let actor = &newcomer.actor;
    let mut words = Words::now("actor.enrolled", actor.stream()).fact("kind", actor.kind());
    if let Some(request) = &newcomer.request {
        words = words.fact("jwk", request.jwk()?).fact("proof", request.proof.as_str());
    }
    for (field, value) in
        [("name", &args.name), ("email", &args.email), ("title", &args.title), ("identity_basis", &args.identity_basis)]
    {
        if let Some(value) = value {
            words = words.data(field, value.as_str());
        }
    }
    let mut all = vec![words];
    all.extend(args.roles.iter().map(|role| granted(actor, *role, None, None)));
    let beware = args
        .request
        .as_ref()
        .and(newcomer.thumbprint())
        .map(|kid| format!("Compare the thumbprint with them, on another way than the request came:\n  {kid}"));
    let said = voice.say(context, &all, beware.as_deref())?;
    let roles: Vec<_> = args.roles.iter().map(|role| role.name()).collect();
    let more = json!({ "actor": actor.to_string(), "thumbprint": newcomer.thumbprint(), "roles": roles });
    let next = match (actor.kind(), roles.is_empty()) {
        ("person" | "service", true) => format!(
            "Their id is {actor}. They have no role yet: somebody else grants one, `blotter actor grant {} ROLE`.",
            actor.name()
        ),
        _ => format!("Their id is {actor}."),
    };
    tell(context, &said, more, Some(next));
    Ok(())
}

/// Who is taken in: an id, and a key unless they are of an imported history.
struct Newcomer {
    actor: ActorId,
    request: Option<Request>,
}

impl Newcomer {
    fn thumbprint(&self) -> Option<String> {
        self.request.as_ref().map(|request| thumbprint(&request.public).to_string())
    }
}

fn newcomer(context: &Context, args: &Enrol, voice: &Voice) -> Result<Newcomer> {
    let (enroller, audience) = (&voice.speaker.actor, voice.reader.keyring.audience());
    let kind = args.kind.as_deref().unwrap_or("person");
    let new_id = || -> Result<ActorId> { Ok(format!("{kind}/{}", new_name()).parse()?) };
    let request = match (&args.request, &args.key) {
        (Some(path), _) => Request::read(path)?,
        (None, Some(_)) if kind == "imported" => bail!("somebody of an imported history has no key: leave --key out"),
        (None, Some(key)) => {
            Request::make(&new_id()?, enroller, audience, &at_hand_or_made(context, key, &args.seal)?)?
        }
        (None, None) if kind != "imported" => bail!("a {kind} needs a key: say --request FILE, or --key NAME"),
        (None, None) if args.name.is_none() => bail!("whose history is imported? say --name TEXT"),
        (None, None) => return Ok(Newcomer { actor: new_id()?, request: None }),
    };
    request.check(enroller, audience)?;
    if let Some(key) = voice.reader.keyring.key(&thumbprint(&request.public)) {
        bail!("that key is {}'s already; a key has one owner, ever: make a new one with `blotter key new`", key.actor);
    }
    Ok(Newcomer { actor: request.actor.clone(), request: Some(request) })
}

/// Says who can grant roles, before anything is asked or made.
fn check_roles(voice: &Voice, roles: &[Role]) -> Result<()> {
    let keyring = &voice.reader.keyring;
    let founding = keyring.bootstrap_open() && voice.speaker.actor == *keyring.founder();
    if !roles.is_empty() && !founding {
        bail!(
            "who enrols somebody can't grant them a role: enrol without --role, and let a ciso or secops_manager run \
             `blotter actor grant`"
        );
    }
    Ok(())
}
