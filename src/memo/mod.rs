//! What is remembered, for seconds: answers by question, shared by all who ask.
//!
//! A question is answered from memory while the answer is fresh; else by one fetch that all equal questions share
//! (`flight`). A wider fresh answer serves a narrower question, but never says no: what it does not hold is
//! fetched. Errors and absences are never kept. A write drops what it touches, and a fetch that began before the
//! write cannot put its answer back. All of it is an optimisation: a replica without its memory answers the same.
//!
//! An answer that is not fresh any more stands in for one that cannot be had (stale-if-error, RFC 5861, section 4): when
//! the fetch fails for a reason that says nothing of the object, when it takes too long, or when it would only wait for an
//! API server that has asked to be left alone. It is then marked as old. While one is at hand, a fetch makes one attempt.

mod answer;
mod flight;
mod kept;
mod key;
mod metrics;
#[cfg(test)]
mod tests;

pub use answer::{Answer, Found, Source};
pub use key::Key;
pub use metrics::Metrics;

use crate::call::{Call, CallerKey, Failure};
use crate::reload::Live;
use crate::syntax::ObjectName;
use crate::telemetry::log_limiter::LogLimiter;
use crate::telemetry::request_context::carried;
use flight::{Flight, Seat};
use kept::Kept;
use std::collections::HashMap;
use std::fmt;
use std::future::Future;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tokio::runtime::Handle;
use tokio::time::{Duration, Instant};

/// How often it is logged at most that old answers are given, and why.
const LOG_PERIOD: Duration = Duration::from_secs(10);

/// How long is remembered.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Limits {
    /// How long a list is fresh. Zero: never, but equal questions share a fetch.
    pub list_ttl: Duration,
    /// How long one object is fresh. Zero as above; it is then not looked for in lists either.
    pub get_ttl: Duration,
    /// For how long after that an answer is given at once, while a new one is fetched. Zero: not at all.
    pub revalidate: Duration,
    /// How old an answer may be that stands in for one that cannot be had. Zero: none may.
    pub max_stale: Duration,
    /// How long a new answer is waited for while such an old one is at hand.
    pub patience: Duration,
    /// How long a fetch may take.
    pub fetch_deadline: Duration,
}

impl Limits {
    fn ttl(&self, key: &Key) -> Duration {
        match key {
            Key::One(_) => self.get_ttl,
            Key::List(_) => self.list_ttl,
        }
    }

    /// How long an answer is of any use.
    fn lifetime(&self, key: &Key) -> Duration {
        (self.ttl(key) + self.revalidate).max(self.max_stale)
    }
}

/// What can be remembered.
pub trait Memorable: Sized + Send + Sync + 'static {
    /// The part of this answer that answers the narrower question `key`; `None` if this answer cannot say.
    fn narrow(&self, key: &Key) -> Option<Self>;

    /// About how many bytes of memory it takes.
    fn bytes(&self) -> usize;
}

/// How a caller asks.
#[derive(Debug, Clone, Copy)]
pub struct ReadOptions {
    /// Until when it waits.
    pub deadline: Instant,
    /// Whether it wants an answer that was read after it asked (`Cache-Control: no-cache`).
    pub no_cache: bool,
    /// How old an answer it takes if no new one can be had (`Cache-Control: stale-if-error=…`). `None`: as old as the
    /// limits allow.
    pub stale_if_error: Option<Duration>,
    /// On whose behalf a fetch is made that it begins.
    pub caller: CallerKey,
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

impl<E: Failure> Failure for Error<E> {
    fn is_outage(&self) -> bool {
        match self {
            Self::Fetch(error) => error.is_outage(),
            Self::Deadline => true,
            Self::Lost => false,
        }
    }
}

/// Whether a fetch would only wait now, because the other side has asked to be left alone or cannot be reached.
pub type IsClosed = Box<dyn Fn() -> bool + Send + Sync>;

/// The memory for one resource. Cheap to clone; clones share it.
pub struct Memo<V, E>(Arc<Inner<V, E>>);

impl<V, E> Clone for Memo<V, E> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

struct Inner<V, E> {
    resource: &'static str,
    limits: Live<Limits>,
    kept: Kept<V>,
    /// The newest flight of each question. Answers are put into memory under this lock, so that a look at both
    /// sees a fetch either here or there.
    flights: Mutex<HashMap<Key, Arc<Flight<V, E>>>>,
    is_closed: IsClosed,
    outages: LogLimiter,
    runtime: Handle,
    metrics: Metrics,
}

/// What a caller finds when it looks.
enum Look<V, E> {
    Answered(Found<V>),
    Wait(Seat<V, E>, Source),
}

impl<V: Memorable, E: Failure> Memo<V, E> {
    /// An empty memory of at most `max_bytes`. `resource` is its name in the metrics; fetches run on `runtime`.
    #[must_use]
    pub fn new(
        resource: &'static str,
        max_bytes: u64,
        limits: Live<Limits>,
        is_closed: IsClosed,
        runtime: Handle,
        metrics: Metrics,
    ) -> Self {
        let kept = Kept::new(resource, max_bytes, limits.clone());
        let (flights, outages) = (Mutex::default(), LogLimiter::every(LOG_PERIOD));
        Self(Arc::new(Inner { resource, limits, kept, flights, is_closed, outages, runtime, metrics }))
    }

