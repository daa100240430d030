//! Limits of one request.

use tokio::time::Duration;

/// Limits of one request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Limits {
    /// The time until a request is answered with 504.
    pub request_deadline: Duration,
    /// The largest request body in bytes.
    pub max_body_bytes: usize,
    /// The time for a request body to arrive.
    pub body_timeout: Duration,
}
