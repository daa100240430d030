//! Memo metrics: answers by source, and their age.

use super::answer::Source;
use crate::telemetry::metrics::{Registry, totals};
use prometheus::{Histogram, IntCounter, IntCounterVec};
use std::collections::BTreeMap;
use std::sync::OnceLock;
use tokio::time::Duration;

/// Buckets for the age of answers: fresh ones are seconds old, stale ones at most a minute by default.
const AGE_SECONDS: [f64; 9] = [0.1, 0.5, 1.0, 2.0, 5.0, 10.0, 30.0, 60.0, 300.0];

/// The metrics of all memos. Cheap to clone; clones share the counters.
#[derive(Debug, Clone)]
pub struct Metrics {
    answers: IntCounterVec,
    age: Histogram,
}

impl Metrics {
    /// The metrics, registered in `registry`.
    pub fn new(registry: &Registry) -> Self {
        Self {
            answers: registry.counter_vec(
                "aenv_controller_memo_answers_total",
                "Answers by where they came from: hit (memory), revalidate (memory, while a new one is fetched), fetch, joined (another caller's fetch), stale (an old one in place of one that cannot be had).",
                &["resource", "source"],
            ),
            age: registry.histogram("aenv_controller_answer_age_seconds", "The age of the data in answers.", &AGE_SECONDS),
        }
    }

    /// Those of the answers about `resource`.
    pub(super) fn of(self, resource: &'static str) -> Answers {
        Answers { resource, metrics: self, by_source: Default::default() }
    }

    /// Answers so far, by source.
    pub fn answers_by_source(&self) -> BTreeMap<String, u64> {
        totals(&self.answers, "source")
    }
}

/// The answers about one resource.
pub(super) struct Answers {
    resource: &'static str,
    metrics: Metrics,
    /// Looked up once: a look locks what all threads share.
    by_source: [OnceLock<IntCounter>; Source::COUNT],
}

impl Answers {
    /// One answer more.
    pub(super) fn count(&self, source: Source, age: Duration) {
        let counter = || self.metrics.answers.with_label_values(&[self.resource, source.as_str()]);
        self.by_source[source as usize].get_or_init(counter).inc();
        self.metrics.age.observe(age.as_secs_f64());
    }
}
