//! `POST /v1/statements`: one statement, or many. Each is signed by its actor, or said with a token and signed by the
//! notary. What is answered with a receipt survives power loss.

use std::sync::Arc;
use std::time::Instant;

use axum::Extension;
use axum::body::Bytes;
use axum::extract::{Query, State};
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use blotter_keys::judge::Refusal;
use blotter_ledger::{Appended, BATCH_ENTRIES_MAX, Error, Prepared};
use blotter_record::{Json, Seen};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use crate::app::{App, blocking};
use crate::caller::Caller;
use crate::notarise::notarise;
use crate::problem::{Problem, StreamNow};
use crate::router::Room;

/// Lines of one list, at most.
pub const LINES_MAX: usize = 10_000;
/// Entries that a stale `seen` is told of, at most.
const BETWEEN_MAX: usize = 100;

/// How a list is to be taken.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct ListQuery {
    /// All statements of the list enter, or none; then there may be at most 256.
    #[serde(default)]
    atomic: bool,
    /// A receipt in each line of the answer, not just the number of the entry.
    #[serde(default)]
    receipts: bool,
}

/// An entry with the proof that it is in the log (FORMAT.md §7).
#[derive(Debug, Serialize, Deserialize, ToSchema)]
pub struct ReceiptView {
    /// The entry's exact bytes; empty if it was expunged since.
    pub entry: String,
    /// Its number.
    pub seq: u64,
    /// A tlog-proof file (C2SP): the inclusion proof and the signed checkpoint.
    pub proof: String,
}

impl From<blotter_ledger::read::Receipt> for ReceiptView {
    fn from(receipt: blotter_ledger::read::Receipt) -> Self {
        Self { entry: receipt.entry, seq: receipt.seq, proof: receipt.proof }
    }
}

/// What became of one line of a list.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct LineResult {
    /// The line, from 1.
    pub(crate) line: usize,
    /// As if it had been sent alone: 201, 200, or the problem's.
    pub(crate) status: u16,
    /// The number of its entry.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) seq: Option<u64>,
    /// With `receipts`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) receipt: Option<ReceiptView>,
    /// Why it was not recorded.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) problem: Option<Problem>,
}

/// Append statements
///
/// By media type: `application/sd-jwt` is one signed statement (`<JWS>~<disclosure>~…~`); `application/json` is
/// `{"statement": "<SD-JWT>"}`, or a plain statement, which needs a token with the scope `append` and is signed by the
/// notary; `application/x-ndjson` is many of these, one a line, each also as a JSON string or bare.
#[utoipa::path(
    post, path = "/v1/statements", tag = "statements", params(ListQuery),
    request_body(content(
        (String = "application/sd-jwt", example = "eyJ…~WyJ…~"),
        (crate::notarise::PlainStatement = "application/json"),
        (String = "application/x-ndjson"),
    )),
    responses(
        (status = 201, description = "Recorded, durably", body = ReceiptView),
        (status = 200, description = "It had been recorded before; the same receipt. Or a list: what became of each line", content(
            (ReceiptView = "application/json"), (LineResult = "application/x-ndjson"))),
        (status = "4XX", description = "Nothing was recorded", body = Problem, content_type = "application/problem+json"),
        (status = 503, description = "The writer is shut", body = Problem, content_type = "application/problem+json"),
    ),
    security((), ("token" = [])),
)]
pub(crate) async fn append(
    State(app): State<Arc<App>>,
    caller: Caller,
    Extension(room): Extension<Room>,
    Query(query): Query<ListQuery>,
    headers: HeaderMap,
    body: Bytes,
) -> Result<Response, Problem> {
    let media_type = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or("");
    let media_type = media_type.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    let text =
        std::str::from_utf8(&body).map_err(|e| Problem::new("malformed", format!("not UTF-8: {e}")).at("body"))?;
    match media_type.as_str() {
        "application/x-ndjson" | "application/jsonl" | "application/ndjson" => {
            let lines: Vec<String> = text.lines().take(LINES_MAX + 1).map(str::to_owned).collect();
            let app = Arc::clone(&app);
            let work = move || {
                let _room = room;
                append_lines(&app, &caller, &lines, query.atomic, query.receipts)
            };
            blocking(work).await
        }
        "application/sd-jwt" | "application/jose" | "text/plain" | "application/json" | "" => {
            let prepared = prepare(&app, &caller, text.trim())?;
            append_one(&app, prepared).await
        }
        other => Err(Problem::new(
            "media-type",
            format!("{other:?} is not taken here; send application/sd-jwt, application/json or application/x-ndjson"),
        )),
    }
}

