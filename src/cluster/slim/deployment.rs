//! Deployments (`k8s.io/api/apps/v1/generated.proto`, and the pod template's parts in `core/v1`).

use super::{Condition, Metadata};
use serde::Deserialize;

/// A Deployment.
#[derive(Clone, PartialEq, prost::Message, Deserialize)]
pub struct Deployment {
    /// Its metadata.
    #[prost(message, required, tag = "1")]
    pub metadata: Metadata,
    #[prost(message, optional, tag = "2")]
    spec: Option<DeploymentSpec>,
    #[prost(message, optional, tag = "3")]
    status: Option<DeploymentStatus>,
}

super::slim!(Deployment);

#[derive(Clone, PartialEq, prost::Message, Deserialize)]
struct DeploymentSpec {
    #[prost(int32, optional, tag = "1")]
    replicas: Option<i32>,
    #[prost(message, optional, tag = "3")]
    template: Option<PodTemplate>,
}

#[derive(Clone, PartialEq, prost::Message, Deserialize)]
struct PodTemplate {
    #[prost(message, optional, tag = "2")]
    spec: Option<PodSpec>,
}

#[derive(Clone, PartialEq, prost::Message, Deserialize)]
struct PodSpec {
    #[prost(message, repeated, tag = "1")]
    #[serde(default, deserialize_with = "super::nullable")]
    volumes: Vec<Volume>,
    #[prost(message, repeated, tag = "2")]
    #[serde(default, deserialize_with = "super::nullable")]
    containers: Vec<Container>,
}

#[derive(Clone, PartialEq, prost::Message, Deserialize)]
struct Volume {
    /// A message of its own in protobuf, inline in JSON.
    #[prost(message, optional, tag = "2")]
    #[serde(flatten)]
    source: Option<VolumeSource>,
}

#[derive(Clone, PartialEq, prost::Message, Deserialize)]
#[serde(rename_all = "camelCase")]
struct VolumeSource {
    #[prost(message, optional, tag = "10")]
    persistent_volume_claim: Option<ClaimSource>,
}

#[derive(Clone, PartialEq, prost::Message, Deserialize)]
#[serde(rename_all = "camelCase")]
struct ClaimSource {
    #[prost(string, tag = "1")]
    claim_name: String,
}

#[derive(Clone, PartialEq, prost::Message, Deserialize)]
struct Container {
    #[prost(message, repeated, tag = "7")]
    #[serde(default, deserialize_with = "super::nullable")]
    env: Vec<EnvVar>,
}

#[derive(Clone, PartialEq, prost::Message, Deserialize)]
#[serde(rename_all = "camelCase")]
struct EnvVar {
    #[prost(string, tag = "1")]
    name: String,
    #[prost(string, optional, tag = "2")]
    value: Option<String>,
    #[prost(message, optional, tag = "3")]
    value_from: Option<Elsewhere>,
}

/// A source of a value, of which only its presence is of use.
#[derive(Clone, PartialEq, prost::Message, Deserialize)]
struct Elsewhere {}

#[derive(Clone, PartialEq, prost::Message, Deserialize)]
#[serde(rename_all = "camelCase")]
struct DeploymentStatus {
    #[prost(int64, optional, tag = "1")]
    observed_generation: Option<i64>,
    #[prost(int32, optional, tag = "4")]
    available_replicas: Option<i32>,
    #[prost(message, repeated, tag = "6")]
    #[serde(default, deserialize_with = "super::nullable")]
    conditions: Vec<DeploymentCondition>,
}

#[derive(Clone, PartialEq, prost::Message, Deserialize)]
struct DeploymentCondition {
    #[prost(string, tag = "1")]
    #[serde(default, deserialize_with = "super::nullable")]
    r#type: String,
    #[prost(string, tag = "2")]
    #[serde(default, deserialize_with = "super::nullable")]
    status: String,
    #[prost(string, tag = "4")]
    #[serde(default, deserialize_with = "super::nullable")]
    reason: String,
    #[prost(string, tag = "5")]
    #[serde(default, deserialize_with = "super::nullable")]
    message: String,
}

super::condition!(DeploymentCondition);

impl Deployment {
    /// The replicas that are wanted; one if it does not say, as the API server has it.
    pub fn replicas(&self) -> u32 {
        let wanted = self.spec.as_ref().and_then(|spec| spec.replicas);
        wanted.map_or(1, |wanted| wanted.try_into().unwrap_or_default())
    }

