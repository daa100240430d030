//! Kept answers: which are fresh, which are old but better than none, and which have to go.
//!
//! The one file that names moka.

use super::absences::Absences;
use super::answer::Answer;
use super::key::Key;
use super::limits::Limits;
use super::memorable::Memorable;
use super::writes::{Left, Touched, Writes};
use crate::reload::Live;
use crate::syntax::ListFilter;
use moka::Expiry;
use moka::ops::compute::Op;
use moka::policy::EvictionPolicy;
use moka::sync::Cache;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tokio::time::{Duration, Instant};

/// Answers by question, up to a number of bytes; the least recently used go first.
pub(super) struct Kept<V> {
    resource: &'static str,
    limits: Live<Limits>,
    max_bytes: u64,
    answers: Cache<Key, Arc<Answer<V>>>,
    writes: Mutex<Writes<V>>,
    absences: Mutex<Absences>,
    /// True if it has been said that an answer is too large to be kept.
    warned: AtomicBool,
}

impl<V: Memorable> Kept<V> {
    pub(super) fn new(resource: &'static str, max_bytes: u64, limits: Live<Limits>) -> Self {
        let weigh = |_: &Key, answer: &Arc<Answer<V>>| u32::try_from(answer.value.bytes()).unwrap_or(u32::MAX);
        let answers = Cache::builder()
            .weigher(weigh)
            .max_capacity(max_bytes)
            // A new answer is always worth more than an old one here; moka's default would refuse it a place.
            .eviction_policy(EvictionPolicy::lru())
            .expire_after(Lifetime(limits.clone()))
            .build();
        let (writes, absences, warned) = (Mutex::default(), Mutex::default(), AtomicBool::new(false));
        Self { resource, limits, max_bytes, answers, writes, absences, warned }
    }

    /// The generation of a fetch that begins now.
    pub(super) fn generation(&self) -> u64 {
        self.writes().generation()
    }

    /// True if a fetch of this generation answers `key` as if it began now, once what was written since is laid over it.
    pub(super) fn reflects(&self, generation: u64, key: &Key) -> bool {
        let writes = self.writes();
        match key {
            Key::One(name) => !matches!(writes.touched(generation, name), Touched::Open),
            Key::List(_) => writes.since(generation).1 == writes.generation(),
        }
    }

    /// The answer that is kept for `key` itself, however old it is.
    pub(super) fn own(&self, key: &Key) -> Option<Arc<Answer<V>>> {
        self.answers.get(key)
    }

    /// A fresh answer to `key`, or one that has not been fresh for less than `slack`: its own, or the part of a wider one.
    pub(super) fn fresh(&self, key: &Key, slack: Duration) -> Option<Arc<Answer<V>>> {
        match key {
            Key::One(name) => self.fresh_one(key, name, slack),
            Key::List(filter) => self.fresh_list(key, filter, slack).or_else(|| {
                let (wider, wide) = key.wider().find_map(|(key, filter)| {
                    let wide = self.fresh_list(&key, &filter, slack)?;
                    Some((key, wide))
                })?;
                debug_assert_ne!(&wider, key);
                let narrowed = Arc::new(wide.with(wide.value.narrow(key)?));
                // A part of a list is worth keeping, with its rendering.
                self.put(key, &narrowed);
                Some(narrowed)
            }),
        }
    }

    fn fresh_one(&self, key: &Key, name: &str, slack: Duration) -> Option<Arc<Answer<V>>> {
        let limits = self.limits.get();
        if limits.get_ttl.is_zero() {
            return None;
        }
        let is_fresh = |answer: &Arc<Answer<V>>| limits.is_fresh(answer, slack);
        if let Some(own) = self.answers.get(key).filter(is_fresh) {
            return Some(own);
        }
        let all = self.answers.get(&Key::everything()).filter(is_fresh)?;
        match self.writes().touched(all.generation, name) {
            Touched::No => {}
            // The list with this row laid over it would be fresh for as long as the list.
            Touched::Known(Left::Row(row)) => return (row.age() < limits.list_ttl + slack).then_some(row),
            Touched::Known(Left::Absent(_)) | Touched::Open => return None,
        }
        // Found again in no time: not worth an entry of its own.
        Some(Arc::new(all.with(all.value.narrow(key)?)))
    }

    /// Time for which the list of everything is still fresh, though some of its objects may have been written since; zero if
    /// there is none.
    pub(super) fn list_fresh_for(&self) -> Duration {
        let list = self.answers.get(&Key::everything());
        list.map_or(Duration::ZERO, |list| self.limits.get().fresh_for(&list))
    }

    /// The list's own answer, with all writes laid over it.
    fn fresh_list(&self, key: &Key, filter: &ListFilter, slack: Duration) -> Option<Arc<Answer<V>>> {
        let answer = self.answers.get(key).filter(|answer| self.limits.get().is_fresh(answer, slack))?;
        let current = self.current(key, filter, answer);
        (current.generation == self.generation()).then_some(current)
    }

    /// The kept list `answer` with all later writes laid over it, which is kept in its place.
    fn current(&self, key: &Key, filter: &ListFilter, answer: Arc<Answer<V>>) -> Arc<Answer<V>> {
        let current = self.with_writes(filter, &answer);
        if !Arc::ptr_eq(&current, &answer) {
            self.put(key, &current);
        }
        current
    }

    /// The list `answer` to `filter` with all later writes laid over it, as far as their results are known.
    pub(super) fn with_writes(&self, filter: &ListFilter, answer: &Arc<Answer<V>>) -> Arc<Answer<V>> {
        let writes = self.writes();
        let (written, generation) = writes.since(answer.generation);
        if generation == answer.generation {
            return Arc::clone(answer);
        }
        match answer.value.laid_over(filter, &written) {
            Some(value) => Arc::new(Answer { generation, ..answer.with(value) }),
            None => Arc::clone(answer),
        }
    }

