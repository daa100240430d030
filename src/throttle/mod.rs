//! Throttle: one gate, one token bucket and one bound on concurrent calls for all API calls of the process.
//!
//! Every attempt (each page, each retry) passes [`Throttle::admit`] and holds its [`Permit`] until the answer has been read.
//! It waits in one of three [`lanes`], fair per caller, for a place ([`places`]), a token ([`bucket`], refilled at the [`adaptive`]
//! rate) and an open [`gate`]. An attempt whose turn cannot come in time is refused at once with the wait that it would have
//! had. All of that is pure and driven by `now` ([`pace`]); this file has the clock and the lock.
//!
//! # How the lanes share the rate
//!
//! `simulation::lanes` measures, on virtual time, a minute at `throttle.qps: 50` (burst 1). Columns: calls a second that each
//! lane asks for, calls a second that it gets, and its longest wait for a turn. A lane that asks for less than its share is
//! not held up by the others, and what it leaves goes to them.
//!
//! | asked: writes, reads, bulk | turns: writes, reads, bulk | longest wait of each |
//! | --- | --- | --- |
//! | 100, 100, 100 | 30, 15, 5 | 25.0 s, 10.0 s, 10.0 s |
//! | 100, 100, 0 | 33, 17, 0 | 25.0 s, 10.0 s, - |
//! | 0, 100, 100 | 0, 38, 12 | -, 10.0 s, 10.0 s |
//! | 10, 100, 100 | 10, 30, 10 | 0.0 s, 10.0 s, 10.0 s |
//! | 100, 10, 4 | 36, 10, 4 | 25.0 s, 0.1 s, 0.2 s |
//! | 20, 20, 5 | 20, 20, 5 | 0.0 s, 0.0 s, 0.0 s |
//!
//! # How replicas share an API server
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
//! Goodput is in parts of what the API server gives, counted from 30 s after each change on; fairness is Jain's index of the
//! replicas' shares in the end (1: all the same; with a fixed rate, those whose calls happen to fall right get nearly all);
//! recovery is the time from the doubling until 90 % of it are used.

pub mod adaptive;
pub mod bucket;
mod fair_queue;
pub mod gate;
pub mod lanes;
mod metrics;
pub mod pace;
mod permit;
pub mod places;
mod refused;
#[cfg(test)]
mod simulation;
#[cfg(test)]
mod tests;

pub use metrics::{Metrics, Queue};
pub use permit::{Outcome, Permit};
pub use refused::{Refused, Why};

use crate::call::{Call, Lane, Operation};
use crate::telemetry::log_limiter::LogLimiter;
use gate::Closed;
use lanes::{Lanes, Place};
use pace::{Change, Pace, Sent};
use places::Places;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tokio::runtime::Handle;
use tokio::sync::oneshot;
use tokio::time::{Duration, Instant, sleep_until, timeout_at};

/// How often each kind of line about the throttle is logged at most.
const LOG_PERIOD: Duration = Duration::from_secs(10);

/// How often the queue is searched at most for attempts that nobody wants any more: refusing must stay cheap.
const SEARCH_PERIOD: Duration = Duration::from_millis(100);

/// Bounds on the API calls of the process.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Limits {
    /// Tokens per second and bucket size. `None`: no limit on the rate.
    pub rate: Option<Rate>,
    /// True if the rate, and the gate, give way to an API server that says that it is overloaded.
    pub adaptive: bool,
    /// The lowest adaptive rate in tokens per second; positive. `rate` itself if that is lower.
    pub min_qps: f64,
    /// The longest that a read waits for its turn, however far its deadline is. A write waits until its deadline.
    pub max_wait: Duration,
    /// The most calls that are under way at the same time, see [`places`]. Zero lets nothing through.
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
    lanes: Lanes<Waiting>,
    places: Places,
    /// When somebody looks again, if nothing happens before.
    alarm: Option<Instant>,
    /// When the queue was searched last for attempts that nobody wants.
    searched: Option<Instant>,
}

/// An attempt in the queue.
#[derive(Debug)]
struct Waiting {
    call: Call,
    resource: &'static str,
    turn: oneshot::Sender<Turn>,
}

/// End of the wait in the queue.
#[derive(Debug, Clone, Copy)]
enum Turn {
    /// The attempt may leave.
    Go(Sent),
    /// The resource has been closed meanwhile.
    Closed,
    /// Nobody waits for the answer any more.
    Unwanted,
}

impl Throttle {
    /// A throttle with a full bucket. `runtime` is what its alarms run on.
    #[must_use]
    pub fn new(limits: Limits, runtime: Handle, metrics: Metrics) -> Self {
        let (pace, places) = (Pace::new(limits, Instant::now()), Places::new(limits.max_in_flight));
        let state = State { limits, pace, lanes: Lanes::default(), places, alarm: None, searched: None };
        let [overloads, refusals] = [(); 2].map(|()| LogLimiter::every(LOG_PERIOD));
        let shared = Shared { state: Mutex::new(state), runtime, metrics, overloads, refusals };
        shared.show_rate(&shared.state());
        Self(Arc::new(shared))
    }

