//! `/pods`: environment instances, for `api-service`.

use super::Api;
use super::answer::render;
use super::error::ApiError;
use super::query::{NoQuery, PodsQuery, object_name};
use crate::instances::InstanceRow;
use crate::labels::Narrowing;
use crate::listing::{Listing, Shape};
use crate::memo::{Asked, Found};
use actix_web::web::{Data, Path, Query};
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
