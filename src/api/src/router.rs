//! The routes, and what holds for all of them: request ids, the log, numbers, limits of time and size.

use std::sync::Arc;
use std::time::Instant;

use axum::Router;
use axum::extract::{DefaultBodyLimit, MatchedPath, Request, State};
use axum::http::{HeaderName, HeaderValue, Method, StatusCode, header};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Response};
use tokio::sync::OwnedSemaphorePermit;
use tracing::Instrument;
use tracing::field::Empty;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::app::{App, kib};
use crate::caller::CallerName;
use crate::problem::{Code, Problem};
use crate::{
    alert_queue, alerts, append, custody, docs, entries, follow, health, incidents, learning, login, measures, proofs,
    tickets,
};

/// The name under which a request is found in the log again; a client may send its own.
const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");
/// A longer one of a client's is not taken.
const REQUEST_ID_LEN_MAX: usize = 64;

/// All routes, documented.
pub(crate) fn routes() -> OpenApiRouter<Arc<App>> {
    OpenApiRouter::new()
        .routes(routes!(append::append))
        .routes(routes!(alerts::post))
        .routes(routes!(alerts::post_splunk))
        .routes(routes!(tickets::post))
        .routes(routes!(alert_queue::queue))
        .routes(routes!(alert_queue::proposals))
        .routes(routes!(entries::entries))
        .routes(routes!(entries::entry))
        .routes(routes!(entries::receipt))
        .routes(routes!(entries::by_jti))
        .routes(routes!(entries::ledger_stream))
        .routes(routes!(entries::stream))
        .routes(routes!(entries::ledger_stream_seqs))
        .routes(routes!(entries::stream_seqs))
        .routes(routes!(incidents::list))
        .routes(routes!(incidents::one))
        .routes(routes!(incidents::diff))
        .routes(routes!(incidents::gates))
        .routes(routes!(incidents::timeline))
        .routes(routes!(custody::get))
        .routes(routes!(incidents::search))
        .routes(routes!(follow::follow))
        .routes(routes!(measures::handlers::list))
        .routes(routes!(measures::handlers::metric_by_name))
        .routes(routes!(learning::get_lessons))
        .routes(routes!(learning::get_owed))
        .routes(routes!(proofs::checkpoint))
        .routes(routes!(proofs::inclusion))
        .routes(routes!(proofs::consistency))
        .routes(routes!(proofs::keys))
        .routes(routes!(proofs::keyring))
        .routes(routes!(login::offer, login::login))
        .routes(routes!(login::logout))
        .routes(routes!(login::whoami))
        .routes(routes!(health::healthz))
        .routes(routes!(health::readyz))
        .routes(routes!(health::metrics))
}

/// The service.
pub fn router(app: Arc<App>) -> Router {
    let (routes, _) = routes().split_for_parts();
    routes
        .route("/tile/{*path}", axum::routing::get(proofs::tile))
        .merge(docs::routes())
        .fallback(|| async { Problem::new("not-found", "no such path; /docs lists them") })
        .method_not_allowed_fallback(|| async { Problem::new("method", "this path is not for this method") })
        .layer(DefaultBodyLimit::max(app.config.body_bytes_max))
        .layer(middleware::from_fn_with_state(Arc::clone(&app), around))
        .with_state(app)
}

/// Around every request.
async fn around(State(app): State<Arc<App>>, mut request: Request, next: Next) -> Response {
    let start = Instant::now();
    let id = request_id(&app, &request);
    let method = request.method().clone();
    let path = request.extensions().get::<MatchedPath>().map_or("-", MatchedPath::as_str).to_owned();
    // A method that a client made up must not become a series of numbers of its own.
    let known = [Method::GET, Method::HEAD, Method::POST, Method::DELETE, Method::OPTIONS].contains(&method);
    let route = if known { format!("{method} {path}") } else { format!("other {path}") };
    let span = span(&route, &path);
    let room = room_for_body(&app, &request);
    if let Ok(room) = &room {
        request.extensions_mut().insert(room.clone());
    }
    let caller = CallerName::default();
    request.extensions_mut().insert(caller.clone());
    let answered = match &room {
        Err(problem) => Ok(problem.clone().into_response()),
        Ok(_) => tokio::time::timeout(app.config.request_time_max, next.run(request).instrument(span.clone())).await,
    };
    let response = answered.unwrap_or_else(|_| {
        Problem::new("timeout", "the request was not complete in time; nothing is known to be recorded").into_response()
    });
    let mut response = as_problem(&app, response).await;
    let (status, code) = (response.status(), response.extensions().get::<Code>().map(|code| code.0));
    span.record("http.response.status_code", status.as_u16());
    if let Some(code) = code.filter(|_| status.is_server_error()) {
        span.record("otel.status_code", "ERROR").record("error.type", code);
    }
    drop(span);
    app.metrics.answered(&route, status.as_u16(), code, start.elapsed());
    let ms = start.elapsed().as_secs_f64() * 1000.0;
    let caller = caller.0.get().map_or("-", String::as_str);
    tracing::info!(id, caller, %method, path, status = status.as_u16(), code, ms, "request");
    let headers = response.headers_mut();
    if let Ok(id) = HeaderValue::from_str(&id) {
        headers.insert(REQUEST_ID, id);
    }
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    if !headers.contains_key(header::CACHE_CONTROL) {
        headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    }
    response
}

