//! Waiting for a state instead of polling for it.

use crate::support::controller::{Controller, send};
use crate::support::{Cluster, on_every_cluster, seed};
use k8s_openapi::api::core::v1::Pod;
use kube::Api;
use kube::api::{Patch, PatchParams};
use reqwest::{Method, StatusCode};
use serde_json::json;
use tokio::time::{Duration, Instant, sleep};

on_every_cluster! {
    the_answer_comes_when_the_state_is_reached,
    the_answer_comes_when_the_time_is_up,
    a_terminal_phase_ends_every_wait,
    a_pod_that_is_there_already_is_answered_at_once,
    many_who_wait_share_their_looks,
    a_state_that_does_not_exist_is_refused_and_costs_nothing,
    a_pod_that_does_not_exist_is_not_waited_for,
}

async fn run(cluster: &Cluster, name: &str, phase: &str) {
    let pods: Api<Pod> = Api::namespaced(cluster.client(), cluster.namespace());
    let status = Patch::Merge(json!({"status": {"phase": phase}}));
    pods.patch_status(name, &PatchParams::default(), &status).await.unwrap();
}

async fn wait(controller: &Controller, path: &str, seconds: u64) -> crate::support::controller::Answer {
    send(controller.request(Method::GET, path).header("Prefer", format!("wait={seconds}"))).await
}

async fn the_answer_comes_when_the_state_is_reached(cluster: Cluster) {
    seed::pod("slow").create(&cluster).await;
    let controller = Controller::on(&cluster).await;
    let waiting = async {
        sleep(Duration::from_millis(1500)).await;
        run(&cluster, "slow", "Running").await;
    };
    let (answer, ()) = tokio::join!(wait(&controller, "/pods/slow?wait_for=Running", 20), waiting);
    assert_eq!((answer.status, &answer.body["data"]["status"]), (StatusCode::OK, &json!("Running")));
    assert_eq!(answer.header("preference-applied"), "wait=20");
}

async fn the_answer_comes_when_the_time_is_up(cluster: Cluster) {
    seed::pod("stuck").create(&cluster).await;
    let controller = Controller::on(&cluster).await;
    let began = Instant::now();
    let answer = wait(&controller, "/env-instance/stuck?wait_for=Running", 2).await;
    assert!(began.elapsed() >= Duration::from_secs(2));
    assert_eq!((answer.status, &answer.body["data"]["status"]), (StatusCode::OK, &json!("Pending")));
    assert_eq!(answer.header("preference-applied"), "wait=2");
}

async fn a_terminal_phase_ends_every_wait(cluster: Cluster) {
    seed::pod("broken").phase("Failed").create(&cluster).await;
    let controller = Controller::on(&cluster).await;
    let answer = wait(&controller, "/pods/broken?wait_for=Running", 20).await;
    assert_eq!(answer.body["data"]["status"], "Failed");
}

async fn a_pod_that_is_there_already_is_answered_at_once(cluster: Cluster) {
    seed::pod("ready").phase("Running").create(&cluster).await;
    let controller = Controller::on(&cluster).await;
    cluster.reset_calls();
    let answer = controller.get("/pods/ready?wait_for=succeeded,running").await;
    assert_eq!((&answer.body["data"]["status"], cluster.calls().total), (&json!("Running"), 1));
}

async fn many_who_wait_share_their_looks(cluster: Cluster) {
    seed::create_all(&cluster, (0..100).map(|n| seed::pod(format!("p-{n}")))).await;
    let controller = Controller::on(&cluster).await;
    cluster.reset_calls();
    let callers = (0..100).map(|n| {
        let request = controller.request(Method::GET, &format!("/pods/p-{n}?wait_for=Running"));
        send(request.header("Prefer", "wait=6"))
    });
    let answers = callers.collect::<tokio::task::JoinSet<_>>().join_all().await;
    assert!(answers.iter().all(|answer| answer.status == StatusCode::OK));
    // 100 callers that poll once a second would ask 600 times.
    let calls = cluster.calls().total;
    assert!(calls <= 150, "{calls}");
}

async fn a_state_that_does_not_exist_is_refused_and_costs_nothing(cluster: Cluster) {
    let controller = Controller::on(&cluster).await;
    cluster.reset_calls();
    for path in ["/pods/a?wait_for=Ready", "/services/a?wait_for=Pending"] {
        let answer = controller.get(path).await;
        assert!(answer.failure(400).starts_with("wait_for: "), "{path}");
    }
    assert_eq!(cluster.calls().total, 0);
}

async fn a_pod_that_does_not_exist_is_not_waited_for(cluster: Cluster) {
    let controller = Controller::on(&cluster).await;
    wait(&controller, "/pods/none?wait_for=Running", 20).await.failure(404);
}
