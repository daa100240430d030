//! Reader: the objects of one resource, read through the memory, with reads of many single objects gathered into one list.
//!
//! A read of one object that memory cannot answer is a GET, while there are few of them. When more different names are
//! asked for than a list costs ([`rule`], [`demand`]), they wait for one list of everything instead: one that is under
//! way, or one that is booked behind it. A row in it is the answer. A name that it lacks does not exist, if the list
//! proves that and is young enough; else it waits for the next one, or is asked for alone. The list is an ordinary
//! answer: kept, narrowed, and fresh for as long as any list. What it costs is known from the last one, or asked for with
//! one cheap call when a crowd comes ([`size`]).
//!
//! # What gathering achieves
//!
//! Pollers each ask for their own object every 2 s for 30 s, from a cold start, with the default settings (50 calls/s,
//! burst 100, lists fresh for 2 s, pages of 500). A GET takes 5 ms, a page 60 ms. Measured on virtual time, by a test:
//!
//! | pollers | objects | reads | calls/s | refused or old | oldest fresh answer | longest wait | answers waited for |
//! | --- | --- | --- | --- | --- | --- | --- | --- |
//! | 300 | 300 | one by one | 58 | 81 % | 3.0 s | 3.0 s | – |
//! | 1,500 | 1,500 | one by one | 58 | 92 % | 10.0 s | 10.0 s | – |
//! | 30 | 10,000 | gathered where it pays: not here | ≤ 15.5 | 0 | – | < 100 ms | all |
//! | 300 | 300 | gathered | 1.6 | 0 | 2.0 s | 100 ms | 0.9 % |
//! | 1,500 | 1,500 | gathered | 2.9 | 0 | 2.0 s | 220 ms | 0.9 % |
//! | 1,500, beside 20 creates/s and lists | 1,500 to 2,100 | gathered | 3.6 | 0 | 2.0 s | 250 ms | 1.0 % |
//! | 1,500, beside 10,000 names that do not exist, in 18 s | 1,500 | gathered | 5.5 | 0 | 1.2 s | 220 ms | 1.3 % |
//! | 5,000 | 5,000 | gathered | 10.8 | 0 | 2.0 s | 680 ms | 3.2 % |
//!
//! A mirror (list and watch) makes no call for any of these and answers at once, for the memory of all objects, a
//! stream of every change of each, and calls that nobody has asked for.

mod demand;
mod rule;
mod size;
#[cfg(test)]
mod tests;
mod write;

pub use rule::Size;
pub(crate) use write::Writing;

use super::answer::{Answer, Found, ReadBy, Source};
use super::error::Error;
use super::flight::{Flight, Waiter};
use super::key::Key;
use super::memorable::Memorable;
use super::memory::{Flights, Memo};
use super::read::{Look, ReadOptions, Start, Waited};
use super::way::Way;
use crate::call::{Call, Failure};
use crate::syntax::{ListFilter, ObjectName};
use crate::telemetry::request_context::carried;
use demand::Demand;
use rule::{NAMES_FOR_SIZE, list_pays};
use size::{KnownSize, Step};
use std::future::Future;
use std::sync::{Arc, Mutex, PoisonError};
use tokio::time::{Duration, Instant, timeout_at};

/// The longest that callers wait for the size of a list, before they decide without it.
const SIZE_PATIENCE: Duration = Duration::from_millis(500);

/// Deadline of the question for it.
const SIZE_DEADLINE: Duration = Duration::from_secs(5);

/// About how long a list takes.
const SHORTEST_WINDOW: Duration = Duration::from_millis(200);

/// Origin of the answers about one resource: the API server.
pub trait Origin: Send + Sync + 'static {
    /// One object or many.
    type Value: Memorable;
    /// Why there is no answer.
    type Error: Failure;

    /// Reads one object.
    fn get(&self, name: &ObjectName, call: &Call) -> impl Future<Output = Result<Self::Value, Self::Error>> + Send;

    /// Reads all objects that `filter` asks for. `gathered`: for many callers who each wait for one of them.
    fn list(
        &self,
        filter: &ListFilter,
        gathered: bool,
        call: &Call,
    ) -> impl Future<Output = Result<Listed<Self::Value>, Self::Error>> + Send;

    /// The size of the list of everything, by cheap calls. `None` if the API server does not tell it.
    fn size(&self, call: &Call) -> impl Future<Output = Result<Option<Size>, Self::Error>> + Send;

    /// The error of [`Origin::get`] for an object that does not exist.
    fn not_found(&self, name: &ObjectName) -> Self::Error;
}

