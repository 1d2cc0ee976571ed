//! `blotter incident`: incidents as they are and were, what made them so, and what stands between them and their next
//! phase.

mod assess;
mod decisions;
mod list;
mod show;
mod transition;

use anyhow::Result;
use clap::{Args, Subcommand};

use crate::context::Context;

/// Look at incidents, and move them on
///
/// Lists, states as of any moment, what made a value, what is different between two moments; the gates of each phase, and
/// the transition to the next one, with its trigger, inputs and outputs filled in.
#[derive(Debug, Args)]
pub(crate) struct Incident {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    List(Box<list::List>),
    Show(show::Show),
    Why(show::Why),
    Diff(show::Diff),
    Decisions(decisions::Decisions),
    Gates(transition::Gates),
    Move(transition::Move),
    Assess(assess::Assess),
}

pub(crate) fn run(context: &Context, args: &Incident) -> Result<()> {
    match &args.command {
        Command::List(args) => list::run(context, args),
        Command::Show(args) => show::show(context, args),
        Command::Why(args) => show::why(context, args),
        Command::Diff(args) => show::diff(context, args),
        Command::Decisions(args) => decisions::run(context, args),
        Command::Gates(args) => transition::gates(context, args),
        Command::Move(args) => transition::move_on(context, args),
        Command::Assess(args) => assess::run(context, args),
    }
}

/// `INC-7` as `incident/INC-7`; what has a kind stays as it is.
pub(super) fn incident_id(text: &str) -> Result<blotter_record::Id, String> {
    let text = if text.contains('/') { text.to_owned() } else { format!("incident/{text}") };
    let id: blotter_record::Id = text.parse().map_err(|e: blotter_record::IdError| e.to_string())?;
    if id.kind() == "incident" { Ok(id) } else { Err(format!("{id} is not an incident")) }
}
