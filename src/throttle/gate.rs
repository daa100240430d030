//! Circuit breaker: closed to attempts while the API server asks to be left alone, or cannot be reached. Pure.
//!
//! An overloaded API server names the time (`Retry-After`). An unreachable one is left alone for a time that doubles
//! from one failed probe to the next, and is then asked by a single attempt, the probe (the breaker's half-open state).
//! So neither is stormed by the attempts that have waited meanwhile. One resource alone can be closed, too: after a
//! restart the API server answers 429 for each resource whose watch cache it has not read yet, and serves the others.

use std::collections::HashMap;
use tokio::time::{Duration, Instant};

/// Attempts in a row that must go unanswered before the API server counts as unreachable: one or two are a
/// connection that was cut, or one of several servers behind a load balancer that restarts.
const UNREACHABLE_AFTER: u32 = 3;

/// First pause after which an unreachable API server is probed.
const FIRST_PAUSE: Duration = Duration::from_millis(250);

/// The longest that an unreachable API server is left alone, so that its return is soon noticed.
const LONGEST_PAUSE: Duration = Duration::from_secs(2);

/// The longest `Retry-After` that is obeyed. The API server itself asks for up to 32 s; more comes from a proxy that knows
/// no better, and a replica that is silent for an hour helps nobody.
const LONGEST_RETRY_AFTER: Duration = Duration::from_secs(60);

/// Largest delay of the gate beyond what was asked for, in parts: replicas that were rejected together do not come back
/// together.
const SPREAD: f64 = 0.25;

/// For how long after an attempt that was not answered the API server may be one that has just started: it listens before
/// it has read its roles, and for a second or two refuses everybody.
const SETTLING: Duration = Duration::from_secs(10);

/// Why the gate is closed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Closed {
    /// The API server asked to be left alone.
    Overloaded,
    /// It does not answer.
    Unreachable,
}

/// Open at first.
#[derive(Debug, Clone, Default)]
pub(super) struct Gate {
    opens: Option<Instant>,
    overloaded: bool,
    /// Attempts in a row that were not answered.
    unanswered: u32,
    /// The last of them, answered ones since then or not.
    last_unanswered: Option<Instant>,
    probing: bool,
    /// When each resource opens that was closed alone.
    resources: HashMap<&'static str, Instant>,
}

impl Gate {
    /// True if an attempt may pass.
    ///
    /// # Errors
    /// Why not, and when the gate opens; `None`: when the probe that is under way has ended.
    pub(super) fn check(&self, now: Instant) -> Result<(), (Closed, Option<Instant>)> {
        let why = if self.overloaded { Closed::Overloaded } else { Closed::Unreachable };
        match self.opens {
            Some(opens) if opens > now => Err((why, Some(opens))),
            _ if self.probing => Err((Closed::Unreachable, None)),
            _ => Ok(()),
        }
    }

    /// True if the API server may have just come back.
    pub(super) fn is_settling(&self, now: Instant) -> bool {
        self.last_unanswered.is_some_and(|last| now.saturating_duration_since(last) < SETTLING)
    }

    /// An attempt passes. True if it is the probe of an unreachable API server.
    pub(super) fn pass(&mut self) -> bool {
        self.probing = self.is_unreachable();
        self.probing
    }

    /// The API server answered, whatever it said.
    pub(super) fn answered(&mut self) {
        (self.unanswered, self.probing) = (0, false);
        // It is there again; whether it wants to be asked is another matter.
        self.opens = self.opens.filter(|_| self.overloaded);
    }

    /// When attempts on `resource` may pass that is closed alone; `None` if it is not.
    pub(super) fn closed_for(&self, resource: &str, now: Instant) -> Option<Instant> {
        self.resources.get(resource).copied().filter(|opens| *opens > now)
    }

    /// The API server cannot answer for `resource` before `retry_after`, and for others can. `spread`, from 0 to 1, is
    /// chance. Tells when it opens.
    pub(super) fn close_for(
        &mut self,
        resource: &'static str,
        retry_after: Duration,
        spread: f64,
        now: Instant,
    ) -> Instant {
        let opens = now + spread_out(retry_after.min(LONGEST_RETRY_AFTER), spread);
        let until = self.resources.entry(resource).or_insert(opens);
        *until = opens.max(*until);
        *until
    }

    /// The API server asks to be left alone for `retry_after`. `spread`, from 0 to 1, is chance. Tells when the gate
    /// opens.
    pub(super) fn overloaded(&mut self, retry_after: Duration, spread: f64, now: Instant) -> Instant {
        self.close(retry_after.min(LONGEST_RETRY_AFTER), spread, now, true)
    }

    /// An attempt brought no answer. True if the API server counts as unreachable from now on.
    pub(super) fn unanswered(&mut self, was_probe: bool, spread: f64, now: Instant) -> bool {
        self.last_unanswered = Some(now);
        let was_unreachable = self.is_unreachable();
        if was_unreachable && !was_probe {
            // It left before the gate was closed and says nothing new.
            return false;
        }
        self.probing = false;
        self.unanswered = self.unanswered.saturating_add(1);
        if self.is_unreachable() {
            let doublings = self.unanswered - UNREACHABLE_AFTER;
            let pause = FIRST_PAUSE.saturating_mul(2_u32.saturating_pow(doublings)).min(LONGEST_PAUSE);
            self.close(pause, spread, now, false);
        }
        self.is_unreachable() && !was_unreachable
    }

