//! `blotter completions`: what a shell needs to complete our options.

use anyhow::Result;
use clap::{Args, CommandFactory};
use clap_complete::Shell;

use crate::context::Context;

/// Print completions for a shell
///
/// bash: blotter completions bash > ~/.local/share/bash-completion/completions/blotter
/// zsh:  blotter completions zsh > "${fpath[1]}/_blotter"
/// fish: blotter completions fish > ~/.config/fish/completions/blotter.fish
#[allow(rustdoc::broken_intra_doc_links, reason = "it is the help text, and a line of zsh in it")]
#[derive(Debug, Args)]
#[command(verbatim_doc_comment)]
pub(crate) struct Completions {
    /// Which shell
    shell: Shell,
}

pub(crate) fn run(context: &Context, args: &Completions) -> Result<()> {
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut crate::Cli::command(), "blotter", &mut script);
    context.out.bytes(&script);
    Ok(())
}