/// A statement that may be sent to the writer, or one that is there already.
pub(crate) enum Ready {
    New(Box<Prepared>),
    There(u64),
}

/// Reads one statement in any of its forms.
pub(crate) fn prepare(app: &App, caller: &Caller, text: &str) -> Result<Ready, Problem> {
    let signed = |text: &str| Ok(Ready::New(Box::new(app.ledger.prepare(text, Vec::new())?)));
    if !text.starts_with(['{', '"']) {
        return signed(text);
    }
    let json = Json::parse(text.as_bytes()).map_err(|e| Problem::new("malformed", e.to_string()).at("body"))?;
    match &json {
        Json::Text(text) => signed(text),
        Json::Object(members) => match &members[..] {
            [(name, Json::Text(text))] if name == "statement" => signed(text),
            _ => notarise(app, caller, &json),
        },
        _ => Err(Problem::new("malformed", "a statement is an SD-JWT or an object").at("body")),
    }
}

/// Sends one statement to the writer, and waits for its receipt.
pub(crate) async fn append_one(app: &Arc<App>, ready: Ready) -> Result<Response, Problem> {
    let appended = record(app, ready).await?;
    let receipt = app.read_here(|app, store| app.receipt(store, &appended))?;
    Ok(recorded(&appended, ReceiptView::from(receipt)))
}

/// Sends one statement to the writer, and waits until it is recorded.
pub(crate) async fn record(app: &Arc<App>, ready: Ready) -> Result<Appended, Problem> {
    let prepared = match ready {
        Ready::There(seq) => return Ok(Appended { seq, repeated: true, size: app.ledger.size(), recorded: None }),
        Ready::New(prepared) => *prepared,
    };
    let (start, seen) = (Instant::now(), prepared.statement().seen);
    let (reply, answer) = tokio::sync::oneshot::channel();
    app.ledger.submit_with(vec![prepared], false, move |answers| drop(reply.send(answers)))?;
    let gone = || Error::Poisoned { why: "the writer is gone".to_owned() };
    let answer = answer.await.ok().and_then(|answers| answers.into_iter().next()).unwrap_or_else(|| Err(gone()));
    app.metrics.appended(1, usize::from(answer.is_ok()), start.elapsed());
    answer.map_err(|error| refused(app, error, seen))
}

fn recorded(appended: &Appended, body: ReceiptView) -> Response {
    let status = if appended.repeated { StatusCode::OK } else { StatusCode::CREATED };
    let location = HeaderValue::from_str(&format!("/v1/entries/{}", appended.seq)).expect("digits are a header value");
    (status, [(header::LOCATION, location)], axum::Json(body)).into_response()
}

/// Why a statement was refused; with a stale `seen`, what to look at now.
fn refused(app: &App, error: Error, seen: Option<Seen>) -> Problem {
    let stale = match &error {
        Error::Refused(Refusal::Stale { stream, .. }) => Some(stream.clone()),
        _ => None,
    };
    let mut problem = Problem::from(error);
    let Some(stream) = stale else { return problem };
    let now = app.read_here(|_, store| {
        let Some(state) = store.stream(&stream)? else { return Ok(None) };
        let after = seen.and_then(|seen| seen.last).map_or(0, |(n, _)| n + 1);
        let between = store.stream_seqs(&stream, after, BETWEEN_MAX)?;
        let (n, leaf, size) = (state.count - 1, state.leaf.to_string(), store.size()?);
        Ok(Some(Box::new(StreamNow { stream: stream.to_string(), n, leaf, size, between })))
    });
    problem.now = now.ok().flatten();
    problem
}

