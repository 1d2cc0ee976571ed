//! `blotter incident decisions`: who decided what, in which role, having seen what.

use anyhow::Result;
use blotter_ledger::read;
use blotter_projections::incidents::Decided;
use blotter_record::{ActorId, Id, Role};
use clap::Args;
use serde_json::json;

use super::{incident_id, show};
use crate::as_of::AsOf;
use crate::context::Context;
use crate::people::People;
use crate::session::Reader;
use crate::when::{self, Zone};

/// Show who decided what in an incident, in which role, and what they had before them
///
/// "seen" is the size of the log that the signer had verified; "slipped" how many entries of the incident came in between
/// that and the decision. `blotter incident show INCIDENT --as-seen-by SEQ` is the incident as they saw it.
///
/// Example: blotter incident decisions INC-7
#[derive(Debug, Args)]
pub(super) struct Decisions {
    /// The incident, such as INC-7
    #[arg(value_name = "INCIDENT", value_parser = incident_id)]
    incident: Id,

    #[command(flatten)]
    as_of: AsOf,

    #[command(flatten)]
    zone: Zone,
}

pub(super) fn run(context: &Context, args: &Decisions) -> Result<()> {
    let reader = Reader::open(context)?;
    let moment = args.as_of.moment(context, &reader, &args.zone)?;
    let case = show::case(&reader, &args.incident, moment)?;
    let mut found = Vec::new();
    for decided in &case.decisions {
        let entry = read::entries(&*reader.store, decided.seq, 1)?.pop().and_then(|entry| entry.said);
        let at_us = entry.map_or(0, |(placed, _)| placed.recorded.unix_us());
        found.push((decided, at_us, roles_then(&reader, decided)?));
    }
    let one = |(decided, at_us, roles): &(&Decided, i64, Vec<&str>)| {
        json!({
            "entry": decided.seq, "event": decided.event, "by": decided.by, "roles_then": roles,
            "recorded": blotter_record::Instant::from_unix_us(*at_us).ok().map(|at| at.to_string()),
            "seen_size": decided.seen_size, "slipped": decided.slipped, "retracted": decided.retracted,
        })
    };
    let json = json!({ "incident": args.incident.as_str(), "decisions": found.iter().map(one).collect::<Vec<_>>() });
    context.out.result(&json, || {
        if found.is_empty() {
            return format!("nobody has decided anything in {} yet", args.incident);
        }
        let people = People::default();
        let number = |n: Option<u64>| n.map_or("-".to_owned(), |n| n.to_string());
        let rows = found.iter().map(|(decided, at_us, roles)| {
            let by = decided.by.parse::<ActorId>();
            let by = by.map_or(decided.by.clone(), |by| people.short(&*reader.store, &reader.keyring, &by));
            let event =
                if decided.retracted { format!("{} (taken back)", decided.event) } else { decided.event.to_owned() };
            let (seen, slipped) = (number(decided.seen_size), number(decided.slipped));
            vec![
                decided.seq.to_string(),
                when::show(*at_us, args.zone.timezone),
                event,
                by,
                roles.join(" "),
                seen,
                slipped,
            ]
        });
        context.out.table(&["entry", "recorded", "decision", "by", "roles then", "seen", "slipped"], rows)
    });
    Ok(())
}

/// The roles that whoever decided held at that entry.
fn roles_then(reader: &Reader, decided: &Decided) -> Result<Vec<&'static str>> {
    let Ok(actor) = decided.by.parse::<ActorId>() else { return Ok(Vec::new()) };
    let Some(keyring) = read::keyring_before(&*reader.store, decided.seq)? else { return Ok(Vec::new()) };
    let entry = read::entries(&*reader.store, decided.seq, 1)?.pop().and_then(|entry| entry.said);
    let Some((placed, _)) = entry else { return Ok(Vec::new()) };
    let held = Role::ALL.iter().filter(|role| keyring.holds(&actor, **role, &placed.recorded));
    Ok(held.map(|role| role.name()).collect())
}
