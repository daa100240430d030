//! Probes and metrics: `/readyz` and `/livez` on one listener, `/metrics` on another.
//!
//! Both are plain HTTP and, but for `auth.metrics`, open to everybody; to web pages of other sites the probes say nothing
//! worth knowing, and the metrics are denied. Neither asks the API server anything: an overload of it must not take every
//! replica out of service.

use super::allowed_hosts::AllowedHosts;
use super::api::Guard;
use super::auth::caller;
use super::error::ApiError;
use super::readiness::Readiness;
use super::workers::Workers;
use crate::credentials::Scope;
use crate::telemetry::metrics::{self, Registry};
use actix_web::http::header::CONTENT_TYPE;
use actix_web::web::{Data, ServiceConfig, get, resource};
use actix_web::{HttpRequest, HttpResponse};

/// `/readyz` and `/livez`.
pub(super) fn health_routes(config: &mut ServiceConfig, readiness: Readiness, workers: Workers) {
    config
        .app_data(Data::new(readiness))
        .app_data(Data::new(workers))
        .service(resource("/readyz").route(get().to(readyz)))
        .service(resource("/livez").route(get().to(livez)));
}

/// `/metrics`, for those whom `guard` lets read, and for browsers under the names `hosts` only.
pub(super) fn metrics_routes(config: &mut ServiceConfig, metrics: Registry, guard: Guard, hosts: AllowedHosts) {
    config
        .app_data(Data::new(metrics))
        .app_data(Data::new(guard))
        .app_data(Data::new(hosts))
        .service(resource("/metrics").route(get().to(render_metrics)));
}

/// Says no when a worker of the API is stuck, so that the process is restarted.
async fn livez(workers: Data<Workers>) -> HttpResponse {
    match workers.silence() {
        None => HttpResponse::Ok().body("ok\n"),
        Some(silence) => {
            let why = format!("a worker of the API has not run for {}s\n", silence.as_secs());
            HttpResponse::ServiceUnavailable().body(why)
        }
    }
}

async fn readyz(readiness: Data<Readiness>) -> HttpResponse {
    if readiness.is_ready() {
        HttpResponse::Ok().body("ok\n")
    } else {
        HttpResponse::ServiceUnavailable().body("draining\n")
    }
}

async fn render_metrics(
    request: HttpRequest,
    metrics: Data<Registry>,
    guard: Data<Guard>,
    hosts: Data<AllowedHosts>,
) -> Result<HttpResponse, ApiError> {
    hosts.check(request.method(), request.uri(), request.headers())?;
    if let Some(tokens) = guard.as_ref() {
        caller(&*tokens.current().await, request.headers(), Scope::Read)?;
    }
    Ok(HttpResponse::Ok().insert_header((CONTENT_TYPE, metrics::CONTENT_TYPE)).body(metrics.render()))
}
