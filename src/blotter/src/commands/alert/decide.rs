//! `blotter alert triage`, `open` and `link`: one decision about many alerts, each with statements of its own, signed at
//! once.

use anyhow::{Context as _, Result, bail};
use blotter_projections::Facts;
use blotter_projections::alerts::load;
use blotter_projections::alerts::queue::QueuedAlert;
use blotter_record::{Id, Json};
use chrono::Datelike;
use clap::{Args, ValueEnum};
use rusqlite::OptionalExtension;
use serde_json::json;

use super::target::{Meant, Target, meant};
use super::{Correlation, Window};
use crate::context::{Context, now_us};
use crate::out::Tone;
use crate::people::actor_meant;
use crate::session::Words;
use crate::views;
use crate::voice::{Voice, tell};

/// Which alerts.
#[derive(Debug, Args)]
struct Alerts {
    #[command(flatten)]
    window: Window,

    #[command(flatten)]
    correlation: Correlation,
}

impl Alerts {
    fn meant(&self, facts: &Facts, targets: &[Target]) -> Result<Vec<Meant>> {
        meant(facts, targets, &self.window, &self.correlation)
    }
}

/// Triage alerts: investigate, dismiss, or mark as duplicates
///
/// One alert.triaged for each alert, and with --dismiss one alert.dismissed. Of a group or proposal, those that are open
/// and in no incident.
///
/// Example: blotter alert triage G-17 G-23 --dismiss false-positive --reason 'The backup runs at that hour.' --as ana
#[derive(Debug, Args)]
#[command(group(clap::ArgGroup::new("decision").required(true)))]
pub(super) struct Triage {
    /// Alerts, groups and proposals: alert/A-17, G-17, P-17
    #[arg(value_name = "GROUP|ALERT", required = true)]
    targets: Vec<Target>,

    /// Look into them
    #[arg(long, group = "decision")]
    investigate: bool,

    /// Done with: why
    #[arg(long, group = "decision", value_name = "VERDICT")]
    dismiss: Option<Verdict>,

    /// Another alert says the same
    #[arg(long, group = "decision")]
    duplicate: bool,

    /// Why, for people
    #[arg(long, value_name = "TEXT")]
    reason: Option<String>,

    /// The version of the criteria by which this is decided; without it, the one that was used last in this ledger
    #[arg(long, value_name = "VERSION")]
    criteria: Option<String>,

    #[command(flatten)]
    alerts: Alerts,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Verdict {
    FalsePositive,
    Benign,
    Duplicate,
    Test,
    InsufficientData,
}

impl Verdict {
    fn word(self) -> &'static str {
        match self {
            Self::FalsePositive => "false-positive",
            Self::Benign => "benign",
            Self::Duplicate => "duplicate",
            Self::Test => "test",
            Self::InsufficientData => "insufficient-data",
        }
    }
}

/// Open an incident with alerts
///
/// incident.opened, and alert.linked for each alert; of a proposal, with the reasons why they belong together.
///
/// Example: blotter alert open P-17 --category malware --title 'Ransom note on a file server' --as ana
#[derive(Debug, Args)]
pub(super) struct Open {
    /// Alerts, groups and proposals: alert/A-17, G-17, P-17
    #[arg(value_name = "GROUP|ALERT", required = true)]
    targets: Vec<Target>,

    /// The incident's name, such as INC-7; without it, the next number of this year
    #[arg(long, value_name = "INCIDENT")]
    incident: Option<String>,

    /// Who leads it; without it, who opens it
    #[arg(long, value_name = "WHO")]
    lead: Option<String>,

    /// Its category, such as malware
    #[arg(long, value_name = "CODE")]
    category: String,

    /// Its marking (TLP 2.0): red, amber-strict, amber, green or clear
    #[arg(long, value_name = "TLP", default_value = "amber")]
    tlp: String,

    /// What it is, in a line
    #[arg(long, value_name = "TEXT")]
    title: String,

    /// What is known
    #[arg(long, value_name = "TEXT")]
    summary: Option<String>,

