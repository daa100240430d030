//! The objects that a test finds in its cluster, built as the controller and its users would leave them.
//!
//! The labels are those of the wire contract, spelt out here so that a slip in `src/labels.rs` cannot hide.
//! Status goes through the `/status` subresource, as the kubelet and the controller manager write it. A real
//! API server and the sandbox take exactly the same calls.

use std::{fmt::Debug, marker::PhantomData};

use k8s_openapi::{
    NamespaceResourceScope,
    api::{
        apps::v1::Deployment,
        core::v1::{PersistentVolumeClaim, Pod, Service},
    },
};
use kube::{
    Api, Client, Resource,
    api::{DeleteParams, Patch, PatchParams, PostParams},
};
use serde::{Serialize, de::DeserializeOwned};
use serde_json::{Value, json};
use tokio::task::JoinSet;

use super::Cluster;

/// Enough to keep a kube-apiserver on two cores busy; more only collide in its allocator of cluster IPs.
const CONCURRENCY: usize = 16;

/// The Deployment of an environment service: one replica, not available yet.
pub(crate) fn deployment(name: impl Into<String>) -> Seed<Deployment> {
    let name = name.into();
    let labels = json!({"app": name});
    let container = json!({"name": "main", "image": "registry.example.com/aenv/weather:1.0.2"});
    Seed::new(json!({
        "metadata": {"name": name, "labels": {"app.kubernetes.io/name": "aenv-service"}},
        "spec": {
            "replicas": 1,
            "selector": {"matchLabels": labels},
            "template": {"metadata": {"labels": labels}, "spec": {"containers": [container]}},
        },
    }))
}

/// The Service of an environment service.
pub(crate) fn service(name: impl Into<String>, port: u16) -> Seed<Service> {
    let name = name.into();
    Seed::new(json!({
        "metadata": {"name": name},
        "spec": {"selector": {"app": name}, "ports": [{"name": "http", "port": port, "targetPort": port}]},
    }))
}

/// The storage of an environment service.
pub(crate) fn claim(name: impl Into<String>) -> Seed<PersistentVolumeClaim> {
    Seed::new(json!({
        "metadata": {"name": name.into()},
        "spec": {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "10Gi"}}},
    }))
}

/// The Pod of an environment instance: pending, without an address.
pub(crate) fn pod(name: impl Into<String>) -> Seed<Pod> {
    let container = json!({"name": "main", "image": "registry.example.com/aenv/weather:1.0.2"});
    Seed::new(json!({
        "metadata": {"name": name.into(), "labels": {"app.kubernetes.io/name": "aenv-sandbox"}},
        "spec": {"containers": [container], "restartPolicy": "Never"},
    }))
}

/// Creates many objects, a few at a time.
pub(crate) async fn create_all<K: Kind>(cluster: &Cluster, seeds: impl IntoIterator<Item = Seed<K>>) {
    let mut under_way = JoinSet::new();
    for seed in seeds {
        if under_way.len() == CONCURRENCY {
            under_way.join_next().await.unwrap().unwrap();
        }
        under_way.spawn(seed.create_in(cluster.client(), cluster.namespace().to_owned()));
    }
    under_way.join_all().await;
}

/// Six services and six instances of the environment `weather`: `weather-0`, `weather-1`…
pub(crate) async fn weather(cluster: &Cluster) {
    let names = || (0..6).map(|n| format!("weather-{n}"));
    create_all(cluster, names().map(|name| deployment(name).env("weather"))).await;
    create_all(cluster, names().map(|name| service(name, 8080).env("weather"))).await;
    create_all(cluster, names().map(|name| pod(name).env("weather"))).await;
}

/// Common parts of the objects here.
pub(crate) trait Kind:
    Resource<Scope = NamespaceResourceScope, DynamicType = ()>
    + Clone
    + Debug
    + DeserializeOwned
    + Serialize
    + Send
    + Sync
    + 'static
{
}

impl Kind for Deployment {}
impl Kind for PersistentVolumeClaim {}
impl Kind for Pod {}
impl Kind for Service {}

/// An object to be created, and the status that it will have.
#[must_use = "a seed does nothing until it is created"]
pub(crate) struct Seed<K> {
    manifest: Value,
    status: Value,
    terminating: bool,
    kind: PhantomData<K>,
}

impl<K: Kind> Seed<K> {
    fn new(manifest: Value) -> Self {
        Self { manifest, status: Value::Null, terminating: false, kind: PhantomData }
    }

