//! Pace: token bucket, adaptive rate and gate in one, which say when the next attempt may leave. Pure, driven by `now`;
//! the queue is before it ([`super::queue`]).

use super::adaptive::AdaptiveRate;
use super::bucket::TokenBucket;
use super::gate::{Closed, Gate};
use super::limits::Limits;
use super::outcome::Outcome;
use tokio::time::{Duration, Instant};

/// Pause for an overloaded API server that does not name one: as long as API Priority and Fairness asks for at
/// first.
const DEFAULT_RETRY_AFTER: Duration = Duration::from_secs(1);

/// An attempt that has left.
#[derive(Debug, Clone, Copy)]
pub(super) struct Sent {
    /// When.
    pub(super) at: Instant,
    /// True if it took the last whole token: then the rate is what holds attempts up.
    drained: bool,
    /// True if it probes an unreachable API server.
    probe: bool,
}

/// Why no attempt may leave now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Hold {
    /// The gate's reason; `None`: there is no token.
    pub(super) closed: Option<Closed>,
    /// When to look again; `None`: when an attempt has ended.
    pub(super) until: Option<Instant>,
}

/// Change that an outcome has made.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Change {
    /// Nothing that is worth telling.
    None,
    /// The API server said that it is overloaded.
    Overloaded {
        /// The rate before and after, in calls per second; `None` if it was not cut.
        cut: Option<(f64, f64)>,
        /// When the gate opens again.
        opens: Instant,
    },
    /// The API server does not answer any more.
    Unreachable,
    /// The API server cannot answer for this resource yet.
    NotReady {
        /// The resource's plural.
        resource: &'static str,
        /// When it is asked again.
        opens: Instant,
    },
}

/// The state of the pace.
#[derive(Debug, Clone)]
pub(super) struct Pace {
    limits: Limits,
    /// `None`: without a limit on the rate.
    rated: Option<(TokenBucket, AdaptiveRate)>,
    gate: Gate,
}

impl Pace {
    /// A pace with a full bucket and an open gate.
    pub(super) fn new(limits: Limits, now: Instant) -> Self {
        let rated = limits.rate.map(|rate| {
            let adaptive = AdaptiveRate::new(rate.qps, limits.min_qps, now);
            (TokenBucket::new(rate.qps, f64::from(rate.burst), now), adaptive)
        });
        Self { limits, rated, gate: Gate::default() }
    }

    /// The same pace under other limits: what has been learnt of the API server stays.
    pub(super) fn retune(&mut self, limits: Limits, now: Instant) {
        let fresh = Self::new(limits, now);
        self.rated = match (self.rated.take(), fresh.rated) {
            (Some((bucket, mut adaptive)), Some(_)) if limits.adaptive => {
                limits.rate.inspect(|rate| adaptive.set_bounds(rate.qps, limits.min_qps));
                Some((bucket, adaptive))
            }
            (Some((bucket, _)), Some((_, adaptive))) => Some((bucket, adaptive)),
            (_, fresh) => fresh,
        };
        self.limits = limits;
        self.apply_rate(now);
    }

    /// Calls per second at present. `None`: without a limit.
    pub(super) fn rate(&self) -> Option<f64> {
        self.rated.as_ref().map(|(_, adaptive)| adaptive.rate())
    }

    /// Why the gate is closed, and when it opens, as [`Gate::check`] says; `None` if it is open.
    pub(super) fn closed(&self, now: Instant) -> Option<(Closed, Option<Instant>)> {
        self.gate.check(now).err()
    }

    /// When attempts on `resource` may leave, if it is closed alone, as [`Gate::closed_for`] says.
    pub(super) fn closed_for(&self, resource: &str, now: Instant) -> Option<Instant> {
        self.gate.closed_for(resource, now)
    }

    /// True if the API server may have just come back.
    pub(super) fn is_settling(&self, now: Instant) -> bool {
        self.gate.is_settling(now)
    }

    /// True if an attempt may leave.
    pub(super) fn check(&mut self, now: Instant) -> Result<(), Hold> {
        self.gate.check(now).map_err(|(why, until)| Hold { closed: Some(why), until })?;
        let Some((bucket, _)) = &mut self.rated else { return Ok(()) };
        bucket.peek(now).map_err(|until| Hold { closed: None, until: Some(until) })
    }

