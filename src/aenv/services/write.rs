//! Making, changing and removing services.

use super::Services;
use super::build::{self, Objects};
use super::read::{Fetch, GET_DEPLOYMENT};
use super::view::ServiceRow;
use crate::aenv::environment::{Rejected, ServiceChange, ServiceName, ServiceSpec, ServiceTemplate, Source};
use crate::aenv::once_only::{Created, IdempotencyKey, generated_name};
use crate::aenv::rows::{Interner, Listing, One};
use crate::aenv::warnings::Warnings;
use crate::call::{Call, ambient};
use crate::cluster::{Creation, Deleted, Earlier, Failed, Intent, Resource, slim};
use crate::syntax::ObjectName;
use http::StatusCode;
use serde_json::{Value, json};
use std::collections::HashMap;
use std::sync::Arc;

const ENSURE_CLAIM: &str = "failed to ensure PVC";
const CREATE_DEPLOYMENT: &str = "failed to create deployment";
const CREATE_SERVICE: &str = "failed to create k8s service";
const UPDATE_DEPLOYMENT: &str = "failed to update deployment";
const DELETE_DEPLOYMENT: &str = "failed to delete deployment";
const DELETE_SERVICE: &str = "failed to delete service";
const DELETE_CLAIM: &str = "failed to delete PVC";

/// Most attempts at a change on a fresh object because somebody else changed it in between. Each round is lost to
/// another writer, so all of them move on.
const UPDATE_ROUNDS: usize = 10;

impl Services {
    /// Reads a create, with the templates as they are now.
    pub(crate) async fn parse(&self, source: Source<'_>) -> Result<(ServiceSpec, Warnings), Rejected> {
        let templates = self.templates.current().await;
        let template = ServiceTemplate { has_images: templates.has_images(), selector_keys: templates.selector_keys() };
        let (spec, warnings) = ServiceSpec::parse(source, template)?;
        templates.check_for_service(spec.storage.is_some())?;
        Ok((spec, warnings))
    }

    /// Makes the Deployment, the Service and, if it does not exist yet, the claim of `spec`: all of them or none. A
    /// Deployment that the same create has left without its Service is completed. With `key` they are made at most once,
    /// however often it is asked for.
    ///
    /// # Errors
    /// [`Failed`]; a name that is taken is the API server's 409.
    pub(crate) async fn create_service(
        &self,
        spec: ServiceSpec,
        key: Option<IdempotencyKey>,
        call: Call,
    ) -> Result<Created<One<ServiceRow>>, Failed> {
        let (fetch, templates) = (Arc::clone(self.reader.origin()), self.templates.current().await);
        let name = match &spec.name {
            ServiceName::Given(name) => name.clone(),
            ServiceName::Generated(prefix) => generated_name(prefix, key.as_ref()),
        };
        let objects = build::objects(&templates, &name, &spec);
        let fingerprint = objects.fingerprint(key.as_ref()).map_err(Failed::to(CREATE_DEPLOYMENT))?;
        let intent = Intent::of(fingerprint);
        let intent = if key.is_some() { intent.repeatable() } else { intent };
        let derived = key.is_some() && matches!(spec.name, ServiceName::Generated(_));
        let write = self.reader.begin_write(&name).by(&call);
        let make = move |creation: Arc<Creation>, call: Call| async move {
            let create = || create(&fetch, &creation, &objects, &name, &call);
            let find = || find_earlier(&fetch, &creation, &name, derived, &call);
            let (object, replayed) = creation.once(create, find).await?;
            Ok(Created { object, replayed })
        };
        let changed = move |stored: Option<&Created<One<ServiceRow>>>| match stored {
            Some(stored) => write.stored(Listing::Single(stored.object.clone())),
            None => write.touched(),
        };
        let Created { object, replayed } =
            self.writer.all_or_nothing(CREATE_DEPLOYMENT, call, intent, make, changed).await?;
        Ok(Created { object: One::new(object.row().clone().without_variables()), replayed })
    }

    /// Changes replicas, image and environment variables of every container, as far as `change` says.
    ///
    /// # Errors
    /// [`Failed`]; a Deployment that does not exist is the API server's 404.
    pub(crate) async fn update_service(
        &self,
        name: ObjectName,
        change: ServiceChange,
        call: Call,
    ) -> Result<One<ServiceRow>, Failed> {
        let (fetch, write) = (Arc::clone(self.reader.origin()), self.reader.begin_write(&name).by(&call));
        let is_unchanged = change.is_empty();
        let update = move |call: Call| async move {
            let updated = update(&fetch, &name, &change, &call).await;
            match &updated {
                Ok(stored) => write.stored(Listing::Single(stored.clone())),
                Err(failed) if tells_of_change(failed) => write.touched(),
                Err(_) => {}
            }
            updated
        };
        let stored = self.writer.finish(UPDATE_DEPLOYMENT, call, update).await?;
        if is_unchanged {
            return Ok(stored);
        }
        Ok(One::new(stored.row().clone().updating().without_variables()))
    }

