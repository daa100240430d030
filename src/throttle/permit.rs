//! Permit: leave for one request on the wire.

use super::outcome::Outcome;
use super::pace::Sent;
use super::scheduler::Scheduler;
use crate::call::{Lane, Operation};

/// Leave for one request on the wire. When it is dropped the request is over: its place among the concurrent calls
/// is free again and its outcome is counted.
#[derive(Debug)]
pub(crate) struct Permit {
    scheduler: Scheduler,
    operation: Operation,
    lane: Lane,
    sent: Sent,
    outcome: Outcome,
}

impl Permit {
    pub(super) fn new(scheduler: Scheduler, operation: Operation, lane: Lane, sent: Sent) -> Self {
        scheduler.metrics().api_in_flight.inc();
        Self { scheduler, operation, lane, sent, outcome: Outcome::Abandoned }
    }

    /// Notes the outcome of the request.
    pub(crate) fn ended(&mut self, outcome: Outcome) {
        self.outcome = outcome;
    }
}

impl Drop for Permit {
    fn drop(&mut self) {
        let Operation { verb, resource } = self.operation;
        let (metrics, took) = (self.scheduler.metrics(), self.sent.at.elapsed());
        metrics.api_in_flight.dec();
        match self.outcome {
            Outcome::Abandoned => metrics.api_call(verb, resource, "abandoned", took),
            Outcome::NoAnswer => metrics.api_call(verb, resource, "error", took),
            Outcome::Answered { status, .. } => metrics.api_call(verb, resource, &status.to_string(), took),
            Outcome::ResourceNotReady { .. } => metrics.api_call(verb, resource, "429", took),
        }
        self.scheduler.ended(self.sent, self.lane, resource, self.outcome);
    }
}
