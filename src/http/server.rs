//! Listeners: bound before anything is said to be ready, drained before the process ends.

use super::health::{Readiness, health_routes, metrics_routes};
use super::{Api, log_and_count, routes};
use crate::metrics::Metrics;
use actix_web::dev::{Server, ServerHandle};
use actix_web::middleware::from_fn;
use actix_web::web::{Data, ServiceConfig};
use actix_web::{App, HttpServer};
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use tokio::time::{Duration, timeout};

/// How long an idle connection of a client is kept. Longer than the few seconds between two polls of `api-service`,
/// so that it need not connect for each.
const KEEP_ALIVE: Duration = Duration::from_secs(75);

/// Routes besides the API's, given by the sandbox.
pub type MoreRoutes = Arc<dyn Fn(&mut ServiceConfig) + Send + Sync>;

/// A listener that serves.
#[derive(Debug)]
pub struct Listener {
    addr: SocketAddr,
    handle: ServerHandle,
}

impl Listener {
    /// Where it listens; with the port that was found if any free one was asked for.
    #[must_use]
    pub fn addr(&self) -> SocketAddr {
        self.addr
    }

    /// Accepts no more connections and lets requests that are under way end; after `patience` they are cut off.
    pub async fn drain(&self, patience: Duration) {
        if timeout(patience, self.handle.stop(true)).await.is_err() {
            log::warn!("requests were still under way after {}ms and are cut off", patience.as_millis());
            self.close().await;
        }
    }

    /// Ends at once.
    pub async fn close(&self) {
        self.handle.stop(false).await;
    }

    fn start(addrs: Vec<SocketAddr>, server: Server) -> io::Result<Self> {
        let addr = addrs.first().copied().ok_or_else(|| io::Error::other("nothing was bound"))?;
        let handle = server.handle();
        tokio::spawn(server);
        Ok(Self { addr, handle })
    }
}

/// Serves the API, and `more`, on `addr`; `patience` is for [`Listener::drain`].
///
/// # Errors
/// If the address cannot be bound.
pub fn serve_api(
    addr: SocketAddr,
    api: Arc<Api>,
    patience: Duration,
    more: Option<MoreRoutes>,
) -> io::Result<Listener> {
    let server = HttpServer::new(move || {
        App::new().app_data(Data::from(Arc::clone(&api))).wrap(from_fn(log_and_count)).configure(|config| {
            if let Some(more) = &more {
                more(config);
            }
            routes(config);
        })
    })
    .keep_alive(KEEP_ALIVE)
    .tcp_nodelay(true)
    // A caller that hangs up gives up: its handler is dropped, and a fetch that nobody else waits for spends nothing
    // more. (actix would let it run on, for clients that only close their sending half.)
    .h1_allow_half_closed(false)
    // While it drains, actix hears nothing else: this is what cuts requests off. It counts whole seconds.
    .shutdown_timeout(patience.as_secs().max(1))
    .disable_signals()
    .bind(addr)?;
    Listener::start(server.addrs(), server.run())
}

/// Serves `/readyz` and `/livez` on `addr`.
///
/// # Errors
/// If the address cannot be bound.
pub fn serve_health(addr: SocketAddr, readiness: Readiness) -> io::Result<Listener> {
    let server = HttpServer::new(move || {
        let readiness = readiness.clone();
        App::new().configure(|config| health_routes(config, readiness))
    });
    let server = server.workers(1).disable_signals().bind(addr)?;
    Listener::start(server.addrs(), server.run())
}

/// Serves `/metrics` on `addr`.
///
/// # Errors
/// If the address cannot be bound.
pub fn serve_metrics(addr: SocketAddr, metrics: Arc<Metrics>) -> io::Result<Listener> {
    let server = HttpServer::new(move || {
        let metrics = Arc::clone(&metrics);
        App::new().configure(|config| metrics_routes(config, metrics))
    });
    let server = server.workers(1).disable_signals().bind(addr)?;
    Listener::start(server.addrs(), server.run())
}
