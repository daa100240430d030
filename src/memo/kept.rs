//! The answers themselves: which are fresh, which are old but better than none, and which have to go.
//!
//! The one file that names moka.

use super::{Answer, Key, Limits, Memorable};
use crate::reload::Live;
use moka::Expiry;
use moka::policy::EvictionPolicy;
use moka::sync::Cache;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use tokio::time::Duration;

/// Answers by question, up to a number of bytes; the least recently used go first.
pub(super) struct Kept<V> {
    resource: &'static str,
    limits: Live<Limits>,
    max_bytes: u64,
    answers: Cache<Key, Arc<Answer<V>>>,
    /// Counts the writes. A list of an older generation is not fresh.
    generation: AtomicU64,
    /// Whether it has been said that an answer is too large to be kept.
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
        let (generation, warned) = (AtomicU64::new(0), AtomicBool::new(false));
        Self { resource, limits, max_bytes, answers, generation, warned }
    }

    /// The generation of a fetch that begins now.
    pub(super) fn generation(&self) -> u64 {
        self.generation.load(Ordering::Relaxed)
    }

    /// A fresh answer to `key`, or one that has not been fresh for less than `slack`: its own, or the part of a wider one.
    pub(super) fn fresh(&self, key: &Key, slack: Duration) -> Option<Arc<Answer<V>>> {
        let ttl = self.limits.get().ttl(key) + slack;
        self.current(key, ttl).or_else(|| {
            key.wider().find_map(|wider| {
                let wide = self.current(&wider, ttl)?;
                let narrowed = Arc::new(wide.with(wide.value.narrow(key)?));
                // A single object is found again in no time; a part of a list is worth keeping with its rendering.
                if let Key::List(_) = key {
                    self.answers.insert(key.clone(), Arc::clone(&narrowed));
                }
                Some(narrowed)
            })
        })
    }

    /// The youngest answer to `key` that is younger than `bound`, though writes may have been made since.
    pub(super) fn old(&self, key: &Key, bound: Duration) -> Option<Arc<Answer<V>>> {
        let own = self.answers.get(key);
        let parts = key.wider().filter_map(|wider| {
            let wide = self.answers.get(&wider)?;
            Some(Arc::new(wide.with(wide.value.narrow(key)?)))
        });
        own.into_iter().chain(parts).filter(|answer| answer.age() < bound).max_by_key(|answer| answer.began)
    }

    pub(super) fn keep(&self, key: &Key, answer: &Arc<Answer<V>>) {
        if self.limits.get().lifetime(key).is_zero() {
            return;
        }
        let bytes = answer.value.bytes();
        // An answer that takes more than all the room cannot be kept, and each question costs a fetch.
        if bytes as u64 > self.max_bytes && !self.warned.swap(true, Ordering::Relaxed) {
            log::warn!(
                "an answer about {} takes {bytes} bytes of memory and cannot be kept: raise memo.max_bytes",
                self.resource
            );
        }
        self.answers.insert(key.clone(), Arc::clone(answer));
    }

    /// Drops the answer to `key`.
    pub(super) fn drop(&self, key: &Key) {
        self.answers.invalidate(key);
    }

    /// No list that is kept is fresh any more.
    pub(super) fn next_generation(&self) {
        self.generation.fetch_add(1, Ordering::Relaxed);
    }

    fn current(&self, key: &Key, ttl: Duration) -> Option<Arc<Answer<V>>> {
        if ttl.is_zero() {
            return None;
        }
        let answer = self.answers.get(key)?;
        let current = match key {
            Key::One(_) => true,
            Key::List(_) => answer.generation == self.generation(),
        };
        (current && answer.read.elapsed() < ttl).then_some(answer)
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
