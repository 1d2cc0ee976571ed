//! `blotter`: the shell around the ledger, and the only binary. It reads arguments, asks people, and prints; what it
//! decides is decided in the packages below.

#![allow(rustdoc::bare_urls, reason = "doc comments of arguments are help texts")]

mod as_of;
mod commands;
mod context;
mod examine;
mod files;
mod filters;
mod keystore;
mod out;
mod own_keys;
mod people;
mod progress;
mod remote;
mod row;
mod session;
mod telemetry;
mod views;
mod voice;
mod when;

use std::process::ExitCode;

use clap::{ArgMatches, CommandFactory, FromArgMatches, Parser, Subcommand};

use crate::context::{Context, Globals};
use crate::out::{Out, Tone};

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

const AFTER_HELP: &str = "\
Exit codes:
  0  done; for verify: everything verified
  1  tampering or damage was found, and the first bad entry is named; for verify --rules, too: a decision stood against
     the gates of the process; a proof does not hold
  2  could not run: wrong usage, something is not there, or the system failed; for playbook: the playbook has errors, or a
     step needs a reason
  3  incomplete: verify needed something that is missing or unknown; import left broken rows out; a restored backup is
     older than what the ledger had signed
  4  refused: the statement may not enter the log (role, key, seen, another rule); nothing was recorded. For forward: the
     server refused an alert, or the token

A first look: `blotter demo --dir DIR`. The record's format: FORMAT.md.";

/// The incident ledger that can prove what happened
///
/// Every statement is signed by whoever makes it and says what they had seen; every entry is chained to the one before; the
/// whole log is signed as one tree. Anyone can verify it, without trusting who runs it.
#[derive(Debug, Parser)]
#[command(name = "blotter", version, after_help = AFTER_HELP, max_term_width = 100)]
struct Cli {
    #[command(flatten)]
    globals: Globals,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    Demo(commands::demo::Demo),
    Init(commands::init::Init),
    Serve(commands::serve::Serve),
    Actor(commands::actor::Actor),
    Login(commands::login::Login),
    Logout(commands::login::Logout),
    Token(commands::token::Token),
    Webhook(commands::webhook::Webhook),
    Key(commands::key::Key),
    Unlock(commands::unlock::Unlock),
    Act(commands::act::Act),
    Playbook(commands::playbook::Playbook),
    Sign(Box<commands::sign::Sign>),
    Append(commands::append::Append),
    Incident(commands::incident::Incident),
    Log(commands::log::Log),
    Timeline(commands::timeline::Timeline),
    Custody(commands::custody::Custody),
    Search(commands::search::Search),
    Filter(commands::filter::Filter),
    Replay(commands::replay::Replay),
    Sql(commands::sql::Sql),
    Alert(Box<commands::alert::Alert>),
    Metrics(commands::metrics::Metrics),
    Lessons(commands::lessons::Lessons),
    Owed(commands::owed::Owed),
    Cost(commands::metrics::Cost),
    Uptime(commands::metrics::Uptime),
    Restoration(commands::restoration::Restoration),
    Show(commands::show::Show),
    Checkpoint(commands::checkpoint::CheckpointArgs),
    Proof(commands::proof::Proof),
    Tiles(commands::tiles::Tiles),
    Anchor(commands::anchor::AnchorArgs),
    Verify(commands::verify::Verify),
    Import(commands::import::Import),
    Forward(commands::forward::Forward),
    Backup(commands::backup::Backup),
    Restore(commands::restore::Restore),
    Completions(commands::completions::Completions),
}

/// Exit codes, as [`AFTER_HELP`] has them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Exit {
    Done = 0,
    Damaged = 1,
    CouldNotRun = 2,
    Incomplete = 3,
    Refused = 4,
}

fn main() -> ExitCode {
    let typed = Cli::command().get_matches();
    let globals = Globals::from_arg_matches(&typed).unwrap_or_else(|e| e.exit());
    let context = Context::new(globals);
    let exit = match filtered(&context, typed) {
        Ok(exit) => exit,
        Err(error) => report(&context.out, &error),
    };
    ExitCode::from(exit as u8)
}

/// Saves what the command wants saved, and runs it with the saved filter that it names.
fn filtered(context: &Context, typed: ArgMatches) -> anyhow::Result<Exit> {
    let matches = filters::applied(context, typed)?;
    let cli = Cli::from_arg_matches(&matches).unwrap_or_else(|e| e.exit());
    run(context, cli.command)
}

