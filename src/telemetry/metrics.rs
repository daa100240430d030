//! Metrics registry: the one place where Prometheus metrics are registered and rendered.
//!
//! Each layer declares its own metrics in its `metrics.rs` and registers them here; this file knows no layer. Labels are
//! closed sets (verbs, resources, status codes, route patterns), never names of objects or callers. Units are base
//! units, except for the one histogram that dashboards of the reference controller know.

use super::process::Process;
use prometheus::core::Collector;
use prometheus::proto::MetricFamily;
use prometheus::{
    Encoder, Gauge, Histogram, HistogramOpts, HistogramVec, IntCounter, IntCounterVec, IntGauge, IntGaugeVec, Opts,
    TextEncoder,
};
use std::collections::BTreeMap;
use std::sync::LazyLock;

/// Buckets for durations in seconds: from an answer out of memory (0.1 ms) to the default deadline (25 s).
pub(crate) const SECONDS: [f64; 12] = [0.0001, 0.0005, 0.001, 0.005, 0.01, 0.05, 0.1, 0.5, 1.0, 2.5, 10.0, 25.0];

/// The content type of [`Registry::render`]: Prometheus' text format 0.0.4.
pub(crate) const CONTENT_TYPE: &str = "text/plain; version=0.0.4; charset=utf-8";

/// Why building a metric cannot fail: names and labels are constants that the first start has checked.
const VALID: &str = "metric names are constant, valid and unique";

/// Log lines that were dropped. The logger belongs to the process, not to a replica in it.
pub(super) static LOG_LINES_DROPPED: LazyLock<IntCounter> = LazyLock::new(|| {
    let help = "Log lines that were dropped because standard error was not read.";
    IntCounter::new("aenv_controller_log_lines_dropped_total", help).expect(VALID)
});

/// A label value from a closed set.
pub trait Label: Copy + 'static {
    /// Every value, so that its counter is there, at zero, before it first counts.
    const ALL: &'static [Self];

    /// The value as it stands in the metric.
    fn as_str(self) -> &'static str;
}

/// The metrics of one replica. Cheap to clone; clones share it.
#[derive(Debug, Clone)]
pub struct Registry(prometheus::Registry);

impl Registry {
    /// A registry with the metrics of the process and of its build.
    pub fn new() -> Self {
        let registry = Self(prometheus::Registry::new());
        let info =
            registry.gauge_vec("aenv_controller_build_info", "Always 1; names the running version.", &["version"]);
        info.with_label_values(&[env!("CARGO_PKG_VERSION")]).set(1);
        registry.0.register(Box::new(LOG_LINES_DROPPED.clone())).expect(VALID);
        registry.0.register(Box::new(Process::new().expect(VALID))).expect(VALID);
        registry
    }

    /// Everything in Prometheus' text format; see [`CONTENT_TYPE`].
    pub fn render(&self) -> Vec<u8> {
        let mut text = Vec::new();
        TextEncoder::new().encode(&self.0.gather(), &mut text).expect("a Vec takes every write");
        text
    }

    fn keep<M: Collector + Clone + 'static>(&self, metric: prometheus::Result<M>) -> M {
        let metric = metric.expect(VALID);
        self.0.register(Box::new(metric.clone())).expect(VALID);
        metric
    }

    /// A counter.
    pub fn counter(&self, name: &str, help: &str) -> IntCounter {
        self.keep(IntCounter::new(name, help))
    }

    /// A gauge of whole numbers.
    pub fn gauge(&self, name: &str, help: &str) -> IntGauge {
        self.keep(IntGauge::new(name, help))
    }

    /// A gauge of real numbers.
    pub fn real_gauge(&self, name: &str, help: &str) -> Gauge {
        self.keep(Gauge::new(name, help))
    }

    /// Gauges by label.
    pub fn gauge_vec(&self, name: &str, help: &str, labels: &[&str]) -> IntGaugeVec {
        self.keep(IntGaugeVec::new(Opts::new(name, help), labels))
    }

    /// Counters by label.
    pub fn counter_vec(&self, name: &str, help: &str, labels: &[&str]) -> IntCounterVec {
        self.keep(IntCounterVec::new(Opts::new(name, help), labels))
    }

    /// Counters by one label from a closed set, each of them at zero.
    pub fn counters<L: Label>(&self, name: &str, help: &str, label: &str) -> Counters<L> {
        let family = self.counter_vec(name, help, &[label]);
        for value in L::ALL {
            family.with_label_values(&[value.as_str()]);
        }
        Counters { family, label: std::marker::PhantomData }
    }

    /// A histogram.
    pub fn histogram(&self, name: &str, help: &str, buckets: &[f64]) -> Histogram {
        self.keep(Histogram::with_opts(HistogramOpts::new(name, help).buckets(buckets.to_vec())))
    }

    /// Histograms by label.
    pub fn histogram_vec(&self, name: &str, help: &str, labels: &[&str], buckets: &[f64]) -> HistogramVec {
        self.keep(HistogramVec::new(HistogramOpts::new(name, help).buckets(buckets.to_vec()), labels))
    }
}

