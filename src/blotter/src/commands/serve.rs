//! `blotter serve`: the ledger over HTTP. This process is the ledger's one writer as long as it runs.

use std::collections::HashMap;
use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use anyhow::{Context as _, Result, bail};
use blotter_api::webhooks::{OUTBOX, Webhooks, read_webhooks};
use blotter_api::{App, Config, Limits, Mappings, Notary, Tls};
use blotter_client::Server;
use blotter_exchange::MappingError;
use blotter_exchange::alerts::{Format, Mapping};
use blotter_exchange::tickets::TicketMapping;
use blotter_keys::jwk::thumbprint;
use blotter_projections::VIEWS;
use clap::Args;
use serde_json::json;
use tokio::signal::unix::{SignalKind, signal};

use crate::context::{Context, now_us, random};
use crate::keystore::{LEDGER_KEY, NOTARY_KEY, WEBHOOK_KEY, read_key};
use crate::session::open_writer;

/// Serve the ledger over HTTP
///
/// Programs append statements and alerts, get receipts, and follow the log; auditors fetch checkpoints, tiles and proofs.
/// The paths are at /docs of the running server, and in /openapi.json.
///
/// It listens on the loopback interface. Elsewhere it wants a certificate (--tls-cert and --tls-key, PEM, read again when
/// they change), or --plain-http if something in front of it does TLS. Ctrl-C or SIGTERM ends it: requests under way are
/// finished, and what was accepted is committed.
///
/// Example: blotter serve --dir ledger --listen 0.0.0.0:8443 --tls-cert cert.pem --tls-key key.pem --url https://ledger.example.org
#[derive(Debug, Args)]
pub(crate) struct Serve {
    /// Where to listen; port 0 takes a free one, and says which
    #[arg(long, value_name = "ADDRESS:PORT", default_value = "127.0.0.1:8443")]
    listen: SocketAddr,

    /// The URL under which clients reach it, which people sign when they sign in; by default that of --listen
    #[arg(long, value_name = "URL")]
    url: Option<String>,

    /// The certificate and its chain
    #[arg(long, value_name = "FILE", requires = "tls_key")]
    tls_cert: Option<PathBuf>,

    /// The certificate's private key
    #[arg(long, value_name = "FILE", requires = "tls_cert")]
    tls_key: Option<PathBuf>,

    /// Speak plain HTTP on an address that others can reach
    #[arg(long)]
    plain_http: bool,

    /// Take alerts at /v1/alerts/NAME as this mapping file says; can be said more than once (src/exchange/ALERTS.md)
    #[arg(long, value_name = "NAME=FILE", value_parser = mapping)]
    alert_mapping: Vec<(String, PathBuf)>,

    /// Take what an ITSM tool says of its tickets at /v1/tickets/NAME as this mapping file says; can be said more than once
    /// (src/exchange/TICKETS.md)
    #[arg(long, value_name = "NAME=FILE", value_parser = mapping)]
    ticket_mapping: Vec<(String, PathBuf)>,

    /// Send webhooks as this file says (TOML; `blotter webhook --help` has an example)
    #[arg(long, value_name = "FILE")]
    webhooks: Option<PathBuf>,

    /// Send spans of requests and commits to this OpenTelemetry collector (OTLP over HTTP), such as http://127.0.0.1:4318
    #[arg(long, value_name = "URL")]
    otlp: Option<Server>,

    /// Requests a second that one token or session may make
    #[arg(long, value_name = "N", default_value_t = 2_000)]
    rate: u32,

    /// Connections at a time
    #[arg(long, value_name = "N", default_value_t = 1_024)]
    connections: usize,

    /// Bytes of a request's body, at most
    #[arg(long, value_name = "BYTES", default_value_t = 32 * 1_048_576)]
    body_bytes: usize,

    /// Seconds that a request may take
    #[arg(long, value_name = "SECONDS", default_value_t = 30)]
    request_seconds: u64,
}

impl Serve {
    /// Where spans go.
    pub(crate) fn collector(&self) -> Option<&Server> {
        self.otlp.as_ref()
    }
}

