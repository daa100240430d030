//! Leave for one request on the wire, and what became of it.

use super::Throttle;
use super::pace::Sent;
use crate::call::Operation;
use tokio::time::Duration;

/// What became of a request on the wire.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// Nobody waited for its end.
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
}

/// Leave for one request on the wire. When it is dropped the request is over: its place among the concurrent calls
/// is free again and its outcome is counted.
#[derive(Debug)]
pub struct Permit {
    throttle: Throttle,
    operation: Operation,
    sent: Sent,
    outcome: Outcome,
}

impl Permit {
    pub(super) fn new(throttle: Throttle, operation: Operation, sent: Sent) -> Self {
        throttle.0.metrics.api_in_flight.inc();
        Self { throttle, operation, sent, outcome: Outcome::Abandoned }
    }

    /// Notes what has become of the request.
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
        }
        self.throttle.ended(self.sent, self.outcome);
    }
}
