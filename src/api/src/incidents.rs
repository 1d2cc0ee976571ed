//! Incidents: lists, states as of any moment, what is different, gates, timelines; and full text. A reader is shown the
//! incidents that they may read, and told how many they may not.

use std::sync::Arc;

use axum::Json;
use axum::extract::{Path, Query, State};
use blotter_ledger::{Read, read};
use blotter_process::{OwnGates, POLICY_STREAM, Phase, own_gates, transition, transition_checks};
use blotter_projections::incidents::Case;
use blotter_projections::{
    Cell, Cursor, IncidentQuery, Moment, Sort, Source as _, Words, case_as_of, gate_state, told_of, ways_out,
};
use blotter_record::{Id, Instant};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use crate::app::App;
use crate::as_of::asked;
use crate::caller::{Caller, Reads};
use crate::entries::{EntryView, view};
use crate::finder::Log;
use crate::measures::incidents_for;
use crate::neighbours::Hidden;
use crate::problem::Problem;

/// Incidents of one page, at most.
const PAGE_MAX: usize = 1_000;
const PAGE: usize = 100;

/// Which incidents.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct ListQuery {
    /// Any of these, with commas between: open, resolved, closed, improved, merged.
    status: Option<String>,
    /// Any of these, with commas between: initiate, assess, execute, validate, close, improve.
    phase: Option<String>,
    /// This severity or a higher one.
    severity: Option<i64>,
    /// Led by this actor.
    lead: Option<String>,
    /// Of this category.
    category: Option<String>,
    /// With this verdict.
    verdict: Option<String>,
    /// Linked to this: an alert, a technique, an asset, a service, another incident.
    linked: Option<String>,
    /// Opened at this instant or later.
    since: Option<String>,
    /// Opened before this instant.
    until: Option<String>,
    /// Only imported ones, or none of them.
    imported: Option<bool>,
    /// As they were up to and with this entry (a number), or at this instant.
    as_of: Option<String>,
    /// severity (the default), opened, updated or id.
    sort: Option<String>,
    /// How many, at most 1000; 100 if it is not said.
    limit: Option<usize>,
    /// `next` of the page before.
    cursor: Option<String>,
}

/// A page of incidents.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct ListView {
    /// The columns of the table `incident`; as of an earlier moment, those of `incident_version`.
    #[schema(value_type = Vec<Object>)]
    incidents: Vec<serde_json::Map<String, serde_json::Value>>,
    /// `cursor` of the next page.
    next: Option<String>,
    /// Entries of the log that this rests on.
    as_of_size: u64,
}

/// As of when.
#[derive(Debug, Default, Clone, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct MomentQuery {
    /// As it was recorded up to and with this entry (a number), or by this instant.
    as_of: Option<String>,
    /// Of that, only what had occurred by this instant, as corrected since.
    occurred_by: Option<String>,
}

/// An incident as of a moment.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct IncidentView {
    /// Its stream.
    incident: String,
    /// Entries of the log that this rests on.
    as_of_size: u64,
    /// What occurred later is left out.
    occurred_by: Option<String>,
    /// open, resolved, closed, improved or merged.
    status: String,
    /// Its phase; nothing if it was never opened.
    phase: Option<String>,
    /// Every value, with the entries that made it so.
    fields: std::collections::BTreeMap<String, FieldView>,
    /// When it reached what.
    milestones: std::collections::BTreeMap<String, MilestoneView>,
    /// Entries of its stream.
    entries: u64,
}

/// A value of an incident.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct FieldView {
    value: String,
    /// Seqs of the entries that made it so.
    entries: Vec<u64>,
}

/// A milestone.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct MilestoneView {
    /// When it happened, as said.
    at: String,
    /// The entry that says so.
    entry: u64,
}

/// What is different between two moments.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct DiffView {
    incident: String,
    from_size: u64,
    to_size: u64,
    changed: Vec<ChangeView>,
}

/// A value that is different.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct ChangeView {
    field: String,
    from: Option<String>,
    to: Option<String>,
    /// The entries that made it what it is at the later moment.
    entries: Vec<u64>,
}