    /// The youngest answer to `key` that is younger than `bound`, though it may lack writes made since.
    pub(super) fn old(&self, key: &Key, bound: Duration) -> Option<Arc<Answer<V>>> {
        let is_young = |answer: &Arc<Answer<V>>| answer.age() < bound;
        let own = self.answers.get(key).filter(is_young).map(|own| match key {
            Key::One(_) => own,
            Key::List(filter) => self.current(key, filter, own),
        });
        let parts = key.wider().filter_map(|(wider, filter)| {
            let wide = self.answers.get(&wider).filter(is_young)?;
            match key {
                Key::One(name) => self.row(&wide, key, name),
                Key::List(_) => {
                    let wide = self.current(&wider, &filter, wide);
                    Some(Arc::new(wide.with(wide.value.narrow(key)?)))
                }
            }
        });
        own.into_iter().chain(parts).max_by_key(|answer| answer.began)
    }

    /// The row of `name` in `list`, or what a later write has left of it.
    fn row(&self, list: &Answer<V>, key: &Key, name: &str) -> Option<Arc<Answer<V>>> {
        match self.writes().left_since(list.generation, name) {
            Some(Left::Row(row)) => Some(row),
            Some(Left::Absent(_)) => None,
            None => Some(Arc::new(list.with(list.value.narrow(key)?))),
        }
    }

    /// True if `name` has been proven absent so recently that it need not be asked for.
    pub(super) fn is_absent(&self, name: &str) -> bool {
        let ttl = self.limits.get().absence_ttl();
        if self.absences().contains(name, ttl) {
            return true;
        }
        let list = self.answers.get(&Key::everything()).filter(|list| list.proves_absence() && list.age() < ttl);
        list.is_some_and(|list| {
            matches!(self.writes().touched(list.generation, name), Touched::No)
                && list.value.narrow(&Key::One(name.into())).is_none()
        })
    }

    /// False if `value` takes more than all the room, so that it cannot be kept.
    pub(super) fn has_room_for(&self, value: &V) -> bool {
        value.bytes() as u64 <= self.max_bytes
    }

    /// Keeps what a fetch has brought, unless it does not reflect a later write.
    pub(super) fn keep(&self, key: &Key, answer: &Arc<Answer<V>>) {
        if self.limits.get().lifetime(key).is_zero() {
            return;
        }
        if let Key::One(name) = key
            && !matches!(self.writes().touched(answer.generation, name), Touched::No)
        {
            return;
        }
        if self.has_room_for(&answer.value) {
            return self.put(key, answer);
        }
        // Each question costs a fetch then.
        if !self.warned.swap(true, Ordering::Relaxed) {
            log::warn!(
                "an answer about {} takes {} bytes of memory and cannot be kept: raise memo.max_bytes",
                self.resource,
                answer.value.bytes()
            );
        }
    }

    /// A fetch that began at `began`, in this generation, has been denied its answer: none is told from memory later.
    pub(super) fn deny(&self, key: &Key, generation: u64, absent_since: Option<Instant>) {
        let Key::One(name) = key else { return self.answers.invalidate(key) };
        if !matches!(self.writes().touched(generation, name), Touched::No) {
            return;
        }
        self.answers.invalidate(key);
        if let Some(began) = absent_since {
            self.absences().add(name, began, self.limits.get().absence_ttl());
        }
    }

    /// Logs a write of `name` that began after the write `began_after`, with what it has left if that is known.
    pub(super) fn written(&self, name: &str, began_after: u64, left: Option<Left<V>>) {
        let (limits, key) = (self.limits.get(), Key::One(name.into()));
        let is_known = self.writes().log(name, began_after, left.clone(), Instant::now(), limits.writes_kept_for());
        self.absences().remove(name);
        self.answers.invalidate(&key);
        match left.filter(|_| is_known) {
            Some(Left::Row(row)) if !limits.lifetime(&key).is_zero() => self.answers.insert(key, row),
            Some(Left::Absent(since)) => self.absences().add(name, since, limits.absence_ttl()),
            _ => {}
        }
    }

    /// Keeps `answer`, unless a newer one is kept already.
    fn put(&self, key: &Key, answer: &Arc<Answer<V>>) {
        let age = |answer: &Answer<V>| (answer.began, answer.generation);
        self.answers.entry(key.clone()).and_compute_with(|kept| match kept {
            Some(kept) if age(kept.value()) >= age(answer) => Op::Nop,
            _ => Op::Put(Arc::clone(answer)),
        });
    }

    fn writes(&self) -> MutexGuard<'_, Writes<V>> {
        self.writes.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn absences(&self) -> MutexGuard<'_, Absences> {
        self.absences.lock().unwrap_or_else(PoisonError::into_inner)
    }

    #[cfg(test)]
    pub(super) fn weight(&self) -> u64 {
        self.answers.run_pending_tasks();
        self.answers.weighted_size()
    }
}

/// Tells moka when an answer is of no use at all any more; whether it is fresh is looked up each time.
struct Lifetime(Live<Limits>);

#[expect(clippy::disallowed_types, reason = "moka's clock is its own")]
impl<V> Expiry<Key, Arc<Answer<V>>> for Lifetime {
    fn expire_after_create(&self, key: &Key, _: &Arc<Answer<V>>, _: std::time::Instant) -> Option<Duration> {
        Some(self.0.get().lifetime(key))
    }

    fn expire_after_update(
        &self,
        key: &Key,
        answer: &Arc<Answer<V>>,
        now: std::time::Instant,
        _: Option<Duration>,
    ) -> Option<Duration> {
        self.expire_after_create(key, answer, now)
    }
}
