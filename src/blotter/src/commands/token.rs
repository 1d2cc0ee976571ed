//! `blotter token`: API tokens for programs that can't sign. That one was issued or revoked is an entry of the log.

use anyhow::{Result, bail};
use blotter_api::{token_sha256, token_text};
use blotter_keys::keyring::{Keyring, Token as Issued};
use blotter_record::{Id, Instant, Json};
use clap::{Args, Subcommand};
use serde_json::{Value, json};

use crate::context::{Context, new_name, now_us, random_bytes};
use crate::people::actor_meant;
use crate::session::{Reader, Words};
use crate::voice::{Voice, tell};

/// Issue, list and revoke API tokens
///
/// A token speaks for an actor through the notary, or reads. It is shown once; the ledger keeps its SHA-256 in the vault,
/// and that it was issued, for whom, for what and until when in the log.
#[derive(Debug, Args)]
pub(crate) struct Token {
    #[command(subcommand)]
    command: TokenCommand,
}

#[derive(Debug, Subcommand)]
enum TokenCommand {
    Issue(Issue),
    List(List),
    Revoke(Revoke),
}

/// Issue a token, as an admin
///
/// Scopes: append (plain statements), alerts:SOURCE (alerts of that source, such as alerts:source/wazuh-1),
/// tickets:ENDPOINT (what became of that ITSM tool's tickets, such as tickets:endpoint/jira), read (entries that are not
/// restricted), audit (entry bundles, too).
#[derive(Debug, Args)]
struct Issue {
    /// For whom: an actor's id, the part behind the slash, or the name of a key that is here
    #[arg(long = "for", value_name = "WHO")]
    actor: String,

    /// What it is good for; can be said more than once
    #[arg(long, value_name = "SCOPE", required = true, value_parser = scope)]
    scope: Vec<String>,

    /// From when on it is no good: an instant, or a date (its first moment, in UTC)
    #[arg(long, value_name = "TIME", value_parser = instant)]
    expires: Instant,

    /// What it is called, for people
    #[arg(long, value_name = "TEXT")]
    label: Option<String>,
}

/// Tokens that were issued
#[derive(Debug, Args)]
struct List {
    /// Also those that are expired or revoked
    #[arg(long)]
    all: bool,
}

/// Revoke a token
#[derive(Debug, Args)]
struct Revoke {
    /// Its id, token/…, as the list has it
    token: Id,

    /// Why, for people
    #[arg(long, value_name = "TEXT")]
    reason: Option<String>,
}

pub(crate) fn run(context: &Context, args: &Token) -> Result<()> {
    match &args.command {
        TokenCommand::Issue(args) => issue(context, args),
        TokenCommand::List(args) => list(context, args),
        TokenCommand::Revoke(args) => revoke(context, args),
    }
}

fn scope(text: &str) -> Result<String, String> {
    let of = |prefix: &str, kind: &str| {
        let id = text.strip_prefix(prefix).and_then(|id| id.parse::<Id>().ok());
        id.is_some_and(|id| id.kind() == kind)
    };
    let known = matches!(text, "append" | "read" | "audit") || of("alerts:", "source") || of("tickets:", "endpoint");
    let wanted = "append, read, audit, alerts:source/NAME, or tickets:endpoint/NAME";
    if known { Ok(text.to_owned()) } else { Err(wanted.to_owned()) }
}

fn instant(text: &str) -> Result<Instant, String> {
    let whole = if text.len() == 10 { format!("{text}T00:00:00Z") } else { text.to_owned() };
    whole.parse().map_err(|e| format!("{e}; such as 2027-11-23 or 2027-11-23T12:00:00Z"))
}

fn issue(context: &Context, args: &Issue) -> Result<()> {
    let voice = Voice::open(context)?;
    let actor = actor_meant(context, &voice.reader.keyring, &args.actor)?;
    if args.expires.unix_us() <= now_us() {
        bail!("--expires {}: that is over", args.expires.as_str());
    }
    let id: Id = format!("token/{}", new_name()).parse()?;
    let text = token_text(&id, &random_bytes());
    let scopes = args.scope.iter().map(|scope| Json::from(scope.as_str())).collect();
    let mut words = Words::now("token.issued", actor.stream())
        .fact("token", id.as_str())
        .fact("scopes", Json::List(scopes))
        .fact("expires", args.expires.as_str())
        .data("token_sha256", token_sha256(&text));
    words.data.extend(args.label.iter().map(|label| ("label".to_owned(), Json::from(label.as_str()))));
    let said = voice.say(context, &[words], None)?;
    let more = json!({ "token": text, "id": id.as_str(), "actor": actor.to_string() });
    if context.out.json {
        tell(context, &said, more, None);
        return Ok(());
    }
    // The token alone goes to standard output, so that it can be sent into a file.
    context.out.line(&text);
    let seq = said.first().map_or(0, |said| said.appended.seq);
    context.out.note(&format!(
        "{id} was issued, in entry {seq}. The token is shown once; keep it where only its program can read it."
    ));
    Ok(())
}

fn list(context: &Context, args: &List) -> Result<()> {
    let reader = Reader::open(context)?;
    let tokens = wanted(&reader.keyring, args.all);
    let row = |(id, token): &(&Id, &Issued)| {
        json!({
            "id": id.as_str(), "actor": token.actor.as_str(), "scopes": token.scopes, "expires": token.expires.as_str(),
            "revoked": token.revoked, "issued": token.issued_seq,
        })
    };
    let json: Vec<Value> = tokens.iter().map(row).collect();
    context.out.result(&json!({ "tokens": json }), || {
        if tokens.is_empty() {
            return "no tokens; `blotter token issue` makes one".to_owned();
        }
        let line = |(id, token): &(&Id, &Issued)| {
            let over = if token.revoked { ", revoked" } else { "" };
            format!("{id}  for {}  {}  until {}{over}", token.actor, token.scopes.join(" "), token.expires.as_str())
        };
        tokens.iter().map(line).collect::<Vec<_>>().join("\n")
    });
    Ok(())
}

fn wanted(keyring: &Keyring, all: bool) -> Vec<(&Id, &Issued)> {
    let now_us = now_us();
    let good = |token: &Issued| !token.revoked && now_us < token.expires.unix_us();
    let mut tokens: Vec<_> = keyring.tokens().filter(|(_, token)| all || good(token)).collect();
    tokens.sort_by_key(|(_, token)| token.issued_seq);
    tokens
}

fn revoke(context: &Context, args: &Revoke) -> Result<()> {
    let voice = Voice::open(context)?;
    let Some(token) = voice.reader.keyring.token(&args.token) else {
        bail!("{}: no such token; `blotter token list --all` shows them", args.token);
    };
    let mut words = Words::now("token.revoked", token.actor.stream()).fact("token", args.token.as_str());
    words.data.extend(args.reason.iter().map(|reason| ("reason".to_owned(), Json::from(reason.as_str()))));
    let said = voice.say(context, &[words], None)?;
    tell(context, &said, json!({ "id": args.token.as_str() }), Some(format!("{} is no good any more.", args.token)));
    Ok(())
}
