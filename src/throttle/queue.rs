//! Queue: the attempts that wait, and all that decides whose turn it is. Pure, driven by `now`.

use super::gate::Closed;
use super::lanes::Lanes;
use super::limits::Limits;
use super::pace::{Pace, Sent};
use super::places::Places;
use crate::call::Call;
use tokio::sync::oneshot;
use tokio::time::{Duration, Instant};

/// Shortest time between two searches for attempts that nobody wants any more: refusing must stay cheap.
pub(super) const SEARCH_PERIOD: Duration = Duration::from_millis(100);

#[derive(Debug)]
pub(super) struct Queue {
    pub(super) limits: Limits,
    pub(super) pace: Pace,
    pub(super) lanes: Lanes<Waiting>,
    pub(super) places: Places,
    /// When it is served again, if nothing happens before.
    pub(super) alarm: Option<Instant>,
    /// When it was searched last for attempts that nobody wants.
    searched: Option<Instant>,
}

/// An attempt in the queue.
#[derive(Debug)]
pub(super) struct Waiting {
    pub(super) call: Call,
    pub(super) resource: &'static str,
    pub(super) turn: oneshot::Sender<Turn>,
}

/// End of the wait in the queue.
#[derive(Debug, Clone, Copy)]
pub(super) enum Turn {
    /// The attempt may leave.
    Go(Sent),
    /// The resource has been closed meanwhile.
    Closed,
    /// Nobody waits for the answer any more.
    Unwanted,
}

impl Queue {
    /// An empty queue with a full bucket.
    pub(super) fn new(limits: Limits, now: Instant) -> Self {
        let (pace, places) = (Pace::new(limits, now), Places::new(limits.max_in_flight));
        Self { limits, pace, lanes: Lanes::default(), places, alarm: None, searched: None }
    }

    /// Replaces the limits. Anything learnt of the API server stays.
    pub(super) fn retune(&mut self, limits: Limits, now: Instant) {
        self.limits = limits;
        self.places.set(limits.max_in_flight);
        self.pace.retune(limits, now);
    }

    /// Lets attempts go for as long as it can. Returns when the next one may go, if time alone holds it up; by then
    /// `spread`, from 0 to 1, is chance.
    pub(super) fn serve(&mut self, now: Instant, spread: impl FnOnce() -> f64) -> Option<Instant> {
        while let Some(lane) = self.lanes.due(|lane| self.places.has_room(lane)) {
            if let Err(hold) = self.pace.check(now) {
                return hold.until.map(|at| at + self.pace.stagger(spread()));
            }
            let next = self.lanes.pop(lane)?;
            let turn = if !next.call.is_due() {
                Turn::Unwanted
            } else if self.pace.closed_for(next.resource, now).is_some() {
                Turn::Closed
            } else {
                self.lanes.charge(lane);
                self.places.take(lane);
                Turn::Go(self.pace.send(now))
            };
            let taken = next.turn.send(turn);
            debug_assert!(taken.is_ok(), "a waiter leaves the queue before it stops listening");
        }
        None
    }

    /// Wait of an attempt that comes now, if nobody else comes, and the gate's reason if it is closed.
    pub(super) fn wait_for(&mut self, call: &Call, now: Instant) -> (Duration, Option<Closed>) {
        self.pace.wait_for(self.lanes.ahead(call.lane(), call.turn_of()) + 1, now)
    }

    /// Takes the attempts out of the queue whose callers have gone. True if there were any.
    pub(super) fn drop_unwanted(&mut self, now: Instant) -> bool {
        if self.searched.is_some_and(|last| now < last + SEARCH_PERIOD) {
            return false;
        }
        self.searched = Some(now);
        let unwanted = self.lanes.extract(|waiting| !waiting.call.is_due());
        let found = !unwanted.is_empty();
        for waiting in unwanted {
            // A waiter that has given up meanwhile does not listen.
            let _ = waiting.turn.send(Turn::Unwanted);
        }
        found
    }
}
