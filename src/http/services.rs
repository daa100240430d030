//! `/services`: environment services, for `api-service`.

use super::Api;
use super::answer::render;
use super::error::ApiError;
use super::query::{NoQuery, ServicesQuery, object_name};
use crate::listing::Shape;
use actix_web::web::{Data, Path, Query};
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
