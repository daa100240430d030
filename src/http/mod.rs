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

use crate::aenv::envhub::EnvHub;
use crate::aenv::instances::Instances;
use crate::aenv::services::Services;
use crate::memo;
use crate::reload::Live;
use crate::throttle::{self, Throttle};
use actix_web::HttpResponse;
use actix_web::web::{self, QueryConfig, ServiceConfig};
use error::ApiError;
use health::Readiness;
use route::{Route, at};
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

/// The routes of the page, besides the one for its table. They are answered at once, also in an incident: they take no
/// place of those who wait, and are logged at debug only.
const OF_THE_PAGE: [&str; 2] = ["/", "/status"];

fn is_of_the_page(pattern: Option<&str>) -> bool {
    pattern.is_some_and(|pattern| OF_THE_PAGE.contains(&pattern))
}

/// The one route table. What each path allows is said in its 405 too (RFC 9110, section 15.5.6), and each is described
/// in [`openapi`].
fn route_table() -> Vec<Route> {
    vec![
        at("/status", "GET").get(status::show_status),
        at("/openapi.json", "GET").get(openapi::get_document),
        at("/services", "GET, POST").get(services::list_services).post(services::create_service),
        at("/services/{name}", "GET, PUT, DELETE")
            .get(services::get_service)
            .put(services::update_service)
            .delete(services::delete_service),
        at("/pods", "GET, POST").get(pods::list_pods).post(pods::create_pod),
        at("/pods/{name}", "GET, DELETE").get(pods::get_pod).delete(pods::delete_pod),
        at("/env-service", "POST").post(gateway::create_service),
        at("/env-service/{env}/list", "GET").get(gateway::list_services),
        at("/env-service/{id}", "GET, PUT, DELETE")
            .get(gateway::get_service)
            .put(gateway::update_service)
            .delete(gateway::delete_service),
        at("/env-instance", "POST").post(gateway::create_instance),
        at("/env-instance/list", "GET").get(gateway::page_instances),
        at("/env-instance/{env}/list", "GET").get(gateway::list_instances),
        at("/env-instance/{id}", "GET, DELETE").get(gateway::get_instance).delete(gateway::delete_instance),
    ]
}

fn routes(config: &mut ServiceConfig) {
    // For people: no part of the API, and not described.
    let page = at("/", "GET, HEAD").get(page::show_page).head(page::show_page);
    for route in route_table().into_iter().chain([page]) {
        config.service(route.into_resource());
    }
    config.default_service(web::to(not_found));
    config.app_data(QueryConfig::default().error_handler(|error, _| ApiError::query(&error).into()));
}

async fn not_found() -> Result<HttpResponse, ApiError> {
    Err(ApiError::NoSuchRoute)
}
