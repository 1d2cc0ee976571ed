//! `blotter playbook`: CACAO playbooks are checked, published as versions that are pinned by their hash, and followed in an
//! incident, step by step.

mod check;
mod follow;
mod publish;
mod published;
mod runs;
mod show;

use std::fs::File;
use std::io::Read as _;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, bail};
use blotter_exchange::cacao::PLAYBOOK_BYTES_MAX;
use blotter_record::{Id, Jti};
use clap::{Args, Subcommand, ValueEnum};

use crate::Exit;
use crate::context::Context;
use crate::when::Zone;

/// Check, publish and follow playbooks (CACAO 2.0)
///
/// A version of a playbook is pinned by SHA-256 of its exact bytes. An incident's run of it says which version was followed,
/// which steps were begun, done, failed or skipped, by whom, why, and where they departed from the workflow.
#[derive(Debug, Args)]
pub(crate) struct Playbook {
    #[command(subcommand)]
    command: PlaybookCommand,
}

#[derive(Debug, Subcommand)]
enum PlaybookCommand {
    Check(Check),
    Show(Show),
    Publish(Publish),
    Start(Start),
    Step(Step),
    Run(Run),
}

/// Check a playbook beyond what its schema can say
///
/// Names everything that is wrong, where (a JSON pointer), and what to do. Errors keep it from being published, and the exit
/// code is 2; warnings do not. It needs no ledger, and runs nothing of the playbook.
///
/// Example: blotter playbook check phishing.json
#[derive(Debug, Args)]
struct Check {
    /// The playbook, as JSON
    #[arg(value_name = "FILE")]
    file: PathBuf,
}

/// Show the steps of a playbook in the order in which they are reached
///
/// Of a published playbook, the document in the ledger is shown, if its SHA-256 is the one that was signed.
///
/// Example: blotter playbook show playbook/4f3b2a10-9c8d-4e7f-a6b5-0123456789ab
#[derive(Debug, Args)]
struct Show {
    /// A playbook's file, or the id of a published one: playbook/UUID, or playbook--UUID
    #[arg(value_name = "FILE|PLAYBOOK")]
    what: String,

    /// Of a published one, this version; without it, the one that was published last
    #[arg(long, value_name = "VERSION")]
    version: Option<String>,
}

/// Publish a version of a playbook, as a secops_manager
///
/// Signs playbook.published, with the playbook's id, its version (the time in `modified`, as 20261123T115400.000Z) and
/// SHA-256 of the file's exact bytes. The document goes into the vault. A playbook with errors is refused.
///
/// Example: blotter playbook publish phishing.json --lesson lesson/L-4 --reason 'Lock the account first'
#[derive(Debug, Args)]
struct Publish {
    /// The playbook, as JSON
    #[arg(value_name = "FILE")]
    file: PathBuf,

    /// The published version that it replaces; without it, the one that was published last
    #[arg(long, value_name = "VERSION")]
    replaces: Option<String>,

    /// A lesson that led to it; may be repeated
    #[arg(long, value_name = "LESSON", value_parser = lesson)]
    lesson: Vec<Id>,

    /// Why, for people
    #[arg(long, value_name = "TEXT")]
    reason: Option<String>,
}

/// Start to follow a playbook in an incident
///
/// Signs playbook.started, with the version and the SHA-256 that were published. The id of that statement is the run's.
///
/// Example: blotter playbook start incident/INC-7 playbook/4f3b2a10-9c8d-4e7f-a6b5-0123456789ab
#[derive(Debug, Args)]
struct Start {
    /// The incident
    #[arg(value_name = "INCIDENT", value_parser = incident)]
    incident: Id,

    /// A published playbook: playbook/UUID, or playbook--UUID
    #[arg(value_name = "PLAYBOOK", value_parser = playbook)]
    playbook: Id,

    /// This version; without it, the one that was published last
    #[arg(long, value_name = "VERSION")]
    version: Option<String>,
}

