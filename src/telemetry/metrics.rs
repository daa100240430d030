//! What operators see: every counter, gauge and histogram of one replica, in one registry.
//!
//! A leaf: all layers may record here, and it knows none of them. Labels are closed sets (verbs, resources,
//! status codes, route patterns), never names of objects or callers. Units are base units, but for the one
//! histogram taken over from the controller that this one replaces.

use prometheus::core::Collector;
use prometheus::{
    Encoder, Gauge, Histogram, HistogramOpts, HistogramVec, IntCounter, IntCounterVec, IntGauge, IntGaugeVec, Opts,
    Registry, TextEncoder,
};
use serde::Serialize;
use std::collections::BTreeMap;
use std::time::{SystemTime, UNIX_EPOCH};
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
    throttle_refused: IntCounterVec,
    throttle_wait: HistogramVec,
    throttle_waiting: IntGaugeVec,
    /// The rate at which attempts are let through, in tokens per second; infinite without a limit.
    pub throttle_rate: Gauge,
    /// What it is at most.
    pub throttle_rate_ceiling: Gauge,
    throttle_cuts: IntCounter,
    throttle_gate_until: Gauge,
    retries: IntCounterVec,
    memo_answers: IntCounterVec,
    answer_age: Histogram,
    http_requests: IntCounterVec,
    http_duration: HistogramVec,
    settings_reloads: IntCounterVec,
    credential_reloads: IntCounterVec,
    /// HTTP requests that wait for their answer.
    pub http_in_flight: IntGauge,
    /// How often the templates had changed, but could not be used.
    pub template_reload_failures: IntCounter,
}

impl Metrics {
    /// A new registry with every metric at zero.
    #[must_use]
    pub fn new() -> Self {
        let build = Build(Registry::new());
        let info = build.gauge_vec("aenv_controller_build_info", "Always 1; says which version this is.", &["version"]);
        info.with_label_values(&[env!("CARGO_PKG_VERSION")]).set(1);
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
            throttle_refused: build.counter_vec(
                "aenv_controller_throttle_refused_total",
                "Attempts that were not let through in time; reason: rate or in_flight (our own limits), overloaded (the API server asked to be left alone), unreachable.",
                &["reason"],
            ),
            throttle_wait: build.histogram_vec(
                "aenv_controller_throttle_wait_seconds",
                "How long admitted attempts waited for their turn.",
                &["lane"],
                &SECONDS,
            ),
            throttle_waiting: build.gauge_vec(
                "aenv_controller_throttle_waiting",
                "Attempts that wait for their turn.",
                &["lane"],
            ),
            throttle_rate: build.real_gauge(
                "aenv_controller_throttle_rate",
                "The rate at which API calls are let through, in tokens per second.",
            ),
            throttle_rate_ceiling: build.real_gauge(
                "aenv_controller_throttle_rate_ceiling",
                "The most that the rate can be (throttle.qps).",
            ),
            throttle_cuts: build.counter(
                "aenv_controller_throttle_cuts_total",
                "How often the rate was cut because the API server said that it is overloaded.",
            ),
            throttle_gate_until: build.real_gauge(
                "aenv_controller_throttle_gate_until_timestamp_seconds",
                "Until when the API server has asked to be left alone; 0: it never has.",
            ),
            retries: build.counter_vec(
                "aenv_controller_retries_total",
                "Failed attempts that may be made again; outcome: made, or withheld by the retry budget.",
                &["outcome"],
            ),
            memo_answers: build.counter_vec(
                "aenv_controller_memo_answers_total",
                "Answers by where they came from: hit (memory), revalidate (memory, while a new one is fetched), fetch, joined (another caller's fetch), stale (an old one in place of one that cannot be had).",
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
            settings_reloads: build.counter_vec(
                "aenv_controller_settings_reloads_total",
                "How often the settings were read again, by outcome: applied (something took effect), unchanged (nothing did), refused (faults; the old ones stay).",
                &["outcome"],
            ),
            credential_reloads: build.counter_vec(
                "aenv_controller_credential_reloads_total",
                "How often tokens or certificates had changed, by outcome: applied, refused (faults; the old ones stay).",
                &["credential", "outcome"],
            ),
            http_in_flight: build
                .gauge("aenv_controller_http_requests_in_flight", "HTTP requests that wait for their answer."),
            template_reload_failures: build.counter(
                "aenv_controller_template_reload_failures_total",
                "How often the templates had changed but could not be used; the last good ones stay.",
            ),
            registry: build.0,
        };
        #[cfg(target_os = "linux")]
        {
            let process = prometheus::process_collector::ProcessCollector::for_self();
            metrics.registry.register(Box::new(process)).expect(VALID);
        }
        // So that they are there, and their increase can be seen, before they first happen.
        for outcome in ["applied", "unchanged", "refused"] {
            metrics.settings_reloads.with_label_values(&[outcome]);
        }
        for (credential, outcome) in
            ["tokens", "certificates"].into_iter().flat_map(|name| [(name, "applied"), (name, "refused")])
        {
            metrics.credential_reloads.with_label_values(&[credential, outcome]);
        }
        for outcome in ["made", "withheld"] {
            metrics.retries.with_label_values(&[outcome]);
        }
        for reason in ["rate", "in_flight", "overloaded", "unreachable"] {
            metrics.throttle_refused.with_label_values(&[reason]);
        }
        metrics
    }