    /// Replaces the limits, for waiting attempts, too. Anything learnt of the API server stays.
    pub fn retune(&self, limits: Limits) {
        let mut state = self.0.state();
        state.limits = limits;
        state.places.set(limits.max_in_flight);
        state.pace.retune(limits, Instant::now());
        self.0.show_rate(&state);
        self.serve(&mut state);
    }

    /// True if a call would wait until the API server wants to be asked again.
    #[must_use]
    pub fn is_closed(&self) -> bool {
        self.closed().is_some()
    }

    /// True if a read that comes now would wait for a token.
    #[must_use]
    pub fn would_wait(&self) -> bool {
        let now = Instant::now();
        !self.0.state().wait_for(&Call::until(now), now).0.is_zero()
    }

    /// Why the gate is closed, and when it opens; `None`: when the probe that is under way has ended.
    #[must_use]
    pub fn closed(&self) -> Option<(Closed, Option<Instant>)> {
        self.0.state().pace.closed(Instant::now())
    }

    /// True if the API server may have just come back: it listens before it knows anybody's rights.
    #[must_use]
    pub fn is_settling(&self) -> bool {
        self.0.state().pace.is_settling(Instant::now())
    }

    /// Waits for a place, a token and an open gate.
    ///
    /// Dropping the future gives up the place in the queue; no token is lost by that.
    ///
    /// # Errors
    /// [`Refused`]: at once, if gate, tokens and the queue leave no turn before the call's deadline (for a read: or
    /// within `max_wait`); when that time is over; or at its turn, if nobody waits for the answer any more.
    pub async fn admit(&self, call: &Call, operation: Operation) -> Result<Permit, Refused> {
        let arrived = Instant::now();
        let latest = self.0.state().limits.latest(call, arrived);
        let mut now = arrived;
        loop {
            if let Some(opens) = self.0.closed_for(operation.resource) {
                if opens > latest {
                    return Err(self.0.refuse(Why::Overloaded, opens.saturating_duration_since(now)));
                }
                sleep_until(opens).await;
                now = Instant::now();
            }
            let mut waiter = self.enter(call, operation, latest, now)?;
            match waiter.wait(latest).await {
                Some(Turn::Go(sent)) => {
                    self.0.metrics.admit(call.lane(), arrived.elapsed());
                    return Ok(Permit::new(self.clone(), operation, call.lane(), sent));
                }
                Some(Turn::Closed) => {}
                Some(Turn::Unwanted) => return Err(self.0.refuse(Why::Unwanted, Duration::ZERO)),
                None => return Err(self.refuse_late(call.lane(), arrived)),
            }
        }
    }

