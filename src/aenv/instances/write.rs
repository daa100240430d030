//! Making and removing instances.

use super::view::InstanceRow;
use super::{Instances, build};
use crate::aenv::environment::{InstanceSpec, Known, Rejected, Source};
use crate::aenv::rows::{Interner, Listing, One};
use crate::aenv::warnings::Warnings;
use crate::call::Call;
use crate::cluster::{Creation, Error, Failed, Intent, Resource, slim};
use crate::syntax::ObjectName;
use jiff::Timestamp;
use std::sync::Arc;
use uuid::Uuid;

const CREATE_POD: &str = "failed to create pod";
const DELETE_POD: &str = "failed to delete Pod";

impl Instances {
    /// Reads a create, with the templates as they are now.
    ///
    /// # Errors
    /// Everything that is wrong with it, or with its template.
    pub fn parse(&self, source: Source<'_>) -> Result<(InstanceSpec, Warnings), Rejected> {
        let templates = self.templates.current();
        let known = Known {
            find_pod: &|name| templates.find_pod(name),
            pod_templates: templates.pod_names(),
            selector_keys: templates.selector_keys(),
        };
        let (spec, warnings) = InstanceSpec::parse(source, known)?;
        templates.check([spec.template.as_str()])?;
        Ok((spec, warnings))
    }

    /// Makes the Pod of `spec`, under a name of its own.
    ///
    /// # Errors
    /// [`Failed`].
    pub async fn create_instance(&self, spec: InstanceSpec, call: Call) -> Result<One<InstanceRow>, Failed> {
        let gone = || Failed::to(CREATE_POD)(Error::Internal(format!("the template {} is gone", spec.template)));
        let template = self.templates.current().pod(&spec.template).cloned().ok_or_else(gone)?;
        let name = spec.name.name(Uuid::new_v4().as_u64_pair().1);
        let pod = build::pod(template, &name, &spec);
        let write = self.reader.begin_write(&name);
        let make = move |creation: Arc<Creation>, call: Call| async move {
            let pod = creation.create::<slim::Pod>(Resource::Pods, &name, &pod, CREATE_POD, &call).await?;
            Ok(One::new(InstanceRow::new(pod, Timestamp::now(), &mut Interner::default())))
        };
        let changed = move |stored: Option<&One<InstanceRow>>| match stored {
            Some(stored) => write.stored(Listing::Single(stored.clone())),
            None => write.touched(),
        };
        self.writer.all_or_nothing(CREATE_POD, call, Intent::default(), make, changed).await
    }

    /// Removes the Pod `name`.
    ///
    /// # Errors
    /// [`Failed`]; a Pod that does not exist is a 404 in the API server's words.
    pub async fn delete_instance(&self, name: ObjectName, call: Call) -> Result<(), Failed> {
        let (cluster, write) = (Arc::clone(self.writer.cluster()), self.reader.begin_write(&name));
        let delete = move |call: Call| async move {
            let deleted = cluster.delete(Resource::Pods, &name, &call).await;
            // A refusal changes nothing, and what is remembered outlives it.
            if deleted.as_ref().err().is_none_or(Error::leaves_outcome_open) {
                write.touched();
            }
            match deleted {
                Ok(true) => Ok(()),
                Ok(false) => Err(Failed::to(DELETE_POD)(Error::not_found(Resource::Pods, &name))),
                Err(error) => Err(Failed::to(DELETE_POD)(error)),
            }
        };
        self.writer.finish(DELETE_POD, call, delete).await
    }
}
