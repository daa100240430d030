//! `/env-service` and `/env-instance`: the routes that the `aenv` CLI and SDK call, so that they work against the
//! controller alone.

use super::Api;
use super::answer::render;
use super::error::ApiError;
use super::pods::find;
use super::query::{NoQuery, PodsQuery, ServicesQuery, in_env, object_name};
use crate::listing::Shape;
use actix_web::web::{Data, Path, Query};
use actix_web::{HttpRequest, HttpResponse};

pub(super) async fn list_services(
    api: Data<Api>,
    env: Path<String>,
    query: Query<ServicesQuery>,
    request: HttpRequest,
) -> Result<HttpResponse, ApiError> {
    let asked = api.asked(request.headers());
    let narrowing = in_env(query.narrowing()?, &env)?;
    let found = api.services.list_services(narrowing, query.status()?, asked).await?;
    Ok(render(&request, asked, &found, Shape::GatewayItems))
}

pub(super) async fn get_service(
    api: Data<Api>,
    id: Path<String>,
    _: Query<NoQuery>,
    request: HttpRequest,
) -> Result<HttpResponse, ApiError> {
    let asked = api.asked(request.headers());
    let found = api.services.get_service(object_name("id", &id)?, asked).await?;
    Ok(render(&request, asked, &found, Shape::GatewayDetail))
}

pub(super) async fn list_instances(
    api: Data<Api>,
    env: Path<String>,
    query: Query<PodsQuery>,
    request: HttpRequest,
) -> Result<HttpResponse, ApiError> {
    let asked = api.asked(request.headers());
    let found = find(&api, in_env(query.narrowing()?, &env)?, query.expired()?, asked).await?;
    Ok(render(&request, asked, &found, Shape::GatewayItems))
}

/// The SDK asks here for the instances of all environments, and unlike everywhere else it expects an object.
pub(super) async fn page_instances(
    api: Data<Api>,
    query: Query<PodsQuery>,
    request: HttpRequest,
) -> Result<HttpResponse, ApiError> {
    let asked = api.asked(request.headers());
    let found = find(&api, query.narrowing()?, query.expired()?, asked).await?;
    Ok(render(&request, asked, &found, Shape::GatewayPage))
}

pub(super) async fn get_instance(
    api: Data<Api>,
    id: Path<String>,
    _: Query<NoQuery>,
    request: HttpRequest,
) -> Result<HttpResponse, ApiError> {
    let asked = api.asked(request.headers());
    let found = api.instances.get_instance(object_name("id", &id)?, asked).await?;
    Ok(render(&request, asked, &found, Shape::GatewayDetail))
}