pub(crate) fn run(context: &Context, args: &Serve) -> Result<()> {
    let tls = match (&args.tls_cert, &args.tls_key) {
        (Some(certificate), Some(key)) => Some(Arc::new(Tls::open(certificate.clone(), key.clone())?)),
        _ => None,
    };
    if tls.is_none() && !args.plain_http && !is_loopback(args.listen.ip()) {
        bail!(
            "--listen {}: others can reach this address, so it wants a certificate (--tls-cert FILE --tls-key FILE); with \
             TLS done by something in front of it, say --plain-http",
            args.listen
        );
    }
    let endpoints = args.webhooks.as_deref().map(read_webhooks).transpose()?.unwrap_or_default();
    let mappings = Mappings {
        alerts: mappings(&args.alert_mapping, Mapping::parse)?,
        tickets: mappings(&args.ticket_mapping, TicketMapping::parse)?,
    };
    let ledger = open_writer(context)?;
    let notary = own_actor(context, &ledger, NOTARY_KEY)?;
    let webhooks = match endpoints.is_empty() {
        true => None,
        false => Some(Webhooks {
            endpoints,
            key: read_key(context, &context.keys_dir().join(format!("{WEBHOOK_KEY}.key")))
                .context("the key that signs webhooks; `blotter webhook key` makes one")?,
            own: own_actor(context, &ledger, LEDGER_KEY)?,
            outbox: context.dir().join(OUTBOX),
        }),
    };
    let stopping = Arc::new(AtomicBool::new(false));
    let runtime = tokio::runtime::Runtime::new().context("starting the threads of the server")?;
    let served = runtime.block_on(async {
        let listener = tokio::net::TcpListener::bind(args.listen).await;
        let listener = listener.with_context(|| format!("--listen {}", args.listen))?;
        let address = listener.local_addr().context("the address that it listens on")?;
        let scheme = if tls.is_some() { "https" } else { "http" };
        let url = args.url.clone().unwrap_or_else(|| format!("{scheme}://{address}"));
        let config = Config {
            url: url.trim_end_matches('/').to_owned(),
            body_bytes_max: args.body_bytes,
            request_time_max: Duration::from_secs(args.request_seconds),
            rate_max: f64::from(args.rate.max(1)),
            ..Config::default()
        };
        let limits = Limits { connections_max: args.connections.max(1), ..Limits::default() };
        let app =
            App::new(ledger, notary, mappings, context.dir().join(VIEWS), config, Box::new(now_us), Box::new(random))?;
        let couriers = webhooks.map(|webhooks| webhooks.start(&app, &stopping)).transpose()?.unwrap_or_default();
        let stop = stopped()?;
        let size = app.size();
        context.out.result(&json!({ "listening": address.to_string(), "url": url, "size": size }), || {
            format!("listening on {scheme}://{address} (the paths: {url}/docs); {size} entries; Ctrl-C ends it")
        });
        blotter_api::serve(Arc::clone(&app), listener, tls, limits, stop).await.context("the listener")?;
        stopping.store(true, Ordering::Relaxed);
        couriers.into_iter().for_each(|courier| drop(courier.join()));
        anyhow::Ok(app)
    });
    // Whatever still runs on other threads must let go of the ledger before it can close.
    runtime.shutdown_timeout(Duration::from_secs(10));
    let app = served?;
    let size = app.size();
    drop(app);
    context.out.note(&format!("ended with {size} entries"));
    Ok(())
}

fn is_loopback(ip: IpAddr) -> bool {
    ip.is_loopback()
}

fn mapping(text: &str) -> Result<(String, PathBuf), String> {
    let (name, file) = text.split_once('=').ok_or("NAME=FILE is wanted")?;
    let plain = !name.is_empty() && name.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-');
    if !plain || name.parse::<Format>().is_ok() {
        return Err("NAME is of a-z, 0-9 and -, and not one of the formats that are there already".to_owned());
    }
    Ok((name.to_owned(), file.into()))
}

fn mappings<M>(files: &[(String, PathBuf)], parse: fn(&str) -> Result<M, MappingError>) -> Result<HashMap<String, M>> {
    let read = |(name, path): &(String, PathBuf)| {
        let text = std::fs::read_to_string(path).with_context(|| path.display().to_string())?;
        let mapping = parse(&text).with_context(|| path.display().to_string())?;
        anyhow::Ok((name.clone(), mapping))
    };
    files.iter().map(read).collect()
}

/// An actor of the ledger's own, if its key is here.
fn own_actor(context: &Context, ledger: &blotter_ledger::Ledger, name: &str) -> Result<Option<Notary>> {
    let path = context.keys_dir().join(format!("{name}.key"));
    if !path.exists() {
        return Ok(None);
    }
    let key = read_key(context, &path).with_context(|| format!("the key {name}"))?;
    let keyring = ledger.keyring();
    let enrolled =
        keyring.key(&thumbprint(key.public())).with_context(|| format!("{}: not enrolled", path.display()))?;
    Ok(Some(Notary { actor: enrolled.actor.clone(), key }))
}

fn stopped() -> Result<impl Future<Output = ()>> {
    let mut terminate = signal(SignalKind::terminate()).context("watching for SIGTERM")?;
    let mut interrupt = signal(SignalKind::interrupt()).context("watching for SIGINT")?;
    Ok(async move {
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
    })
}
