//! `blotter incident show`, `why` and `diff`.

use anyhow::{Result, bail};
use blotter_api::finder::Log;
use blotter_ledger::read;
use blotter_projections::incidents::{Case, Milestone, Reached};
use blotter_projections::{Field, Moment, case_as_of, differences, fields};
use blotter_record::Id;
use clap::Args;
use serde_json::{Value, json};

use super::incident_id;
use crate::as_of::{AsOf, past};
use crate::context::Context;
use crate::out::{Tone, cut};
use crate::people::People;
use crate::row::{Columns, Rows};
use crate::session::Reader;
use crate::when::{self, Zone};

/// A value that is longer is cut in a table.
const VALUE_LEN_MAX: usize = 120;

/// Show an incident as it is, or was as of any moment
///
/// Every value with the entries that made it so; milestones; open gates. --as-of takes away what was recorded later,
/// --occurred-by what happened later; --as-seen-by shows what somebody had before them when they decided.
///
/// Example: blotter incident show INC-7 --as-of 2026-11-23T14:00
#[derive(Debug, Args)]
pub(crate) struct Show {
    /// The incident, such as INC-7
    #[arg(value_name = "INCIDENT", value_parser = incident_id)]
    incident: Id,

    #[command(flatten)]
    as_of: AsOf,

    #[command(flatten)]
    zone: Zone,
}

/// Show the entries that made a value of an incident what it is
///
/// Example: blotter incident why INC-7 severity
#[derive(Debug, Args)]
pub(crate) struct Why {
    /// The incident, such as INC-7
    #[arg(value_name = "INCIDENT", value_parser = incident_id)]
    incident: Id,

    /// The value, as `blotter incident show` names it
    #[arg(value_name = "FIELD")]
    field: String,

    #[command(flatten)]
    as_of: AsOf,

    #[command(flatten)]
    zone: Zone,
}

/// Show what is different in an incident between two moments
///
/// Example: blotter incident diff INC-7 --from 2026-11-23T09:00 --to 412
#[derive(Debug, Args)]
pub(crate) struct Diff {
    /// The incident, such as INC-7
    #[arg(value_name = "INCIDENT", value_parser = incident_id)]
    incident: Id,

    /// The earlier moment: an entry's number, or a time
    #[arg(long, value_name = "SEQ|TIME")]
    from: String,

    /// The later one; without it, now
    #[arg(long, value_name = "SEQ|TIME")]
    to: Option<String>,

    #[command(flatten)]
    zone: Zone,
}

/// The incident as of a moment, or an error that says that there was none.
pub(super) fn case(reader: &Reader, id: &Id, moment: Moment) -> Result<Case> {
    let id = &reader.stream_named(id)?;
    let case = case_as_of(&Log(&*reader.store), id, moment)?;
    if case.incident.first_seq.is_none() {
        bail!("of {id} nothing was recorded by then; `blotter incident list` names what there is");
    }
    Ok(case)
}

pub(super) fn show(context: &Context, args: &Show) -> Result<()> {
    let reader = Reader::open(context)?;
    let moment = args.as_of.moment(context, &reader, &args.zone)?;
    let case = case(&reader, &args.incident, moment)?;
    context.out.result(&case_json(&args.incident, &case, moment), || {
        let people = People::default();
        let mut text = context.out.toned(Tone::Strong, args.incident.as_str());
        if !args.as_of.is_now() {
            text += &format!("  as of entry {}", moment.size.saturating_sub(1));
            if let Some(by_us) = moment.occurred_us {
                text += &format!(", of what had occurred by {}", when::show(by_us, args.zone.timezone));
            }
        }
        if let Some(title) = title(&reader, &case) {
            text += &format!("\n{title}");
        }
        text += "\n\n";
        let rows = fields(&case).into_iter().map(|field| {
            let value = named(&people, &reader, &field.value);
            vec![field.name, cut(&value, VALUE_LEN_MAX), seqs(&field.seqs)]
        });
        text += &context.out.table(&["what", "value", "entries"], rows);
        let reached = case.milestones.iter().map(|(milestone, reached)| {
            vec![milestone.name().to_owned(), when::show(reached.at_us, args.zone.timezone), reached.seq.to_string()]
        });
        text += "\n";
        text += &context.out.table(&["milestone", "when", "entry"], reached);
        text
    });
    Ok(())
}

/// The title that whoever opened it gave it, if the vault has it.
fn title(reader: &Reader, case: &Case) -> Option<String> {
    let seq = case.incident.opened.as_ref()?.seq;
    let texts = reader.store.disclosures(seq).ok()?;
    let values = texts.iter().filter_map(|text| blotter_record::Disclosure::parse(text).ok());
    let title = values.into_iter().find(|value| value.name() == "title")?;
    title.value().as_text().map(crate::out::plain)
}

/// Actors' ids with the names that the ledger has for them.
fn named(people: &People, reader: &Reader, value: &str) -> String {
    let words = value.split(' ').map(|word| match word.parse() {
        Ok(actor) => people.short(&*reader.store, &reader.keyring, &actor),
        Err(_) => word.to_owned(),
    });
    words.collect::<Vec<_>>().join(" ")
}

