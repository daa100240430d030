//! Refusal: why an attempt was not let through, and when another one would be.

use super::gate::Closed;
use tokio::time::Duration;

/// An attempt that was not let through.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("{why}: the turn would come in {}ms", retry_after.as_millis())]
pub struct Refused {
    /// The reason.
    pub why: Why,
    /// After how long an attempt would be let through, as far as can be told now.
    pub retry_after: Duration,
}

/// Reason of a refusal.
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
    /// Its caller had gone when its turn came.
    #[error("not sent, since nobody waited for the answer any more")]
    Unwanted,
}

impl From<Closed> for Why {
    fn from(closed: Closed) -> Self {
        match closed {
            Closed::Overloaded => Self::Overloaded,
            Closed::Unreachable => Self::Unreachable,
        }
    }
}
