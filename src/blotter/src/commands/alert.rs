//! `blotter alert`: the queue of alerts, what correlation proposes, and decisions about many alerts at once.

mod decide;
mod list;
mod show;
mod target;

use anyhow::Result;
use clap::{Args, Subcommand};

use crate::context::Context;

/// Work through alerts: the queue, proposals, triage
///
/// Alerts of one source and fingerprint (else: rule and host) within a day count up in one group, G-17. Groups that share
/// host, user, asset, observable or two techniques within six hours are a proposal, P-17. A source's signed threshold
/// (`blotter act triage-threshold.set`) keeps what lies below it out of the way, and says how much that is.
///
/// Commands that decide take alerts, groups and proposals together, show what they would sign, ask once, and sign one
/// statement or two for each alert.
#[derive(Debug, Args)]
pub(crate) struct Alert {
    #[command(subcommand)]
    command: AlertCommand,
}

#[derive(Debug, Subcommand)]
enum AlertCommand {
    List(list::List),
    Show(show::Show),
    Proposals(list::Proposals),
    Triage(decide::Triage),
    Open(decide::Open),
    Link(decide::Link),
}

pub(crate) fn run(context: &Context, args: &Alert) -> Result<()> {
    match &args.command {
        AlertCommand::List(args) => list::list(context, args),
        AlertCommand::Show(args) => show::show(context, args),
        AlertCommand::Proposals(args) => list::proposals(context, args),
        AlertCommand::Triage(args) => decide::triage(context, args),
        AlertCommand::Open(args) => decide::open(context, args),
        AlertCommand::Link(args) => decide::link(context, args),
    }
}

/// How far apart alerts may be to be counted together.
#[derive(Debug, Clone, Args)]
struct Window {
    /// How long after a group's newest alert another one still counts as one of it: 24h, 90m, 7d
    #[arg(long, value_name = "TIME", default_value = "24h", value_parser = span_us)]
    window: i64,
}

/// How far apart sightings of one thing may be to be a reason.
#[derive(Debug, Clone, Args)]
struct Correlation {
    /// How far apart two sightings of a host, user or the like may be to count as shared
    #[arg(long, value_name = "TIME", default_value = "6h", value_parser = span_us)]
    correlation_window: i64,
}

fn span_us(text: &str) -> Result<i64, String> {
    crate::when::span_us(text).ok_or_else(|| "a length of time is wanted, such as 24h, 90m or 7d".to_owned())
}
