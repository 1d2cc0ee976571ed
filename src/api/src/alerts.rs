//! `POST /v1/alerts/{format}`: alerts as other systems send them, mapped to `alert.received` and signed by the notary
//! (src/exchange/ALERTS.md has every field). The token says which source they are of. An alert is one by its source and the
//! source's own id for it: sent again, it is answered with the entry that it has.

use std::sync::Arc;

use axum::body::Bytes;
use axum::extract::{Path, Query, State};
use axum::http::{HeaderMap, header};
use axum::response::Response;
use blotter_exchange::ForeignError;
use blotter_exchange::alerts::{self, Alert, Format};
use blotter_record::{Id, Json, Jti, Precision};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use crate::app::App;
use crate::caller::Caller;
use crate::intake::{TakenView, answer, derived, malformed, once, scoped};
use crate::notarise::Said;
use crate::problem::Problem;

/// The beginning of the scope that lets a token send alerts of a source.
const SCOPE: &str = "alerts:";

/// Of which source.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct AlertQuery {
    /// The source, `source/…`; needed only if the token is for several.
    source: Option<String>,
    /// A receipt for each alert; one alert alone has it always.
    #[serde(default)]
    receipts: bool,
}

/// What became of the alerts of a document.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct AlertsView {
    /// In the document's order.
    alerts: Vec<TakenView>,
}

/// Send alerts
///
/// `ocsf`, `thehive`, `wazuh`, `elastic`, `splunk`, `graph`, `cloudevents`, or the name of a mapping that the server was
/// given. One document may hold many alerts. The token needs the scope `alerts:source/…`.
#[utoipa::path(post, path = "/v1/alerts/{format}", tag = "statements", params(("format" = String, Path, description = "The format"), AlertQuery),
    request_body(content((serde_json::Value = "application/json"), (serde_json::Value = "application/cloudevents+json"),
        (serde_json::Value = "application/cloudevents-batch+json"), (String = "application/x-ndjson"))),
    responses(
        (status = 201, description = "At least one was recorded, durably, and the rest was there", body = AlertsView),
        (status = 200, description = "All were there before", body = AlertsView),
        (status = 207, description = "Some were refused; each says why", body = AlertsView),
        (status = "4XX", description = "None was taken", body = Problem, content_type = "application/problem+json"),
        (status = 503, description = "The writer is shut", body = Problem, content_type = "application/problem+json"),
    ), security(("token" = [])))]
pub(crate) async fn post(
    State(app): State<Arc<App>>,
    caller: Caller,
    Path(format): Path<String>,
    Query(query): Query<AlertQuery>,
    headers: HeaderMap,
    body: Bytes,
) -> Result<Response, Problem> {
    take(&app, &caller, &format, &query, &headers, &body).await
}

/// Send Splunk's alerts
///
/// Splunk's webhook can send no header, so the token stands in the path. Give it no other scope.
#[utoipa::path(post, path = "/v1/alerts/splunk/{token}", tag = "statements", params(("token" = String, Path, description = "The token"), AlertQuery),
    request_body(content = serde_json::Value, content_type = "application/json"),
    responses(
        (status = 201, description = "Recorded, durably", body = AlertsView),
        (status = 200, description = "It was there before", body = AlertsView),
        (status = 207, description = "Some were refused; each says why", body = AlertsView),
        (status = "4XX", description = "None was taken", body = Problem, content_type = "application/problem+json"),
        (status = 503, description = "The writer is shut", body = Problem, content_type = "application/problem+json"),
    ))]
pub(crate) async fn post_splunk(
    State(app): State<Arc<App>>,
    Path(token): Path<String>,
    Query(query): Query<AlertQuery>,
    headers: HeaderMap,
    body: Bytes,
) -> Result<Response, Problem> {
    let caller = Caller::find(&app, &token)?;
    take(&app, &caller, Format::Splunk.as_str(), &query, &headers, &body).await
}

async fn take(
    app: &Arc<App>,
    caller: &Caller,
    format: &str,
    query: &AlertQuery,
    headers: &HeaderMap,
    body: &[u8],
) -> Result<Response, Problem> {
    let source = scoped(caller, SCOPE, query.source.as_deref())?;
    let content_type = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok());
    let found = read(app, format, content_type, body)?;
    let with_receipts = query.receipts || found.len() == 1;
    // All at once, so that they share commits; they are handed to the writer in the document's order.
    let taken = found.into_iter().map(async |alert| match alert {
        Ok(alert) => {
            let (jti, stream) = ids(app, &source, &alert.source_ref)?;
            let view = TakenView { alert: Some(stream.to_string()), ..TakenView::default() };
            once(app, caller, said(app, &source, alert, jti, stream), view, with_receipts).await
        }
        Err(error) => Err(malformed(error)),
    });
    answer(futures_util::future::join_all(taken).await, |alerts| AlertsView { alerts })
}

fn read(
    app: &App,
    format: &str,
    content_type: Option<&str>,
    body: &[u8],
) -> Result<Vec<Result<Alert, ForeignError>>, Problem> {
    let found = match (app.mappings.alerts.get(format), format.parse::<Format>()) {
        (Some(mapping), _) => mapping.read(body),
        (None, Ok(format)) => alerts::read(format, content_type, body),
        (None, Err(unknown)) => return Err(Problem::new("not-found", unknown.to_string()).at("format")),
    };
    found.map_err(malformed)
}

fn said(app: &App, source: &Id, alert: Alert, jti: Jti, stream: Id) -> Said {
    let Alert { observed_at, severity, severity_source, techniques, data, .. } = alert;
    let facts = vec![
        ("source".to_owned(), source.as_str().into()),
        ("severity".to_owned(), severity.into()),
        ("severity_source".to_owned(), severity_source.as_str().into()),
        ("techniques".to_owned(), Json::List(techniques.iter().map(|id| id.as_str().into()).collect())),
        ("observed_at".to_owned(), observed_at.as_str().into()),
        ("received_at".to_owned(), app.now().as_str().into()),
    ];
    Said {
        jti: Some(jti),
        event: "alert.received".to_owned(),
        sub: stream,
        about: Vec::new(),
        occurred: Some(observed_at),
        precision: Precision::Second,
        cause: Vec::new(),
        corrects: Vec::new(),
        facts,
        data,
    }
}

/// The ids of a source's alert: its statement's, and its stream's.
fn ids(app: &App, source: &Id, source_ref: &str) -> Result<(Jti, Id), Problem> {
    let (jti, rest) = derived(app, "blotter: ids of alerts, 1", &[source.as_str(), source_ref])?;
    let name: String = rest[..10].iter().map(|byte| format!("{byte:02x}")).collect();
    let stream = format!("alert/A-{name}").parse().map_err(|e| Problem::new("unavailable", format!("{e}")))?;
    Ok((jti, stream))
}
