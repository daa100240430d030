//! The HTTP API: routes, what a request may say, and what an answer looks like.
//!
//! The only module, besides the sandbox, that names actix. Handlers check what they are given, ask `services` or
//! `instances`, and render; they decide nothing else. Status codes are known to [`error`] alone.

mod access;
mod answer;
mod ask;
mod auth;
pub mod error;
mod gateway;
pub mod health;
mod identify;
mod metrics;
mod openapi;
mod pace;
mod page;
mod pods;
mod query;
mod retire;
mod route;
mod routes;
pub mod server;
mod services;
pub mod status;
mod tls;
pub mod waiting;
mod warning;
mod write;

pub use auth::{Guard, Refusal};
pub use metrics::Metrics;

use access::log_and_count;
use identify::identify;
use routes::{is_immediate, routes};

use crate::aenv::envhub::EnvHub;
use crate::aenv::instances::Instances;
use crate::aenv::services::Services;
use crate::memo;
use crate::reload::Live;
use crate::throttle::{self, Throttle};
use health::Readiness;
use status::Replica;
use tokio::time::Duration;
use waiting::Waiting;

/// What one request may cost.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// How long a caller waits for its answer.
    pub request_deadline: Duration,
    /// The largest request body in bytes.
    pub max_body_bytes: usize,
    /// How long a request body may take to arrive.
    pub body_timeout: Duration,
}

/// What handlers work with.
pub struct Api {
    /// Environment services.
    pub services: Services,
    /// Environment instances.
    pub instances: Instances,
    /// Where environments are described. `None`: nothing can be created by the name of an environment alone.
    pub envhub: Option<EnvHub>,
    /// What one request may cost.
    pub limits: Live<Limits>,
    /// Whether it is on its way out.
    pub readiness: Readiness,
    /// Who may ask.
    pub guard: Guard,
    /// Who may wait for an answer.
    pub waiting: Waiting,
    /// Where requests are counted.
    pub metrics: Metrics,
    /// Where answers are counted.
    pub answers: memo::Metrics,
    /// Where API calls are counted.
    pub calls: throttle::Metrics,
    /// What holds calls up.
    pub throttle: Throttle,
    /// How long answers about objects are kept.
    pub freshness: Live<memo::Limits>,
    /// Who answers.
    pub replica: Replica,
}