/// Record that a step was begun, done, failed or skipped
///
/// What the workflow does not foresee is recorded, too: a step that the playbook does not have, or one before its turn. But
/// to complete such a step, --deviation must say why. `blotter playbook run` shows what can come next.
///
/// Example: blotter playbook step incident/INC-7 last 'Lock the account' done --result 'Locked in AD and mail'
#[derive(Debug, Args)]
struct Step {
    /// The incident
    #[arg(value_name = "INCIDENT", value_parser = incident)]
    incident: Id,

    /// The run: the id of its playbook.started, or `last` for the incident's last one
    #[arg(value_name = "RUN", value_parser = which)]
    run: Which,

    /// The step: its id, the beginning of it, or its name
    #[arg(value_name = "STEP")]
    step: String,

    /// What became of it
    #[arg(value_name = "WHAT")]
    what: What,

    /// What came of it
    #[arg(long, value_name = "TEXT")]
    result: Option<String>,

    /// Why it failed or was skipped; needed for these
    #[arg(long, value_name = "TEXT")]
    reason: Option<String>,

    /// Why it departs from the workflow; needed where it does
    #[arg(long, value_name = "REASON")]
    deviation: Option<String>,
}

/// Show the runs of playbooks in an incident: each step's state, who, when, deviations, and what can come next
///
/// Example: blotter playbook run incident/INC-7
#[derive(Debug, Args)]
struct Run {
    /// The incident
    #[arg(value_name = "INCIDENT", value_parser = incident)]
    incident: Id,

    #[command(flatten)]
    zone: Zone,
}

/// What becomes of a step.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum What {
    Start,
    Done,
    Failed,
    Skipped,
}

/// Which run of an incident.
#[derive(Debug, Clone, Copy)]
enum Which {
    Last,
    Run(Jti),
}

pub(crate) fn run(context: &Context, args: &Playbook) -> Result<Exit> {
    match &args.command {
        PlaybookCommand::Check(args) => return check::run(context, &args.file),
        PlaybookCommand::Show(args) => return show::run(context, args),
        PlaybookCommand::Publish(args) => publish::run(context, args)?,
        PlaybookCommand::Start(args) => follow::start(context, args)?,
        PlaybookCommand::Step(args) => follow::step(context, args)?,
        PlaybookCommand::Run(args) => runs::run(context, args)?,
    }
    Ok(Exit::Done)
}

/// A playbook's id, in the ledger's spelling or in CACAO's.
fn playbook(text: &str) -> Result<Id, String> {
    let ours = text.replacen("--", "/", 1).to_ascii_lowercase();
    // In a ledger there may be playbooks that are not CACAO's.
    of_kind(text, "playbook").or_else(|e| of_kind(&ours, "playbook").map_err(|_| e))
}

fn incident(text: &str) -> Result<Id, String> {
    of_kind(text, "incident")
}

fn lesson(text: &str) -> Result<Id, String> {
    of_kind(text, "lesson")
}

fn of_kind(text: &str, kind: &str) -> Result<Id, String> {
    let id: Option<Id> = text.parse().ok().filter(|id: &Id| id.kind() == kind && !id.name().is_empty());
    id.ok_or_else(|| format!("{kind}/NAME is wanted"))
}

fn which(text: &str) -> Result<Which, String> {
    if text == "last" {
        return Ok(Which::Last);
    }
    text.parse().map(Which::Run).map_err(|_| "the id of a playbook.started, or `last`".to_owned())
}

/// The bytes of a playbook's file; no more of them than are needed to say that it is too large.
fn read_file(path: &Path) -> Result<Vec<u8>> {
    let named = || path.display().to_string();
    let mut bytes = Vec::new();
    let file = File::open(path).with_context(named)?;
    if file.metadata().with_context(named)?.is_dir() {
        bail!("{}: a directory; a playbook's file is wanted", named());
    }
    file.take(PLAYBOOK_BYTES_MAX as u64 + 1).read_to_end(&mut bytes).with_context(named)?;
    Ok(bytes)
}
