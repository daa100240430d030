//! Rollout: the work of a real cluster's controllers, as a function of time alone.
//!
//! There is no background task: a write notes when it happened and how many one-second steps lie ahead,
//! and a read works out how many of them have passed. A Deployment gains one available replica a second; a
//! Pod is Running after one second.

use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};

use super::identity;
use super::resource::Resource;

/// The way from the stored status to the one that the spec asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Rollout {
    since: Timestamp,
    steps: u64,
}

impl Rollout {
    /// Nothing ahead; a later change of the spec begins a new one.
    pub(super) fn settled() -> Self {
        Self { since: Timestamp::UNIX_EPOCH, steps: 0 }
    }

    /// The rollout that begins with a write at `now`. It brings the status of `new` in line with what the
    /// write itself changes (a smaller number of replicas holds at once, a new template has no pods yet).
    pub(super) fn begin(resource: Resource, new: &mut Value, old: Option<&Value>, now: Timestamp) -> Self {
        let steps = match resource {
            Resource::Deployments => {
                if old.is_some_and(|old| old["spec"]["template"] != new["spec"]["template"]) {
                    new["status"]["updatedReplicas"] = json!(0);
                }
                let wanted = replicas(new);
                let behind = |count| wanted.saturating_sub(status(new, count));
                let steps = behind("availableReplicas").max(behind("updatedReplicas"));
                advance_deployment(new, 0);
                steps
            }
            Resource::Pods => u64::from(new["status"]["phase"] == "Pending"),
            Resource::PersistentVolumeClaims => u64::from(new["status"]["phase"] == "Pending"),
            Resource::Services | Resource::Namespaces => 0,
        };
        Self { since: now, steps }
    }

    /// Number of steps in all.
    pub(super) fn steps(self) -> u64 {
        self.steps
    }

    /// Number of steps made until `now`.
    pub(super) fn steps_at(self, now: Timestamp) -> u64 {
        let age = now.duration_since(self.since).max(SignedDuration::ZERO);
        u64::try_from(age.as_secs()).unwrap_or_default().min(self.steps)
    }

    /// Makes `steps` steps on the stored document.
    pub(super) fn advance(self, resource: Resource, value: &mut Value, steps: u64) {
        match resource {
            Resource::Deployments => advance_deployment(value, steps),
            Resource::Pods => run_pod(value, self.since + SignedDuration::from_secs(1)),
            Resource::PersistentVolumeClaims => bind_claim(value),
            Resource::Services | Resource::Namespaces => {}
        }
    }
}

fn replicas(deployment: &Value) -> u64 {
    deployment["spec"]["replicas"].as_u64().unwrap_or(1)
}

fn status(deployment: &Value, count: &str) -> u64 {
    deployment["status"][count].as_u64().unwrap_or_default()
}

fn advance_deployment(deployment: &mut Value, steps: u64) {
    let wanted = replicas(deployment);
    let available = wanted.min(status(deployment, "availableReplicas") + steps);
    let updated = wanted.min(status(deployment, "updatedReplicas") + steps);
    deployment["status"] = deployment_status(deployment, available, updated);
}

/// The status of a Deployment of which so many pods are available and so many have the current template.
pub(super) fn deployment_status(deployment: &Value, available: u64, updated: u64) -> Value {
    let wanted = replicas(deployment);
    let name = deployment["metadata"]["name"].as_str().unwrap_or_default();
    let complete = available == wanted && updated == wanted;
    // The default maxUnavailable of 25 %, rounded down.
    let enough = available >= wanted - wanted / 4;
    let mut status = json!({
        "observedGeneration": deployment["metadata"]["generation"],
        "conditions": [
            if enough {
                condition("Available", true, "MinimumReplicasAvailable", "Deployment has minimum availability.")
            } else {
                condition("Available", false, "MinimumReplicasUnavailable", "Deployment does not have minimum availability.")
            },
            if complete {
                condition("Progressing", true, "NewReplicaSetAvailable", &format!("ReplicaSet \"{name}\" has successfully progressed."))
            } else {
                condition("Progressing", true, "ReplicaSetUpdated", &format!("ReplicaSet \"{name}\" is progressing."))
            },
        ],
    });
    for (count, number) in [
        ("replicas", wanted),
        ("updatedReplicas", updated),
        ("readyReplicas", available),
        ("availableReplicas", available),
        ("unavailableReplicas", wanted - available),
    ] {
        if number > 0 {
            status[count] = json!(number);
        }
    }
    status
}

fn condition(kind: &str, holds: bool, reason: &str, message: &str) -> Value {
    json!({
        "type": kind,
        "status": if holds { "True" } else { "False" },
        "reason": reason,
        "message": message,
    })
}

