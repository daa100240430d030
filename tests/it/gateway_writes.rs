//! Creating, changing and deleting by the name of an environment, as the `aenv` CLI does, and what becomes of it when
//! EnvHub is not as it should be.

use crate::gateway::models::{EnvInstance, EnvService};
use crate::support::controller::{Controller, send};
use crate::support::envhub::{EnvHub, Manner};
use crate::support::{Cluster, sandboxed, stock};
use aenv_controller::sandbox::ApiServer;
use reqwest::{Method, StatusCode};
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use std::net::TcpListener;
use std::time::Duration;
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};

/// Bounds every wait.
const PATIENCE: Duration = Duration::from_secs(30);

/// A controller that asks the EnvHub at `url`.
async fn asking(url: &str, keys: &[(&str, &str)]) -> (ApiServer, Cluster, Controller) {
    let (server, cluster) = sandboxed::start().await;
    let keys = [&[("envhub.url", url)], keys].concat();
    let controller = Controller::with(&cluster, &keys).await;
    (server, cluster, controller)
}

/// A controller with the sandbox's own EnvHub.
async fn started() -> (ApiServer, Cluster, Controller) {
    let (server, cluster) = sandboxed::start().await;
    let controller = Controller::with(&cluster, &[("envhub.url", &server.url())]).await;
    (server, cluster, controller)
}

/// The data of an answer, once it has been read as the CLI reads it.
#[track_caller]
fn read<T: DeserializeOwned>(body: &Value) -> Value {
    assert_eq!((&body["success"], &body["code"]), (&json!(true), &json!(0)), "{body:#}");
    serde_json::from_value::<T>(body["data"].clone()).unwrap_or_else(|error| panic!("{error} in {body:#}"));
    body["data"].clone()
}

#[tokio::test]
async fn a_service_lives_and_dies_in_the_shapes_of_the_cli() {
    let (_server, cluster, controller) = started().await;
    // As `aenv service create browser@7.1 -r 1 -p 7443 -e LEVEL=9 --enable-storage` sends it, nulls and all.
    let wanted = json!({
        "envName": "browser@7.1", "service_name": "browse", "replicas": 1, "environment_variables": {"LEVEL": "9"},
        "owner": "mira", "port": 7443, "pvc_name": "browse-data", "mount_path": null, "storage_size": "4Gi",
        "cpu_request": "250m", "cpu_limit": "750m", "memory_request": "1Gi", "memory_limit": "1Gi",
        "ephemeral_storage_request": "5Gi", "ephemeral_storage_limit": "5Gi"
    });
    let answer = controller.post("/env-service", &wanted).await;
    assert_eq!(answer.status, StatusCode::OK, "{:?}", answer.body);
    let made = read::<EnvService>(&answer.body);
    let url = format!("browse.{}.svc.cluster.local:7443", cluster.namespace());
    for (field, expected) in [
        ("id", json!("browse")),
        ("status", json!("Creating")),
        ("service_url", json!(url)),
        ("replicas", json!(1)),
        ("owner", json!("mira")),
        ("pvc_name", json!("browse-data")),
    ] {
        assert_eq!(made[field], expected, "{field}");
    }
    assert_eq!((&made["env"]["name"], &made["env"]["version"]), (&json!("browser"), &json!("7.1")));

    let stock = stock::taken(&cluster).await;
    assert_eq!(stock["persistentvolumeclaims/browse-data"]["spec"]["resources"]["requests"]["storage"], "4Gi");
    let container = &stock["deployments/browse"]["spec"]["template"]["spec"]["containers"][0];
    assert_eq!(container["image"], "registry.example.com/aenv/browser:7.1");
    assert_eq!(container["resources"]["requests"]["cpu"], "250m");
    assert_eq!(container["resources"]["limits"]["cpu"], "750m");

    let shown = read::<EnvService>(&controller.get("/env-service/browse").await.body);
    assert_eq!(shown["environment_variables"], json!({"LEVEL": "9"}));
    let change = json!({"replicas": null, "image": "registry.example.com/aenv/browser:7.2", "environment_variables": {"LEVEL": "10"}});
    let answer = controller.put("/env-service/browse", &change).await;
    assert_eq!(read::<EnvService>(&answer.body)["id"], "browse");
    let shown = read::<EnvService>(&controller.get("/env-service/browse").await.body);
    assert_eq!((&shown["environment_variables"], &shown["replicas"]), (&json!({"LEVEL": "10"}), &json!(1)));

    for query in ["", "?deleteStorage=true"] {
        let answer = controller.delete(&format!("/env-service/browse{query}")).await;
        assert_eq!(answer.body, json!({"success": true, "code": 0, "data": "Deleted successfully"}));
        controller.get("/env-service/browse").await.failure(404);
    }
}

