//! Retries, above the throttle, so that every attempt takes its own token.
//!
//! The one file that names the crate `backoff`. A retry is spent only on what may pass by itself, within the
//! caller's deadline and the process's retry budget, and only while somebody still waits for the answer.

use super::budget::RetryBudget;
use super::error::Error;
use super::metrics::{Metrics, Retry};
use crate::call::Call;
use crate::reload::Live;
use backoff::{ExponentialBackoff, ExponentialBackoffBuilder, backoff::Backoff};
use std::num::NonZeroU32;
use tokio::time::{Duration, sleep};

/// Retry policy: how often and how soon a failed attempt is made again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Policy {
    /// Attempts in all, the first included; one means no retry.
    pub max_attempts: NonZeroU32,
    /// The delay before the first retry, at most `max`; it doubles from one to the next. Each is spread by half of itself.
    pub initial: Duration,
    /// The longest delay, unless the API server asks for a longer one.
    pub max: Duration,
}

impl Policy {
    fn delays(&self) -> ExponentialBackoff {
        ExponentialBackoffBuilder::new()
            .with_initial_interval(self.initial.min(self.max))
            .with_multiplier(2.0)
            // Each delay is spread below: the crate's own chance takes no seed.
            .with_randomization_factor(0.0)
            .with_max_interval(self.max)
            .with_max_elapsed_time(None)
            .build()
    }
}

/// Retries of all calls of the process.
#[derive(Debug)]
pub(super) struct Retries {
    policy: Live<Policy>,
    budget: RetryBudget,
    metrics: Metrics,
}

impl Retries {
    pub(super) fn new(policy: Live<Policy>, metrics: Metrics) -> Self {
        Self { policy, budget: RetryBudget::default(), metrics }
    }

    /// Makes attempts until one succeeds, fails for good, or another one makes no sense.
    ///
    /// The API server's Retry-After wins over the computed delay, of which a quarter is added as jitter, so that
    /// callers that were refused together do not come back together. Retries for which the API server has not named
    /// a time are paid from the budget.
    ///
    /// # Errors
    /// The error of the last attempt: it is not transient, or was the last one allowed, or the next would come after
    /// the call's deadline, or nobody waits for the answer any more, or the budget is spent.
    pub(super) async fn run<T, F>(&self, call: &Call, mut attempt: impl FnMut() -> F) -> Result<T, Error>
    where
        F: Future<Output = Result<T, Error>>,
    {
        let policy = self.policy.get();
        let mut delays = policy.delays();
        let mut made = 0;
        loop {
            let outcome = attempt().await;
            made += 1;
            let Err(error) = outcome else {
                self.budget.deposit();
                return outcome;
            };
            let last = made >= policy.max_attempts.get() || !call.may_be_retried();
            if error.is_unwanted() && call.is_wanted() {
                // Somebody has joined since the throttle looked. Nothing was sent, so this was no attempt.
                made -= 1;
                continue;
            }
            if last || !error.is_transient() {
                return Err(error);
            }
            let computed = spread(delays.next_backoff().unwrap_or(policy.max));
            let delay = error.retry_after().map_or(computed, |asked| asked.saturating_add(computed / 4));
            if delay >= call.remaining() {
                return Err(error);
            }
            if !error.is_overload() && !self.budget.withdraw() {
                self.metrics.retries.inc(Retry::Withheld);
                return Err(error);
            }
            log::debug!("trying again in {}ms: {error}", delay.as_millis());
            sleep(delay).await;
            if !call.may_be_retried() {
                return Err(error);
            }
            self.metrics.retries.inc(Retry::Made);
        }
    }
}

