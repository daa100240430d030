//! Report of the throttle: its metrics, and its log lines, of which each kind appears once in a while at most.

use super::metrics::Metrics;
use super::pace::Change;
use super::queue::Queue;
use super::refused::{Refused, Why};
use crate::telemetry::log_limiter::LogLimiter;
use tokio::time::{Duration, Instant};

/// Shortest time between two log lines of a kind.
const LOG_PERIOD: Duration = Duration::from_secs(10);

#[derive(Debug)]
pub(super) struct Report {
    pub(super) metrics: Metrics,
    overloads: LogLimiter,
    refusals: LogLimiter,
}

impl Report {
    pub(super) fn new(metrics: Metrics) -> Self {
        let [overloads, refusals] = [(); 2].map(|()| LogLimiter::every(LOG_PERIOD));
        Self { metrics, overloads, refusals }
    }

    pub(super) fn show_rate(&self, queue: &Queue) {
        let ceiling = queue.limits.rate.map_or(f64::INFINITY, |rate| rate.qps);
        self.metrics.ceiling.set(ceiling);
        self.metrics.rate.set(queue.pace.rate().unwrap_or(f64::INFINITY));
    }

    /// Counts and logs a refusal.
    pub(super) fn refuse(&self, why: Why, retry_after: Duration) -> Refused {
        self.metrics.refused.inc(why);
        let refused = Refused { why, retry_after };
        match why {
            Why::Rate | Why::InFlight => {
                self.refusals.log(|more| log::warn!("throttled by our own limit: {refused}{more}"));
            }
            Why::Overloaded | Why::Unreachable => self.refusals.log(|more| log::warn!("{refused}{more}")),
            Why::Unwanted => log::debug!("{refused}"),
        }
        refused
    }

    /// Counts and logs a change that an answer has made.
    pub(super) fn tell(&self, change: Change) {
        match change {
            Change::None => {}
            Change::Overloaded { cut, opens } => {
                let pause = opens.saturating_duration_since(Instant::now());
                self.metrics.close_gate(pause, cut.is_some());
                self.overloads.log(|more| {
                    let rate = cut.map(|(before, after)| format!(", rate {before:.1}/s -> {after:.1}/s"));
                    let (rate, pause) = (rate.unwrap_or_default(), pause.as_millis());
                    log::warn!("throttled by the API server: nothing is asked for {pause}ms{rate}{more}");
                });
            }
            Change::Unreachable => log::warn!("the API server does not answer: it is probed until it does"),
            Change::NotReady { resource, opens } => {
                let pause = opens.saturating_duration_since(Instant::now()).as_millis();
                self.overloads.log(|more| {
                    log::warn!("the API server cannot serve {resource} yet: not asked for {pause}ms{more}");
                });
            }
        }
    }
}
