//! What is remembered, for seconds: answers by question, shared by all who ask.
//!
//! A question is answered from memory while the answer is fresh; else by one fetch that all equal questions share
//! (`flight`). A wider fresh answer serves a narrower question, but never says no: what it does not hold is
//! fetched. Errors and absences are never kept. A write drops what it touches, and a fetch that began before the
//! write cannot put its answer back. All of it is an optimisation: a replica without its memory answers the same.

mod flight;
mod key;

pub use key::Key;

use crate::call::Call;
use crate::labels::ObjectName;
use crate::live::Live;
use crate::metrics::Metrics;
use flight::{Flight, Seat};
use moka::policy::EvictionPolicy;
use moka::sync::Cache;
use std::collections::HashMap;
use std::fmt;
use std::future::Future;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tokio::runtime::Handle;
use tokio::time::{Duration, Instant};

/// How long and how much is remembered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// How long a list is fresh. Zero: equal questions share a fetch, and nothing is kept.
    pub list_ttl: Duration,
    /// How long one object is fresh. Zero as above; it is then not looked for in lists either.
    pub get_ttl: Duration,
    /// How long a fetch may take.
    pub fetch_deadline: Duration,
}

/// What can be remembered.
pub trait Memorable: Sized + Send + Sync + 'static {
    /// The part of this answer that answers the narrower question `key`; `None` if this answer cannot say.
    fn narrow(&self, key: &Key) -> Option<Self>;

    /// About how many bytes of memory it takes.
    fn bytes(&self) -> usize;
}

/// A value and when it was read.
#[derive(Debug)]
pub struct Answer<V> {
    /// What the API server said.
    pub value: V,
    /// When its fetch began; no part of it is older.
    began: Instant,
    /// When it was there in full; it is fresh from then on.
    read: Instant,
    /// The writes that had been seen when its fetch began; see [`Memo::forget`].
    generation: u64,
}

impl<V> Answer<V> {
    /// The same answer with another value.
    fn with(&self, value: V) -> Self {
        Self { value, began: self.began, read: self.read, generation: self.generation }
    }

    /// How old it is at most.
    #[must_use]
    pub fn age(&self) -> Duration {
        self.began.elapsed()
    }
}

/// Where an answer came from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Source {
    /// From memory.
    Hit,
    /// Fetched for this caller.
    Fetched,
    /// Fetched for an earlier caller that still waited.
    Joined,
}

impl Source {
    /// As it stands in logs and metrics.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Hit => "hit",
            Self::Fetched => "fetch",
            Self::Joined => "joined",
        }
    }
}

/// An answer to one caller.
#[derive(Debug)]
pub struct Found<V> {
    /// What is known.
    pub answer: Arc<Answer<V>>,
    /// Where it came from.
    pub source: Source,
    /// How much longer it will be answered from memory.
    pub fresh_for: Duration,
}

impl<V> Found<V> {
    /// The same answer, as old as before, with another value.
    #[must_use]
    pub fn map(self, value: impl FnOnce(&V) -> V) -> Self {
        let answer = Arc::new(self.answer.with(value(&self.answer.value)));
        Self { answer, ..self }
    }
}

/// How a caller asks.
#[derive(Debug, Clone, Copy)]
pub struct Asked {
    /// Until when it waits.
    pub deadline: Instant,
    /// Whether it wants an answer that was read after it asked (`Cache-Control: no-cache`).
    pub no_cache: bool,
}

/// Why there is no answer. `E` is what a fetch fails with.
#[derive(Debug, thiserror::Error)]
pub enum Error<E> {
    /// The fetch failed; all who waited for it are told the same.
    #[error(transparent)]
    Fetch(Arc<E>),
    /// The caller's deadline passed while the fetch went on.
    #[error("no answer from the API server before the request's deadline")]
    Deadline,
    /// The fetch ended without an outcome: a bug.
    #[error("internal error: the fetch was lost")]
    Lost,
}

/// The memory for one resource. Cheap to clone; clones share it.
pub struct Memo<V, E>(Arc<Inner<V, E>>);

impl<V, E> Clone for Memo<V, E> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

struct Inner<V, E> {
    resource: &'static str,
    max_bytes: u64,
    limits: Live<Limits>,
    answers: Cache<Key, Arc<Answer<V>>>,
    /// The newest flight of each question. Answers are put into memory under this lock, so that a look at both
    /// sees a fetch either here or there.
    flights: Mutex<HashMap<Key, Arc<Flight<V, E>>>>,
    /// Counts the writes. A list of an older generation is not fresh.
    generation: AtomicU64,
    /// Whether it has been said that an answer is too large to be kept.
    warned: AtomicBool,
    runtime: Handle,
    metrics: Arc<Metrics>,
}