/// What stands between an incident and each phase that it can go to.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct GatesView {
    incident: String,
    phase: Option<String>,
    ways: Vec<WayView>,
}

/// A way on.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct WayView {
    to: String,
    /// Whether all gates are met.
    open: bool,
    gates: Vec<GateView>,
}

/// A gate.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct GateView {
    /// Its code.
    gate: String,
    met: bool,
    /// Seqs of the entries that meet it.
    entries: Vec<u64>,
    /// What is missing, where it is unmet.
    what: Option<String>,
}

/// A timeline.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct TimelineView {
    incident: String,
    as_of_size: u64,
    /// In the order of the log.
    entries: Vec<EntryView>,
}

/// Words to be found.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct SearchQuery {
    /// All of these words; `word*` begins so, `"two words"` stand beside each other.
    q: String,
    /// Only entries before this one.
    before: Option<u64>,
    /// How many, at most 1000; 100 if it is not said.
    limit: Option<usize>,
}

/// Entries that were found.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct FoundView {
    /// Newest first.
    entries: Vec<EntryView>,
    /// `before` of the next page.
    before: Option<u64>,
}

fn wrong(at: &'static str, what: impl std::fmt::Display) -> Problem {
    Problem::new("bad-parameter", format!("{at}: {what}")).at(at)
}

fn time(at: &'static str, text: Option<&String>) -> Result<Option<i64>, Problem> {
    let read = |text: &String| text.parse::<Instant>().map_err(|error| wrong(at, error));
    Ok(text.map(read).transpose()?.map(|instant| instant.unix_us()))
}

pub(crate) fn moment(app: &App, store: &dyn Read, query: &MomentQuery) -> Result<Moment, Problem> {
    let size = match &query.as_of {
        Some(text) => asked(app, store, "as_of", text)?.size,
        None => store.size()?,
    };
    Ok(Moment { size, occurred_us: time("occurred_by", query.occurred_by.as_ref())? })
}

/// The id of an incident whose name stands in a path, if the caller may see it.
pub(crate) fn incident(app: &App, store: &dyn Read, caller: &Caller, reads: Reads, name: &str) -> Result<Id, Problem> {
    let nothing = || Problem::new("not-found", format!("there is no incident/{name}"));
    let id: Id = format!("incident/{name}").parse().map_err(|_| nothing())?;
    caller.sees(reads, &*app.shown(store)?, std::iter::once(&id))?;
    let there = store.stream(&id)?.ok_or_else(nothing)?;
    Ok(there.id)
}

fn case(store: &dyn Read, id: &Id, moment: Moment) -> Result<Case, Problem> {
    let case = case_as_of(&Log(store), id, moment)?;
    if case.incident.first_seq.is_none() {
        return Err(Problem::new("not-found", format!("of {id} nothing was recorded by then")));
    }
    Ok(case)
}

fn instant(at_us: i64) -> String {
    Instant::from_unix_us(at_us).map_or_else(|_| at_us.to_string(), |at| at.to_string())
}

/// List incidents
#[utoipa::path(get, path = "/v1/incidents", tag = "incidents", params(ListQuery), responses(
    (status = 200, description = "A page; empty if no incident is like that", body = ListView),
    (status = "4XX", description = "Not for this caller, or a parameter is wrong", body = Problem, content_type = "application/problem+json"),
    (status = 503, description = "The views can't be read, or are behind", body = Problem, content_type = "application/problem+json"),
), security(("token" = [])))]
pub(crate) async fn list(
    State(app): State<Arc<App>>,
    caller: Caller,
    Query(query): Query<ListQuery>,
) -> Result<Json<ListView>, Problem> {
    incidents_for(&app, &caller)?;
    app.read(move |app, store| page(app, store, &caller, &query)).await.map(Json)
}

