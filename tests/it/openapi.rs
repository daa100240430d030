//! The API description, and whether the API keeps to it.

use crate::support::controller::{Answer, Controller, send};
use crate::support::description::Description;
use crate::support::{Cluster, sandboxed};
use aenv_controller::sandbox::{ApiServer, Faults};
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};
use std::collections::BTreeSet;

/// A controller that makes one attempt, keeps nothing, and waits no longer than a test should.
const BRIEF: [(&str, &str); 5] = [
    ("retry.max_attempts", "1"),
    ("memo.list_ttl_ms", "0"),
    ("memo.get_ttl_ms", "0"),
    ("memo.max_stale_ms", "0"),
    ("server.request_deadline_ms", "300"),
];

async fn started(keys: &[(&str, &str)]) -> (ApiServer, Cluster, Controller, Description) {
    let (server, cluster) = sandboxed::start().await;
    let url = server.url();
    let controller = Controller::with(&cluster, &[&[("envhub.url", &*url)], keys].concat()).await;
    let description = Description::of(&controller).await;
    (server, cluster, controller, description)
}

async fn ask(controller: &Controller, method: &Method, path: &str, body: Option<&Value>) -> Answer {
    let request = controller.request(method.clone(), path);
    send(if let Some(body) = body { request.json(body) } else { request }).await
}

#[tokio::test]
async fn the_description_is_openapi_3_1_and_costs_nothing() {
    let (_server, cluster, controller, _) = started(&[]).await;
    let answer = controller.get("/openapi.json").await;
    assert!(answer.body["openapi"].as_str().unwrap().starts_with("3.1."), "{:?}", answer.body["openapi"]);
    assert_eq!(answer.body["info"]["version"], env!("CARGO_PKG_VERSION"));
    let again = controller.request(Method::GET, "/openapi.json").header("if-none-match", answer.header("etag"));
    let again = send(again).await;
    assert_eq!((again.status, again.body), (StatusCode::NOT_MODIFIED, Value::Null));
    assert_eq!(cluster.calls().total, 0);
}

#[tokio::test]
async fn every_operation_succeeds_as_described() {
    let (_server, _cluster, controller, description) = started(&[]).await;
    let image = json!([{"type": "image", "content": "registry.example.com/aenv/tides:3.4"}]);
    let service = json!({
        "name": "tides", "version": "3.4", "artifacts": image,
        "deployConfig": {"serviceName": "tides-live", "owner": "mira", "storageSize": "1Gi", "environment_variables": {"A": "1"}}
    });
    let instance = json!({"name": "tides", "artifacts": image, "deployConfig": {"ttl": "1h"}});
    let made = controller.post("/pods", &instance).await.body["data"]["id"].as_str().unwrap().to_owned();
    let other = controller.post("/pods", &instance).await.body["data"]["id"].as_str().unwrap().to_owned();
    let by_name = json!({"envName": "weather@7", "service_name": "weather-live"});
    let change = json!({"replicas": 2});
    let (pod, env_instance) = (format!("/pods/{made}"), format!("/env-instance/{other}"));
    let mut had = BTreeSet::new();
    for (method, path, body) in [
        (Method::GET, "/openapi.json", None),
        (Method::GET, "/status", None),
        (Method::POST, "/services", Some(&service)),
        (Method::GET, "/services", None),
        (Method::GET, "/services?envName=tides&status=Creating", None),
        (Method::GET, "/services/tides-live", None),
        (Method::PUT, "/services/tides-live", Some(&change)),
        (Method::POST, "/env-service", Some(&by_name)),
        (Method::GET, "/env-service/*/list", None),
        (Method::GET, "/env-service/weather-live", None),
        (Method::PUT, "/env-service/weather-live", Some(&change)),
        (Method::DELETE, "/env-service/weather-live", None),
        (Method::DELETE, "/services/tides-live?deleteStorage=true", None),
        (Method::POST, "/pods", Some(&instance)),
        (Method::GET, "/pods", None),
        (Method::GET, &pod, None),
        (Method::POST, "/env-instance", Some(&by_name)),
        (Method::GET, "/env-instance/list", None),
        (Method::GET, "/env-instance/tides/list", None),
        (Method::GET, &env_instance, None),
        (Method::PUT, &pod, Some(&json!({"ttl": "2h"}))),
        (Method::DELETE, &pod, None),
        (Method::DELETE, "/pods?filter=expired", None),
        (Method::DELETE, &env_instance, None),
    ] {
        let answer = ask(&controller, &method, path, body).await;
        assert!(answer.status.is_success(), "{method} {path}: {:?}", answer.body);
        let operation = description.knows(&method, path, &answer);
        had.insert(operation["operationId"].to_string());
    }
    let all = description.operations().map(|(.., operation)| operation["operationId"].to_string());
    assert_eq!(had, all.collect());
}

#[tokio::test]
async fn every_operation_fails_as_described() {
    let rules = |rule: Value| serde_json::from_value::<Faults>(json!({"rules": [rule]})).unwrap();
    for (faults, status) in [
        (rules(json!({"status": 403})), 502),
        (rules(json!({"status": 429, "retry_after_s": 1})), 503),
        (rules(json!({"hang": true})), 504),
    ] {
        // One that has seen nothing of the other faults.
        let (server, _cluster, controller, description) = started(&BRIEF).await;
        server.set_faults(faults);
        let asking = description.operations().filter(|(_, path, _)| !["/openapi.json", "/status"].contains(path));
        for (method, path, operation) in asking {
            let (path, body) = description.example(path, operation);
            let answer = ask(&controller, &method, &path, body).await;
            assert_eq!(answer.status, status, "{method} {path}: {:?}", answer.body);
            description.knows(&method, &path, &answer);
        }
    }
}

#[tokio::test]
async fn a_body_that_is_no_object_is_refused() {
    let (_server, cluster, controller, description) = started(&[]).await;
    for (method, path, operation) in description.operations() {
        let (path, Some(_)) = description.example(path, operation) else { continue };
        let answer = ask(&controller, &method, &path, Some(&json!([]))).await;
        assert_eq!(answer.status, 400, "{method} {path}");
        description.knows(&method, &path, &answer);
    }
    assert_eq!(cluster.calls().total, 0);
}

#[tokio::test]
async fn a_parameter_that_is_not_described_is_ignored_with_a_warning() {
    let (_server, _cluster, controller, description) = started(&[]).await;
    // A slip in the query of a sweep would remove too much, and is refused.
    let lenient = description.operations().filter(|(.., operation)| operation["operationId"] != "sweep_pods");
    for (method, path, operation) in lenient {
        let (path, body) = description.example(path, operation);
        let answer = ask(&controller, &method, &format!("{path}?nonsense=1"), body).await;
        assert_ne!(answer.status, 400, "{method} {path}");
        assert_eq!(answer.header("warning"), r#"299 - "unknown query parameter \"nonsense\" is ignored""#, "{path}");
        description.knows(&method, &path, &answer);
    }
}

#[tokio::test]
async fn every_example_of_a_body_is_one_that_is_taken() {
    let (_server, _cluster, controller, description) = started(&[]).await;
    for (method, path, operation) in description.operations() {
        let (path, Some(body)) = description.example(path, operation) else { continue };
        assert!(description.takes(operation, body), "{method} {path}: {body}");
        let answer = ask(&controller, &method, &path, Some(body)).await;
        assert!(!matches!(answer.status.as_u16(), 400 | 413 | 422), "{method} {path}: {:?}", answer.body);
        assert!(!description.takes(operation, &json!({})) || method == Method::PUT, "{method} {path}");
    }
}