    /// Removes the Deployment and the Service `name`, and with `storage` the claim that the Deployment mounts. What
    /// is gone already is no failure.
    pub(crate) async fn delete_service(&self, name: ObjectName, storage: bool, call: Call) -> Result<(), Failed> {
        let (fetch, write) = (Arc::clone(self.reader.origin()), self.reader.begin_write(&name).by(&call));
        let delete = move |call: Call| async move {
            let mut touched = false;
            let deleted = delete(&fetch, &name, storage, &mut touched, &call).await;
            match &deleted {
                Ok(Rest::Nothing) => write.removed(),
                Ok(Rest::Going) => write.touched(),
                Err(failed) if touched || tells_of_change(failed) => write.touched(),
                Err(_) => {}
            }
            deleted.map(|_| ())
        };
        self.writer.finish(DELETE_DEPLOYMENT, call, delete).await
    }
}

/// True if a write that failed so may have changed something, or shows that what is remembered is old. A refusal does
/// neither: what is remembered outlives the writes that an overload turns away.
fn tells_of_change(failed: &Failed) -> bool {
    failed.source.leaves_outcome_open() || failed.source.has_status(StatusCode::NOT_FOUND)
}

async fn create(
    fetch: &Fetch,
    creation: &Creation,
    objects: &Objects,
    name: &ObjectName,
    call: &Call,
) -> Result<One<ServiceRow>, Failed> {
    if let Some((name, claim)) = &objects.claim {
        creation.ensure(Resource::Claims, name, claim, ENSURE_CLAIM, call).await?;
    }
    let made = creation.create(Resource::Deployments, name, &objects.deployment, CREATE_DEPLOYMENT, call).await;
    let deployment: slim::Deployment = match made {
        Err(failed) if failed.source.is_already_exists() => complete(creation, name, failed, call).await?,
        outcome => outcome?,
    };
    let service: slim::Service =
        creation.create(Resource::Services, name, &objects.service, CREATE_SERVICE, call).await?;
    let row = ServiceRow::new(deployment, Some(fetch.url(&service)), ambient::now(), &mut Interner::default());
    Ok(One::new(row))
}

/// The Deployment of the same create, asked before, whose Service was not made: that replica was killed, or has failed
/// and is about to undo it. Fails with `taken` if it is something else.
async fn complete(
    creation: &Creation,
    name: &ObjectName,
    taken: Failed,
    call: &Call,
) -> Result<slim::Deployment, Failed> {
    let call = &call.clone().continuing();
    let deployment =
        creation.earlier(Resource::Deployments, name, call).await.map_err(Failed::to(CREATE_DEPLOYMENT))?;
    let Earlier::Same(stored) = deployment else { return Err(taken) };
    match creation.earlier(Resource::Services, name, call).await.map_err(Failed::to(CREATE_SERVICE))? {
        Earlier::NotFound => {}
        Earlier::Same(_) | Earlier::Ending | Earlier::Other => return Err(taken),
    }
    log::info!("completing the service {name}, of which an earlier create has left the Deployment");
    let taken_over = creation.take_over(Resource::Deployments, name, stored, Resource::Services, call).await;
    taken_over.map_err(Failed::to(CREATE_DEPLOYMENT))
}

/// The service that an earlier create with the same key has made. `None` if it, or a part of it, is gone meanwhile. A
/// name that is not `derived` from the key may be somebody else's.
async fn find_earlier(
    fetch: &Fetch,
    creation: &Creation,
    name: &ObjectName,
    derived: bool,
    call: &Call,
) -> Result<Option<One<ServiceRow>>, Failed> {
    let call = &call.clone().continuing();
    let of_deployment = Failed::to(CREATE_DEPLOYMENT);
    let of_service = Failed::to(CREATE_SERVICE);
    let deployment = creation.find(Resource::Deployments, name, derived, call).await.map_err(&of_deployment)?;
    let service = creation.find(Resource::Services, name, false, call).await.map_err(&of_service)?;
    let (Some(deployment), Some(service)) = (deployment, service) else { return Ok(None) };
    let url = fetch.url(&service.decode::<slim::Service>().map_err(&of_service)?);
    let row = deployment.decode::<slim::Deployment>().map_err(&of_deployment)?;
    // In the order in which they were made: what is undone, is undone from its end.
    let stays = creation.keep(Resource::Deployments, name, deployment, call).await.map_err(&of_deployment)?
        && creation.keep(Resource::Services, name, service, call).await.map_err(&of_service)?;
    Ok(stays.then(|| One::new(ServiceRow::new(row, Some(url), ambient::now(), &mut Interner::default()))))
}