fn seqs(seqs: &[u64]) -> String {
    seqs.iter().map(ToString::to_string).collect::<Vec<_>>().join(" ")
}

pub(super) fn case_json(id: &Id, case: &Case, moment: Moment) -> Value {
    let field = |field: Field| (field.name, json!({ "value": field.value, "entries": field.seqs }));
    let milestone = |(milestone, reached): (&Milestone, &Reached)| {
        (
            milestone.name().to_owned(),
            json!({ "at_us": reached.at_us, "at": instant(reached.at_us), "entry": reached.seq }),
        )
    };
    let incident = &case.incident;
    json!({
        "incident": id.as_str(),
        "as_of_size": moment.size,
        "occurred_by": moment.occurred_us.map(instant),
        "status": incident.status(),
        "phase": incident.current_phase().map(blotter_process::Phase::name),
        "severity": incident.severity.as_ref().map(|made| made.value.level),
        "entries": incident.entries,
        "first_entry": incident.first_seq,
        "last_entry": incident.last_seq,
        "imported": incident.imported,
        "fields": fields(case).into_iter().map(field).collect::<serde_json::Map<_, _>>(),
        "milestones": case.milestones.iter().map(milestone).collect::<serde_json::Map<_, _>>(),
        "phases": incident.phases.iter().map(|entered| json!({
            "phase": entered.phase.name(), "entry": entered.seq, "at": instant(entered.at_us),
            "by": entered.by.as_str(), "overridden": entered.overridden,
        })).collect::<Vec<_>>(),
        "refusals": incident.refusals,
        "out_of_phase": incident.out_of_phase,
    })
}

fn instant(at_us: i64) -> Option<String> {
    blotter_record::Instant::from_unix_us(at_us).ok().map(|at| at.to_string())
}

pub(super) fn why(context: &Context, args: &Why) -> Result<()> {
    let reader = Reader::open(context)?;
    let moment = args.as_of.moment(context, &reader, &args.zone)?;
    let all = fields(&case(&reader, &args.incident, moment)?);
    let Some(field) = all.iter().find(|field| field.name == args.field) else {
        let names: Vec<&str> = all.iter().map(|field| field.name.as_str()).collect();
        bail!("{} has no value {:?}; it has {}", args.incident, args.field, names.join(", "));
    };
    let mut entries = Vec::new();
    for seq in &field.seqs {
        entries.extend(read::entries(&*reader.store, *seq, 1)?);
    }
    let json_entries =
        entries.iter().map(|entry| crate::row::to_json(entry, &reader.keyring)).collect::<Result<Vec<_>>>()?;
    let json = json!({ "incident": args.incident.as_str(), "field": field.name, "value": field.value, "entries": json_entries });
    context.out.result(&json, || {
        let rows =
            Rows { out: context.out, store: &*reader.store, zone: args.zone.timezone, people: People::default() };
        let mut columns = Columns::new(moment.size);
        let cells: Vec<_> = entries.iter().map(|entry| rows.cells(entry, &reader.keyring)).collect();
        columns.fit(&cells);
        let value = named(&rows.people, &reader, &field.value);
        let head =
            format!("{} of {} is {}, because of", field.name, args.incident, context.out.toned(Tone::Strong, &value));
        let lines = cells.iter().map(|cells| rows.line(cells, &mut columns)).collect::<Vec<_>>();
        std::iter::once(head).chain([rows.heading(&columns)]).chain(lines).collect::<Vec<_>>().join("\n")
    });
    Ok(())
}

pub(super) fn diff(context: &Context, args: &Diff) -> Result<()> {
    let reader = Reader::open(context)?;
    let from = past(context, &reader, "--from", &args.from, &args.zone)?.size;
    let now = blotter_ledger::Error::from;
    let to = match &args.to {
        Some(to) => past(context, &reader, "--to", to, &args.zone)?.size,
        None => reader.store.size().map_err(now)?,
    };
    let log = Log(&*reader.store);
    let before = case_as_of(&log, &args.incident, Moment::recorded(from))?;
    let after = case(&reader, &args.incident, Moment::recorded(to))?;
    let changed = differences(&before, &after);
    let json = json!({
        "incident": args.incident.as_str(), "from_size": from, "to_size": to,
        "entries": after.incident.entries.saturating_sub(before.incident.entries),
        "changed": changed.iter().map(|(name, old, new)| json!({
            "field": name,
            "from": old.as_ref().map(|field| &field.value),
            "to": new.as_ref().map(|field| &field.value),
            "entries": new.as_ref().map(|field| &field.seqs),
        })).collect::<Vec<_>>(),
    });
    context.out.result(&json, || {
        if changed.is_empty() {
            return format!("nothing is different in {} between these moments", args.incident);
        }
        let shown =
            |field: &Option<Field>| field.as_ref().map_or("-".to_owned(), |field| cut(&field.value, VALUE_LEN_MAX));
        let rows = changed.iter().map(|(name, old, new)| {
            let entries = new.as_ref().map_or_else(String::new, |field| seqs(&field.seqs));
            vec![name.clone(), shown(old), shown(new), entries]
        });
        context.out.table(&["what", "before", "after", "entries"], rows)
    });
    Ok(())
}
