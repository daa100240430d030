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
pub struct Api {
    /// Environment services.
    pub(crate) services: Services,
    /// Environment instances.
    pub(crate) instances: Instances,
    /// EnvHub. `None`: nothing can be created by the name of an environment alone.
    pub(crate) envhub: Option<EnvHub>,
    /// Limits on one request.
    pub(crate) limits: Live<Limits>,
    /// True if it is on its way out.
    pub(crate) readiness: Readiness,
    /// The tokens of callers.
    pub(crate) guard: Guard,
    /// The names under which browsers may ask.
    pub(crate) allowed_hosts: AllowedHosts,
    /// The places of requests that wait for their answer.
    pub(crate) waiting: Waiting,
    /// The memory for request bodies.
    pub(crate) bodies: BodyBudget,
    /// The proxies whose `X-Forwarded-For` counts.
    pub(crate) trusted_proxies: Vec<Network>,
    /// Metrics of requests.
    pub(crate) metrics: Metrics,
    /// Metrics of answers.
    pub(crate) answers: memo::Metrics,
    /// Metrics of API calls.
    pub(crate) calls: throttle::Metrics,
    /// The throttle of API calls.
    pub(crate) throttle: Throttle,
    /// Lifetimes of kept answers.
    pub(crate) freshness: Live<memo::Limits>,
    /// This replica.
    pub(crate) replica: Replica,
}