    /// Records one attempt at an API call. `code` is an HTTP status, `error` or `abandoned`.
    pub fn api_call(&self, verb: &'static str, resource: &'static str, code: &str, took: Duration) {
        self.api_requests.with_label_values(&[verb, resource, code]).inc();
        self.api_call_latency.with_label_values(&[verb, resource]).observe(took.as_secs_f64() * 1e3);
    }

    /// Records that an attempt waited `waited` in a lane of the throttle and was let through.
    pub fn admitted(&self, lane: &'static str, waited: Duration) {
        self.throttle_admitted.inc();
        self.throttle_wait.with_label_values(&[lane]).observe(waited.as_secs_f64());
    }

    /// Records an attempt that the throttle did not let through, and why.
    pub fn throttle_refused(&self, reason: &'static str) {
        self.throttle_refused.with_label_values(&[reason]).inc();
    }

    /// The attempts that wait in a lane of the throttle.
    #[must_use]
    pub fn throttle_waiting(&self, lane: &'static str) -> IntGauge {
        self.throttle_waiting.with_label_values(&[lane])
    }

    /// Records that the API server asked to be left alone for `pause`, and whether the rate was cut for that.
    pub fn gate_closed(&self, pause: Duration, cut: bool) {
        self.throttle_cuts.inc_by(cut.into());
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        self.throttle_gate_until.set((now + pause).as_secs_f64());
    }

    /// Records a retry that was `made`, or `withheld` by the budget.
    pub fn retry(&self, outcome: &'static str) {
        self.retries.with_label_values(&[outcome]).inc();
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

    /// Records that the settings were read again: `applied`, `unchanged` or `refused`.
    pub fn settings_reload(&self, outcome: &'static str) {
        self.settings_reloads.with_label_values(&[outcome]).inc();
    }

    /// Records that `tokens` or `certificates` had changed: `applied` or `refused`.
    pub fn credential_reload(&self, credential: &'static str, outcome: &'static str) {
        self.credential_reloads.with_label_values(&[credential, outcome]).inc();
    }

    /// Attempts at API calls so far, by code.
    #[must_use]
    pub fn api_calls_by_code(&self) -> BTreeMap<String, u64> {
        totals(&self.api_requests, "code")
    }

    /// Answers from the memo so far, by source.
    #[must_use]
    pub fn answers_by_source(&self) -> BTreeMap<String, u64> {
        totals(&self.memo_answers, "source")
    }

    /// Attempts that the throttle did not let through so far, by reason.
    #[must_use]
    pub fn refused_by_reason(&self) -> BTreeMap<String, u64> {
        totals(&self.throttle_refused, "reason")
    }

    /// How a lane of the throttle has done so far.
    #[must_use]
    pub fn waited(&self, lane: &'static str) -> Waited {
        let waits = self.throttle_wait.with_label_values(&[lane]);
        Waited {
            waiting: self.throttle_waiting(lane).get(),
            admitted: waits.get_sample_count(),
            waited_seconds: waits.get_sample_sum(),
        }
    }

    /// Everything in Prometheus' text format; see [`CONTENT_TYPE`].
    #[must_use]
    pub fn render(&self) -> Vec<u8> {
        let mut text = Vec::new();
        TextEncoder::new().encode(&self.registry.gather(), &mut text).expect("a Vec takes every write");
        text
    }
}

impl Default for Metrics {
    fn default() -> Self {
        Self::new()
    }
}

/// What a lane of the throttle has seen.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Waited {
    /// Attempts that wait for their turn.
    pub waiting: i64,
    /// Attempts that had it.
    pub admitted: u64,
    /// How long those waited, in sum.
    pub waited_seconds: f64,
}

