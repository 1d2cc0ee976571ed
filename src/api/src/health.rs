//! Whether the server lives, is ready, and its numbers.

use std::sync::Arc;

use axum::extract::State;
use axum::http::{HeaderValue, header};
use axum::response::{IntoResponse, Response};

use crate::app::App;
use crate::problem::Problem;

/// Whether the process lives
#[utoipa::path(get, path = "/healthz", tag = "operation", responses((status = 200, description = "It does", body = String, content_type = "text/plain")))]
pub(crate) async fn healthz() -> &'static str {
    "ok\n"
}

/// Whether statements can be recorded
#[utoipa::path(get, path = "/readyz", tag = "operation", responses(
    (status = 200, description = "They can", body = String, content_type = "text/plain"),
    (status = 503, description = "The writer is shut, or too much is waiting", body = Problem, content_type = "application/problem+json"),
))]
pub(crate) async fn readyz(State(app): State<Arc<App>>) -> Result<&'static str, Problem> {
    if app.ledger.poisoned().is_some() {
        return Err(Problem::new("shut", "the last commit failed; the operator must open the ledger again"));
    }
    if app.ledger.waiting() > blotter_ledger::QUEUE_STATEMENTS_MAX / 2 {
        return Err(Problem::new("unavailable", "behind: more than half of the queue is taken"));
    }
    Ok("ready\n")
}

/// Numbers for Prometheus
#[utoipa::path(get, path = "/metrics", tag = "operation", responses(
    (status = 200, description = "OpenMetrics", body = String, content_type = "application/openmetrics-text"),
))]
pub(crate) async fn metrics(State(app): State<Arc<App>>) -> Response {
    let media_type = HeaderValue::from_static("application/openmetrics-text; version=1.0.0; charset=utf-8");
    ([(header::CONTENT_TYPE, media_type)], app.metrics.text(&app)).into_response()
}
