//! `blotter metrics`: numbers over incidents, each with its definition; and `blotter cost` and `blotter uptime`, two of them by
//! name.

use anyhow::{Context as _, Result, bail};
use blotter_api::measures::{GroupView, MetricAsked, MetricView, group_by, metric};
use blotter_keys::keyring::Keyring;
use blotter_projections::metrics::{DEFINITIONS, Definition, Kind, definition};
use blotter_projections::{LogIndex, Span};
use blotter_record::{ActorId, Id};
use clap::Args;
use serde_json::{Value, json};

use crate::as_of::past;
use crate::context::{Context, now_us};
use crate::out::{Out, Tone, plain};
use crate::people::People;
use crate::session::Reader;
use crate::views::{facts, log_index};
use crate::when::{self, Edge, Zone};

/// Show metrics, each with its definition
///
/// Without a name, all times between milestones of incidents; by name also alerts-closed, audit, uptime and cost. What is
/// not in a number is excluded with a reason; what is odd (negative, back-dated, known only to the hour or worse) is flagged and
/// counted as it was said. --entries lists both. METRICS.md has all definitions, and how the numbers come to be.
///
/// Times are instants, local times, dates, or how long ago (2h, 3d, 1w).
///
/// Example: blotter metrics mttr-resolve --by month --timezone America/Chicago --entries
#[derive(Debug, Args)]
pub(crate) struct Metrics {
    /// Which one
    #[arg(value_name = "NAME")]
    name: Option<String>,

    /// Group by this
    #[arg(long, value_name = "WHAT", value_parser = ["week", "month", "period", "quarter", "severity", "category", "lead", "origin"])]
    by: Option<String>,

    #[command(flatten)]
    when: When,

    /// List what was measured and what was not, with entries
    #[arg(long)]
    entries: bool,

    /// Only the definitions
    #[arg(long, conflicts_with_all = ["by", "entries", "without_flagged"])]
    definitions: bool,

    /// Leave out what is flagged
    #[arg(long)]
    without_flagged: bool,
}

/// The span, and the moment, that numbers are of.
#[derive(Debug, Args)]
struct When {
    /// What began from then on
    #[arg(long, value_name = "TIME")]
    since: Option<String>,

    /// What began before
    #[arg(long, value_name = "TIME")]
    until: Option<String>,

    /// As of this entry, itself included, or of a time: what was recorded by then
    #[arg(long, value_name = "SEQ|TIME")]
    as_of: Option<String>,

    #[command(flatten)]
    zone: Zone,
}

/// Show what incidents cost
///
/// Amounts are disclosed values: what was erased or withheld is named and in no sum. Currencies are never summed across.
///
/// Example: blotter cost incident/INC-7
#[derive(Debug, Args)]
pub(crate) struct Cost {
    /// The incident
    #[arg(value_name = "INCIDENT", value_parser = super::incident::incident_id, required_unless_present = "all")]
    incident: Option<Id>,

    /// All of them
    #[arg(long, conflicts_with = "incident")]
    all: bool,

    #[command(flatten)]
    when: When,
}

/// Show for how much of a period services were up
///
/// By service.interrupted and service.resumed. Interruptions that overlap count once, one that has not ended counts until the
/// period's end. The period is the last 30 days, if nobody says another.
///
/// Example: blotter uptime --since 2026-11-01 --until 2026-11-30
#[derive(Debug, Args)]
pub(crate) struct Uptime {
    #[command(flatten)]
    when: When,
}

