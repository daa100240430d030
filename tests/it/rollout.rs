//! Rollouts by Kubernetes' own controllers: the way of a service to Running or Failed, and the end of its storage. The
//! sandbox only imitates them, and no other test has them.

use crate::support::controller::Controller;
use crate::support::live::ApiServer;
use crate::support::replica::until;
use crate::support::{Cluster, on_an_api_server};
use k8s_openapi::api::apps::v1::{Deployment, ReplicaSet};
use k8s_openapi::api::core::v1::{PersistentVolumeClaim, Pod, Service};
use kube::api::{ListParams, Patch, PatchParams};
use kube::{Api, Resource, ResourceExt};
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use std::fmt::Debug;
use std::fs;

on_an_api_server! {
    if has_controller_manager or "needs kube-controller-manager in KUBEBUILDER_ASSETS":
    a_service_is_running_when_its_pods_are,
    a_service_whose_pods_do_not_come_up_has_failed,
    storage_is_gone_when_the_pods_that_used_it_are,
}

/// Nothing is remembered, so that each look sees what is.
const FORGETFUL: [(&str, &str); 2] = [("memo.list_ttl_ms", "0"), ("memo.get_ttl_ms", "0")];

fn weather(settings: Value) -> Value {
    let mut deploy = json!({"serviceName": "weather-main", "replicas": 2});
    deploy.as_object_mut().unwrap().extend(settings.as_object().unwrap().clone());
    json!({
        "name": "weather",
        "version": "1.0.2",
        "artifacts": [{"type": "image", "content": "registry.example.com/aenv/weather:1.0.2"}],
        "deployConfig": deploy,
    })
}

async fn all<K>(cluster: &Cluster) -> Vec<K>
where
    K: Resource<DynamicType = (), Scope = kube::core::NamespaceResourceScope> + Clone + DeserializeOwned + Debug,
{
    let api = Api::<K>::namespaced(cluster.client(), cluster.namespace());
    api.list(&ListParams::default()).await.unwrap().items
}

/// The statuses that a kubelet would give to so many of the pods.
async fn make_ready(cluster: &Cluster, number: usize) {
    let pods = Api::<Pod>::namespaced(cluster.client(), cluster.namespace());
    let ready = json!({"status": {"phase": "Running", "conditions": [{"type": "Ready", "status": "True"}]}});
    for pod in all::<Pod>(cluster).await.iter().take(number) {
        pods.patch_status(&pod.name_any(), &PatchParams::default(), &Patch::Merge(&ready)).await.unwrap();
    }
}

async fn status(controller: &Controller) -> Value {
    controller.get("/services/weather-main").await.body["data"]["status"].clone()
}

async fn a_service_is_running_when_its_pods_are() {
    let server = ApiServer::with_controllers().await;
    let cluster = server.cluster().await;
    let controller = Controller::with(&cluster, &FORGETFUL).await;
    let made = controller.post("/services", &weather(json!({}))).await;
    assert_eq!((made.status.as_u16(), &made.body["data"]["status"]), (201, &json!("Creating")));

    until("there are pods", async || all::<Pod>(&cluster).await.len() == 2).await;
    assert_eq!(status(&controller).await, "Creating");
    make_ready(&cluster, 1).await;
    until("one of two is up", async || status(&controller).await == "Updating").await;
    make_ready(&cluster, 2).await;
    until("both are up", async || status(&controller).await == "Running").await;

    controller.put("/services/weather-main", &json!({"replicas": 1})).await;
    until("one pod goes", async || all::<Pod>(&cluster).await.len() == 1).await;
    until("one is enough", async || status(&controller).await == "Running").await;
}

async fn a_service_whose_pods_do_not_come_up_has_failed() {
    let templates = tempfile::tempdir().unwrap();
    let template = include_str!("../../src/aenv/templates/defaults/deployment.yaml");
    let impatient = template.replace("spec:\n  replicas: 1\n", "spec:\n  replicas: 1\n  progressDeadlineSeconds: 1\n");
    assert_ne!(impatient, template);
    fs::write(templates.path().join("deployment.yaml"), impatient).unwrap();
    let server = ApiServer::with_controllers().await;
    let cluster = server.cluster().await;
    let dir = [("templates.dir", templates.path().to_str().unwrap())];
    let controller = Controller::with(&cluster, &[&FORGETFUL[..], &dir].concat()).await;

    assert_eq!(controller.post("/services", &weather(json!({}))).await.status, 201);
    until("the deadline for progress has passed", async || status(&controller).await == "Failed").await;
    make_ready(&cluster, 2).await;
    until("it came up after all", async || status(&controller).await == "Running").await;
}

async fn storage_is_gone_when_the_pods_that_used_it_are() {
    let server = ApiServer::with_controllers().await;
    let cluster = server.cluster().await;
    let controller = Controller::with(&cluster, &FORGETFUL).await;
    let made = controller.post("/services", &weather(json!({"storageSize": "1Gi", "replicas": 1}))).await;
    assert_eq!(made.status, 201, "{made:?}");
    until("there is a pod", async || all::<Pod>(&cluster).await.len() == 1).await;
    assert_eq!(all::<PersistentVolumeClaim>(&cluster).await.len(), 1);

    let gone = controller.delete("/services/weather-main?deleteStorage=true").await;
    assert_eq!((gone.status.as_u16(), &gone.body["data"]), (200, &json!(true)));
    until("nothing is left", async || {
        all::<Deployment>(&cluster).await.is_empty()
            && all::<ReplicaSet>(&cluster).await.is_empty()
            && all::<Pod>(&cluster).await.is_empty()
            && all::<Service>(&cluster).await.is_empty()
            && all::<PersistentVolumeClaim>(&cluster).await.is_empty()
    })
    .await;
}
