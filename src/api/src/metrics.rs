//! Numbers for Prometheus, in its text format (OpenMetrics).

use std::sync::atomic::AtomicU64;
use std::time::Duration;

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::{Histogram, exponential_buckets};
use prometheus_client::registry::Registry;

use crate::app::App;

pub(crate) struct Metrics {
    registry: Registry,
    requests: Family<Route, Counter>,
    refusals: Family<Code, Counter>,
    seconds: Family<Route, Histogram>,
    pub(crate) connections: Gauge,
    size: Gauge<i64>,
    waiting: Gauge<i64>,
    poisoned: Gauge<i64>,
    appended: Counter<u64, AtomicU64>,
    commit_seconds: Histogram,
    batch: Histogram,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Route {
    route: String,
    status: u16,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Code {
    code: String,
}

impl Default for Metrics {
    fn default() -> Self {
        let seconds = || Histogram::new(exponential_buckets(0.000_25, 2.0, 16));
        let metrics = Self {
            registry: Registry::default(),
            requests: Family::default(),
            refusals: Family::default(),
            seconds: Family::new_with_constructor(seconds),
            connections: Gauge::default(),
            size: Gauge::default(),
            waiting: Gauge::default(),
            poisoned: Gauge::default(),
            appended: Counter::default(),
            commit_seconds: seconds(),
            batch: Histogram::new(exponential_buckets(1.0, 2.0, 9)),
        };
        metrics.registered()
    }
}

impl Metrics {
    fn registered(mut self) -> Self {
        let to = &mut self.registry;
        to.register("blotter_requests", "Requests answered", self.requests.clone());
        to.register("blotter_refusals", "Problems answered, by code", self.refusals.clone());
        to.register("blotter_request_seconds", "Time from request to answer", self.seconds.clone());
        to.register("blotter_connections", "Open connections", self.connections.clone());
        to.register("blotter_log_size", "Entries of the log", self.size.clone());
        to.register("blotter_queue_depth", "Statements that wait for the writer", self.waiting.clone());
        to.register("blotter_poisoned", "1 if the writer is shut after a failed commit", self.poisoned.clone());
        to.register("blotter_appended", "Statements recorded through this server", self.appended.clone());
        to.register(
            "blotter_append_seconds",
            "Time from queue to durable, a statement or list",
            self.commit_seconds.clone(),
        );
        to.register("blotter_append_statements", "Statements of one append", self.batch.clone());
        self
    }

    /// Takes note of an answer.
    pub(crate) fn answered(&self, route: &str, status: u16, code: Option<&str>, time: Duration) {
        let route = Route { route: route.to_owned(), status };
        self.requests.get_or_create(&route).inc();
        self.seconds.get_or_create(&route).observe(time.as_secs_f64());
        if let Some(code) = code {
            self.refusals.get_or_create(&Code { code: code.to_owned() }).inc();
        }
    }

    /// Takes note of `count` statements that the writer took, or not, in this time.
    pub(crate) fn appended(&self, count: usize, recorded: usize, time: Duration) {
        self.appended.inc_by(recorded as u64);
        self.batch.observe(count as f64);
        self.commit_seconds.observe(time.as_secs_f64());
    }

    /// Everything, as text.
    pub(crate) fn text(&self, app: &App) -> String {
        self.size.set(i64::try_from(app.ledger.size()).unwrap_or(i64::MAX));
        self.waiting.set(i64::try_from(app.ledger.waiting()).unwrap_or(i64::MAX));
        self.poisoned.set(i64::from(app.ledger.poisoned().is_some()));
        let mut text = String::new();
        if let Err(error) = prometheus_client::encoding::text::encode(&mut text, &self.registry) {
            tracing::error!(%error, "the metrics can't be written");
        }
        text
    }
}
