//! Adaptive rate: as fast as the API server can be asked, found out from its answers. Pure, driven by `now`.
//!
//! The rate is cut to 0.7 of itself when the API server answers that it is overloaded, and grows again by an amount
//! that depends on nothing but the time for which it has been used since: additive increase, multiplicative decrease,
//! so that replicas which know nothing of each other end up with equal shares. The increase is slow at first, where a
//! cut has just shown the limit to be, and then accelerates, as H-TCP does it (Leith and Shorten, 2004,
//! <https://datatracker.ietf.org/doc/html/draft-leith-tcp-htcp-06>), so that a limit that has gone is soon left behind:
//! from nothing to the ceiling in 50 s. A rate that nobody uses up says nothing and does not grow. An API server that
//! rejects one attempt after the other, and serves none, is not asked too fast but not at all: that cuts the rate once.

use tokio::time::{Duration, Instant};

/// The part of the rate that an overload leaves. As in the adaptive mode of the AWS SDKs; TCP's half is too much for
/// answers that come as often as a 429 does.
const CUT: f64 = 0.7;

/// Time in which a rate that is used up grows from nothing to the ceiling. Shorter finds room sooner and is rejected more
/// often; with this, twenty replicas that share 25 calls a second have one call in nine rejected (`simulation`).
const RECOVERY: Duration = Duration::from_secs(50);

/// A rate between a floor and a ceiling.
#[derive(Debug, Clone)]
pub(super) struct AdaptiveRate {
    floor: f64,
    ceiling: f64,
    rate: f64,
    /// The rate after the last cut.
    base: f64,
    /// When it was cut. `None`: never.
    cut: Option<Instant>,
    /// True if an attempt has been served that left since.
    served: bool,
    /// For how long it has been used up since the cut.
    used: Duration,
    /// Up to when that has been counted.
    counted: Instant,
}

impl AdaptiveRate {
    /// A rate, in calls per second, that stands at its ceiling. A floor above the ceiling is the ceiling.
    pub(super) fn new(ceiling: f64, floor: f64, now: Instant) -> Self {
        let floor = floor.min(ceiling);
        Self {
            floor,
            ceiling,
            rate: ceiling,
            base: ceiling,
            cut: None,
            served: true,
            used: Duration::ZERO,
            counted: now,
        }
    }

    /// Calls per second.
    pub(super) fn rate(&self) -> f64 {
        self.rate
    }

    /// True if it is as high as it can be.
    pub(super) fn is_at_ceiling(&self) -> bool {
        self.rate >= self.ceiling
    }

    /// Moves floor and ceiling, and the rate only as far as it has to. A rate that stands at its ceiling stays there.
    pub(super) fn set_bounds(&mut self, ceiling: f64, floor: f64) {
        let stood_at_ceiling = self.is_at_ceiling();
        self.ceiling = ceiling;
        self.floor = floor.min(ceiling);
        self.base = if stood_at_ceiling { ceiling } else { self.base };
        self.rate = if stood_at_ceiling { ceiling } else { self.rate.clamp(self.floor, ceiling) };
    }

    /// An attempt that left at `sent` was served.
    pub(super) fn served(&mut self, sent: Instant) {
        self.served |= self.cut.is_none_or(|cut| sent > cut);
    }

    /// An attempt that used up the rate was answered at `now`: it may grow.
    pub(super) fn succeeded(&mut self, now: Instant) {
        // What is longer than the time between two calls at this rate was a pause.
        let between_calls = Duration::from_secs_f64(1.0 / self.rate);
        self.used += now.saturating_duration_since(self.counted).min(between_calls);
        self.counted = self.counted.max(now);
        let part = self.used.as_secs_f64() / RECOVERY.as_secs_f64();
        self.rate = (self.base + self.ceiling * part * part).clamp(self.floor, self.ceiling);
    }

