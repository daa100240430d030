//! How much the API server is asked: one gate, one token bucket and one bound on concurrent calls for the whole process.
//!
//! Every attempt (each page, each retry) passes [`Throttle::admit`] and holds its [`Permit`] until the answer has been read.
//! Who waits does so in one of two lanes ([`lanes`]), and is served as soon as there is a place, a token ([`bucket`], refilled
//! at the [`adaptive`] rate) and an open [`gate`]. Who cannot be served in time is refused at once and told how long it would
//! have taken. All of that is pure and driven by `now` ([`pace`]); here are the clock, the queue and the words. The tower
//! layer that puts it in front of the transport is [`layer::ThrottleLayer`].
//!
//! # What the adaptive rate achieves
//!
//! Replicas know nothing of each other, and each always wants more. The API server gives 50 calls a second to all of them
//! together, then 25, 50, 25 and 50 again, two minutes each, and answers 429 with `Retry-After: 1` to the rest. `simulation`
//! measures, on virtual time, with `throttle.qps: 50`:
//!
//! | replicas | rate | goodput | rejected at 50/s | rejected at 25/s | fairness | recovery |
//! | --- | --- | --- | --- | --- | --- | --- |
//! | 2 | adaptive | 96.0 % | 0.2 % | 0.6 % | 0.985 | 22 s |
//! | 5 | adaptive | 99.8 % | 0.7 % | 2.0 % | 0.983 | 14 s |
//! | 20 | adaptive | 99.9 % | 4.9 % | 11.1 % | 0.989 | 7 s |
//! | 5 | fixed | 100.0 % | 80.0 % | 90.0 % | 0.201 | 5 s |
//!
//! Goodput is in parts of what the API server gives, counted from 30 s after each change on; fairness is Jain's index of what
//! the replicas got in the end (1: all the same; with a fixed rate, those whose calls happen to fall right get nearly all);
//! recovery is the time from the doubling until 90 % of it are used.

pub mod adaptive;
pub mod bucket;
pub mod gate;
pub mod lanes;
pub mod layer;
mod metrics;
pub mod pace;
mod permit;
#[cfg(test)]
mod simulation;
#[cfg(test)]
mod tests;

pub use metrics::{Metrics, Queue};
pub use permit::{Outcome, Permit};

use crate::call::{Call, Lane, Operation};
use crate::telemetry::log_limiter::LogLimiter;
use gate::Closed;
use lanes::{Lanes, Place};
use pace::{Change, Pace, Sent};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tokio::runtime::Handle;
use tokio::sync::oneshot;
use tokio::time::{Duration, Instant, sleep_until, timeout_at};

/// How often each kind of line about the throttle is logged at most.
const LOG_PERIOD: Duration = Duration::from_secs(10);

/// How much may be asked.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Limits {
    /// Tokens per second and bucket size. `None`: no limit on the rate.
    pub rate: Option<Rate>,
    /// Whether the rate, and the gate, give way to an API server that says that it is overloaded.
    pub adaptive: bool,
    /// The lowest adaptive rate in tokens per second; positive. `rate` itself if that is lower.
    pub min_qps: f64,
    /// The longest that an attempt waits for its turn, however far its deadline is.
    pub max_wait: Duration,
    /// The most calls that are under way at the same time. Zero lets nothing through.
    pub max_in_flight: usize,
}

/// A rate with the burst that it allows.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Rate {
    /// Tokens per second; positive and finite.
    pub qps: f64,
    /// The most tokens that can be saved up; at least one.
    pub burst: u32,
}

/// An attempt that was not let through.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("{why}: the turn would come in {}ms", retry_after.as_millis())]
pub struct Refused {
    /// What held it up.
    pub why: Why,
    /// After how long an attempt would be let through, as far as can be told now.
    pub retry_after: Duration,
}

/// What holds attempts up.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Why {
    /// There are not enough tokens.
    #[error("refused by this replica's own limit (throttle.qps, throttle.max_wait_ms)")]
    Rate,
    /// The calls under way do not end.
    #[error("refused by this replica's own limit (throttle.max_in_flight): the calls under way have not been answered")]
    InFlight,
    /// The API server has asked to be left alone.
    #[error("throttled by the API server, which has asked to be left alone")]
    Overloaded,
    /// The API server does not answer.
    #[error("the API server cannot be reached, and is probed from time to time")]
    Unreachable,
}

