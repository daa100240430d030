//! Call: deadline, lane, caller and interest of one question to the API server.
//!
//! A [`Call`] travels from the handler (or from the fetch that several handlers share) through retry, paging and
//! throttle. Every layer below keeps one rule: never past the deadline.

pub(crate) mod ambient;

use std::fmt;
use std::hash::{BuildHasher, Hash, RandomState};
use std::sync::{Arc, LazyLock, Mutex, PoisonError};
use tokio::time::{Duration, Instant};

/// Lane: the throttle's queue that a call waits in, by its urgency.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Lane {
    /// Everything that one write does: the objects it looks at, makes, changes and removes.
    Write,
    /// Single objects, first pages, and all pages of a list that many callers wait for.
    #[default]
    Read,
    /// Further pages of ordinary lists, and sweeps such as the search for expired instances.
    Bulk,
}

impl Lane {
    /// All lanes, the most urgent first.
    pub const ALL: [Self; 3] = [Self::Write, Self::Read, Self::Bulk];

    /// The lane's name in metrics.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Write => "write",
            Self::Read => "read",
            Self::Bulk => "bulk",
        }
    }
}

/// Identity of a caller, as far as the throttle needs it to be fair: a hash of its token or its address. The default is
/// that of all callers of whom nothing is known.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct CallerKey(u64);

impl CallerKey {
    /// The key of the caller that `identity` tells from others. The same in one process, another one in the next, so that
    /// nobody can choose an identity that falls together with somebody else's.
    pub fn of(identity: impl Hash) -> Self {
        static SEED: LazyLock<RandomState> = LazyLock::new(RandomState::new);
        Self(SEED.hash_one(identity))
    }
}

/// Deadline of a question, the interest in its answer, and its urgency. Cheap to clone.
#[derive(Clone)]
pub struct Call {
    deadline: Instant,
    wanted: Option<Arc<dyn Fn() -> bool + Send + Sync>>,
    lane: Lane,
    caller: CallerKey,
    once: bool,
    all_pages: bool,
    continues: bool,
    regardless: bool,
    answered_as_of: Arc<Mutex<Option<Instant>>>,
}

impl Call {
    /// A read that is of use until `deadline` and is wanted all that time.
    pub fn until(deadline: Instant) -> Self {
        Self {
            deadline,
            wanted: None,
            lane: Lane::default(),
            caller: CallerKey::default(),
            once: false,
            all_pages: false,
            continues: false,
            regardless: false,
            answered_as_of: Arc::default(),
        }
    }

    /// The same call, wanted only while `wanted` says so.
    ///
    /// A request on the wire is not stopped when nobody wants its answer any more, but nothing new is sent: the throttle
    /// drops an attempt at its turn, and a failed one is not made again. `wanted` must be cheap and must not ask the
    /// throttle, which calls it under its lock.
    pub fn while_wanted(self, wanted: impl Fn() -> bool + Send + Sync + 'static) -> Self {
        Self { wanted: Some(Arc::new(wanted)), ..self }
    }

    /// The same call in this lane.
    pub fn in_lane(self, lane: Lane) -> Self {
        Self { lane, ..self }
    }

    /// The same call on behalf of this caller. A fetch that many callers share is on behalf of the one that began it.
    pub fn by(self, caller: CallerKey) -> Self {
        Self { caller, ..self }
    }

    /// The same call, of which no attempt is made again: there is something else to tell its callers if it fails.
    pub fn once(self) -> Self {
        Self { once: true, ..self }
    }

    /// The same call, for a list that many callers wait for: its further pages are reads, too.
    pub fn with_all_pages_in_lane(self) -> Self {
        Self { all_pages: true, ..self }
    }

    /// The call of the further pages of the list that this one began.
    pub fn for_further_pages(&self) -> Self {
        let lane = if self.lane == Lane::Read && !self.all_pages { Lane::Bulk } else { self.lane };
        self.clone().in_lane(lane)
    }

    /// The same call, as a further step of a request that has begun: it goes ahead of new requests in its lane, so that
    /// requests are finished rather than all half done.
    pub fn continuing(self) -> Self {
        Self { continues: true, ..self }
    }

    /// The same call, sent even if nobody waits for it any more.
    pub fn regardless(self) -> Self {
        Self { regardless: true, ..self }
    }

    /// The instant after which the answer is of no use.
    pub fn deadline(&self) -> Instant {
        self.deadline
    }

    /// The time left until the deadline; zero once it has passed.
    pub fn remaining(&self) -> Duration {
        self.deadline.saturating_duration_since(Instant::now())
    }

    /// The lane that it waits in.
    pub fn lane(&self) -> Lane {
        self.lane
    }

    /// The caller whose turn it takes in its lane; `None` if it continues a request.
    pub fn turn_of(&self) -> Option<CallerKey> {
        (!self.continues).then_some(self.caller)
    }

    /// The attempt that was sent at `sent` has been answered with what was asked for, or with a part of it.
    pub fn answered(&self, sent: Instant) {
        let mut as_of = self.answered_as_of.lock().unwrap_or_else(PoisonError::into_inner);
        *as_of = Some(as_of.map_or(sent, |earliest| earliest.min(sent)));
    }

    /// Instant at which the earliest attempt was sent that was answered so: no part of the answer is older, however long
    /// attempts before it have failed or waited for their turn. `None`: there is none.
    pub fn answered_as_of(&self) -> Option<Instant> {
        *self.answered_as_of.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// True if an attempt that failed may be made again.
    pub fn may_be_retried(&self) -> bool {
        !self.once && self.is_wanted()
    }

    /// True if somebody still waits for the answer.
    pub fn is_wanted(&self) -> bool {
        self.wanted.as_ref().is_none_or(|wanted| wanted())
    }

    /// True if an attempt may be sent: somebody waits, or it is made regardless.
    pub fn is_due(&self) -> bool {
        self.regardless || self.is_wanted()
    }
}

/// Failure of a question, as far as the memory of earlier answers depends on it.
pub trait Failure: fmt::Display + Send + Sync + 'static {
    /// True if the API server is overloaded, too slow or out of reach. Such a failure says nothing of the object, nor
    /// of our right to see it, so that an earlier answer may still be true.
    fn is_outage(&self) -> bool;

    /// True if it says that there is no such object.
    fn is_absence(&self) -> bool {
        false
    }
}

/// Verb and resource of one request to the API server, both from closed sets, fit for metric labels.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Operation {
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
            .finish_non_exhaustive()
    }
}
