//! Errors of the memo: the fetch failed, or it took too long for the caller.

use crate::call::Failure;
use std::sync::Arc;

/// Why there is no answer. `E` is the error of a fetch.
#[derive(Debug, thiserror::Error)]
pub enum Error<E> {
    /// The fetch failed; all who waited for it are told the same.
    #[error(transparent)]
    Fetch(Arc<E>),
    /// The caller's deadline passed while the fetch went on.
    #[error("no answer from the API server before the request's deadline")]
    Deadline,
    /// Memory has no answer, and the caller may not wait for one.
    #[error("too many requests wait for their answer already (server.max_waiting)")]
    NoPlace,
    /// The fetch ended without an outcome: a bug.
    #[error("internal error: the fetch was lost")]
    Lost,
}

impl<E: Failure> Failure for Error<E> {
    fn is_outage(&self) -> bool {
        match self {
            Self::Fetch(error) => error.is_outage(),
            Self::Deadline | Self::NoPlace => true,
            Self::Lost => false,
        }
    }

    fn is_absence(&self) -> bool {
        matches!(self, Self::Fetch(error) if error.is_absence())
    }
}
