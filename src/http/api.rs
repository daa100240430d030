//! State of the API: the layers below, and the limits of one request.

use super::allowed_hosts::AllowedHosts;
use super::body::BodyBudget;
use super::limits::Limits;
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
use crate::syntax::Network;
use crate::throttle::{self, Throttle};

/// The tokens of callers. `None`: everybody may ask.
pub(crate) type Guard = Option<Mounted<TokensFile>>;

/// The layers and limits that handlers work with.
pub(crate) struct Api {
    /// Environment services.
    pub services: Services,
    /// Environment instances.
    pub instances: Instances,
    /// EnvHub. `None`: nothing can be created by the name of an environment alone.
    pub envhub: Option<EnvHub>,
    /// Limits on one request.
    pub limits: Live<Limits>,
    /// True if it is on its way out.
    pub readiness: Readiness,
    /// The tokens of callers.
    pub guard: Guard,
    /// The names under which browsers may ask.
    pub allowed_hosts: AllowedHosts,
    /// The places of requests that wait for their answer.
    pub waiting: Waiting,
    /// The memory for request bodies.
    pub bodies: BodyBudget,
    /// The proxies whose `X-Forwarded-For` counts.
    pub trusted_proxies: Vec<Network>,
    /// Metrics of requests.
    pub metrics: Metrics,
    /// Metrics of answers.
    pub answers: memo::Metrics,
    /// Metrics of API calls.
    pub calls: throttle::Metrics,
    /// The throttle of API calls.
    pub throttle: Throttle,
    /// Lifetimes of kept answers.
    pub freshness: Live<memo::Limits>,
    /// This replica.
    pub replica: Replica,
}