#[tokio::test]
async fn an_instance_lives_and_dies_in_the_shapes_of_the_cli() {
    let (_server, cluster, controller) = started().await;
    let wanted = json!({
        "envName": "terminal@2.5", "datasource": "", "ttl": "90m", "environment_variables": {"LEVEL": "9"},
        "arguments": ["--deep"], "owner": "mira", "labels": {"team": "coast"}
    });
    let answer = controller.post("/env-instance", &wanted).await;
    assert_eq!(answer.status, StatusCode::OK, "{:?}", answer.body);
    let made = read::<EnvInstance>(&answer.body);
    let id = made["id"].as_str().unwrap();
    assert!(id.starts_with("terminal-"), "{id}");
    assert_eq!((&made["ttl"], &made["owner"]), (&json!("90m"), &json!("mira")));
    let pod = &stock::taken(&cluster).await[&format!("pods/{id}")];
    assert_eq!(pod["metadata"]["labels"]["team"], "coast");
    assert_eq!(pod["spec"]["containers"][0]["args"], json!(["--deep"]));
    assert_eq!(pod["spec"]["containers"][0]["image"], "registry.example.com/aenv/terminal:2.5");
    let path = format!("/env-instance/{id}");
    assert_eq!(read::<EnvInstance>(&controller.get(&path).await.body)["id"], id);
    assert_eq!(controller.delete(&path).await.body["data"], "Deleted successfully");
    controller.get("/env-instance/terminal-gone").await.failure(404);
}

#[tokio::test]
async fn requests_override_envhub() {
    let deploy = json!({
        "cpuRequest": "100m", "cpuLimit": "2", "port": 7001, "owner": "hub", "environment_variables": {"FROM": "hub"}
    });
    let hub = EnvHub::start(Manner::describe(&deploy)).await;
    let (_server, cluster, controller) = asking(hub.url(), &[]).await;
    // Less than the limit by default, and no more than EnvHub asks for.
    let wanted = json!({"envName": "tides@9", "service_name": "tides-hub", "owner": "mira", "cpu_limit": "300m"});
    let answer = controller.post("/env-service", &wanted).await;
    assert_eq!(answer.status, StatusCode::OK, "{:?}", answer.body);
    assert_eq!((&answer.body["data"]["owner"], hub.asked()), (&json!("mira"), 1));
    let stock = stock::taken(&cluster).await;
    let container = &stock["deployments/tides-hub"]["spec"]["template"]["spec"]["containers"][0];
    assert_eq!(container["image"], "registry.example.com/hub/tides:9");
    assert_eq!(container["resources"]["requests"]["cpu"], "100m");
    assert_eq!(container["resources"]["limits"]["cpu"], "300m");
    assert_eq!(container["env"], json!([{"name": "FROM", "value": "hub"}]));
    assert_eq!(stock["services/tides-hub"]["spec"]["ports"][0]["port"], 7001);
}

#[tokio::test]
async fn an_environment_that_cannot_be_deployed_is_told_and_costs_nothing() {
    let hub = EnvHub::start(Manner::describe(&json!({"cpuLimit": "-1"}))).await;
    let (server, _cluster, controller) = asking(hub.url(), &[]).await;
    let answer = controller.post("/env-service", &json!({"envName": "tides@9"})).await;
    let message = answer.failure(422);
    assert!(message.contains("tides@9") && message.contains("deploy_config.cpuLimit"), "{message}");
    assert_eq!(server.calls().total, 0);
}

