//! One fetch that all who ask the same question wait for.
//!
//! The fetch runs in a task of its own, so that a caller who gives up takes nothing with it: the others still get
//! their answer, and no second fetch is made for them. A caller counts as interested for as long as it holds its
//! [`Seat`].

use super::{Answer, Error};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use tokio::sync::watch;
use tokio::time::{Instant, timeout_at};

type Outcome<V, E> = Result<Arc<Answer<V>>, Arc<E>>;

/// A fetch that is under way or about to begin.
pub(super) struct Flight<V, E> {
    outcome: watch::Sender<Option<Outcome<V, E>>>,
    begun: AtomicBool,
}

impl<V, E> Flight<V, E> {
    pub(super) fn new() -> Arc<Self> {
        Arc::new(Self { outcome: watch::Sender::new(None), begun: AtomicBool::new(false) })
    }

    /// A seat for one more caller.
    pub(super) fn join(&self) -> Seat<V, E> {
        Seat(self.outcome.subscribe())
    }

    /// Whether somebody waits for it.
    pub(super) fn is_wanted(&self) -> bool {
        self.outcome.receiver_count() > 0
    }

    pub(super) fn begin(&self) {
        self.begun.store(true, Ordering::Release);
    }

    /// Whether what it brings may be older than now.
    pub(super) fn has_begun(&self) -> bool {
        self.begun.load(Ordering::Acquire)
    }

    pub(super) fn land(&self, outcome: Outcome<V, E>) {
        self.outcome.send_replace(Some(outcome));
    }
}

/// A caller's place in a flight; given up on drop.
pub(super) struct Seat<V, E>(watch::Receiver<Option<Outcome<V, E>>>);

impl<V, E> Seat<V, E> {
    /// Waits for the outcome, but not beyond `deadline`.
    pub(super) async fn wait(mut self, deadline: Instant) -> Result<Arc<Answer<V>>, Error<E>> {
        match timeout_at(deadline, self.0.wait_for(Option::is_some)).await {
            Err(_) => Err(Error::Deadline),
            Ok(Ok(outcome)) => match outcome.as_ref() {
                Some(Ok(answer)) => Ok(Arc::clone(answer)),
                Some(Err(error)) => Err(Error::Fetch(Arc::clone(error))),
                None => Err(Error::Lost),
            },
            Ok(Err(_)) => Err(Error::Lost),
        }
    }

    /// Waits until the flight has ended, in whatever way.
    pub(super) async fn ended(mut self) {
        let _ended_without_outcome = self.0.wait_for(Option::is_some).await.is_err();
    }
}
