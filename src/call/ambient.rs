//! Ambient inputs: time of day, chance and threads for blocking work, which reach every layer without being passed.
//!
//! They come from the system, except on the thread of a simulation: there the time of day goes with the runtime's clock,
//! chance follows a seed, and blocking work is done in its place, so that the same seed makes the same run. Everything
//! else that a run depends on is passed in.

use jiff::Timestamp;
use std::cell::Cell;
use tokio::task::spawn_blocking;
use tokio::time::Instant;
use uuid::{Builder, Uuid};

thread_local! {
    /// The time of day at one instant of the runtime's clock. `None`: the system's clock and chance.
    static SIMULATED: Cell<Option<(Timestamp, Instant)>> = const { Cell::new(None) };
}

/// The time of day.
#[expect(clippy::disallowed_methods, reason = "this is the one place")]
pub(crate) fn now() -> Timestamp {
    SIMULATED.get().map_or_else(Timestamp::now, |(began, at)| began + at.elapsed())
}

/// An id that nothing else has.
#[expect(clippy::disallowed_methods, reason = "this is the one place")]
pub(crate) fn unique_id() -> Uuid {
    match SIMULATED.get() {
        None => Uuid::new_v4(),
        Some(_) => Builder::from_random_bytes(fastrand::u128(..).to_ne_bytes()).into_uuid(),
    }
}

/// Does `work` on a thread for blocking work. `None`: it panicked.
pub(crate) async fn blocking<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> Option<T> {
    match SIMULATED.get() {
        None => spawn_blocking(work).await.ok(),
        Some(_) => Some(work()),
    }
}

/// Makes this thread a simulation: it is `began` now, and all chance, also that of `fastrand`, follows `seed`. Called within
/// a runtime of one thread whose clock is paused.
pub fn simulate(began: Timestamp, seed: u64) {
    fastrand::seed(seed);
    SIMULATED.set(Some((began, Instant::now())));
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::time::{Duration, advance};

    #[tokio::test(start_paused = true)]
    async fn a_simulation_repeats_time_and_chance() {
        let mut runs = Vec::new();
        for seed in [7, 7, 8] {
            simulate(Timestamp::UNIX_EPOCH, seed);
            advance(Duration::from_secs(90)).await;
            runs.push((now().to_string(), unique_id()));
        }
        assert_eq!(runs[0], runs[1]);
        assert_eq!(runs[0].0, "1970-01-01T00:01:30Z");
        assert_ne!(runs[0].1, runs[2].1);
    }
}
