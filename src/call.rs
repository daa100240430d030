//! What one question to the API server carries on its way down.
//!
//! A [`Call`] travels from the handler (or the fetch that several handlers share) through retry, paging and
//! throttle. It says until when the answer is of use, whether anybody still waits for it, and how urgent it is. Every
//! layer below keeps one rule: never past the deadline.

use std::fmt;
use std::sync::Arc;
use tokio::time::{Duration, Instant};

/// How urgent a call is: which of the throttle's two queues it waits in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Lane {
    /// Somebody looks at a prompt: single objects, writes, the first page of a list.
    #[default]
    Interactive,
    /// Further pages, and sweeps such as the search for expired instances.
    Bulk,
}

impl Lane {
    /// As it stands in metrics.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Interactive => "interactive",
            Self::Bulk => "bulk",
        }
    }
}

/// The deadline of a question, the interest in its answer, and its urgency. Cheap to clone.
#[derive(Clone)]
pub struct Call {
    deadline: Instant,
    wanted: Option<Arc<dyn Fn() -> bool + Send + Sync>>,
    lane: Lane,
    once: bool,
}

impl Call {
    /// A call that is of use until `deadline` and is wanted all that time.
    #[must_use]
    pub fn until(deadline: Instant) -> Self {
        Self { deadline, wanted: None, lane: Lane::default(), once: false }
    }

    /// The same call, wanted only while `wanted` says so.
    ///
    /// A call that nobody waits for any more is not stopped, but it spends nothing new on retries.
    #[must_use]
    pub fn while_wanted(self, wanted: impl Fn() -> bool + Send + Sync + 'static) -> Self {
        Self { wanted: Some(Arc::new(wanted)), ..self }
    }

    /// The same call in this lane.
    #[must_use]
    pub fn in_lane(self, lane: Lane) -> Self {
        Self { lane, ..self }
    }

    /// The same call, of which no attempt is made again: there is something else to tell its callers if it fails.
    #[must_use]
    pub fn once(self) -> Self {
        Self { once: true, ..self }
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

    /// How urgent it is.
    #[must_use]
    pub fn lane(&self) -> Lane {
        self.lane
    }

    /// Whether an attempt that failed may be made again.
    #[must_use]
    pub fn may_be_retried(&self) -> bool {
        !self.once && self.is_wanted()
    }

    /// Whether somebody still waits for the answer.
    #[must_use]
    pub fn is_wanted(&self) -> bool {
        self.wanted.as_ref().is_none_or(|wanted| wanted())
    }
}

/// Why a question was not answered, as far as it says something of what is known already.
pub trait Failure: fmt::Display + Send + Sync + 'static {
    /// Whether it says nothing of what was asked about, nor of our right to see it: the other side is overloaded, too
    /// slow or out of reach, so that what it said before may still be so.
    fn is_outage(&self) -> bool;
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
        f.debug_struct("Call")
            .field("remaining", &self.remaining())
            .field("wanted", &self.is_wanted())
            .field("lane", &self.lane)
            .field("once", &self.once)
            .finish()
    }
}
