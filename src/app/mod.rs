//! The composition root: builds every layer from the settings, hands plain values down, serves, and drains.

mod credentials;
mod descriptors;
pub mod doctor;
mod namespace;
pub mod reload;
#[cfg(feature = "sandbox")]
pub mod sandbox;
pub mod sweep;
mod tuning;

pub use credentials::check_credentials;

use crate::aenv::envhub::EnvHub;
use crate::aenv::instances::Instances;
use crate::aenv::services::Services;
use crate::aenv::templates::{TemplateStore, Templates};
use crate::cluster::locate::{Located, NotLocated, locate};
use crate::cluster::{self, Cluster, Encoding, Writer};
use crate::config::{self, Settings};
use crate::http::server::{Limits, Listener, MoreRoutes, serve_api, serve_health, serve_metrics};
use crate::http::{AllowedHosts, Api, BodyBudget, Readiness, Replica, Waiting, Workers};
use crate::memo::{self, Memo, Way};
use crate::reload::Metrics as ReloadMetrics;
use crate::syntax::Faults;
use crate::telemetry::metrics::Registry;
use crate::{http, throttle};
use credentials::Credentials;
use namespace::Namespace;
use std::io;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use tokio::runtime::Handle;
use tokio::time::{Duration, Instant, sleep, timeout_at};
use tuning::Tuning;

