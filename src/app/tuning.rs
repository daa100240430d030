//! Tuning of the layers: their values from the settings, at the start and when these change.

use crate::aenv::envhub;
use crate::cluster::retry::Policy;
use crate::cluster::{ListPlan, Paging};
use crate::config::{self, Settings};
use crate::reload::Live;
use crate::throttle::Throttle;
use crate::{http, memo, throttle};
use tokio::runtime::Handle;

/// The values that may change while the controller runs, each shared with the layer that reads it.
pub(super) struct Tuning {
    pub(super) throttle: Throttle,
    pub(super) retry: Live<Policy>,
    pub(super) paging: Live<Paging>,
    pub(super) objects: Live<memo::Limits>,
    pub(super) environments: Live<memo::Limits>,
    pub(super) requests: Live<http::Limits>,
}

impl Tuning {
    /// The values of `settings`. The throttle's alarms run on the runtime that this is called in.
    pub(super) fn new(settings: &Settings, metrics: throttle::Metrics) -> Self {
        let limits = throttle_limits(&settings.throttle);
        Self {
            throttle: Throttle::new(limits, Handle::current(), metrics),
            retry: Live::new(retry_policy(&settings.retry)),
            paging: Live::new(paging(&settings.list)),
            objects: Live::new(object_limits(settings)),
            environments: Live::new(environment_limits(settings)),
            requests: Live::new(request_limits(&settings.server)),
        }
    }

    pub(super) fn set(&self, settings: &Settings) {
        self.throttle.retune(throttle_limits(&settings.throttle));
        self.retry.set(retry_policy(&settings.retry));
        self.paging.set(paging(&settings.list));
        self.objects.set(object_limits(settings));
        self.environments.set(environment_limits(settings));
        self.requests.set(request_limits(&settings.server));
    }
}

pub(super) fn throttle_limits(throttle: &config::Throttle) -> throttle::Limits {
    throttle::Limits {
        rate: throttle.rate().map(|qps| throttle::Rate { qps, burst: throttle.burst.get() }),
        adaptive: throttle.adaptive,
        min_qps: throttle.min_qps,
        max_wait: throttle.max_wait,
        max_in_flight: throttle.max_in_flight.get(),
    }
}

fn retry_policy(retry: &config::Retry) -> Policy {
    Policy { max_attempts: retry.max_attempts, initial: retry.initial, max: retry.max }
}

fn paging(list: &config::List) -> Paging {
    let plan = match list.plan {
        config::ListPlan::Auto => ListPlan::Auto,
        config::ListPlan::Paged => ListPlan::Paged,
        config::ListPlan::WatchCache => ListPlan::WatchCache,
    };
    Paging { page_size: list.page_size, plan, max_objects: list.max_objects, max_item_bytes: list.max_item_bytes }
}

fn object_limits(Settings { memo, server, .. }: &Settings) -> memo::Limits {
    let config::Memo { list_ttl, get_ttl, revalidate, max_stale, patience, .. } = *memo;
    memo::Limits { list_ttl, get_ttl, revalidate, max_stale, patience, fetch_deadline: server.request_deadline }
}

fn environment_limits(settings: &Settings) -> memo::Limits {
    let fetch_deadline = settings.server.request_deadline;
    memo::Limits { get_ttl: envhub::FRESH, fetch_deadline, ..memo::Limits::default() }
}

fn request_limits(server: &config::Server) -> http::Limits {
    let config::Server { request_deadline, max_body_bytes, body_timeout, .. } = *server;
    http::Limits { request_deadline, max_body_bytes, body_timeout }
}
