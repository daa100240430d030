//! Scheduler: the lock around the queue, and the alarm that serves it again when time alone holds attempts up.

use super::limits::Limits;
use super::metrics::Metrics;
use super::outcome::Outcome;
use super::pace::Sent;
use super::queue::Queue;
use super::refused::{Refused, Why};
use super::report::Report;
use crate::call::Lane;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tokio::runtime::Handle;
use tokio::time::{Duration, Instant, sleep_until};

/// The queue of the process. Cheap to clone; clones share it.
#[derive(Debug, Clone)]
pub(super) struct Scheduler(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    queue: Mutex<Queue>,
    /// Runs the alarms.
    runtime: Handle,
    report: Report,
}

impl Scheduler {
    pub(super) fn new(limits: Limits, runtime: Handle, metrics: Metrics) -> Self {
        let (queue, report) = (Queue::new(limits, Instant::now()), Report::new(metrics));
        report.show_rate(&queue);
        Self(Arc::new(Shared { queue: Mutex::new(queue), runtime, report }))
    }

    pub(super) fn metrics(&self) -> &Metrics {
        &self.0.report.metrics
    }

    pub(super) fn queue(&self) -> MutexGuard<'_, Queue> {
        self.0.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn retune(&self, limits: Limits) {
        let mut queue = self.queue();
        queue.retune(limits, Instant::now());
        self.0.report.show_rate(&queue);
        self.serve(&mut queue);
    }

    pub(super) fn refuse(&self, why: Why, retry_after: Duration) -> Refused {
        self.0.report.refuse(why, retry_after)
    }

    /// Lets attempts go for as long as it can, and sees to it that somebody looks again when the next one may go. Called
    /// when an attempt arrives, when one has ended, and by the alarm.
    pub(super) fn serve(&self, queue: &mut Queue) {
        if let Some(at) = queue.serve(Instant::now(), fastrand::f64) {
            self.set_alarm(queue, at);
        }
    }

    /// An attempt has ended.
    pub(super) fn ended(&self, sent: Sent, lane: Lane, resource: &'static str, outcome: Outcome) {
        let mut queue = self.queue();
        queue.places.give_back(lane);
        let change = queue.pace.ended(sent, resource, outcome, fastrand::f64(), Instant::now());
        self.0.report.show_rate(&queue);
        self.serve(&mut queue);
        drop(queue);
        self.0.report.tell(change);
    }

    fn set_alarm(&self, queue: &mut Queue, at: Instant) {
        if queue.alarm.is_some_and(|set| set <= at) {
            return;
        }
        queue.alarm = Some(at);
        let scheduler = self.clone();
        self.0.runtime.spawn(async move {
            sleep_until(at).await;
            let mut queue = scheduler.queue();
            if queue.alarm == Some(at) {
                queue.alarm = None;
                scheduler.serve(&mut queue);
            }
        });
    }
}
