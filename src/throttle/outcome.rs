//! Outcome of a request on the wire, from which the throttle finds its rate.

use tokio::time::Duration;

/// Outcome of a request on the wire.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// Given up before its end.
    Abandoned,
    /// There was no answer: no connection, cut, timed out.
    NoAnswer,
    Answered {
        /// The HTTP status.
        status: u16,
        /// After how long it asks to be asked again. `None`: it did not say.
        retry_after: Option<Duration>,
    },
    /// Answered with 429 for this resource alone, which the API server cannot serve yet (it has not read its watch cache).
    ResourceNotReady {
        /// As above.
        retry_after: Option<Duration>,
    },
}
