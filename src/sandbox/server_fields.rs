//! The fields that only the server decides: who an object is, since when, and what it starts as.

use jiff::Timestamp;
use serde_json::{Value, json};

use super::defaults;
use super::identity;
use super::resource::Resource;

/// Finalizer that a cluster's own controller takes off again as soon as nobody uses the claim.
pub(super) const CLAIM_PROTECTION: &str = "kubernetes.io/pvc-protection";

/// Fills in the metadata that only the server decides.
pub(super) fn stamp(resource: Resource, metadata: &mut Value, namespace: &str, number: u64, created: Timestamp) {
    if let Some(members) = metadata.as_object_mut() {
        for member in ["deletionTimestamp", "deletionGracePeriodSeconds", "generation", "managedFields", "selfLink"] {
            members.remove(member);
        }
    }
    metadata["uid"] = json!(identity::uid(number));
    metadata["creationTimestamp"] = json!(identity::whole_seconds(created));
    if resource.namespaced() {
        metadata["namespace"] = json!(namespace);
    }
    match resource {
        Resource::Deployments => metadata["generation"] = json!(1),
        Resource::PersistentVolumeClaims => metadata["finalizers"] = json!([CLAIM_PROTECTION]),
        _ => {}
    }
}

/// Gives a Service its cluster IP.
pub(super) fn give_address(service: &mut Value, number: u64) {
    let address = identity::cluster_ip(number);
    service["spec"]["clusterIPs"] = json!([address]);
    service["spec"]["clusterIP"] = json!(address);
}

/// The status of an object that nobody has looked at yet.
pub(super) fn initial_status(resource: Resource, document: &Value) -> Value {
    match resource {
        Resource::Pods => json!({"phase": "Pending", "qosClass": defaults::qos_class(document)}),
        Resource::PersistentVolumeClaims => json!({"phase": "Pending"}),
        Resource::Services => json!({"loadBalancer": {}}),
        Resource::Namespaces => json!({"phase": "Active"}),
        Resource::Deployments => json!({}),
    }
}

/// Takes over from `old` what a client cannot change.
pub(super) fn keep_server_fields(old: &Value, new: &mut Value) {
    for member in
        ["uid", "creationTimestamp", "generation", "namespace", "deletionTimestamp", "deletionGracePeriodSeconds"]
    {
        match old["metadata"].get(member) {
            Some(value) => new["metadata"][member] = value.clone(),
            None => {
                new["metadata"].as_object_mut().map(|metadata| metadata.remove(member));
            }
        }
    }
}

/// True if something still has to happen before the object may go.
pub(super) fn has_finalizers(document: &Value) -> bool {
    document["metadata"]["finalizers"].as_array().is_some_and(|finalizers| !finalizers.is_empty())
}
