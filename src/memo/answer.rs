//! Answer: a value with its age and origin, and the form in which a caller gets it.

use std::sync::Arc;
use tokio::time::{Duration, Instant};

/// Time that a quick list may take longer than the one before, up to three times as much in all. A slow one varies less:
/// a quarter.
const QUICK_RESERVE: Duration = Duration::from_millis(50);

/// A value and when it was read.
#[derive(Debug)]
pub struct Answer<V> {
    /// The value.
    pub value: V,
    /// When its fetch began; no part of it is older.
    pub(super) began: Instant,
    /// When it was there in full.
    pub(super) read: Instant,
    /// The latest write of this replica up to which all are reflected; see [`Writes`](super::writes::Writes).
    pub(super) generation: u64,
    pub(super) read_by: ReadBy,
}

/// The kind of call that brought an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum ReadBy {
    /// A read of one object.
    Get,
    /// A list; `proves_absence` if an object that it lacks does not exist.
    List { proves_absence: bool },
    /// A write of this replica, which is answered with the object as stored.
    Write,
}

impl<V> Answer<V> {
    /// The same answer with another value.
    pub(super) fn with<U>(&self, value: U) -> Answer<U> {
        Answer { value, began: self.began, read: self.read, generation: self.generation, read_by: self.read_by }
    }

    /// Its greatest possible age.
    pub fn age(&self) -> Duration {
        self.began.elapsed()
    }

    /// Time that its fetch took.
    pub(super) fn took(&self) -> Duration {
        self.read - self.began
    }

    /// Time for which it is still fresh, plus `slack`.
    ///
    /// It is fresh until its age is `ttl`, so that nobody is given an older one. But a fetch that took most of that
    /// time, or more, is not repeated without a pause: its answer is fresh for as long as the fetch took, at most for
    /// `ttl`.
    pub(super) fn fresh_for(&self, ttl: Duration, slack: Duration) -> Duration {
        let took = self.took();
        let kept_for = ttl.saturating_sub(took).max(took.min(ttl)) + slack;
        (self.read + kept_for).saturating_duration_since(Instant::now())
    }

    /// Time before the end of its freshness at which its successor has to be asked for: longer than a list takes, since the
    /// next one may take longer. One object is there in no time and can be waited for.
    fn lead(&self) -> Duration {
        match self.read_by {
            ReadBy::List { .. } => {
                let took = self.took();
                (took * 5 / 4).max((took * 3).min(took + QUICK_RESERVE))
            }
            ReadBy::Get | ReadBy::Write => Duration::ZERO,
        }
    }

    /// True if its successor has to be asked for, now that it is fresh for `fresh_for`. Between two lists lies at least half
    /// of the time that one takes.
    pub(super) fn is_expiring(&self, fresh_for: Duration) -> bool {
        fresh_for < self.lead() && self.read.elapsed() >= self.took() / 2
    }

    pub(super) fn proves_absence(&self) -> bool {
        matches!(self.read_by, ReadBy::List { proves_absence: true })
    }
}

/// Source of an answer.
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
    /// Number of them.
    pub(super) const COUNT: usize = Self::Stale as usize + 1;

    /// Its word in logs and metrics.
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
    /// The answer.
    pub answer: Arc<Answer<V>>,
    /// Its source.
    pub source: Source,
    /// Time for which it is still answered from memory.
    pub fresh_for: Duration,
}

impl<V> Found<V> {
    /// True if its successor has to be asked for.
    pub(super) fn is_expiring(&self) -> bool {
        self.answer.is_expiring(self.fresh_for)
    }

    /// The pause before somebody who waits for a change looks again: until its successor has to be asked for or is there.
    #[must_use]
    pub fn next_look(&self) -> Duration {
        let until_lead = self.fresh_for.saturating_sub(self.answer.lead());
        if until_lead.is_zero() { self.fresh_for } else { until_lead }
    }

    /// The same answer, as old as before, with another value.
    pub fn map<U>(self, value: impl FnOnce(&V) -> U) -> Found<U> {
        let answer = Arc::new(self.answer.with(value(&self.answer.value)));
        Found { answer, source: self.source, fresh_for: self.fresh_for }
    }
}
