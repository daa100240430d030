//! Admission: the wait of one attempt for its turn, at whose end it is let through or refused.

use super::gate::Closed;
use super::limits::Limits;
use super::metrics::Metrics;
use super::permit::Permit;
use super::queue::Turn;
use super::refused::{Refused, Why};
use super::scheduler::Scheduler;
use super::waiter::Waiter;
use crate::call::{Call, Lane, Operation};
use tokio::runtime::Handle;
use tokio::time::{Duration, Instant, sleep_until};

/// The one way to the API server, shared by all calls of the process. Cheap to clone; clones share it.
#[derive(Debug, Clone)]
pub(crate) struct Throttle(Scheduler);

impl Throttle {
    /// A throttle with a full bucket. `runtime` is what its alarms run on.
    pub(crate) fn new(limits: Limits, runtime: Handle, metrics: Metrics) -> Self {
        Self(Scheduler::new(limits, runtime, metrics))
    }

    /// Replaces the limits, for waiting attempts, too. Anything learnt of the API server stays.
    pub(crate) fn retune(&self, limits: Limits) {
        self.0.retune(limits);
    }

    /// True if a call would wait until the API server wants to be asked again.
    pub(crate) fn is_closed(&self) -> bool {
        self.closed().is_some()
    }

    /// True if a read that comes now would wait for a token.
    pub(crate) fn would_wait(&self) -> bool {
        let now = Instant::now();
        !self.0.queue().wait_for(&Call::until(now), now).0.is_zero()
    }

    /// Why the gate is closed, and when it opens; `None`: when the probe that is under way has ended.
    pub(crate) fn closed(&self) -> Option<(Closed, Option<Instant>)> {
        self.0.queue().pace.closed(Instant::now())
    }

    /// True if the API server may have just come back: it listens before it knows anybody's rights.
    pub(crate) fn is_settling(&self) -> bool {
        self.0.queue().pace.is_settling(Instant::now())
    }

    /// Waits for a place, a token and an open gate.
    ///
    /// Dropping the future gives up the place in the queue; no token is lost by that.
    ///
    /// # Errors
    /// [`Refused`]: at once, if gate, tokens and the queue leave no turn before the call's deadline (for a read: or
    /// within `max_wait`); when that time is over; or at its turn, if nobody waits for the answer any more.
    pub(crate) async fn admit(&self, call: &Call, operation: Operation) -> Result<Permit, Refused> {
        let arrived = Instant::now();
        let latest = self.0.queue().limits.latest(call, arrived);
        let mut now = arrived;
        loop {
            if let Some(opens) = self.closed_for(operation.resource) {
                if opens > latest {
                    return Err(self.0.refuse(Why::Overloaded, opens.saturating_duration_since(now)));
                }
                sleep_until(opens).await;
                now = Instant::now();
            }
            let mut waiter = Waiter::enter(&self.0, call, operation, latest, now)?;
            match waiter.wait(latest).await {
                Some(Turn::Go(sent)) => {
                    self.0.metrics().admit(call.lane(), arrived.elapsed());
                    return Ok(Permit::new(self.0.clone(), operation, call.lane(), sent));
                }
                Some(Turn::Closed) => {}
                Some(Turn::Unwanted) => return Err(self.0.refuse(Why::Unwanted, Duration::ZERO)),
                None => return Err(self.refuse_late(call.lane(), arrived)),
            }
        }
    }

    #[cfg(test)]
    pub(super) fn metrics(&self) -> &Metrics {
        self.0.metrics()
    }

    fn closed_for(&self, resource: &str) -> Option<Instant> {
        self.0.queue().pace.closed_for(resource, Instant::now())
    }

    /// Refuses an attempt that has waited for as long as it can. That it takes at least as long again is the best guess.
    fn refuse_late(&self, lane: Lane, arrived: Instant) -> Refused {
        let mut queue = self.0.queue();
        let has_place = queue.places.has_room(lane);
        let (wait, closed) = queue.pace.wait_for(1, Instant::now());
        let why = closed.map_or(if has_place { Why::Rate } else { Why::InFlight }, Why::from);
        drop(queue);
        self.0.refuse(why, wait.max(arrived.elapsed()))
    }
}
