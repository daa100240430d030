//! What operators see: every counter, gauge and histogram of one replica, in one registry.
//!
//! A leaf: all layers may record here, and it knows none of them. Labels are closed sets (verbs, resources,
//! status codes, route patterns), never names of objects or callers. Units are base units, but for the one
//! histogram taken over from the controller that this one replaces.

use prometheus::{
    Encoder, Histogram, HistogramOpts, HistogramVec, IntCounter, IntCounterVec, IntGauge, Opts, Registry, TextEncoder,
};
use tokio::time::Duration;

/// Buckets of `aenv_k8s_api_call_latency`, in milliseconds; the same as the reference's, so that dashboards stay valid.
const API_LATENCY_MS: [f64; 14] = [5.0, 10.0, 30.0, 60.0, 100.0, 300.0, 600.0, 1e3, 3e3, 6e3, 10e3, 30e3, 60e3, 600e3];

/// From a tenth of a millisecond (an answer from memory) to the default deadline of 25 s.
const SECONDS: [f64; 12] = [0.0001, 0.0005, 0.001, 0.005, 0.01, 0.05, 0.1, 0.5, 1.0, 2.5, 10.0, 25.0];

/// The age of answers: fresh ones are seconds old, stale ones at most a minute by default.
const AGE_SECONDS: [f64; 9] = [0.1, 0.5, 1.0, 2.0, 5.0, 10.0, 30.0, 60.0, 300.0];

/// The content type of [`Metrics::render`]: Prometheus' text format 0.0.4.
pub const CONTENT_TYPE: &str = "text/plain; version=0.0.4; charset=utf-8";

/// All metrics of one replica.
#[derive(Debug)]
pub struct Metrics {
    registry: Registry,
    api_call_latency: HistogramVec,
    api_requests: IntCounterVec,
    /// API calls that are under way.
    pub api_in_flight: IntGauge,
    /// Attempts that the throttle let through; each is one request on the wire.
    pub throttle_admitted: IntCounter,
    /// Attempts that the throttle refused because they could not be served in time.
    pub throttle_refused: IntCounter,
    throttle_wait: Histogram,
    /// Attempts that wait in the throttle.
    pub throttle_waiting: IntGauge,
    memo_answers: IntCounterVec,
    answer_age: Histogram,
    http_requests: IntCounterVec,
    http_duration: HistogramVec,
    /// HTTP requests that wait for their answer.
    pub http_in_flight: IntGauge,
    /// How often the templates had changed, but could not be used.
    pub template_reload_failures: IntCounter,
}

impl Metrics {
    /// A new registry with every metric at zero. `qps` is the throttle's ceiling, in tokens per second (infinite: no limit).
    #[must_use]
    pub fn new(qps: f64) -> Self {
        let build = Build(Registry::new());
        let metrics = Self {
            api_call_latency: build.histogram_vec(
                "aenv_k8s_api_call_latency",
                "the latency for calling k8s api, in milliseconds",
                &["method", "object_type"],
                &API_LATENCY_MS,
            ),
            api_requests: build.counter_vec(
                "aenv_controller_api_requests_total",
                "Requests to the API server, one per attempt; code is the HTTP status, or error (no answer), abandoned (nobody waited for its end).",
                &["verb", "resource", "code"],
            ),
            api_in_flight: build
                .gauge("aenv_controller_api_requests_in_flight", "Requests to the API server that are under way."),
            throttle_admitted: build.counter(
                "aenv_controller_throttle_admitted_total",
                "Attempts that took a token; each is one request on the wire.",
            ),
            throttle_refused: build.counter(
                "aenv_controller_throttle_refused_total",
                "Attempts refused by our own limit because they could not be served in time.",
            ),
            throttle_wait: build.histogram(
                "aenv_controller_throttle_wait_seconds",
                "How long admitted attempts waited for their turn.",
                &SECONDS,
            ),
            throttle_waiting: build.gauge("aenv_controller_throttle_waiting", "Attempts that wait for their turn."),
            memo_answers: build.counter_vec(
                "aenv_controller_memo_answers_total",
                "Answers by where they came from: hit (memory), fetch, joined (another caller's fetch).",
                &["resource", "source"],
            ),
            answer_age: build.histogram(
                "aenv_controller_answer_age_seconds",
                "The age of the data in answers.",
                &AGE_SECONDS,
            ),
            http_requests: build.counter_vec(
                "aenv_controller_http_requests_total",
                "HTTP requests by route pattern, method and status.",
                &["route", "method", "code"],
            ),
            http_duration: build.histogram_vec(
                "aenv_controller_http_request_duration_seconds",
                "How long HTTP requests took.",
                &["route"],
                &SECONDS,
            ),
            http_in_flight: build
                .gauge("aenv_controller_http_requests_in_flight", "HTTP requests that wait for their answer."),
            template_reload_failures: build.counter(
                "aenv_controller_template_reload_failures_total",
                "How often the templates had changed but could not be used; the last good ones stay.",
            ),
            registry: build.0,
        };
        let rate = prometheus::Gauge::new(
            "aenv_controller_throttle_rate",
            "The rate at which API calls are let through, in tokens per second.",
        )
        .expect(VALID);
        rate.set(qps);
        metrics.registry.register(Box::new(rate)).expect(VALID);
        metrics
    }

