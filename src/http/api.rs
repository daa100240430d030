//! State of the API: the layers below, and the limits of one request.

use super::allowed_hosts::AllowedHosts;
use super::metrics::Metrics;
use super::readiness::Readiness;
use super::replica::Replica;
use super::waiting::Waiting;
use crate::aenv::envhub::EnvHub;
use crate::aenv::instances::Instances;
use crate::aenv::services::Services;
use crate::credentials::{Mounted, TokensFile};
use crate::memo;
use crate::reload::Live;
use crate::throttle::{self, Throttle};
use tokio::time::Duration;

/// The tokens of callers. `None`: everybody may ask.
pub type Guard = Option<Mounted<TokensFile>>;

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

/// The layers and limits that handlers work with.
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
    /// The tokens of callers.
    pub guard: Guard,
    /// The names under which browsers may ask.
    pub allowed_hosts: AllowedHosts,
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
