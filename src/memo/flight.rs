//! One fetch that all who ask the same question wait for.
//!
//! The fetch runs in a task of its own, so that a caller who gives up takes nothing with it: the others still get
//! their answer, and no second fetch is made for them. A caller counts as interested for as long as it holds its
//! [`Seat`]; who only waits for the end of a flight does not.

use super::{Answer, Error};
use crate::call::CallerKey;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use tokio::sync::watch;
use tokio::time::{Instant, timeout_at};

type Outcome<V, E> = Result<Arc<Answer<V>>, Arc<E>>;

/// A fetch that is under way or about to begin.
pub(super) struct Flight<V, E> {
    outcome: watch::Sender<Option<Outcome<V, E>>>,
    begun: AtomicBool,
    since: Instant,
    /// Who began it.
    pub(super) caller: CallerKey,
    /// Shared by the seats.
    interest: Arc<()>,
}

impl<V, E> Flight<V, E> {
    pub(super) fn new(caller: CallerKey) -> Arc<Self> {
        Arc::new(Self {
            outcome: watch::Sender::new(None),
            begun: AtomicBool::new(false),
            since: Instant::now(),
            caller,
            interest: Arc::new(()),
        })
    }

    /// A seat for one more caller.
    pub(super) fn join(&self) -> Seat<V, E> {
        Seat { outcome: self.outcome.subscribe(), since: self.since, _interest: Arc::clone(&self.interest) }
    }

    /// Whether somebody waits for it.
    pub(super) fn is_wanted(&self) -> bool {
        Arc::strong_count(&self.interest) > 1
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

    /// Waits until the flight has ended, in whatever way.
    pub(super) async fn ended(self: Arc<Self>) {
        let mut outcome = self.outcome.subscribe();
        // A flight that is kept alive here could not end without an outcome.
        drop(self);
        let _ended_without_outcome = outcome.wait_for(Option::is_some).await.is_err();
    }
}

/// A caller's place in a flight; given up on drop.
pub(super) struct Seat<V, E> {
    outcome: watch::Receiver<Option<Outcome<V, E>>>,
    /// When the flight was booked.
    pub(super) since: Instant,
    _interest: Arc<()>,
}

impl<V, E> Seat<V, E> {
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
