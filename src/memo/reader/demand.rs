//! Demand: how many different names are asked for within a list's time to live. Pure, driven by `now`.

use std::collections::HashSet;
use std::hash::{BuildHasher, RandomState};
use tokio::time::{Duration, Instant};

/// The most names that are told apart in one window; more make no difference to any decision.
const MAX_NAMES: usize = 1 << 15;

/// Different names in windows that follow each other.
#[derive(Debug)]
pub(super) struct Demand {
    hasher: RandomState,
    began: Instant,
    names: HashSet<u64>,
    /// Number of them in the window before.
    before: usize,
}

impl Demand {
    pub(super) fn new(now: Instant) -> Self {
        Self { hasher: RandomState::new(), began: now, names: HashSet::new(), before: 0 }
    }

    /// `name` is asked for. How many different ones are, it included, within `window`.
    pub(super) fn count(&mut self, name: &str, window: Duration, now: Instant) -> usize {
        if now >= self.began + window {
            self.before = if now < self.began + 2 * window { self.names.len() } else { 0 };
            self.names.clear();
            self.began = now;
        }
        if self.names.len() < MAX_NAMES {
            self.names.insert(self.hasher.hash_one(name));
        }
        self.before.max(self.names.len())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const WINDOW: Duration = Duration::from_secs(2);

    #[tokio::test(start_paused = true)]
    async fn each_name_counts_once_and_for_about_one_window() {
        let now = Instant::now();
        let mut demand = Demand::new(now);
        for n in 0..100 {
            demand.count(&format!("pod-{}", n % 10), WINDOW, now);
        }
        assert_eq!(demand.count("pod-0", WINDOW, now), 10);
        assert_eq!(demand.count("pod-0", WINDOW, now + WINDOW), 10, "the window before counts");
        assert_eq!(demand.count("pod-0", WINDOW, now + 2 * WINDOW), 1, "it was quiet since");
        assert_eq!(demand.count("pod-0", WINDOW, now + 9 * WINDOW), 1);
    }

    #[tokio::test(start_paused = true)]
    async fn its_memory_is_bounded() {
        let now = Instant::now();
        let mut demand = Demand::new(now);
        let counted = (0..2 * MAX_NAMES).map(|n| demand.count(&n.to_string(), WINDOW, now)).max();
        assert_eq!(counted, Some(MAX_NAMES));
    }
}
