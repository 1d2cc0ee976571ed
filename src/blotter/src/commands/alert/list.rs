//! `blotter alert list` and `blotter alert proposals`.

use anyhow::{Result, bail};
use blotter_api::alert_queue::{GROUPS, ProposalsView, QueueView};
use blotter_projections::alerts::correlate::{Correlated, Proposal, Shared, correlate};
use blotter_projections::alerts::load::{self, Read};
use blotter_projections::alerts::queue::{self, Group, Page, Place, STATES, Suppressed, Wanted};
use clap::Args;

use super::{Correlation, Window};
use crate::as_of::AsRecorded;
use crate::context::{Context, now_us};
use crate::filters::Saved;
use crate::out::{Tone, cut, plain};
use crate::session::Reader;
use crate::views;
use crate::when::{self, Edge, Zone};

/// Words of a kind that a line names.
const FEW: usize = 2;
/// Reasons and alerts that a line names.
const SOME: usize = 8;

/// Show the queue: what waits for a decision, what matters on top
///
/// Untriaged groups first, then by severity, then the newest. What a threshold suppresses is counted below, and shown with
/// --suppressed. With --as-of, what waited then; in words that were not erased since.
#[derive(Debug, Args)]
pub(super) struct List {
    /// Only groups in this state; may be repeated: new, investigate, linked, dismissed, duplicate, merged. Without it, new
    /// and investigate
    #[arg(long, value_name = "STATE", value_parser = clap::builder::PossibleValuesParser::new(STATES))]
    state: Vec<String>,

    /// Only alerts of this source
    #[arg(long, value_name = "SOURCE")]
    source: Option<String>,

    /// Only of this severity or worse: 0 to 5
    #[arg(long, value_name = "N")]
    severity: Option<i64>,

    /// Only with this host in it
    #[arg(long, value_name = "HOST")]
    host: Option<String>,

    /// Only with this user in it
    #[arg(long, value_name = "USER")]
    user: Option<String>,

    /// Only what was seen from then on
    #[arg(long, value_name = "TIME")]
    since: Option<String>,

    /// What thresholds suppress, too
    #[arg(long)]
    suppressed: bool,

    /// How many groups
    #[arg(long, short = 'n', value_name = "N", default_value_t = GROUPS)]
    limit: usize,

    /// Continue behind the page before, which named this
    #[arg(long, value_name = "CURSOR")]
    cursor: Option<Place>,

    #[command(flatten)]
    window: Window,

    #[command(flatten)]
    correlation: Correlation,

    #[command(flatten)]
    then: AsRecorded,

    #[command(flatten)]
    saved: Saved,
}

/// Show which alerts may be one incident, and why
///
/// The severest first. `blotter alert open P-17 …` opens an incident with all alerts of one; `blotter alert link P-17 INC-7`
/// links them to one that there is.
#[derive(Debug, Args)]
pub(super) struct Proposals {
    #[command(flatten)]
    window: Window,

    #[command(flatten)]
    correlation: Correlation,

    #[command(flatten)]
    then: AsRecorded,
}

pub(super) fn list(context: &Context, args: &List) -> Result<()> {
    let reader = Reader::open(context)?;
    let (facts, _) = args.then.facts(context, &reader, views::alerts(context, &reader)?)?;
    let since = args.since.as_ref().map(|text| when::read(text, Edge::Since, args.then.zone.timezone, now_us()));
    let since_us = match since.transpose() {
        Ok(since_us) => since_us,
        Err(why) => bail!("--since: {why}"),
    };
    let source = args.source.as_ref().map(|source| match source.contains('/') {
        true => source.clone(),
        false => format!("source/{source}"),
    });
    let wanted = Wanted {
        states: args.state.clone(),
        source,
        severity_min: args.severity,
        host: args.host.clone(),
        user: args.user.clone(),
        since_us,
        suppressed: args.suppressed,
    };
    let read = if wanted.includes_done() { Read::All } else { Read::Open };
    let (groups, thresholds) = load::queue(facts.db(), read, args.window.window, &|_| true)?;
    let found = correlate(&groups, &load::items(facts.db())?, args.correlation.correlation_window);
    let page = queue::page(groups, &thresholds, &wanted, args.cursor, args.limit.max(1));
    let json = serde_json::to_value(QueueView::of(&page, &found, facts.size()))?;
    context.out.result(&json, || text(context, args, &page, &found));
    Ok(())
}

fn text(context: &Context, args: &List, page: &Page, found: &Correlated) -> String {
    let out = context.out;
    let mut parts = Vec::new();
    if page.groups.is_empty() {
        parts.push("nothing waits that is like that".to_owned());
    } else {
        let heading =
            ["group", "state", "severity", "count", "last seen", "source", "what", "hosts", "users", "incident"];
        let rows = page.groups.iter().map(|group| row(group, args, found));
        parts.push(out.table(&heading, rows));
    }
    parts.extend(page.suppressed.iter().map(|one| out.toned(Tone::Dim, &suppressed(one))));
    if let Some(next) = &page.next {
        let shown = page.groups.len();
        parts.push(
            out.toned(Tone::Dim, &format!("{shown} of {} groups; more: the same with --cursor {next}", page.total)),
        );
    }
    parts.join("\n")
}

