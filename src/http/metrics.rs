//! HTTP metrics: requests by route, their duration, and those that wait.

use crate::telemetry::metrics::{Registry, SECONDS};
use prometheus::{Histogram, HistogramVec, IntCounter, IntCounterVec, IntGauge};
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

    /// The requests with this outcome. `route` is a pattern from the route table, never a path.
    pub(super) fn requests(&self, route: &str, method: &str, code: &str) -> Requests {
        let count = self.requests.with_label_values(&[route, method, code]);
        Requests { count, duration: self.duration.with_label_values(&[route]) }
    }
}

/// The HTTP requests of one route with one outcome.
pub(super) struct Requests {
    count: IntCounter,
    duration: Histogram,
}

impl Requests {
    /// One more, which took so long.
    pub(super) fn count(&self, took: Duration) {
        self.count.inc();
        self.duration.observe(took.as_secs_f64());
    }
}
