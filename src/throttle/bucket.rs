//! The token bucket: pure arithmetic over `now`, no clock and no waiting of its own.
//!
//! In any window of `t` seconds at most `burst + rate · t` tokens leave, wherever the window begins: unlike a fixed
//! window counter it does not let twice the quota pass around a boundary. See
//! <https://en.wikipedia.org/wiki/Token_bucket>.

use tokio::time::{Duration, Instant};

/// The part of a token that floating-point sums may lack after a wait that was computed to be just long enough.
const ROUNDING: f64 = 1e-6;

/// A wait is never said to be longer: no deadline reaches so far, and `now` plus this is still an instant.
const LONGEST_WAIT: Duration = Duration::from_secs(24 * 60 * 60);

/// Tokens that are refilled at a rate, up to a burst.
#[derive(Debug, Clone)]
pub struct TokenBucket {
    rate: f64,
    burst: f64,
    tokens: f64,
    refilled: Instant,
}

impl TokenBucket {
    /// A full bucket of `burst` tokens that is refilled with `rate` tokens per second.
    ///
    /// # Panics
    /// If `rate` is not positive and finite, or `burst` is zero: such a bucket would never give a token.
    #[must_use]
    pub fn new(rate: f64, burst: u32, now: Instant) -> Self {
        assert!(rate.is_finite() && rate > 0.0 && burst > 0, "rate {rate}/s and burst {burst} must be positive");
        let burst = f64::from(burst);
        Self { rate, burst, tokens: burst, refilled: now }
    }

    /// Takes one token.
    ///
    /// # Errors
    /// The instant at which there will be one, if there is none at `now`.
    pub fn try_take(&mut self, now: Instant) -> Result<(), Instant> {
        self.refill(now);
        if self.tokens + ROUNDING >= 1.0 {
            self.tokens -= 1.0;
            return Ok(());
        }
        Err(now + self.wait_for(1, now))
    }

    /// How long after `now` the bucket will have given `tokens` more tokens, if all are taken as they come; at most a day.
    #[must_use]
    pub fn wait_for(&mut self, tokens: usize, now: Instant) -> Duration {
        self.refill(now);
        #[expect(clippy::cast_precision_loss, reason = "a queue of 2^52 attempts does not exist")]
        let missing = tokens as f64 - self.tokens;
        let wait = Duration::try_from_secs_f64((missing / self.rate).max(0.0));
        wait.unwrap_or(LONGEST_WAIT).min(LONGEST_WAIT)
    }

    fn refill(&mut self, now: Instant) {
        let elapsed = now.saturating_duration_since(self.refilled).as_secs_f64();
        self.tokens = (self.tokens + elapsed * self.rate).min(self.burst);
        self.refilled = self.refilled.max(now);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn after(start: Instant, millis: u64) -> Instant {
        start + Duration::from_millis(millis)
    }

    #[test]
    fn it_starts_full_and_refills_at_the_rate() {
        let start = Instant::now();
        let mut bucket = TokenBucket::new(4.0, 2, start);
        assert_eq!(bucket.try_take(start), Ok(()));
        assert_eq!(bucket.try_take(start), Ok(()));
        assert_eq!(bucket.try_take(start), Err(after(start, 250)));
        assert!(bucket.try_take(after(start, 249)).is_err());
        assert_eq!(bucket.try_take(after(start, 250)), Ok(()));
    }

    #[test]
    fn it_never_holds_more_than_the_burst() {
        let start = Instant::now();
        let mut bucket = TokenBucket::new(100.0, 3, start);
        let later = after(start, 3_600_000);
        assert_eq!((0..10).filter(|_| bucket.try_take(later).is_ok()).count(), 3);
    }

    #[test]
    fn no_window_passes_more_than_the_burst_and_the_rate() {
        let start = Instant::now();
        let (rate, burst) = (10_u64, 5_u32);
        let mut bucket = TokenBucket::new(10.0, burst, start);
        let taken: Vec<u64> = (0..20_000).filter(|ms| bucket.try_take(after(start, *ms)).is_ok()).collect();
        for window in [1, 100, 999, 1000, 1001, 5000] {
            for (n, first) in taken.iter().enumerate() {
                let inside = taken[n..].iter().take_while(|ms| **ms < first + window).count() as u64;
                let most = u64::from(burst) + (rate * window).div_ceil(1000);
                assert!(inside <= most, "{inside} tokens in {window} ms from {first} ms on, at most {most} are due");
            }
        }
        assert!(taken.len() >= 200, "the rate is used up: {}", taken.len());
    }

    #[test]
    fn a_clock_that_stands_still_or_goes_back_gives_nothing() {
        let start = Instant::now();
        let later = after(start, 1000);
        let mut bucket = TokenBucket::new(1.0, 1, later);
        assert_eq!(bucket.try_take(later), Ok(()));
        assert!(bucket.try_take(start).is_err());
        assert!(bucket.try_take(after(later, 999)).is_err());
        assert_eq!(bucket.try_take(after(later, 1000)), Ok(()));
    }

    #[test]
    fn the_wait_counts_those_ahead() {
        let start = Instant::now();
        let mut bucket = TokenBucket::new(2.0, 1, start);
        assert_eq!(bucket.wait_for(1, start), Duration::ZERO);
        assert_eq!(bucket.wait_for(5, start), Duration::from_secs(2));
        let mut slow = TokenBucket::new(f64::MIN_POSITIVE, 1, start);
        assert_eq!(slow.wait_for(2, start), LONGEST_WAIT);
    }

    #[test]
    #[should_panic(expected = "must be positive")]
    fn a_rate_of_zero_is_refused() {
        let _ = TokenBucket::new(0.0, 1, Instant::now());
    }
}
