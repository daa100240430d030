//! The reason why a pod does not run, as its status tells it: pulling, crashing, scheduling, eviction.

use crate::cluster::slim::{ContainerStatus, Pod};

/// Words of a container that waits for no more than its turn.
const ORDINARY: [&str; 3] = ["", "ContainerCreating", "PodInitializing"];

/// Why a pod does not run.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash)]
pub(super) struct Trouble {
    /// One word of Kubernetes: `ImagePullBackOff`, `CrashLoopBackOff`, `OOMKilled`, `Unschedulable`, `Evicted`, ….
    pub(super) reason: String,
    /// The words of kubelet or the scheduler; may be empty.
    pub(super) message: String,
}

impl Trouble {
    fn new(reason: &str, message: impl Into<String>) -> Self {
        Self { reason: reason.to_owned(), message: message.into() }
    }

    /// The trouble of `pod`; `None` if it has none.
    pub(super) fn of(pod: &Pod) -> Option<Self> {
        let status = pod.status.as_ref()?;
        if !status.reason().is_empty() {
            return Some(Self::new(status.reason(), status.message()));
        }
        let containers = status.init_container_statuses.iter().chain(&status.container_statuses);
        if let Some(trouble) =
            containers.clone().find_map(Self::waiting).or_else(|| containers.clone().find_map(Self::ended))
        {
            return Some(trouble);
        }
        let unscheduled = |kind: &str, status: &str| kind == "PodScheduled" && status == "False";
        let condition = status.conditions().find(|condition| unscheduled(condition.kind(), condition.status()))?;
        Some(Self::new(condition.reason(), condition.message()))
    }

    /// A container that cannot start, or that is started again and again.
    fn waiting(container: &ContainerStatus) -> Option<Self> {
        let waiting = container.waiting().filter(|waiting| !ORDINARY.contains(&waiting.reason()))?;
        let mut message = format!("container {}: {}", container.name(), waiting.message());
        if let Some(last) = container.last_terminated() {
            message.push_str(&format!("; it ended before with {} (exit code {})", last.reason(), last.exit_code()));
        }
        Some(Self::new(waiting.reason(), message))
    }

    /// A container that ended in failure.
    fn ended(container: &ContainerStatus) -> Option<Self> {
        let ended = container.terminated().filter(|ended| ended.exit_code() != 0)?;
        let mut message = format!("container {} ended with exit code {}", container.name(), ended.exit_code());
        if !ended.message().is_empty() {
            message.push_str(&format!(": {}", ended.message()));
        }
        Some(Self::new(ended.reason(), message))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, from_value, json};

    fn trouble(status: Value) -> Option<(String, String)> {
        let pod: Pod = from_value(json!({"metadata": {"name": "p"}, "status": status})).unwrap();
        Trouble::of(&pod).map(|Trouble { reason, message }| (reason, message))
    }

    fn told(status: Value) -> (String, String) {
        trouble(status).unwrap()
    }

    #[test]
    fn a_pod_that_runs_or_starts_has_no_trouble() {
        for status in [
            json!(null),
            json!({"phase": "Running", "containerStatuses": [{"name": "main", "ready": true, "state": {"running": {}}}]}),
            json!({"phase": "Pending", "containerStatuses": [{"name": "main", "state": {"waiting": {"reason": "ContainerCreating"}}}]}),
            json!({"phase": "Succeeded", "containerStatuses": [{"name": "main", "state": {"terminated": {"exitCode": 0, "reason": "Completed"}}}]}),
            json!({"phase": "Running", "conditions": [{"type": "PodScheduled", "status": "True"}]}),
        ] {
            assert_eq!(trouble(status.clone()), None, "{status}");
        }
    }

    #[test]
    fn the_words_of_kubernetes_say_why() {
        let main = |state: Value, last: Value| json!({"containerStatuses": [{"name": "side", "state": {}}, {"name": "main", "state": state, "lastState": last}]});
        let pull = main(json!({"waiting": {"reason": "ImagePullBackOff", "message": "no such image"}}), json!({}));
        assert_eq!(told(pull), ("ImagePullBackOff".into(), "container main: no such image".into()));
        let crash = main(
            json!({"waiting": {"reason": "CrashLoopBackOff", "message": "back-off 5m"}}),
            json!({"terminated": {"reason": "OOMKilled", "exitCode": 137}}),
        );
        let (reason, message) = told(crash);
        assert_eq!(reason, "CrashLoopBackOff");
        assert_eq!(message, "container main: back-off 5m; it ended before with OOMKilled (exit code 137)");
        let killed = main(json!({"terminated": {"reason": "OOMKilled", "exitCode": 137}}), json!({}));
        assert_eq!(told(killed), ("OOMKilled".into(), "container main ended with exit code 137".into()));
        let init = json!({"initContainerStatuses": [{"name": "setup", "state": {"terminated": {"reason": "Error", "exitCode": 2, "message": "no disk"}}}]});
        assert_eq!(told(init), ("Error".into(), "container setup ended with exit code 2: no disk".into()));
        let pending = json!({"conditions": [{"type": "PodScheduled", "status": "False", "reason": "Unschedulable", "message": "0/3 nodes are available"}]});
        assert_eq!(told(pending), ("Unschedulable".into(), "0/3 nodes are available".into()));
        let evicted = json!({"reason": "Evicted", "message": "low on memory", "containerStatuses": []});
        assert_eq!(told(evicted), ("Evicted".into(), "low on memory".into()));
    }
}