    pub(crate) fn annotation(mut self, key: &str, value: &str) -> Self {
        self.manifest["metadata"]["annotations"][key] = value.into();
        self
    }

    pub(crate) fn label(mut self, key: &str, value: &str) -> Self {
        self.manifest["metadata"]["labels"][key] = value.into();
        self
    }

    /// The name of its environment.
    pub(crate) fn env(self, name: &str) -> Self {
        self.label("business/aenv-name", name)
    }

    /// The version of its environment.
    pub(crate) fn version(self, version: &str) -> Self {
        self.label("business/aenv-version", version)
    }

    pub(crate) fn owner(self, owner: &str) -> Self {
        self.label("business/aenv-owner", owner)
    }

    /// Held back by a finalizer once it is deleted.
    pub(crate) fn held(mut self) -> Self {
        self.manifest["metadata"]["finalizers"] = json!(["example.com/hold"]);
        self
    }

    /// Deleted already, but held back.
    pub(crate) fn terminating(self) -> Self {
        Self { terminating: true, ..self.held() }
    }

    /// Creates it in the cluster's namespace.
    pub(crate) async fn create(self, cluster: &Cluster) {
        self.create_in(cluster.client(), cluster.namespace().to_owned()).await;
    }

    async fn create_in(self, client: Client, namespace: String) {
        let api = Api::<K>::namespaced(client, &namespace);
        let object = serde_json::from_value(self.manifest).unwrap();
        let name = api.create(&PostParams::default(), &object).await.unwrap().meta().name.clone().unwrap();
        if !self.status.is_null() {
            let patch = Patch::Merge(json!({"status": self.status}));
            api.patch_status(&name, &PatchParams::default(), &patch).await.unwrap();
        }
        if self.terminating {
            api.delete(&name, &DeleteParams::default()).await.unwrap();
        }
    }
}

impl Seed<Deployment> {
    /// Number of replicas that are wanted.
    pub(crate) fn replicas(mut self, count: u32) -> Self {
        self.manifest["spec"]["replicas"] = count.into();
        self
    }

    /// Number of the replicas, which are named first, that are up.
    pub(crate) fn available(mut self, count: u32) -> Self {
        let replicas = self.manifest["spec"]["replicas"].clone();
        self.status["observedGeneration"] = 1.into();
        self.status["replicas"] = replicas.clone();
        self.status["updatedReplicas"] = replicas;
        self.status["readyReplicas"] = count.into();
        self.status["availableReplicas"] = count.into();
        self
    }

    /// Replaces the conditions with one: `("Progressing", "False", "ProgressDeadlineExceeded")`.
    pub(crate) fn condition(mut self, kind: &str, status: &str, reason: &str) -> Self {
        self.status["conditions"] = json!([{"type": kind, "status": status, "reason": reason}]);
        self
    }

    pub(crate) fn env_var(mut self, name: &str, value: &str) -> Self {
        let env = &mut self.manifest["spec"]["template"]["spec"]["containers"][0]["env"];
        push(env, json!({"name": name, "value": value}));
        self
    }

    /// Mounts the claim of this name.
    pub(crate) fn pvc(mut self, claim: &str) -> Self {
        let pod = &mut self.manifest["spec"]["template"]["spec"];
        push(&mut pod["volumes"], json!({"name": "data", "persistentVolumeClaim": {"claimName": claim}}));
        push(&mut pod["containers"][0]["volumeMounts"], json!({"name": "data", "mountPath": "/data"}));
        self
    }
}

impl Seed<Pod> {
    /// Time to live, as a Go duration.
    pub(crate) fn ttl(self, ttl: &str) -> Self {
        self.label("business/aenv-ttl", ttl)
    }

    /// `Running`, `Succeeded`, `Failed`; `Pending` is what it is anyway.
    pub(crate) fn phase(mut self, phase: &str) -> Self {
        self.status["phase"] = phase.into();
        self
    }

    pub(crate) fn ip(mut self, ip: &str) -> Self {
        self.status["podIP"] = ip.into();
        self.status["podIPs"] = json!([{"ip": ip}]);
        self
    }
}

/// Appends to a list that may not be there yet.
fn push(list: &mut Value, item: Value) {
    match list {
        Value::Array(items) => items.push(item),
        none => *none = json!([item]),
    }
}
