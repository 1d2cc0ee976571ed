//! `blotter key`: key files, requests to be enrolled, and what the ledger records about keys. No secret is ever printed.

pub(crate) mod change;
mod files;
pub(crate) mod recover;
pub(crate) mod request;
mod rotate;

use anyhow::Result;
use clap::{Args, Subcommand};

use crate::context::Context;

/// Make keys, show them, and change whose they are
///
/// A key file is PKCS#8, as openssl reads and writes it, sealed with a passphrase or not; its public half stands beside
/// it as NAME.pub. A key in ssh-agent or in `blotter unlock` is named by its thumbprint or its comment.
#[derive(Debug, Args)]
pub(crate) struct Key {
    #[command(subcommand)]
    command: KeyCommand,
}

#[derive(Debug, Subcommand)]
enum KeyCommand {
    New(files::New),
    List(files::List),
    Public(files::Public),
    Passphrase(files::Reseal),
    Request(request::Ask),
    Add(change::Add),
    Revoke(change::Revoke),
    Recover(recover::Recover),
    RotateLedger(rotate::RotateLedger),
}

impl Key {
    /// Whether it is about the ledger's own key.
    pub(crate) fn is_of_ledger(&self) -> bool {
        matches!(self.command, KeyCommand::RotateLedger(_))
    }
}

pub(crate) fn run(context: &Context, args: &Key) -> Result<()> {
    match &args.command {
        KeyCommand::New(args) => files::new(context, args),
        KeyCommand::List(_) => files::list(context),
        KeyCommand::Public(args) => files::public(context, args),
        KeyCommand::Passphrase(args) => files::reseal(context, args),
        KeyCommand::Request(args) => request::ask(context, args),
        KeyCommand::Add(args) => change::add(context, args),
        KeyCommand::Revoke(args) => change::revoke(context, args),
        KeyCommand::Recover(args) => recover::recover(context, args),
        KeyCommand::RotateLedger(args) => rotate::run(context, args),
    }
}
