//! HTTP metrics: requests by route, their duration, and those that wait.

use crate::telemetry::metrics::{Registry, SECONDS};
use prometheus::{HistogramVec, IntCounterVec, IntGauge};
use tokio::time::Duration;

/// The metrics of the API's listener. Cheap to clone; clones share the counters.
#[derive(Debug, Clone)]
pub(crate) struct Metrics {
    requests: IntCounterVec,
    duration: HistogramVec,
    pub(super) in_flight: IntGauge,
}

impl Metrics {
    /// The metrics, registered in `registry`.
    pub(crate) fn new(registry: &Registry) -> Self {
        Self {
            requests: registry.counter_vec(
                "aenv_controller_http_requests_total",
                "HTTP requests by route pattern, method and status.",
                &["route", "method", "code"],
            ),
            duration: registry.histogram_vec(
                "aenv_controller_http_request_duration_seconds",
                "How long HTTP requests took.",
                &["route"],
                &SECONDS,
            ),
            in_flight: registry
                .gauge("aenv_controller_http_requests_in_flight", "HTTP requests that wait for their answer."),
        }
    }

    /// One HTTP request. `route` is a pattern from the route table, never a path.
    pub(super) fn request(&self, route: &str, method: &str, code: &str, took: Duration) {
        self.requests.with_label_values(&[route, method, code]).inc();
        self.duration.with_label_values(&[route]).observe(took.as_secs_f64());
    }
}
