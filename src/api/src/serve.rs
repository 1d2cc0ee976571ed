//! The listener: connections in, with limits on how many, how long and how large; and an end that finishes what was begun.

use std::convert::Infallible;
use std::future::Future;
use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use axum::Router;
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::server::graceful::GracefulShutdown;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpListener;
use tokio::sync::Semaphore;
use tower_service::Service;

use crate::app::App;
use crate::router::router;
use crate::tls::Tls;

/// What a connection may cost.
#[derive(Debug, Clone)]
pub struct Limits {
    /// Connections at a time; more wait in the kernel's queue.
    pub connections_max: usize,
    /// How long the headers of a request may take to arrive, a TLS handshake too.
    pub header_time_max: Duration,
    /// Bytes of a request's headers, at most.
    pub header_bytes_max: usize,
    /// How long requests under way may take to end when the server ends.
    pub end_time_max: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            connections_max: 1_024,
            header_time_max: Duration::from_secs(10),
            header_bytes_max: 32 * 1024,
            end_time_max: Duration::from_secs(10),
        }
    }
}

/// Where a request comes from: who opened its connection, which may be a proxy.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Peer(pub(crate) IpAddr);

/// Serves until `stop` is done; then takes no connection any more, finishes the requests under way, and returns. What the
/// writer was given is committed when the last handle to `app` is dropped.
///
/// # Errors
/// If the listener fails for good.
pub async fn serve(
    app: Arc<App>,
    listener: TcpListener,
    tls: Option<Arc<Tls>>,
    limits: Limits,
    stop: impl Future<Output = ()>,
) -> std::io::Result<()> {
    let routes = router(Arc::clone(&app));
    let (connections, graceful) = (Arc::new(Semaphore::new(limits.connections_max)), GracefulShutdown::new());
    let over = Arc::new(AtomicBool::new(false));
    let watcher = {
        let (app, over) = (Arc::clone(&app), Arc::clone(&over));
        tokio::task::spawn_blocking(move || app.watch_commits(&over))
    };
    let follower = {
        let (app, over) = (Arc::clone(&app), Arc::clone(&over));
        tokio::task::spawn_blocking(move || app.views.follow(&app, &over))
    };
    let mut stop = std::pin::pin!(stop);
    let mut hourly = tokio::time::interval(Duration::from_secs(60));
    loop {
        let permit = tokio::select! {
            permit = Arc::clone(&connections).acquire_owned() => permit.expect("nobody closes it"),
            () = &mut stop => break,
        };
        let stream = loop {
            tokio::select! {
                accepted = listener.accept() => match accepted {
                    Ok((stream, address)) => break Some((stream, Peer(address.ip()))),
                    // Too many open files, mostly: that passes.
                    Err(error) => {
                        tracing::warn!(%error, "a connection could not be taken");
                        tokio::time::sleep(Duration::from_millis(100)).await;
                    }
                },
                _ = hourly.tick() => if let Some(tls) = &tls { tls.reload() },
                () = &mut stop => break None,
            }
        };
        let Some((stream, peer)) = stream else { break };
        let _ = stream.set_nodelay(true);
        let watch = graceful.watcher();
        let (routes, tls, limits, app) = (routes.clone(), tls.clone(), limits.clone(), Arc::clone(&app));
        tokio::spawn(async move {
            let _permit = permit;
            app.metrics.connections.inc();
            match tls {
                None => connection(stream, peer, routes, &limits, watch).await,
                Some(tls) => {
                    let handshake = tokio::time::timeout(limits.header_time_max, tls.acceptor().accept(stream)).await;
                    if let Ok(Ok(stream)) = handshake {
                        connection(stream, peer, routes, &limits, watch).await;
                    }
                }
            }
            app.metrics.connections.dec();
        });
    }
    drop(listener);
    app.end_following();
    if tokio::time::timeout(limits.end_time_max, graceful.shutdown()).await.is_err() {
        tracing::warn!("some requests did not end in time; their connections are cut");
    }
    over.store(true, Ordering::Relaxed);
    let _ = (watcher.await, follower.await);
    Ok(())
}

async fn connection(
    stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static,
    peer: Peer,
    routes: Router,
    limits: &Limits,
    watch: hyper_util::server::graceful::Watcher,
) {
    let service = service_fn(move |mut request: hyper::Request<Incoming>| {
        request.extensions_mut().insert(peer);
        let mut routes = routes.clone();
        async move { Ok::<_, Infallible>(routes.call(request).await.unwrap_or_else(|never| match never {})) }
    });
    let served = hyper::server::conn::http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(limits.header_time_max)
        .max_buf_size(limits.header_bytes_max.max(8_192))
        .serve_connection(TokioIo::new(stream), service);
    if let Err(error) = watch.watch(served).await {
        tracing::debug!(%error, "a connection ended badly");
    }
}
