//! The Kubernetes API server, as the rest of the controller sees it: lists, objects and typed errors.
//!
//! The only module that names kube. One [`Cluster`] per process holds the one limited client; every request it
//! makes is one attempt that passes the throttle, and is tried again, if at all, above it ([`retry`]). Lists come
//! page by page (`read`) and are decoded into the few fields that are of use ([`slim`]). Objects that belong together
//! are made together or not at all ([`Creation`]). The rule it keeps: an answer is complete or an error.

mod budget;
mod client;
mod creation;
mod encoding;
pub(crate) mod error;
mod failure;
pub(crate) mod inspect;
pub(crate) mod locate;
mod marks;
mod metrics;
mod plan;
mod read;
mod resource;
pub(crate) mod retry;
mod size;
pub mod slim;
#[cfg(test)]
#[cfg(feature = "sandbox")]
mod tests;
mod timeout;
mod transport;
mod version;
mod wire;
mod write;
mod writer;

pub(crate) use client::{Cluster, Paging, Settings};
pub(crate) use creation::{Creation, Earlier, Intent};
pub(crate) use encoding::Encoding;
pub(crate) use error::Why;
pub use error::{Error, Failed};
pub(crate) use marks::{Fingerprint, REQUEST_ID};
pub(crate) use metrics::{Metrics, PRIORITY_LEVEL_HEADER};
pub(crate) use plan::ListPlan;
pub(crate) use resource::Resource;
pub(crate) use size::ListSize;
pub(crate) use version::ObjectVersion;
pub(crate) use wire::Timeouts;
pub use wire::{Body, Wire};
pub(crate) use write::Deleted;
pub(crate) use writer::Writer;