/// A list that was read.
#[derive(Debug)]
pub struct Listed<V> {
    /// Its objects.
    pub value: V,
    /// Number of objects that the API server has gone through for it.
    pub objects: usize,
    /// Number of calls that it took.
    pub calls: usize,
    /// True if an object that it lacks did not exist when it was read: it is complete, and not from a cache that may lag.
    pub proves_absence: bool,
}

/// The objects of one resource. Cheap to clone; clones share the memory.
pub struct Reader<O: Origin> {
    memo: Memo<O::Value, O::Error>,
    origin: Arc<O>,
    gathering: Arc<Mutex<Gathering>>,
}

impl<O: Origin> Clone for Reader<O> {
    fn clone(&self) -> Self {
        let (memo, origin, gathering) = (self.memo.clone(), Arc::clone(&self.origin), Arc::clone(&self.gathering));
        Self { memo, origin, gathering }
    }
}

/// The figures that the rule decides by.
struct Gathering {
    /// Names that are asked for.
    asked: Demand,
    /// Those of them that a fresh list could not answer.
    missed: Demand,
    size: KnownSize,
}

/// Way of answering a caller.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Round {
    /// Alone or gathered.
    Any,
    /// The list that came was too old to say that there is no such object: a read that begins from now on.
    New,
    /// Alone: no list says anything.
    Alone,
}

/// A flight that a caller waits for.
struct Boarded<V, E> {
    waiter: Waiter<V, E>,
    source: Source,
    gathered: bool,
}

type OfOrigin<O> = Boarded<<O as Origin>::Value, <O as Origin>::Error>;

impl<O: Origin> Reader<O> {
    /// The objects of `origin`, remembered in `memo`.
    pub fn new(memo: Memo<O::Value, O::Error>, origin: O) -> Self {
        let now = Instant::now();
        let gathering = Gathering { asked: Demand::new(now), missed: Demand::new(now), size: KnownSize::default() };
        Self { memo, origin: Arc::new(origin), gathering: Arc::new(Mutex::new(gathering)) }
    }

    /// The origin.
    pub fn origin(&self) -> &Arc<O> {
        &self.origin
    }

    /// All objects that `filter` asks for.
    ///
    /// # Errors
    /// [`Error`], if they could not be had in full.
    pub async fn list(&self, filter: ListFilter, options: ReadOptions) -> Result<Found<O::Value>, Error<O::Error>> {
        self.memo.read(Key::List(filter.clone()), options, self.list_fetch(filter, false)).await
    }

    /// The object `name`.
    ///
    /// # Errors
    /// [`Error`]; an object that does not exist is [`Origin::not_found`].
    pub async fn get(&self, name: &ObjectName, options: ReadOptions) -> Result<Found<O::Value>, Error<O::Error>> {
        let key = Key::one(name);
        let asked = self.count_asked(name);
        if let Some(found) = self.hit(&key, name, options) {
            if self.is_due(&found, asked) {
                let list = self.list_fetch(ListFilter::default(), true);
                self.memo.refresh_ahead(Key::everything(), options.caller, list);
            }
            return Ok(self.memo.counted(found));
        }
        // Boxed, as in `Memo::read`.
        Box::pin(self.get_anew(&key, name, asked, options)).await
    }

    /// The objects that `filter` asks for, if they are in memory and nothing has to be fetched for those who ask next.
    pub fn list_at_hand(&self, filter: &ListFilter, options: ReadOptions) -> Option<Found<O::Value>> {
        let found = self.memo.hit(&Key::List(filter.clone()), options)?;
        (!found.is_expiring()).then(|| self.memo.counted(found))
    }

    /// The object `name`, if it is in memory and nothing has to be fetched for those who ask next.
    pub fn get_at_hand(&self, name: &ObjectName, options: ReadOptions) -> Option<Found<O::Value>> {
        let asked = self.count_asked(name);
        let found = self.hit(&Key::one(name), name, options)?;
        (!self.is_due(&found, asked)).then(|| self.memo.counted(found))
    }