    /// Records one attempt at an API call. `code` is an HTTP status, `error` or `abandoned`.
    pub fn api_call(&self, verb: &'static str, resource: &'static str, code: &str, took: Duration) {
        self.api_requests.with_label_values(&[verb, resource, code]).inc();
        self.api_call_latency.with_label_values(&[verb, resource]).observe(took.as_secs_f64() * 1e3);
    }

    /// Records that an attempt waited `waited` in the throttle and was let through.
    pub fn admitted(&self, waited: Duration) {
        self.throttle_admitted.inc();
        self.throttle_wait.observe(waited.as_secs_f64());
    }

    /// Records one answer from the memo: of which resource, from where, how old.
    pub fn answer(&self, resource: &'static str, source: &'static str, age: Duration) {
        self.memo_answers.with_label_values(&[resource, source]).inc();
        self.answer_age.observe(age.as_secs_f64());
    }

    /// Records one HTTP request. `route` is a pattern from the route table, never a path.
    pub fn http_request(&self, route: &str, method: &str, code: u16, took: Duration) {
        self.http_requests.with_label_values(&[route, method, &code.to_string()]).inc();
        self.http_duration.with_label_values(&[route]).observe(took.as_secs_f64());
    }

    /// Everything in Prometheus' text format; see [`CONTENT_TYPE`].
    #[must_use]
    pub fn render(&self) -> Vec<u8> {
        let mut text = Vec::new();
        TextEncoder::new().encode(&self.registry.gather(), &mut text).expect("a Vec takes every write");
        text
    }
}

/// Why building a metric cannot fail: names and labels are constants that the first start has checked.
const VALID: &str = "metric names are constant, valid and unique";

/// Makes metrics and registers them.
struct Build(Registry);

impl Build {
    fn keep<M: prometheus::core::Collector + Clone + 'static>(&self, metric: prometheus::Result<M>) -> M {
        let metric = metric.expect(VALID);
        self.0.register(Box::new(metric.clone())).expect(VALID);
        metric
    }

    fn counter(&self, name: &str, help: &str) -> IntCounter {
        self.keep(IntCounter::new(name, help))
    }

    fn gauge(&self, name: &str, help: &str) -> IntGauge {
        self.keep(IntGauge::new(name, help))
    }

    fn counter_vec(&self, name: &str, help: &str, labels: &[&str]) -> IntCounterVec {
        self.keep(IntCounterVec::new(Opts::new(name, help), labels))
    }

    fn histogram(&self, name: &str, help: &str, buckets: &[f64]) -> Histogram {
        self.keep(Histogram::with_opts(HistogramOpts::new(name, help).buckets(buckets.to_vec())))
    }

    fn histogram_vec(&self, name: &str, help: &str, labels: &[&str], buckets: &[f64]) -> HistogramVec {
        self.keep(HistogramVec::new(HistogramOpts::new(name, help).buckets(buckets.to_vec()), labels))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_text_carries_the_names_that_dashboards_know() {
        let metrics = Metrics::new(50.0);
        metrics.api_call("list", "pods", "200", Duration::from_millis(7));
        metrics.admitted(Duration::ZERO);
        metrics.answer("instances", "hit", Duration::from_millis(3));
        metrics.http_request("/pods", "GET", 200, Duration::from_millis(1));
        let text = String::from_utf8(metrics.render()).unwrap();
        for line in [
            r#"aenv_k8s_api_call_latency_bucket{method="list",object_type="pods",le="10"} 1"#,
            r#"aenv_controller_api_requests_total{code="200",resource="pods",verb="list"} 1"#,
            r#"aenv_controller_memo_answers_total{resource="instances",source="hit"} 1"#,
            r#"aenv_controller_http_requests_total{code="200",method="GET",route="/pods"} 1"#,
            "aenv_controller_throttle_rate 50",
            "aenv_controller_throttle_admitted_total 1",
        ] {
            assert!(text.contains(line), "{line} is missing in\n{text}");
        }
    }
}
