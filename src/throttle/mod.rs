//! How much the API server is asked: one token bucket and one bound on concurrent calls for the whole process.
//!
//! Every attempt (each page, each retry) passes [`Throttle::admit`] and holds its [`Permit`] until the answer has
//! been read. Waiting is first come, first served, and aware of deadlines: who cannot be served in time is refused
//! at once and told how long it would have taken, instead of queueing for nothing. The bucket itself is
//! [`bucket::TokenBucket`], pure and driven by `now`; the tower layer that puts this in front of the transport is
//! [`layer::ThrottleLayer`].

pub mod bucket;
pub mod layer;

use crate::call::{Call, Operation};
use crate::live::Live;
use crate::metrics::Metrics;
use bucket::TokenBucket;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::{Duration, Instant, sleep_until, timeout_at};

/// How much may be asked.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Limits {
    /// Tokens per second and bucket size. `None`: no limit on the rate.
    pub rate: Option<Rate>,
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

/// An attempt that our own limit did not let through.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("refused by this replica's own limit (throttle.qps, throttle.max_in_flight, throttle.max_wait_ms): the turn would come in {}ms", retry_after.as_millis())]
pub struct Refused {
    /// After how long an attempt would be let through, as far as can be told now.
    pub retry_after: Duration,
}

/// The one gate to the API server. Shared by all calls of the process.
#[derive(Debug)]
pub struct Throttle {
    bucket: Mutex<Option<TokenBucket>>,
    /// Held by the attempt that is next; the queue before it is the semaphore's, which is fair.
    turn: Semaphore,
    /// Attempts that wait, the one whose turn it is included.
    waiting: AtomicUsize,
    in_flight: Arc<Semaphore>,
    limits: Live<Limits>,
    metrics: Arc<Metrics>,
}

/// Leave for one request on the wire. When it is dropped the request is over: its place among the concurrent calls
/// is free again and its outcome is counted.
#[derive(Debug)]
pub struct Permit {
    _place: OwnedSemaphorePermit,
    operation: Operation,
    admitted: Instant,
    outcome: Outcome,
    metrics: Arc<Metrics>,
}

/// What became of a request on the wire.
#[derive(Debug, Clone, Copy)]
enum Outcome {
    /// Nobody waited for its end.
    Abandoned,
    /// There was no answer: no connection, cut, timed out.
    NoAnswer,
    /// Answered with this HTTP status.
    Answered(u16),
}

impl Permit {
    /// Notes that the API server answered with `status`.
    pub fn answered(&mut self, status: u16) {
        self.outcome = Outcome::Answered(status);
    }

    /// Notes that there was no answer.
    pub fn unanswered(&mut self) {
        self.outcome = Outcome::NoAnswer;
    }
}

impl Drop for Permit {
    fn drop(&mut self) {
        let Operation { verb, resource } = self.operation;
        let took = self.admitted.elapsed();
        self.metrics.api_in_flight.dec();
        match self.outcome {
            Outcome::Abandoned => self.metrics.api_call(verb, resource, "abandoned", took),
            Outcome::NoAnswer => self.metrics.api_call(verb, resource, "error", took),
            Outcome::Answered(status) => self.metrics.api_call(verb, resource, &status.to_string(), took),
        }
    }
}

impl Throttle {
    /// A throttle with a full bucket.
    #[must_use]
    pub fn new(limits: Limits, metrics: Arc<Metrics>) -> Self {
        Self {
            bucket: Mutex::new(limits.rate.map(|rate| TokenBucket::new(rate.qps, rate.burst, Instant::now()))),
            turn: Semaphore::new(1),
            waiting: AtomicUsize::new(0),
            in_flight: Arc::new(Semaphore::new(limits.max_in_flight)),
            limits: Live::new(limits),
            metrics,
        }
    }

    /// Replaces the limits. A new rate starts with a full bucket.
    pub fn retune(&self, limits: Limits) {
        let before = self.limits.get();
        self.limits.set(limits);
        if before.rate != limits.rate {
            let bucket = limits.rate.map(|rate| TokenBucket::new(rate.qps, rate.burst, Instant::now()));
            *self.bucket.lock().unwrap_or_else(PoisonError::into_inner) = bucket;
            self.metrics.throttle_rate.set(limits.rate.map_or(f64::INFINITY, |rate| rate.qps));
        }
        self.in_flight.add_permits(limits.max_in_flight.saturating_sub(before.max_in_flight));
        self.in_flight.forget_permits(before.max_in_flight.saturating_sub(limits.max_in_flight));
    }

