//! `/env-service` and `/env-instance`: the routes that the `aenv` CLI and SDK call, so that they work against the
//! controller alone.

use super::ask::{Answer, Ask};
use super::error::ApiError;
use super::query::{DeleteQuery, NoQuery, PodsQuery, Query, ServicesQuery, in_env, object_name};
use super::wait::WaitQuery;
use super::write::{done, shown};
use super::{pods, services};
use crate::aenv::environment::{CreateRequest, Rejected, Source};
use crate::aenv::rows::{ListShape, OneShape};
use crate::aenv::warnings::Warnings;
use actix_web::http::StatusCode;
use actix_web::web::{Path, Payload};

/// The words of `api-service` for a deletion.
pub(super) const DELETED: &str = "Deleted successfully";

pub(super) async fn list_services(ask: Ask, env: Path<String>, query: Query<ServicesQuery>) -> Answer {
    services::show_list(&ask, in_env(query.filter()?, &env)?, query.status()?, ListShape::Gateway).await
}

pub(super) async fn get_service(ask: Ask, id: Path<String>, query: Query<WaitQuery>) -> Answer {
    services::show(ask, object_name("id", &id)?, &query, OneShape::Gateway).await
}

pub(super) async fn list_instances(ask: Ask, env: Path<String>, query: Query<PodsQuery>) -> Answer {
    pods::show_list(&ask, in_env(query.filter()?, &env)?, query.expired(&ask), ListShape::Gateway).await
}

/// The SDK asks here for the instances of all environments, and unlike everywhere else it expects an object.
pub(super) async fn page_instances(ask: Ask, query: Query<PodsQuery>) -> Answer {
    pods::show_list(&ask, query.filter()?, query.expired(&ask), ListShape::GatewayPage).await
}

pub(super) async fn get_instance(ask: Ask, id: Path<String>, query: Query<WaitQuery>) -> Answer {
    pods::show(ask, object_name("id", &id)?, &query, OneShape::Gateway).await
}

pub(super) async fn create_service(ask: Ask, query: Query<WaitQuery>, body: Payload) -> Answer {
    let spec = describe(&ask, body, async |source: Source<'_>| ask.api.services.parse(source).await).await?;
    services::make(ask, spec, &query, StatusCode::OK, OneShape::Gateway).await
}

pub(super) async fn update_service(ask: Ask, id: Path<String>, _: Query<NoQuery>, body: Payload) -> Answer {
    Ok(shown(StatusCode::OK, &services::update(&ask, object_name("id", &id)?, body).await?, OneShape::Gateway))
}

pub(super) async fn delete_service(ask: Ask, id: Path<String>, query: Query<DeleteQuery>) -> Answer {
    services::delete(&ask, object_name("id", &id)?, query.storage()?).await?;
    done(DELETED)
}

pub(super) async fn create_instance(ask: Ask, query: Query<WaitQuery>, body: Payload) -> Answer {
    let spec = describe(&ask, body, async |source: Source<'_>| ask.api.instances.parse(source).await).await?;
    pods::make(ask, spec, &query, StatusCode::OK, OneShape::Gateway).await
}

pub(super) async fn delete_instance(ask: Ask, id: Path<String>, _: Query<NoQuery>) -> Answer {
    pods::delete(&ask, object_name("id", &id)?).await?;
    done(DELETED)
}

/// Reads a create by the name of an environment. The request is checked before EnvHub is asked, and once more with
/// EnvHub's description.
async fn describe<S>(
    ask: &Ask,
    body: Payload,
    parse: impl AsyncFn(Source<'_>) -> Result<(S, Warnings), Rejected>,
) -> Result<S, ApiError> {
    let request = CreateRequest::parse(&ask.read(body).await?)?;
    parse(Source::request(&request)).await?;
    let envhub = ask.api.envhub.as_ref().ok_or(ApiError::NoEnvHub)?;
    let description = envhub.describe(&request.name, &request.version, ask.options).await?;
    let read = parse(Source::described(&request, &description.value.fields)).await;
    let (spec, warnings) = read.map_err(|rejected| match rejected {
        Rejected::Body(faults) => {
            let env = format!("{}@{}", request.name, request.version);
            ApiError::Undeployable { env, faults }
        }
        broken @ Rejected::Template { .. } => broken.into(),
    })?;
    ask.warn(warnings);
    Ok(spec)
}
