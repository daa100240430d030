//! Pods (`k8s.io/api/core/v1/generated.proto`).

use super::Metadata;
use super::metadata::Time;
use jiff::Timestamp;
use serde::Deserialize;

/// A Pod.
#[derive(Clone, PartialEq, prost::Message, Deserialize)]
pub struct Pod {
    /// Its metadata.
    #[prost(message, required, tag = "1")]
    pub metadata: Metadata,
    #[prost(message, optional, tag = "2")]
    spec: Option<PodSpec>,
    /// Its status.
    #[prost(message, optional, tag = "3")]
    pub status: Option<PodStatus>,
}

super::slim!(Pod);

impl Pod {
    /// The node that it runs on; `None` until it is scheduled.
    pub fn node(&self) -> Option<&str> {
        self.spec.as_ref()?.node_name.as_deref().filter(|node| !node.is_empty())
    }

    /// When its last container ended, if all of them have. A pod that was evicted may not tell: then its creation.
    pub fn finished_at(&self) -> Option<Timestamp> {
        let status = self.status.as_ref()?;
        let finished = matches!(status.phase.as_deref(), Some("Succeeded" | "Failed"));
        let ends = status.container_statuses.iter().filter_map(ContainerStatus::terminated);
        let last = ends.filter_map(|end| end.finished_at.as_ref().and_then(Time::timestamp)).max();
        finished.then_some(last.or(self.metadata.created_at())?)
    }
}

#[derive(Clone, PartialEq, prost::Message, Deserialize)]
#[serde(rename_all = "camelCase")]
struct PodSpec {
    #[prost(string, optional, tag = "10")]
    node_name: Option<String>,
}

/// `status` of a Pod.
#[derive(Clone, PartialEq, prost::Message, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct PodStatus {
    /// Its phase, in the API server's word.
    #[prost(string, optional, tag = "1")]
    pub phase: Option<String>,
    #[prost(message, repeated, tag = "2")]
    #[serde(default, deserialize_with = "super::nullable")]
    conditions: Vec<PodCondition>,
    #[prost(string, tag = "3")]
    #[serde(default, deserialize_with = "super::nullable")]
    message: String,
    #[prost(string, tag = "4")]
    #[serde(default, deserialize_with = "super::nullable")]
    reason: String,
    /// Its address; `None` until it has one.
    #[prost(string, optional, tag = "6")]
    #[serde(rename = "podIP")]
    pub pod_ip: Option<String>,
    /// Statuses of its containers.
    #[prost(message, repeated, tag = "8")]
    #[serde(default, deserialize_with = "super::nullable")]
    pub container_statuses: Vec<ContainerStatus>,
    /// Statuses of its init containers.
    #[prost(message, repeated, tag = "10")]
    #[serde(default, deserialize_with = "super::nullable")]
    pub init_container_statuses: Vec<ContainerStatus>,
}

impl PodStatus {
    /// A reason for its phase, such as `Evicted`; mostly empty.
    pub fn reason(&self) -> &str {
        super::reason(&self.reason)
    }

    /// A message about its phase; mostly empty. At most 1 KiB.
    pub fn message(&self) -> &str {
        super::message(&self.message)
    }

    /// Its conditions: `PodScheduled`, `Initialized`, `Ready` …
    pub fn conditions(&self) -> impl Iterator<Item = &dyn super::Condition> {
        self.conditions.iter().map(|condition| condition as _)
    }
}

#[derive(Clone, PartialEq, prost::Message, Deserialize)]
struct PodCondition {
    #[prost(string, tag = "1")]
    #[serde(default, deserialize_with = "super::nullable")]
    r#type: String,
    #[prost(string, tag = "2")]
    #[serde(default, deserialize_with = "super::nullable")]
    status: String,
    #[prost(string, tag = "5")]
    #[serde(default, deserialize_with = "super::nullable")]
    reason: String,
    #[prost(string, tag = "6")]
    #[serde(default, deserialize_with = "super::nullable")]
    message: String,
}

super::condition!(PodCondition);

/// Status of a container.
#[derive(Clone, PartialEq, prost::Message, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ContainerStatus {
    #[prost(string, tag = "1")]
    #[serde(default, deserialize_with = "super::nullable")]
    name: String,
    #[prost(message, optional, tag = "2")]
    state: Option<ContainerState>,
    #[prost(message, optional, tag = "3")]
    last_state: Option<ContainerState>,
    #[prost(bool, tag = "4")]
    #[serde(default, deserialize_with = "super::nullable")]
    ready: bool,
    #[prost(int32, tag = "5")]
    #[serde(default, deserialize_with = "super::nullable")]
    restart_count: i32,
}

