//! Assembly: all layers of one controller, built from the settings, apart from its listeners.

use super::client::client;
use super::credentials::Credentials;
use super::error::StartError;
use super::namespace::Namespace;
use super::tuning::Tuning;
use crate::aenv::envhub::EnvHub;
use crate::aenv::instances::Instances;
use crate::aenv::services::Services;
use crate::aenv::templates::TemplateStore;
use crate::cluster::{self, Wire, Writer};
use crate::config::{self, Settings};
use crate::http::{AllowedHosts, Api, BodyBudget, Readiness, Replica, Waiting, Workers};
use crate::memo::{self, Memo, Way};
use crate::reload::Metrics as ReloadMetrics;
use crate::telemetry::metrics::Registry;
use crate::{http, throttle};
use std::path::Path;
use std::sync::Arc;
use tokio::runtime::Handle;

/// A controller without listeners.
pub struct Assembly {
    /// The API, to be served.
    pub api: Arc<Api>,
    pub(super) writer: Writer,
    pub(super) workers: Workers,
    pub(super) tuning: Tuning,
    pub(super) registry: Registry,
    pub(super) reloads: ReloadMetrics,
    pub(super) credentials: Credentials,
}

impl Assembly {
    /// Builds every layer, on the runtime that this is called in. `origin` says in the log where the API server at the end
    /// of `wire` is. Makes no call.
    ///
    /// # Errors
    /// [`StartError`]; the process should end then.
    pub fn new(settings: &Settings, wire: Wire, origin: &str) -> Result<Self, StartError> {
        let server = &settings.server;
        let registry = Registry::new();
        let calls = throttle::Metrics::new(&registry);
        let answers = memo::Metrics::new(&registry);
        let reloads = ReloadMetrics::new(&registry);
        let tuning = Tuning::new(settings, calls.clone());
        let templates = TemplateStore::open(settings.templates.dir.clone(), reloads.clone());
        let templates = Arc::new(templates.map_err(StartError::Templates)?);
        let credentials = Credentials::open(settings, &reloads).map_err(StartError::Credentials)?;
        let current = templates.last();
        let Namespace { name: namespace, warning, .. } = Namespace::choose(settings, &current);
        let namespace = &*namespace;
        announce(settings, origin, namespace);
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
        let cluster = client(settings, wire, namespace, &tuning, cluster::Metrics::new(&registry));
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
            readiness,
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
        Ok(Self { api, writer, workers, tuning, registry, reloads, credentials })
    }

    /// Waits until every write has come to its end, or has been undone. There should be no new ones by then.
    pub async fn writes_ended(&self) {
        self.writer.ended().await;
    }
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

pub(super) fn announce_rate(throttle: &config::Throttle) {
    match throttle.rate() {
        Some(qps) => log::info!("🔧 API Rate Limiting configured: QPS={qps}, Burst={}", throttle.burst),
        None => log::info!("🔧 API Rate Limiting configured: QPS=unlimited, Burst=unlimited"),
    }
}

/// The lines that the operators' runbook looks for.
fn announce(settings: &Settings, origin: &str, namespace: &str) {
    let Settings { throttle, memo, list, .. } = settings;
    announce_rate(throttle);
    log::info!("🔗 Shared Kubernetes client for all handlers: {origin}, namespace {namespace}");
    log::info!(
        "🎯 On-demand lists, no reflector: pages of {}, lists kept {}ms, objects kept {}ms",
        list.page_size,
        memo.list_ttl.as_millis(),
        memo.get_ttl.as_millis()
    );
}

/// The name of the Pod, which is that of its machine; elsewhere shells tell it, but do not always pass it on.
pub(super) fn replica_name() -> String {
    std::env::var("HOSTNAME").ok().filter(|name| !name.is_empty()).unwrap_or_else(|| "controller".to_owned())
}