/// Why the controller does not run.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// No cluster, or none that can be used.
    #[error(transparent)]
    Cluster(#[from] NotLocated),
    /// The templates cannot be used.
    #[error("the templates are refused:\n{0}")]
    Templates(Faults),
    /// Tokens or certificates cannot be used.
    #[error("the tokens or certificates are refused:\n{0}")]
    Credentials(Faults),
    /// EnvHub's client cannot be built.
    #[error("the client for EnvHub cannot be built: {0}")]
    EnvHub(#[source] io::Error),
    /// The cluster's credentials or certificates cannot be used.
    #[error("the client for the cluster from {source_name} cannot be built: {error}")]
    Client {
        /// Source of the cluster's address.
        source_name: String,
        /// The cause.
        error: String,
    },
    /// The sandbox's API server does not run.
    #[cfg(feature = "sandbox")]
    #[error("the sandbox's API server cannot be started: {0}")]
    Sandbox(#[source] io::Error),
    /// The doctor's report could not be written.
    #[error("the report cannot be written: {0}")]
    Report(#[source] io::Error),
    /// A listener could not be bound.
    #[error("cannot listen on {addr} ({key}): {error}")]
    Listen {
        /// The setting.
        key: &'static str,
        /// Its address.
        addr: SocketAddr,
        /// Why not.
        error: io::Error,
    },
}

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
    let registry = Registry::new();
    let calls = throttle::Metrics::new(&registry);
    let answers = memo::Metrics::new(&registry);
    let reloads = ReloadMetrics::new(&registry);
    let tuning = Tuning::new(settings, calls.clone());
    let templates =
        Arc::new(TemplateStore::open(settings.templates.dir.clone(), reloads.clone()).map_err(StartError::Templates)?);
    let credentials = Credentials::open(settings, &reloads).map_err(StartError::Credentials)?;
    let current = templates.last();
    let Namespace { name: namespace, warning, .. } = Namespace::choose(settings, &current);
    let namespace = &*namespace;
    announce(settings, &cluster, namespace);
    if let Some(warning) = warning {
        log::warn!("{warning}");
    }
    announce_templates(&settings.templates.dir);
    credentials.announce();

    let look_at_way = || -> memo::LookAtWay {
        let throttle = tuning.throttle.clone();
        Box::new(move || match throttle.is_closed() {
            true => Way::Closed,
            false if throttle.would_wait() => Way::Queueing,
            false => Way::Free,
        })
    };
    let cluster = connect(settings, cluster, namespace, &tuning, cluster::Metrics::new(&registry))?;
    let writer = Writer::new(Arc::new(cluster), Handle::current());
    // Descriptions of environments are few and small; the rest is shared evenly.
    let for_environments = settings.memo.max_bytes / 16;
    let max_bytes = (settings.memo.max_bytes - for_environments) / 2;
    let (objects, runtime) = (&tuning.objects, Handle::current());
    let services_memo =
        Memo::new("services", max_bytes, objects.clone(), look_at_way(), runtime.clone(), answers.clone());
    let instances_memo =
        Memo::new("instances", max_bytes, objects.clone(), look_at_way(), runtime.clone(), answers.clone());
    let domain = format!("{namespace}.{}", settings.services.domain_suffix);
    let envhub_memo = Memo::new(
        "environments",
        for_environments,
        tuning.environments.clone(),
        Box::new(|| Way::Free),
        runtime,
        answers.clone(),
    );
    let envhub = settings.envhub.url.as_deref().map(|url| EnvHub::new(url, envhub_memo)).transpose();
    let readiness = Readiness::ready();
    let workers = Workers::new(readiness.clone());
    let api = Arc::new(Api {
        services: Services::new(writer.clone(), services_memo, Arc::clone(&templates), domain),
        instances: Instances::new(writer.clone(), instances_memo, templates),
        envhub: envhub.map_err(StartError::EnvHub)?,
        limits: tuning.requests.clone(),
        readiness: readiness.clone(),
        guard: credentials.tokens.clone(),
        allowed_hosts: AllowedHosts::new(server.allowed_hosts.clone(), &settings.services.domain_suffix),
        waiting: Waiting::new(server.max_waiting),
        bodies: BodyBudget::new(server.max_bodies_bytes, server.max_body_bytes),
        trusted_proxies: server.trusted_proxies.clone(),
        metrics: http::Metrics::new(&registry),
        answers,
        calls,
        throttle: tuning.throttle.clone(),
        freshness: tuning.objects.clone(),
        replica: Replica::starting(replica_name()),
    });

    let listen = |key, addr| move |error| StartError::Listen { key, addr, error };
    let health_addr = SocketAddr::new(server.bind, server.readiness_port);
    let api_addr = SocketAddr::new(server.bind, server.port);
    let guard = credentials.tokens.filter(|_| settings.auth.metrics);
    let metrics = serve_metrics(server.metrics_addr, registry, guard)
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

/// The name of the Pod, which is that of its machine; elsewhere shells tell it, but do not always pass it on.
fn replica_name() -> String {
    std::env::var("HOSTNAME").ok().filter(|name| !name.is_empty()).unwrap_or_else(|| "controller".to_owned())
}

/// The one limited client of `cluster`. Makes no call.
fn connect(
    settings: &Settings,
    cluster: Located,
    namespace: &str,
    tuning: &Tuning,
    metrics: cluster::Metrics,
) -> Result<Cluster, StartError> {
    let Located { config, source } = cluster;
    Cluster::new(config, cluster_settings(settings, namespace, tuning), tuning.throttle.clone(), metrics)
        .map_err(|error| StartError::Client { source_name: source, error: error.to_string() })
}

/// Logs the folder of the templates: one that is not there is no fault, but may be a slip.
fn announce_templates(dir: &Path) {
    if dir.is_dir() {
        log::info!("Templates from {}; what it lacks is built in", dir.display());
    } else {
        let dir = dir.display();
        log::info!("There is no folder {dir} (templates.dir): templates are built in, but for any in /home/admin");
    }
}

fn announce_rate(throttle: &config::Throttle) {
    match throttle.rate() {
        Some(qps) => log::info!("🔧 API Rate Limiting configured: QPS={qps}, Burst={}", throttle.burst),
        None => log::info!("🔧 API Rate Limiting configured: QPS=unlimited, Burst=unlimited"),
    }
}

/// The lines that the operators' runbook looks for.
fn announce(settings: &Settings, cluster: &Located, namespace: &str) {
    let Settings { throttle, memo, list, .. } = settings;
    announce_rate(throttle);
    log::info!(
        "🔗 Shared Kubernetes client for all handlers: {} from {}, namespace {namespace}",
        cluster.config.cluster_url,
        cluster.source
    );
    log::info!(
        "🎯 On-demand lists, no reflector: pages of {}, lists kept {}ms, objects kept {}ms",
        list.page_size,
        memo.list_ttl.as_millis(),
        memo.get_ttl.as_millis()
    );
}

fn cluster_settings(settings: &Settings, namespace: &str, tuning: &Tuning) -> cluster::Settings {
    let kubernetes = &settings.kubernetes;
    cluster::Settings {
        namespace: namespace.to_owned(),
        user_agent: kubernetes.user_agent.clone(),
        connect_timeout: kubernetes.connect_timeout,
        read_timeout: kubernetes.read_timeout,
        encoding: match kubernetes.encoding {
            config::Encoding::Auto => Encoding::Auto,
            config::Encoding::Json => Encoding::Json,
        },
        retry: tuning.retry.clone(),
        paging: tuning.paging.clone(),
    }
}
