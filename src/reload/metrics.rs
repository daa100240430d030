//! Reload metrics: settings, templates and credentials that were read again.

use crate::telemetry::metrics::{Counters, Label, Registry};
use prometheus::{IntCounter, IntCounterVec};

/// The metrics of files that are read again. Cheap to clone; clones share the counters.
#[derive(Debug, Clone)]
pub(crate) struct Metrics {
    /// Settings that were read again.
    pub settings: Counters<Outcome>,
    credentials: IntCounterVec,
    /// Templates that had changed and could not be used; the last good ones stay.
    pub template_failures: IntCounter,
}

impl Metrics {
    /// The metrics, registered in `registry`.
    pub(crate) fn new(registry: &Registry) -> Self {
        let credentials = registry.counter_vec(
            "aenv_controller_credential_reloads_total",
            "How often tokens or certificates had changed, by outcome: applied, refused (faults; the old ones stay).",
            &["credential", "outcome"],
        );
        for credential in ["tokens", "certificates"] {
            for outcome in [Outcome::Applied, Outcome::Refused] {
                credentials.with_label_values(&[credential, outcome.as_str()]);
            }
        }
        Self {
            settings: registry.counters(
                "aenv_controller_settings_reloads_total",
                "How often the settings were read again, by outcome: applied (something took effect), unchanged (nothing did), refused (faults; the old ones stay).",
                "outcome",
            ),
            credentials,
            template_failures: registry.counter(
                "aenv_controller_template_reload_failures_total",
                "How often the templates had changed but could not be used; the last good ones stay.",
            ),
        }
    }

    /// A change of `credential` (`tokens` or `certificates`).
    pub(crate) fn credential(&self, credential: &'static str, outcome: Outcome) {
        self.credentials.with_label_values(&[credential, outcome.as_str()]).inc();
    }
}

/// Outcome of reading a file again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// Something took effect.
    Applied,
    /// Nothing was different.
    Unchanged,
    /// It had faults; what was read before stays.
    Refused,
}

impl Label for Outcome {
    const ALL: &'static [Self] = &[Self::Applied, Self::Unchanged, Self::Refused];

    fn as_str(self) -> &'static str {
        match self {
            Self::Applied => "applied",
            Self::Unchanged => "unchanged",
            Self::Refused => "refused",
        }
    }
}
