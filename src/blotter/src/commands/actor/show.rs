//! `blotter actor list` and `show`: who is in the ledger, and everything that was said about one of them.

use anyhow::{Context as _, Result};
use blotter_keys::keyring::{Actor as Enrolled, Keyring};
use blotter_ledger::Error;
use blotter_record::{ActorId, Disclosure, Statement};
use clap::Args;
use serde_json::{Value, json};

use crate::commands::act::fact_text;
use crate::commands::key::recover::stream_entries;
use crate::context::Context;
use crate::out::{cut, plain};
use crate::people::{People, actor_meant};
use crate::session::Reader;

/// List everybody who was enrolled
#[derive(Debug, Args)]
pub(crate) struct List {}

/// Show everything that was said about one actor
#[derive(Debug, Args)]
pub(crate) struct Show {
    /// Who: an actor's id, the part behind the slash, or the name of a key that is here
    #[arg(value_name = "WHO")]
    actor: String,

    /// Only this many of the newest entries
    #[arg(long, value_name = "COUNT")]
    last: Option<usize>,
}

pub(crate) fn list(context: &Context) -> Result<()> {
    let reader = Reader::open(context)?;
    let keyring = &reader.keyring;
    let mut actors: Vec<_> = keyring.actors().collect();
    actors.sort_by_key(|(_, actor)| actor.enrolled_seq);
    let people = People::default();
    let rows: Vec<_> =
        actors.into_iter().map(|(id, actor)| (id, actor, people.name(&*reader.store, keyring, id))).collect();
    let json: Vec<Value> = rows.iter().map(|(id, actor, name)| as_json(keyring, id, actor, name.as_deref())).collect();
    context.out.result(&Value::Array(json), || {
        let rows = rows.iter().map(|(id, actor, name)| {
            let founder = if **id == *keyring.founder() { " (founder)" } else { "" };
            vec![
                format!("{id}{founder}"),
                name.as_deref().map(|name| cut(&plain(name), 40)).unwrap_or_default(),
                roles(actor).join(", "),
                key_counts(keyring, actor),
                actor.enrolled_by.to_string(),
                actor.enrolled_seq.to_string(),
            ]
        });
        let table = context.out.table(&["actor", "name", "roles", "keys", "enrolled by", "entry"], rows);
        match keyring.bootstrap_open() {
            true => format!("{table}\n\nThe bootstrap is open: the founder acts as admin, and may grant any role."),
            false => table,
        }
    });
    Ok(())
}

/// Names and values of an entry's disclosures, those alone that the statement's signature covers.
fn disclosed(reader: &Reader, seq: u64, statement: &Statement) -> Result<Vec<(String, String)>> {
    let texts = reader.store.disclosures(seq).map_err(Error::from)?;
    let good = texts.iter().filter_map(|text| Disclosure::parse(text).ok());
    let covered = good.filter(|disclosure| statement.digests.contains(&disclosure.digest()));
    let text = |disclosure: &Disclosure| match disclosure.value().as_text() {
        Some(text) => text.to_owned(),
        None => disclosure.value().to_text(),
    };
    Ok(covered.map(|disclosure| (disclosure.name().to_owned(), text(&disclosure))).collect())
}

fn roles(actor: &Enrolled) -> Vec<String> {
    let until = |until: &Option<_>| until.as_ref().map_or(String::new(), |until| format!(" until {until}"));
    actor.roles.iter().map(|(role, end)| format!("{}{}", role.name(), until(end))).collect()
}

fn key_counts(keyring: &Keyring, actor: &Enrolled) -> String {
    let revoked = actor.kids.iter().filter(|kid| keyring.key(kid).is_some_and(|key| key.revoked_seq.is_some())).count();
    match (actor.kids.len() - revoked, revoked) {
        (0, 0) => "none".to_owned(),
        (valid, 0) => valid.to_string(),
        (valid, revoked) => format!("{valid}, {revoked} revoked"),
    }
}

fn as_json(keyring: &Keyring, id: &ActorId, actor: &Enrolled, name: Option<&str>) -> Value {
    let keys = actor.kids.iter().filter_map(|kid| {
        let key = keyring.key(kid)?;
        Some(json!({
            "kid": kid.to_string(), "added_seq": key.added_seq, "revoked_seq": key.revoked_seq,
            "expires": key.expires.as_ref().map(|at| at.as_str()), "recovered": key.recovered,
            "compromised_since": key.compromised_since.as_ref().map(|at| at.as_str()),
        }))
    });
    let roles = actor
        .roles
        .iter()
        .map(|(role, until)| json!({ "role": role.name(), "until": until.as_ref().map(|at| at.as_str()) }));
    json!({
        "actor": id.to_string(), "kind": id.kind(), "name": name, "roles": roles.collect::<Vec<_>>(),
        "keys": keys.collect::<Vec<_>>(), "enrolled_by": actor.enrolled_by.to_string(),
        "enrolled_seq": actor.enrolled_seq, "founder": id == keyring.founder(),
    })
}