    /// Queues an attempt, unless its turn would come after `latest`.
    fn enter(&self, call: &Call, operation: Operation, latest: Instant, now: Instant) -> Result<Waiter<'_>, Refused> {
        if !call.is_due() {
            return Err(self.0.refuse(Why::Unwanted, Duration::ZERO));
        }
        let mut state = self.0.state();
        let (mut wait, mut closed) = state.wait_for(call, now);
        if now + wait > latest && state.drop_unwanted(now) {
            (wait, closed) = state.wait_for(call, now);
        }
        if now + wait > latest {
            drop(state);
            return Err(self.0.refuse(closed.map_or(Why::Rate, Why::from), wait));
        }
        let (turn, my_turn) = oneshot::channel();
        let waiting = Waiting { call: call.clone(), resource: operation.resource, turn };
        let place = state.lanes.enter(call.lane(), call.turn_of(), waiting);
        self.0.metrics.waiting(call.lane()).inc();
        self.serve(&mut state);
        Ok(Waiter { throttle: self, place, lane: call.lane(), my_turn, has_left: false })
    }

    /// Refuses an attempt that has waited for as long as it can. That it takes at least as long again is the best guess.
    fn refuse_late(&self, lane: Lane, arrived: Instant) -> Refused {
        let mut state = self.0.state();
        let has_place = state.places.has_room(lane);
        let (wait, closed) = state.pace.wait_for(1, Instant::now());
        let why = closed.map_or(if has_place { Why::Rate } else { Why::InFlight }, Why::from);
        drop(state);
        self.0.refuse(why, wait.max(arrived.elapsed()))
    }

    /// Lets attempts through for as long as it can, and sees to it that somebody looks again when the next one may go. Called
    /// when an attempt arrives, when one has ended, and by the alarm.
    fn serve(&self, state: &mut State) {
        let now = Instant::now();
        while let Some(lane) = state.lanes.due(|lane| state.places.has_room(lane)) {
            if let Err(hold) = state.pace.check(now) {
                hold.until.inspect(|at| self.set_alarm(state, *at + state.pace.stagger(fastrand::f64())));
                return;
            }
            let Some(next) = state.lanes.pop(lane) else { return };
            let turn = if !next.call.is_due() {
                Turn::Unwanted
            } else if state.pace.closed_for(next.resource, now).is_some() {
                Turn::Closed
            } else {
                state.lanes.charge(lane);
                state.places.take(lane);
                Turn::Go(state.pace.send(now))
            };
            let taken = next.turn.send(turn);
            debug_assert!(taken.is_ok(), "a waiter leaves the queue before it stops listening");
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
    fn ended(&self, sent: Sent, lane: Lane, resource: &'static str, outcome: Outcome) {
        let mut state = self.0.state();
        state.places.give_back(lane);
        let change = state.pace.ended(sent, resource, outcome, fastrand::f64(), Instant::now());
        self.0.show_rate(&state);
        self.serve(&mut state);
        drop(state);
        self.0.tell(change);
    }
}

impl Limits {
    /// Until when an attempt that arrives at `now` may wait. A write waits for as long as its caller does: nothing else
    /// answers it, and most callers take a refusal for the end.
    fn latest(&self, call: &Call, now: Instant) -> Instant {
        match call.lane() {
            Lane::Write => call.deadline(),
            Lane::Read | Lane::Bulk => call.deadline().min(now + self.max_wait),
        }
    }
}

impl State {
    /// How long an attempt that comes now would wait, if nobody else comes, and the gate's reason if it is closed.
    fn wait_for(&mut self, call: &Call, now: Instant) -> (Duration, Option<Closed>) {
        self.pace.wait_for(self.lanes.ahead(call.lane(), call.turn_of()) + 1, now)
    }

    /// Takes the attempts out of the queue whose callers have gone. True if there were any.
    fn drop_unwanted(&mut self, now: Instant) -> bool {
        if self.searched.is_some_and(|last| now < last + SEARCH_PERIOD) {
            return false;
        }
        self.searched = Some(now);
        let unwanted = self.lanes.extract(|waiting| !waiting.call.is_due());
        let found = !unwanted.is_empty();
        for waiting in unwanted {
            // A waiter that has given up meanwhile does not listen.
            let _ = waiting.turn.send(Turn::Unwanted);
        }
        found
    }
}

impl Shared {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn closed_for(&self, resource: &str) -> Option<Instant> {
        self.state().pace.closed_for(resource, Instant::now())
    }

    fn show_rate(&self, state: &State) {
        let ceiling = state.limits.rate.map_or(f64::INFINITY, |rate| rate.qps);
        self.metrics.ceiling.set(ceiling);
        self.metrics.rate.set(state.pace.rate().unwrap_or(f64::INFINITY));
    }

    fn refuse(&self, why: Why, retry_after: Duration) -> Refused {
        self.metrics.refused.inc(why);
        let refused = Refused { why, retry_after };
        match why {
            Why::Rate | Why::InFlight => {
                self.refusals.log(|more| log::warn!("throttled by our own limit: {refused}{more}"));
            }
            Why::Overloaded | Why::Unreachable => self.refusals.log(|more| log::warn!("{refused}{more}")),
            Why::Unwanted => log::debug!("{refused}"),
        }
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
            Change::NotReady { resource, opens } => {
                let pause = opens.saturating_duration_since(Instant::now()).as_millis();
                self.overloads.log(|more| {
                    log::warn!("the API server cannot serve {resource} yet: not asked for {pause}ms{more}");
                });
            }
        }
    }
}

/// An attempt's own end of the queue; gives up its place, or its turn, on drop.
struct Waiter<'a> {
    throttle: &'a Throttle,
    place: Place,
    lane: Lane,
    my_turn: oneshot::Receiver<Turn>,
    has_left: bool,
}

impl Waiter<'_> {
    /// Waits for the turn; `None` if it has not come until `latest`.
    async fn wait(&mut self, latest: Instant) -> Option<Turn> {
        let turn = match timeout_at(latest, &mut self.my_turn).await {
            Ok(turn) => turn.ok(),
            Err(_) => {
                // The alarm for this very moment may not have rung yet.
                self.throttle.serve(&mut self.throttle.0.state());
                self.my_turn.try_recv().ok()
            }
        };
        self.has_left = turn.is_some();
        turn
    }
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
            && let Ok(Turn::Go(sent)) = self.my_turn.try_recv()
        {
            state.pace.take_back(sent);
            state.places.give_back(self.lane);
        }
        self.throttle.serve(&mut state);
    }
}
