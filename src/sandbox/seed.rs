//! The services and pods that a sandbox starts with, the same ones every time, told apart by their index.
//!
//! They cover what a screen or a test has to cope with: services without a Service, without labels, with a
//! claim, half available; pods in every phase, with and without a TTL, expired ones among them.

use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};

use super::defaults;
use super::identity;
use super::object::Object;
use super::resource::Resource;
use super::rollout::{self, Rollout};
use super::server_fields::{give_address, initial_status, stamp};
use super::store::{Key, Store};

pub(super) const ENVIRONMENTS: [&str; 4] = ["weather", "swe-bench", "terminal", "browser"];
const VERSIONS: [&str; 3] = ["1.0.0", "1.0.2", "2.1.0"];
const OWNERS: [&str; 3] = ["jun", "mika", "ops"];
const NAME_LETTERS: &[u8] = b"abcdefghijklmnopqrstuvwxyz0123456789";

/// Seeds: the objects of a new sandbox.
pub(super) struct Seed<'a> {
    pub(super) services: usize,
    pub(super) pods: usize,
    pub(super) namespace: &'a str,
    /// True if what is seeded moves when it is changed.
    pub(super) rollout: bool,
    pub(super) now: Timestamp,
}

impl Seed<'_> {
    pub(super) fn plant(&self) -> Store {
        let mut store = Store::default();
        for name in ["default", self.namespace] {
            let document = json!({"metadata": {"name": name, "labels": {"kubernetes.io/metadata.name": name}}});
            self.put(&mut store, Resource::Namespaces, document, SignedDuration::from_hours(72), |_| {});
        }
        for index in 0..self.services {
            self.service(&mut store, index);
        }
        for index in 0..self.pods {
            self.pod(&mut store, index);
        }
        store
    }

    fn service(&self, store: &mut Store, index: usize) {
        let environment = pick(&ENVIRONMENTS, index);
        let name = format!("{environment}-svc-{}", suffix(index));
        let version = pick(&VERSIONS, index / 4);
        let mut labels = json!({"business/aenv-name": environment, "business/aenv-version": version});
        let service_labels = labels.clone();
        if index % 5 != 4 {
            labels["business/aenv-owner"] = json!(pick(&OWNERS, index / 12));
        }
        let mut template_labels = labels.clone();
        template_labels["app"] = json!(name);
        labels["app.kubernetes.io/name"] = json!("aenv-service");
        if index % 23 == 5 {
            labels = json!({});
        }
        let mut container = container(environment, version, "1", "2Gi");
        container["ports"] = json!([{"containerPort": 8080}]);
        if index % 5 == 1 {
            container["env"] = json!([{"name": "LOG_LEVEL", "value": "debug"}, {"name": "REGION", "value": "eu"}]);
        }
        let mut pod_spec = json!({"automountServiceAccountToken": false, "containers": [container]});
        if index % 11 == 7 {
            pod_spec["containers"][0]["volumeMounts"] = json!([{"name": "data", "mountPath": "/home/admin/data"}]);
            pod_spec["volumes"] = json!([{"name": "data", "persistentVolumeClaim": {"claimName": name}}]);
        }
        let has_claim = pod_spec.get("volumes").is_some();
        let replicas = if has_claim { 1 } else { number(index) % 3 + 1 };
        let missing = if index % 7 == 2 { 1 } else { 0 };
        let age = SignedDuration::from_secs(1_800 + 97 * small(index));
        let deployment = json!({
            "metadata": {"name": name, "labels": labels},
            "spec": {
                "replicas": replicas,
                "selector": {"matchLabels": {"app": name}},
                "template": {"metadata": {"labels": template_labels}, "spec": pod_spec},
            },
        });
        self.put(store, Resource::Deployments, deployment, age, |deployment| {
            deployment["status"] = rollout::deployment_status(deployment, replicas - missing, replicas);
        });
        if index % 17 != 3 {
            let service = json!({
                "metadata": {"name": name, "labels": service_labels},
                "spec": {"selector": {"app": name}, "ports": [{"name": "http", "port": 8080}]},
            });
            self.put(store, Resource::Services, service, age, |_| {});
        }
        if has_claim {
            let claim = json!({
                "metadata": {"name": name, "labels": service_labels},
                "spec": {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "10Gi"}}},
            });
            self.put(store, Resource::PersistentVolumeClaims, claim, age, rollout::bind_claim);
        }
    }

    fn pod(&self, store: &mut Store, index: usize) {
        let environment = pick(&ENVIRONMENTS, index);
        // Far from the services, so that no name says that a pod belongs to one of them.
        let name = format!("{environment}-{}", suffix(index + 1_000_000));
        let version = pick(&VERSIONS, index / 4);
        let mut labels = json!({
            "app.kubernetes.io/name": "aenv-sandbox",
            "template-type": "singleContainer",
            "business/aenv-name": environment,
            "business/aenv-version": version,
        });
        if index % 5 != 4 {
            labels["business/aenv-owner"] = json!(pick(&OWNERS, index / 12));
        }
        let ttl = match index % 6 {
            0 => Some("10m"),
            2 => Some("24h"),
            _ => None,
        };
        if let Some(ttl) = ttl {
            labels["business/aenv-ttl"] = json!(ttl);
        }
        if index % 41 == 39 {
            labels = json!({});
        }
        // From one minute to three hours: of the pods with the short TTL, most have outlived it.
        let age = SignedDuration::from_mins(1 + small(index) * 7 % 180);
        let mut container = container(environment, version, "2", "4Gi");
        container["env"] = json!([{"name": "AENV_TYPE", "value": "singleContainer"}]);
        let pod = json!({
            "metadata": {"name": name, "labels": labels},
            "spec": {"automountServiceAccountToken": false, "restartPolicy": "Never", "containers": [container]},
        });
        let started = self.now - age;
        self.put(store, Resource::Pods, pod, age, |pod| match index % 13 {
            6 => pod["status"]["containerStatuses"] = waiting(environment),
            phase => {
                rollout::run_pod(pod, started);
                match phase {
                    9 => finish(pod, "Succeeded", "Completed", 0),
                    11 => finish(pod, "Failed", "Error", 1),
                    _ => {}
                }
            }
        });
    }

    fn put(
        &self,
        store: &mut Store,
        resource: Resource,
        mut document: Value,
        age: SignedDuration,
        finish: impl FnOnce(&mut Value),
    ) {
        let revision = store.next_revision();
        let namespace = if resource.namespaced() { self.namespace } else { "" };
        stamp(resource, &mut document["metadata"], namespace, revision, self.now - age);
        document["metadata"]["resourceVersion"] = json!(revision.to_string());
        defaults::apply(resource, &mut document);
        if resource == Resource::Services {
            give_address(&mut document, revision);
        }
        document["status"] = initial_status(resource, &document);
        finish(&mut document);
        let key = Key {
            namespace: namespace.to_owned(),
            name: document["metadata"]["name"].as_str().unwrap_or_default().to_owned(),
        };
        let rollout = self.rollout.then(Rollout::settled);
        store.put(resource, key, Object::new(resource, document, rollout));
    }
}