pub(crate) fn show(context: &Context, args: &Show) -> Result<()> {
    let reader = Reader::open(context)?;
    let keyring = &reader.keyring;
    let id = actor_meant(context, keyring, &args.actor)?;
    let actor = keyring.actor(&id).with_context(|| format!("{id} is not enrolled"))?;
    let name = People::default().name(&*reader.store, keyring, &id);
    let mut said = Vec::new();
    let mut entries = stream_entries(&reader, &id.stream())?;
    let skipped = args.last.map_or(0, |last| entries.len().saturating_sub(last));
    for entry in entries.drain(skipped..) {
        if let Some((place, statement)) = entry.said {
            let shown = disclosed(&reader, place.seq, &statement)?;
            said.push((place.seq, place.recorded.to_string(), statement, shown));
        }
    }
    let mut json = as_json(keyring, &id, actor, name.as_deref());
    json["entries"] = said
        .iter()
        .map(|(seq, recorded, statement, shown)| {
            let facts = statement.facts.iter().map(|(name, fact)| (name.to_owned(), Value::from(fact_text(fact))));
            let data = shown.iter().map(|(name, value)| (name.clone(), Value::from(value.as_str())));
            json!({
                "seq": seq, "recorded": recorded, "event": statement.event.as_str(), "by": statement.actor().to_string(),
                "jti": statement.jti.to_string(), "facts": facts.collect::<serde_json::Map<_, _>>(),
                "data": data.collect::<serde_json::Map<_, _>>(),
            })
        })
        .collect();
    context.out.result(&json, || {
        let rows = said.iter().map(|(seq, recorded, statement, shown)| {
            vec![
                seq.to_string(),
                recorded.chars().take(19).collect(),
                statement.event.to_string(),
                statement.actor().to_string(),
                details(statement, shown),
            ]
        });
        let pairs = context.out.pairs(&[
            ("actor", id.to_string()),
            ("name", name.as_deref().map(|name| cut(&plain(name), 80)).unwrap_or_default()),
            ("roles", if actor.roles.is_empty() { "none".to_owned() } else { roles(actor).join(", ") }),
            ("keys", keys(keyring, actor)),
            ("enrolled", format!("by {}, entry {}", actor.enrolled_by, actor.enrolled_seq)),
        ]);
        // The founder is enrolled by entry 0, in another stream; nothing may have been said in theirs yet.
        if said.is_empty() {
            return format!("{pairs}\n\nNothing else was said about {id}.");
        }
        format!("{pairs}\n\n{}", context.out.table(&["entry", "recorded (UTC)", "event", "by", "what"], rows))
    });
    Ok(())
}

fn keys(keyring: &Keyring, actor: &Enrolled) -> String {
    let line = |kid: &blotter_record::Hash| {
        let key = keyring.key(kid)?;
        let mut text = format!("{kid}  added by entry {}", key.added_seq);
        if key.recovered {
            text.push_str(", by recovery");
        }
        if let Some(expires) = &key.expires {
            text.push_str(&format!(", expires {expires}"));
        }
        if let Some(seq) = key.revoked_seq {
            text.push_str(&format!(", revoked by entry {seq}"));
        }
        if let Some(since) = &key.compromised_since {
            text.push_str(&format!(", said to be compromised since {since}"));
        }
        Some(text)
    };
    let lines: Vec<_> = actor.kids.iter().filter_map(line).collect();
    if lines.is_empty() { "none".to_owned() } else { lines.join("\n") }
}

/// What a statement about an actor says, in one line; keys and proofs are left to `--json`.
fn details(statement: &Statement, shown: &[(String, String)]) -> String {
    let facts = statement.facts.iter().filter(|(name, _)| !matches!(*name, "proof" | "jwk"));
    let facts = facts.map(|(name, fact)| format!("{name}={}", fact_text(fact)));
    let data = shown.iter().map(|(name, value)| format!("{name}={}", cut(&plain(value), 60)));
    facts.chain(data).collect::<Vec<_>>().join(" ")
}
