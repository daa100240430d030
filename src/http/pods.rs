//! `/pods`: environment instances, for `api-service`.

use super::Api;
use super::answer::render;
use super::error::ApiError;
use super::query::{NoQuery, PodsQuery, object_name};
use super::write::{Write, done, read, shown};
use crate::environment::InstanceSpec;
use crate::instances::InstanceRow;
use crate::labels::{Narrowing, ObjectName};
use crate::listing::{Listing, Shape};
use crate::memo::{Asked, Found};
use actix_web::http::StatusCode;
use actix_web::web::{Data, Path, Payload, Query};
use actix_web::{HttpRequest, HttpResponse};

pub(super) async fn list_pods(
    api: Data<Api>,
    query: Query<PodsQuery>,
    request: HttpRequest,
) -> Result<HttpResponse, ApiError> {
    let asked = api.asked(request.headers());
    let found = find(&api, query.narrowing()?, query.expired()?, asked).await?;
    Ok(render(&request, asked, &found, Shape::Items))
}

pub(super) async fn get_pod(
    api: Data<Api>,
    name: Path<String>,
    _: Query<NoQuery>,
    request: HttpRequest,
) -> Result<HttpResponse, ApiError> {
    let asked = api.asked(request.headers());
    let found = api.instances.get_instance(object_name("name", &name)?, asked).await?;
    Ok(render(&request, asked, &found, Shape::Detail))
}

/// All instances that the narrowing asks for, or only those of them that have expired.
pub(super) async fn find(
    api: &Api,
    narrowing: Narrowing,
    expired: bool,
    asked: Asked,
) -> Result<Found<Listing<InstanceRow>>, ApiError> {
    Ok(if expired {
        api.instances.list_expired_instances(narrowing, asked).await?
    } else {
        api.instances.list_instances(narrowing, asked).await?
    })
}

pub(super) async fn create_pod(
    api: Data<Api>,
    _: Query<NoQuery>,
    request: HttpRequest,
    body: Payload,
) -> Result<HttpResponse, ApiError> {
    let spec = api.instances.parse(&read(&api, body).await?)?;
    let made = create(&api, spec, &request).await?;
    Ok(shown(StatusCode::CREATED, &made, Shape::Detail))
}

pub(super) async fn delete_pod(
    api: Data<Api>,
    name: Path<String>,
    _: Query<NoQuery>,
    request: HttpRequest,
) -> Result<HttpResponse, ApiError> {
    delete(&api, object_name("name", &name)?, &request).await?;
    Ok(done(true))
}

pub(super) async fn create(
    api: &Api,
    spec: InstanceSpec,
    request: &HttpRequest,
) -> Result<Listing<InstanceRow>, ApiError> {
    let write = Write::begin(request, "create", "instance", spec.owner.as_ref().map(ToString::to_string));
    let made = api.instances.create_instance(spec, api.deadline()).await.map_err(ApiError::Write);
    write.end(made.as_ref().ok().and_then(Listing::first_name), &made);
    made
}

pub(super) async fn delete(api: &Api, name: ObjectName, request: &HttpRequest) -> Result<(), ApiError> {
    let write = Write::begin(request, "delete", "instance", None);
    let deleted = api.instances.delete_instance(name.clone(), api.deadline()).await.map_err(ApiError::Write);
    write.end(Some(name.as_str()), &deleted);
    deleted
}
