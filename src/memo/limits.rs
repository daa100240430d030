//! Limits: how long answers are kept, and for how long each is fresh.

use super::answer::{Answer, ReadBy};
use super::key::Key;
use tokio::time::Duration;

/// The longest that an absence is answered from memory: an object that another replica has just made is found after that.
const ABSENCE_TTL: Duration = Duration::from_secs(1);

/// Lifetimes of answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Limits {
    /// Time that a list is fresh, also for questions about one object that it shows. Zero: never, but equal questions
    /// share a fetch.
    pub list_ttl: Duration,
    /// Time that the answer to a question about one object is fresh. Zero: never; it is then not looked for in lists
    /// either.
    pub get_ttl: Duration,
    /// For how long after that an answer is given at once, while a new one is fetched. Zero: not at all.
    pub revalidate: Duration,
    /// The greatest age of an answer that stands in for one that cannot be had. Zero: none may.
    pub max_stale: Duration,
    /// Longest wait for a new answer while such an old one is at hand.
    pub patience: Duration,
    /// Deadline of a fetch.
    pub fetch_deadline: Duration,
}

impl Limits {
    /// Time that an answer that was read in this way is fresh.
    pub(super) fn ttl(&self, read_by: ReadBy) -> Duration {
        match read_by {
            ReadBy::Get | ReadBy::Write => self.get_ttl,
            ReadBy::List { .. } => self.list_ttl,
        }
    }

    /// Time for which `answer` is still fresh.
    pub(super) fn fresh_for<V>(&self, answer: &Answer<V>) -> Duration {
        answer.fresh_for(self.ttl(answer.read_by), Duration::ZERO)
    }

    /// True if `answer` is fresh, or has been so less than `slack` ago.
    pub(super) fn is_fresh<V>(&self, answer: &Answer<V>, slack: Duration) -> bool {
        !answer.fresh_for(self.ttl(answer.read_by), slack).is_zero()
    }

    /// Time that a proven absence counts.
    pub(super) fn absence_ttl(&self) -> Duration {
        ABSENCE_TTL.min(self.get_ttl)
    }

    /// Time that an answer to `key` is of any use.
    pub(super) fn lifetime(&self, key: &Key) -> Duration {
        let ttl = match key {
            Key::One(_) => self.get_ttl,
            Key::List(_) => self.list_ttl,
        };
        (ttl + self.revalidate).max(self.max_stale)
    }

    /// Time that a write has to be known: as long as a fetch that began before it may still bring a fresh answer.
    pub(super) fn writes_kept_for(&self) -> Duration {
        self.fetch_deadline + 2 * self.list_ttl.max(self.get_ttl) + self.revalidate
    }
}
