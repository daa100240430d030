//! Cluster metrics: retries.

use crate::telemetry::metrics::{Counters, Label, Registry};

/// The metrics of the API server client. Cheap to clone; clones share the counters.
#[derive(Debug, Clone)]
pub(crate) struct Metrics {
    pub(super) retries: Counters<Retry>,
}

impl Metrics {
    /// The metrics, registered in `registry`.
    pub(crate) fn new(registry: &Registry) -> Self {
        let help = "Failed attempts that may be made again; outcome: made, or withheld by the retry budget.";
        Self { retries: registry.counters("aenv_controller_retries_total", help, "outcome") }
    }
}

/// Outcome of a retry.
#[derive(Debug, Clone, Copy)]
pub(super) enum Retry {
    Made,
    Withheld,
}

impl Label for Retry {
    const ALL: &'static [Self] = &[Self::Made, Self::Withheld];

    fn as_str(self) -> &'static str {
        match self {
            Self::Made => "made",
            Self::Withheld => "withheld",
        }
    }
}