/// Puts a pod on the one node and starts its containers.
pub(super) fn run_pod(pod: &mut Value, started: Timestamp) {
    let ip = identity::pod_ip(pod["metadata"]["uid"].as_str().unwrap_or_default());
    let started = identity::whole_seconds(started);
    let containers: Vec<Value> = pod["spec"]["containers"]
        .as_array()
        .into_iter()
        .flatten()
        .map(|container| {
            json!({
                "name": container["name"],
                "image": container["image"],
                "imageID": "",
                "ready": true,
                "started": true,
                "restartCount": 0,
                "lastState": {},
                "state": {"running": {"startedAt": started}},
            })
        })
        .collect();
    let conditions: Vec<Value> = ["Initialized", "Ready", "ContainersReady", "PodScheduled"]
        .iter()
        .map(|kind| json!({"type": kind, "status": "True", "lastProbeTime": null, "lastTransitionTime": started}))
        .collect();
    pod["spec"]["nodeName"] = json!(identity::NODE_NAME);
    let status = &mut pod["status"];
    status["phase"] = json!("Running");
    status["hostIP"] = json!(identity::NODE_IP);
    status["podIPs"] = json!([{"ip": ip}]);
    status["podIP"] = json!(ip);
    status["startTime"] = json!(started);
    status["conditions"] = json!(conditions);
    status["containerStatuses"] = json!(containers);
}

/// Gives a claim the volume that it asks for.
pub(super) fn bind_claim(claim: &mut Value) {
    let uid = claim["metadata"]["uid"].as_str().unwrap_or_default();
    claim["spec"]["volumeName"] = json!(format!("pvc-{uid}"));
    claim["status"] = json!({
        "phase": "Bound",
        "accessModes": claim["spec"]["accessModes"],
        "capacity": claim["spec"]["resources"]["requests"],
    });
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::super::object::Object;
    use super::*;

    fn deployment(replicas: u64) -> Value {
        json!({"metadata": {"name": "d", "generation": 1}, "spec": {"replicas": replicas, "template": {}}, "status": {}})
    }

    fn at(value: Value, rollout: Rollout, seconds: i64) -> Value {
        let resource = if value["spec"].get("replicas").is_some() { Resource::Deployments } else { Resource::Pods };
        let object = Arc::new(Object::new(resource, value, Some(rollout)));
        object.at(now() + SignedDuration::from_secs(seconds)).value()
    }

    fn now() -> Timestamp {
        Timestamp::UNIX_EPOCH
    }

    #[test]
    fn available_replicas_climb_one_a_second_up_to_the_spec() {
        let mut value = deployment(3);
        let rollout = Rollout::begin(Resource::Deployments, &mut value, None, now());
        for (seconds, expected) in [(-5, 0), (0, 0), (1, 1), (2, 2), (3, 3), (60, 3)] {
            let seen = at(value.clone(), rollout, seconds);
            assert_eq!(status(&seen, "availableReplicas"), expected, "after {seconds} s");
        }
    }

    #[test]
    fn scaling_goes_on_from_what_is_available() {
        let mut value = deployment(2);
        let rollout = Rollout::begin(Resource::Deployments, &mut value, None, now());
        let old = at(value, rollout, 2);
        let mut new = old.clone();
        new["spec"]["replicas"] = json!(5);
        let rollout = Rollout::begin(Resource::Deployments, &mut new, Some(&old), now());
        assert_eq!(status(&at(new.clone(), rollout, 0), "availableReplicas"), 2);
        assert_eq!(status(&at(new, rollout, 1), "availableReplicas"), 3);
        let mut fewer = old.clone();
        fewer["spec"]["replicas"] = json!(1);
        Rollout::begin(Resource::Deployments, &mut fewer, Some(&old), now());
        assert_eq!(status(&fewer, "availableReplicas"), 1);
    }

    #[test]
    fn a_new_template_keeps_pods_available_while_it_is_rolled_out() {
        let mut old = deployment(2);
        old["status"] = deployment_status(&old, 2, 2);
        let mut new = old.clone();
        new["spec"]["template"] = json!({"spec": {"containers": []}});
        let rollout = Rollout::begin(Resource::Deployments, &mut new, Some(&old), now());
        let seen = at(new, rollout, 1);
        assert_eq!(status(&seen, "updatedReplicas"), 1);
        assert_eq!(status(&seen, "availableReplicas"), 2);
    }

    #[test]
    fn a_pod_runs_and_has_an_address_after_a_second() {
        let mut value = json!({"metadata": {"name": "p", "uid": "u"}, "spec": {"containers": [{"name": "main"}]}, "status": {"phase": "Pending"}});
        let rollout = Rollout::begin(Resource::Pods, &mut value, None, now());
        assert_eq!(at(value.clone(), rollout, 0)["status"]["phase"], "Pending");
        let seen = at(value, rollout, 1);
        assert_eq!(seen["status"]["phase"], "Running");
        assert!(seen["status"]["podIP"].as_str().unwrap().starts_with("10."));
    }
}
