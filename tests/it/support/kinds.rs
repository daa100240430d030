//! Kinds of Kubernetes objects that we ship, with their types: a field that a type does not have is an error.

use k8s_openapi::api::apps::v1::Deployment;
use k8s_openapi::api::autoscaling::v2::HorizontalPodAutoscaler;
use k8s_openapi::api::batch::v1::CronJob;
use k8s_openapi::api::core::v1::{ConfigMap, Namespace, Service, ServiceAccount};
use k8s_openapi::api::flowcontrol::v1::{FlowSchema, PriorityLevelConfiguration};
use k8s_openapi::api::networking::v1::NetworkPolicy;
use k8s_openapi::api::policy::v1::PodDisruptionBudget;
use k8s_openapi::api::rbac::v1::{Role, RoleBinding};
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use serde_json::Value;
use std::collections::BTreeMap;

/// Checks that an object is of a kind known here, and has no field that this kind has not.
#[track_caller]
pub(crate) fn expect_known(object: &Value, origin: &str) {
    let (version, kind) = (object["apiVersion"].as_str().unwrap(), object["kind"].as_str().unwrap());
    match (version, kind) {
        ("v1", "ConfigMap") => _ = lossless::<ConfigMap>(object, origin),
        ("v1", "Namespace") => _ = lossless::<Namespace>(object, origin),
        ("v1", "Service") => _ = lossless::<Service>(object, origin),
        ("v1", "ServiceAccount") => _ = lossless::<ServiceAccount>(object, origin),
        ("apps/v1", "Deployment") => _ = lossless::<Deployment>(object, origin),
        ("batch/v1", "CronJob") => _ = lossless::<CronJob>(object, origin),
        ("autoscaling/v2", "HorizontalPodAutoscaler") => _ = lossless::<HorizontalPodAutoscaler>(object, origin),
        ("flowcontrol.apiserver.k8s.io/v1", "FlowSchema") => _ = lossless::<FlowSchema>(object, origin),
        ("flowcontrol.apiserver.k8s.io/v1", "PriorityLevelConfiguration") => {
            _ = lossless::<PriorityLevelConfiguration>(object, origin);
        }
        ("networking.k8s.io/v1", "NetworkPolicy") => _ = lossless::<NetworkPolicy>(object, origin),
        ("policy/v1", "PodDisruptionBudget") => _ = lossless::<PodDisruptionBudget>(object, origin),
        ("rbac.authorization.k8s.io/v1", "Role") => _ = lossless::<Role>(object, origin),
        ("rbac.authorization.k8s.io/v1", "RoleBinding") => _ = lossless::<RoleBinding>(object, origin),
        ("monitoring.coreos.com/v1", "ServiceMonitor") => _ = lossless::<Custom<ServiceMonitor>>(object, origin),
        ("monitoring.coreos.com/v1", "PrometheusRule") => _ = lossless::<Custom<PrometheusRule>>(object, origin),
        _ => panic!("{origin}: {version} {kind} is not known here"),
    }
}

/// Reads a value as a type, and checks that it is all there when it is written again: a field that the type does not
/// have is dropped in silence.
#[track_caller]
pub(crate) fn lossless<T: DeserializeOwned + Serialize>(value: &Value, origin: &str) -> T {
    let typed: T = serde_json::from_value(value.clone()).unwrap_or_else(|error| panic!("{origin}: {error}"));
    assert_eq!(serde_json::to_value(&typed).unwrap(), *value, "{origin}: something is lost on the way");
    typed
}

/// An object of the Prometheus operator.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Custom<S> {
    api_version: String,
    kind: String,
    metadata: k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta,
    spec: S,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct ServiceMonitor {
    selector: k8s_openapi::apimachinery::pkg::apis::meta::v1::LabelSelector,
    endpoints: Vec<Endpoint>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Endpoint {
    port: String,
    path: String,
    interval: String,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct PrometheusRule {
    groups: Vec<RuleGroup>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct RuleGroup {
    name: String,
    rules: Vec<Alert>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Alert {
    alert: String,
    expr: String,
    #[serde(rename = "for", skip_serializing_if = "Option::is_none")]
    lasting: Option<String>,
    labels: BTreeMap<String, String>,
    annotations: BTreeMap<String, String>,
}
