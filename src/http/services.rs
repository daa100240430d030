//! `/services`: environment services, for `api-service`.

use super::again::Shown;
use super::ask::{Answer, Ask};
use super::error::ApiError;
use super::query::{DeleteQuery, NoQuery, Query, ServicesQuery, object_name};
use super::wait::{Wait, WaitQuery};
use super::write::{Write, created, done, idempotency_key, shown};
use crate::aenv::environment::{Document, ServiceChange, ServiceName, ServiceSpec, Source};
use crate::aenv::once_only::Created;
use crate::aenv::rows::{ListShape, One, OneShape};
use crate::aenv::services::{ServiceRow, Status};
use crate::syntax::{ListFilter, ObjectName};
use actix_web::http::StatusCode;
use actix_web::web::{Path, Payload};

pub(super) async fn list_services(ask: Ask, query: Query<ServicesQuery>) -> Answer {
    show_list(&ask, query.filter()?, query.status()?, ListShape::Items).await
}

/// Shows the services that `filter` asks for, with this status if one is given.
pub(super) async fn show_list(ask: &Ask, filter: ListFilter, status: Option<Status>, shape: ListShape) -> Answer {
    let found = ask.api.services.list_services(filter.clone(), status, ask.options).await?;
    let answer = ask.show_list(&found, shape).await;
    ask.answer_again(move |api, options| {
        Shown::list(&api.services.list_at_hand(&filter, status, options)?, options, shape)
    });
    answer
}

pub(super) async fn get_service(ask: Ask, name: Path<String>, query: Query<WaitQuery>) -> Answer {
    show(ask, object_name("name", &name)?, &query, OneShape::Detail).await
}

/// Shows one service, now or when it is in the state that is waited for.
pub(super) async fn show(mut ask: Ask, name: ObjectName, query: &WaitQuery, shape: OneShape) -> Answer {
    let read = async |ask: &Ask, options| Ok(ask.api.services.get_service(name.clone(), options).await?);
    match Wait::for_service(&ask, query)? {
        None => {
            let answer = ask.show_one(&read(&ask, ask.options).await?, shape).await;
            ask.answer_again(move |api, options| {
                Some(Shown::one(&api.services.get_at_hand(&name, options)?, options, shape))
            });
            answer
        }
        Some(wait) => {
            let found = wait.service(&mut ask, read).await?;
            wait.applied(ask.show_one(&found, shape).await)
        }
    }
}

pub(super) async fn create_service(ask: Ask, query: Query<WaitQuery>, body: Payload) -> Answer {
    let body = Document::parse(&ask.read(body).await?)?;
    let (spec, warnings) = ask.api.services.parse(Source::body(&body)).await?;
    ask.warn(warnings);
    make(ask, spec, &query, StatusCode::CREATED, OneShape::Detail).await
}

pub(super) async fn update_service(ask: Ask, name: Path<String>, _: Query<NoQuery>, body: Payload) -> Answer {
    Ok(shown(StatusCode::OK, &update(&ask, object_name("name", &name)?, body).await?, OneShape::Detail))
}

pub(super) async fn delete_service(ask: Ask, name: Path<String>, query: Query<DeleteQuery>) -> Answer {
    delete(&ask, object_name("name", &name)?, query.storage()?).await?;
    done(true)
}

/// Creates and shows, now or when the state is reached that is waited for.
pub(super) async fn make(
    mut ask: Ask,
    spec: ServiceSpec,
    query: &WaitQuery,
    status: StatusCode,
    shape: OneShape,
) -> Answer {
    let wait = Wait::for_service(&ask, query)?;
    let mut made = Box::pin(create(&ask, spec)).await?;
    let Some(wait) = wait else { return Ok(created(status, &made, shape)) };
    let name = object_name("name", made.object.name())?;
    let read = async |ask: &Ask, options| Ok(ask.api.services.get_service(name.clone(), options).await?);
    // It was made, whatever becomes of it while it is watched.
    if let Ok(found) = wait.service(&mut ask, read).await {
        made.object = found.answer.value.clone();
    }
    wait.applied(Ok(created(status, &made, shape)))
}

async fn create(ask: &Ask, spec: ServiceSpec) -> Result<Created<One<ServiceRow>>, ApiError> {
    let key = idempotency_key(ask)?;
    let given = match &spec.name {
        ServiceName::Given(name) => Some(name.clone()),
        ServiceName::Generated(_) => None,
    };
    let mut write = Write::begin(ask, "create", "service", given, spec.owner.clone());
    let made = ask.api.services.create_service(spec, key, ask.write()).await;
    write.name(made.as_ref().ok().map(|made| made.object.name()));
    write.end(made)
}

pub(super) async fn update(ask: &Ask, name: ObjectName, body: Payload) -> Result<One<ServiceRow>, ApiError> {
    let (change, warnings) = ServiceChange::parse(&ask.read(body).await?)?;
    ask.warn(warnings);
    let write = Write::begin(ask, "update", "service", Some(name.clone()), None);
    write.end(ask.api.services.update_service(name, change, ask.write()).await)
}

pub(super) async fn delete(ask: &Ask, name: ObjectName, storage: bool) -> Result<(), ApiError> {
    let write = Write::begin(ask, "delete", "service", Some(name.clone()), None);
    write.end(ask.api.services.delete_service(name, storage, ask.write()).await)
}
