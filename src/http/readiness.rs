//! Readiness: `/readyz` says no as soon as the replica begins to stop.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// Readiness of this replica: true from the start to the first signal to stop. Cheap to clone; clones share it.
#[derive(Debug, Clone)]
pub(crate) struct Readiness(Arc<AtomicBool>);

impl Readiness {
    /// Ready.
    pub(crate) fn ready() -> Self {
        Self(Arc::new(AtomicBool::new(true)))
    }

    /// True if new requests are welcome.
    pub(crate) fn is_ready(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }

    /// From now on new requests should go elsewhere.
    pub(crate) fn withdraw(&self) {
        self.0.store(false, Ordering::Relaxed);
    }
}
