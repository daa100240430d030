//! Reading through the memory: an answer that is kept, a fetch that is joined or started, or an old answer in its place.

use super::answer::{Answer, Found, ReadBy, Source};
use super::error::Error;
use super::flight::{Fetcher, Flight, Waiter};
use super::guard::FlightGuard;
use super::key::Key;
use super::memorable::Memorable;
use super::memory::{Flights, Memo};
use super::way::Way;
use crate::call::{Call, CallerKey, Failure};
use crate::telemetry::request_context::carried;
use std::future::Future;
use std::sync::Arc;
use tokio::time::{Duration, Instant};

/// Options of a read.
#[derive(Debug, Clone, Copy)]
pub struct ReadOptions {
    /// Until when it waits.
    pub deadline: Instant,
    /// True if it wants an answer that was read after it asked (`Cache-Control: no-cache`).
    pub no_cache: bool,
    /// Greatest age of an answer from memory that it takes (`Cache-Control: max-age=…`). `None`: what the limits allow.
    pub max_age: Option<Duration>,
    /// True if it may not wait for a fetch, since no place to wait is free (`server.max_waiting`).
    pub memory_only: bool,
    /// Greatest age of an answer that it takes if no new one can be had (`Cache-Control: stale-if-error=…`). `None`: as
    /// old as the limits allow.
    pub stale_if_error: Option<Duration>,
    /// On whose behalf a fetch is made that it begins.
    pub caller: CallerKey,
}

impl ReadOptions {
    /// True if an answer of this age is new enough for the caller.
    pub(super) fn takes(&self, age: Duration) -> bool {
        !self.no_cache && self.max_age.is_none_or(|most| age <= most)
    }
}

/// The old answer that a caller falls back on.
pub(super) struct Standby<V> {
    old: Option<Arc<Answer<V>>>,
    /// The greatest age that it may have.
    bound: Duration,
}

/// Result of a look at memory and flights.
pub(super) enum Look<V, B> {
    Answered(Found<V>),
    Boarded(B),
    /// Memory has no answer, and the caller may not wait for one.
    NoPlace,
}

/// The end of waiting for a flight.
pub(super) enum Waited<V> {
    /// It has brought this.
    Landed(Arc<Answer<V>>),
    /// It has failed or takes too long, and an old answer stands in for its own.
    Instead(Found<V>),
}

/// Start of a fetch, if one has to be started.
#[derive(Clone, Copy)]
pub(super) struct Start {
    pub(super) caller: CallerKey,
    /// True if there is something else to tell its callers if it fails: it then makes one attempt.
    pub(super) once: bool,
    /// True if it goes on although nobody waits for it.
    pub(super) errand: bool,
}

impl<V: Memorable, E: Failure> Memo<V, E> {
    /// Answers the question about the one object `name` from memory, or by a fetch that is under way, or by `fetch`.
    ///
    /// `fetch` runs in a task of its own and ends even if this future is dropped. It is given the [`Call`] to make:
    /// its own deadline, and whether anybody still waits.
    ///
    /// # Errors
    /// [`Error`]; none of them is remembered.
    pub async fn read_one<F, Fut>(&self, name: &str, options: ReadOptions, fetch: F) -> Result<Found<V>, Error<E>>
    where
        F: FnOnce(Call) -> Fut + Send + 'static,
        Fut: Future<Output = Result<V, E>> + Send,
    {
        let fetch = |call| async move { fetch(call).await.map(|value| (value, ReadBy::Get)) };
        self.read(Key::One(name.into()), options, fetch).await
    }

    /// The same for any question, and a `fetch` that tells how it was read.
    pub(super) async fn read<F, Fut>(&self, key: Key, options: ReadOptions, fetch: F) -> Result<Found<V>, Error<E>>
    where
        F: FnOnce(Call) -> Fut + Send + 'static,
        Fut: Future<Output = Result<(V, ReadBy), E>> + Send,
    {
        if let Some(found) = self.hit(&key, options) {
            if found.is_expiring() {
                self.refresh_ahead(key, options.caller, fetch);
            }
            return Ok(self.counted(found));
        }
        // Boxed, so that the future of an answer from memory stays small.
        Box::pin(self.read_anew(key, options, fetch)).await
    }