impl From<Closed> for Why {
    fn from(closed: Closed) -> Self {
        match closed {
            Closed::Overloaded => Self::Overloaded,
            Closed::Unreachable => Self::Unreachable,
        }
    }
}

/// The one way to the API server, shared by all calls of the process. Cheap to clone; clones share it.
#[derive(Debug, Clone)]
pub struct Throttle(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    state: Mutex<State>,
    runtime: Handle,
    metrics: Metrics,
    overloads: LogLimiter,
    refusals: LogLimiter,
}

#[derive(Debug)]
struct State {
    limits: Limits,
    pace: Pace,
    lanes: Lanes<oneshot::Sender<Sent>>,
    in_flight: usize,
    /// When somebody looks again, if nothing happens before.
    alarm: Option<Instant>,
}

impl Throttle {
    /// A throttle with a full bucket. `runtime` is what its alarms run on.
    #[must_use]
    pub fn new(limits: Limits, runtime: Handle, metrics: Metrics) -> Self {
        let pace = Pace::new(limits, Instant::now());
        let state = State { limits, pace, lanes: Lanes::default(), in_flight: 0, alarm: None };
        let [overloads, refusals] = [(); 2].map(|()| LogLimiter::every(LOG_PERIOD));
        let shared = Shared { state: Mutex::new(state), runtime, metrics, overloads, refusals };
        shared.show_rate(&shared.state());
        Self(Arc::new(shared))
    }

    /// Replaces the limits, for those who wait already, too. What has been learnt of the API server stays.
    pub fn retune(&self, limits: Limits) {
        let mut state = self.0.state();
        state.limits = limits;
        state.pace.retune(limits, Instant::now());
        self.0.show_rate(&state);
        self.serve(&mut state);
    }

    /// Whether a call would wait until the API server wants to be asked again.
    #[must_use]
    pub fn is_closed(&self) -> bool {
        self.closed().is_some()
    }

    /// Why the gate is closed, and when it opens; `None`: when the probe that is under way has ended.
    #[must_use]
    pub fn closed(&self) -> Option<(Closed, Option<Instant>)> {
        self.0.state().pace.closed(Instant::now())
    }

    /// Whether the API server may have just come back: it listens before it knows anybody's rights.
    #[must_use]
    pub fn is_settling(&self) -> bool {
        self.0.state().pace.is_settling(Instant::now())
    }

    /// Waits for a place, a token and an open gate.
    ///
    /// Dropping the future gives up the place in the queue; no token is lost by that.
    ///
    /// # Errors
    /// [`Refused`], at once, if the gate and the tokens of those who are ahead leave none before the call's deadline or
    /// within `max_wait`; or then, if it has not come to it.
    pub async fn admit(&self, call: &Call, operation: Operation) -> Result<Permit, Refused> {
        let arrived = Instant::now();
        let (mut waiter, latest) = {
            let mut state = self.0.state();
            let latest = call.deadline().min(arrived + state.limits.max_wait);
            let tokens = state.lanes.ahead(call.lane()) + 1;
            let (wait, closed) = state.pace.wait_for(tokens, arrived);
            if arrived + wait > latest {
                drop(state);
                return Err(self.0.refuse(closed.map_or(Why::Rate, Why::from), wait));
            }
            let (turn, my_turn) = oneshot::channel();
            let place = state.lanes.enter(call.lane(), turn);
            let waiter = Waiter { throttle: self, place, lane: call.lane(), my_turn, has_left: false };
            self.0.metrics.waiting(call.lane()).inc();
            self.serve(&mut state);
            (waiter, latest)
        };
        let turn = match timeout_at(latest, &mut waiter.my_turn).await {
            Ok(turn) => turn.ok(),
            Err(_) => {
                // The alarm for this very moment may not have rung yet.
                self.serve(&mut self.0.state());
                waiter.my_turn.try_recv().ok()
            }
        };
        let Some(sent) = turn else { return Err(self.refuse_late(arrived)) };
        waiter.has_left = true;
        self.0.metrics.admit(call.lane(), arrived.elapsed());
        Ok(Permit::new(self.clone(), operation, sent))
    }