    /// An attempt was given up before it could be answered. If it was the probe, another may go.
    pub(super) fn abandoned(&mut self, was_probe: bool) {
        self.probing &= !was_probe;
    }

    fn is_unreachable(&self) -> bool {
        self.unanswered >= UNREACHABLE_AFTER
    }

    fn close(&mut self, pause: Duration, spread: f64, now: Instant, overloaded: bool) -> Instant {
        let opens = now + spread_out(pause, spread);
        if self.opens.is_none_or(|before| before < opens) {
            (self.opens, self.overloaded) = (Some(opens), overloaded);
        }
        self.opens.unwrap_or(opens)
    }
}

fn spread_out(pause: Duration, spread: f64) -> Duration {
    pause.mul_f64(1.0 + SPREAD * spread)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ms(millis: u64) -> Duration {
        Duration::from_millis(millis)
    }

    #[test]
    fn it_is_closed_for_as_long_as_the_api_server_asks_and_a_little_more() {
        let start = Instant::now();
        let mut gate = Gate::default();
        assert_eq!(gate.overloaded(ms(1000), 0.0, start), start + ms(1000));
        assert_eq!(gate.overloaded(ms(1000), 1.0, start), start + ms(1250));
        assert_eq!(gate.overloaded(ms(500), 0.0, start), start + ms(1250), "a shorter time opens nothing");
        assert_eq!(gate.check(start + ms(1249)), Err((Closed::Overloaded, Some(start + ms(1250)))));
        assert_eq!(gate.check(start + ms(1250)), Ok(()));
    }

    #[test]
    fn an_absurd_retry_after_is_cut_short() {
        let start = Instant::now();
        assert_eq!(Gate::default().overloaded(ms(86_400_000), 0.0, start), start + LONGEST_RETRY_AFTER);
    }

    #[test]
    fn the_gate_closes_for_a_single_resource() {
        let start = Instant::now();
        let mut gate = Gate::default();
        assert_eq!(gate.close_for("pods", ms(1000), 1.0, start), start + ms(1250));
        assert_eq!(gate.close_for("pods", ms(500), 0.0, start), start + ms(1250), "a shorter time opens nothing");
        assert_eq!(gate.closed_for("pods", start + ms(1249)), Some(start + ms(1250)));
        assert_eq!(gate.closed_for("pods", start + ms(1250)), None);
        assert_eq!((gate.closed_for("services", start), gate.check(start)), (None, Ok(())));
    }

    #[test]
    fn a_single_cut_connection_closes_nothing() {
        let start = Instant::now();
        let mut gate = Gate::default();
        for _ in 0..10 {
            assert!(!gate.unanswered(false, 0.0, start) && !gate.unanswered(false, 0.0, start));
            gate.answered();
            assert_eq!(gate.check(start), Ok(()));
        }
    }

    #[test]
    fn an_unreachable_api_server_is_probed_by_one_attempt_at_growing_intervals() {
        let start = Instant::now();
        let mut gate = Gate::default();
        let news = (0..8).filter(|_| gate.unanswered(false, 0.0, start)).count();
        assert_eq!(news, 1, "attempts that were under way fail late and say nothing new");
        let mut now = start;
        for pause in [250, 500, 1000, 2000, 2000] {
            assert_eq!(gate.check(now), Err((Closed::Unreachable, Some(now + ms(pause)))));
            now += ms(pause);
            assert_eq!(gate.check(now), Ok(()));
            assert!(gate.pass());
            assert_eq!(gate.check(now), Err((Closed::Unreachable, None)), "one probe at a time");
            assert!(!gate.unanswered(true, 0.0, now));
        }
        now += ms(2000);
        assert!(gate.pass());
        gate.answered();
        assert!(!gate.pass());
        assert_eq!(gate.check(now), Ok(()), "once it answers, all may ask");
    }

    #[test]
    fn an_api_server_that_has_just_come_back_is_known_for_a_while() {
        let start = Instant::now();
        let mut gate = Gate::default();
        assert!(!gate.is_settling(start));
        gate.unanswered(false, 0.0, start);
        gate.answered();
        assert!(gate.is_settling(start + ms(9_999)) && !gate.is_settling(start + ms(10_000)));
    }

    #[test]
    fn a_late_answer_opens_it_unless_the_api_server_asked_to_be_left_alone() {
        let start = Instant::now();
        let mut gate = Gate::default();
        for _ in 0..UNREACHABLE_AFTER {
            gate.unanswered(false, 0.0, start);
        }
        assert!(gate.check(start).is_err());
        gate.answered();
        assert_eq!(gate.check(start), Ok(()));
        gate.overloaded(ms(1000), 0.0, start);
        gate.answered();
        assert!(gate.check(start).is_err());
    }

    #[test]
    fn a_probe_that_is_given_up_makes_room_for_another() {
        let start = Instant::now();
        let mut gate = Gate::default();
        for _ in 0..UNREACHABLE_AFTER {
            gate.unanswered(false, 0.0, start);
        }
        let later = start + ms(250);
        assert!(gate.pass());
        gate.abandoned(false);
        assert!(gate.check(later).is_err(), "another attempt that was given up");
        gate.abandoned(true);
        assert_eq!(gate.check(later), Ok(()));
    }
}
