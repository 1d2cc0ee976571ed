//! `blotter restoration`: in which order services come back, how far that is, and which tickets and changes belong to it.

use anyhow::{Context as _, Result};
use blotter_exchange::tickets::TICKET_CHANGED;
use blotter_ledger::read;
use blotter_projections::Source as _;
use blotter_projections::restoration::{Standing, itsm_links, restoration};
use blotter_projections::{Filter, LogIndex, Pattern};
use blotter_record::{Id, Statement};
use clap::Args;
use serde_json::{Value, json};

use crate::as_of::AsRecorded;
use crate::context::Context;
use crate::out::{Tone, plain};
use crate::row::json_of;
use crate::session::Reader;
use crate::views::{facts, log_index};
use crate::when;

/// Show in which order an incident's services are restored, and its tickets and changes
///
/// The order is the newest restoration.prioritised; a service is up since service.resumed. Tickets and changes are those of
/// ticket.linked and change.linked; their numbers and addresses are disclosed values, and may have been erased. A state is
/// what the other system said newest (x.itsm.ticket-changed, src/exchange/TICKETS.md).
///
/// Example: blotter restoration incident/INC-7
#[derive(Debug, Args)]
pub(crate) struct Restoration {
    /// The incident
    #[arg(value_name = "INCIDENT", value_parser = super::incident::incident_id)]
    incident: Id,

    #[command(flatten)]
    then: AsRecorded,
}

pub(crate) fn run(context: &Context, args: &Restoration) -> Result<()> {
    let reader = Reader::open(context)?;
    let incident = reader.stream_named(&args.incident)?;
    let (facts, _) = args.then.facts(context, &reader, facts(context, &reader)?)?;
    let found = restoration(facts.db(), &incident).context("the view")?;
    let links = itsm_links(facts.db(), &incident).context("the view")?;
    let changes = changes(&reader, &log_index(context, &reader)?, &incident, facts.size())?;
    let links = links.into_iter().map(|seq| link(&reader, seq, &changes)).collect::<Result<Vec<_>>>()?;
    let standing = |standing: Standing| match standing {
        Standing::NotInterrupted => ("not interrupted", None),
        Standing::Down(since_us) => ("down", Some(when::show(since_us, args.then.zone.timezone))),
        Standing::Up(since_us) => ("up", Some(when::show(since_us, args.then.zone.timezone))),
    };
    let json_of_service = |service: &Id, seq: Option<u64>, now: Standing| {
        let (word, since) = standing(now);
        json!({ "service": service.as_str(), "seq": seq, "standing": word, "since": since })
    };
    let json = json!({
        "incident": incident.as_str(), "as_of_size": facts.size(),
        "order": found.order.iter().map(|place| json_of_service(&place.service, Some(place.seq), place.standing)).collect::<Vec<_>>(),
        "unordered": found.unordered.iter().map(|(service, now)| json_of_service(service, None, *now)).collect::<Vec<_>>(),
        "links": links,
    });
    context.out.result(&json, || {
        let out = context.out;
        let told = |now: Standing| match standing(now) {
            ("down", Some(since)) => out.toned(Tone::Bad, &format!("down since {since}")),
            (word, Some(since)) => format!("{word} since {since}"),
            (word, None) => word.to_owned(),
        };
        let ordered = found.order.iter().enumerate().map(|(n, place)| {
            vec![(n + 1).to_string(), place.service.to_string(), told(place.standing), format!("entry {}", place.seq)]
        });
        let rest = found
            .unordered
            .iter()
            .map(|(service, now)| vec!["–".to_owned(), service.to_string(), told(*now), "in no order".to_owned()]);
        let rows: Vec<_> = ordered.chain(rest).collect();
        let order = match rows.is_empty() {
            true => "no service was interrupted, and no order decided (restoration.prioritised)".to_owned(),
            false => out.table(&["place", "service", "standing", "decided by"], rows),
        };
        let text = |link: &Value, name: &str| plain(link[name].as_str().unwrap_or("–"));
        let rows: Vec<_> = links
            .iter()
            .map(|link| {
                vec![
                    link["seq"].to_string(),
                    text(link, "event"),
                    text(link, "system"),
                    text(link, "number"),
                    text(link, "state"),
                    text(link, "url"),
                ]
            })
            .collect();
        let links = match rows.is_empty() {
            true => "no ticket and no change is linked (ticket.linked, change.linked)".to_owned(),
            false => out.table(&["entry", "event", "system", "number", "state", "address"], rows),
        };
        format!("{order}\n{links}")
    });
    Ok(())
}

/// What other systems said of the incident's tickets and changes, the newest first.
fn changes(reader: &Reader, index: &LogIndex, incident: &Id, size: u64) -> Result<Vec<(u64, Statement)>> {
    let filter = Filter {
        stream: Some(Pattern::Exact(incident.to_string())),
        event: Some(Pattern::Exact(TICKET_CHANGED.to_owned())),
        ..Filter::default()
    };
    let mut changes = Vec::new();
    for seq in index.seqs(&filter, (0, size), true, usize::MAX >> 1).context("the view")? {
        let said = read::entries(&*reader.store, seq, 1)?.pop().and_then(|entry| entry.said);
        changes.extend(said.map(|(_, statement)| (seq, statement)));
    }
    Ok(changes)
}

/// A ticket or a change, as far as it can be read.
fn link(reader: &Reader, seq: u64, changes: &[(u64, Statement)]) -> Result<Value> {
    let said = read::entries(&*reader.store, seq, 1)?.pop().and_then(|entry| entry.said);
    let Some((_, statement)) = said else { return Ok(json!({ "seq": seq, "event": "expunged" })) };
    let mut link = json!({
        "seq": seq, "event": statement.event.as_str(), "system": statement.facts.id("system").map(Id::as_str),
        "emergency": statement.facts.is_true("emergency"),
    });
    let is_of = |change: &Statement| {
        change.cause.contains(&statement.jti) && change.facts.get("system") == statement.facts.get("system")
    };
    if let Some((seq, change)) = changes.iter().find(|(_, change)| is_of(change)) {
        // In an event of the users' own a code that looks like an id is one.
        link["state"] = json!(change.facts.word("state").or(change.facts.id("state").map(Id::as_str)));
        link["state_seq"] = json!(seq);
    }
    for (name, value) in blotter_api::finder::Log(&*reader.store).values(seq)? {
        // A ticket's number and a change's have different names in the vocabulary.
        let name = if name == "ticket" || name == "change" { "number" } else { name.as_str() };
        link[name] = json_of(&value)?;
    }
    Ok(link)
}
