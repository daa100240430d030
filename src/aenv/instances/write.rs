//! Making and removing instances.

use super::view::InstanceRow;
use super::{Instances, build};
use crate::aenv::environment::{InstanceSpec, Known, Rejected, Source};
use crate::aenv::once_only::{Created, IdempotencyKey, generated_name};
use crate::aenv::rows::{Interner, Listing, One};
use crate::aenv::warnings::Warnings;
use crate::call::{Call, ambient};
use crate::cluster::{Creation, Deleted, Error, Failed, Fingerprint, Intent, Resource, slim};
use crate::memo::Writing;
use crate::syntax::ObjectName;
use std::sync::Arc;

const CREATE_POD: &str = "failed to create pod";
const DELETE_POD: &str = "failed to delete Pod";

impl Instances {
    /// Reads a create, with the templates as they are now.
    pub(crate) async fn parse(&self, source: Source<'_>) -> Result<(InstanceSpec, Warnings), Rejected> {
        let templates = self.templates.current().await;
        let known = Known {
            find_pod: &|name| templates.find_pod(name),
            pod_templates: templates.pod_names(),
            selector_keys: templates.selector_keys(),
        };
        let (spec, warnings) = InstanceSpec::parse(source, known)?;
        templates.check([spec.template.as_str()])?;
        Ok((spec, warnings))
    }

    /// Makes the Pod of `spec`, under a name of its own; with `key` at most once, however often it is asked for.
    pub(crate) async fn create_instance(
        &self,
        spec: InstanceSpec,
        key: Option<IdempotencyKey>,
        call: Call,
    ) -> Result<Created<One<InstanceRow>>, Failed> {
        let gone = || Failed::to(CREATE_POD)(Error::Internal(format!("the template {} is gone", spec.template)));
        let template = self.templates.current().await.pod(&spec.template).cloned().ok_or_else(gone)?;
        let name = generated_name(&spec.name, key.as_ref());
        let pod = build::pod(template, &name, &spec);
        let intent = match &key {
            Some(key) => Intent::of(Fingerprint::of(&(&pod, key)).map_err(Failed::to(CREATE_POD))?).repeatable(),
            None => Intent::default(),
        };
        let write = self.reader.begin_write(&name).by(&call);
        let make = move |creation: Arc<Creation>, call: Call| async move {
            let create = || creation.create::<slim::Pod>(Resource::Pods, &name, &pod, CREATE_POD, &call);
            let find = || find_earlier(&creation, &name, &call);
            let (pod, replayed) = creation.once(create, find).await?;
            Ok(Created { object: One::new(row(pod)), replayed })
        };
        let changed = move |stored: Option<&Created<One<InstanceRow>>>| match stored {
            Some(stored) => write.stored(Listing::Single(stored.object.clone())),
            None => write.touched(),
        };
        self.writer.all_or_nothing(CREATE_POD, call, intent, make, changed).await
    }

    /// Removes the Pod `name`.
    ///
    /// # Errors
    /// [`Failed`]; a Pod that does not exist is a 404 in the API server's words.
    pub(crate) async fn delete_instance(&self, name: ObjectName, call: Call) -> Result<(), Failed> {
        let (cluster, write) = (Arc::clone(self.writer.cluster()), self.reader.begin_write(&name).by(&call));
        let delete = move |call: Call| async move {
            let deleted = cluster.delete(Resource::Pods, &name, &call).await;
            remember_deletion(&write, &deleted);
            match deleted {
                Ok(Deleted::Gone | Deleted::Going(_)) => Ok(()),
                Ok(Deleted::NotFound) => Err(Failed::to(DELETE_POD)(Error::not_found(Resource::Pods, &name))),
                Err(error) => Err(Failed::to(DELETE_POD)(error)),
            }
        };
        self.writer.finish(DELETE_POD, call, delete).await
    }
}

/// Tells the memory what a delete has left of its Pod.
pub(super) fn remember_deletion(write: &Writing<Listing<InstanceRow>, Failed>, outcome: &Result<Deleted, Error>) {
    match outcome {
        Ok(Deleted::Gone | Deleted::NotFound) => write.removed(),
        Ok(Deleted::Going(stored)) => match stored.decode() {
            Ok(pod) => write.stored(Listing::Single(One::new(row(pod)))),
            Err(_) => write.touched(),
        },
        Err(error) if error.leaves_outcome_open() => write.touched(),
        // A refusal changes nothing, and what is remembered outlives it.
        Err(_) => {}
    }
}

/// The Pod that an earlier create with the same key has made. `None` if it is gone meanwhile.
async fn find_earlier(creation: &Creation, name: &ObjectName, call: &Call) -> Result<Option<slim::Pod>, Failed> {
    let (failed, call) = (Failed::to(CREATE_POD), &call.clone().continuing());
    let Some(stored) = creation.find(Resource::Pods, name, true, call).await.map_err(&failed)? else { return Ok(None) };
    let pod = stored.decode().map_err(&failed)?;
    let is_kept = creation.keep(Resource::Pods, name, stored, call).await.map_err(&failed)?;
    Ok(is_kept.then_some(pod))
}

fn row(pod: slim::Pod) -> InstanceRow {
    InstanceRow::new(pod, ambient::now(), &mut Interner::default())
}
