//! Throttle: one gate, one token bucket and one bound on concurrent calls for all API calls of the process.
//!
//! Every attempt (each page, each retry) passes [`Throttle::admit`] and holds its [`Permit`] until the answer has been read.
//! It waits in one of three [`lanes`], fair per caller, for a place ([`places`]), a token ([`bucket`], refilled at the [`adaptive`]
//! rate) and an open [`gate`]. An attempt whose turn cannot come in time is refused at once with the wait that it would have
//! had. All of that is pure and driven by `now` ([`pace`], [`queue`]); [`scheduler`] has the lock and the alarm clock.
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
//! | 5 | adaptive | 99.5 % | 0.7 % | 2.0 % | 0.981 | 14 s |
//! | 20 | adaptive | 99.9 % | 5.0 % | 11.7 % | 0.984 | 7 s |
//! | 5 | fixed | 100.0 % | 80.0 % | 90.0 % | 0.201 | 5 s |
//!
//! Goodput is in parts of what the API server gives, counted from 30 s after each change on; fairness is Jain's index of the
//! replicas' shares in the end (1: all the same; with a fixed rate, those whose calls happen to fall right get nearly all);
//! recovery is the time from the doubling until 90 % of it are used.

mod adaptive;
mod admission;
mod bucket;
mod fair_queue;
mod gate;
mod lanes;
mod limits;
mod metrics;
mod outcome;
mod pace;
mod permit;
mod places;
mod queue;
mod refused;
mod report;
mod scheduler;
#[cfg(test)]
mod simulation;
#[cfg(test)]
mod tests;
mod waiter;

pub(crate) use admission::Throttle;
pub(crate) use gate::Closed;
pub(crate) use limits::{Limits, Rate};
pub(crate) use metrics::{Metrics, Queue};
pub(crate) use outcome::Outcome;
pub(crate) use permit::Permit;
pub(crate) use refused::{Refused, Why};
