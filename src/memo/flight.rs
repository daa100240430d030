//! Single flight: one fetch that all who ask the same question wait for.
//!
//! The fetch runs in a task of its own: when a caller gives up, the others still get their answer, and no second fetch
//! is made for them. A caller counts as interested for as long as it holds its [`Waiter`].

use super::answer::Answer;
use super::error::Error;
use std::ops::Deref;
use std::sync::Arc;
use std::sync::OnceLock;
use tokio::sync::SetOnce;
use tokio::time::{Duration, Instant, timeout_at};

type Outcome<V, E> = Result<Arc<Answer<V>>, Arc<E>>;

/// A fetch that is under way or about to begin.
pub(super) struct Flight<V, E> {
    /// `None`: it has ended without one.
    outcome: SetOnce<Option<Outcome<V, E>>>,
    /// The generation of writes at its beginning; empty until then.
    begun: OnceLock<u64>,
    booked: Instant,
    /// Shared by the waiters.
    interest: Arc<()>,
}

impl<V, E> Flight<V, E> {
    /// True if somebody waits for it.
    pub(super) fn is_wanted(&self) -> bool {
        Arc::strong_count(&self.interest) > 1
    }

    /// The fetch begins now, after all writes up to `generation`.
    pub(super) fn begin(&self, generation: u64) {
        let first = self.begun.set(generation);
        debug_assert!(first.is_ok(), "a flight begins once");
    }

    /// The generation at its beginning; `None` if it has not begun, so that its answer will be younger than now.
    pub(super) fn begun(&self) -> Option<u64> {
        self.begun.get().copied()
    }

    /// Greatest age of its answer, if it has begun.
    pub(super) fn age(&self) -> Duration {
        self.booked.elapsed()
    }

    /// One more waiter.
    pub(super) fn join(self: &Arc<Self>) -> Waiter<V, E> {
        Waiter { flight: Arc::clone(self), booked: self.booked, _interest: Arc::clone(&self.interest) }
    }

    /// Waits until the flight has ended, in whatever way.
    pub(super) async fn ended(&self) {
        self.outcome.wait().await;
    }
}

/// The side of a flight that fetches. The flight has ended when this is dropped.
pub(super) struct Fetcher<V, E>(Arc<Flight<V, E>>);

impl<V, E> Fetcher<V, E> {
    /// A new flight.
    pub(super) fn new() -> Self {
        let (outcome, begun) = (SetOnce::new(), OnceLock::new());
        Self(Arc::new(Flight { outcome, begun, booked: Instant::now(), interest: Arc::new(()) }))
    }

    pub(super) fn land(&self, outcome: Outcome<V, E>) {
        let first = self.0.outcome.set(Some(outcome));
        debug_assert!(first.is_ok(), "a flight lands once");
    }
}

impl<V, E> Deref for Fetcher<V, E> {
    type Target = Arc<Flight<V, E>>;

    fn deref(&self) -> &Self::Target {
        &self.0
    }
}

impl<V, E> Drop for Fetcher<V, E> {
    fn drop(&mut self) {
        let _has_landed = self.0.outcome.set(None);
    }
}

/// A caller that waits for a flight; its interest ends when it is dropped.
pub(super) struct Waiter<V, E> {
    flight: Arc<Flight<V, E>>,
    /// When the flight was booked.
    pub(super) booked: Instant,
    _interest: Arc<()>,
}

impl<V, E> Waiter<V, E> {
    /// Waits for the outcome, but not beyond `deadline`.
    pub(super) async fn wait(self, deadline: Instant) -> Result<Arc<Answer<V>>, Error<E>> {
        match timeout_at(deadline, self.flight.outcome.wait()).await {
            Err(_) => Err(Error::Deadline),
            Ok(Some(Ok(answer))) => Ok(Arc::clone(answer)),
            Ok(Some(Err(error))) => Err(Error::Fetch(Arc::clone(error))),
            Ok(None) => Err(Error::Lost),
        }
    }
}
