//! `blotter webhook`: the key that signs them, and what could not be delivered.

use anyhow::{Context as _, Result};
use blotter_api::webhooks::{Delivery, OUTBOX, Outbox, State, public_key_text};
use clap::{Args, Subcommand};
use serde_json::{Value, json};

use crate::context::{Context, now_us};
use crate::keystore::{self, WEBHOOK_KEY, read_key};

const AFTER_HELP: &str = "\
The file that `blotter serve --webhooks FILE` reads:

  [[endpoint]]
  id = \"endpoint/itsm\"
  url = \"https://itsm.example.org/hooks/blotter\"
  events = [\"incident.\", \"phase.entered\"]     # one that ends in a dot means all that begin so
  actor = \"service/itsm\"                       # in whose name it listens: what that actor may see
  # allow_private = true                       # the URL may lead into a private network

Each delivery is signed (Standard Webhooks, v1a) and tried ten times over three days; then it is dead.";

/// Webhooks: their key, and what could not be delivered
#[derive(Debug, Args)]
#[command(after_help = AFTER_HELP)]
pub(crate) struct Webhook {
    #[command(subcommand)]
    command: WebhookCommand,
}

#[derive(Debug, Subcommand)]
enum WebhookCommand {
    /// Make the key that signs webhooks, if there is none, and print its public half for the receivers
    Key,
    List(List),
    Replay(Replay),
}

/// What waits, and what is dead
#[derive(Debug, Args)]
struct List {
    /// Only those that were given up
    #[arg(long)]
    dead: bool,

    /// How many of each
    #[arg(long, short = 'n', value_name = "N", default_value_t = 100)]
    limit: usize,
}

/// Have dead deliveries tried again
#[derive(Debug, Args)]
struct Replay {
    /// The delivery, as the list numbers it; all that are dead if it is not said
    id: Option<i64>,
}

pub(crate) fn run(context: &Context, args: &Webhook) -> Result<()> {
    match &args.command {
        WebhookCommand::Key => key(context),
        WebhookCommand::List(args) => list(context, args),
        WebhookCommand::Replay(args) => replay(context, args),
    }
}

fn key(context: &Context) -> Result<()> {
    let path = context.keys_dir().join(format!("{WEBHOOK_KEY}.key"));
    if !path.exists() {
        keystore::create(&context.keys_dir(), WEBHOOK_KEY, None)?;
    }
    let text = public_key_text(read_key(context, &path)?.public());
    context.out.result(&json!({ "public_key": text }), || text.clone());
    Ok(())
}

fn open(context: &Context) -> Result<Outbox> {
    let path = context.dir().join(OUTBOX);
    anyhow::ensure!(
        path.exists(),
        "{}: no webhooks were ever sent from here; see `blotter webhook --help`",
        path.display()
    );
    Outbox::open(&path).with_context(|| path.display().to_string())
}

fn list(context: &Context, args: &List) -> Result<()> {
    let outbox = open(context)?;
    let states: &[State] = if args.dead { &[State::Dead] } else { &[State::Waiting, State::Dead] };
    let mut found = Vec::new();
    for state in states {
        found.extend(outbox.list(*state, args.limit)?.into_iter().map(|delivery| (*state, delivery)));
    }
    let delivered = outbox.count(State::Delivered)?;
    let row = |(state, delivery): &(State, Delivery)| {
        json!({
            "id": delivery.id, "endpoint": delivery.endpoint, "seq": delivery.seq, "jti": delivery.jti,
            "state": state.name(), "tries": delivery.tries, "why": delivery.why,
        })
    };
    let rows: Vec<Value> = found.iter().map(row).collect();
    context.out.result(&json!({ "deliveries": rows, "delivered": delivered }), || {
        let line = |(state, delivery): &(State, Delivery)| {
            let why = delivery.why.as_deref().map_or(String::new(), |why| format!(": {why}"));
            let Delivery { id, endpoint, seq, tries, .. } = delivery;
            format!("{id}  {}  {endpoint}  entry {seq}  {tries} tries{why}", state.name())
        };
        let lines = found.iter().map(line).chain([format!("{delivered} delivered")]);
        lines.collect::<Vec<_>>().join("\n")
    });
    Ok(())
}

fn replay(context: &Context, args: &Replay) -> Result<()> {
    let count = open(context)?.replay(args.id, now_us())?;
    anyhow::ensure!(count > 0, "nothing like that is dead; `blotter webhook list --dead` shows what is");
    context.out.result(&json!({ "replayed": count }), || format!("{count} will be tried again by the server"));
    Ok(())
}
