//! What an answer about metrics looks like, in JSON. Times are whole microseconds, in members `…_us`.

use blotter_projections::metrics::{self, Definition, Kind};
use serde::Serialize;
use utoipa::ToSchema;

use super::text;

/// A metric: its definition, and its numbers if they were asked for.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct MetricView {
    /// Its name.
    pub name: &'static str,
    /// Its name among people.
    pub title: &'static str,
    /// What it is.
    pub definition: &'static str,
    /// Where the term comes from.
    pub source: &'static str,
    /// The unit of its numbers; a time is in microseconds.
    pub unit: &'static str,
    /// The milestone that it is measured from.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub from: Option<&'static str>,
    /// The milestones that it is measured to; the first of them that was reached counts.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub to: Vec<&'static str>,
    /// How median and percentile come to be.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub method: Option<&'static str>,
    /// How many entries count.
    pub as_of_size: u64,
    /// Incidents that are not in it, because the one who asks may not read them.
    pub left_out: usize,
    /// Of a time between milestones: the numbers, group by group.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub groups: Option<Vec<GroupView>>,
    /// Of `alerts-closed`: by analyst, most first.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub alerts_closed: Option<Vec<ClosedView>>,
    /// Of `audit`: by event and result.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub audit: Option<Vec<AuditView>>,
    /// Of `uptime`: the period's first instant.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub since: Option<String>,
    /// The first instant behind it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub until: Option<String>,
    /// Of `uptime`: by service.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub uptime: Option<Vec<UptimeView>>,
    /// Of `cost`: by incident.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cost: Option<Vec<CostView>>,
}

/// Numbers of a group of incidents.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct GroupView {
    /// The group; `all` if nothing was to be grouped by.
    pub group: String,
    /// How many incidents were measured.
    pub n: usize,
    /// The middle one; null if none was measured.
    pub median_us: Option<i64>,
    /// The 90th percentile, by nearest rank.
    pub p90_us: Option<i64>,
    /// The mean.
    pub mean_us: Option<i64>,
    /// The shortest.
    pub min_us: Option<i64>,
    /// The longest.
    pub max_us: Option<i64>,
    /// How many of those measured are flagged.
    pub flagged: usize,
    /// Those that were not measured, by reason.
    pub excluded: Vec<ExcludedView>,
    /// Those that were, shortest first; only if entries were asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub measured: Option<Vec<MeasuredView>>,
}

/// Incidents that were not measured, for one reason.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct ExcludedView {
    /// The reason.
    pub reason: String,
    /// How many.
    pub count: usize,
    /// Which; only if entries were asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub incidents: Option<Vec<String>>,
    /// Entries that say so; only if entries were asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub entries: Option<Vec<u64>>,
}

/// An incident that was measured.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct MeasuredView {
    /// Its stream.
    pub incident: String,
    /// How long; negative if it is said to have ended before it began.
    pub interval_us: i64,
    /// When it began.
    pub from: String,
    /// The entry that says so.
    pub from_seq: u64,
    /// When it ended.
    pub to: String,
    /// The entry that says so.
    pub to_seq: u64,
    /// What is odd about it.
    pub flags: Vec<String>,
}

/// Alerts that an analyst closed.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct ClosedView {
    /// The analyst.
    pub analyst: String,
    /// How many.
    pub count: usize,
    /// How many, by verdict or disposition.
    pub by: std::collections::BTreeMap<String, usize>,
    /// The entries that closed them; only if entries were asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub entries: Option<Vec<u64>>,
}

/// How often something was said that an audit rests on.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct AuditView {
    /// The event.
    pub event: String,
    /// The check that was attested.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub check: Option<String>,
    /// The answer or result.
    pub result: String,
    /// How often.
    pub count: usize,
    /// The entries that say so; only if entries were asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub entries: Option<Vec<u64>>,
}

