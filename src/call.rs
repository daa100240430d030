//! What one question to the API server carries on its way down.
//!
//! A [`Call`] travels from the handler (or the fetch that several handlers share) through retry, paging and
//! throttle. It says until when the answer is of use and whether anybody still waits for it. Every layer below
//! keeps one rule: never past the deadline.

use std::fmt;
use std::sync::Arc;
use tokio::time::{Duration, Instant};

/// The deadline of a question and the interest in its answer. Cheap to clone.
#[derive(Clone)]
pub struct Call {
    deadline: Instant,
    wanted: Option<Arc<dyn Fn() -> bool + Send + Sync>>,
}

impl Call {
    /// A call that is of use until `deadline` and is wanted all that time.
    #[must_use]
    pub fn until(deadline: Instant) -> Self {
        Self { deadline, wanted: None }
    }

    /// The same call, wanted only while `wanted` says so.
    ///
    /// A call that nobody waits for any more is not stopped, but it spends nothing new on retries.
    #[must_use]
    pub fn while_wanted(self, wanted: impl Fn() -> bool + Send + Sync + 'static) -> Self {
        Self { wanted: Some(Arc::new(wanted)), ..self }
    }

    /// The instant after which the answer is of no use.
    #[must_use]
    pub fn deadline(&self) -> Instant {
        self.deadline
    }

    /// The time left until the deadline; zero once it has passed.
    #[must_use]
    pub fn remaining(&self) -> Duration {
        self.deadline.saturating_duration_since(Instant::now())
    }

    /// Whether somebody still waits for the answer.
    #[must_use]
    pub fn is_wanted(&self) -> bool {
        self.wanted.as_ref().is_none_or(|wanted| wanted())
    }
}

/// What one request to the API server does: a verb and a resource, both from closed sets, fit for metric labels.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Operation {
    /// The API server's verb: `get`, `list`, `create`…
    pub verb: &'static str,
    /// The resource's plural: `pods`, `deployments`…
    pub resource: &'static str,
}

impl fmt::Debug for Call {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Call").field("remaining", &self.remaining()).field("wanted", &self.is_wanted()).finish()
    }
}
