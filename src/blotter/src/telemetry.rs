//! What the program says of its own work: a log on stderr; and, if a collector was named (`serve --otlp`), spans of
//! requests and commits in OpenTelemetry's protocol. Spans hold routes, statuses, counts and times: no path, no caller,
//! no token, nothing that a statement says. They go out as all requests do, and what can't be sent is dropped.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::time::Duration;

use anyhow::{Context as _, Result};
use blotter_client::{Options, Server};
use opentelemetry::KeyValue;
use opentelemetry::trace::TracerProvider as _;
use opentelemetry_http::{Bytes, HttpClient, HttpError, Request, Response};
use opentelemetry_otlp::{Protocol, SpanExporter, WithExportConfig, WithHttpConfig};
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::trace::SdkTracerProvider;
use tracing::level_filters::LevelFilter;
use tracing_subscriber::filter::filter_fn;
use tracing_subscriber::layer::{Layer, SubscriberExt};
use tracing_subscriber::util::SubscriberInitExt;

/// How long the collector may take for one batch.
const EXPORT_TIME_MAX: Duration = Duration::from_secs(10);

/// A command's log: it has something to say only if it is wrong.
pub(crate) fn for_a_command() {
    tracing_subscriber::fmt().with_writer(std::io::stderr).with_max_level(LevelFilter::WARN).without_time().init();
}

/// A server's log is for machines: a JSON object a line, with times. Spans go to `collector`, if there is one.
///
/// # Errors
/// If nothing could be sent to it.
pub(crate) fn for_a_server(collector: Option<&Server>) -> Result<Spans> {
    let provider = collector.map(provider).transpose()?;
    let spans = provider.as_ref().map(|provider| {
        let layer = tracing_opentelemetry::layer().with_tracer(provider.tracer("blotter"));
        let layer = layer.with_location(false).with_threads(false).with_target(false).with_tracked_inactivity(false);
        layer.with_filter(filter_fn(|what| what.is_span() && what.target().starts_with("blotter")))
    });
    let log = tracing_subscriber::fmt::layer().json().flatten_event(true).with_writer(std::io::stderr);
    let log = log.with_current_span(false).with_span_list(false);
    let log = log.with_filter(filter_fn(|what| what.is_event()).with_max_level_hint(LevelFilter::INFO));
    tracing_subscriber::registry().with(log).with(spans).init();
    Ok(Spans(provider))
}

/// Spans that are not sent yet; dropping this sends them.
pub(crate) struct Spans(Option<SdkTracerProvider>);

impl Drop for Spans {
    fn drop(&mut self) {
        if let Some(provider) = &self.0 {
            // Why not, the sender has said.
            let _ = provider.shutdown_with_timeout(EXPORT_TIME_MAX);
        }
    }
}

fn provider(collector: &Server) -> Result<SdkTracerProvider> {
    // There is no token, so plain HTTP gives none away.
    let options = Options { plain_http: true, ..Options::default() };
    let agent = blotter_client::agent(collector, &options, EXPORT_TIME_MAX)?;
    let exporter = SpanExporter::builder()
        .with_http()
        .with_http_client(Outgoing { agent, collector: collector.to_string() })
        .with_protocol(Protocol::HttpBinary)
        .with_endpoint(format!("{collector}/v1/traces"))
        .with_timeout(EXPORT_TIME_MAX)
        .build()
        .with_context(|| format!("--otlp {collector}"))?;
    let resource = Resource::builder()
        .with_service_name("blotter")
        .with_attribute(KeyValue::new("service.version", env!("CARGO_PKG_VERSION")));
    Ok(SdkTracerProvider::builder().with_resource(resource.build()).with_batch_exporter(exporter).build())
}

/// Sends batches of spans, on the exporter's own thread.
struct Outgoing {
    agent: ureq::Agent,
    collector: String,
}

impl fmt::Debug for Outgoing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Outgoing").field(&self.collector).finish()
    }
}

impl Outgoing {
    fn send(&self, request: Request<Bytes>) -> Result<Response<Bytes>, ureq::Error> {
        let (parts, body) = request.into_parts();
        let (parts, mut body) = self.agent.run(Request::from_parts(parts, &body[..]))?.into_parts();
        Ok(Response::from_parts(parts, Bytes::from(body.read_to_vec()?)))
    }
}

impl HttpClient for Outgoing {
    // As `async_trait` would write it.
    fn send_bytes<'a, 'f>(
        &'a self,
        request: Request<Bytes>,
    ) -> Pin<Box<dyn Future<Output = Result<Response<Bytes>, HttpError>> + Send + 'f>>
    where
        'a: 'f,
        Self: 'f,
    {
        let sent = self.send(request);
        match &sent {
            Ok(answer) if answer.status().is_success() => {}
            Ok(answer) => tracing::warn!(self.collector, status = answer.status().as_u16(), "spans were not taken"),
            Err(error) => tracing::warn!(self.collector, %error, "spans could not be sent"),
        }
        Box::pin(std::future::ready(sent.map_err(HttpError::from)))
    }
}
