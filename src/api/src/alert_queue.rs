//! `GET /v1/alerts` and `GET /v1/alerts/proposals`: what waits for a decision, and which alerts may be one incident. Alerts
//! that are linked to a restricted incident are left out, counts and all, for whom the incident is not. The shell prints
//! the same views.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use axum::Json;
use axum::extract::{Query, State};
use blotter_ledger::Read;
use blotter_projections::alerts::correlate::{self, Correlated, Proposal, Shared};
use blotter_projections::alerts::load::{self, Queue, Read as Alerts};
use blotter_projections::alerts::queue::{self, Group, GroupId, Page, Place, Suppressed, Wanted};
use blotter_record::{Id, Instant};
use rusqlite::Connection;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use crate::app::App;
use crate::caller::Caller;
use crate::past::with_facts;
use crate::problem::Problem;

/// Groups of one page, at most.
pub const GROUPS_MAX: usize = 500;
/// Groups of a page if nobody says.
pub const GROUPS: usize = 50;
/// Alerts that a view names; how many there are it always says.
pub const ALERTS_SHOWN_MAX: usize = 500;
/// Hosts and users that a group's view names.
const FEW: usize = 5;
/// What is shared by too many that a view names.
const COMMON_SHOWN_MAX: usize = 50;
/// The longest window, in hours: a year.
const WINDOW_H_MAX: u32 = 24 * 366;

/// Which groups of alerts.
#[derive(Debug, Default, Clone, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct QueueQuery {
    /// In these states, with commas between them: `new`, `investigate`, `linked`, `dismissed`, `duplicate`, `merged`;
    /// if it is not said, `new,investigate`.
    state: Option<String>,
    /// Of this source.
    source: Option<String>,
    /// Of this severity or worse.
    severity: Option<i64>,
    /// With this host in it.
    host: Option<String>,
    /// With this user in it.
    user: Option<String>,
    /// Seen at this instant or later.
    since: Option<String>,
    /// Those that a threshold suppresses, too.
    #[serde(default)]
    suppressed: bool,
    /// How many hours after a group's newest alert another one counts as one of it; 24 if it is not said.
    window_h: Option<u32>,
    /// How many, at most 500; 50 if it is not said.
    limit: Option<usize>,
    /// Where the page before ended: its `next`.
    cursor: Option<String>,
    /// As it was recorded up to and with this entry (a number), or by this instant.
    as_of: Option<String>,
}

/// Within which time.
#[derive(Debug, Default, Clone, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct ProposalsQuery {
    /// How many hours two sightings of one thing may be apart; 6 if it is not said.
    window_h: Option<u32>,
    /// As it was recorded up to and with this entry (a number), or by this instant.
    as_of: Option<String>,
}

/// A page of the queue.
#[derive(Debug, Serialize, ToSchema)]
pub struct QueueView {
    /// What matters most first: untriaged, then by severity, then the newest.
    groups: Vec<GroupView>,
    /// Groups on all pages.
    total: usize,
    /// The cursor of the next page, if there is one.
    #[serde(skip_serializing_if = "Option::is_none")]
    next: Option<String>,
    /// What thresholds keep out of the way, by threshold.
    suppressed: Vec<SuppressedView>,
    /// Entries of the log that this is made of.
    size: u64,
}

/// Alerts that are counted together.
#[derive(Debug, Serialize, ToSchema)]
pub struct GroupView {
    /// Its name, such as `G-17`.
    group: String,
    /// Its source; of reports, the channel.
    source: String,
    /// `new`: a decision is wanted; else `investigate`, `linked`, `dismissed`, `duplicate` or `merged`.
    state: String,
    /// The worst of those that wait; 0 to 5.
    severity: i64,
    #[serde(skip_serializing_if = "Option::is_none")]
    title: Option<String>,
    /// Times that its alerts came.
    count: i64,
    /// Alerts in it.
    alerts: usize,
    /// Of these, nobody decided about so many.
    untriaged: usize,
    /// Of these, so many are suppressed.
    suppressed: usize,
    first_seen: String,
    last_seen: String,
    hosts: TallyView,
    users: TallyView,
    /// Incidents that alerts of it are linked to.
    incidents: Vec<String>,
    /// The proposal that it is part of, such as `P-17`.
    #[serde(skip_serializing_if = "Option::is_none")]
    proposal: Option<String>,
    /// Incidents that it would join by that proposal.
    joins: Vec<String>,
}

