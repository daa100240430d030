//! Single flight: one fetch that all who ask the same question wait for.
//!
//! The fetch runs in a task of its own: when a caller gives up, the others still get their answer, and no second fetch
//! is made for them. A caller counts as interested for as long as it holds its [`Waiter`].

use super::answer::Answer;
use super::error::Error;
use std::sync::Arc;
use std::sync::OnceLock;
use tokio::sync::watch;
use tokio::time::{Instant, timeout_at};

type Outcome<V, E> = Result<Arc<Answer<V>>, Arc<E>>;

/// A fetch that is under way or about to begin.
pub(super) struct Flight<V, E> {
    outcome: watch::Sender<Option<Outcome<V, E>>>,
    /// The generation of writes at its beginning; empty until then.
    begun: OnceLock<u64>,
    booked: Instant,
    /// Shared by the waiters.
    interest: Arc<()>,
}

impl<V, E> Flight<V, E> {
    pub(super) fn new() -> Arc<Self> {
        Arc::new(Self {
            outcome: watch::Sender::new(None),
            begun: OnceLock::new(),
            booked: Instant::now(),
            interest: Arc::new(()),
        })
    }

    /// One more waiter.
    pub(super) fn join(&self) -> Waiter<V, E> {
        Waiter { outcome: self.outcome.subscribe(), booked: self.booked, _interest: Arc::clone(&self.interest) }
    }

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

    pub(super) fn land(&self, outcome: Outcome<V, E>) {
        self.outcome.send_replace(Some(outcome));
    }

    /// Waits until the flight has ended, in whatever way.
    pub(super) async fn ended(self: Arc<Self>) {
        let mut outcome = self.outcome.subscribe();
        // A flight that is kept alive here could not end without an outcome.
        drop(self);
        let _ended_without_outcome = outcome.wait_for(Option::is_some).await.is_err();
    }
}

/// A caller that waits for a flight; its interest ends when it is dropped.
pub(super) struct Waiter<V, E> {
    outcome: watch::Receiver<Option<Outcome<V, E>>>,
    /// When the flight was booked.
    pub(super) booked: Instant,
    _interest: Arc<()>,
}

impl<V, E> Waiter<V, E> {
    /// Waits for the outcome, but not beyond `deadline`.
    pub(super) async fn wait(mut self, deadline: Instant) -> Result<Arc<Answer<V>>, Error<E>> {
        match timeout_at(deadline, self.outcome.wait_for(Option::is_some)).await {
            Err(_) => Err(Error::Deadline),
            Ok(Ok(outcome)) => match outcome.as_ref() {
                Some(Ok(answer)) => Ok(Arc::clone(answer)),
                Some(Err(error)) => Err(Error::Fetch(Arc::clone(error))),
                None => Err(Error::Lost),
            },
            Ok(Err(_)) => Err(Error::Lost),
        }
    }
}
