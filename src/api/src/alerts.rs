//! `POST /v1/alerts/{format}`: alerts as other systems send them, mapped to `alert.received` and signed by the notary
//! (src/exchange/ALERTS.md has every field). The token says which source they are of. An alert is one by its source and the
//! source's own id for it: sent again, it is answered with the entry that it has.

use std::collections::HashMap;
use std::sync::Arc;

use axum::body::Bytes;
use axum::extract::{Path, Query, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use blotter_exchange::alerts::{self, Alert, AlertError, Format, Mapping};
use blotter_record::{Id, Json, Jti, Precision};
use hmac::{Hmac, KeyInit, Mac};
use serde::{Deserialize, Serialize};
use sha2::Sha256;
use utoipa::{IntoParams, ToSchema};

use crate::app::{App, Notary};
use crate::append::{ReceiptView, record};
use crate::caller::Caller;
use crate::notarise::{Said, sign};
use crate::problem::Problem;

/// The beginning of the scope that lets a token send alerts of a source.
const SCOPE: &str = "alerts:";

/// Mappings of users' own, by the name under which they are posted.
pub type Mappings = HashMap<String, Mapping>;

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
    alerts: Vec<AlertView>,
}

/// What became of one alert.
#[derive(Debug, Default, Serialize, ToSchema)]
pub(crate) struct AlertView {
    /// 201 recorded, 200 there before, or the problem's.
    status: u16,
    /// Its stream.
    #[serde(skip_serializing_if = "Option::is_none")]
    alert: Option<String>,
    /// Its statement's id.
    #[serde(skip_serializing_if = "Option::is_none")]
    jti: Option<String>,
    /// Its entry.
    #[serde(skip_serializing_if = "Option::is_none")]
    seq: Option<u64>,
    /// It was there before, and said something else then; what it says now was not recorded.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    changed: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    receipt: Option<ReceiptView>,
    /// Why it was not recorded.
    #[serde(skip_serializing_if = "Option::is_none")]
    problem: Option<Problem>,
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
    let source = source_of(caller, query)?;
    let content_type = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok());
    let found = read(app, format, content_type, body)?;
    let with_receipts = query.receipts || found.len() == 1;
    // All at once, so that they share commits; they are handed to the writer in the document's order.
    let views = found.into_iter().map(async |alert| {
        let view = match alert {
            Ok(alert) => one(app, caller, &source, alert, with_receipts).await,
            Err(error) => Err(malformed(error)),
        };
        view.unwrap_or_else(|problem| AlertView {
            status: problem.status,
            problem: Some(problem),
            ..AlertView::default()
        })
    });
    let views = futures_util::future::join_all(views).await;
    answer(views)
}

fn answer(mut views: Vec<AlertView>) -> Result<Response, Problem> {
    let refused = views.iter().filter(|view| view.problem.is_some()).count();
    if refused == views.len() {
        // If trying again may help, the sender must hear that: else it would give up all of them.
        let passing = views.iter().position(|view| matches!(view.status, 429 | 503)).unwrap_or(0);
        let first = views.swap_remove(passing).problem;
        return Err(first.unwrap_or_else(|| Problem::new("malformed", "the document holds no alert")));
    }
    let status = match refused {
        0 if views.iter().any(|view| view.status == 201) => StatusCode::CREATED,
        0 => StatusCode::OK,
        _ => StatusCode::MULTI_STATUS,
    };
    Ok((status, axum::Json(AlertsView { alerts: views })).into_response())
}

/// The source that the token is for.
fn source_of(caller: &Caller, query: &AlertQuery) -> Result<Id, Problem> {
    let Caller::Token { scopes, .. } = caller else {
        return Err(Problem::new("not-signed-in", "alerts need a token with the scope alerts:source/…"));
    };
    let mut sources = scopes.iter().filter_map(|scope| scope.strip_prefix(SCOPE)?.parse::<Id>().ok());
    let source = match &query.source {
        Some(wanted) => sources.find(|source| source.as_str() == wanted),
        None => match (sources.next(), sources.next()) {
            (Some(_), Some(_)) => {
                return Err(Problem::new("bad-parameter", "source: this token is for several; say which").at("source"));
            }
            (first, _) => first,
        },
    };
    source.ok_or_else(|| Problem::new("not-allowed", "this token has no scope alerts:… for that source"))
}