/// The words that most alerts have, and how many further words there are.
#[derive(Debug, Serialize, ToSchema)]
pub struct TallyView {
    few: Vec<String>,
    more: usize,
}

/// What a threshold keeps out of the way.
#[derive(Debug, Serialize, ToSchema)]
pub struct SuppressedView {
    source: String,
    /// Alerts below this severity are suppressed.
    severity: i64,
    /// Alerts of a group beyond so many in an hour are.
    per_hour: i64,
    /// Who signed it.
    set_by: String,
    /// The entry that says so.
    seq: u64,
    /// Alerts that it suppresses now.
    alerts: usize,
    /// Groups in which nothing else waits: they are shown with `suppressed`.
    groups: usize,
}

/// Proposals.
#[derive(Debug, Serialize, ToSchema)]
pub struct ProposalsView {
    /// The severest first, then the best founded.
    proposals: Vec<ProposalView>,
    /// What too many groups share to be a reason.
    common: Vec<SharedView>,
    /// Entries of the log that this is made of.
    size: u64,
}

/// Alerts that may be one incident.
#[derive(Debug, Serialize, ToSchema)]
pub struct ProposalView {
    /// Its name, such as `P-17`.
    proposal: String,
    /// Its groups.
    groups: Vec<String>,
    /// Its alerts that are in no incident; at most 500 are named.
    alerts: Vec<String>,
    /// How many these are.
    alert_count: usize,
    /// Incidents that it joins, each with the number of its alerts there.
    joins: BTreeMap<String, usize>,
    /// What they share.
    why: Vec<SharedView>,
    /// The same in words.
    because: String,
    /// `low`, `medium` or `high`: a shared thing counts 2, a technique 1; high is 5 or more, of two kinds or more.
    confidence: &'static str,
    severity: i64,
    first_seen: String,
    last_seen: String,
}

/// A thing that several groups name.
#[derive(Debug, Serialize, ToSchema)]
pub struct SharedView {
    /// `host`, `user`, `asset`, `observable` or `technique`.
    kind: &'static str,
    value: String,
    alerts: usize,
    groups: usize,
}

/// The queue
///
/// Alerts of one source and fingerprint (else: rule and host) that come within the window count up in one group. A signed
/// threshold (`triage-threshold.set`) suppresses what lies below its severity, and the rest of an hour beyond its rate;
/// that is counted under `suppressed`, and shown if it is asked for.
#[utoipa::path(get, path = "/v1/alerts", tag = "entries", params(QueueQuery), responses(
    (status = 200, description = "A page; empty if nothing is like that", body = QueueView),
    (status = "4XX", description = "Not for this caller, or a parameter is wrong", body = Problem, content_type = "application/problem+json"),
    (status = 503, description = "The log or its views can't be read", body = Problem, content_type = "application/problem+json"),
), security(("token" = [])))]
pub(crate) async fn queue(
    State(app): State<Arc<App>>,
    caller: Caller,
    Query(query): Query<QueueQuery>,
) -> Result<Json<QueueView>, Problem> {
    let wanted = wanted(&query)?;
    let window_us = window_us(query.window_h, queue::WINDOW_US)?;
    let cursor = query.cursor.as_ref().map(|text| text.parse::<Place>()).transpose();
    let cursor = cursor.map_err(|e| wrong("cursor", e))?;
    let limit = query.limit.unwrap_or(GROUPS).clamp(1, GROUPS_MAX);
    let find = move |app: &App, store: &dyn Read| {
        let read = if wanted.includes_done() { Alerts::All } else { Alerts::Open };
        let as_of = query.as_of.as_deref();
        with_queue(app, store, &caller, as_of, (read, window_us), |db, (groups, thresholds), size| {
            let found = correlate::correlate(&groups, &load::items(db)?, correlate::WINDOW_US);
            let page = queue::page(groups, &thresholds, &wanted, cursor, limit);
            Ok(QueueView::of(&page, &found, size))
        })
    };
    app.read(find).await.map(Json)
}

