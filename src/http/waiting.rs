//! Places for requests that wait for their answer.
//!
//! A replica whose API server is slow gathers callers, each with some memory until its deadline. A read without a place
//! is answered from memory or refused; a write takes its place when its body has arrived, so that callers who do not send
//! theirs keep nobody out. A place is free again when its request is answered, or its caller hangs up.

use super::metrics::Metrics;
use std::num::NonZeroUsize;
use std::sync::Arc;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// The places.
#[derive(Debug)]
pub(crate) struct Waiting(Arc<Semaphore>);

impl Waiting {
    /// So many places, all free.
    pub(crate) fn new(places: NonZeroUsize) -> Self {
        Self(Arc::new(Semaphore::new(places.get())))
    }

    /// A place. `None`: all are taken.
    pub(super) fn enter(&self, metrics: &Metrics) -> Option<Place> {
        let permit = Arc::clone(&self.0).try_acquire_owned().ok()?;
        metrics.in_flight.inc();
        Some(Place { _permit: permit, metrics: metrics.clone() })
    }
}

/// One place, free again when dropped.
#[derive(Debug)]
pub(super) struct Place {
    _permit: OwnedSemaphorePermit,
    metrics: Metrics,
}

impl Drop for Place {
    fn drop(&mut self) {
        self.metrics.in_flight.dec();
    }
}
