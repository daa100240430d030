//! Flight guard: the end of a flight, however it ends. It takes the flight off the table also if its fetch panics, so that
//! nobody joins a dead one.

use super::answer::{Answer, ReadBy};
use super::flight::Fetcher;
use super::key::Key;
use super::memorable::Memorable;
use super::memory::{Flights, Inner};
use crate::call::Failure;
use std::sync::Arc;
use tokio::time::Instant;

/// A flight on the table.
pub(super) struct FlightGuard<V, E> {
    pub(super) inner: Arc<Inner<V, E>>,
    pub(super) key: Key,
    pub(super) flight: Fetcher<V, E>,
}

/// The beginning of a fetch.
#[derive(Clone, Copy)]
pub(super) struct Beginning {
    pub(super) at: Instant,
    generation: u64,
}

impl Beginning {
    /// The same, if nothing of what it has brought is older than `at`.
    pub(super) fn at(self, at: Instant) -> Self {
        Self { at, ..self }
    }
}

impl<V: Memorable, E: Failure> FlightGuard<V, E> {
    /// Begins the fetch; `None` if nobody waits for it any more, so that it need not begin.
    pub(super) fn begin(&self) -> Option<Beginning> {
        let mut flights = self.inner.flights();
        let generation = self.inner.kept.generation();
        self.flight.begin(generation);
        if !self.flight.is_wanted() {
            // Under the same lock as the look, so that nobody joins in between.
            self.leave(&mut flights);
            return None;
        }
        Some(Beginning { at: Instant::now(), generation })
    }

    /// Keeps the answer, with all that has been written since the beginning, and gives it to all who wait.
    pub(super) fn land(self, Beginning { at: began, generation }: Beginning, outcome: Result<(V, ReadBy), E>) {
        let kept = &self.inner.kept;
        let outcome = {
            let mut flights = self.inner.flights();
            self.leave(&mut flights);
            match outcome {
                Ok((value, read_by)) => {
                    let answer = Arc::new(Answer { value, began, read: Instant::now(), generation, read_by });
                    let answer = match &self.key {
                        Key::One(_) => answer,
                        Key::List(filter) => kept.with_writes(filter, &answer),
                    };
                    kept.keep(&self.key, &answer);
                    Ok(answer)
                }
                Err(error) => {
                    // An answer that the API server has denied must not be told from memory later.
                    if !error.is_outage() {
                        kept.deny(&self.key, generation, error.is_absence().then_some(began));
                    }
                    Err(Arc::new(error))
                }
            }
        };
        self.flight.land(outcome);
    }
}

impl<V, E> FlightGuard<V, E> {
    /// Takes the flight off the table, unless a newer one has taken its place.
    fn leave(&self, flights: &mut Flights<V, E>) {
        if flights.get(&self.key).is_some_and(|newest| Arc::ptr_eq(newest, &self.flight)) {
            flights.remove(&self.key);
        }
    }
}

impl<V, E> Drop for FlightGuard<V, E> {
    fn drop(&mut self) {
        self.leave(&mut self.inner.flights());
    }
}
