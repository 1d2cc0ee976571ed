//! `blotter restoration`: in which order services come back, how far that is, and which tickets and changes belong to it.

use anyhow::{Context as _, Result};
use blotter_ledger::read;
use blotter_projections::Source as _;
use blotter_projections::restoration::{Standing, itsm_links, restoration};
use blotter_record::Id;
use clap::Args;
use serde_json::{Value, json};

use crate::as_of::AsRecorded;
use crate::context::Context;
use crate::out::{Tone, plain};
use crate::row::json_of;
use crate::session::Reader;
use crate::views::facts;
use crate::when;

/// Show in which order an incident's services are restored, and its tickets and changes
///
/// The order is the newest restoration.prioritised; a service is up since service.resumed. Tickets and changes are those of
/// ticket.linked and change.linked; their numbers and addresses are disclosed values, and may have been erased.
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
    let links = links.into_iter().map(|seq| link(&reader, seq)).collect::<Result<Vec<_>>>()?;
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
                    text(link, "url"),
                ]
            })
            .collect();
        let links = match rows.is_empty() {
            true => "no ticket and no change is linked (ticket.linked, change.linked)".to_owned(),
            false => out.table(&["entry", "event", "system", "number", "address"], rows),
        };
        format!("{order}\n{links}")
    });
    Ok(())
}

/// A ticket or a change, as far as it can be read.
fn link(reader: &Reader, seq: u64) -> Result<Value> {
    let said = read::entries(&*reader.store, seq, 1)?.pop().and_then(|entry| entry.said);
    let Some((_, statement)) = said else { return Ok(json!({ "seq": seq, "event": "expunged" })) };
    let mut link = json!({
        "seq": seq, "event": statement.event.as_str(), "system": statement.facts.id("system").map(Id::as_str),
        "emergency": statement.facts.is_true("emergency"),
    });
    for (name, value) in blotter_api::finder::Log(&*reader.store).values(seq)? {
        // A ticket's number and a change's have different names in the vocabulary.
        let name = if name == "ticket" || name == "change" { "number" } else { name.as_str() };
        link[name] = json_of(&value)?;
    }
    Ok(link)
}