    /// Refuses one who has waited for as long as it can. That it takes at least as long again is the best guess.
    fn refuse_late(&self, arrived: Instant) -> Refused {
        let mut state = self.0.state();
        let has_place = state.in_flight < state.limits.max_in_flight;
        let (wait, closed) = state.pace.wait_for(1, Instant::now());
        let why = closed.map_or(if has_place { Why::Rate } else { Why::InFlight }, Why::from);
        drop(state);
        self.0.refuse(why, wait.max(arrived.elapsed()))
    }

    /// Lets through whom it can, and sees to it that somebody looks again when the next one may go: this is called when one
    /// arrives, when an attempt has ended, and by the alarm.
    fn serve(&self, state: &mut State) {
        let now = Instant::now();
        while !state.lanes.is_empty() && state.in_flight < state.limits.max_in_flight {
            if let Err(hold) = state.pace.check(now) {
                hold.until.inspect(|at| self.set_alarm(state, *at + state.pace.stagger(fastrand::f64())));
                return;
            }
            let sent = state.pace.send(now);
            state.in_flight += 1;
            let taken = state.lanes.next_turn().is_some_and(|turn| turn.send(sent).is_ok());
            debug_assert!(taken, "a waiter leaves the queue before it stops listening");
        }
    }

    fn set_alarm(&self, state: &mut State, at: Instant) {
        if state.alarm.is_some_and(|set| set <= at) {
            return;
        }
        state.alarm = Some(at);
        let throttle = self.clone();
        self.0.runtime.spawn(async move {
            sleep_until(at).await;
            let mut state = throttle.0.state();
            if state.alarm == Some(at) {
                state.alarm = None;
                throttle.serve(&mut state);
            }
        });
    }

    /// An attempt has ended.
    fn ended(&self, sent: Sent, outcome: Outcome) {
        let mut state = self.0.state();
        state.in_flight -= 1;
        let change = state.pace.ended(sent, outcome, fastrand::f64(), Instant::now());
        self.0.show_rate(&state);
        self.serve(&mut state);
        drop(state);
        self.0.tell(change);
    }
}

impl Shared {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn show_rate(&self, state: &State) {
        let ceiling = state.limits.rate.map_or(f64::INFINITY, |rate| rate.qps);
        self.metrics.ceiling.set(ceiling);
        self.metrics.rate.set(state.pace.rate().unwrap_or(f64::INFINITY));
    }

    fn refuse(&self, why: Why, retry_after: Duration) -> Refused {
        self.metrics.refused.inc(why);
        let refused = Refused { why, retry_after };
        self.refusals.log(|more| match why {
            Why::Rate | Why::InFlight => log::warn!("throttled by our own limit: {refused}{more}"),
            Why::Overloaded | Why::Unreachable => log::warn!("{refused}{more}"),
        });
        refused
    }

    fn tell(&self, change: Change) {
        match change {
            Change::None => {}
            Change::Overloaded { cut, opens } => {
                let pause = opens.saturating_duration_since(Instant::now());
                self.metrics.close_gate(pause, cut.is_some());
                self.overloads.log(|more| {
                    let rate = cut.map(|(before, after)| format!(", rate {before:.1}/s -> {after:.1}/s"));
                    let (rate, pause) = (rate.unwrap_or_default(), pause.as_millis());
                    log::warn!("throttled by the API server: nothing is asked for {pause}ms{rate}{more}");
                });
            }
            Change::Unreachable => log::warn!("the API server does not answer: it is probed until it does"),
        }
    }
}

/// One who waits; gives up its place, or its turn, on drop.
struct Waiter<'a> {
    throttle: &'a Throttle,
    place: Place,
    lane: Lane,
    my_turn: oneshot::Receiver<Sent>,
    has_left: bool,
}

impl Drop for Waiter<'_> {
    fn drop(&mut self) {
        let shared = &self.throttle.0;
        shared.metrics.waiting(self.lane).dec();
        if self.has_left {
            return;
        }
        let mut state = shared.state();
        if !state.lanes.leave(self.place)
            && let Ok(sent) = self.my_turn.try_recv()
        {
            state.pace.take_back(sent);
            state.in_flight -= 1;
        }
        self.throttle.serve(&mut state);
    }
}