    /// Why these alerts belong to it; without it, what the proposal says
    #[arg(long, value_name = "TEXT")]
    reason: Option<String>,

    #[command(flatten)]
    alerts: Alerts,
}

/// Link alerts to an incident
///
/// alert.linked for each alert. Nothing is taken from the alert: it stays what it is, and `alert.unlinked` undoes it.
#[derive(Debug, Args)]
pub(super) struct Link {
    /// Alerts, groups and proposals: alert/A-17, G-17, P-17
    #[arg(value_name = "GROUP|ALERT", required = true)]
    targets: Vec<Target>,

    /// The incident: incident/INC-7, or INC-7
    #[arg(value_name = "INCIDENT", required = true)]
    incident: String,

    /// Why they belong to it; without it, what the proposal says
    #[arg(long, value_name = "TEXT")]
    reason: Option<String>,

    #[command(flatten)]
    alerts: Alerts,
}

pub(super) fn triage(context: &Context, args: &Triage) -> Result<()> {
    let voice = Voice::open(context)?;
    let facts = views::alerts(context, &voice.reader)?;
    let alerts = args.alerts.meant(&facts, &args.targets)?;
    if alerts.is_empty() {
        bail!("nothing of that is open: it was triaged, or is in an incident; an alert can be named by itself");
    }
    let criteria = match &args.criteria {
        Some(criteria) => criteria.clone(),
        None => load::newest_criteria(facts.db())?
            .context("nobody has triaged here before; say --criteria VERSION, by which criteria you decide")?,
    };
    let disposition = match args.dismiss {
        Some(_) => "dismiss",
        None if args.duplicate => "duplicate",
        None => "investigate",
    };
    let parts: Vec<Vec<Words>> = alerts
        .iter()
        .map(|meant| {
            let stream: Id = meant.alert.id.parse()?;
            let triaged = Words::now("alert.triaged", stream.clone())
                .fact("disposition", disposition)
                .fact("criteria_version", criteria.as_str());
            let dismissed =
                args.dismiss.map(|verdict| Words::now("alert.dismissed", stream).fact("verdict", verdict.word()));
            // The reason stands where the decision is.
            let mut words: Vec<Words> = [triaged].into_iter().chain(dismissed).collect();
            if let (Some(reason), Some(last)) = (&args.reason, words.last_mut()) {
                last.data.push(("reason".to_owned(), reason.as_str().into()));
            }
            Ok(words)
        })
        .collect::<Result<_>>()?;
    let said = voice.say_all(context, &parts, warning(context, &alerts).as_deref())?;
    let note = format!("{} alerts: {disposition}", alerts.len());
    tell(context, &said, json!({ "alerts": alerts.len(), "disposition": disposition }), Some(note));
    Ok(())
}

/// What somebody should know who decides about alerts of the worst two severities.
fn warning(context: &Context, alerts: &[Meant]) -> Option<String> {
    const SEVERE: i64 = 4;
    let severe = alerts.iter().filter(|meant| meant.alert.severity >= SEVERE).count();
    let text = format!("{severe} of these {} alerts are of severity {SEVERE} or worse.", alerts.len());
    (severe > 0).then(|| context.out.toned(Tone::Warn, &text))
}

pub(super) fn open(context: &Context, args: &Open) -> Result<()> {
    let voice = Voice::open(context)?;
    let facts = views::alerts(context, &voice.reader)?;
    let alerts = unlinked(context, args.alerts.meant(&facts, &args.targets)?)?;
    let incident = match &args.incident {
        Some(name) => incident_id(name)?,
        None => next_incident(&facts)?,
    };
    let lead = match &args.lead {
        Some(who) => actor_meant(context, &voice.reader.keyring, who)?,
        None => voice.speaker.actor.clone(),
    };
    let mut opened = Words::now("incident.opened", incident.clone())
        .fact("lead", lead.as_str())
        .fact("category", args.category.as_str())
        .fact("tlp", args.tlp.as_str())
        .data("title", args.title.as_str());
    if let Some(summary) = &args.summary {
        opened = opened.data("summary", summary.as_str());
    }
    let mut parts = vec![vec![opened]];
    for meant in &alerts {
        parts.push(vec![linked(&incident, meant, args.reason.as_deref())?]);
    }
    let said = voice.say_all(context, &parts, None)?;
    let note = format!("{incident} opened with {} alerts", alerts.len());
    tell(context, &said, json!({ "incident": incident.as_str(), "alerts": alerts.len() }), Some(note));
    Ok(())
}