/// For whoever collects spans (OpenTelemetry's conventions for HTTP): the route, and nothing of what was asked.
fn span(route: &str, path: &str) -> tracing::Span {
    tracing::info_span!(
        "request",
        otel.name = route,
        otel.kind = "server",
        otel.status_code = Empty,
        http.route = path,
        http.response.status_code = Empty,
        error.r#type = Empty,
    )
}

/// A share of the memory for bodies, until the request is answered, and until work on other threads that goes on with the
/// body is done: that holds a clone, so that a request which took too long is not forgotten before its body is.
#[derive(Debug, Clone)]
pub(crate) struct Room(#[expect(dead_code, reason = "it is only held")] Option<Arc<OwnedSemaphorePermit>>);

/// Room for a request's body. One that doesn't say how large it is gets the most that it can have.
fn room_for_body(app: &App, request: &Request) -> Result<Room, Problem> {
    if matches!(*request.method(), Method::GET | Method::HEAD) {
        return Ok(Room(None));
    }
    let declared = request.headers().get(header::CONTENT_LENGTH).and_then(|value| value.to_str().ok()?.parse().ok());
    let bytes: usize = declared.unwrap_or(app.config.body_bytes_max);
    if bytes > app.config.body_bytes_max {
        return Err(too_large_problem(app));
    }
    let share = u32::try_from(kib(bytes)).unwrap_or(u32::MAX);
    let room = Arc::clone(&app.bodies).try_acquire_many_owned(share);
    room.map(|room| Room(Some(Arc::new(room))))
        .map_err(|_| Problem::new("busy", "too much is being sent at once").retry_after(1_000))
}

fn too_large_problem(app: &App) -> Problem {
    Problem::new("too-large", format!("a body has at most {} bytes here", app.config.body_bytes_max))
}

fn request_id(app: &App, request: &Request) -> String {
    let sent = request.headers().get(REQUEST_ID).and_then(|id| id.to_str().ok());
    let fine = |id: &&str| {
        !id.is_empty()
            && id.len() <= REQUEST_ID_LEN_MAX
            && id.bytes().all(|b| b.is_ascii_alphanumeric() || b"._-".contains(&b))
    };
    sent.filter(fine).map_or_else(|| blotter_record::base64url::encode(&app.random::<9>()), str::to_owned)
}

/// What the framework refuses by itself becomes a problem of ours.
async fn as_problem(app: &App, response: Response) -> Response {
    let status = response.status();
    let ours = response.extensions().get::<Code>().is_some();
    if ours || !(status.is_client_error() || status.is_server_error()) {
        return response;
    }
    let (_, body) = response.into_parts();
    let text = axum::body::to_bytes(body, 4096).await.map(|bytes| String::from_utf8_lossy(&bytes).into_owned());
    let text = text.unwrap_or_default();
    match status {
        StatusCode::PAYLOAD_TOO_LARGE => too_large_problem(app),
        StatusCode::UNSUPPORTED_MEDIA_TYPE => Problem::new("media-type", text),
        StatusCode::METHOD_NOT_ALLOWED => Problem::new("method", "this path is not for this method"),
        StatusCode::NOT_FOUND => Problem::new("not-found", text),
        status if status.is_server_error() => {
            tracing::error!(%status, text, "an answer that nobody planned");
            Problem::new("unavailable", "the server's own fault; its log says why")
        }
        _ if text.contains("query string") || text.contains("Invalid URL") => Problem::new("bad-parameter", text),
        _ => Problem::new("bad-request", text),
    }
    .into_response()
}
