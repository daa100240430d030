//! Log limiter: of lines that would come by the hundred, one per period, with the number of those left out.

use std::sync::{Mutex, PoisonError};
use tokio::time::{Duration, Instant};

/// A line that is logged at most once per period.
#[derive(Debug)]
pub(crate) struct LogLimiter {
    period: Duration,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    last: Option<Instant>,
    left_out: u64,
}

impl LogLimiter {
    /// At most one line per `period`.
    pub(crate) fn every(period: Duration) -> Self {
        Self { period, state: Mutex::default() }
    }

    /// Says whether the line is due, by running `log` with what to append to it: how many like it were left out.
    pub(crate) fn log(&self, log: impl FnOnce(&str)) {
        if let Some(left_out) = self.due(Instant::now()) {
            let more =
                if left_out == 0 { String::new() } else { format!(" ({left_out} more since the last such line)") };
            log(&more);
        }
    }

    fn due(&self, now: Instant) -> Option<u64> {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        if state.last.is_some_and(|last| now.saturating_duration_since(last) < self.period) {
            state.left_out += 1;
            return None;
        }
        state.last = Some(now);
        Some(std::mem::take(&mut state.left_out))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_is_told_at_once_and_the_next_after_the_period_with_the_number_between() {
        let line = LogLimiter::every(Duration::from_secs(10));
        let start = Instant::now();
        let told: Vec<_> = (0..30).filter_map(|second| line.due(start + Duration::from_secs(second))).collect();
        assert_eq!(told, [0, 9, 9]);
    }
}