    /// Delay by which an attempt should leave later than it could, up to half the time between two: replicas that share
    /// what an API server gives would otherwise fall into step, and the same ones always find its last seat. `spread`,
    /// from 0 to 1, is chance. Nothing at the ceiling, where nothing is shared.
    pub(super) fn stagger(&self, spread: f64) -> Duration {
        let shared = self.rated.as_ref().filter(|(_, adaptive)| !adaptive.is_at_ceiling());
        shared.map_or(Duration::ZERO, |(_, adaptive)| Duration::from_secs_f64(spread * 0.5 / adaptive.rate()))
    }

    /// An attempt leaves, after [`Pace::check`] has let it.
    pub(super) fn send(&mut self, now: Instant) -> Sent {
        let drained = self.rated.as_mut().is_some_and(|(bucket, _)| {
            let taken = bucket.try_take(now);
            debug_assert!(taken.is_ok(), "an attempt has left without a token");
            bucket.is_drained()
        });
        Sent { at: now, drained, probe: self.gate.pass() }
    }

    /// An attempt has not left after all.
    pub(super) fn take_back(&mut self, sent: Sent) {
        self.gate.abandoned(sent.probe);
        if let Some((bucket, _)) = &mut self.rated {
            bucket.put_back();
        }
    }

    /// An attempt on `resource` has ended. `spread`, from 0 to 1, is chance.
    pub(super) fn ended(
        &mut self,
        sent: Sent,
        resource: &'static str,
        outcome: Outcome,
        spread: f64,
        now: Instant,
    ) -> Change {
        match outcome {
            Outcome::Abandoned => {
                self.gate.abandoned(sent.probe);
                Change::None
            }
            Outcome::NoAnswer if self.gate.unanswered(sent.probe, spread, now) => Change::Unreachable,
            Outcome::NoAnswer => Change::None,
            Outcome::ResourceNotReady { retry_after } => {
                self.gate.answered();
                let pause = retry_after.unwrap_or(DEFAULT_RETRY_AFTER);
                Change::NotReady { resource, opens: self.gate.close_for(resource, pause, spread, now) }
            }
            Outcome::Answered { status, retry_after } => {
                self.gate.answered();
                if let (Some((_, adaptive)), 200..=428 | 430..=499) = (&mut self.rated, status) {
                    adaptive.served(sent.at);
                }
                match (status, retry_after) {
                    (429, _) | (503, Some(_)) if self.limits.adaptive => {
                        self.overloaded(sent, retry_after.unwrap_or(DEFAULT_RETRY_AFTER), spread, now)
                    }
                    (200..500, _) if sent.drained && self.limits.adaptive => {
                        self.grow(now);
                        Change::None
                    }
                    _ => Change::None,
                }
            }
        }
    }

    /// Time until `tokens` more attempts may have left, and the reason of the gate if it holds them up.
    pub(super) fn wait_for(&mut self, tokens: usize, now: Instant) -> (Duration, Option<Closed>) {
        let closed = self.gate.check(now).err();
        let opens = closed.and_then(|(_, opens)| opens).unwrap_or(now).saturating_duration_since(now);
        let token = self.rated.as_mut().map_or(Duration::ZERO, |(bucket, _)| bucket.wait_for(tokens, now));
        (opens.max(token), closed.map(|(why, _)| why))
    }

    fn overloaded(&mut self, sent: Sent, retry_after: Duration, spread: f64, now: Instant) -> Change {
        let opens = self.gate.overloaded(retry_after, spread, now);
        let cut = self.rated.as_mut().and_then(|(bucket, adaptive)| {
            let before = adaptive.rate();
            // What has been saved up was saved for an API server with room.
            bucket.dry_until(opens);
            adaptive.overloaded(sent.at, now).then(|| (before, adaptive.rate()))
        });
        self.apply_rate(now);
        Change::Overloaded { cut, opens }
    }

    fn grow(&mut self, now: Instant) {
        if let Some((_, adaptive)) = &mut self.rated {
            adaptive.succeeded(now);
        }
        self.apply_rate(now);
    }

    /// Below its ceiling the rate allows bursts of as many seconds' worth as at the ceiling.
    fn apply_rate(&mut self, now: Instant) {
        if let (Some((bucket, adaptive)), Some(ceiling)) = (&mut self.rated, self.limits.rate) {
            let part = adaptive.rate() / ceiling.qps;
            bucket.set(adaptive.rate(), (f64::from(ceiling.burst) * part).max(1.0), now);
        }
    }
}
