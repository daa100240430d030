//! `/env-service` and `/env-instance`: the routes that the `aenv` CLI and SDK call, so that they work against the
//! controller alone.

use super::Api;
use super::answer::render;
use super::error::ApiError;
use super::query::{DeleteQuery, NoQuery, PodsQuery, ServicesQuery, in_env, object_name};
use super::write::{done, read, shown};
use super::{pods, services};
use crate::environment::{Faults, ServiceSpec};
use crate::gateway::{CreateRequest, INSTANCE, Kind, SERVICE};
use crate::listing::Shape;
use actix_web::http::StatusCode;
use actix_web::web::{Data, Path, Payload, Query};
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
    let found = pods::find(&api, in_env(query.narrowing()?, &env)?, query.expired()?, asked).await?;
    Ok(render(&request, asked, &found, Shape::GatewayItems))
}

/// The SDK asks here for the instances of all environments, and unlike everywhere else it expects an object.
pub(super) async fn page_instances(
    api: Data<Api>,
    query: Query<PodsQuery>,
    request: HttpRequest,
) -> Result<HttpResponse, ApiError> {
    let asked = api.asked(request.headers());
    let found = pods::find(&api, query.narrowing()?, query.expired()?, asked).await?;
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

pub(super) async fn create_service(
    api: Data<Api>,
    _: Query<NoQuery>,
    request: HttpRequest,
    body: Payload,
) -> Result<HttpResponse, ApiError> {
    let spec = describe(&api, SERVICE, &request, body, ServiceSpec::parse).await?;
    Ok(shown(StatusCode::OK, &services::create(&api, spec, &request).await?, Shape::GatewayDetail))
}

pub(super) async fn update_service(
    api: Data<Api>,
    id: Path<String>,
    _: Query<NoQuery>,
    request: HttpRequest,
    body: Payload,
) -> Result<HttpResponse, ApiError> {
    let changed = services::update(&api, object_name("id", &id)?, &request, body).await?;
    Ok(shown(StatusCode::OK, &changed, Shape::GatewayDetail))
}

pub(super) async fn delete_service(
    api: Data<Api>,
    id: Path<String>,
    query: Query<DeleteQuery>,
    request: HttpRequest,
) -> Result<HttpResponse, ApiError> {
    services::delete(&api, object_name("id", &id)?, query.storage()?, &request).await?;
    Ok(done(DELETED))
}

pub(super) async fn create_instance(
    api: Data<Api>,
    _: Query<NoQuery>,
    request: HttpRequest,
    body: Payload,
) -> Result<HttpResponse, ApiError> {
    let spec = describe(&api, INSTANCE, &request, body, |body| api.instances.parse(body)).await?;
    Ok(shown(StatusCode::OK, &pods::create(&api, spec, &request).await?, Shape::GatewayDetail))
}

pub(super) async fn delete_instance(
    api: Data<Api>,
    id: Path<String>,
    _: Query<NoQuery>,
    request: HttpRequest,
) -> Result<HttpResponse, ApiError> {
    pods::delete(&api, object_name("id", &id)?, &request).await?;
    Ok(done(DELETED))
}

/// What `api-service` says of a deletion.
const DELETED: &str = "Deleted successfully";

/// What is to be created: the environment as EnvHub describes it, with the settings of the request. The request is
/// checked before EnvHub is asked, and again with what EnvHub says.
async fn describe<S>(
    api: &Api,
    kind: Kind,
    request: &HttpRequest,
    body: Payload,
    parse: impl Fn(&[u8]) -> Result<S, Faults>,
) -> Result<S, ApiError> {
    let asked = CreateRequest::parse(kind, &read(api, body).await?).map_err(ApiError::BadRequest)?;
    parse(&asked.alone()).map_err(|faults| ApiError::BadRequest(asked.in_its_words(faults).to_string()))?;
    let envhub = api.envhub.as_ref().ok_or(ApiError::NoEnvHub)?;
    let description = envhub.describe(&asked.name, &asked.version, api.asked(request.headers())).await?;
    parse(&asked.applied_to(description.value.fields.clone())).map_err(|faults| ApiError::Undeployable {
        env: format!("{}@{}", asked.name, asked.version),
        faults: asked.in_its_words(faults),
    })
}