fn run(context: &Context, command: Command) -> anyhow::Result<Exit> {
    let _spans = match &command {
        Command::Serve(args) => Some(telemetry::for_a_server(args.collector())?),
        _ => {
            telemetry::for_a_command();
            None
        }
    };
    if let (Some(server), Some(instead)) = (&context.globals.server, only_here(&command)) {
        anyhow::bail!("--server {server}: {instead} (without --server, and BLOTTER_SERVER unset)");
    }
    match command {
        Command::Init(args) => commands::init::run(context, &args)?,
        Command::Act(args) => commands::act::run(context, &args)?,
        Command::Playbook(args) => return commands::playbook::run(context, &args),
        Command::Import(args) => return commands::import::run(context, &args),
        Command::Forward(args) => return commands::forward::run(context, &args),
        Command::Verify(args) => return commands::verify::run(context, &args),
        Command::Demo(args) => return commands::demo::run(context, &args),
        Command::Incident(args) => commands::incident::run(context, &args)?,
        Command::Log(args) => commands::log::run(context, &args)?,
        Command::Timeline(args) => commands::timeline::run(context, &args)?,
        Command::Filter(args) => commands::filter::run(context, &args)?,
        Command::Custody(args) => commands::custody::run(context, &args)?,
        Command::Search(args) => commands::search::run(context, &args)?,
        Command::Replay(args) => return commands::replay::run(context, &args),
        Command::Sql(args) => commands::sql::run(context, &args)?,
        Command::Alert(args) => commands::alert::run(context, &args)?,
        Command::Metrics(args) => commands::metrics::run(context, &args)?,
        Command::Lessons(args) => commands::lessons::run(context, &args)?,
        Command::Owed(args) => commands::owed::run(context, &args)?,
        Command::Cost(args) => commands::metrics::cost(context, &args)?,
        Command::Uptime(args) => commands::metrics::uptime(context, &args)?,
        Command::Restoration(args) => commands::restoration::run(context, &args)?,
        Command::Show(args) => return commands::show::run(context, &args),
        Command::Checkpoint(args) => commands::checkpoint::run(context, &args)?,
        Command::Proof(args) => return commands::proof::run(context, &args),
        Command::Tiles(args) => commands::tiles::run(context, &args)?,
        Command::Anchor(args) => commands::anchor::run(context, &args)?,
        Command::Backup(args) => commands::backup::run(context, &args)?,
        Command::Restore(args) => return commands::restore::run(context, &args),
        Command::Completions(args) => commands::completions::run(context, &args)?,
        Command::Key(args) => commands::key::run(context, &args)?,
        Command::Serve(args) => commands::serve::run(context, &args)?,
        Command::Login(args) => commands::login::login(context, &args)?,
        Command::Logout(_) => commands::login::logout(context)?,
        Command::Token(args) => commands::token::run(context, &args)?,
        Command::Webhook(args) => commands::webhook::run(context, &args)?,
        Command::Unlock(args) => commands::unlock::run(context, &args)?,
        Command::Actor(args) => commands::actor::run(context, &args)?,
        Command::Sign(args) => commands::sign::run(context, &args)?,
        Command::Append(args) => return commands::append::run(context, &args),
    }
    Ok(Exit::Done)
}

/// What to do instead of a command that needs the ledger's directory, if it is one.
fn only_here(command: &Command) -> Option<&'static str> {
    Some(match command {
        Command::Init(_) => {
            "a ledger is founded on the machine that it will live on: run `blotter init --dir DIR` there"
        }
        Command::Demo(_) => "the demo makes a ledger of its own: run `blotter demo --dir DIR`",
        Command::Serve(_) => "a server serves the ledger in a directory: run `blotter serve --dir DIR` where that is",
        Command::Backup(_) => {
            "a backup is a copy of the database: run `blotter backup --dir DIR FILE` where the ledger is"
        }
        Command::Restore(_) => "a backup is restored into a directory: run `blotter restore --dir DIR FILE` there",
        Command::Import(_) => {
            "a history is imported with the ledger's own keys: run `blotter import --dir DIR` where it is"
        }
        Command::Alert(_) => {
            "the queue of alerts is made of the ledger's views: run `blotter alert --dir DIR` where the ledger is, or ask \
             the server for /v1/alerts"
        }
        Command::Verify(_) => {
            "the whole log is verified from its database: run `blotter verify DIR --anchor FILE` where the ledger or a \
             backup of it is; what other commands show from a server, they verify"
        }
        Command::Key(args) if args.is_of_ledger() => {
            "the ledger's own key is rotated where it is: run `blotter key rotate-ledger --dir DIR` there"
        }
        _ => return None,
    })
}

fn report(out: &Out, error: &anyhow::Error) -> Exit {
    use blotter_ledger::Error;
    let from_server = error.downcast_ref::<blotter_client::Error>();
    let refused = matches!(from_server, Some(blotter_client::Error::Refused(_)))
        || matches!(
            error.downcast_ref::<Error>(),
            Some(Error::Refused(_) | Error::ListRefused { .. } | Error::Malformed(_))
        );
    let exit = match error.downcast_ref::<Error>() {
        _ if refused => Exit::Refused,
        Some(Error::Corrupt { .. }) => Exit::Damaged,
        _ => Exit::CouldNotRun,
    };
    if out.json {
        let code = match error.downcast_ref::<Error>() {
            Some(Error::Refused(refusal)) => refusal.code(),
            Some(Error::Malformed(_)) => "malformed",
            Some(Error::Corrupt { .. }) => "damaged",
            _ => from_server.and_then(|error| error.problem()).map_or("could-not-run", |problem| &problem.code),
        };
        out.line(&serde_json::json!({ "error": format!("{error:#}"), "code": code }).to_string());
    }
    out.note(&format!("{} {error:#}", out.toned(Tone::Bad, "blotter:")));
    exit
}