pub(crate) fn run(context: &Context, args: &Metrics) -> Result<()> {
    if args.definitions {
        return define(context, args.name.as_deref());
    }
    let wanted: Vec<&Definition> = match &args.name {
        Some(name) => vec![known(name)?],
        None => DEFINITIONS.iter().filter(|definition| matches!(definition.kind, Kind::Interval { .. })).collect(),
    };
    let views = Views::open(context)?;
    let asked = MetricAsked {
        by: args.by.as_deref().and_then(group_by),
        entries: args.entries,
        without_flagged: args.without_flagged,
        ..args.when.asked(context, &views.reader)?
    };
    let found = wanted.into_iter().map(|definition| views.compute(definition, &asked)).collect::<Result<Vec<_>>>()?;
    if context.out.json {
        let all = found.iter().map(serde_json::to_value).collect::<Result<Vec<_>, _>>()?;
        let one = args.name.is_some().then(|| all.first().cloned()).flatten();
        context.out.line(&one.unwrap_or(Value::Array(all)).to_string());
        return Ok(());
    }
    let nothing = |view: &MetricView| view.groups.as_ref().is_some_and(Vec::is_empty);
    if found.iter().all(nothing) {
        let asked_for = args.when.since.is_some() || args.when.until.is_some() || args.when.as_of.is_some();
        context.out.note(match asked_for {
            true => "no incident began there; `blotter metrics` without --since, --until and --as-of has all of them",
            false => "there is no incident yet, so there is nothing to measure; `blotter act incident.opened --explain` says how one begins",
        });
        return Ok(());
    }
    for view in &found {
        context.out.line(&views.show(context.out, view, args.entries));
    }
    if let Some(method) = found.iter().find_map(|view| view.method) {
        context.out.note(method);
    }
    if args.name.is_none() {
        let others = DEFINITIONS.iter().filter(|definition| matches!(definition.kind, Kind::Other { .. }));
        let names: Vec<_> = others.map(|definition| definition.name).collect();
        context.out.note(&format!("By name: {}. Definitions: --definitions", names.join(", ")));
    }
    Ok(())
}

pub(crate) fn cost(context: &Context, args: &Cost) -> Result<()> {
    let views = Views::open(context)?;
    let asked = MetricAsked { entries: true, ..args.when.asked(context, &views.reader)? };
    let mut found = views.compute(known("cost")?, &asked)?;
    if let (Some(incident), Some(costs)) = (&args.incident, &mut found.cost) {
        if views.reader.store.stream_head(incident).map_err(blotter_ledger::Error::from)?.is_none() {
            bail!("{incident}: there is no such stream in this ledger");
        }
        costs.retain(|cost| cost.incident == incident.as_str());
    }
    views.print(context, &found)
}

pub(crate) fn uptime(context: &Context, args: &Uptime) -> Result<()> {
    let views = Views::open(context)?;
    let asked = args.when.asked(context, &views.reader)?;
    views.print(context, &views.compute(known("uptime")?, &asked)?)
}

fn known(name: &str) -> Result<&'static Definition> {
    let names = || DEFINITIONS.iter().map(|definition| definition.name).collect::<Vec<_>>().join(", ");
    definition(name).with_context(|| format!("{name:?}: no metric has that name; there are {}", names()))
}

fn define(context: &Context, name: Option<&str>) -> Result<()> {
    let wanted: Vec<&Definition> = match name {
        Some(name) => vec![known(name)?],
        None => DEFINITIONS.iter().collect(),
    };
    let json = wanted.iter().map(|one| {
        let (from, to) = ends(one);
        json!({ "name": one.name, "title": one.title, "definition": one.about, "source": one.source, "unit": one.unit(),
            "from": from, "to": to })
    });
    context.out.result(&Value::Array(json.collect()), || {
        let rows = wanted.iter().map(|one| {
            let (from, to) = ends(one);
            let measured =
                from.map_or_else(|| one.unit().to_owned(), |from| format!("{from} → {}", to.join(", else ")));
            vec![one.name.to_owned(), measured, one.about.to_owned(), one.source.to_owned()]
        });
        context.out.table(&["name", "measured", "definition", "term"], rows)
    });
    Ok(())
}

fn ends(definition: &Definition) -> (Option<&'static str>, Vec<&'static str>) {
    match definition.kind {
        Kind::Interval { from, to, .. } => (Some(from.name()), to.iter().map(|to| to.name()).collect()),
        Kind::Other { .. } => (None, Vec::new()),
    }
}