    /// The same, where memory had no answer.
    async fn read_anew<F, Fut>(&self, key: Key, options: ReadOptions, fetch: F) -> Result<Found<V>, Error<E>>
    where
        F: FnOnce(Call) -> Fut + Send + 'static,
        Fut: Future<Output = Result<(V, ReadBy), E>> + Send,
    {
        let standby = self.standby(&key, options);
        let look = self.look(&key, options, &standby, |flights, start| {
            Self::join(flights.get(&key), |flight| self.serves(flight, &key, !options.takes(flight.age())))
                .unwrap_or_else(|| self.start(flights, key.clone(), start, fetch))
        });
        match look {
            Look::Answered(found) => Ok(self.counted(found)),
            Look::NoPlace => Err(Error::NoPlace),
            Look::Boarded((waiter, source)) => Ok(self.counted(match self.wait(waiter, options, &standby).await? {
                Waited::Landed(answer) => self.found(answer, source),
                Waited::Instead(old) => old,
            })),
        }
    }

    pub(super) fn counted(&self, found: Found<V>) -> Found<V> {
        self.0.answers.count(found.source, found.answer.age());
        found
    }

    pub(super) fn found(&self, answer: Arc<Answer<V>>, source: Source) -> Found<V> {
        let is_kept = matches!(source, Source::Hit | Source::Revalidating) || self.0.kept.has_room_for(&answer.value);
        let fresh_for = if is_kept { self.0.limits.get().fresh_for(&answer) } else { Duration::ZERO };
        Found { answer, source, fresh_for }
    }

    /// The answer from memory, unless this caller wants none of that. One that took longer than its time to live is kept
    /// all the same, lest it be asked for without a pause, and is marked as old.
    pub(super) fn hit(&self, key: &Key, options: ReadOptions) -> Option<Found<V>> {
        let answer = self.fresh(key, Duration::ZERO, options)?;
        let is_old =
            answer.took() > self.0.limits.get().ttl(answer.read_by) && answer.age() < self.stale_bound(options);
        let found = self.found(answer, Source::Hit);
        Some(if is_old { Found { source: Source::Stale, ..found } } else { found })
    }

    /// An answer from memory that has been too old for less than `slack`, and is new enough for this caller.
    fn fresh(&self, key: &Key, slack: Duration, options: ReadOptions) -> Option<Arc<Answer<V>>> {
        let answer = (!options.no_cache).then(|| self.0.kept.fresh(key, slack)).flatten()?;
        options.takes(answer.age()).then_some(answer)
    }

    pub(super) fn standby(&self, key: &Key, options: ReadOptions) -> Standby<V> {
        let bound = self.stale_bound(options);
        Standby { old: self.0.kept.old(key, bound), bound }
    }

    /// The greatest age of an old answer that this caller takes.
    fn stale_bound(&self, options: ReadOptions) -> Duration {
        let max_stale = self.0.limits.get().max_stale;
        options.stale_if_error.map_or(max_stale, |accepted| accepted.min(max_stale))
    }

    /// Starts a fetch while the answer is still fresh, for those who will ask when it is not, unless one is under way or
    /// has just landed. Calls for nobody in particular are made only while there are tokens to spare.
    pub(super) fn refresh_ahead<F, Fut>(&self, key: Key, caller: CallerKey, fetch: F)
    where
        F: FnOnce(Call) -> Fut + Send + 'static,
        Fut: Future<Output = Result<(V, ReadBy), E>> + Send,
    {
        if (self.0.way)() != Way::Free {
            return;
        }
        let mut flights = self.0.flights();
        let limits = self.0.limits.get();
        let has_landed =
            self.0.kept.fresh(&key, Duration::ZERO).is_some_and(|it| !it.is_expiring(limits.fresh_for(&it)));
        if !flights.contains_key(&key) && !has_landed {
            self.start(&mut flights, key, Start { caller, once: true, errand: true }, fetch);
        }
    }

    /// Looks at memory and flights at one moment, so that no flight can land in between. If memory has no answer, `board`
    /// joins the flight that serves, or starts one.
    pub(super) fn look<B>(
        &self,
        key: &Key,
        options: ReadOptions,
        standby: &Standby<V>,
        board: impl FnOnce(&mut Flights<V, E>, Start) -> B,
    ) -> Look<V, B> {
        if let Some(old) = standby.old.as_ref().filter(|_| !options.no_cache)
            && (self.0.way)() == Way::Closed
        {
            return Look::Answered(stale(old));
        }
        if options.memory_only {
            let old = standby.old.as_ref().filter(|_| !options.no_cache);
            return old.map_or(Look::NoPlace, |old| Look::Answered(stale(old)));
        }
        let mut flights = self.0.flights();
        if let Some(found) = self.hit(key, options) {
            return Look::Answered(found);
        }
        let revalidate = self.0.limits.get().revalidate;
        let usable = (!revalidate.is_zero()).then(|| self.fresh(key, revalidate, options)).flatten();
        let boarded = board(
            &mut flights,
            Start { caller: options.caller, once: standby.old.is_some(), errand: usable.is_some() },
        );
        match usable {
            Some(answer) => Look::Answered(self.found(answer, Source::Revalidating)),
            None => Look::Boarded(boarded),
        }
    }

