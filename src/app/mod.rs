//! The composition root: builds every layer from the settings, hands plain values down, serves, and drains.

pub(crate) mod assembly;
mod client;
mod credentials;
mod descriptors;
pub mod doctor;
mod error;
mod namespace;
pub mod reload;
#[cfg(feature = "sandbox")]
pub mod sandbox;
pub mod sweep;
mod tuning;

pub use credentials::check_credentials;
pub use error::StartError;

use crate::aenv::templates::Templates;
use crate::cluster::Writer;
use crate::cluster::locate::{Located, locate};
use crate::config::{self, Settings};
use crate::http::server::{Limits, Listener, MoreRoutes, serve_api, serve_health, serve_metrics};
use crate::http::{Readiness, Workers};
use crate::reload::Metrics as ReloadMetrics;
use crate::syntax::Faults;
use assembly::{Assembly, replica_name};
use client::connect;
use namespace::Namespace;
use std::net::SocketAddr;
use tokio::time::{Duration, Instant, sleep, timeout_at};
use tuning::Tuning;

/// A controller that serves.
pub struct Running {
    api: Listener,
    health: Listener,
    metrics: Listener,
    readiness: Readiness,
    workers: Workers,
    writer: Writer,
    lame_duck: Duration,
    drain: Duration,
    tuning: Tuning,
    reloads: ReloadMetrics,
}

impl Running {
    /// Address of the API.
    pub fn api_addr(&self) -> SocketAddr {
        self.api.addr()
    }

    /// Address of `/readyz` and `/livez`.
    pub fn health_addr(&self) -> SocketAddr {
        self.health.addr()
    }

    /// Address of `/metrics`.
    pub fn metrics_addr(&self) -> SocketAddr {
        self.metrics.addr()
    }

    /// Takes on what `settings` say now, as far as that can be changed while running; what is kept is kept. The other
    /// keys are left alone.
    pub fn retune(&self, settings: &Settings) {
        self.tuning.set(settings);
    }

    /// Waits until a worker of the API has crashed; the process should end then.
    pub async fn worker_crashed(&self) {
        self.workers.crashed().await;
    }

    /// Says that it is not ready any more, and goes on for `server.lame_duck_ms`: the time that those who balance
    /// the load need to notice. Callers are asked to connect elsewhere.
    pub async fn retire(&self) {
        self.readiness.withdraw();
        sleep(self.lame_duck).await;
    }

    /// Stops: not ready any more, then no new connections, then, once requests under way have ended or `drain_ms`
    /// is over, the end. `/readyz` and `/metrics` answer until then. A write whose caller is gone is still brought to
    /// its end, or undone, within the same time.
    pub async fn stop(self) {
        self.readiness.withdraw();
        let end = Instant::now() + self.drain;
        self.api.drain(patience(self.drain)).await;
        if timeout_at(end, self.writer.ended()).await.is_err() {
            log::warn!("writes were still under way after {}ms and are cut off", self.drain.as_millis());
        }
        self.health.close().await;
        self.metrics.close().await;
    }
}

/// The part of the drain time that requests have; the rest is for undoing what those that are cut off have begun.
fn patience(drain: Duration) -> Duration {
    drain * 3 / 4
}

/// Checks the templates that `settings` mean, and gives back warnings about those that can be used.
pub fn check_templates(settings: &Settings) -> Result<Vec<String>, Faults> {
    let templates = Templates::load(Some(&settings.templates.dir))?.if_sound()?;
    let ignored = templates.warnings().map(ToString::to_string);
    Ok(ignored.chain(Namespace::choose(settings, &templates).warning).collect())
}

/// Finds the cluster that `settings` mean. Makes no call.
///
/// # Errors
/// [`StartError::Cluster`], which names what was tried.
pub async fn find_cluster(settings: &Settings) -> Result<Located, StartError> {
    let config::Kubernetes { kubeconfig, context, .. } = &settings.kubernetes;
    Ok(locate(kubeconfig.as_deref(), context.as_deref()).await?)
}

/// Starts serving. No call is made to the API server until somebody asks.
///
/// `more` adds routes to the API's listener.
///
/// # Errors
/// [`StartError`]; the process should end then.
pub fn start(settings: &Settings, cluster: Located, more: Option<MoreRoutes>) -> Result<Running, StartError> {
    log::info!("🚀 Starting aenv-controller {} as replica {}", env!("CARGO_PKG_VERSION"), replica_name());
    let server = &settings.server;
    let origin = format!("{} from {}", cluster.config.cluster_url, cluster.source);
    let Assembly { api, writer, workers, tuning, registry, reloads, credentials } =
        Assembly::new(settings, connect(settings, cluster)?, &origin)?;

    let listen = |key, addr| move |error| StartError::Listen { key, addr, error };
    let health_addr = SocketAddr::new(server.bind, server.readiness_port);
    let api_addr = SocketAddr::new(server.bind, server.port);
    let guard = credentials.tokens.filter(|_| settings.auth.metrics);
    let readiness = api.readiness.clone();
    let metrics = serve_metrics(server.metrics_addr, registry, guard, api.allowed_hosts.clone())
        .map_err(listen("server.metrics_addr, --metrics-addr", server.metrics_addr))?;
    let limits = Limits {
        connections: descriptors::connections(server.max_connections),
        header_timeout: server.header_timeout,
        write_timeout: server.write_timeout,
        drain: patience(server.drain),
    };
    let api = serve_api(api_addr, api, limits, credentials.certificates, workers.clone(), more)
        .map_err(listen("server.port, --server-port", api_addr))?;
    let health = serve_health(health_addr, readiness.clone(), workers.clone())
        .map_err(listen("server.readiness_port, --readiness-port", health_addr))?;
    log::info!("✅ Ready on {}, readiness on {}, metrics on {}", api.addr(), health.addr(), metrics.addr());
    Ok(Running {
        api,
        health,
        metrics,
        readiness,
        workers,
        writer,
        lame_duck: server.lame_duck,
        drain: server.drain,
        tuning,
        reloads,
    })
}
