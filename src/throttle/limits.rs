//! Limits: rate, burst and the bounds on waiting and on concurrent calls.

use crate::call::{Call, Lane};
use tokio::time::{Duration, Instant};

/// Bounds on the API calls of the process.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Limits {
    /// Tokens per second and bucket size. `None`: no limit on the rate.
    pub rate: Option<Rate>,
    /// True if the rate, and the gate, give way to an API server that says that it is overloaded.
    pub adaptive: bool,
    /// The lowest adaptive rate in tokens per second; positive. `rate` itself if that is lower.
    pub min_qps: f64,
    /// The longest that a read waits for its turn, however far its deadline is. A write waits until its deadline.
    pub max_wait: Duration,
    /// The most calls that are under way at the same time, see [`super::places`]. Zero lets nothing through.
    pub max_in_flight: usize,
}

/// A rate with the burst that it allows.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Rate {
    /// Tokens per second; positive and finite.
    pub qps: f64,
    /// The most tokens that can be saved up; at least one.
    pub burst: u32,
}

impl Limits {
    /// Until when an attempt that arrives at `now` may wait. A write waits for as long as its caller does: nothing else
    /// answers it, and most callers take a refusal for the end.
    pub(super) fn latest(&self, call: &Call, now: Instant) -> Instant {
        match call.lane() {
            Lane::Write => call.deadline(),
            Lane::Read | Lane::Bulk => call.deadline().min(now + self.max_wait),
        }
    }
}
