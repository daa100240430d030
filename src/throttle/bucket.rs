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
pub(super) struct TokenBucket {
    rate: f64,
    burst: f64,
    tokens: f64,
    /// Up to when the refill has been counted; it may lie ahead, see [`TokenBucket::dry_until`].
    refilled: Instant,
}

impl TokenBucket {
    /// A full bucket of `burst` tokens that is refilled with `rate` tokens per second.
    ///
    /// # Panics
    /// If `rate` is not positive and finite, or `burst` is below one: such a bucket would never give a token.
    pub(super) fn new(rate: f64, burst: f64, now: Instant) -> Self {
        assert!(rate.is_finite() && rate > 0.0 && burst >= 1.0, "a rate of {rate}/s with a burst of {burst}");
        Self { rate, burst, tokens: burst, refilled: now }
    }

    /// The same bucket from `now` on with another rate and burst. What it holds beyond the new burst is lost; a larger
    /// burst has to be saved up first.
    ///
    /// # Panics
    /// As [`TokenBucket::new`].
    pub(super) fn set(&mut self, rate: f64, burst: f64, now: Instant) {
        self.refill(now);
        let tokens = self.tokens.min(burst);
        *self = Self { tokens, refilled: self.refilled, ..Self::new(rate, burst, now) };
    }

    /// Takes one token.
    ///
    /// # Errors
    /// The instant at which there will be one, if there is none at `now`.
    pub(super) fn try_take(&mut self, now: Instant) -> Result<(), Instant> {
        self.peek(now)?;
        self.tokens -= 1.0;
        Ok(())
    }

    /// True if there is a token.
    ///
    /// # Errors
    /// The instant at which there will be one, if there is none at `now`.
    pub(super) fn peek(&mut self, now: Instant) -> Result<(), Instant> {
        let wait = self.wait_for(1, now);
        if self.tokens + ROUNDING >= 1.0 { Ok(()) } else { Err(now + wait) }
    }

    /// Gives back a token that was taken and not used.
    pub(super) fn put_back(&mut self) {
        self.tokens = (self.tokens + 1.0).min(self.burst);
    }

    /// True if it holds no whole token: who takes them is held up by the rate.
    pub(super) fn is_drained(&self) -> bool {
        self.tokens + ROUNDING < 1.0
    }

    /// Pours away what was saved, and refills nothing before `until`.
    pub(super) fn dry_until(&mut self, until: Instant) {
        self.tokens = self.tokens.min(0.0);
        self.refilled = self.refilled.max(until);
    }

    /// Time after `now` when the bucket will have given `tokens` more tokens, if all are taken as they come; at most a
    /// day.
    pub(super) fn wait_for(&mut self, tokens: usize, now: Instant) -> Duration {
        self.refill(now);
        #[expect(clippy::cast_precision_loss, reason = "a queue of 2^52 attempts does not exist")]
        let missing = tokens as f64 - self.tokens;
        if missing <= 0.0 {
            return Duration::ZERO;
        }
        let wait = Duration::try_from_secs_f64(missing / self.rate).unwrap_or(LONGEST_WAIT);
        wait.saturating_add(self.refilled.saturating_duration_since(now)).min(LONGEST_WAIT)
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
        let mut bucket = TokenBucket::new(4.0, 2.0, start);
        assert_eq!(bucket.try_take(start), Ok(()));
        assert_eq!(bucket.try_take(start), Ok(()));
        assert_eq!(bucket.try_take(start), Err(after(start, 250)));
        assert!(bucket.try_take(after(start, 249)).is_err());
        assert_eq!(bucket.try_take(after(start, 250)), Ok(()));
    }

    #[test]
    fn it_never_holds_more_than_the_burst() {
        let start = Instant::now();
        let mut bucket = TokenBucket::new(100.0, 3.0, start);
        let later = after(start, 3_600_000);
        assert_eq!((0..10).filter(|_| bucket.try_take(later).is_ok()).count(), 3);
    }

    #[test]
    fn no_window_passes_more_than_the_burst_and_the_rate() {
        let start = Instant::now();
        let (rate, burst) = (10_u64, 5_u32);
        let mut bucket = TokenBucket::new(10.0, f64::from(burst), start);
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
        let mut bucket = TokenBucket::new(1.0, 1.0, later);
        assert_eq!(bucket.try_take(later), Ok(()));
        assert!(bucket.try_take(start).is_err());
        assert!(bucket.try_take(after(later, 999)).is_err());
        assert_eq!(bucket.try_take(after(later, 1000)), Ok(()));
    }

    #[test]
    fn the_wait_counts_those_ahead() {
        let start = Instant::now();
        let mut bucket = TokenBucket::new(2.0, 1.0, start);
        assert_eq!(bucket.wait_for(1, start), Duration::ZERO);
        assert_eq!(bucket.wait_for(5, start), Duration::from_secs(2));
        let mut slow = TokenBucket::new(f64::MIN_POSITIVE, 1.0, start);
        assert_eq!(slow.wait_for(2, start), LONGEST_WAIT);
    }

    #[test]
    fn a_new_rate_counts_from_now_on_and_a_smaller_burst_pours_away() {
        let start = Instant::now();
        let mut bucket = TokenBucket::new(1.0, 10.0, start);
        bucket.set(4.0, 2.0, start);
        assert_eq!((0..10).filter(|_| bucket.try_take(start).is_ok()).count(), 2);
        assert_eq!(bucket.try_take(start), Err(after(start, 250)));
    }

    #[test]
    fn a_dry_bucket_is_refilled_from_then_on() {
        let start = Instant::now();
        let mut bucket = TokenBucket::new(2.0, 10.0, start);
        bucket.dry_until(after(start, 1000));
        assert_eq!(bucket.try_take(start), Err(after(start, 1500)));
        assert_eq!(bucket.try_take(after(start, 1500)), Ok(()));
        assert!(bucket.is_drained());
        bucket.put_back();
        assert!(!bucket.is_drained());
    }

    #[test]
    #[should_panic(expected = "a rate of 0/s")]
    fn a_rate_of_zero_is_refused() {
        let _ = TokenBucket::new(0.0, 1.0, Instant::now());
    }
}