impl ContainerStatus {
    /// Its name in the Pod.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// True if it serves.
    pub fn is_ready(&self) -> bool {
        self.ready
    }

    /// Number of times that it has been started again.
    pub fn restarts(&self) -> u32 {
        self.restart_count.try_into().unwrap_or_default()
    }

    /// Why it does not run yet; `None` if it runs or has ended.
    pub fn waiting(&self) -> Option<&Waiting> {
        self.state.as_ref()?.waiting.as_ref()
    }

    /// Its end; `None` if it has not ended.
    pub fn terminated(&self) -> Option<&Terminated> {
        self.state.as_ref()?.terminated.as_ref()
    }

    /// Its end before it was started again; `None` if it never was.
    pub fn last_terminated(&self) -> Option<&Terminated> {
        self.last_state.as_ref()?.terminated.as_ref()
    }
}

#[derive(Clone, PartialEq, prost::Message, Deserialize)]
struct ContainerState {
    #[prost(message, optional, tag = "1")]
    waiting: Option<Waiting>,
    #[prost(message, optional, tag = "3")]
    terminated: Option<Terminated>,
}

/// Why a container does not run yet.
#[derive(Clone, PartialEq, prost::Message, Deserialize)]
pub struct Waiting {
    #[prost(string, tag = "1")]
    #[serde(default, deserialize_with = "super::nullable")]
    reason: String,
    #[prost(string, tag = "2")]
    #[serde(default, deserialize_with = "super::nullable")]
    message: String,
}

impl Waiting {
    /// One word, such as `ImagePullBackOff` or `CrashLoopBackOff`.
    pub fn reason(&self) -> &str {
        super::reason(&self.reason)
    }

    /// The kubelet's words; at most 1 KiB.
    pub fn message(&self) -> &str {
        super::message(&self.message)
    }
}

/// End of a container.
#[derive(Clone, PartialEq, prost::Message, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Terminated {
    #[prost(int32, tag = "1")]
    #[serde(default, deserialize_with = "super::nullable")]
    exit_code: i32,
    #[prost(string, tag = "3")]
    #[serde(default, deserialize_with = "super::nullable")]
    reason: String,
    #[prost(string, tag = "4")]
    #[serde(default, deserialize_with = "super::nullable")]
    message: String,
    #[prost(message, optional, tag = "6")]
    finished_at: Option<Time>,
}

impl Terminated {
    /// The exit code; zero is success.
    pub fn exit_code(&self) -> i32 {
        self.exit_code
    }

    /// One word, such as `OOMKilled`, `Error` or `Completed`.
    pub fn reason(&self) -> &str {
        super::reason(&self.reason)
    }

    /// Message in its termination log; at most 1 KiB.
    pub fn message(&self) -> &str {
        super::message(&self.message)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{from_value, json};

    #[test]
    fn nulls_and_absent_fields_are_read() {
        let pod: Pod = from_value(json!({"metadata": {"name": "p"}})).unwrap();
        assert!(pod.status.is_none() && pod.node().is_none());
        let nulls =
            json!({"conditions": null, "containerStatuses": null, "initContainerStatuses": null, "podIP": null});
        let pod: Pod = from_value(json!({"metadata": {"name": "p"}, "spec": null, "status": nulls})).unwrap();
        assert_eq!(pod.status.unwrap().conditions().count(), 0);
    }

    #[test]
    fn a_container_tells_why_it_waits_and_how_it_ended_before() {
        let pod: Pod = from_value(json!({
            "metadata": {"name": "p"}, "spec": {"nodeName": "node-1"},
            "status": {
                "reason": "Evicted", "message": "low on memory",
                "conditions": [{"type": "Ready", "status": "False", "reason": "ContainersNotReady", "message": "m"}],
                "containerStatuses": [{
                    "name": "main", "ready": false, "restartCount": 4,
                    "state": {"waiting": {"reason": "CrashLoopBackOff", "message": "back-off 5m0s"}},
                    "lastState": {"terminated": {"exitCode": 137, "reason": "OOMKilled"}}
                }]
            }
        }))
        .unwrap();
        let status = pod.status.as_ref().unwrap();
        let ready = status.conditions().next().unwrap();
        assert_eq!((ready.kind(), ready.status(), ready.reason()), ("Ready", "False", "ContainersNotReady"));
        let main = &status.container_statuses[0];
        let (waiting, last) = (main.waiting().unwrap(), main.last_terminated().unwrap());
        assert_eq!((main.name(), main.restarts(), waiting.reason()), ("main", 4, "CrashLoopBackOff"));
        assert_eq!((last.exit_code(), last.reason()), (137, "OOMKilled"));
        assert_eq!((pod.node(), status.reason()), (Some("node-1"), "Evicted"));
    }
}