/// Which alerts may be one incident
///
/// Groups of open alerts that share host, user, asset, observable or two techniques, close in time. Nothing is linked by
/// this: a person opens an incident, or links the alerts to one.
#[utoipa::path(get, path = "/v1/alerts/proposals", tag = "entries", params(ProposalsQuery), responses(
    (status = 200, description = "The proposals", body = ProposalsView),
    (status = "4XX", description = "Not for this caller, or a parameter is wrong", body = Problem, content_type = "application/problem+json"),
    (status = 503, description = "The log or its views can't be read", body = Problem, content_type = "application/problem+json"),
), security(("token" = [])))]
pub(crate) async fn proposals(
    State(app): State<Arc<App>>,
    caller: Caller,
    Query(query): Query<ProposalsQuery>,
) -> Result<Json<ProposalsView>, Problem> {
    let window_us = window_us(query.window_h, correlate::WINDOW_US)?;
    let find = move |app: &App, store: &dyn Read| {
        let (as_of, open) = (query.as_of.as_deref(), (Alerts::Open, queue::WINDOW_US));
        with_queue(app, store, &caller, as_of, open, |db, (groups, _), size| {
            Ok(ProposalsView::of(&correlate::correlate(&groups, &load::items(db)?, window_us), size))
        })
    };
    app.read(find).await.map(Json)
}