    /// Waits for a place and a token.
    ///
    /// Dropping the future gives up the place in the queue; no token is lost by that.
    ///
    /// # Errors
    /// [`Refused`], at once, if the tokens of those who are ahead leave none before the call's deadline or within
    /// `max_wait`; or then, if the calls under way did not end in time.
    pub async fn admit(&self, call: &Call, operation: Operation) -> Result<Permit, Refused> {
        let arrived = Instant::now();
        let latest = call.deadline().min(arrived + self.limits.get().max_wait);
        let wait = Waiting::enter(self);
        let retry_after = self.token_in(wait.position, arrived);
        if arrived + retry_after > latest {
            return Err(self.refuse(retry_after));
        }
        match timeout_at(latest, self.take_turn()).await {
            Ok(place) => {
                self.metrics.admitted(arrived.elapsed());
                self.metrics.api_in_flight.inc();
                Ok(Permit {
                    _place: place,
                    operation,
                    admitted: Instant::now(),
                    outcome: Outcome::Abandoned,
                    metrics: Arc::clone(&self.metrics),
                })
            }
            // The calls under way did not end: that it takes at least as long again is the best guess.
            Err(_) => Err(self.refuse(self.token_in(wait.position, Instant::now()).max(arrived.elapsed()))),
        }
    }

    /// First the place, then the token: a token that is taken is used at once, so that saved tokens cannot leave
    /// later in one lump, larger than the burst.
    async fn take_turn(&self) -> OwnedSemaphorePermit {
        let _turn = self.turn.acquire().await.expect("the semaphore is never closed");
        let place = Arc::clone(&self.in_flight).acquire_owned().await.expect("the semaphore is never closed");
        while let Some(at) = self.try_take() {
            sleep_until(at).await;
        }
        place
    }

    /// Takes a token, or tells when there will be one.
    fn try_take(&self) -> Option<Instant> {
        self.bucket.lock().unwrap_or_else(PoisonError::into_inner).as_mut()?.try_take(Instant::now()).err()
    }

    /// How long it takes until the bucket has given `tokens` tokens.
    fn token_in(&self, tokens: usize, now: Instant) -> Duration {
        let mut bucket = self.bucket.lock().unwrap_or_else(PoisonError::into_inner);
        bucket.as_mut().map_or(Duration::ZERO, |bucket| bucket.wait_for(tokens, now))
    }

    fn refuse(&self, retry_after: Duration) -> Refused {
        self.metrics.throttle_refused.inc();
        Refused { retry_after }
    }
}

/// A place in the queue, given up on drop.
struct Waiting<'a> {
    throttle: &'a Throttle,
    /// One for the attempt that is next.
    position: usize,
}

