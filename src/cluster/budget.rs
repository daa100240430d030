//! Retry budget: a bound on all retries together, so that a failing API server is not asked the more for failing. Pure.
//!
//! A retry takes a token, a success gives a fifth of one back: in the long run at most one call in five is a retry, the
//! share that Finagle allows (<https://twitter.github.io/finagle/guide/Clients.html#retries>). As in gRPC's retry
//! throttling (proposal A6, <https://github.com/grpc/proposal/blob/master/A6-client-retries.md>) failures give nothing
//! back, and what is kept in reserve does not expire: a replica that is asked once a minute may still try again.

use std::sync::{Mutex, PoisonError};

/// Tokens that a success gives back.
const PER_SUCCESS: f64 = 0.2;

/// The most that can be kept in reserve, and what there is at first.
const RESERVE: f64 = 10.0;

/// The budget that all calls of the process share.
#[derive(Debug)]
pub(super) struct RetryBudget(Mutex<f64>);

impl Default for RetryBudget {
    fn default() -> Self {
        Self(Mutex::new(RESERVE))
    }
}

impl RetryBudget {
    /// An attempt was answered as it should be.
    pub(super) fn deposit(&self) {
        let mut tokens = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        *tokens = (*tokens + PER_SUCCESS).min(RESERVE);
    }

    /// True if there may be one more retry, which it then counts.
    pub(super) fn withdraw(&self) -> bool {
        let mut tokens = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let enough = *tokens >= 1.0;
        if enough {
            *tokens -= 1.0;
        }
        enough
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_api_server_that_fails_for_good_sees_the_reserve_and_no_more() {
        let budget = RetryBudget::default();
        assert_eq!((0..1000).filter(|_| budget.withdraw()).count(), 10);
    }

    #[test]
    fn an_api_server_that_fails_now_and_then_sees_a_fifth_more() {
        let budget = RetryBudget::default();
        let retries = (0..1000)
            .filter(|n| {
                if n % 2 == 0 {
                    budget.deposit();
                }
                budget.withdraw()
            })
            .count();
        assert!((10 + 99..=10 + 100).contains(&retries), "500 successes, a reserve of 10: {retries}");
    }

    #[test]
    fn the_reserve_does_not_grow_without_end() {
        let budget = RetryBudget::default();
        (0..1000).for_each(|_| budget.deposit());
        assert_eq!((0..1000).filter(|_| budget.withdraw()).count(), 10);
    }
}