    /// The replicas that are available.
    pub fn available_replicas(&self) -> u32 {
        let available = self.status.as_ref().and_then(|status| status.available_replicas);
        available.and_then(|available| available.try_into().ok()).unwrap_or_default()
    }

    /// The generation that the status speaks of; less than that of the metadata while a change has not been seen.
    pub fn observed_generation(&self) -> i64 {
        self.status.as_ref().and_then(|status| status.observed_generation).unwrap_or_default()
    }

    /// Its conditions: `Available`, `Progressing`, `ReplicaFailure`.
    pub fn conditions(&self) -> impl Iterator<Item = &dyn Condition> {
        self.status.iter().flat_map(|status| &status.conditions).map(|condition| condition as _)
    }

    /// The condition that says that its rollout has failed: no progress within its deadline, or its pods are refused. See
    /// <https://kubernetes.io/docs/concepts/workloads/controllers/deployment/#failed-deployment>.
    pub fn failure(&self) -> Option<&dyn Condition> {
        self.conditions().find(|condition| match condition.kind() {
            "Progressing" => condition.status() == "False" && condition.reason() == "ProgressDeadlineExceeded",
            "ReplicaFailure" => condition.status() == "True",
            _ => false,
        })
    }

    /// The claim of the first volume that has one.
    pub fn claim_name(&self) -> Option<&str> {
        let sources = self.pod_spec()?.volumes.iter().filter_map(|volume| volume.source.as_ref());
        sources.filter_map(|source| source.persistent_volume_claim.as_ref()).map(|claim| &*claim.claim_name).next()
    }

    /// Name and value of the first container's environment variables; those taken from elsewhere (`valueFrom`) are
    /// left out.
    pub fn plain_variables(&self) -> impl Iterator<Item = (&str, &str)> {
        let first = self.pod_spec().and_then(|spec| spec.containers.first());
        let variables = first.into_iter().flat_map(|container| &container.env);
        variables
            .filter(|variable| variable.value_from.is_none())
            .map(|variable| (&*variable.name, variable.value.as_deref().unwrap_or_default()))
    }

    fn pod_spec(&self) -> Option<&PodSpec> {
        self.spec.as_ref()?.template.as_ref()?.spec.as_ref()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{from_value, json};

    #[test]
    fn nulls_and_absent_fields_are_read() {
        let deployment: Deployment = from_value(json!({
            "metadata": {"name": "d", "creationTimestamp": null, "labels": null},
            "spec": {"template": {"spec": {"containers": [{}], "volumes": [{"emptyDir": {}}]}}},
            "status": {"conditions": null}
        }))
        .unwrap();
        assert_eq!((deployment.replicas(), deployment.available_replicas()), (1, 0));
        assert_eq!(deployment.claim_name(), None);
        assert_eq!(deployment.plain_variables().count(), 0);
        assert!(deployment.failure().is_none());
    }

    #[test]
    fn only_plain_variables_of_the_first_container_are_told() {
        let deployment: Deployment = from_value(json!({
            "metadata": {"name": "d"},
            "spec": {"template": {"spec": {"containers": [
                {"env": [{"name": "A", "value": "1"}, {"name": "EMPTY"}, {"name": "SECRET", "valueFrom": {"secretKeyRef": {"name": "s", "key": "k"}}}]},
                {"env": [{"name": "B", "value": "2"}]}
            ]}}}
        }))
        .unwrap();
        assert_eq!(deployment.plain_variables().collect::<Vec<_>>(), [("A", "1"), ("EMPTY", "")]);
    }

    #[test]
    fn a_rollout_fails_by_deadline_or_by_refused_pods() {
        let fails = |kind: &str, status: &str, reason: &str| {
            let condition = json!({"type": kind, "status": status, "reason": reason, "message": "why"});
            let deployment: Deployment =
                from_value(json!({"metadata": {"name": "d"}, "status": {"conditions": [condition]}})).unwrap();
            deployment.failure().map(|condition| condition.message().to_owned())
        };
        assert_eq!(fails("Progressing", "False", "ProgressDeadlineExceeded").as_deref(), Some("why"));
        assert_eq!(fails("ReplicaFailure", "True", "FailedCreate").as_deref(), Some("why"));
        assert_eq!(fails("Progressing", "True", "ReplicaSetUpdated"), None);
        assert_eq!(fails("ReplicaFailure", "False", ""), None);
    }
}
