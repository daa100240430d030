//! The objects of a new service, made from the templates.
//!
//! The template decides what is in an object; a spec sets names, labels, image, variables, resources and storage.

use crate::aenv::container::set_variables;
use crate::aenv::environment::{Amount, ServiceSpec, Storage};
use crate::aenv::once_only::IdempotencyKey;
use crate::aenv::templates::Templates;
use crate::cluster::{Error, Fingerprint};
use crate::syntax::Quantity;
use crate::syntax::{ENV_NAME, ENV_VERSION, OWNER, ObjectName};
use k8s_openapi::api::apps::v1::Deployment;
use k8s_openapi::api::core::v1::{Container, PersistentVolumeClaim, PodSpec, ResourceRequirements, Service};
use k8s_openapi::apimachinery::pkg::api::resource::Quantity as Stated;
use k8s_openapi::apimachinery::pkg::util::intstr::IntOrString;
use std::collections::BTreeMap;

/// The volume whose mount path a caller may choose.
const DATA_VOLUME: &str = "data";

/// All objects of a new service.
pub(super) struct Objects {
    /// With its name.
    pub(super) claim: Option<(ObjectName, PersistentVolumeClaim)>,
    pub(super) deployment: Deployment,
    pub(super) service: Service,
}

impl Objects {
    /// By which the same create, asked again with the same `key` or both times without one, knows them.
    pub(super) fn fingerprint(&self, key: Option<&IdempotencyKey>) -> Result<Fingerprint, Error> {
        let objects = (self.claim.as_ref().map(|(_, claim)| claim), &self.deployment, &self.service);
        match key {
            Some(key) => Fingerprint::of(&(objects, key)),
            None => Fingerprint::of(&objects),
        }
    }
}

/// The objects of the service `name`.
pub(super) fn objects(templates: &Templates, name: &ObjectName, spec: &ServiceSpec) -> Objects {
    let claim_of = |storage: &Storage| (storage.claim.clone(), claim(templates.claim().clone(), storage, spec));
    Objects {
        claim: spec.storage.as_ref().map(claim_of),
        deployment: deployment(templates.deployment().clone(), name, spec),
        service: service(templates.service().clone(), name, spec),
    }
}

/// The Deployment `name` of `spec`.
fn deployment(mut object: Deployment, name: &ObjectName, spec: &ServiceSpec) -> Deployment {
    object.metadata.name = Some(name.to_string());
    object.metadata.labels.get_or_insert_default().extend(own_labels(spec));
    object.metadata.annotations.get_or_insert_default().extend(spec.labels.annotation());
    let deployment = &mut object.spec;
    deployment.replicas = Some(spec.replicas);
    let pod_labels = deployment.template.metadata.get_or_insert_default().labels.get_or_insert_default();
    // The template's selector says by which keys pods belong to their Deployment; the name makes them its own.
    for (key, value) in deployment.selector.match_labels.get_or_insert_default() {
        name.as_str().clone_into(value);
        pod_labels.insert(key.clone(), name.to_string());
    }
    pod_labels.extend(own_labels(spec));
    let pod = deployment.template.spec.get_or_insert_default();
    for container in &mut pod.containers {
        container.image = spec.image.clone().or(container.image.take());
        set_variables(container, &spec.variables);
        set_resources(container, spec);
        for mount in container.volume_mounts.iter_mut().flatten().filter(|mount| mount.name == DATA_VOLUME) {
            mount.mount_path.clone_from(&spec.mount_path);
        }
    }
    match &spec.storage {
        Some(storage) => claim_volumes(pod, storage),
        None => drop_claims(pod),
    }
    object
}

/// The Service `name` of `spec`.
fn service(mut object: Service, name: &ObjectName, spec: &ServiceSpec) -> Service {
    object.metadata.name = Some(name.to_string());
    object.metadata.labels.get_or_insert_default().extend(labels(spec));
    let service = object.spec.get_or_insert_default();
    for value in service.selector.iter_mut().flat_map(BTreeMap::values_mut) {
        name.as_str().clone_into(value);
    }
    let first = service.ports.as_mut().and_then(|ports| ports.first_mut());
    if let (Some(first), Some(port)) = (first, spec.port) {
        first.port = port.into();
        first.target_port = Some(IntOrString::Int(port.into()));
    }
    object
}

/// The claim of `storage`.
fn claim(mut object: PersistentVolumeClaim, storage: &Storage, spec: &ServiceSpec) -> PersistentVolumeClaim {
    object.metadata.name = Some(storage.claim.to_string());
    object.metadata.labels.get_or_insert_default().extend(labels(spec));
    let resources = object.spec.get_or_insert_default().resources.get_or_insert_default();
    state(resources.requests.get_or_insert_default(), "storage", storage.size);
    object
}

fn labels(spec: &ServiceSpec) -> impl Iterator<Item = (String, String)> {
    let version = spec.version.iter().map(|version| (ENV_VERSION.to_owned(), version.to_string()));
    [(ENV_NAME.to_owned(), spec.env.to_string())].into_iter().chain(version)
}

/// The labels of a Deployment and of its pods. Those of AEnvironment come last, so that no other can take their place.
fn own_labels(spec: &ServiceSpec) -> impl Iterator<Item = (String, String)> {
    let callers = spec.labels.set().iter().map(|(key, value)| (key.clone(), value.clone()));
    let owner = spec.owner.iter().map(|owner| (OWNER.to_owned(), owner.to_string()));
    callers.chain(labels(spec)).chain(owner)
}

fn set_resources(container: &mut Container, spec: &ServiceSpec) {
    let ResourceRequirements { requests, limits, .. } = container.resources.get_or_insert_default();
    let resources = &spec.resources;
    let amounts =
        [("cpu", resources.cpu), ("memory", resources.memory), ("ephemeral-storage", resources.ephemeral_storage)];
    for (name, Amount { request, limit }) in amounts {
        state(requests.get_or_insert_default(), name, request);
        state(limits.get_or_insert_default(), name, limit);
    }
}

/// States an amount. Without one the template's stays.
fn state(amounts: &mut BTreeMap<String, Stated>, name: &str, amount: Option<Quantity>) {
    amounts.extend(amount.map(|amount| (name.to_owned(), Stated(amount.to_string()))));
}

fn claim_volumes(pod: &mut PodSpec, storage: &Storage) {
    let claims = pod.volumes.iter_mut().flatten().filter_map(|volume| volume.persistent_volume_claim.as_mut());
    for claim in claims {
        claim.claim_name = storage.claim.to_string();
    }
}

/// Without storage there is no claim to mount: its volumes and their mounts go.
fn drop_claims(pod: &mut PodSpec) {
    let Some(volumes) = &mut pod.volumes else { return };
    let claimed: Vec<_> = volumes.extract_if(.., |volume| volume.persistent_volume_claim.is_some()).collect();
    for container in pod.containers.iter_mut().chain(pod.init_containers.iter_mut().flatten()) {
        if let Some(mounts) = &mut container.volume_mounts {
            mounts.retain(|mount| claimed.iter().all(|volume| volume.name != mount.name));
        }
    }
}