fn read(
    app: &App,
    format: &str,
    content_type: Option<&str>,
    body: &[u8],
) -> Result<Vec<Result<Alert, AlertError>>, Problem> {
    let found = match (app.mappings.get(format), format.parse::<Format>()) {
        (Some(mapping), _) => mapping.read(body),
        (None, Ok(format)) => alerts::read(format, content_type, body),
        (None, Err(unknown)) => return Err(Problem::new("not-found", unknown.to_string()).at("format")),
    };
    let found = found.map_err(malformed)?;
    match found.is_empty() {
        true => Err(Problem::new("malformed", "the document holds no alert").at("body")),
        false => Ok(found),
    }
}

fn malformed(error: AlertError) -> Problem {
    let at = if error.at.is_empty() { "body".to_owned() } else { error.at.clone() };
    Problem::new("malformed", error.to_string()).at(at)
}

async fn one(app: &Arc<App>, caller: &Caller, source: &Id, alert: Alert, receipt: bool) -> Result<AlertView, Problem> {
    let notary = app.notary.as_ref().ok_or_else(|| Problem::new("unavailable", "this server holds no notary's key"))?;
    let (jti, stream) = ids(notary, source, &alert.source_ref)?;
    let view = AlertView { alert: Some(stream.to_string()), jti: Some(jti.to_string()), ..AlertView::default() };
    if let Some(seq) = app.read_here(|_, store| Ok(store.seq_of(&jti)?))? {
        let said = said(app, source, alert, jti, stream);
        // The time at which it came is no part of what it says.
        let changed = !app.read_here(|_, store| crate::notarise::says(store, seq, &said.data))?;
        let receipt = receipt_of(app, seq, receipt);
        return Ok(AlertView { status: 200, seq: Some(seq), changed, receipt, ..view });
    }
    let data = alert.data.clone();
    let outcome = match sign(app, caller, said(app, source, alert, jti, stream)) {
        Ok(ready) => record(app, ready).await,
        Err(problem) => Err(problem),
    };
    // Another request may have brought the same alert in this moment; then it is there.
    let appended = match (outcome, app.read_here(|_, store| Ok(store.seq_of(&jti)?))?) {
        (Ok(appended), _) => appended,
        (Err(problem), Some(seq)) if problem.code == "jti-taken" => {
            let changed = !app.read_here(|_, store| crate::notarise::says(store, seq, &data))?;
            let receipt = receipt_of(app, seq, receipt);
            return Ok(AlertView { status: 200, seq: Some(seq), changed, receipt, ..view });
        }
        (Err(problem), _) => return Err(problem),
    };
    let status = if appended.repeated { 200 } else { 201 };
    Ok(AlertView { status, seq: Some(appended.seq), receipt: receipt_of(app, appended.seq, receipt), ..view })
}

fn receipt_of(app: &App, seq: u64, wanted: bool) -> Option<ReceiptView> {
    let receipt = wanted.then(|| app.read_here(|app, store| app.receipt_of(store, seq)))?;
    receipt.ok().map(ReceiptView::from)
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

/// The ids of a source's alert: its statement's, and its stream's. They stand in the log for ever, and the source's own id
/// is a value that can be erased; so they are made with a secret, and nobody can find out by trying what it was.
fn ids(notary: &Notary, source: &Id, source_ref: &str) -> Result<(Jti, Id), Problem> {
    let mut secret = Hmac::<Sha256>::new_from_slice(&notary.key.seed()[..]).expect("a key of any length will do");
    secret.update(b"blotter: ids of alerts, 1");
    let mut mac = Hmac::<Sha256>::new_from_slice(&secret.finalize().into_bytes()).expect("a key of any length will do");
    for part in [source.as_str(), source_ref] {
        mac.update(&(part.len() as u64).to_be_bytes());
        mac.update(part.as_bytes());
    }
    let bytes: [u8; 32] = mac.finalize().into_bytes().into();
    let (jti, rest) = bytes.split_at(16);
    let name: String = rest[..10].iter().map(|byte| format!("{byte:02x}")).collect();
    let stream = format!("alert/A-{name}").parse().map_err(|e| Problem::new("unavailable", format!("{e}")))?;
    Ok((Jti::v8(jti.try_into().expect("half of 32 bytes")), stream))
}
