//! What a caller is given: a value, how old it is, and where it came from.

use std::sync::Arc;
use tokio::time::{Duration, Instant};

/// A value and when it was read.
#[derive(Debug)]
pub struct Answer<V> {
    /// What the API server said.
    pub value: V,
    /// When its fetch began; no part of it is older.
    pub(super) began: Instant,
    /// When it was there in full; it is fresh from then on.
    pub(super) read: Instant,
    /// The writes that had been seen when its fetch began; see [`Memo::forget`](super::Memo::forget).
    pub(super) generation: u64,
}

impl<V> Answer<V> {
    /// The same answer with another value.
    pub(super) fn with<U>(&self, value: U) -> Answer<U> {
        Answer { value, began: self.began, read: self.read, generation: self.generation }
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
    /// From memory, a little too old, while a new one is fetched.
    Revalidating,
    /// Fetched for this caller.
    Fetched,
    /// Fetched for an earlier caller that still waited.
    Joined,
    /// An old one from memory, in place of one that cannot be had now.
    Stale,
}

impl Source {
    /// As it stands in logs and metrics.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Hit => "hit",
            Self::Revalidating => "revalidate",
            Self::Fetched => "fetch",
            Self::Joined => "joined",
            Self::Stale => "stale",
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
    pub fn map<U>(self, value: impl FnOnce(&V) -> U) -> Found<U> {
        let answer = Arc::new(self.answer.with(value(&self.answer.value)));
        Found { answer, source: self.source, fresh_for: self.fresh_for }
    }
}