impl<V: Memorable, E: Send + Sync + 'static> Memo<V, E> {
    /// An empty memory. `resource` is its name in the metrics; of more than `max_bytes` the least recently used go; fetches run on `runtime`.
    #[must_use]
    pub fn new(
        resource: &'static str,
        max_bytes: u64,
        limits: Live<Limits>,
        runtime: Handle,
        metrics: Arc<Metrics>,
    ) -> Self {
        let weigh = |_: &Key, answer: &Arc<Answer<V>>| u32::try_from(answer.value.bytes()).unwrap_or(u32::MAX);
        let answers = Cache::builder()
            .weigher(weigh)
            .max_capacity(max_bytes)
            // A new answer is always worth more than an old one here; moka's default would refuse it a place.
            .eviction_policy(EvictionPolicy::lru())
            .build();
        let flights = Mutex::default();
        let (generation, warned) = (AtomicU64::new(0), AtomicBool::new(false));
        Self(Arc::new(Inner { resource, max_bytes, limits, answers, flights, generation, warned, runtime, metrics }))
    }

    /// Answers `key` from memory, or by a fetch that is under way, or by `fetch`.
    ///
    /// `fetch` runs in a task of its own and ends even if this future is dropped. It is given the [`Call`] to make:
    /// its own deadline, and whether anybody still waits.
    ///
    /// # Errors
    /// [`Error`]; none of them is remembered.
    pub async fn read<F, Fut>(&self, key: Key, asked: Asked, fetch: F) -> Result<Found<V>, Error<E>>
    where
        F: FnOnce(Call) -> Fut + Send + 'static,
        Fut: Future<Output = Result<V, E>> + Send,
    {
        let outcome = self.answer(key, asked, fetch).await;
        if let Ok(found) = &outcome {
            self.0.metrics.answer(self.0.resource, found.source.as_str(), found.answer.age());
        }
        outcome
    }

    async fn answer<F, Fut>(&self, key: Key, asked: Asked, fetch: F) -> Result<Found<V>, Error<E>>
    where
        F: FnOnce(Call) -> Fut + Send + 'static,
        Fut: Future<Output = Result<V, E>> + Send,
    {
        let remembered = || (!asked.no_cache).then(|| self.0.remembered(&key)).flatten();
        if let Some(answer) = remembered() {
            return Ok(self.found(&key, answer, Source::Hit));
        }
        let (seat, source) = {
            let mut flights = self.0.flights();
            // Again, now that no flight can land in between.
            if let Some(answer) = remembered() {
                return Ok(self.found(&key, answer, Source::Hit));
            }
            match flights.get(&key) {
                Some(flight) if !(asked.no_cache && flight.has_begun()) => (flight.join(), Source::Joined),
                ahead => {
                    let ahead = ahead.map(|flight| flight.join());
                    let flight = Flight::new();
                    let seat = flight.join();
                    flights.insert(key.clone(), Arc::clone(&flight));
                    self.take_off(key.clone(), flight, ahead, fetch);
                    (seat, Source::Fetched)
                }
            }
        };
        let answer = seat.wait(asked.deadline).await?;
        Ok(self.found(&key, answer, source))
    }

    /// Drops what shows the object `name`, which has just been written: its own answer, and every list.
    ///
    /// Flights that began before are not stopped, since their callers asked before the write; but nobody new joins
    /// them, and what they bring is not kept.
    pub fn forget(&self, name: &ObjectName) {
        let mut flights = self.0.flights();
        flights.retain(|key, _| !key.may_show(name));
        self.0.generation.fetch_add(1, Ordering::Relaxed);
        self.0.answers.invalidate(&Key::one(name));
    }

    fn found(&self, key: &Key, answer: Arc<Answer<V>>, source: Source) -> Found<V> {
        let fresh_for = self.0.ttl(key).saturating_sub(answer.read.elapsed());
        Found { answer, source, fresh_for }
    }

    /// Starts the fetch. With a flight of the same question `ahead`, it begins when that one has ended: a question
    /// has at most one fetch under way and one that waits, however many ask with `no-cache`.
    fn take_off<F, Fut>(&self, key: Key, flight: Arc<Flight<V, E>>, ahead: Option<Seat<V, E>>, fetch: F)
    where
        F: FnOnce(Call) -> Fut + Send + 'static,
        Fut: Future<Output = Result<V, E>> + Send,
    {
        let inner = Arc::clone(&self.0);
        self.0.runtime.spawn(async move {
            let landing = Landing { inner, key, flight };
            if let Some(ahead) = ahead {
                ahead.ended().await;
            }
            let Some(generation) = landing.begin() else { return };
            let wanted = Arc::clone(&landing.flight);
            let began = Instant::now();
            let deadline = began + landing.inner.limits.get().fetch_deadline;
            let outcome = fetch(Call::until(deadline).while_wanted(move || wanted.is_wanted())).await;
            landing.land(outcome.map(|value| Arc::new(Answer { value, began, read: Instant::now(), generation })));
        });
    }
}

