//! Permit: leave for one request on the wire, and its outcome.

use super::Throttle;
use super::pace::Sent;
use crate::call::{Lane, Operation};
use tokio::time::Duration;

/// Outcome of a request on the wire.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// Given up before its end.
    Abandoned,
    /// There was no answer: no connection, cut, timed out.
    NoAnswer,
    /// Answered.
    Answered {
        /// The HTTP status.
        status: u16,
        /// After how long it asks to be asked again. `None`: it did not say.
        retry_after: Option<Duration>,
    },
    /// Answered with 429 for this resource alone, which the API server cannot serve yet (it has not read its watch cache).
    ResourceNotReady {
        /// As above.
        retry_after: Option<Duration>,
    },
}

/// Leave for one request on the wire. When it is dropped the request is over: its place among the concurrent calls
/// is free again and its outcome is counted.
#[derive(Debug)]
pub struct Permit {
    throttle: Throttle,
    operation: Operation,
    lane: Lane,
    sent: Sent,
    outcome: Outcome,
}

impl Permit {
    pub(super) fn new(throttle: Throttle, operation: Operation, lane: Lane, sent: Sent) -> Self {
        throttle.0.metrics.api_in_flight.inc();
        Self { throttle, operation, lane, sent, outcome: Outcome::Abandoned }
    }

    /// Notes the outcome of the request.
    pub fn ended(&mut self, outcome: Outcome) {
        self.outcome = outcome;
    }
}

impl Drop for Permit {
    fn drop(&mut self) {
        let Operation { verb, resource } = self.operation;
        let (metrics, took) = (&self.throttle.0.metrics, self.sent.at.elapsed());
        metrics.api_in_flight.dec();
        match self.outcome {
            Outcome::Abandoned => metrics.api_call(verb, resource, "abandoned", took),
            Outcome::NoAnswer => metrics.api_call(verb, resource, "error", took),
            Outcome::Answered { status, .. } => metrics.api_call(verb, resource, &status.to_string(), took),
            Outcome::ResourceNotReady { .. } => metrics.api_call(verb, resource, "429", took),
        }
        self.throttle.ended(self.sent, self.lane, resource, self.outcome);
    }
}