fn page(app: &App, store: &dyn Read, caller: &Caller, query: &ListQuery) -> Result<ListView, Problem> {
    let (db, size) = app.views.read(store)?;
    let words = |text: &Option<String>| text.iter().flat_map(|text| text.split(',')).map(str::to_owned).collect();
    let as_of = query.as_of.as_ref().map(|text| asked(app, store, "as_of", text)).transpose()?;
    let as_of = as_of.map(|past| past.size);
    let sort = match query.sort.as_deref() {
        None => Sort::default(),
        Some(name) => {
            let found = Sort::ALL.into_iter().find(|(other, _)| *other == name);
            found.ok_or_else(|| wrong("sort", "severity, opened, updated or id is wanted"))?.1
        }
    };
    if as_of.is_some() && sort == Sort::Updated {
        return Err(wrong("sort", "updated is about now; with as_of sort by severity, opened or id"));
    }
    let after = query.cursor.as_ref().map(|text| {
        let (key, id) = text.split_once(',')?;
        Some(Cursor { key: key.parse().ok()?, id: id.to_owned() })
    });
    let after = match after {
        Some(None) => return Err(wrong("cursor", "`next` of a page is wanted")),
        other => other.flatten(),
    };
    let restricted = app.shown(store)?.hidden_from(caller.actor());
    let hidden = Hidden::new(restricted.clone());
    if query.linked.as_ref().is_some_and(|linked| hidden.names(linked)) {
        return Ok(ListView { incidents: Vec::new(), next: None, as_of_size: as_of.unwrap_or(size) });
    }
    let query = IncidentQuery {
        status: words(&query.status),
        phase: words(&query.phase),
        severity_min: query.severity,
        lead: query.lead.clone(),
        category: query.category.clone(),
        verdict: query.verdict.clone(),
        linked: query.linked.clone(),
        opened_since_us: time("since", query.since.as_ref())?,
        opened_until_us: time("until", query.until.as_ref())?,
        imported: query.imported,
        hidden: restricted,
        as_of,
        sort,
        after,
        limit: query.limit.unwrap_or(PAGE).clamp(1, PAGE_MAX),
    };
    let mut page = blotter_projections::list_incidents(&db, &query).map_err(|error| {
        tracing::error!(%error, "the views can't be read");
        Problem::new("unavailable", "the views can't be read; the server's log says why")
    })?;
    hidden.leave_out_of(&mut page);
    let incidents = page.rows.iter().map(|row| page.columns.iter().cloned().zip(row.iter().map(value)).collect());
    let next = page.next.map(|next| format!("{},{}", next.key, next.id));
    Ok(ListView { incidents: incidents.collect(), next, as_of_size: as_of.unwrap_or(size) })
}

fn value(cell: &Cell) -> serde_json::Value {
    match cell {
        Cell::Null => serde_json::Value::Null,
        Cell::Int(n) => (*n).into(),
        Cell::Text(text) => text.as_str().into(),
    }
}

/// Read one incident, as it is or was
#[utoipa::path(get, path = "/v1/incidents/{name}", tag = "incidents",
    params(("name" = String, Path, description = "Its id without incident/"), MomentQuery), responses(
    (status = 200, description = "The incident", body = IncidentView),
    (status = "4XX", description = "Not there, or not for this caller", body = Problem, content_type = "application/problem+json"),
    (status = 503, description = "The log can't be read", body = Problem, content_type = "application/problem+json"),
), security(("token" = [])))]
pub(crate) async fn one(
    State(app): State<Arc<App>>,
    caller: Caller,
    Path(name): Path<String>,
    Query(query): Query<MomentQuery>,
) -> Result<Json<IncidentView>, Problem> {
    let reads = caller.reads(&app)?;
    let view = app.read(move |app, store| {
        let id = incident(app, store, &caller, reads, &name)?;
        let moment = moment(app, store, &query)?;
        let case = case(store, &id, moment)?;
        let hidden = Hidden::new(app.shown(store)?.hidden_from(caller.actor()));
        let field =
            |field: blotter_projections::Field| (field.name, FieldView { value: field.value, entries: field.seqs });
        Ok(IncidentView {
            incident: id.to_string(),
            as_of_size: moment.size,
            occurred_by: moment.occurred_us.map(instant),
            status: case.incident.status().to_owned(),
            phase: case.incident.current_phase().map(|phase| phase.name().to_owned()),
            milestones: case
                .milestones
                .iter()
                .map(|(name, reached)| {
                    (name.name().to_owned(), MilestoneView { at: instant(reached.at_us), entry: reached.seq })
                })
                .collect(),
            entries: case.incident.entries,
            fields: hidden.fields(case).into_iter().map(field).collect(),
        })
    });
    view.await.map(Json)
}