impl When {
    fn asked(&self, context: &Context, reader: &Reader) -> Result<MetricAsked> {
        let (zone, now_us) = (self.zone.timezone, now_us());
        let time = |name: &str, text: &Option<String>, edge| -> Result<Option<i64>> {
            let read =
                |text: &String| when::read(text, edge, zone, now_us).map_err(|why| anyhow::anyhow!("--{name}: {why}"));
            text.as_ref().map(read).transpose()
        };
        let end = self.as_of.as_ref().map(|text| past(context, reader, "--as-of", text, &self.zone));
        let end = end.transpose()?.map(|past| past.size);
        let span = Span {
            since_us: time("since", &self.since, Edge::Since)?,
            until_us: time("until", &self.until, Edge::Until)?,
        };
        Ok(MetricAsked { by: None, span, zone, end, entries: false, without_flagged: false, now_us })
    }
}

/// What numbers are computed from.
struct Views {
    reader: Reader,
    facts: blotter_projections::Facts,
    index: LogIndex,
    people: People,
}

impl Views {
    fn open(context: &Context) -> Result<Self> {
        let reader = Reader::open(context)?;
        let facts = facts(context, &reader)?;
        let index = log_index(context, &reader)?;
        Ok(Self { reader, facts, index, people: People::default() })
    }

    fn compute(&self, definition: &'static Definition, asked: &MetricAsked) -> Result<MetricView> {
        // Whoever can read the database reads all of it.
        Ok(metric((&self.facts, &self.index), &*self.reader.store, definition, asked, &|_| true)?)
    }

    fn print(&self, context: &Context, view: &MetricView) -> Result<()> {
        let json = serde_json::to_value(view)?;
        context.out.result(&json, || self.show(context.out, view, true));
        Ok(())
    }

    fn show(&self, out: Out, view: &MetricView, entries: bool) -> String {
        let title = out.toned(Tone::Strong, &format!("{} ({})", view.title, view.name));
        let mut text = format!("{title}\n{}\n", out.toned(Tone::Dim, &format!("{} {}.", view.definition, view.source)));
        text += &match view {
            MetricView { groups: Some(groups), .. } => self.groups(out, view, groups, entries),
            MetricView { alerts_closed: Some(_), .. } => self.alerts(out, view),
            MetricView { audit: Some(_), .. } => audit(out, view),
            MetricView { uptime: Some(_), .. } => uptimes(out, view),
            _ => money(out, view),
        };
        text + "\n"
    }

    fn groups(&self, out: Out, view: &MetricView, groups: &[GroupView], entries: bool) -> String {
        let time = |us: Option<i64>| us.map_or_else(|| "–".to_owned(), when::span);
        let rows = groups.iter().map(|group| {
            let excluded: Vec<_> = group.excluded.iter().map(|one| format!("{} {}", one.count, one.reason)).collect();
            vec![
                self.name(&group.group),
                group.n.to_string(),
                time(group.median_us),
                time(group.p90_us),
                time(group.mean_us),
                time(group.min_us),
                time(group.max_us),
                group.flagged.to_string(),
                if excluded.is_empty() { "–".to_owned() } else { excluded.join(", ") },
            ]
        });
        let heading = ["group", "n", "median", "p90", "mean", "min", "max", "flagged", "excluded"];
        let mut text = out.table(&heading, rows);
        if entries {
            let (from, to) = (view.from.unwrap_or("from"), view.to.first().copied().unwrap_or("to"));
            let measured = groups.iter().flat_map(|group| group.measured.iter().flatten()).map(|one| {
                vec![
                    one.incident.clone(),
                    when::span(one.interval_us),
                    format!("{} (entry {})", one.from, one.from_seq),
                    format!("{} (entry {})", one.to, one.to_seq),
                    one.flags.join(", "),
                ]
            });
            text += &format!("\n{}", out.table(&["incident", "time", from, to, "flags"], measured));
            let excluded = groups.iter().flat_map(|group| &group.excluded).flat_map(|one| {
                let incidents = one.incidents.iter().flatten();
                incidents.map(|incident| vec![incident.clone(), one.reason.clone()])
            });
            let excluded: Vec<_> = excluded.collect();
            if !excluded.is_empty() {
                text += &format!("\n{}", out.table(&["not measured", "why"], excluded));
            }
        }
        text
    }

