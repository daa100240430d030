//! The objects of a new service, made from the templates.
//!
//! The template decides what is in an object; a spec sets names, labels, image, variables, resources and storage.

use crate::aenv::container::set_variables;
use crate::aenv::environment::{Amount, ServiceSpec, Storage};
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
    /// By which the same create, asked again, knows them.
    pub(super) fn fingerprint(&self) -> Result<Fingerprint, Error> {
        Fingerprint::of(&(self.claim.as_ref().map(|(_, claim)| claim), &self.deployment, &self.service))
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
    object.metadata.labels.get_or_insert_default().extend(labels(spec).chain(owner_label(spec)));
    let deployment = &mut object.spec;
    deployment.replicas = Some(spec.replicas);
    let pod_labels = deployment.template.metadata.get_or_insert_default().labels.get_or_insert_default();
    // The template's selector says by which keys pods belong to their Deployment; the name makes them its own.
    for (key, value) in deployment.selector.match_labels.get_or_insert_default() {
        name.as_str().clone_into(value);
        pod_labels.insert(key.clone(), name.to_string());
    }
    pod_labels.extend(labels(spec).chain(owner_label(spec)));
    let pod = deployment.template.spec.get_or_insert_default();
    for container in &mut pod.containers {
        container.image = Some(spec.image.clone());
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
    if let Some(port) = service.ports.as_mut().and_then(|ports| ports.first_mut()) {
        port.port = spec.port.into();
        port.target_port = Some(IntOrString::Int(spec.port.into()));
    }
    object
}

/// The claim of `storage`.
fn claim(mut object: PersistentVolumeClaim, storage: &Storage, spec: &ServiceSpec) -> PersistentVolumeClaim {
    object.metadata.name = Some(storage.claim.to_string());
    object.metadata.labels.get_or_insert_default().extend(labels(spec));
    let resources = object.spec.get_or_insert_default().resources.get_or_insert_default();
    resources.requests.get_or_insert_default().insert("storage".to_owned(), stated(storage.size));
    object
}

fn labels(spec: &ServiceSpec) -> impl Iterator<Item = (String, String)> {
    let version = spec.version.iter().map(|version| (ENV_VERSION.to_owned(), version.to_string()));
    [(ENV_NAME.to_owned(), spec.env.to_string())].into_iter().chain(version)
}

fn owner_label(spec: &ServiceSpec) -> impl Iterator<Item = (String, String)> {
    spec.owner.iter().map(|owner| (OWNER.to_owned(), owner.to_string()))
}

fn set_resources(container: &mut Container, spec: &ServiceSpec) {
    let ResourceRequirements { requests, limits, .. } = container.resources.get_or_insert_default();
    let resources = &spec.resources;
    let amounts =
        [("cpu", resources.cpu), ("memory", resources.memory), ("ephemeral-storage", resources.ephemeral_storage)];
    for (name, Amount { request, limit }) in amounts {
        requests.get_or_insert_default().insert(name.to_owned(), stated(request));
        limits.get_or_insert_default().insert(name.to_owned(), stated(limit));
    }
}

fn stated(quantity: Quantity) -> Stated {
    Stated(quantity.to_string())
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
