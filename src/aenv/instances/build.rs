//! The Pod of a new instance, made from its template.

use crate::aenv::container::set_variables;
use crate::aenv::environment::{Autoscale, InstanceSpec};
use crate::syntax::{ENV_NAME, ENV_VERSION, OWNER, ObjectName, TTL};
use k8s_openapi::api::core::v1::{Container, Pod, ResourceRequirements};
use k8s_openapi::apimachinery::pkg::api::resource::Quantity as Stated;

/// The Pod `name` of `spec`.
pub(super) fn pod(mut object: Pod, name: &ObjectName, spec: &InstanceSpec) -> Pod {
    object.metadata.name = Some(name.to_string());
    let labels = object.metadata.labels.get_or_insert_default();
    labels.extend(spec.labels.set().clone());
    labels.insert(ENV_NAME.to_owned(), spec.env.to_string());
    let optional = [(ENV_VERSION, &spec.version), (OWNER, &spec.owner), (TTL, &spec.ttl)];
    labels.extend(optional.into_iter().filter_map(|(key, value)| Some((key.to_owned(), value.as_ref()?.to_string()))));

    object.metadata.annotations.get_or_insert_default().extend(spec.labels.annotation());

    let pod = object.spec.get_or_insert_default();
    for container in pod.init_containers.iter_mut().flatten() {
        container.image = Some(spec.image.clone());
    }
    for (index, container) in pod.containers.iter_mut().enumerate() {
        let second = spec.second_image.as_ref().filter(|_| index == 1);
        container.image = Some(second.unwrap_or(&spec.image).clone());
        set_variables(container, &spec.variables);
        if !spec.arguments.is_empty() {
            container.args.get_or_insert_default().extend(spec.arguments.iter().cloned());
        }
        if let Some(autoscale) = &spec.autoscale {
            set_resources(container, autoscale);
        }
    }
    object
}

/// Requests and limits alike, so that the pod gets just what was asked for.
fn set_resources(container: &mut Container, autoscale: &Autoscale) {
    let ResourceRequirements { requests, limits, .. } = container.resources.get_or_insert_default();
    for amounts in [requests, limits] {
        let amounts = amounts.get_or_insert_default();
        amounts.insert("cpu".to_owned(), Stated(autoscale.cpu.to_string()));
        amounts.insert("memory".to_owned(), Stated(autoscale.memory.to_string()));
    }
}