    /// Answers `key` from memory, or by a fetch that is under way, or by `fetch`.
    ///
    /// `fetch` runs in a task of its own and ends even if this future is dropped. It is given the [`Call`] to make:
    /// its own deadline, and whether anybody still waits.
    ///
    /// # Errors
    /// [`Error`]; none of them is remembered.
    pub async fn read<F, Fut>(&self, key: Key, options: ReadOptions, fetch: F) -> Result<Found<V>, Error<E>>
    where
        F: FnOnce(Call) -> Fut + Send + 'static,
        Fut: Future<Output = Result<V, E>> + Send,
    {
        let outcome = self.answer(key, options, fetch).await;
        if let Ok(found) = &outcome {
            self.0.metrics.answer(self.0.resource, found.source, found.answer.age());
        }
        outcome
    }

    async fn answer<F, Fut>(&self, key: Key, options: ReadOptions, fetch: F) -> Result<Found<V>, Error<E>>
    where
        F: FnOnce(Call) -> Fut + Send + 'static,
        Fut: Future<Output = Result<V, E>> + Send,
    {
        if let Some(found) = self.hit(&key, options) {
            return Ok(found);
        }
        let limits = self.0.limits.get();
        let bound = options.stale_if_error.map_or(limits.max_stale, |accepted| accepted.min(limits.max_stale));
        let old = self.0.kept.old(&key, bound);
        let spare = old.as_ref().filter(|_| !options.no_cache);
        if let Some(spare) = spare
            && (self.0.is_closed)()
        {
            return Ok(stale(spare));
        }
        let (seat, source) = match self.look(&key, options, old.is_some(), fetch) {
            Look::Answered(found) => return Ok(found),
            Look::Wait(seat, source) => (seat, source),
        };
        // A flight that has kept an earlier caller waiting for too long keeps no other; but an old answer that will be
        // too old by then is worth no end of patience.
        let patience_ends = seat.since + limits.patience;
        let latest = match spare {
            Some(spare) if patience_ends < spare.began + bound => options.deadline.min(patience_ends),
            _ => options.deadline,
        };
        match (seat.wait(latest).await, old) {
            (Ok(answer), _) => Ok(self.found(&key, answer, source)),
            (Err(error), Some(old)) if error.is_outage() && old.age() < bound => {
                let resource = self.0.resource;
                self.0.outages.log(|more| log::warn!("old answers are given about {resource}: {error}{more}"));
                Ok(stale(&old))
            }
            (Err(error), _) => Err(error),
        }
    }

    /// The answer from memory, unless this caller wants none of that.
    fn hit(&self, key: &Key, options: ReadOptions) -> Option<Found<V>> {
        let answer = (!options.no_cache).then(|| self.0.kept.fresh(key, Duration::ZERO)).flatten()?;
        Some(self.found(key, answer, Source::Hit))
    }

    /// Looks at memory and flights at one moment, so that no flight can land in between. Joins the flight that serves, or
    /// starts one.
    fn look<F, Fut>(&self, key: &Key, options: ReadOptions, has_old: bool, fetch: F) -> Look<V, E>
    where
        F: FnOnce(Call) -> Fut + Send + 'static,
        Fut: Future<Output = Result<V, E>> + Send,
    {
        let mut flights = self.0.flights();
        if let Some(found) = self.hit(key, options) {
            return Look::Answered(found);
        }
        let revalidate = self.0.limits.get().revalidate;
        let usable = (!options.no_cache && !revalidate.is_zero()).then(|| self.0.kept.fresh(key, revalidate)).flatten();
        let (seat, source) = match flights.get(key) {
            Some(flight) if !(options.no_cache && flight.has_begun()) => (flight.join(), Source::Joined),
            ahead => {
                let ahead = ahead.cloned();
                let flight = Flight::new(options.caller);
                let seat = flight.join();
                flights.insert(key.clone(), Arc::clone(&flight));
                // With a usable answer nobody waits, and yet the new one is wanted: the flight keeps a seat for itself.
                let errand = usable.as_ref().map(|_| flight.join());
                self.take_off(key.clone(), flight, ahead, has_old, errand, fetch);
                (seat, Source::Fetched)
            }
        };
        match usable {
            Some(answer) => Look::Answered(self.found(key, answer, Source::Revalidating)),
            None => Look::Wait(seat, source),
        }
    }