impl Default for Registry {
    fn default() -> Self {
        Self::new()
    }
}

/// Counters by one label, whose values are those of `L`.
#[derive(Debug, Clone)]
pub struct Counters<L> {
    family: IntCounterVec,
    label: std::marker::PhantomData<L>,
}

impl<L: Label> Counters<L> {
    /// Counts one.
    pub fn inc(&self, value: L) {
        self.family.with_label_values(&[value.as_str()]).inc();
    }

    /// The count of each value so far.
    pub fn totals(&self) -> BTreeMap<&'static str, u64> {
        L::ALL
            .iter()
            .map(|value| value.as_str())
            .map(|text| (text, self.family.with_label_values(&[text]).get()))
            .collect()
    }
}

/// The sums over all counters of `family`, by the value of one of their labels.
pub(crate) fn totals(family: &IntCounterVec, label: &str) -> BTreeMap<String, u64> {
    let mut totals = BTreeMap::new();
    for counter in family.collect().iter().flat_map(MetricFamily::get_metric) {
        let of_label = counter.get_label().iter().find(|pair| pair.name() == label);
        let value = of_label.map_or("", |pair| pair.value());
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a count: whole and not negative")]
        let count = counter.get_counter().get_value() as u64;
        *totals.entry(value.to_owned()).or_default() += count;
    }
    totals
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Clone, Copy)]
    enum Side {
        Left,
        Right,
    }

    impl Label for Side {
        const ALL: &'static [Self] = &[Self::Left, Self::Right];

        fn as_str(self) -> &'static str {
            match self {
                Self::Left => "left",
                Self::Right => "right",
            }
        }
    }

    #[test]
    fn process_and_version_are_there_from_the_start() {
        let text = String::from_utf8(Registry::new().render()).unwrap();
        for line in [
            concat!("aenv_controller_build_info{version=\"", env!("CARGO_PKG_VERSION"), "\"} 1"),
            "# TYPE process_cpu_seconds_total counter",
            "# TYPE process_start_time_seconds gauge",
            "# TYPE process_threads gauge",
            "# TYPE process_virtual_memory_bytes gauge",
            "# TYPE process_resident_memory_bytes gauge",
            "# TYPE process_open_fds gauge",
            "# TYPE process_max_fds gauge",
        ] {
            assert!(text.contains(line), "{line} is missing in\n{text}");
        }
    }

    #[test]
    fn each_value_of_a_closed_label_starts_at_zero() {
        let registry = Registry::new();
        let turns = registry.counters::<Side>("turns_total", "Turns.", "side");
        turns.inc(Side::Right);
        assert_eq!(turns.totals(), [("left", 0), ("right", 1)].into());
        assert!(String::from_utf8(registry.render()).unwrap().contains("turns_total{side=\"left\"} 0"));
    }

    #[test]
    fn totals_add_up_over_the_other_labels() {
        let family = Registry::new().counter_vec("calls_total", "Calls.", &["verb", "code"]);
        family.with_label_values(&["get", "200"]).inc();
        family.with_label_values(&["list", "200"]).inc_by(2);
        assert_eq!(totals(&family, "code"), [("200".to_owned(), 3)].into());
    }
}