/// What is different between two moments
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct DiffQuery {
    /// The earlier moment: an entry's number, or an instant.
    from: String,
    /// The later one; without it, now.
    to: Option<String>,
}

/// Compare an incident at two moments
#[utoipa::path(get, path = "/v1/incidents/{name}/diff", tag = "incidents",
    params(("name" = String, Path, description = "Its id without incident/"), DiffQuery), responses(
    (status = 200, description = "What is different", body = DiffView),
    (status = "4XX", description = "Not there, or not for this caller", body = Problem, content_type = "application/problem+json"),
    (status = 503, description = "The log can't be read", body = Problem, content_type = "application/problem+json"),
), security(("token" = [])))]
pub(crate) async fn diff(
    State(app): State<Arc<App>>,
    caller: Caller,
    Path(name): Path<String>,
    Query(query): Query<DiffQuery>,
) -> Result<Json<DiffView>, Problem> {
    let reads = caller.reads(&app)?;
    let view = app.read(move |app, store| {
        let id = incident(app, store, &caller, reads, &name)?;
        let from_size = asked(app, store, "from", &query.from)?.size;
        let to = query.to.as_ref().map(|to| asked(app, store, "to", to)).transpose()?;
        let to_size = to.map_or_else(|| store.size(), |to| Ok(to.size))?;
        let before = case_as_of(&Log(store), &id, Moment::recorded(from_size))?;
        let after = case(store, &id, Moment::recorded(to_size))?;
        let change =
            |(field, old, new): (String, Option<blotter_projections::Field>, Option<blotter_projections::Field>)| {
                let entries = new.as_ref().map(|new| new.seqs.clone()).unwrap_or_default();
                ChangeView { field, from: old.map(|old| old.value), to: new.map(|new| new.value), entries }
            };
        let hidden = Hidden::new(app.shown(store)?.hidden_from(caller.actor()));
        let changed = hidden.differences(before, after).into_iter().map(change).collect();
        Ok(DiffView { incident: id.to_string(), from_size, to_size, changed })
    });
    view.await.map(Json)
}

/// Read the gates before an incident's next phases
#[utoipa::path(get, path = "/v1/incidents/{name}/gates", tag = "incidents",
    params(("name" = String, Path, description = "Its id without incident/")), responses(
    (status = 200, description = "Every way on, with its gates", body = GatesView),
    (status = "4XX", description = "Not there, or not for this caller", body = Problem, content_type = "application/problem+json"),
    (status = 503, description = "The log can't be read", body = Problem, content_type = "application/problem+json"),
), security(("token" = [])))]
pub(crate) async fn gates(
    State(app): State<Arc<App>>,
    caller: Caller,
    Path(name): Path<String>,
) -> Result<Json<GatesView>, Problem> {
    let reads = caller.reads(&app)?;
    let view = app.read(move |app, store| {
        let id = incident(app, store, &caller, reads, &name)?;
        let state = gate_state(&Log(store), &id, Moment::recorded(store.size()?))?;
        let own = own(store)?;
        let at = state.current_phase();
        let way = |to: Phase| {
            let checks = transition_checks(transition(at?, to)?, &state, &own, app.now().unix_us());
            let gates: Vec<GateView> = checks
                .into_iter()
                .map(|check| GateView {
                    gate: check.gate.code,
                    met: check.met_by.is_some(),
                    what: check.met_by.is_none().then_some(check.gate.what),
                    entries: check.met_by.unwrap_or_default(),
                })
                .collect();
            Some(WayView { to: to.name().to_owned(), open: gates.iter().all(|gate| gate.met), gates })
        };
        Ok(GatesView {
            incident: id.to_string(),
            phase: at.map(|at| at.name().to_owned()),
            ways: ways_out(&state).into_iter().filter_map(way).collect(),
        })
    });
    view.await.map(Json)
}

