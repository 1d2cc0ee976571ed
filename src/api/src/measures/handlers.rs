//! Metrics over HTTP. They stand under `/v1/metrics`; `/metrics` is the server's own, for Prometheus.

use std::sync::Arc;

use axum::Json;
use axum::extract::{Path, Query, State};
use blotter_ledger::Read;
use blotter_projections::metrics::{DEFINITIONS, definition};
use blotter_projections::{Facts, LogIndex, Span};
use blotter_record::{Id, Instant};
use serde::Deserialize;
use utoipa::IntoParams;

use super::{GROUPS, MetricAsked, MetricView, group_by, metric, unusable};
use crate::app::App;
use crate::as_of;
use crate::caller::{Caller, Reads};
use crate::problem::Problem;
use crate::shown::Shown;

/// How a metric is to be computed.
#[derive(Debug, Default, Clone, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct MetricQuery {
    /// Group by `week`, `month`, `quarter`, `severity`, `category`, `lead` or `origin`.
    by: Option<String>,
    /// What began at this instant or later.
    since: Option<String>,
    /// What began before this instant.
    until: Option<String>,
    /// The zone that periods are of, by its IANA name; UTC if it is not said.
    time_zone: Option<String>,
    /// As of this entry, itself included, or of an instant: what was recorded by then.
    as_of: Option<String>,
    /// List what was measured and what was not, with entries.
    #[serde(default)]
    entries: bool,
    /// Leave out what is flagged.
    #[serde(default)]
    without_flagged: bool,
}

/// The metrics that there are
///
/// Definitions, without numbers.
#[utoipa::path(get, path = "/v1/metrics", tag = "metrics", responses(
    (status = 200, description = "All definitions", body = Vec<MetricView>),
    (status = "4XX", description = "Not for this caller", body = Problem, content_type = "application/problem+json"),
), security(("token" = [])))]
pub(crate) async fn list(State(app): State<Arc<App>>, caller: Caller) -> Result<Json<Vec<MetricView>>, Problem> {
    incidents_for(&app, &caller)?;
    Ok(Json(DEFINITIONS.iter().map(|definition| MetricView::of(definition, app.size(), 0)).collect()))
}

/// A metric, with its definition
///
/// Incidents that the caller may not read are in no number; `left_out` says how many there are.
#[utoipa::path(get, path = "/v1/metrics/{name}", tag = "metrics", params(("name" = String, Path, description = "Its name"), MetricQuery), responses(
    (status = 200, description = "Definition and numbers", body = MetricView),
    (status = "4XX", description = "Not there, not for this caller, or a parameter is wrong", body = Problem, content_type = "application/problem+json"),
    (status = 503, description = "Log or views can't be read", body = Problem, content_type = "application/problem+json"),
), security(("token" = [])))]
pub(crate) async fn metric_by_name(
    State(app): State<Arc<App>>,
    caller: Caller,
    Path(name): Path<String>,
    Query(query): Query<MetricQuery>,
) -> Result<Json<MetricView>, Problem> {
    let reads = incidents_for(&app, &caller)?;
    let definition = definition(&name)
        .ok_or_else(|| Problem::new("not-found", "no metric has that name; /v1/metrics lists them"))?;
    let mut asked = wanted(&app, &query)?;
    let answer = move |app: &App, store: &dyn Read| {
        let (facts, index) = views(app, store)?;
        let as_of = query.as_of.as_ref().map(|text| as_of::asked(app, store, "as_of", text));
        asked.end = as_of.transpose()?.map(|past| past.size);
        let shown = app.shown(store)?;
        let sees = |streams: &[&Id]| sees(&caller, reads, &shown, streams);
        Ok(metric((&facts, &index), store, definition, &asked, &sees)?)
    };
    app.read(answer).await.map(Json)
}

/// What the caller reads, who must be one that reads incidents.
pub(crate) fn incidents_for(app: &App, caller: &Caller) -> Result<Reads, Problem> {
    match caller.reads(app)? {
        Reads::All => Ok(Reads::All),
        Reads::Trust => Err(Problem::new(
            "not-allowed",
            "an admin reads what concerns actors, the ledger and policies, and no incident",
        )),
    }
}

pub(crate) fn sees(caller: &Caller, reads: Reads, shown: &Shown, streams: &[&Id]) -> bool {
    caller.sees(reads, shown, streams.iter().copied()).is_ok()
}

/// Both views, caught up.
pub(crate) fn views(app: &App, store: &dyn Read) -> Result<(Facts, LogIndex), Problem> {
    drop(app.views.read(store)?);
    let read = |path| Ok((Facts::read(path)?, LogIndex::read(path)?));
    read(app.views.path()).map_err(|error: rusqlite::Error| unusable(&error).into())
}

fn wanted(app: &App, query: &MetricQuery) -> Result<MetricAsked, Problem> {
    let wrong = |at: &str, what: String| Problem::new("bad-parameter", format!("{at}: {what}")).at(at);
    let time = |at: &str, text: &Option<String>| -> Result<Option<i64>, Problem> {
        let parse = |text: &String| text.parse::<Instant>().map_err(|e| wrong(at, e.to_string()));
        Ok(text.as_ref().map(parse).transpose()?.map(|instant| instant.unix_us()))
    };
    let by = query
        .by
        .as_deref()
        .map(|word| group_by(word).ok_or_else(|| wrong("by", format!("one of {} is wanted", GROUPS.join(", ")))));
    let zone = query.time_zone.as_deref().unwrap_or("UTC").parse();
    Ok(MetricAsked {
        by: by.transpose()?,
        span: Span { since_us: time("since", &query.since)?, until_us: time("until", &query.until)? },
        zone: zone.map_err(|_| wrong("time_zone", "no IANA time zone".to_owned()))?,
        end: None,
        entries: query.entries,
        without_flagged: query.without_flagged,
        now_us: (app.clock)(),
    })
}