    /// Drops what shows the object `name`, which has just been written: its own answer, and the freshness of every list.
    ///
    /// Flights that began before are not stopped, since their callers asked before the write; but nobody new joins
    /// them, and what they bring is not kept.
    pub fn forget(&self, name: &ObjectName) {
        let mut flights = self.0.flights();
        flights.retain(|key, _| !key.may_show(name));
        self.0.kept.next_generation();
        self.0.kept.drop(&Key::one(name));
    }

    fn found(&self, key: &Key, answer: Arc<Answer<V>>, source: Source) -> Found<V> {
        let fresh_for = self.0.limits.get().ttl(key).saturating_sub(answer.read.elapsed());
        Found { answer, source, fresh_for }
    }

    /// Starts the fetch. With a flight of the same question `ahead`, it begins when that one has ended: a question
    /// has at most one fetch under way and one that waits, however many ask with `no-cache`. Who has an old answer
    /// needs no second attempt.
    fn take_off<F, Fut>(
        &self,
        key: Key,
        flight: Arc<Flight<V, E>>,
        ahead: Option<Arc<Flight<V, E>>>,
        has_old: bool,
        errand: Option<Seat<V, E>>,
        fetch: F,
    ) where
        F: FnOnce(Call) -> Fut + Send + 'static,
        Fut: Future<Output = Result<V, E>> + Send,
    {
        let inner = Arc::clone(&self.0);
        self.0.runtime.spawn(carried(async move {
            let _errand = errand;
            let landing = Landing { inner, key, flight };
            if let Some(ahead) = ahead {
                ahead.ended().await;
            }
            let Some(generation) = landing.begin() else { return };
            let wanted = Arc::clone(&landing.flight);
            let began = Instant::now();
            let deadline = began + landing.inner.limits.get().fetch_deadline;
            let call = Call::until(deadline).by(landing.flight.caller).while_wanted(move || wanted.is_wanted());
            let outcome = fetch(if has_old { call.once() } else { call }).await;
            landing.land(outcome.map(|value| Arc::new(Answer { value, began, read: Instant::now(), generation })));
        }));
    }
}

fn stale<V>(old: &Arc<Answer<V>>) -> Found<V> {
    Found { answer: Arc::clone(old), source: Source::Stale, fresh_for: Duration::ZERO }
}

impl<V, E> Inner<V, E> {
    fn flights(&self) -> MutexGuard<'_, HashMap<Key, Arc<Flight<V, E>>>> {
        self.flights.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The end of a flight: takes it off the table also if its fetch panics, so that nobody joins a dead one.
struct Landing<V, E> {
    inner: Arc<Inner<V, E>>,
    key: Key,
    flight: Arc<Flight<V, E>>,
}

impl<V: Memorable, E: Failure> Landing<V, E> {
    /// The generation that the fetch sees; `None` if nobody waits for it any more, so that it need not begin.
    fn begin(&self) -> Option<u64> {
        let mut flights = self.inner.flights();
        self.flight.begin();
        if !self.flight.is_wanted() {
            // Under the same lock as the look, so that nobody joins in between.
            self.leave(&mut flights);
            return None;
        }
        Some(self.inner.kept.generation())
    }

    fn land(self, outcome: Result<Arc<Answer<V>>, E>) {
        let outcome = outcome.map_err(Arc::new);
        {
            let mut flights = self.inner.flights();
            let newest = self.leave(&mut flights);
            match &outcome {
                Ok(answer) if newest => self.inner.kept.keep(&self.key, answer),
                // What the API server has denied must not be told from memory later.
                Err(error) if !error.is_outage() => self.inner.kept.drop(&self.key),
                Ok(_) | Err(_) => {}
            }
        }
        self.flight.land(outcome);
    }
}

impl<V, E> Landing<V, E> {
    /// Takes the flight off the table. False if it was not there any more: a write has taken it off, or a newer
    /// flight has taken its place.
    fn leave(&self, flights: &mut HashMap<Key, Arc<Flight<V, E>>>) -> bool {
        let newest = flights.get(&self.key).is_some_and(|newest| Arc::ptr_eq(newest, &self.flight));
        newest && flights.remove(&self.key).is_some()
    }
}

impl<V, E> Drop for Landing<V, E> {
    fn drop(&mut self) {
        self.leave(&mut self.inner.flights());
    }
}

impl<V, E> fmt::Debug for Memo<V, E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Memo").field("resource", &self.0.resource).field("limits", &self.0.limits).finish()
    }
}
