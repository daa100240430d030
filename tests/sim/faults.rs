//! Faults of single calls, and the weather that makes them likely.

use fastrand::Rng;
use tokio::time::Duration;

/// The fate of one call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fault {
    None,
    /// The plain-text 429 of API Priority and Fairness, with this `Retry-After`.
    Overload(u64),
    /// The 429 of a resource whose watch cache is not filled.
    NotReady,
    /// A Status object with this code; nothing has been done.
    Status(u16),
    /// The same; it has been done all the same.
    StatusAfter(u16),
    /// The connection is reset, and nothing has been done.
    Reset,
    /// It is done, and the connection is reset before the answer.
    ResetAfter,
    /// It is done, and the connection is reset within the answer.
    ResetInBody,
    /// It is done, and the answer ends too early.
    Truncated,
    /// Nothing comes, and nothing is done.
    Frozen,
    /// It is done, and nothing comes.
    FrozenAfter,
    /// The answer begins so late. The work is done in between.
    Slow(Duration),
    /// The answer comes in pieces, each so late.
    SlowBody(Duration),
    /// Something else answers.
    Garbage,
}

/// The state of the API server for a while.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Weather {
    /// How many of a hundred calls meet a fault.
    pub(crate) percent: u8,
    /// The one fault of this weather; `None`: any.
    pub(crate) only: Option<Fault>,
    /// The longest time that a call takes by itself, in milliseconds.
    pub(crate) latency: u64,
}

impl Weather {
    /// No faults.
    pub(crate) fn calm() -> Self {
        Self { percent: 0, only: None, latency: 20 }
    }

    /// Any weather.
    pub(crate) fn any(rng: &mut Rng) -> Self {
        let latency = [5, 20, 200, 900][rng.usize(0..4)];
        match rng.u8(0..10) {
            0..3 => Self { latency, ..Self::calm() },
            3..7 => Self { percent: rng.u8(5..40), only: None, latency },
            _ => Self { percent: rng.u8(60..=100), only: Some(any(rng)), latency },
        }
    }

    /// The fate of a call.
    pub(crate) fn fault(self, rng: &mut Rng) -> Fault {
        match rng.u8(0..100) < self.percent {
            true => self.only.unwrap_or_else(|| any(rng)),
            false => Fault::None,
        }
    }
}

fn any(rng: &mut Rng) -> Fault {
    match rng.u8(0..16) {
        0 | 1 => Fault::Overload(rng.u64(1..4)),
        2 => Fault::NotReady,
        3 => Fault::Status([500, 503, 504][rng.usize(0..3)]),
        4 => Fault::StatusAfter([500, 504][rng.usize(0..2)]),
        5 => Fault::Reset,
        6 | 7 => Fault::ResetAfter,
        8 => Fault::ResetInBody,
        9 => Fault::Truncated,
        10 => Fault::Frozen,
        11 => Fault::FrozenAfter,
        12 | 13 => Fault::Slow(Duration::from_millis(rng.u64(100..4_000))),
        14 => Fault::SlowBody(Duration::from_millis(rng.u64(50..1_500))),
        _ => Fault::Garbage,
    }
}
