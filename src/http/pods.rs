//! `/pods`: environment instances, for `api-service`.

use super::again::Shown;
use super::ask::{Answer, Ask};
use super::error::ApiError;
use super::query::{NoQuery, PodsQuery, Query, object_name};
use super::wait::{Wait, WaitQuery};
use super::write::{Write, created, done, idempotency_key};
use crate::aenv::environment::{Document, InstanceSpec, Source};
use crate::aenv::instances::InstanceRow;
use crate::aenv::once_only::Created;
use crate::aenv::rows::{ListShape, One, OneShape};
use crate::syntax::{ListFilter, ObjectName};
use actix_web::http::StatusCode;
use actix_web::web::{Path, Payload};

pub(super) async fn list_pods(ask: Ask, query: Query<PodsQuery>) -> Answer {
    show_list(&ask, query.filter()?, query.expired(&ask), ListShape::Items).await
}

/// Shows the instances that `filter` asks for, or only those of them that have expired.
pub(super) async fn show_list(ask: &Ask, filter: ListFilter, expired: bool, shape: ListShape) -> Answer {
    let instances = &ask.api.instances;
    if expired {
        return ask.show_list(&instances.list_expired_instances(filter, ask.options).await?, shape).await;
    }
    let answer = ask.show_list(&instances.list_instances(filter.clone(), ask.options).await?, shape).await;
    ask.answer_again(move |api, options| Shown::list(&api.instances.list_at_hand(&filter, options)?, options, shape));
    answer
}

pub(super) async fn get_pod(ask: Ask, name: Path<String>, query: Query<WaitQuery>) -> Answer {
    show(ask, object_name("name", &name)?, &query, OneShape::Detail).await
}

/// Shows one instance, now or when it is in the state that is waited for.
pub(super) async fn show(mut ask: Ask, name: ObjectName, query: &WaitQuery, shape: OneShape) -> Answer {
    let read = async |ask: &Ask, options| Ok(ask.api.instances.get_instance(name.clone(), options).await?);
    match Wait::for_instance(&ask, query)? {
        None => {
            let answer = ask.show_one(&read(&ask, ask.options).await?, shape).await;
            ask.answer_again(move |api, options| {
                Some(Shown::one(&api.instances.get_at_hand(&name, options)?, options, shape))
            });
            answer
        }
        Some(wait) => {
            let found = wait.instance(&mut ask, read).await?;
            wait.applied(ask.show_one(&found, shape).await)
        }
    }
}

pub(super) async fn create_pod(ask: Ask, query: Query<WaitQuery>, body: Payload) -> Answer {
    let body = Document::parse(&ask.read(body).await?)?;
    let (spec, warnings) = ask.api.instances.parse(Source::body(&body)).await?;
    ask.warn(warnings);
    make(ask, spec, &query, StatusCode::CREATED, OneShape::Detail).await
}

pub(super) async fn delete_pod(ask: Ask, name: Path<String>, _: Query<NoQuery>) -> Answer {
    delete(&ask, object_name("name", &name)?).await?;
    done(true)
}

/// Creates and shows, now or when the state is reached that is waited for.
pub(super) async fn make(
    mut ask: Ask,
    spec: InstanceSpec,
    query: &WaitQuery,
    status: StatusCode,
    shape: OneShape,
) -> Answer {
    let wait = Wait::for_instance(&ask, query)?;
    let mut made = Box::pin(create(&ask, spec)).await?;
    let Some(wait) = wait else { return Ok(created(status, &made, shape)) };
    let name = object_name("name", made.object.name())?;
    let read = async |ask: &Ask, options| Ok(ask.api.instances.get_instance(name.clone(), options).await?);
    // It was made, whatever becomes of it while it is watched.
    if let Ok(found) = wait.instance(&mut ask, read).await {
        made.object = found.answer.value.clone();
    }
    wait.applied(Ok(created(status, &made, shape)))
}

async fn create(ask: &Ask, spec: InstanceSpec) -> Result<Created<One<InstanceRow>>, ApiError> {
    let key = idempotency_key(ask)?;
    let mut write = Write::begin(ask, "create", "instance", None, spec.owner.clone());
    let made = ask.api.instances.create_instance(spec, key, ask.write()).await;
    write.name(made.as_ref().ok().map(|made| made.object.name()));
    write.end(made)
}

pub(super) async fn delete(ask: &Ask, name: ObjectName) -> Result<(), ApiError> {
    let write = Write::begin(ask, "delete", "instance", Some(name.clone()), None);
    write.end(ask.api.instances.delete_instance(name, ask.write()).await)
}
