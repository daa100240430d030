//! Memory of one resource: the answers that are kept, and the flights that bring new ones.

use super::flight::Flight;
use super::kept::Kept;
use super::key::Key;
use super::limits::Limits;
use super::memorable::Memorable;
use super::metrics::{Answers, Metrics};
use super::way::LookAtWay;
use crate::reload::Live;
use crate::telemetry::log_limiter::LogLimiter;
use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tokio::runtime::Handle;
use tokio::time::Duration;

/// Shortest time between two log lines about old answers that are given.
const LOG_PERIOD: Duration = Duration::from_secs(10);

/// The memory for one resource. Cheap to clone; clones share it.
pub struct Memo<V, E>(pub(super) Arc<Inner<V, E>>);

impl<V, E> Clone for Memo<V, E> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

/// The newest flight of each question.
pub(super) type Flights<V, E> = HashMap<Key, Arc<Flight<V, E>>>;

pub(super) struct Inner<V, E> {
    pub(super) resource: &'static str,
    pub(super) limits: Live<Limits>,
    pub(super) kept: Kept<V>,
    /// Answers are put into memory, and writes are logged, under this lock, so that a look at both sees a fetch either
    /// here or there.
    pub(super) flights: Mutex<Flights<V, E>>,
    pub(super) way: LookAtWay,
    pub(super) outages: LogLimiter,
    pub(super) runtime: Handle,
    pub(super) answers: Answers,
}

impl<V: Memorable, E> Memo<V, E> {
    /// An empty memory of at most `max_bytes`. `resource` is its name in the metrics; fetches run on `runtime`.
    pub fn new(
        resource: &'static str,
        max_bytes: u64,
        limits: Live<Limits>,
        way: LookAtWay,
        runtime: Handle,
        metrics: Metrics,
    ) -> Self {
        let kept = Kept::new(resource, max_bytes, limits.clone());
        let (flights, outages) = (Mutex::default(), LogLimiter::every(LOG_PERIOD));
        Self(Arc::new(Inner { resource, limits, kept, flights, way, outages, runtime, answers: metrics.of(resource) }))
    }
}

impl<V, E> Inner<V, E> {
    pub(super) fn flights(&self) -> MutexGuard<'_, Flights<V, E>> {
        self.flights.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<V, E> fmt::Debug for Memo<V, E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Memo").field("resource", &self.0.resource).field("limits", &self.0.limits).finish()
    }
}