impl<V: Memorable, E> Inner<V, E> {
    fn flights(&self) -> MutexGuard<'_, HashMap<Key, Arc<Flight<V, E>>>> {
        self.flights.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// An answer that takes more than all the room cannot be kept, and each question costs a fetch.
    fn warn_if_too_large(&self, value: &V) {
        let too_large = value.bytes() as u64 > self.max_bytes;
        if too_large && !self.warned.swap(true, Ordering::Relaxed) {
            log::warn!(
                "an answer about {} takes {} bytes of memory and cannot be kept: raise memo.max_bytes",
                self.resource,
                value.bytes()
            );
        }
    }

    fn ttl(&self, key: &Key) -> Duration {
        match key {
            Key::One(_) => self.limits.get().get_ttl,
            Key::List(_) => self.limits.get().list_ttl,
        }
    }

    /// A fresh answer to `key`: its own, or the part of a wider one.
    fn remembered(&self, key: &Key) -> Option<Arc<Answer<V>>> {
        if self.ttl(key).is_zero() {
            return None;
        }
        self.fresh(key).or_else(|| {
            key.wider().find_map(|wider| {
                let wide = self.fresh(&wider)?;
                let narrowed = Arc::new(wide.with(wide.value.narrow(key)?));
                // A single object is found again in no time; a part of a list is worth keeping with its rendering.
                if let Key::List(_) = key {
                    self.answers.insert(key.clone(), Arc::clone(&narrowed));
                }
                Some(narrowed)
            })
        })
    }

    fn fresh(&self, key: &Key) -> Option<Arc<Answer<V>>> {
        let answer = self.answers.get(key)?;
        let current = match key {
            Key::One(_) => true,
            Key::List(_) => answer.generation == self.generation.load(Ordering::Relaxed),
        };
        (current && answer.read.elapsed() < self.ttl(key)).then_some(answer)
    }
}

/// The end of a flight: takes it off the table also if its fetch panics, so that nobody joins a dead one.
struct Landing<V: Memorable, E> {
    inner: Arc<Inner<V, E>>,
    key: Key,
    flight: Arc<Flight<V, E>>,
}

impl<V: Memorable, E> Landing<V, E> {
    /// The generation that the fetch sees; `None` if nobody waits for it any more, so that it need not begin.
    fn begin(&self) -> Option<u64> {
        let mut flights = self.inner.flights();
        self.flight.begin();
        if !self.flight.is_wanted() {
            // Under the same lock as the look, so that nobody joins in between.
            self.leave(&mut flights);
            return None;
        }
        Some(self.inner.generation.load(Ordering::Relaxed))
    }

    fn land(self, outcome: Result<Arc<Answer<V>>, E>) {
        let outcome = outcome.map_err(Arc::new);
        {
            let mut flights = self.inner.flights();
            if self.leave(&mut flights)
                && let Ok(answer) = &outcome
                && !self.inner.ttl(&self.key).is_zero()
            {
                self.inner.warn_if_too_large(&answer.value);
                self.inner.answers.insert(self.key.clone(), Arc::clone(answer));
            }
        }
        self.flight.land(outcome);
    }

    /// Takes the flight off the table. False if it was not there any more: a write has taken it off, or a newer
    /// flight has taken its place.
    fn leave(&self, flights: &mut HashMap<Key, Arc<Flight<V, E>>>) -> bool {
        let newest = flights.get(&self.key).is_some_and(|newest| Arc::ptr_eq(newest, &self.flight));
        newest && flights.remove(&self.key).is_some()
    }
}

impl<V: Memorable, E> Drop for Landing<V, E> {
    fn drop(&mut self) {
        self.leave(&mut self.inner.flights());
    }
}

impl<V, E> fmt::Debug for Memo<V, E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Memo").field("resource", &self.0.resource).field("limits", &self.0.limits).finish()
    }
}

#[cfg(test)]
mod tests;