fn container(environment: &str, version: &str, cpu: &str, memory: &str) -> Value {
    let amounts = json!({"cpu": cpu, "memory": memory, "ephemeral-storage": "10Gi"});
    json!({
        "name": "main",
        "image": format!("registry.example.com/aenv/{environment}:{version}"),
        "resources": {"limits": amounts, "requests": amounts},
    })
}

fn waiting(environment: &str) -> Value {
    let why = json!({"reason": "ImagePullBackOff", "message": format!("Back-off pulling image of {environment}")});
    json!([{"name": "main", "ready": false, "started": false, "restartCount": 0, "state": {"waiting": why}}])
}

fn finish(pod: &mut Value, phase: &str, reason: &str, exit_code: i32) {
    pod["status"]["phase"] = json!(phase);
    for condition in pod["status"]["conditions"].as_array_mut().into_iter().flatten() {
        if matches!(condition["type"].as_str(), Some("Ready" | "ContainersReady")) {
            condition["status"] = json!("False");
        }
    }
    let container = &mut pod["status"]["containerStatuses"][0];
    container["ready"] = json!(false);
    container["started"] = json!(false);
    container["state"] = json!({"terminated": {"reason": reason, "exitCode": exit_code}});
}

fn pick<'a>(words: &[&'a str], index: usize) -> &'a str {
    words[index % words.len()]
}

/// Six letters that two indexes below a few million hardly ever share within an environment.
fn suffix(index: usize) -> String {
    identity::letters(number(index), NAME_LETTERS, 6)
}

fn number(index: usize) -> u64 {
    u64::try_from(index).unwrap_or(u64::MAX)
}

/// An index as a factor of an age; beyond a month's worth they all look alike.
fn small(index: usize) -> i64 {
    i64::try_from(index % 20_000).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    fn seeded(services: usize, pods: usize) -> Store {
        Seed {
            services,
            pods,
            namespace: "ns",
            rollout: true,
            now: Timestamp::UNIX_EPOCH + SignedDuration::from_hours(24 * 365),
        }
        .plant()
    }

    fn documents(store: &Store, resource: Resource) -> Vec<Value> {
        let found = store.scan(resource, None, None, store.revision()).unwrap();
        found.map(|(_, object)| object.value()).collect()
    }

    #[test]
    fn every_sandbox_starts_with_the_same_objects() {
        let (one, other) = (seeded(30, 60), seeded(30, 60));
        for resource in Resource::ALL {
            assert_eq!(documents(&one, resource), documents(&other, resource));
        }
        assert_eq!(documents(&one, Resource::Deployments).len(), 30);
        assert_eq!(documents(&one, Resource::Pods).len(), 60);
        assert!(documents(&one, Resource::Services).len() < 30);
        assert!(!documents(&one, Resource::PersistentVolumeClaims).is_empty());
    }

    #[test]
    fn ten_thousand_pods_have_names_of_their_own_and_every_phase() {
        let pods = documents(&seeded(0, 10_000), Resource::Pods);
        assert_eq!(pods.len(), 10_000);
        let phases: BTreeSet<_> = pods.iter().map(|pod| pod["status"]["phase"].to_string()).collect();
        assert_eq!(phases.len(), 4);
    }
}
