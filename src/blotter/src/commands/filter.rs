//! `blotter filter`: the filters that somebody saved.

use anyhow::Result;
use clap::{Args, Subcommand};
use serde_json::json;

use crate::context::Context;
use crate::filters;

/// Look at the filters that you saved
///
/// `--save NAME` on `incident list`, `alert list`, `log` and `search` keeps their options under a name; `--filter NAME` uses
/// them again. They are yours alone: in --state-dir, and in no record.
///
/// Example: blotter incident list --status open --severity 3 --save severe; blotter incident list --filter severe
#[derive(Debug, Args)]
pub(crate) struct Filter {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Show which there are
    List,
    /// Show one
    Show {
        /// Which
        #[arg(value_parser = filters::name)]
        name: String,
    },
    /// Delete one
    Delete {
        /// Which
        #[arg(value_parser = filters::name)]
        name: String,
    },
}

pub(crate) fn run(context: &Context, args: &Filter) -> Result<()> {
    match &args.command {
        Command::List => list(context),
        Command::Show { name } => {
            let filter = filters::read(context, name)?;
            context.out.result(&of(name, &filter), || filter.line());
            Ok(())
        }
        Command::Delete { name } => {
            filters::delete(context, name)?;
            context.out.result(&json!({ "deleted": name }), || format!("deleted {name}"));
            Ok(())
        }
    }
}

/// One whose file is broken is named, and the others shown.
fn list(context: &Context) -> Result<()> {
    let mut found = Vec::new();
    for name in filters::list(context)? {
        match filters::read(context, &name) {
            Ok(filter) => found.push((name, filter)),
            Err(error) => context.out.note(&format!("{name}: {error:#}")),
        }
    }
    let all: Vec<_> = found.iter().map(|(name, filter)| of(name, filter)).collect();
    context.out.result(&json!({ "filters": all }), || {
        if found.is_empty() {
            return "no saved filters: --save NAME keeps the options of `incident list`, `alert list`, `log` and `search`"
                .to_owned();
        }
        context.out.table(&["name", "filter"], found.iter().map(|(name, filter)| vec![name.clone(), filter.line()]))
    });
    Ok(())
}

fn of(name: &str, filter: &filters::Filter) -> serde_json::Value {
    json!({ "name": name, "command": filter.command, "arguments": filter.arguments })
}
