//! Absences: names that a read of one object has proven not to exist, kept for a second.
//!
//! Absences that a list has proven need no entry: the list is kept.

use std::collections::HashMap;
use tokio::time::{Duration, Instant};

/// The most names. More are asked for anew.
const MAX_NAMES: usize = 4096;

/// Names, each with the moment at which the read began that did not find it.
#[derive(Debug, Default)]
pub(super) struct Absences(HashMap<Box<str>, Instant>);

impl Absences {
    /// `name` was not found by a read that began at `began`.
    pub(super) fn add(&mut self, name: &str, began: Instant, ttl: Duration) {
        if self.0.len() >= MAX_NAMES {
            self.0.retain(|_, began| began.elapsed() < ttl);
        }
        if self.0.len() < MAX_NAMES {
            self.0.insert(name.into(), began);
        }
    }

    /// True if `name` was not found less than `ttl` ago.
    pub(super) fn contains(&self, name: &str, ttl: Duration) -> bool {
        self.0.get(name).is_some_and(|began| began.elapsed() < ttl)
    }

    /// `name` has been written.
    pub(super) fn remove(&mut self, name: &str) {
        self.0.remove(name);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::time::advance;

    const SECOND: Duration = Duration::from_secs(1);

    #[tokio::test(start_paused = true)]
    async fn an_absence_counts_for_its_time_and_until_a_write() {
        let mut absences = Absences::default();
        for name in ["a", "b"] {
            absences.add(name, Instant::now(), SECOND);
        }
        absences.remove("b");
        advance(SECOND - Duration::from_millis(1)).await;
        assert_eq!(["a", "b", "c"].map(|name| absences.contains(name, SECOND)), [true, false, false]);
        advance(Duration::from_millis(1)).await;
        assert!(!absences.contains("a", SECOND));
    }

    #[tokio::test(start_paused = true)]
    async fn there_are_never_more_than_so_many_and_old_ones_make_room() {
        let mut absences = Absences::default();
        for n in 0..2 * MAX_NAMES {
            absences.add(&n.to_string(), Instant::now(), SECOND);
        }
        assert_eq!(absences.0.len(), MAX_NAMES);
        advance(SECOND).await;
        absences.add("new", Instant::now(), SECOND);
        assert_eq!(absences.0.len(), 1);
        assert!(absences.contains("new", SECOND));
    }
}