    /// The answer about `name` from memory.
    fn hit(&self, key: &Key, name: &ObjectName, options: ReadOptions) -> Option<Found<O::Value>> {
        if self.is_absent(name, options) { None } else { self.memo.hit(key, options) }
    }

    /// True if the list that answers next has to be asked for, now that `asked` names have been asked for.
    fn is_due(&self, found: &Found<O::Value>, asked: usize) -> bool {
        found.is_expiring() && self.pays(asked, false)
    }

    /// The object `name`, of which memory had no answer; `asked` names have been asked for.
    async fn get_anew(
        &self,
        key: &Key,
        name: &ObjectName,
        asked: usize,
        options: ReadOptions,
    ) -> Result<Found<O::Value>, Error<O::Error>> {
        let standby = self.memo.standby(key, options);
        let mut round = Round::Any;
        loop {
            if round == Round::Any && self.is_absent(name, options) {
                return Err(self.absent(name));
            }
            if round == Round::Any && asked >= NAMES_FOR_SIZE {
                self.learn_size(options).await;
            }
            let arrived = Instant::now();
            let look = self.memo.look(key, options, &standby, |flights, start| {
                self.board(flights, key, name, asked, options, round, start)
            });
            let Boarded { waiter, source, gathered } = match look {
                Look::Answered(found) => return Ok(self.memo.counted(found)),
                Look::Boarded(boarded) => boarded,
                Look::NoPlace => return Err(Error::NoPlace),
            };
            let answer = match self.memo.wait(waiter, options, &standby).await {
                Ok(Waited::Landed(answer)) => answer,
                Ok(Waited::Instead(old)) => return Ok(self.memo.counted(old)),
                // It may be that only lists are denied.
                Err(error) if gathered && !error.is_outage() => {
                    round = Round::Alone;
                    continue;
                }
                Err(error) => return Err(error),
            };
            if !gathered {
                return Ok(self.memo.counted(self.memo.found(answer, source)));
            }
            if let Some(row) = answer.value.narrow(key) {
                return Ok(self.memo.counted(self.memo.found(Arc::new(answer.with(row)), source)));
            }
            round = match answer.proves_absence() {
                true if answer.began >= arrived || self.is_recent(&answer) => return Err(self.absent(name)),
                true => Round::New,
                false => Round::Alone,
            };
        }
    }

    /// Announces a write of `name`.
    pub fn begin_write(&self, name: &ObjectName) -> Writing<O::Value, O::Error> {
        Writing::begin(self.memo.clone(), name.clone())
    }

    /// Joins or starts the flight that answers for `name`.
    #[expect(clippy::too_many_arguments, reason = "all of it is one question")]
    fn board(
        &self,
        flights: &mut Flights<O::Value, O::Error>,
        key: &Key,
        name: &ObjectName,
        asked: usize,
        options: ReadOptions,
        round: Round,
        start: Start,
    ) -> OfOrigin<O> {
        let memo = &self.memo;
        let needs_new = |flight: &Flight<_, _>| round == Round::New || !options.takes(flight.age());
        let alone = |(waiter, source)| Boarded { waiter, source, gathered: false };
        if let Some(joined) = Memo::join(flights.get(key), |flight| memo.serves(flight, key, needs_new(flight))) {
            return alone(joined);
        }
        if round != Round::Alone {
            let all = Key::everything();
            // For one object of it, a list of before a write of another object is as good as new.
            let list = Memo::join(flights.get(&all), |flight| memo.serves(flight, key, needs_new(flight)));
            let scarce = (memo.0.way)() != Way::Free;
            let pays = self.list_pays(name, asked, scarce);
            if pays || (scarce && list.is_some()) {
                let (waiter, source) = list
                    .unwrap_or_else(|| memo.start(flights, all, start, self.list_fetch(ListFilter::default(), true)));
                return Boarded { waiter, source, gathered: true };
            }
        }
        let (origin, name) = (Arc::clone(&self.origin), name.clone());
        let fetch = move |call: Call| async move { Ok((origin.get(&name, &call).await?, ReadBy::Get)) };
        alone(memo.start(flights, key.clone(), start, fetch))
    }