/// The gates that the organisation added.
fn own(store: &dyn Read) -> Result<OwnGates, Problem> {
    let mut own = OwnGates::new();
    let stream: Id = POLICY_STREAM.parse().expect("a well-formed id");
    for entry in Log(store).stream(&stream, 0, usize::MAX >> 1)? {
        entry.said.iter().for_each(|(_, statement)| own_gates(&mut own, statement));
    }
    Ok(own)
}

/// Read an incident's timeline
///
/// What was recorded of it and what its lessons led to, in the order of the log.
#[utoipa::path(get, path = "/v1/incidents/{name}/timeline", tag = "incidents",
    params(("name" = String, Path, description = "Its id without incident/"), MomentQuery), responses(
    (status = 200, description = "Its entries", body = TimelineView),
    (status = "4XX", description = "Not there, or not for this caller", body = Problem, content_type = "application/problem+json"),
    (status = 503, description = "The log can't be read", body = Problem, content_type = "application/problem+json"),
), security(("token" = [])))]
pub(crate) async fn timeline(
    State(app): State<Arc<App>>,
    caller: Caller,
    Path(name): Path<String>,
    Query(query): Query<MomentQuery>,
) -> Result<Json<TimelineView>, Problem> {
    let reads = caller.reads(&app)?;
    let view = app.read(move |app, store| {
        let id = incident(app, store, &caller, reads, &name)?;
        let moment = moment(app, store, &query)?;
        let told = told_of(&Log(store), &id, moment)?;
        let entries = entries(app, store, &caller, reads, told.into_iter().map(|told| told.seq))?;
        Ok(TimelineView { incident: id.to_string(), as_of_size: moment.size, entries })
    });
    view.await.map(Json)
}

fn entries(
    app: &App,
    store: &dyn Read,
    caller: &Caller,
    reads: Reads,
    seqs: impl Iterator<Item = u64>,
) -> Result<Vec<EntryView>, Problem> {
    let shown = app.shown(store)?;
    let mut entries = Vec::new();
    for seq in seqs.filter(|seq| *seq < shown.position()) {
        let Some(entry) = read::entries(store, seq, 1)?.pop() else { continue };
        let view = view(app, store, &shown, caller, reads, entry)?;
        // Who asks for what they may not see is not told that it is there.
        if view.withheld.is_none() {
            entries.push(view);
        }
    }
    Ok(entries)
}

/// Find entries by the words of their values
#[utoipa::path(get, path = "/v1/search", tag = "incidents", params(SearchQuery), responses(
    (status = 200, description = "Entries whose values have the words; empty if none has", body = FoundView),
    (status = "4XX", description = "Not for this caller, or a parameter is wrong", body = Problem, content_type = "application/problem+json"),
    (status = 503, description = "The views can't be read, or are behind", body = Problem, content_type = "application/problem+json"),
), security(("token" = [])))]
pub(crate) async fn search(
    State(app): State<Arc<App>>,
    caller: Caller,
    Query(query): Query<SearchQuery>,
) -> Result<Json<FoundView>, Problem> {
    let reads = caller.reads(&app)?;
    let view = app.read(move |app, store| {
        let (_, _) = app.views.read(store)?;
        let limit = query.limit.unwrap_or(PAGE).clamp(1, PAGE_MAX);
        let unreadable = |why: String| {
            tracing::error!(why, "the words can't be read");
            Problem::new("unavailable", "the words can't be read; the server's log says why")
        };
        let words = Words::read(app.views.path()).map_err(|error| unreadable(error.to_string()))?;
        // On, until a page is full of what may be shown: so its cursor names the last that was, and no other.
        let (mut found, mut from, mut next) = (Vec::new(), query.before.unwrap_or(u64::MAX), None);
        loop {
            let seqs = words.search(&query.q, from, limit).map_err(|error| unreadable(error.to_string()))?;
            let last = seqs.last().copied().filter(|_| seqs.len() == limit);
            found.extend(entries(app, store, &caller, reads, seqs.into_iter())?);
            if found.len() >= limit {
                found.truncate(limit);
                next = found.last().map(|entry: &EntryView| entry.seq);
                break;
            }
            match last {
                Some(last) => from = last,
                None => break,
            }
        }
        Ok(FoundView { entries: found, before: next })
    });
    view.await.map(Json)
}
