//! Memo: answers kept for seconds, shared by all who ask.
//!
//! A question is answered from memory while the answer is fresh, else by one fetch that all equal questions share
//! (`flight`). A wider fresh answer serves a narrower question. Errors are never kept. A write is laid over the lists that
//! are kept or under way (`writes`), so that whoever asks after it sees it, and other names go on being answered from
//! memory. All of it is an optimisation: a replica without its memory answers the same.
//!
//! A list is read again before it expires, for a caller who asks in the last of its freshness (refresh-ahead), so that in a
//! crowd nobody waits for it, nor for its text, which is made and compressed before it takes the other's place. Without a
//! caller nothing is read.
//!
//! An answer that is not fresh any more stands in for one that cannot be had (stale-if-error, RFC 5861, section 4): when
//! the fetch fails for a reason that says nothing of the object, when it takes too long, or when it would only wait for an
//! API server that has asked to be left alone. It is then marked as old. While one is at hand, a fetch makes one attempt.
//!
//! [`Memo`] is generic over question and answer; [`Reader`] reads the objects of one resource through it, and gathers
//! reads of many single objects into one list.

mod absences;
mod answer;
mod error;
mod flight;
mod guard;
mod kept;
mod key;
mod limits;
mod memorable;
mod memory;
mod metrics;
mod read;
mod reader;
#[cfg(test)]
mod tests;
mod way;
mod writes;

pub(crate) use answer::{Answer, Found, Source};
pub(crate) use error::Error;
pub(crate) use key::Key;
pub use limits::Limits;
pub(crate) use memorable::Memorable;
pub use memory::Memo;
pub use metrics::Metrics;
pub use read::ReadOptions;
pub(crate) use reader::Writing;
pub use reader::{Listed, Origin, Reader, Size};
pub(crate) use way::LookAtWay;
pub use way::Way;
