//! `blotter actor`: who is in the ledger, with which roles and keys, and who says so.

mod enrol;
mod show;

use anyhow::{Result, bail};
use blotter_keys::keyring::Keyring;
use blotter_record::{ActorId, Id, Instant, Json, Role};
use clap::{Args, Subcommand};
use serde_json::json;

use crate::context::Context;
use crate::people::actor_meant;
use crate::session::Words;
use crate::voice::{Voice, tell};

/// Enrol people and programs, and give and take their roles
///
/// An admin enrols; a ciso or secops_manager grants roles, but never to themselves and never to whom they enrolled. The
/// founder may do both until `blotter actor close-bootstrap`.
#[derive(Debug, Args)]
pub(crate) struct Actor {
    #[command(subcommand)]
    command: ActorCommand,
}

#[derive(Debug, Subcommand)]
enum ActorCommand {
    List(show::List),
    Show(show::Show),
    Enrol(enrol::Enrol),
    Grant(Grant),
    Revoke(Revoke),
    CloseBootstrap(CloseBootstrap),
}

/// Grant a role
#[derive(Debug, Args)]
struct Grant {
    /// Who: an actor's id, the part behind the slash, or the name of a key that is here
    #[arg(value_name = "WHO")]
    actor: String,

    /// ciso, secops_manager, soc_analyst, grc_lead, it_ops_lead, legal, dpo, custodian, service_owner, auditor, service
    /// or admin
    #[arg(value_parser = role)]
    role: Role,

    /// From when on it is not held any more
    #[arg(long, value_name = "INSTANT")]
    until: Option<Instant>,

    /// Why, for people
    #[arg(long, value_name = "TEXT")]
    reason: Option<String>,
}

/// Take a role away
#[derive(Debug, Args)]
struct Revoke {
    /// Who: an actor's id, the part behind the slash, or the name of a key that is here
    #[arg(value_name = "WHO")]
    actor: String,

    /// The role
    #[arg(value_parser = role)]
    role: Role,

    /// Why, for people
    #[arg(long, value_name = "TEXT")]
    reason: Option<String>,
}

/// End the founder's special powers, for ever
///
/// While the bootstrap is open, the founder alone enrols people, and grants any role. Close it when there is an admin, and a
/// ciso or secops_manager: without them nobody could enrol or grant any more.
#[derive(Debug, Args)]
struct CloseBootstrap {
    /// Close it although an admin, or a ciso and secops_manager, is missing
    #[arg(long)]
    even_so: bool,
}

pub(crate) fn run(context: &Context, args: &Actor) -> Result<()> {
    match &args.command {
        ActorCommand::List(_) => show::list(context),
        ActorCommand::Show(args) => show::show(context, args),
        ActorCommand::Enrol(args) => enrol::enrol(context, args),
        ActorCommand::Grant(args) => grant(context, args),
        ActorCommand::Revoke(args) => revoke(context, args),
        ActorCommand::CloseBootstrap(args) => close_bootstrap(context, args),
    }
}

/// A role, as an argument.
fn role(name: &str) -> Result<Role, String> {
    let known = || Role::ALL.iter().map(|role| role.name()).collect::<Vec<_>>().join(", ");
    Role::from_name(name).ok_or_else(|| format!("the roles are {}", known()))
}

fn grant(context: &Context, args: &Grant) -> Result<()> {
    let voice = Voice::open(context)?;
    let actor = actor_meant(context, &voice.reader.keyring, &args.actor)?;
    let said = voice.say(context, &[granted(&actor, args.role, args.until.as_ref(), args.reason.as_deref())], None)?;
    let until = args.until.as_ref().map_or(String::new(), |until| format!(" until {until}"));
    let more = json!({
        "actor": actor.to_string(), "role": args.role.name(), "until": args.until.as_ref().map(Instant::as_str),
    });
    tell(context, &said, more, Some(format!("{actor} is {} now{until}.", args.role.name())));
    Ok(())
}

/// The words that grant a role.
fn granted(actor: &ActorId, role: Role, until: Option<&Instant>, reason: Option<&str>) -> Words {
    let mut words = Words::now("role.granted", actor.stream()).fact("role", role.name());
    if let Some(until) = until {
        words = words.fact("until", until.as_str());
    }
    words.data.extend(reason.map(|reason| ("reason".to_owned(), Json::from(reason))));
    words
}

fn revoke(context: &Context, args: &Revoke) -> Result<()> {
    let voice = Voice::open(context)?;
    let keyring = &voice.reader.keyring;
    let actor = actor_meant(context, keyring, &args.actor)?;
    if !keyring.actor(&actor).is_some_and(|actor| actor.roles.contains_key(&args.role)) {
        bail!("{actor} is not {}; `blotter actor show {}` shows their roles", args.role.name(), actor.name());
    }
    let mut words = Words::now("role.revoked", actor.stream()).fact("role", args.role.name());
    words.data.extend(args.reason.iter().map(|reason| ("reason".to_owned(), Json::from(reason.as_str()))));
    let said = voice.say(context, &[words], None)?;
    let more = json!({ "actor": actor.to_string(), "role": args.role.name() });
    tell(context, &said, more, Some(format!("{actor} is not {} any more.", args.role.name())));
    Ok(())
}

fn close_bootstrap(context: &Context, args: &CloseBootstrap) -> Result<()> {
    let voice = Voice::open(context)?;
    let keyring = &voice.reader.keyring;
    if !keyring.bootstrap_open() {
        bail!("the bootstrap of this ledger was closed before");
    }
    let missing = missing_roles(keyring);
    if !missing.is_empty() && !args.even_so {
        bail!(
            "nobody is {} yet, and once the bootstrap is closed nobody could change that; grant it first with `blotter actor \
             grant WHO ROLE` (or say --even-so)",
            missing.join(", nor ")
        );
    }
    let beware = "Afterwards the founder can't enrol anybody or grant any role alone, and nobody can open the bootstrap \
                  again. An admin enrols; a ciso or secops_manager grants roles.";
    let said = voice.say(context, &[Words::now("bootstrap.closed", Id::ledger())], Some(beware))?;
    tell(context, &said, json!({ "missing": missing }), Some("The bootstrap is closed.".to_owned()));
    Ok(())
}

/// What nobody holds, and somebody must hold for people and roles ever to change.
fn missing_roles(keyring: &Keyring) -> Vec<&'static str> {
    let held =
        |roles: &[Role]| keyring.actors().any(|(_, actor)| roles.iter().any(|role| actor.roles.contains_key(role)));
    let mut missing = Vec::new();
    if !held(&[Role::Admin]) {
        missing.push("admin");
    }
    if !held(&[Role::Ciso, Role::SecopsManager]) {
        missing.push("ciso or secops_manager");
    }
    missing
}