pub(super) fn link(context: &Context, args: &Link) -> Result<()> {
    let voice = Voice::open(context)?;
    let facts = views::alerts(context, &voice.reader)?;
    let typed = incident_id(&args.incident)?;
    let sql = "SELECT id FROM incident WHERE id = ?1 COLLATE NOCASE";
    let there: Option<String> = facts.db().query_row(sql, [typed.as_str()], |row| row.get(0)).optional()?;
    let incident = there.with_context(|| format!("there is no {typed}; `blotter alert open` opens one"))?.parse()?;
    let alerts = unlinked(context, args.alerts.meant(&facts, &args.targets)?)?;
    let parts = alerts.iter().map(|meant| Ok(vec![linked(&incident, meant, args.reason.as_deref())?]));
    let said = voice.say_all(context, &parts.collect::<Result<Vec<_>>>()?, None)?;
    let note = format!("{} alerts linked to {incident}", alerts.len());
    tell(context, &said, json!({ "incident": incident.as_str(), "alerts": alerts.len() }), Some(note));
    Ok(())
}

fn linked(incident: &Id, meant: &Meant, reason: Option<&str>) -> Result<Words> {
    let alert: Id = meant.alert.id.parse()?;
    let mut words = Words::now("alert.linked", incident.clone()).fact("alert", alert.as_str()).about(alert);
    if let Some((code, _)) = &meant.because {
        words = words.fact("correlation", code.as_str());
    }
    let reason = reason.or(meant.because.as_ref().map(|(_, why)| why.as_str()));
    if let Some(reason) = reason {
        words = words.data("reason", Json::from(reason));
    }
    Ok(words)
}

/// Those that are in no incident yet; says which are.
fn unlinked(context: &Context, alerts: Vec<Meant>) -> Result<Vec<Meant>> {
    let (linked, free): (Vec<_>, Vec<_>) = alerts.into_iter().partition(|meant| !meant.alert.incidents.is_empty());
    for QueuedAlert { id, incidents, .. } in linked.iter().map(|meant| &meant.alert) {
        context.out.note(&format!("{id} is in {} already: left out", incidents.join(", ")));
    }
    if free.is_empty() {
        bail!("no alert is left to be linked: each was dismissed, or is in an incident");
    }
    Ok(free)
}

fn incident_id(name: &str) -> Result<Id> {
    let text = if name.contains('/') { name.to_owned() } else { format!("incident/{name}") };
    let id: Id = text.parse().with_context(|| format!("{name:?} names no incident"))?;
    if id.kind() != "incident" {
        bail!("{id} is no incident; incident/INC-7 would be one");
    }
    Ok(id)
}

/// `incident/INC-2026-0043` after `…-0042`. If somebody else takes the number in this moment, the ledger refuses the second.
fn next_incident(facts: &Facts) -> Result<Id> {
    let year = chrono::DateTime::from_timestamp_micros(now_us()).context("the clock shows no time")?.year();
    let prefix = format!("incident/INC-{year}-");
    let sql = "SELECT max(CAST(substr(id, length(?1) + 1) AS INTEGER)) FROM incident
        WHERE substr(id, 1, length(?1)) = ?1 COLLATE NOCASE AND substr(id, length(?1) + 1) NOT GLOB '*[^0-9]*'
        AND length(id) <= length(?1) + 9";
    let newest: Option<i64> = facts.db().query_row(sql, [&prefix], |row| row.get(0))?;
    Ok(format!("{prefix}{:04}", newest.unwrap_or(0) + 1).parse()?)
}
