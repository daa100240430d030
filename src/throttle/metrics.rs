//! Throttle metrics: calls admitted, refused and waiting, the rate, and the gate.

use super::refused::Why;
use crate::call::Lane;
use crate::telemetry::metrics::{Counters, Label, Registry, SECONDS, totals};
use prometheus::{Gauge, HistogramVec, IntCounter, IntCounterVec, IntGauge, IntGaugeVec};
use serde::Serialize;
use std::collections::BTreeMap;
use std::time::{SystemTime, UNIX_EPOCH};
use tokio::time::Duration;

/// Buckets of `aenv_k8s_api_call_latency`, in milliseconds; the same as the reference's, so that dashboards stay valid.
const API_LATENCY_MS: [f64; 14] = [5.0, 10.0, 30.0, 60.0, 100.0, 300.0, 600.0, 1e3, 3e3, 6e3, 10e3, 30e3, 60e3, 600e3];

/// The throttle's metrics. Cheap to clone; clones share the counters.
#[derive(Debug, Clone)]
pub(crate) struct Metrics {
    pub(super) admitted: IntCounter,
    pub(super) refused: Counters<Why>,
    wait: HistogramVec,
    waiting: IntGaugeVec,
    pub(super) rate: Gauge,
    pub(super) ceiling: Gauge,
    cuts: IntCounter,
    gate_until: Gauge,
    api_call_latency: HistogramVec,
    api_requests: IntCounterVec,
    pub(super) api_in_flight: IntGauge,
}

impl Metrics {
    /// The metrics, registered in `registry`.
    pub(crate) fn new(registry: &Registry) -> Self {
        Self {
            admitted: registry.counter(
                "aenv_controller_throttle_admitted_total",
                "Attempts that took a token; each is one request on the wire.",
            ),
            refused: registry.counters(
                "aenv_controller_throttle_refused_total",
                "Attempts that were not let through in time; reason: rate or in_flight (our own limits), overloaded (the API server asked to be left alone), unreachable, unwanted (the caller had gone).",
                "reason",
            ),
            wait: registry.histogram_vec(
                "aenv_controller_throttle_wait_seconds",
                "How long admitted attempts waited for their turn.",
                &["lane"],
                &SECONDS,
            ),
            waiting: registry.gauge_vec(
                "aenv_controller_throttle_waiting",
                "Attempts that wait for their turn.",
                &["lane"],
            ),
            rate: registry.real_gauge(
                "aenv_controller_throttle_rate",
                "The rate at which API calls are let through, in tokens per second.",
            ),
            ceiling: registry.real_gauge(
                "aenv_controller_throttle_rate_ceiling",
                "The most that the rate can be (throttle.qps).",
            ),
            cuts: registry.counter(
                "aenv_controller_throttle_cuts_total",
                "How often the rate was cut because the API server said that it is overloaded.",
            ),
            gate_until: registry.real_gauge(
                "aenv_controller_throttle_gate_until_timestamp_seconds",
                "Until when the API server has asked to be left alone; 0: it never has.",
            ),
            api_call_latency: registry.histogram_vec(
                "aenv_k8s_api_call_latency",
                "the latency for calling k8s api, in milliseconds",
                &["method", "object_type"],
                &API_LATENCY_MS,
            ),
            api_requests: registry.counter_vec(
                "aenv_controller_api_requests_total",
                "Requests to the API server, one per attempt; code is the HTTP status, or error (no answer), abandoned (nobody waited for its end).",
                &["verb", "resource", "code"],
            ),
            api_in_flight: registry
                .gauge("aenv_controller_api_requests_in_flight", "Requests to the API server that are under way."),
        }
    }

    /// One attempt at an API call. `code` is an HTTP status, `error` or `abandoned`.
    pub(super) fn api_call(&self, verb: &'static str, resource: &'static str, code: &str, took: Duration) {
        self.api_requests.with_label_values(&[verb, resource, code]).inc();
        self.api_call_latency.with_label_values(&[verb, resource]).observe(took.as_secs_f64() * 1e3);
    }

    /// One attempt that was let through after `waited`.
    pub(super) fn admit(&self, lane: Lane, waited: Duration) {
        self.admitted.inc();
        self.wait.with_label_values(&[lane.as_str()]).observe(waited.as_secs_f64());
    }

    /// The attempts that wait in `lane`.
    pub(super) fn waiting(&self, lane: Lane) -> IntGauge {
        self.waiting.with_label_values(&[lane.as_str()])
    }

    /// A pause that the API server asked for; `cut`: the rate was cut as well.
    pub(super) fn close_gate(&self, pause: Duration, cut: bool) {
        self.cuts.inc_by(cut.into());
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        self.gate_until.set((now + pause).as_secs_f64());
    }

    /// Tokens per second now; infinite without a limit.
    pub(crate) fn rate(&self) -> f64 {
        self.rate.get()
    }

    /// The most tokens per second; infinite without a limit.
    pub(crate) fn ceiling(&self) -> f64 {
        self.ceiling.get()
    }

    /// API calls under way.
    pub(crate) fn in_flight(&self) -> i64 {
        self.api_in_flight.get()
    }

    /// Attempts at API calls so far, by code.
    pub(crate) fn api_calls_by_code(&self) -> BTreeMap<String, u64> {
        totals(&self.api_requests, "code")
    }

    /// Attempts that were not let through so far, by reason.
    pub(crate) fn refused_by_reason(&self) -> BTreeMap<&'static str, u64> {
        self.refused.totals()
    }

    /// A lane's queue so far.
    pub(crate) fn queue(&self, lane: Lane) -> Queue {
        let waits = self.wait.with_label_values(&[lane.as_str()]);
        Queue {
            waiting: self.waiting(lane).get(),
            admitted: waits.get_sample_count(),
            waited_seconds: waits.get_sample_sum(),
        }
    }
}

/// A lane's queue: those in it now, and those that have left it for the wire.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub(crate) struct Queue {
    /// Attempts that wait for their turn.
    pub waiting: i64,
    /// Attempts that had it.
    pub admitted: u64,
    /// Seconds that those waited, in sum.
    pub waited_seconds: f64,
}

impl Label for Why {
    const ALL: &'static [Self] = &[Self::Rate, Self::InFlight, Self::Overloaded, Self::Unreachable, Self::Unwanted];

    fn as_str(self) -> &'static str {
        match self {
            Self::Rate => "rate",
            Self::InFlight => "in_flight",
            Self::Overloaded => "overloaded",
            Self::Unreachable => "unreachable",
            Self::Unwanted => "unwanted",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_names_are_those_that_dashboards_know() {
        let registry = Registry::new();
        let metrics = Metrics::new(&registry);
        metrics.api_call("list", "pods", "200", Duration::from_millis(7));
        metrics.admit(Lane::default(), Duration::ZERO);
        metrics.rate.set(50.0);
        metrics.refused.inc(Why::Rate);
        metrics.close_gate(Duration::from_secs(1), true);
        let text = String::from_utf8(registry.render()).unwrap();
        for line in [
            r#"aenv_k8s_api_call_latency_bucket{method="list",object_type="pods",le="10"} 1"#,
            r#"aenv_controller_api_requests_total{code="200",resource="pods",verb="list"} 1"#,
            "aenv_controller_throttle_rate 50",
            "aenv_controller_throttle_admitted_total 1",
            "aenv_controller_throttle_cuts_total 1",
            r#"aenv_controller_throttle_refused_total{reason="rate"} 1"#,
            r#"aenv_controller_throttle_refused_total{reason="in_flight"} 0"#,
        ] {
            assert!(text.contains(line), "{line} is missing in\n{text}");
        }
    }
}
