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
pub mod error;
mod failure;
pub mod inspect;
pub mod locate;
mod marks;
mod metrics;
mod plan;
mod read;
mod resource;
pub mod retry;
pub mod slim;
mod timeout;
mod transport;
mod version;
mod write;
mod writer;

pub use client::{Cluster, Paging, Settings};
pub use creation::{Creation, Earlier, Intent};
pub use encoding::Encoding;
pub use error::{Error, Failed, Why};
pub use marks::{Fingerprint, REQUEST_ID, Stored};
pub use metrics::Metrics;
pub use plan::ListPlan;
pub use read::Listed;
pub use resource::Resource;
pub use version::ObjectVersion;
pub use writer::Writer;