fn append_lines(
    app: &Arc<App>,
    caller: &Caller,
    lines: &[String],
    atomic: bool,
    receipts: bool,
) -> Result<Response, Problem> {
    let most = if atomic { BATCH_ENTRIES_MAX } else { LINES_MAX };
    if lines.len() > most {
        let detail = format!("at most {most} lines may be sent at once");
        return Err(Problem::new("too-large", detail));
    }
    if let Caller::Token { id, .. } = caller {
        let count = lines.len() as f64;
        app.rates.take(&id.to_string(), count, Instant::now()).map_err(Problem::rate)?;
    }
    let start = Instant::now();
    let mut prepared: Vec<_> = {
        use rayon::prelude::*;
        lines.par_iter().map(|line| prepare(app, caller, line.trim())).collect()
    };
    if atomic && let Some(index) = prepared.iter().position(Result::is_err) {
        let why = prepared[index].as_ref().err().map(|problem| problem.detail.clone()).unwrap_or_default();
        let not_at_fault = || Problem::new("list-refused", format!("line {} was refused: {why}", index + 1));
        prepared = prepared.into_iter().map(|one| one.and_then(|_| Err(not_at_fault()))).collect();
    }
    let mut results: Vec<Option<Result<Appended, Problem>>> = Vec::with_capacity(lines.len());
    let (mut places, mut statements, mut seen) = (Vec::new(), Vec::new(), Vec::new());
    for (index, one) in prepared.into_iter().enumerate() {
        results.push(match one {
            Err(problem) => Some(Err(problem)),
            Ok(Ready::There(seq)) => {
                Some(Ok(Appended { seq, repeated: true, size: app.ledger.size(), recorded: None }))
            }
            Ok(Ready::New(statement)) => {
                seen.push(statement.statement().seen);
                places.push(index);
                statements.push(*statement);
                None
            }
        });
    }
    let answers = match atomic {
        true => app.ledger.append_list(statements)?,
        false => app.ledger.append_prepared(statements),
    };
    for ((index, answer), seen) in places.into_iter().zip(answers).zip(seen) {
        results[index] = Some(answer.map_err(|error| refused(app, error, seen)));
    }
    let results: Vec<_> = results.into_iter().map(|result| result.expect("each line got an answer")).collect();
    app.metrics.appended(results.len(), results.iter().filter(|result| result.is_ok()).count(), start.elapsed());
    let mut body = Vec::with_capacity(results.len() * 40);
    for (index, result) in results.into_iter().enumerate() {
        let line = line_result(app, index + 1, result, receipts);
        serde_json::to_writer(&mut body, &line).expect("a result is JSON");
        body.push(b'\n');
    }
    Ok(([(header::CONTENT_TYPE, HeaderValue::from_static("application/x-ndjson"))], body).into_response())
}

fn line_result(app: &App, line: usize, result: Result<Appended, Problem>, receipts: bool) -> LineResult {
    let refused = |problem: Problem| LineResult {
        line,
        status: problem.status,
        seq: None,
        receipt: None,
        problem: Some(problem),
    };
    match result {
        Err(problem) => refused(problem),
        Ok(appended) => {
            let status = if appended.repeated { 200 } else { 201 };
            let receipt = match receipts {
                true => app.read_here(|app, store| app.receipt(store, &appended)).ok(),
                false => None,
            };
            LineResult { line, status, seq: Some(appended.seq), receipt: receipt.map(ReceiptView::from), problem: None }
        }
    }
}
