//! Waiter: an attempt's own end of the queue.

use super::lanes::Place;
use super::queue::{Turn, Waiting};
use super::refused::{Refused, Why};
use super::scheduler::Scheduler;
use crate::call::{Call, Lane, Operation};
use tokio::sync::oneshot;
use tokio::time::{Duration, Instant, timeout_at};

/// An attempt's own end of the queue; gives up its place, or its turn, on drop.
pub(super) struct Waiter<'a> {
    scheduler: &'a Scheduler,
    place: Place,
    lane: Lane,
    my_turn: oneshot::Receiver<Turn>,
    has_left: bool,
}

impl<'a> Waiter<'a> {
    /// Queues an attempt, unless its turn would come after `latest`.
    pub(super) fn enter(
        scheduler: &'a Scheduler,
        call: &Call,
        operation: Operation,
        latest: Instant,
        now: Instant,
    ) -> Result<Self, Refused> {
        if !call.is_due() {
            return Err(scheduler.refuse(Why::Unwanted, Duration::ZERO));
        }
        let mut queue = scheduler.queue();
        let (mut wait, mut closed) = queue.wait_for(call, now);
        if now + wait > latest && queue.drop_unwanted(now) {
            (wait, closed) = queue.wait_for(call, now);
        }
        if now + wait > latest {
            drop(queue);
            return Err(scheduler.refuse(closed.map_or(Why::Rate, Why::from), wait));
        }
        let (turn, my_turn) = oneshot::channel();
        let waiting = Waiting { call: call.clone(), resource: operation.resource, turn };
        let place = queue.lanes.enter(call.lane(), call.turn_of(), waiting);
        scheduler.metrics().waiting(call.lane()).inc();
        scheduler.serve(&mut queue);
        Ok(Self { scheduler, place, lane: call.lane(), my_turn, has_left: false })
    }

    /// Waits for the turn; `None` if it has not come until `latest`.
    pub(super) async fn wait(&mut self, latest: Instant) -> Option<Turn> {
        let turn = match timeout_at(latest, &mut self.my_turn).await {
            Ok(turn) => turn.ok(),
            Err(_) => {
                // The alarm for this very moment may not have rung yet.
                self.scheduler.serve(&mut self.scheduler.queue());
                self.my_turn.try_recv().ok()
            }
        };
        self.has_left = turn.is_some();
        turn
    }
}

impl Drop for Waiter<'_> {
    fn drop(&mut self) {
        self.scheduler.metrics().waiting(self.lane).dec();
        if self.has_left {
            return;
        }
        let mut queue = self.scheduler.queue();
        if !queue.lanes.leave(self.place)
            && let Ok(Turn::Go(sent)) = self.my_turn.try_recv()
        {
            queue.pace.take_back(sent);
            queue.places.give_back(self.lane);
        }
        self.scheduler.serve(&mut queue);
    }
}