    fn alerts(&self, out: Out, view: &MetricView) -> String {
        let closed = view.alerts_closed.iter().flatten();
        let rows: Vec<_> = closed
            .map(|closed| {
                let by: Vec<_> = closed.by.iter().map(|(word, count)| format!("{count} {word}")).collect();
                vec![self.name(&closed.analyst), closed.count.to_string(), by.join(", "), seqs(&closed.entries)]
            })
            .collect();
        empty_or(rows, "no alert was closed there", |rows| out.table(&["analyst", "closed", "as", "entries"], rows))
    }

    /// The name of a group; of an actor with the name that was disclosed.
    fn name(&self, group: &str) -> String {
        let keyring: &Keyring = &self.reader.keyring;
        match group.parse::<ActorId>() {
            Ok(actor) if keyring.actor(&actor).is_some() => self.people.short(&*self.reader.store, keyring, &actor),
            _ => plain(group),
        }
    }
}

fn empty_or(rows: Vec<Vec<String>>, empty: &str, table: impl FnOnce(Vec<Vec<String>>) -> String) -> String {
    if rows.is_empty() { empty.to_owned() } else { table(rows) }
}

fn seqs(entries: &Option<Vec<u64>>) -> String {
    entries.iter().flatten().map(u64::to_string).collect::<Vec<_>>().join(" ")
}

fn audit(out: Out, view: &MetricView) -> String {
    let rows = view.audit.iter().flatten().map(|input| {
        let check = input.check.clone().unwrap_or_default();
        vec![input.event.clone(), check, input.result.clone(), input.count.to_string(), seqs(&input.entries)]
    });
    let empty = "nobody attested, replayed or verified anything there (attestation.made, replay.run, ledger.verified)";
    empty_or(rows.collect(), empty, |rows| out.table(&["event", "check", "result", "count", "entries"], rows))
}

fn uptimes(out: Out, view: &MetricView) -> String {
    let rows = view.uptime.iter().flatten().map(|up| {
        let outages = up.outages.iter().map(|outage| {
            let until = outage.until.as_deref().unwrap_or("now");
            format!("{} {} – {until}", outage.incident, outage.from)
        });
        let negative =
            up.negative.iter().map(|outage| format!("{} ends before it begins: not counted", outage.incident));
        vec![
            up.service.clone(),
            format!("{}.{:04} %", up.up_millionths / 10_000, up.up_millionths % 10_000),
            when::span(up.down_us),
            outages.chain(negative).collect::<Vec<_>>().join("\n"),
        ]
    });
    let empty = "no service is known: none was registered (service.registered), none was interrupted";
    let table = empty_or(rows.collect(), empty, |rows| out.table(&["service", "up", "down", "outages"], rows));
    let at = |at: &Option<String>| at.clone().unwrap_or_default();
    format!("{table}\nfrom {} until {}", at(&view.since), at(&view.until))
}

fn money(out: Out, view: &MetricView) -> String {
    let rows = view.cost.iter().flatten().flat_map(|cost| {
        let sums = cost.sums.iter().map(|sum| {
            let what = if sum.spent { sum.kind.clone() } else { format!("{} (not spent)", sum.kind) };
            vec![cost.incident.clone(), what, sum.currency.clone(), sum.amount_minor.clone(), seqs(&cost.entries)]
        });
        let unread = (!cost.unread.is_empty()).then(|| {
            let what = format!("{} not readable", cost.unread.len());
            let unread: Vec<_> = cost.unread.iter().map(u64::to_string).collect();
            vec![cost.incident.clone(), what, "–".to_owned(), "–".to_owned(), unread.join(" ")]
        });
        sums.chain(unread).collect::<Vec<_>>()
    });
    let empty = "no costs are recorded (cost.recorded, ransom.paid, budget.authorised)";
    empty_or(rows.collect(), empty, |rows| out.table(&["incident", "kind", "currency", "minor units", "entries"], rows))
}
