//! Creates that were cut off in the middle, and are asked for again.

use super::*;
use k8s_openapi::api::core::v1::Service;
use kube::Api;
use kube::api::DeleteParams;

/// A service that a replica has left without its last object, as one that is killed does.
async fn left_halfway(cluster: &Cluster) -> Controller {
    let controller = Controller::with(cluster, &QUICK).await;
    assert_eq!(controller.post(SERVICE.path, &SERVICE.body()).await.status, 201);
    let services = Api::<Service>::namespaced(cluster.client(), cluster.namespace());
    services.delete("tides-live", &DeleteParams::default()).await.unwrap();
    controller
}

const ALL: [&str; 3] = ["deployments/tides-live", "persistentvolumeclaims/tides-data", "services/tides-live"];

async fn the_same_create_asked_again_completes_what_was_left_halfway(cluster: Cluster) {
    let controller = left_halfway(&cluster).await;
    let answer = controller.post(SERVICE.path, &SERVICE.body()).await;
    assert_eq!((answer.status.as_u16(), &answer.body["data"]["id"]), (201, &json!("tides-live")), "{:?}", answer.body);
    controller.post(SERVICE.path, &SERVICE.body()).await.failure(409);
    controller.stop().await;
    assert_eq!(stock::taken(&cluster).await.into_keys().collect::<Vec<_>>(), ALL);
}

async fn another_create_does_not_complete_it(cluster: Cluster) {
    let controller = left_halfway(&cluster).await;
    let mut body = SERVICE.body();
    body["deployConfig"]["environment_variables"]["LEVEL"] = json!("10");
    let answer = controller.post(SERVICE.path, &body).await;
    assert!(answer.failure(409).contains("tides-live"), "{:?}", answer.body);
    controller.stop().await;
    assert_eq!(stock::taken(&cluster).await.into_keys().collect::<Vec<_>>(), ALL[..2]);
}

on_every_cluster! { the_same_create_asked_again_completes_what_was_left_halfway, another_create_does_not_complete_it }

#[tokio::test]
async fn a_completion_that_fails_removes_the_half_that_it_took_over() {
    let (server, cluster) = sandboxed::start().await;
    let controller = left_halfway(&cluster).await;
    let rule = Rule { status: Some(422), ..create("services") };
    server.set_faults(Faults { rules: vec![rule], ..Faults::default() });
    controller.post(SERVICE.path, &SERVICE.body()).await.failure(422);
    controller.stop().await;
    assert_eq!(stock::taken(&cluster).await.into_keys().collect::<Vec<_>>(), ALL[1..2]);
}

#[tokio::test]
async fn the_same_create_twice_at_once_makes_one_service_whoever_is_first() {
    for (verb, resource) in [("create", "services"), ("get", "services"), ("update", "deployments")] {
        let scene = Scene::set(&[]).await;
        let held = Rule { verb: Some(verb.into()), hang: true, times: Some(1), ..create(resource) };
        let first_service = Rule { hang: true, times: Some(1), ..create("services") };
        scene.rules([first_service, held]);
        let posts = || tokio::spawn(send(scene.controller.request(Method::POST, SERVICE.path).json(&SERVICE.body())));
        let first = posts();
        scene.holds_the_call_after(SERVICE.calls_before("services")).await;
        let second = posts();
        sleep(Duration::from_millis(200)).await;
        scene.server.set_faults(Faults::default());
        let mut statuses = [first.await.unwrap().status.as_u16(), second.await.unwrap().status.as_u16()];
        statuses.sort_unstable();
        assert_eq!(statuses, [201, 409], "held at {verb} {resource}");
        scene.controller.stop().await;
        assert_eq!(stock::added(&scene.cluster, &scene.before).await, ALL, "held at {verb} {resource}");
    }
}

#[tokio::test]
async fn what_is_asked_for_again_by_its_key_stays_though_the_first_create_is_undone() {
    for wanted in [SERVICE, POD] {
        let last = *wanted.steps.last().unwrap();
        let keys = [("retry.max_attempts", "1"), ("kubernetes.read_timeout_ms", "400")];
        let scene = Scene::set(&keys).await;
        let other = Controller::with(&scene.cluster, &QUICK).await;
        let answer_lost = Rule { cut: true, after: true, times: Some(1), ..create(last) };
        let undo_held = Rule { verb: Some("get".into()), hang: true, times: Some(1), ..create(last) };
        scene.rules([answer_lost, undo_held]);
        let ask = |controller: &Controller| {
            let request = controller.request(Method::POST, wanted.path).header("Idempotency-Key", "again");
            tokio::spawn(send(request.json(&wanted.body())))
        };
        let first = ask(&scene.controller);
        scene.holds_the_call_after(wanted.calls_before(last) + 1).await;
        let again = ask(&other).await.unwrap();
        assert_eq!(again.status.as_u16(), 201, "{wanted:?}: {:?}", again.body);
        first.await.unwrap().failure(502);
        scene.controller.stop().await;
        let name = again.body["data"]["id"].as_str().unwrap();
        let expected =
            if wanted.path == "/pods" { vec![format!("pods/{name}")] } else { ALL.map(str::to_owned).to_vec() };
        assert_eq!(stock::added(&scene.cluster, &scene.before).await, expected);
    }
}