/// The sums over all counters of `family`, by the value of one of their labels.
fn totals(family: &IntCounterVec, label: &str) -> BTreeMap<String, u64> {
    let mut totals = BTreeMap::new();
    for counters in family.collect() {
        for counter in counters.get_metric() {
            let of_label = counter.get_label().iter().find(|pair| pair.name() == label);
            let value = of_label.map_or("", |pair| pair.value());
            #[expect(
                clippy::cast_possible_truncation,
                clippy::cast_sign_loss,
                reason = "a whole number, and no less than 0"
            )]
            let count = counter.get_counter().get_value() as u64;
            *totals.entry(value.to_owned()).or_default() += count;
        }
    }
    totals
}

/// Why building a metric cannot fail: names and labels are constants that the first start has checked.
const VALID: &str = "metric names are constant, valid and unique";

/// Makes metrics and registers them.
struct Build(Registry);

impl Build {
    fn keep<M: Collector + Clone + 'static>(&self, metric: prometheus::Result<M>) -> M {
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

    fn real_gauge(&self, name: &str, help: &str) -> Gauge {
        self.keep(Gauge::new(name, help))
    }

    fn gauge_vec(&self, name: &str, help: &str, labels: &[&str]) -> IntGaugeVec {
        self.keep(IntGaugeVec::new(Opts::new(name, help), labels))
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
        let metrics = Metrics::new();
        metrics.api_call("list", "pods", "200", Duration::from_millis(7));
        metrics.admitted("interactive", Duration::ZERO);
        metrics.throttle_rate.set(50.0);
        metrics.throttle_refused("rate");
        metrics.gate_closed(Duration::from_secs(1), true);
        metrics.answer("instances", "hit", Duration::from_millis(3));
        metrics.http_request("/pods", "GET", 200, Duration::from_millis(1));
        let text = String::from_utf8(metrics.render()).unwrap();
        for line in [
            r#"aenv_k8s_api_call_latency_bucket{method="list",object_type="pods",le="10"} 1"#,
            r#"aenv_controller_api_requests_total{code="200",resource="pods",verb="list"} 1"#,
            r#"aenv_controller_memo_answers_total{resource="instances",source="hit"} 1"#,
            r#"aenv_controller_http_requests_total{code="200",method="GET",route="/pods"} 1"#,
            "aenv_controller_throttle_rate 50",
            concat!("aenv_controller_build_info{version=\"", env!("CARGO_PKG_VERSION"), "\"} 1"),
            "# TYPE process_resident_memory_bytes gauge",
            "aenv_controller_throttle_admitted_total 1",
            "aenv_controller_throttle_cuts_total 1",
            r#"aenv_controller_throttle_refused_total{reason="rate"} 1"#,
            r#"aenv_controller_throttle_wait_seconds_count{lane="interactive"} 1"#,
        ] {
            assert!(text.contains(line), "{line} is missing in\n{text}");
        }
    }
}