    /// True if the answer that `flight` will bring is new enough for a caller who asks `key` now.
    pub(super) fn serves(&self, flight: &Flight<V, E>, key: &Key, needs_new: bool) -> bool {
        flight.begun().is_none_or(|generation| !needs_new && self.0.kept.reflects(generation, key))
    }

    pub(super) fn join(
        flight: Option<&Arc<Flight<V, E>>>,
        serves: impl FnOnce(&Flight<V, E>) -> bool,
    ) -> Option<(Waiter<V, E>, Source)> {
        flight.filter(|flight| serves(flight)).map(|flight| (flight.join(), Source::Joined))
    }

    /// Starts a fetch. With a flight of the same question ahead, it begins when that one has ended: a question has at most
    /// one fetch under way and one that waits, however many ask with `no-cache`.
    pub(super) fn start<F, Fut>(
        &self,
        flights: &mut Flights<V, E>,
        key: Key,
        start: Start,
        fetch: F,
    ) -> (Waiter<V, E>, Source)
    where
        F: FnOnce(Call) -> Fut + Send + 'static,
        Fut: Future<Output = Result<(V, ReadBy), E>> + Send,
    {
        let flight = Fetcher::new();
        let (waiter, errand) = (flight.join(), start.errand.then(|| flight.join()));
        let ahead = flights.insert(key.clone(), Arc::clone(&flight));
        let inner = Arc::clone(&self.0);
        self.0.runtime.spawn(carried(async move {
            let _errand = errand;
            let guard = FlightGuard { inner, key, flight };
            if let Some(ahead) = ahead {
                ahead.ended().await;
            }
            let Some(beginning) = guard.begin() else { return };
            let wanted = Arc::clone(&guard.flight);
            let deadline = beginning.at + guard.inner.limits.get().fetch_deadline;
            let call = Call::until(deadline).by(start.caller).while_wanted(move || wanted.is_wanted());
            let outcome = fetch(if start.once { call.clone().once() } else { call.clone() }).await;
            let beginning = call.answered_as_of().map_or(beginning, |sent| beginning.at(sent));
            if start.errand
                && let Ok((value, _)) = &outcome
                && let Some(before) = guard.inner.kept.own(&guard.key)
            {
                value.prepare_like(&before.value).await;
            }
            guard.land(beginning, outcome);
        }));
        (waiter, Source::Fetched)
    }

    /// Waits for a flight, at most until the deadline.
    ///
    /// # Errors
    /// The fetch's error, if there is no old answer that can stand in for its answer.
    pub(super) async fn wait(
        &self,
        waiter: Waiter<V, E>,
        options: ReadOptions,
        standby: &Standby<V>,
    ) -> Result<Waited<V>, Error<E>> {
        // A flight that has kept an earlier caller waiting for too long keeps no other; but an old answer that will be
        // too old by then is worth no end of patience.
        let patience_ends = waiter.booked + self.0.limits.get().patience;
        let latest = match standby.old.as_ref().filter(|_| !options.no_cache) {
            Some(spare) if patience_ends < spare.began + standby.bound => options.deadline.min(patience_ends),
            _ => options.deadline,
        };
        match (waiter.wait(latest).await, &standby.old) {
            (Ok(answer), _) => Ok(Waited::Landed(answer)),
            (Err(error), Some(old)) if error.is_outage() && old.age() < standby.bound => {
                let resource = self.0.resource;
                self.0.outages.log(|more| log::warn!("serving stale {resource}: {error}{more}"));
                Ok(Waited::Instead(stale(old)))
            }
            (Err(error), _) => Err(error),
        }
    }
}

fn stale<V>(old: &Arc<Answer<V>>) -> Found<V> {
    Found { answer: Arc::clone(old), source: Source::Stale, fresh_for: Duration::ZERO }
}
