//! Checks of templates, by their type: faults that would never work at a create although every value has the right
//! type, found when the template is read.

use super::key_path::KeyPath;
use crate::syntax::Quantity as Amount;
use crate::syntax::{LabelValue, ObjectName, check_label_key};
use k8s_openapi::api::apps::v1::Deployment;
use k8s_openapi::api::core::v1::{Container, PersistentVolumeClaim, Pod, PodSpec, Service};
use k8s_openapi::apimachinery::pkg::api::resource::Quantity;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use k8s_openapi::{Metadata, Resource};
use std::collections::{BTreeMap, BTreeSet};

/// Takes what is wrong: a key and the problem.
pub(super) type Wrong<'a> = dyn FnMut(KeyPath, String) + 'a;

/// A type of object that there are templates of.
pub(super) trait Template: Resource + Metadata<Ty = ObjectMeta> {
    /// Tells all that would never work.
    fn check(&self, wrong: &mut Wrong<'_>);

    /// Drops what only the API server can say.
    fn drop_status(&mut self);
}

impl Template for Pod {
    fn check(&self, wrong: &mut Wrong<'_>) {
        metadata(&self.metadata, wrong);
        pod_spec(self.spec.as_ref(), &KeyPath::of("spec"), wrong);
    }

    fn drop_status(&mut self) {
        self.status = None;
    }
}

impl Template for Deployment {
    fn check(&self, wrong: &mut Wrong<'_>) {
        metadata(&self.metadata, wrong);
        let spec = &self.spec;
        let own = spec.template.metadata.as_ref().and_then(|metadata| metadata.labels.as_ref());
        labels(own, &KeyPath::of("spec.template.metadata.labels"), wrong);
        pod_spec(spec.template.spec.as_ref(), &KeyPath::of("spec.template.spec"), wrong);
    }

    fn drop_status(&mut self) {
        self.status = None;
    }
}

impl Template for Service {
    fn check(&self, wrong: &mut Wrong<'_>) {
        metadata(&self.metadata, wrong);
        let Some(spec) = &self.spec else { return wrong(KeyPath::of("spec"), "is missing".to_owned()) };
        if spec.ports.as_ref().is_none_or(Vec::is_empty) {
            wrong(KeyPath::of("spec.ports"), "is missing, the first one becomes the service's".to_owned());
        }
    }

    fn drop_status(&mut self) {
        self.status = None;
    }
}

impl Template for PersistentVolumeClaim {
    fn check(&self, wrong: &mut Wrong<'_>) {
        metadata(&self.metadata, wrong);
        let Some(spec) = &self.spec else { return wrong(KeyPath::of("spec"), "is missing".to_owned()) };
        if spec.access_modes.as_ref().is_none_or(Vec::is_empty) {
            wrong(KeyPath::of("spec.accessModes"), "is missing, such as [ReadWriteOnce]".to_owned());
        }
        let resources = KeyPath::of("spec.resources");
        for (name, given) in
            spec.resources.iter().flat_map(|given| [("requests", &given.requests), ("limits", &given.limits)])
        {
            amounts(given.as_ref(), &resources.key(name), wrong);
        }
    }

    fn drop_status(&mut self) {
        self.status = None;
    }
}

fn metadata(metadata: &ObjectMeta, wrong: &mut Wrong<'_>) {
    labels(metadata.labels.as_ref(), &KeyPath::of("metadata.labels"), wrong);
    if metadata.namespace.as_ref().is_some_and(|namespace| !is_dns_label(namespace)) {
        wrong(KeyPath::of("metadata.namespace"), "is not the name of a namespace".to_owned());
    }
}

fn labels(labels: Option<&BTreeMap<String, String>>, at: &KeyPath, wrong: &mut Wrong<'_>) {
    for (key, value) in labels.into_iter().flatten() {
        let checked = check_label_key(key).and_then(|()| match &**value {
            "" => Ok(()),
            value => LabelValue::new(value).map(drop),
        });
        if let Err(why) = checked {
            wrong(at.key(key), why.to_string());
        }
    }
}

fn pod_spec(spec: Option<&PodSpec>, at: &KeyPath, wrong: &mut Wrong<'_>) {
    let containers = spec.map(|spec| &*spec.containers).unwrap_or_default();
    if containers.is_empty() {
        wrong(at.key("containers"), "is missing, there has to be one at least".to_owned());
    }
    let init = spec.and_then(|spec| spec.init_containers.as_deref()).unwrap_or_default();
    let mut names = BTreeSet::new();
    for (list, containers) in [("initContainers", init), ("containers", containers)] {
        for (index, container) in containers.iter().enumerate() {
            let at = at.key(list).index(index);
            if !is_dns_label(&container.name) {
                wrong(at.key("name"), "is no name of a container: lower-case letters, digits and '-'".to_owned());
            } else if !names.insert(&*container.name) {
                wrong(at.key("name"), "is that of another container".to_owned());
            }
            resources(container, &at.key("resources"), wrong);
        }
    }
}

fn resources(container: &Container, at: &KeyPath, wrong: &mut Wrong<'_>) {
    let Some(resources) = &container.resources else { return };
    amounts(resources.requests.as_ref(), &at.key("requests"), wrong);
    amounts(resources.limits.as_ref(), &at.key("limits"), wrong);
}

fn amounts(amounts: Option<&BTreeMap<String, Quantity>>, at: &KeyPath, wrong: &mut Wrong<'_>) {
    for (name, Quantity(amount)) in amounts.into_iter().flatten() {
        if Amount::parse(amount).is_none_or(|amount| amount.milli() < 0) {
            wrong(at.key(name), format!("{amount:?} is not a quantity, such as 500m or 2Gi"));
        }
    }
}

/// True if a container or a namespace can have that name.
fn is_dns_label(name: &str) -> bool {
    name.len() <= 63 && !name.contains('.') && ObjectName::new(name).is_ok()
}
