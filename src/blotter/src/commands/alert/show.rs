//! `blotter alert show`: an alert with what its source said, or a group; and what may belong to it.

use anyhow::{Result, bail};
use blotter_api::alert_queue::{GroupView, ProposalView};
use blotter_ledger::Error;
use blotter_projections::Facts;
use blotter_projections::alerts::correlate::Proposal;
use blotter_projections::alerts::queue::{Group, GroupId, QueuedAlert};
use blotter_record::{Disclosure, Json};
use clap::Args;
use serde_json::{Map, Value, json};

use super::list::{few, proposal_text};
use super::target::{Target, alert_of, group_of, proposals};
use super::{Correlation, Window};
use crate::context::Context;
use crate::out::{Tone, cut, plain};
use crate::row::json_of;
use crate::session::Reader;
use crate::views;
use crate::when::{self, Zone};

/// A value that is longer is cut.
const VALUE_LEN_MAX: usize = 400;
/// Alerts of a group that are named.
const ALERTS_MAX: usize = 20;

/// Show an alert, its group, and what may belong to it
///
/// Of an alert: what its source said, as far as the vault still has it. `blotter show alert/A-17` has every entry about it.
#[derive(Debug, Args)]
pub(super) struct Show {
    /// An alert or a group: alert/A-17, G-17
    #[arg(value_name = "ALERT|GROUP")]
    what: Target,

    #[command(flatten)]
    window: Window,

    #[command(flatten)]
    correlation: Correlation,

    #[command(flatten)]
    zone: Zone,
}

pub(super) fn show(context: &Context, args: &Show) -> Result<()> {
    let reader = Reader::open(context)?;
    let facts = views::alerts(context, &reader)?;
    let (group, alert) = match &args.what {
        Target::Group(id) => (group_of(&facts, *id, &args.window)?, None),
        Target::Alert(id) => {
            let alert = alert_of(&facts, id)?;
            (group_of(&facts, GroupId(alert.seq), &args.window)?, Some(alert))
        }
        Target::Proposal(id) => bail!("{id}: `blotter alert proposals` shows these"),
    };
    let (_, found) = proposals(&facts, &args.window, &args.correlation)?;
    let proposal = found.into_iter().find(|proposal| proposal.groups.contains(&group.id));
    // A group's values are those of its newest alert.
    let of = alert.as_ref().or(group.alerts.last());
    let values = of.map_or_else(|| Ok(Vec::new()), |alert| values(&reader, alert.seq))?;
    let json = to_json(&facts, &group, alert.as_ref(), proposal.as_ref(), &values)?;
    context.out.result(&json, || text(context, args, &group, alert.as_ref(), proposal.as_ref(), &values));
    Ok(())
}

fn values(reader: &Reader, seq: u64) -> Result<Vec<(String, Json)>> {
    let texts = reader.store.disclosures(seq).map_err(Error::from)?;
    let value = |text: &String| {
        let value = Disclosure::parse(text)?;
        Ok((value.name().to_owned(), value.value().clone()))
    };
    texts.iter().map(value).collect()
}

fn to_json(
    facts: &Facts,
    group: &Group,
    alert: Option<&QueuedAlert>,
    proposal: Option<&Proposal>,
    values: &[(String, Json)],
) -> Result<Value> {
    let values =
        values.iter().map(|(name, value)| Ok((name.clone(), json_of(value)?))).collect::<Result<Map<_, _>>>()?;
    let mut json = json!({
        "group": GroupView::of(group, proposal), "values": values, "size": facts.size(),
        "alerts": group.alerts.iter().map(|alert| &alert.id).collect::<Vec<_>>(),
        "proposal": proposal.map(ProposalView::of),
    });
    if let Some(alert) = alert {
        json["alert"] = json!({
            "alert": alert.id, "seq": alert.seq, "state": alert.state, "severity": alert.severity, "count": alert.count,
            "source": alert.source, "incidents": alert.incidents,
        });
    }
    Ok(json)
}

fn text(
    context: &Context,
    args: &Show,
    group: &Group,
    alert: Option<&QueuedAlert>,
    proposal: Option<&Proposal>,
    values: &[(String, Json)],
) -> String {
    let out = context.out;
    let at = |us| when::show(us, args.zone.timezone);
    let heading = |text: &str| out.toned(Tone::Strong, text);
    let mut parts = Vec::new();
    if let Some(alert) = alert {
        let mut pairs = vec![
            ("state", alert.state.clone()),
            ("severity", alert.severity.to_string()),
            ("source", plain(&alert.source)),
            ("count", alert.count.to_string()),
            ("seen", format!("{} (entry {})", at(alert.at_us), alert.seq)),
        ];
        if !alert.incidents.is_empty() {
            pairs.push(("incidents", alert.incidents.join(", ")));
        }
        parts.push(format!("{}\n{}", heading(&alert.id), out.pairs(&pairs)));
    }
    let mut pairs = vec![
        ("state", format!("{}; {} of {} alerts untriaged", group.state(), group.untriaged(), group.alerts.len())),
        ("severity", group.severity().to_string()),
        ("count", group.count().to_string()),
        ("seen", format!("{} to {}", at(group.first_us()), at(group.last_us()))),
        ("hosts", few(&group.hosts())),
        ("users", few(&group.users())),
    ];
    if group.suppressed() > 0 {
        pairs.push(("suppressed", group.suppressed().to_string()));
    }
    let ids: Vec<&str> = group.alerts.iter().rev().take(ALERTS_MAX).map(|alert| alert.id.as_str()).collect();
    let more = group.alerts.len() - ids.len();
    let more = if more > 0 { format!(" and {more} older") } else { String::new() };
    pairs.push(("alerts", format!("{}{more}", ids.join(", "))));
    parts.push(format!("{}\n{}", heading(&group.id.to_string()), out.pairs(&pairs)));
    parts.extend(proposal.map(|proposal| proposal_text(context, proposal, &args.zone)));
    if !values.is_empty() {
        let shown = |value: &Json| value.as_text().map_or_else(|| value.to_text(), str::to_owned);
        let pairs: Vec<(&str, String)> =
            values.iter().map(|(name, value)| (name.as_str(), cut(&plain(&shown(value)), VALUE_LEN_MAX))).collect();
        let what = if alert.is_some() { "What its source said" } else { "What the newest of them says" };
        parts.push(format!("{}\n{}", heading(what), out.pairs(&pairs)));
    }
    parts.join("\n\n")
}
