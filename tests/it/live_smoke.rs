//! The test support itself: what is seeded can be read, what the controller asks is counted, outages are outages.

use std::time::Duration;

use k8s_openapi::api::{
    apps::v1::Deployment,
    core::v1::{PersistentVolumeClaim, Pod, Service},
};
use kube::{Api, api::ListParams};
use tokio::time::timeout;

use crate::support::{CallCount, Cluster, connect, live::ApiServer, on_an_api_server, on_every_cluster, seed};

on_every_cluster! {
    seeded_objects_are_there_with_their_status,
    the_controllers_calls_are_counted,
    a_terminating_pod_is_still_listed,
    many_objects_are_seeded_in_reasonable_time,
}

on_an_api_server! {
    an_api_server_of_ones_own_can_freeze_and_die,
}

async fn seeded_objects_are_there_with_their_status(cluster: Cluster) {
    seed::claim("wdata").env("weather").create(&cluster).await;
    seed::deployment("weather-main")
        .env("weather")
        .version("1.0.2")
        .owner("jun")
        .replicas(2)
        .available(1)
        .condition("Progressing", "False", "ProgressDeadlineExceeded")
        .env_var("K1", "v1")
        .env_var("K2", "v2")
        .pvc("wdata")
        .create(&cluster)
        .await;
    seed::service("weather-main", 9000).env("weather").create(&cluster).await;
    seed::pod("weather-3ue90w").env("weather").ttl("30m").phase("Running").ip("10.1.0.1").create(&cluster).await;

    let deployment = api::<Deployment>(&cluster).get("weather-main").await.unwrap();
    let labels = deployment.metadata.labels.unwrap();
    assert_eq!(labels["business/aenv-name"], "weather");
    assert_eq!(labels["business/aenv-version"], "1.0.2");
    assert_eq!(labels["business/aenv-owner"], "jun");
    let spec = deployment.spec;
    assert_eq!(spec.replicas, Some(2));
    let template = spec.template.spec.unwrap();
    assert_eq!(template.containers[0].env.as_ref().unwrap().len(), 2);
    let claim = template.volumes.unwrap().remove(0).persistent_volume_claim.unwrap();
    assert_eq!(claim.claim_name, "wdata");
    let status = deployment.status.unwrap();
    assert_eq!(status.available_replicas, Some(1));
    let reason = status.conditions.unwrap().remove(0).reason;
    assert_eq!(reason.as_deref(), Some("ProgressDeadlineExceeded"));

    let service = api::<Service>(&cluster).get("weather-main").await.unwrap();
    assert_eq!(service.spec.unwrap().ports.unwrap()[0].port, 9000);
    api::<PersistentVolumeClaim>(&cluster).get("wdata").await.unwrap();

    let pod = api::<Pod>(&cluster).get("weather-3ue90w").await.unwrap();
    assert_eq!(pod.metadata.labels.unwrap()["business/aenv-ttl"], "30m");
    let status = pod.status.unwrap();
    assert_eq!(status.phase.as_deref(), Some("Running"));
    assert_eq!(status.pod_ip.as_deref(), Some("10.1.0.1"));
}

async fn the_controllers_calls_are_counted(cluster: Cluster) {
    let controller = connect(cluster.kubeconfig_path()).await;
    let pods = Api::<Pod>::namespaced(controller, cluster.namespace());
    assert_eq!(cluster.calls().total, 0);

    seed::pod("weather-1").env("weather").create(&cluster).await;
    cluster.reset_calls();
    let listed = pods.list(&ListParams::default()).await.unwrap();
    assert_eq!(listed.items.len(), 1);
    let calls = cluster.calls();
    assert_eq!(calls.total, 1);
    assert_eq!(calls.by, [call("list", "pods", 200, 1)]);

    cluster.reset_calls();
    assert!(pods.get_opt("nope").await.unwrap().is_none());
    assert!(pods.get_opt("nope").await.unwrap().is_none());
    pods.get("weather-1").await.unwrap();
    let calls = cluster.calls();
    assert_eq!(calls.of("get", "pods"), 3);
    assert_eq!(calls.by, [call("get", "pods", 200, 1), call("get", "pods", 404, 2)]);
}

async fn a_terminating_pod_is_still_listed(cluster: Cluster) {
    seed::pod("weather-1").terminating().create(&cluster).await;

    let pod = api::<Pod>(&cluster).get("weather-1").await.unwrap();
    assert!(pod.metadata.deletion_timestamp.is_some());
}

async fn many_objects_are_seeded_in_reasonable_time(cluster: Cluster) {
    let names = || (0..200).map(|n| format!("weather-{n:04}"));
    let seeding = async {
        seed::create_all(&cluster, names().map(|name| seed::deployment(name).available(1))).await;
        seed::create_all(&cluster, names().map(|name| seed::service(name, 8080))).await;
    };
    timeout(Duration::from_secs(30), seeding).await.unwrap();

    let page = ListParams::default().limit(150);
    let first = api::<Deployment>(&cluster).list(&page).await.unwrap();
    assert_eq!(first.items.len(), 150);
    assert_eq!(first.metadata.remaining_item_count, Some(50));
    let services = api::<Service>(&cluster).list(&ListParams::default()).await.unwrap();
    assert_eq!(services.items.len(), 200);
}

async fn an_api_server_of_ones_own_can_freeze_and_die() {
    let mut server = ApiServer::own().await;
    let cluster = server.cluster().await;
    seed::pod("weather-1").create(&cluster).await;
    let pods = api::<Pod>(&cluster);
    let patience = Duration::from_millis(500);

    server.freeze().await;
    assert!(timeout(patience, pods.get("weather-1")).await.is_err());
    server.thaw();
    pods.get("weather-1").await.unwrap();

    server.kill();
    pods.get("weather-1").await.unwrap_err();
    server.restart().await;
    pods.get("weather-1").await.unwrap();
}

fn api<K: seed::Kind>(cluster: &Cluster) -> Api<K> {
    Api::namespaced(cluster.client(), cluster.namespace())
}

fn call(verb: &str, resource: &str, code: u16, count: u64) -> CallCount {
    CallCount { verb: verb.to_owned(), resource: resource.to_owned(), code, count }
}
