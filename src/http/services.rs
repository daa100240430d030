//! `/services`: environment services, for `api-service`.

use super::Api;
use super::answer::render;
use super::error::ApiError;
use super::query::{DeleteQuery, NoQuery, ServicesQuery, object_name};
use super::write::{Write, done, read, shown};
use crate::environment::{ServiceChange, ServiceSpec};
use crate::labels::ObjectName;
use crate::listing::{Listing, Shape};
use crate::services::ServiceRow;
use actix_web::http::StatusCode;
use actix_web::web::{Data, Path, Payload, Query};
use actix_web::{HttpRequest, HttpResponse};

pub(super) async fn list_services(
    api: Data<Api>,
    query: Query<ServicesQuery>,
    request: HttpRequest,
) -> Result<HttpResponse, ApiError> {
    let asked = api.asked(request.headers());
    let found = api.services.list_services(query.narrowing()?, query.status()?, asked).await?;
    Ok(render(&request, asked, &found, Shape::Items))
}

pub(super) async fn get_service(
    api: Data<Api>,
    name: Path<String>,
    _: Query<NoQuery>,
    request: HttpRequest,
) -> Result<HttpResponse, ApiError> {
    let asked = api.asked(request.headers());
    let found = api.services.get_service(object_name("name", &name)?, asked).await?;
    Ok(render(&request, asked, &found, Shape::Detail))
}

pub(super) async fn create_service(
    api: Data<Api>,
    _: Query<NoQuery>,
    request: HttpRequest,
    body: Payload,
) -> Result<HttpResponse, ApiError> {
    let spec = ServiceSpec::parse(&read(&api, body).await?)?;
    let made = create(&api, spec, &request).await?;
    Ok(shown(StatusCode::CREATED, &made, Shape::Detail))
}

pub(super) async fn update_service(
    api: Data<Api>,
    name: Path<String>,
    _: Query<NoQuery>,
    request: HttpRequest,
    body: Payload,
) -> Result<HttpResponse, ApiError> {
    let changed = update(&api, object_name("name", &name)?, &request, body).await?;
    Ok(shown(StatusCode::OK, &changed, Shape::Detail))
}

pub(super) async fn delete_service(
    api: Data<Api>,
    name: Path<String>,
    query: Query<DeleteQuery>,
    request: HttpRequest,
) -> Result<HttpResponse, ApiError> {
    delete(&api, object_name("name", &name)?, query.storage()?, &request).await?;
    Ok(done(true))
}

pub(super) async fn create(
    api: &Api,
    spec: ServiceSpec,
    request: &HttpRequest,
) -> Result<Listing<ServiceRow>, ApiError> {
    let write = Write::begin(request, "create", "service", spec.owner.as_ref().map(ToString::to_string));
    let made = api.services.create_service(spec, api.deadline()).await.map_err(ApiError::Write);
    write.end(made.as_ref().ok().and_then(Listing::first_name), &made);
    made
}

pub(super) async fn update(
    api: &Api,
    name: ObjectName,
    request: &HttpRequest,
    body: Payload,
) -> Result<Listing<ServiceRow>, ApiError> {
    let change = ServiceChange::parse(&read(api, body).await?)?;
    let write = Write::begin(request, "update", "service", None);
    let changed = api.services.update_service(name.clone(), change, api.deadline()).await.map_err(ApiError::Write);
    write.end(Some(name.as_str()), &changed);
    changed
}

pub(super) async fn delete(api: &Api, name: ObjectName, storage: bool, request: &HttpRequest) -> Result<(), ApiError> {
    let write = Write::begin(request, "delete", "service", None);
    let deleted = api.services.delete_service(name.clone(), storage, api.deadline()).await.map_err(ApiError::Write);
    write.end(Some(name.as_str()), &deleted);
    deleted
}