async fn update(
    fetch: &Fetch,
    name: &ObjectName,
    change: &ServiceChange,
    call: &Call,
) -> Result<One<ServiceRow>, Failed> {
    if change.is_empty() {
        return fetch.join_objects(name, call).await;
    }
    let get = || async {
        fetch.cluster.get_in_full(Resource::Deployments, name, call).await.map_err(Failed::to(GET_DEPLOYMENT))
    };
    // The URL first: once the change is made, nothing may fail any more.
    let (mut object, url) = tokio::try_join!(get(), fetch.get_url(name, call))?;
    let mut round = 1;
    let updated = loop {
        apply(change, &mut object);
        match fetch
            .cluster
            .replace::<slim::Deployment>(Resource::Deployments, name, &object, &call.clone().continuing())
            .await
        {
            Err(error) if error.has_status(StatusCode::CONFLICT) && round < UPDATE_ROUNDS => {
                round += 1;
                object = get().await?;
            }
            outcome => break outcome.map_err(Failed::to(UPDATE_DEPLOYMENT))?,
        }
    };
    let row = ServiceRow::new(updated, url, ambient::now(), &mut Interner::default());
    Ok(One::new(row))
}

/// Changes a Deployment as the API server gave it, so that no field is lost that this program does not know.
fn apply(change: &ServiceChange, deployment: &mut Value) {
    if let Some(replicas) = change.replicas {
        deployment["spec"]["replicas"] = replicas.into();
    }
    let containers = deployment.pointer_mut("/spec/template/spec/containers").and_then(Value::as_array_mut);
    for container in containers.into_iter().flatten() {
        if let Some(image) = &change.image {
            container["image"] = image.as_str().into();
        }
        if !change.variables.is_empty() && !container["env"].is_array() {
            container["env"] = json!([]);
        }
        let Some(variables) = container["env"].as_array_mut() else { continue };
        let places = variables.iter().enumerate().filter_map(|(place, known)| Some((known["name"].as_str()?, place)));
        let known: HashMap<_, _> = places.map(|(name, place)| (name.to_owned(), place)).collect();
        for (name, value) in &change.variables {
            let variable = json!({"name": name, "value": value});
            match known.get(name) {
                Some(place) => variables[*place] = variable,
                None => variables.push(variable),
            }
        }
    }
}

/// The rest of a service after its deletion.
enum Rest {
    /// Its Deployment is gone, and its Service.
    Nothing,
    /// One of them stays until its finalizers are done.
    Going,
}

/// Deletes one object after the other; `touched` tells whether any of them was there, however it ends.
async fn delete(
    fetch: &Fetch,
    name: &ObjectName,
    storage: bool,
    touched: &mut bool,
    call: &Call,
) -> Result<Rest, Failed> {
    // The claim first: only the Deployment knows which it is, so that a deletion that fails halfway can be had again.
    // Kubernetes keeps a claim until no pod uses it.
    let claim = if storage { claim_of(fetch, name, call).await? } else { None };
    let claim = claim.as_ref().map(|claim| (Resource::Claims, claim, DELETE_CLAIM));
    let others = [(Resource::Deployments, name, DELETE_DEPLOYMENT), (Resource::Services, name, DELETE_SERVICE)];
    let (mut call, mut rest) = (call.clone(), Rest::Nothing);
    for (resource, name, action) in claim.into_iter().chain(others) {
        let deleted = fetch.cluster.delete(resource, name, &call).await.map_err(Failed::to(action))?;
        *touched |= !matches!(deleted, Deleted::NotFound);
        // A claim is no part of a row.
        if matches!(deleted, Deleted::Going(_)) && resource != Resource::Claims {
            rest = Rest::Going;
        }
        // Once begun, it is brought to its end.
        call = call.continuing().regardless();
    }
    Ok(rest)
}

async fn claim_of(fetch: &Fetch, name: &ObjectName, call: &Call) -> Result<Option<ObjectName>, Failed> {
    match fetch.cluster.get::<slim::Deployment>(Resource::Deployments, name, call).await {
        Ok(deployment) => Ok(deployment.claim_name().and_then(|claim| ObjectName::new(claim).ok())),
        Err(error) if error.has_status(StatusCode::NOT_FOUND) => Ok(None),
        Err(error) => Err(Failed::to(GET_DEPLOYMENT)(error)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_change_touches_what_it_names_and_nothing_else() {
        let mut deployment = json!({
            "metadata": {"resourceVersion": "7", "futureField": {"kept": true}},
            "spec": {"replicas": 1, "template": {"spec": {"containers": [
                {"name": "main", "image": "a:1", "env": [{"name": "K", "valueFrom": {"fieldRef": {}}}]},
                {"name": "side", "image": "b:1"}
            ]}}}
        });
        let change = ServiceChange {
            replicas: Some(3),
            image: Some("c:2".into()),
            variables: [("K".to_owned(), "v".to_owned())].into(),
        };
        apply(&change, &mut deployment);
        assert_eq!(
            deployment,
            json!({
                "metadata": {"resourceVersion": "7", "futureField": {"kept": true}},
                "spec": {"replicas": 3, "template": {"spec": {"containers": [
                    {"name": "main", "image": "c:2", "env": [{"name": "K", "value": "v"}]},
                    {"name": "side", "image": "c:2", "env": [{"name": "K", "value": "v"}]}
                ]}}}
            })
        );
    }
}