/// How long a service was up.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct UptimeView {
    /// The service.
    pub service: String,
    /// The part of the period that it was up, in millionths, rounded down.
    pub up_millionths: i64,
    /// How long it was down; overlapping interruptions count once.
    pub down_us: i64,
    /// The interruptions.
    pub outages: Vec<OutageView>,
    /// Interruptions that are said to have ended before they began: in no number.
    pub negative: Vec<OutageView>,
}

/// An interruption of a service.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct OutageView {
    /// The incident.
    pub incident: String,
    /// Since when.
    pub from: String,
    /// Until when; null: it has not ended.
    pub until: Option<String>,
}

/// What an incident cost.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct CostView {
    /// Its stream.
    pub incident: String,
    /// By kind and currency.
    pub sums: Vec<CostSum>,
    /// Entries about money of which no amount can be read: erased, withheld or never said.
    pub unread: Vec<u64>,
    /// The entries that were read; only if entries were asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub entries: Option<Vec<u64>>,
}

/// A sum of money.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct CostSum {
    /// labour, vendor, downtime, other, ransom or budget.
    pub kind: String,
    /// Whether it was spent; a budget was not.
    pub spent: bool,
    /// The currency (ISO 4217).
    pub currency: String,
    /// In minor units, in decimal: it may be larger than a number in JSON can be.
    pub amount_minor: String,
}

impl MetricView {
    /// A definition without numbers.
    pub(crate) fn of(definition: &Definition, as_of_size: u64, left_out: usize) -> Self {
        let (from, to) = match definition.kind {
            Kind::Interval { from, to, .. } => (Some(from.name()), to.iter().map(|to| to.name()).collect()),
            Kind::Other { .. } => (None, Vec::new()),
        };
        Self {
            name: definition.name,
            title: definition.title,
            definition: definition.about,
            source: definition.source,
            unit: definition.unit(),
            from,
            to,
            method: None,
            as_of_size,
            left_out,
            groups: None,
            alerts_closed: None,
            audit: None,
            since: None,
            until: None,
            uptime: None,
            cost: None,
        }
    }
}

impl ExcludedView {
    pub(super) fn of(reason: &metrics::Reason, all: &[&metrics::Excluded], entries: bool) -> Self {
        Self {
            reason: reason.text(),
            count: all.len(),
            incidents: entries.then(|| all.iter().map(|one| one.incident.to_string()).collect()),
            entries: entries.then(|| all.iter().flat_map(|one| one.entries.iter().copied()).collect()),
        }
    }
}

impl ClosedView {
    pub(super) fn of(closed: &metrics::AlertsClosed, entries: bool) -> Self {
        Self {
            analyst: closed.analyst.to_string(),
            count: closed.count,
            by: closed.by.clone(),
            entries: entries.then(|| closed.entries.clone()),
        }
    }
}

impl AuditView {
    pub(super) fn of(input: &metrics::AuditInput, entries: bool) -> Self {
        Self {
            event: input.event.clone(),
            check: input.check.clone(),
            result: input.result.clone(),
            count: input.entries.len(),
            entries: entries.then(|| input.entries.clone()),
        }
    }
}

impl UptimeView {
    pub(super) fn of(up: &metrics::Uptime) -> Self {
        let outage = |outage: &metrics::Outages| OutageView {
            incident: outage.incident.to_string(),
            from: text(outage.from_us),
            until: outage.until_us.map(text),
        };
        Self {
            service: up.service.to_string(),
            up_millionths: up.up_millionths(),
            down_us: up.down_us,
            outages: up.outages.iter().map(outage).collect(),
            negative: up.negative.iter().map(outage).collect(),
        }
    }
}

impl CostView {
    pub(super) fn of(cost: &metrics::Cost, entries: bool) -> Self {
        let sum = |((kind, currency), amount): (&(metrics::CostKind, String), &i128)| CostSum {
            kind: kind.name().to_owned(),
            spent: kind.is_spent(),
            currency: currency.clone(),
            amount_minor: amount.to_string(),
        };
        Self {
            incident: cost.incident.to_string(),
            sums: cost.sums.iter().map(sum).collect(),
            unread: cost.unread.iter().map(|unread| unread.seq).collect(),
            entries: entries.then(|| cost.entries.clone()),
        }
    }
}