fn row(group: &Group, args: &List, found: &Correlated) -> Vec<String> {
    let proposal = found.proposals.iter().find(|proposal| proposal.groups.contains(&group.id));
    let mut incident: Vec<String> = group.incidents().into_iter().map(str::to_owned).collect();
    if let Some(proposal) = proposal {
        let joins = proposal.joins.keys().map(|joined| format!(" joins {}", joined)).collect::<String>();
        incident.push(format!("{}{joins}", proposal.id));
    }
    let count = match group.suppressed() {
        0 => group.count().to_string(),
        some => format!("{} ({some} suppressed)", group.count()),
    };
    vec![
        group.id.to_string(),
        group.state().to_owned(),
        group.severity_waiting().to_string(),
        count,
        when::show(group.last_us(), args.then.zone.timezone),
        plain(group.source()),
        cut(&plain(group.title().unwrap_or("")), 60),
        few(&group.hosts()),
        few(&group.users()),
        incident.join(", "),
    ]
}

/// A few words, and how many more there are.
pub(super) fn few(words: &[(&str, usize)]) -> String {
    let named = words.iter().take(FEW).map(|(word, _)| cut(&plain(word), 30)).collect::<Vec<_>>().join(", ");
    match words.len().saturating_sub(FEW) {
        0 => named,
        more => format!("{named} and {more} more"),
    }
}

fn suppressed(one: &Suppressed) -> String {
    let Suppressed { threshold, alerts, groups } = one;
    format!(
        "{alerts} suppressed by the threshold of {} (severity {}, {} an hour) set by {} in entry {}; {groups} groups are not shown",
        plain(&threshold.source),
        threshold.severity,
        threshold.per_hour,
        threshold.set_by,
        threshold.seq
    )
}

pub(super) fn proposals(context: &Context, args: &Proposals) -> Result<()> {
    let reader = Reader::open(context)?;
    let (facts, _) = args.then.facts(context, &reader, views::alerts(context, &reader)?)?;
    let (groups, _) = load::queue(facts.db(), Read::Open, args.window.window, &|_| true)?;
    let found = correlate(&groups, &load::items(facts.db())?, args.correlation.correlation_window);
    let json = serde_json::to_value(ProposalsView::of(&found, facts.size()))?;
    context.out.result(&json, || {
        let mut parts: Vec<String> =
            found.proposals.iter().map(|proposal| proposal_text(context, proposal, &args.then.zone)).collect();
        if parts.is_empty() {
            parts.push("no open alerts have enough in common".to_owned());
        }
        if !found.common.is_empty() {
            let common: Vec<String> = found.common.iter().take(SOME).map(common_text).collect();
            let text = format!("no reason, because too many share it: {}", with_more(&common, found.common.len()));
            parts.push(context.out.toned(Tone::Dim, &text));
        }
        parts.join("\n\n")
    });
    Ok(())
}

fn common_text(shared: &Shared) -> String {
    format!("{} {} ({} groups)", shared.item.kind.name(), plain(&shared.item.value), shared.groups)
}

/// A proposal, as people read it.
pub(super) fn proposal_text(context: &Context, proposal: &Proposal, zone: &Zone) -> String {
    let groups: Vec<String> = proposal.groups.iter().map(ToString::to_string).collect();
    let why: Vec<String> = proposal.why.iter().take(SOME).map(|shared| plain(&shared.to_string())).collect();
    let mut pairs = vec![
        ("severity", format!("{}, confidence {}", proposal.severity, proposal.confidence.name())),
        ("because", with_more(&why, proposal.why.len())),
        (
            "alerts",
            format!("{} of {}", proposal.alerts.len(), with_more(&groups[..groups.len().min(SOME)], groups.len())),
        ),
        (
            "seen",
            format!(
                "{} to {}",
                when::show(proposal.first_us, zone.timezone),
                when::show(proposal.last_us, zone.timezone)
            ),
        ),
    ];
    if !proposal.joins.is_empty() {
        let joins = proposal.joins.iter().map(|(incident, alerts)| format!("{incident} ({alerts} of its alerts)"));
        pairs.push(("joins", joins.collect::<Vec<_>>().join(", ")));
    }
    format!("{}\n{}", context.out.toned(Tone::Strong, &proposal.id), context.out.pairs(&pairs))
}

fn with_more(named: &[String], count: usize) -> String {
    match count - named.len() {
        0 => named.join(", "),
        more => format!("{} and {more} more", named.join(", ")),
    }
}