    /// An attempt that left at `sent` was answered with overload at `now`. True if the rate has fallen: an attempt from
    /// before the last cut says nothing new, nor does one before which none was served since, and at the floor it stays.
    pub(super) fn overloaded(&mut self, sent: Instant, now: Instant) -> bool {
        if self.cut.is_some_and(|cut| sent <= cut) || !self.served {
            return false;
        }
        let before = self.rate;
        self.base = (before * CUT).max(self.floor);
        self.rate = self.base;
        self.cut = Some(now);
        self.served = false;
        self.used = Duration::ZERO;
        self.counted = now;
        self.rate < before
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ms(millis: u64) -> Duration {
        Duration::from_millis(millis)
    }

    /// Uses the rate up for `time`, a call every 10 ms.
    fn use_up(rate: &mut AdaptiveRate, from: Instant, time: Duration) -> Instant {
        let mut now = from;
        while now < from + time {
            now += ms(10);
            rate.succeeded(now);
        }
        now
    }

    #[test]
    fn an_overload_cuts_it_once_however_many_attempts_from_before_say_so() {
        let start = Instant::now();
        let mut rate = AdaptiveRate::new(50.0, 0.5, start);
        let cuts = (1..=8).filter(|n| rate.overloaded(start, start + ms(*n))).count();
        assert_eq!((cuts, rate.rate()), (1, 35.0));
        rate.served(start);
        assert!(!rate.overloaded(start + ms(1000), start + ms(1010)), "none was served that left since the cut");
        rate.served(start + ms(1500));
        assert!(rate.overloaded(start + ms(2000), start + ms(2010)));
        assert!((rate.rate() - 24.5).abs() < 1e-9);
    }

    #[test]
    fn it_never_falls_below_the_floor_nor_rises_above_the_ceiling() {
        let start = Instant::now();
        let mut rate = AdaptiveRate::new(50.0, 0.5, start);
        let mut now = start;
        let cuts = (0..40)
            .filter(|_| {
                now += ms(2000);
                rate.served(now);
                rate.overloaded(now, now + ms(1))
            })
            .count();
        assert_eq!((cuts, rate.rate()), (13, 0.5));
        use_up(&mut rate, now, Duration::from_secs(120));
        assert_eq!(rate.rate(), 50.0);
    }

    #[test]
    fn it_grows_slowly_near_the_cut_and_then_faster_back_to_the_ceiling() {
        let start = Instant::now();
        let mut rate = AdaptiveRate::new(100.0, 0.5, start);
        rate.overloaded(start, start);
        let now = use_up(&mut rate, start, Duration::from_secs(5));
        assert!((rate.rate() - 71.0).abs() < 0.1, "{}", rate.rate());
        use_up(&mut rate, now, Duration::from_secs(23));
        assert_eq!(rate.rate(), 100.0);
    }

    #[test]
    fn a_rate_that_nobody_uses_up_does_not_grow() {
        let start = Instant::now();
        let mut rate = AdaptiveRate::new(10.0, 0.5, start);
        rate.overloaded(start, start);
        let cut = rate.rate();
        rate.succeeded(start + Duration::from_secs(3600));
        assert!(rate.rate() - cut < 0.001, "one call after an hour is one call: {}", rate.rate());
    }

    #[test]
    fn bounds_move_and_the_rate_only_as_far_as_it_has_to() {
        let start = Instant::now();
        let mut rate = AdaptiveRate::new(50.0, 0.5, start);
        rate.set_bounds(20.0, 0.5);
        assert_eq!(rate.rate(), 20.0);
        rate.set_bounds(40.0, 0.5);
        assert_eq!(rate.rate(), 40.0, "what stands at the ceiling goes with it");
        rate.overloaded(start, start + ms(1));
        rate.set_bounds(100.0, 0.5);
        assert_eq!(rate.rate(), 28.0, "what the API server has said still counts");
        rate.set_bounds(10.0, 20.0);
        assert_eq!(rate.rate(), 10.0, "a floor above the ceiling is the ceiling");
    }
}
