//! `blotter incident list`.

use anyhow::{Result, bail};
use blotter_projections::{Cell, Cursor, IncidentQuery, Sort, list_incidents};
use clap::Args;
use serde_json::{Map, Value, json};

use crate::as_of::past;
use crate::context::{Context, now_us};
use crate::filters::Saved;
use crate::people::{People, actor_meant};
use crate::session::Reader;
use crate::views;
use crate::when::{self, Edge, Zone};

/// List incidents
///
/// What needs somebody stands first: no severity yet, then the highest. Filters can be combined; --status open is what is
/// not resolved, closed or merged.
///
/// Example: blotter incident list --phase execute --severity 3 --sort updated
#[derive(Debug, Args)]
pub(super) struct List {
    /// open, resolved, closed, improved or merged; may be repeated
    #[arg(long, value_name = "STATUS", value_parser = ["open", "resolved", "closed", "improved", "merged"])]
    status: Vec<String>,

    /// In this phase; may be repeated
    #[arg(long, value_name = "PHASE", value_parser = ["initiate", "assess", "execute", "validate", "close", "improve"])]
    phase: Vec<String>,

    /// With this severity or a higher one
    #[arg(long, value_name = "LEVEL")]
    severity: Option<i64>,

    /// Led by this actor
    #[arg(long, value_name = "WHO")]
    lead: Option<String>,

    /// Of this category
    #[arg(long)]
    category: Option<String>,

    /// With this verdict
    #[arg(long)]
    verdict: Option<String>,

    /// Opened from then on
    #[arg(long, value_name = "TIME")]
    since: Option<String>,

    /// Opened before
    #[arg(long, value_name = "TIME")]
    until: Option<String>,

    /// Linked to this: alert/A-1, T1486, asset/fs-1, service/mail, incident/INC-2
    #[arg(long, value_name = "ID|CODE")]
    linked: Option<String>,

    /// Only imported ones (true), or none of them (false)
    #[arg(long, value_name = "BOOL")]
    imported: Option<bool>,

    /// As they were up to and with this entry, or at this time
    #[arg(long, value_name = "SEQ|TIME")]
    as_of: Option<String>,

    /// What to sort by: severity, opened, updated or id
    #[arg(long, value_name = "BY", default_value = "severity", value_parser = ["severity", "opened", "updated", "id"])]
    sort: String,

    /// How many
    #[arg(long, short = 'n', value_name = "N", default_value_t = 50, value_parser = clap::value_parser!(u16).range(1..=10_000))]
    limit: u16,

    /// The page behind this place, as the page before names it
    #[arg(long, value_name = "CURSOR", value_parser = cursor)]
    cursor: Option<Cursor>,

    #[command(flatten)]
    zone: Zone,

    #[command(flatten)]
    saved: Saved,
}

fn cursor(text: &str) -> Result<Cursor, String> {
    let wanted = || "a cursor that `incident list` printed is wanted".to_owned();
    let (key, id) = text.split_once(',').ok_or_else(wanted)?;
    Ok(Cursor { key: key.parse().map_err(|_| wanted())?, id: id.to_owned() })
}

pub(super) fn run(context: &Context, args: &List) -> Result<()> {
    let reader = Reader::open(context)?;
    let facts = views::facts(context, &reader)?;
    let time = |text: &Option<String>, edge| {
        let read = |text: &String| when::read(text, edge, args.zone.timezone, now_us());
        text.as_ref().map(read).transpose().map_err(anyhow::Error::msg)
    };
    let sort = Sort::ALL.into_iter().find(|(name, _)| *name == args.sort).map_or(Sort::default(), |(_, sort)| sort);
    let as_of = args.as_of.as_ref().map(|text| past(context, &reader, "--as-of", text, &args.zone));
    let as_of = as_of.transpose()?.map(|past| past.size);
    if as_of.is_some() && sort == Sort::Updated {
        bail!("--sort updated is about now; with --as-of sort by severity, opened or id");
    }
    let lead = args.lead.as_ref().map(|who| actor_meant(context, &reader.keyring, who)).transpose()?;
    let query = IncidentQuery {
        status: args.status.clone(),
        phase: args.phase.clone(),
        severity_min: args.severity,
        lead: lead.map(|actor| actor.to_string()),
        category: args.category.clone(),
        verdict: args.verdict.clone(),
        opened_since_us: time(&args.since, Edge::Since)?,
        opened_until_us: time(&args.until, Edge::Until)?,
        linked: args.linked.clone(),
        imported: args.imported,
        hidden: Vec::new(),
        as_of,
        sort,
        after: args.cursor.clone(),
        limit: args.limit.into(),
    };
    let page = list_incidents(facts.db(), &query)?;
    let next = page.next.as_ref().map(|next| format!("{},{}", next.key, next.id));
    let json_rows: Vec<Value> = page.rows.iter().map(|row| row_json(&page.columns, row)).collect();
    let json = json!({ "as_of_size": as_of.unwrap_or(facts.size()), "incidents": json_rows, "next": next });
    context.out.result(&json, || {
        if page.rows.is_empty() {
            return match facts.size() {
                0 | 1 => "no incidents yet: `blotter act incident.opened …`, or `blotter demo` for a ledger with some"
                    .to_owned(),
                _ => "no incident is like that".to_owned(),
            };
        }
        let people = People::default();
        let shown = ["id", "status", "phase", "severity", "verdict", "category", "lead", "opened_us"];
        let index: Vec<usize> =
            shown.iter().filter_map(|name| page.columns.iter().position(|column| column == name)).collect();
        let rows = page.rows.iter().map(|row| {
            let cell = |at: &usize| match (&row[*at], page.columns[*at].as_str()) {
                (Cell::Null, _) => "-".to_owned(),
                (Cell::Int(at_us), name) if name.ends_with("_us") => when::show(*at_us, args.zone.timezone),
                (Cell::Int(n), _) => n.to_string(),
                (Cell::Text(text), "lead") => {
                    text.parse().map_or(text.clone(), |lead| people.short(&*reader.store, &reader.keyring, &lead))
                }
                (Cell::Text(text), "id") => text.trim_start_matches("incident/").to_owned(),
                (Cell::Text(text), _) => text.clone(),
            };
            index.iter().map(cell).collect()
        });
        let heading: Vec<&str> = shown.iter().map(|name| name.trim_end_matches("_us")).collect();
        let mut text = context.out.table(&heading, rows);
        if let Some(next) = &next {
            text += &format!("\nmore: --cursor {next}");
        }
        text
    });
    Ok(())
}

fn row_json(columns: &[String], row: &[Cell]) -> Value {
    let member = |(name, cell): (&String, &Cell)| {
        let value = match cell {
            Cell::Null => Value::Null,
            Cell::Int(n) => (*n).into(),
            Cell::Text(text) => text.as_str().into(),
        };
        (name.clone(), value)
    };
    Value::Object(columns.iter().zip(row).map(member).collect::<Map<_, _>>())
}