fn with_queue<T>(
    app: &App,
    store: &dyn Read,
    caller: &Caller,
    as_of: Option<&str>,
    (read, window_us): (Alerts<'_>, i64),
    with: impl FnOnce(&Connection, Queue, u64) -> rusqlite::Result<T>,
) -> Result<T, Problem> {
    let reads = caller.reads(app)?;
    let alert: Id = "alert/any".parse().expect("an id");
    caller.sees(reads, &*app.shown(store)?, std::iter::once(&alert))?;
    with_facts(app, store, as_of, |facts, _, _| {
        // After the views: whatever restriction they know, this knows, too.
        let shown = app.shown(store)?;
        let may_see = |incidents: &[String]| {
            let streams: Vec<Id> = incidents.iter().filter_map(|incident| incident.parse().ok()).collect();
            streams.len() == incidents.len() && caller.sees(reads, &shown, streams.iter()).is_ok()
        };
        let queue = load::queue(facts.db(), read, window_us, &may_see);
        queue.and_then(|queue| with(facts.db(), queue, facts.size())).map_err(|error| {
            tracing::error!(%error, "the view of alerts can't be read");
            Problem::new("unavailable", "the view of alerts can't be read")
        })
    })
}

fn wrong(at: &str, what: impl std::fmt::Display) -> Problem {
    Problem::new("bad-parameter", format!("{at}: {what}")).at(at)
}

fn window_us(hours: Option<u32>, otherwise: i64) -> Result<i64, Problem> {
    match hours {
        None => Ok(otherwise),
        Some(hours) if hours <= WINDOW_H_MAX => Ok(i64::from(hours) * queue::HOUR_US),
        Some(_) => Err(wrong("window_h", format!("at most {WINDOW_H_MAX}"))),
    }
}

fn wanted(query: &QueueQuery) -> Result<Wanted, Problem> {
    let states = query.state.iter().flat_map(|states| states.split(',')).map(str::to_owned).collect::<Vec<_>>();
    if let Some(unknown) = states.iter().find(|state| !queue::STATES.contains(&state.as_str())) {
        let states = queue::STATES.join(", ");
        return Err(wrong("state", format!("{:?} is none of {states}", unknown.chars().take(40).collect::<String>())));
    }
    let since = query.since.as_ref().map(|text| text.parse::<Instant>()).transpose().map_err(|e| wrong("since", e))?;
    Ok(Wanted {
        states,
        source: query.source.clone(),
        severity_min: query.severity,
        host: query.host.clone(),
        user: query.user.clone(),
        since_us: since.map(|at| at.unix_us()),
        suppressed: query.suppressed,
    })
}

fn at(us: i64) -> String {
    Instant::from_unix_us(us).map_or_else(|_| us.to_string(), |at| at.as_str().to_owned())
}

impl QueueView {
    /// A page, and what `found` has about its groups.
    pub fn of(page: &Page, found: &Correlated, size: u64) -> Self {
        let proposals =
            found.proposals.iter().flat_map(|proposal| proposal.groups.iter().map(move |id| (*id, proposal)));
        let proposals: HashMap<GroupId, &Proposal> = proposals.collect();
        Self {
            groups: page.groups.iter().map(|group| GroupView::of(group, proposals.get(&group.id).copied())).collect(),
            total: page.total,
            next: page.next.map(|place| place.to_string()),
            suppressed: page.suppressed.iter().map(SuppressedView::of).collect(),
            size,
        }
    }
}

impl GroupView {
    /// A group, and the proposal that it is part of.
    pub fn of(group: &Group, proposal: Option<&Proposal>) -> Self {
        Self {
            group: group.id.to_string(),
            source: group.source().to_owned(),
            state: group.state().to_owned(),
            severity: group.severity_waiting(),
            title: group.title().map(str::to_owned),
            count: group.count(),
            alerts: group.alerts.len(),
            untriaged: group.untriaged(),
            suppressed: group.suppressed(),
            first_seen: at(group.first_us()),
            last_seen: at(group.last_us()),
            hosts: TallyView::of(group.hosts()),
            users: TallyView::of(group.users()),
            incidents: group.incidents().into_iter().map(str::to_owned).collect(),
            proposal: proposal.map(|proposal| proposal.id.clone()),
            joins: proposal.iter().flat_map(|proposal| proposal.joins.keys().cloned()).collect(),
        }
    }
}

impl TallyView {
    fn of(words: Vec<(&str, usize)>) -> Self {
        let more = words.len().saturating_sub(FEW);
        Self { few: words.into_iter().take(FEW).map(|(word, _)| word.to_owned()).collect(), more }
    }
}

impl SuppressedView {
    fn of(suppressed: &Suppressed) -> Self {
        let Suppressed { threshold, alerts, groups } = suppressed;
        Self {
            source: threshold.source.clone(),
            severity: threshold.severity,
            per_hour: threshold.per_hour,
            set_by: threshold.set_by.clone(),
            seq: threshold.seq,
            alerts: *alerts,
            groups: *groups,
        }
    }
}

impl ProposalsView {
    /// What was found.
    pub fn of(found: &Correlated, size: u64) -> Self {
        Self {
            proposals: found.proposals.iter().map(ProposalView::of).collect(),
            common: found.common.iter().take(COMMON_SHOWN_MAX).map(SharedView::of).collect(),
            size,
        }
    }
}

impl ProposalView {
    /// A proposal.
    pub fn of(proposal: &Proposal) -> Self {
        Self {
            proposal: proposal.id.clone(),
            groups: proposal.groups.iter().map(GroupId::to_string).collect(),
            alerts: proposal.alerts.iter().take(ALERTS_SHOWN_MAX).cloned().collect(),
            alert_count: proposal.alerts.len(),
            joins: proposal.joins.clone(),
            why: proposal.why.iter().map(SharedView::of).collect(),
            because: proposal.because(),
            confidence: proposal.confidence.name(),
            severity: proposal.severity,
            first_seen: at(proposal.first_us),
            last_seen: at(proposal.last_us),
        }
    }
}

impl SharedView {
    fn of(shared: &Shared) -> Self {
        Self {
            kind: shared.item.kind.name(),
            value: shared.item.value.clone(),
            alerts: shared.alerts,
            groups: shared.groups,
        }
    }
}