impl<'a> Waiting<'a> {
    fn enter(throttle: &'a Throttle) -> Self {
        throttle.metrics.throttle_waiting.inc();
        Self { throttle, position: throttle.waiting.fetch_add(1, Ordering::Relaxed) + 1 }
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.throttle.metrics.throttle_waiting.dec();
        self.throttle.waiting.fetch_sub(1, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIST: Operation = Operation { verb: "list", resource: "pods" };

    fn throttle(qps: f64, burst: u32, max_in_flight: usize) -> Arc<Throttle> {
        let limits = Limits { rate: Some(Rate { qps, burst }), max_wait: Duration::from_secs(10), max_in_flight };
        Arc::new(Throttle::new(limits, Arc::new(Metrics::new(qps))))
    }

    fn call_for(seconds: u64) -> Call {
        Call::until(Instant::now() + Duration::from_secs(seconds))
    }

    #[tokio::test(start_paused = true)]
    async fn a_burst_passes_at_once_and_the_rest_at_the_rate() {
        let throttle = throttle(10.0, 5, 100);
        let began = Instant::now();
        for n in 0_u32..15 {
            throttle.admit(&call_for(60), LIST).await.unwrap();
            let due = Duration::from_millis(100) * n.saturating_sub(4);
            assert!(began.elapsed() >= due, "the {n}th came {:?} before {due:?}", began.elapsed());
            assert!(began.elapsed() < due + Duration::from_millis(5), "the {n}th came late: {:?}", began.elapsed());
        }
    }

    #[tokio::test(start_paused = true)]
    async fn who_cannot_be_served_in_time_is_refused_at_once() {
        let throttle = throttle(1.0, 1, 100);
        throttle.admit(&call_for(60), LIST).await.unwrap();
        let began = Instant::now();
        let refused = throttle.admit(&Call::until(began + Duration::from_millis(500)), LIST).await.unwrap_err();
        assert_eq!(began.elapsed(), Duration::ZERO);
        assert!(refused.retry_after > Duration::from_millis(900), "{refused}");
        assert!(refused.retry_after <= Duration::from_secs(1), "{refused}");
    }

    #[tokio::test(start_paused = true)]
    async fn the_queue_counts_towards_the_wait() {
        let throttle = throttle(1.0, 1, 100);
        throttle.admit(&call_for(60), LIST).await.unwrap();
        let queued: Vec<_> = (0..10)
            .map(|_| {
                let throttle = Arc::clone(&throttle);
                tokio::spawn(async move { throttle.admit(&call_for(60), LIST).await.map(drop) })
            })
            .collect();
        tokio::task::yield_now().await;
        let refused = throttle.admit(&call_for(60), LIST).await.unwrap_err();
        assert!(refused.retry_after > Duration::from_secs(10), "max_wait bounds the queue: {refused}");
        for waiter in queued {
            waiter.await.unwrap().unwrap();
        }
    }

    #[tokio::test(start_paused = true)]
    async fn waiters_are_served_in_the_order_they_came() {
        let throttle = throttle(10.0, 1, 100);
        throttle.admit(&call_for(60), LIST).await.unwrap();
        let order = Arc::new(Mutex::new(Vec::new()));
        let mut waiters = Vec::new();
        for n in 0..5 {
            let (throttle, order) = (Arc::clone(&throttle), Arc::clone(&order));
            waiters.push(tokio::spawn(async move {
                throttle.admit(&call_for(60), LIST).await.unwrap();
                order.lock().unwrap().push(n);
            }));
            tokio::task::yield_now().await;
        }
        for waiter in waiters {
            waiter.await.unwrap();
        }
        assert_eq!(*order.lock().unwrap(), [0, 1, 2, 3, 4]);
    }

    #[tokio::test(start_paused = true)]
    async fn who_gives_up_costs_no_token() {
        let throttle = throttle(1.0, 1, 100);
        throttle.admit(&call_for(60), LIST).await.unwrap();
        let gone = timeout_at(Instant::now() + Duration::from_millis(100), throttle.admit(&call_for(60), LIST)).await;
        assert!(gone.is_err());
        let began = Instant::now();
        throttle.admit(&call_for(60), LIST).await.unwrap();
        assert!(began.elapsed() <= Duration::from_millis(905), "{:?}", began.elapsed());
    }

    #[tokio::test(start_paused = true)]
    async fn calls_under_way_are_bounded_and_free_their_place() {
        let throttle = throttle(1000.0, 1000, 2);
        let first = throttle.admit(&call_for(1), LIST).await.unwrap();
        let _second = throttle.admit(&call_for(1), LIST).await.unwrap();
        assert!(throttle.admit(&call_for(1), LIST).await.is_err());
        drop(first);
        throttle.admit(&call_for(1), LIST).await.unwrap();
    }

    #[tokio::test(start_paused = true)]
    async fn places_that_free_up_late_do_not_release_more_than_the_burst() {
        let throttle = throttle(1.0, 2, 8);
        let places: Vec<_> = vec![
            throttle.admit(&call_for(60), LIST).await.unwrap(),
            throttle.admit(&call_for(60), LIST).await.unwrap(),
        ];
        tokio::time::sleep(Duration::from_secs(60)).await;
        drop(places);
        let began = Instant::now();
        for _ in 0..4 {
            throttle.admit(&call_for(60), LIST).await.unwrap();
        }
        assert!(
            began.elapsed() >= Duration::from_secs(2),
            "two saved tokens, then one a second: {:?}",
            began.elapsed()
        );
    }

    #[tokio::test(start_paused = true)]
    async fn without_a_rate_only_the_places_bound() {
        let limits = Limits { rate: None, max_wait: Duration::from_secs(1), max_in_flight: 1 };
        let throttle = Throttle::new(limits, Arc::new(Metrics::new(f64::INFINITY)));
        let began = Instant::now();
        for _ in 0..1000 {
            throttle.admit(&call_for(1), LIST).await.unwrap();
        }
        assert_eq!(began.elapsed(), Duration::ZERO);
    }
}