/// The delay, spread by half of itself, so that callers who failed together do not come back together.
fn spread(delay: Duration) -> Duration {
    Duration::try_from_secs_f64(delay.as_secs_f64() * (0.5 + fastrand::f64())).unwrap_or(Duration::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::telemetry::metrics::Registry;
    use http::StatusCode;
    use tokio::time::Instant;

    const POLICY: Policy = Policy {
        max_attempts: NonZeroU32::new(5).unwrap(),
        initial: Duration::from_millis(200),
        max: Duration::from_secs(5),
    };

    fn answered(status: u16, retry_after: Option<u64>) -> Error {
        Error::Answered {
            status: StatusCode::from_u16(status).unwrap(),
            reason: String::new(),
            message: String::new(),
            retry_after: retry_after.map(Duration::from_secs),
        }
    }

    fn retries() -> Retries {
        Retries::new(Live::new(POLICY), Metrics::new(&Registry::new()))
    }

    fn call_for(seconds: u64) -> Call {
        Call::until(Instant::now() + Duration::from_secs(seconds))
    }

    /// Runs against an API server that always fails like this; how many attempts it saw and what came of it.
    async fn fail_with(call: &Call, error: impl Fn() -> Error) -> (u32, Error) {
        let mut attempts = 0;
        let outcome = retries()
            .run(call, || {
                attempts += 1;
                std::future::ready(Err::<(), _>(error()))
            })
            .await;
        (attempts, outcome.unwrap_err())
    }

    #[tokio::test(start_paused = true)]
    async fn a_transient_failure_is_tried_again() {
        let mut left = 3;
        let outcome = retries()
            .run(&call_for(60), || {
                left -= 1;
                std::future::ready(if left == 0 { Ok("answer") } else { Err(answered(503, None)) })
            })
            .await;
        assert_eq!(outcome.unwrap(), "answer");
    }

    #[tokio::test(start_paused = true)]
    async fn attempts_are_bounded_and_the_last_error_is_told() {
        let (attempts, error) = fail_with(&call_for(600), || answered(429, Some(1))).await;
        assert_eq!(attempts, 5);
        assert_eq!(error.retry_after(), Some(Duration::from_secs(1)));
    }

    #[tokio::test(start_paused = true)]
    async fn a_lasting_failure_is_told_at_once() {
        for status in [400, 401, 403, 404, 409, 410, 422] {
            assert_eq!(fail_with(&call_for(60), || answered(status, None)).await.0, 1, "{status}");
        }
        assert_eq!(fail_with(&call_for(60), || Error::Deadline).await.0, 1);
    }

    #[tokio::test(start_paused = true)]
    async fn retry_after_wins_over_the_computed_delay() {
        let began = Instant::now();
        let (_, _) = fail_with(&call_for(600), || answered(429, Some(30))).await;
        assert!(began.elapsed() >= Duration::from_secs(120), "{:?}", began.elapsed());
        assert!(began.elapsed() < Duration::from_secs(128), "{:?}", began.elapsed());
    }

    #[tokio::test(start_paused = true)]
    async fn a_retry_that_would_come_too_late_is_not_waited_for() {
        let began = Instant::now();
        let (attempts, _) = fail_with(&call_for(20), || answered(429, Some(30))).await;
        assert_eq!((attempts, began.elapsed()), (1, Duration::ZERO));
    }

    #[tokio::test(start_paused = true)]
    async fn an_absurd_retry_after_ends_the_attempts_at_once_however_long_the_first_delay() {
        let policy = Policy { initial: Duration::MAX, max: Duration::MAX, ..POLICY };
        let retries = Retries::new(Live::new(policy), Metrics::new(&Registry::new()));
        let (began, mut attempts) = (Instant::now(), 0);
        let attempt = || {
            attempts += 1;
            std::future::ready(Err::<(), _>(answered(429, Some(u64::MAX))))
        };
        retries.run(&call_for(600), attempt).await.unwrap_err();
        assert_eq!((attempts, began.elapsed()), (1, Duration::ZERO));
    }

    #[test]
    fn no_delay_is_longer_than_the_longest_whatever_the_first_one() {
        let mut delays = Policy { initial: Duration::from_secs(60), ..POLICY }.delays();
        for _ in 0..50 {
            let delay = delays.next_backoff().unwrap();
            assert!(delay <= POLICY.max + POLICY.max / 2, "{delay:?}, spread by half of itself");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn nobody_waiting_means_no_retry() {
        let call = call_for(60).while_wanted(|| false);
        assert_eq!(fail_with(&call, || answered(503, None)).await.0, 1);
    }

    #[tokio::test(start_paused = true)]
    async fn with_something_else_to_tell_there_is_no_retry() {
        assert_eq!(fail_with(&call_for(60).once(), || answered(429, Some(1))).await.0, 1);
    }

    #[tokio::test(start_paused = true)]
    async fn a_failing_api_server_sees_few_more_attempts_because_of_retries() {
        let (retries, attempts) = (retries(), std::cell::Cell::new(0));
        for _ in 0..100 {
            let attempt = || {
                attempts.set(attempts.get() + 1);
                std::future::ready(Err::<(), _>(answered(500, None)))
            };
            retries.run(&call_for(60), attempt).await.unwrap_err();
        }
        assert_eq!(attempts.get(), 110, "100 questions, and the reserve of the budget");
    }
}
