//! The AEnvironment controller: a stateless API service that turns HTTP requests into Kubernetes objects.
//!
//! An *environment service* is a Deployment with a Service (and a PersistentVolumeClaim, if it has storage); an
//! *environment instance* is a Pod. Nothing is mirrored and nothing is watched: a request is answered by paginated,
//! selector-narrowed calls through one limited client, and the answer is remembered for seconds.
//!
//! ```text
//! http  ->  aenv                    ->  memo  ->  cluster  ->  throttle  ->  API server
//! (actix)   (services, instances)       (moka)    (kube)       (tokens)
//! ```
//!
//! Imports point that way only; a test parses the code and fails on an import that points back.
//!
//! | room | its job |
//! | --- | --- |
//! | `app` | composition root: builds each layer from the settings, serves, drains, reloads |
//! | `config` | settings and command line: one table of keys, read from file, environment and flags |
//! | `http` | HTTP API: route table, request checks, status codes, the page; the only room (besides the sandbox) that names actix |
//! | `aenv` | AEnvironment's terms: services, instances, environments, gateway requests, templates, EnvHub, rows |
//! | `memo` | short-lived memory of answers and single flight; the only room that names moka |
//! | `cluster` | API server client: lists, objects, writes, retries, decoding; the only room that names kube |
//! | `throttle` | token bucket, adaptive rate, gate and lanes, driven by a clock that is passed in |
//! | `syntax` | text formats of Kubernetes and Go: names, label values, list filters, quantities, durations |
//! | `telemetry` | metrics, log lines, request context |
//! | `reload` | live settings and file watches; the only room that names notify |
//! | `credentials` | bearer tokens and TLS certificates of the listener |
//! | `doctor` | diagnosis of cluster, rights and settings |
//! | `sandbox` | in-memory API server on loopback |
//! | `call` | deadline, lane and interest of one question, time of day and chance: what reaches all layers |
//!
//! A replica that nobody asks anything makes no API call, and any replica can be killed at any time.
//!
//! The library exists for the binary, the tests and the benchmarks: what none of them needs is private.

mod aenv;
pub mod app;
mod call;
mod cluster;
pub mod config;
mod credentials;
mod doctor;
mod http;
mod memo;
mod reload;
#[cfg(feature = "sandbox")]
pub mod sandbox;
mod syntax;
pub mod telemetry;
mod throttle;

/// Parts of a read, for `benches/reads.rs`.
#[doc(hidden)]
pub mod bench {
    pub use crate::aenv::instances::InstanceRow;
    pub use crate::aenv::rows::{Interner, ListShape, Listing, Rows};
    pub use crate::call::{Call, CallerKey};
    pub use crate::cluster::{Error, Failed, slim};
    pub use crate::memo::{Limits, Listed, Memo, Metrics, Origin, ReadOptions, Reader, Size, Way};
    pub use crate::reload::Live;
    pub use crate::syntax::{ListFilter, ObjectName};
    pub use crate::telemetry::metrics::Registry;
}

/// A controller without sockets, for `tests/sim`.
#[doc(hidden)]
pub mod simulation {
    pub use crate::app::assembly::Assembly;
    pub use crate::call::ambient::simulate;
    pub use crate::cluster::{Body, Wire};
    pub use crate::http::server::app;
}