#[tokio::test]
async fn envhub_failures_are_told_apart() {
    let answer = |status, body: &str| Manner::Answer(status, body.to_owned());
    let large = format!(r#"{{"success":true,"data":{{"x":"{}"}}}}"#, "x".repeat(2 << 20));
    for (manner, status, tells) in [
        (answer(404, r#"{"success":false,"code":404,"message":"no","data":null}"#), 404, "tides@9"),
        (answer(404, "page not found"), 404, "tides@9"),
        (answer(200, r#"{"success":true,"data":null}"#), 404, "tides@9"),
        (answer(200, r#"{"success":false,"message":"the store is down","data":null}"#), 502, "the store is down"),
        (answer(200, ""), 502, "EnvHub"),
        (answer(200, "<html>"), 502, "EnvHub"),
        (answer(200, "[]"), 502, "EnvHub"),
        (answer(200, r#"{"success":true,"data":7}"#), 502, "EnvHub"),
        (answer(200, &large), 502, "EnvHub"),
        (answer(500, r#"{"success":false,"message":"the store is down"}"#), 502, "the store is down"),
        (answer(503, "later"), 502, "EnvHub"),
        (answer(401, ""), 502, "EnvHub"),
        (answer(302, ""), 502, "EnvHub"),
        (Manner::HangUp, 502, "EnvHub"),
    ] {
        let what = format!("{manner:.200?}").chars().take(100).collect::<String>();
        let hub = EnvHub::start(manner).await;
        let (server, _cluster, controller) = asking(hub.url(), &[]).await;
        for path in ["/env-service", "/env-instance"] {
            let answer = controller.post(path, &json!({"envName": "tides@9"})).await;
            assert_eq!(answer.status, status, "{path} {what}: {:?}", answer.body);
            assert!(answer.failure(status).contains(tells), "{path} {what}: {:?}", answer.body);
        }
        assert_eq!(hub.asked(), 2, "{what}: a failure is not remembered");
        assert_eq!(server.calls().total, 0, "{what}");
        // It was EnvHub's fault; when that is mended, so are we.
        hub.set(Manner::describe(&json!({})));
        assert_eq!(
            controller.post("/env-service", &json!({"envName": "tides@9"})).await.status,
            StatusCode::OK,
            "{what}"
        );
    }
}

#[tokio::test]
async fn an_envhub_that_is_down_is_a_bad_gateway() {
    let closed = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let (server, _cluster, controller) = asking(&format!("http://{closed}"), &[]).await;
    let answer = controller.post("/env-instance", &json!({"envName": "tides@9"})).await;
    assert!(answer.failure(502).contains("EnvHub cannot be reached"), "{:?}", answer.body);
    assert_eq!(server.calls().total, 0);
    assert_eq!(controller.get("/env-instance/list").await.status, StatusCode::OK, "reads do without");
}

#[tokio::test]
async fn an_envhub_that_hangs_costs_a_caller_its_deadline() {
    let hub = EnvHub::start(Manner::Silence).await;
    let (server, _cluster, controller) = asking(hub.url(), &[("server.request_deadline_ms", "400")]).await;
    let wanted = json!({"envName": "tides@9"});
    let answer = timeout(PATIENCE, controller.post("/env-service", &wanted)).await.unwrap();
    answer.failure(504);
    assert_eq!(answer.header("retry-after"), "1");
    assert_eq!(server.calls().total, 0);
}

#[tokio::test]
async fn creates_without_envhub_name_the_missing_setting() {
    let (server, cluster) = sandboxed::start().await;
    let controller = Controller::on(&cluster).await;
    for path in ["/env-service", "/env-instance"] {
        let answer = controller.post(path, &json!({"envName": "weather@7"})).await;
        assert!(answer.failure(501).contains("envhub.url"), "{:?}", answer.body);
        // What is wrong anyway is told first.
        for bad in [json!({}), json!({"envName": "weather"}), json!({"envName": "weather@7", "owner": "a b"})] {
            controller.post(path, &bad).await.failure(400);
        }
    }
    assert_eq!(server.calls().total, 0);
    assert_eq!(controller.delete("/env-service/tides").await.status, StatusCode::OK);
}

#[tokio::test]
async fn bad_input_does_not_reach_envhub() {
    let hub = EnvHub::start(Manner::describe(&json!({}))).await;
    let (_server, _cluster, controller) = asking(hub.url(), &[]).await;
    for bad in
        [json!({"envName": "tides@../../x"}), json!({"envName": "tides@9", "environment_variables": {"A=": "x"}})]
    {
        controller.post("/env-service", &bad).await.failure(400);
    }
    assert_eq!(hub.asked(), 0);
}

#[tokio::test]
async fn equal_creates_at_once_ask_envhub_once() {
    let hub = EnvHub::start(Manner::Silence).await;
    let (_server, cluster, controller) = asking(hub.url(), &[]).await;
    let wanted = json!({"envName": "tides@9"});
    let posts: JoinSet<_> =
        (0..10).map(|_| send(controller.request(Method::POST, "/env-instance").json(&wanted))).collect();
    let arrived = async {
        while hub.asked() == 0 {
            sleep(Duration::from_millis(5)).await;
        }
    };
    timeout(PATIENCE, arrived).await.unwrap();
    hub.set(Manner::describe(&json!({})));
    for answer in posts.join_all().await {
        assert_eq!(answer.status, StatusCode::OK, "{:?}", answer.body);
    }
    // And one that comes a moment later, for a service.
    assert_eq!(controller.post("/env-service", &wanted).await.status, StatusCode::OK);
    assert_eq!(hub.asked(), 1);
    assert_eq!(stock::taken(&cluster).await.len(), 10 + 2);
    // Another version is another question, and whoever wants no memory has none.
    assert_eq!(controller.post("/env-instance", &json!({"envName": "tides@10"})).await.status, StatusCode::OK);
    assert_eq!(hub.asked(), 2);
    let fresh = controller.request(Method::POST, "/env-instance").header("cache-control", "no-cache").json(&wanted);
    assert_eq!(send(fresh).await.status, StatusCode::OK);
    assert_eq!(hub.asked(), 3);
}