    fn list_fetch(
        &self,
        filter: ListFilter,
        gathered: bool,
    ) -> impl FnOnce(Call) -> OutcomeOf<O> + Send + 'static + use<O> {
        let (origin, gathering) = (Arc::clone(&self.origin), Arc::clone(&self.gathering));
        move |call: Call| {
            Box::pin(async move {
                let Listed { value, objects, calls, proves_absence } = origin.list(&filter, gathered, &call).await?;
                if filter == ListFilter::default() {
                    lock(&gathering).size.learn(Size { objects, calls }, Instant::now());
                }
                Ok((value, ReadBy::List { proves_absence }))
            })
        }
    }

    /// Sees to it that the size of a list is known, for a read that may need one, and waits a little for it.
    async fn learn_size(&self, options: ReadOptions) {
        if options.memory_only || (self.memo.0.way)() != Way::Free {
            return;
        }
        let now = Instant::now();
        let mut end = match lock(&self.gathering).size.ask(now) {
            Step::Nothing => return,
            Step::Wait(end) => end,
            Step::Ask(sender, end) => {
                let (origin, gathering) = (Arc::clone(&self.origin), Arc::clone(&self.gathering));
                let call = Call::until(now + SIZE_DEADLINE).by(options.caller).once();
                self.memo.0.runtime.spawn(carried(async move {
                    let _until_here = sender;
                    match origin.size(&call).await {
                        Ok(Some(size)) => lock(&gathering).size.learn(size, Instant::now()),
                        Ok(None) => {}
                        Err(error) => log::debug!("the size of a list cannot be had: {error}"),
                    }
                }));
                end
            }
        };
        // Nothing is ever sent: it ends when the sender is dropped.
        let _ended = timeout_at(options.deadline.min(now + SIZE_PATIENCE), end.changed()).await;
    }

    /// Number of different names that are asked for within a list's time to live, `name` included.
    fn count_asked(&self, name: &ObjectName) -> usize {
        lock(&self.gathering).asked.count(name.as_str(), self.window(), Instant::now())
    }

    /// Time that a list that is read now goes on answering. One that is not kept answers those who come while it is read.
    fn window(&self) -> Duration {
        self.memo.0.limits.get().list_ttl.max(SHORTEST_WINDOW)
    }

    /// True if a list pays, now that memory cannot answer for `name`. While a list is fresh, the names count that it
    /// could not answer, and else all that are asked for. If those make a list pay when it is not fresh any more, one that is
    /// read now only comes earlier, and costs the time that is lost.
    fn list_pays(&self, name: &ObjectName, asked: usize, scarce: bool) -> bool {
        let fresh_for = self.memo.0.kept.list_fresh_for();
        if fresh_for.is_zero() {
            return self.pays(asked, scarce);
        }
        let share = if self.pays(asked, scarce) { fresh_for.div_duration_f64(self.window()).min(1.0) } else { 1.0 };
        let mut gathering = lock(&self.gathering);
        let missed = gathering.missed.count(name.as_str(), self.window(), Instant::now());
        list_pays(missed, gathering.size.get(), scarce, share)
    }

    /// True if a list costs less than a read of each of `names` objects.
    fn pays(&self, names: usize, scarce: bool) -> bool {
        list_pays(names, lock(&self.gathering).size.get(), scarce, 1.0)
    }

    /// True if `name` is known not to exist, and this caller takes that from memory.
    fn is_absent(&self, name: &ObjectName, options: ReadOptions) -> bool {
        !options.no_cache && self.memo.0.kept.is_absent(name.as_str())
    }

    /// True if an absence that `answer` proves still counts.
    fn is_recent(&self, answer: &Answer<O::Value>) -> bool {
        answer.age() < self.memo.0.limits.get().absence_ttl()
    }

    fn absent(&self, name: &ObjectName) -> Error<O::Error> {
        Error::Fetch(Arc::new(self.origin.not_found(name)))
    }
}

type OutcomeOf<O> =
    std::pin::Pin<Box<dyn Future<Output = Result<(<O as Origin>::Value, ReadBy), <O as Origin>::Error>> + Send>>;

fn lock(gathering: &Mutex<Gathering>) -> std::sync::MutexGuard<'_, Gathering> {
    gathering.lock().unwrap_or_else(PoisonError::into_inner)
}
