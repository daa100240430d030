//! `/env-service…` and `/env-instance…`: what the `aenv` CLI and SDK read, in the shapes in which they read it.

use crate::support::controller::Controller;
use crate::support::{Cluster, on_every_cluster, seed};
use reqwest::StatusCode;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

on_every_cluster! {
    services_have_every_field_that_the_cli_requires,
    instances_have_every_field_that_the_cli_requires,
    the_environment_is_what_the_labels_tell_and_constant_for_the_rest,
    without_labels_an_environment_is_still_an_object,
    the_page_of_instances_is_an_object_and_all_other_lists_are_lists,
    lists_are_narrowed_by_environment_and_version,
    expired_instances_are_found_here_too,
    lists_share_the_memory_of_the_other_routes,
    missing_objects_are_404,
    bad_questions_cost_nothing,
}

/// The CLI's models (`aenv/core/models.py` of `aenvironment` 0.1.7) as far as it refuses an answer for them: each
/// field that it requires, and each optional one that is answered, with the type that it insists on.
pub(crate) mod models {
    use jiff::Timestamp;
    use serde::Deserialize;
    use serde_json::{Map, Value};
    use std::collections::BTreeMap;

    #[derive(Debug, Deserialize)]
    #[expect(dead_code, reason = "that they can be read is what is tested")]
    pub(crate) struct Env {
        id: String,
        name: String,
        description: String,
        version: String,
        tags: Option<Vec<String>>,
        code_url: String,
        status: i64,
        artifacts: Option<Vec<BTreeMap<String, String>>>,
        build_config: Option<Map<String, Value>>,
        test_config: Option<Map<String, Value>>,
        deploy_config: Option<Map<String, Value>>,
        created_at: Timestamp,
        updated_at: Timestamp,
    }

    #[derive(Debug, Deserialize)]
    #[expect(dead_code, reason = "that they can be read is what is tested")]
    pub(crate) struct EnvService {
        id: String,
        env: Env,
        status: String,
        created_at: String,
        updated_at: String,
        replicas: i64,
        available_replicas: i64,
        service_url: Option<String>,
        owner: Option<String>,
        environment_variables: Option<BTreeMap<String, String>>,
        pvc_name: Option<String>,
    }

    #[derive(Debug, Deserialize)]
    #[expect(dead_code, reason = "that they can be read is what is tested")]
    pub(crate) struct EnvInstance {
        id: String,
        env: Env,
        status: String,
        created_at: String,
        updated_at: String,
        ip: Option<String>,
        labels: Option<BTreeMap<String, String>>,
    }
}

/// Two environments, one of them in two versions: services `s-…` and instances `i-…`.
async fn seeded(cluster: &Cluster) {
    for (name, env, version) in [("w1", "weather", "1"), ("w2", "weather", "2"), ("b1", "browser", "1")] {
        let service = format!("s-{name}");
        seed::deployment(&service).env(env).version(version).create(cluster).await;
        seed::service(&service, 8080).env(env).version(version).create(cluster).await;
        seed::pod(format!("i-{name}")).env(env).version(version).create(cluster).await;
    }
}

async fn services_have_every_field_that_the_cli_requires(cluster: Cluster) {
    seed::claim("wdata").create(&cluster).await;
    let full = seed::deployment("weather-main").env("weather").version("1.0.2").owner("jun").pvc("wdata");
    full.replicas(2).available(1).env_var("K1", "v1").create(&cluster).await;
    seed::service("weather-main", 9000).env("weather").version("1.0.2").create(&cluster).await;
    seed::deployment("bare").create(&cluster).await;
    let controller = Controller::on(&cluster).await;
    let listed = controller.get("/env-service/*/list").await;
    assert_eq!(listed.header("content-type"), "application/json");
    let mut rows = listed.body["data"].as_array().unwrap().clone();
    read_all::<models::EnvService>(&rows);
    rows.sort_by_key(|row| row["id"].to_string());
    for row in &mut rows {
        take_times(row, "%Y-%m-%d %H:%M:%S");
        row["env"].take();
    }
    let url = format!("weather-main.{}.svc.cluster.local:9000", cluster.namespace());
    assert_eq!(
        json!(rows),
        json!([
            {
                "id": "bare", "status": "Incomplete", "reason": "ServiceMissing", "service_url": "",
                "message": "its Service does not exist: create the service again under this name, or delete it",
                "replicas": 1, "available_replicas": 0,
                "owner": "", "envname": "", "version": "", "pvc_name": "", "created_at": null, "updated_at": null,
                "env": null
            },
            {
                "id": "weather-main", "status": "Updating", "service_url": url, "replicas": 2, "available_replicas": 1,
                "owner": "jun", "envname": "weather", "version": "1.0.2", "pvc_name": "wdata", "created_at": null,
                "updated_at": null, "environment_variables": {"K1": "v1"}, "env": null
            }
        ])
    );
    alone_as_in_the_list(&controller, "/env-service/weather-main", &rows[1], "%Y-%m-%d %H:%M:%S").await;
}

async fn instances_have_every_field_that_the_cli_requires(cluster: Cluster) {
    let full = seed::pod("weather-3ue90w").env("weather").version("1.0.2").owner("jun").ttl("30m");
    full.phase("Running").ip("10.1.0.7").create(&cluster).await;
    seed::pod("bare").create(&cluster).await;
    let controller = Controller::on(&cluster).await;
    let listed = controller.get("/env-instance/*/list").await;
    assert_eq!(listed.header("content-type"), "application/json");
    let mut rows = listed.body["data"].as_array().unwrap().clone();
    read_all::<models::EnvInstance>(&rows);
    rows.sort_by_key(|row| row["id"].to_string());
    for row in &mut rows {
        take_times(row, "%Y-%m-%dT%H:%M:%SZ");
        row["env"].take();
    }
    assert_eq!(
        json!(rows),
        json!([
            {
                "id": "bare", "env": null, "status": "Pending", "created_at": null, "updated_at": null, "ip": "",
                "ttl": "", "owner": ""
            },
            {
                "id": "weather-3ue90w", "env": null, "status": "Running", "created_at": null, "updated_at": null,
                "ip": "10.1.0.7", "ttl": "30m", "owner": "jun"
            }
        ])
    );
    alone_as_in_the_list(&controller, "/env-instance/weather-3ue90w", &rows[1], "%Y-%m-%dT%H:%M:%SZ").await;
}

async fn the_environment_is_what_the_labels_tell_and_constant_for_the_rest(cluster: Cluster) {
    seeded(&cluster).await;
    let controller = Controller::on(&cluster).await;
    for path in ["/env-service/s-w2", "/env-instance/i-w2"] {
        assert_eq!(controller.get(path).await.body["data"]["env"], env("weather", "2"), "{path}");
    }
}

async fn without_labels_an_environment_is_still_an_object(cluster: Cluster) {
    seed::deployment("swe-bench-svc-x1y2z3").create(&cluster).await;
    seed::deployment("other").create(&cluster).await;
    seed::pod("swe-bench-x1y2z3").create(&cluster).await;
    let controller = Controller::on(&cluster).await;
    for (path, expected) in [
        ("/env-service/swe-bench-svc-x1y2z3", env("swe-bench", "")),
        ("/env-service/other", env("", "")),
        ("/env-instance/swe-bench-x1y2z3", env("", "")),
    ] {
        assert_eq!(controller.get(path).await.body["data"]["env"], expected, "{path}");
    }
}

async fn the_page_of_instances_is_an_object_and_all_other_lists_are_lists(cluster: Cluster) {
    let controller = Controller::with(&cluster, &[("memo.list_ttl_ms", "0")]).await;
    let (service_list, instance_list, page) = ("/env-service/*/list", "/env-instance/*/list", "/env-instance/list");
    assert_eq!(controller.get(service_list).await.body["data"], json!([]));
    assert_eq!(controller.get(instance_list).await.body["data"], json!([]));
    assert_eq!(controller.get(page).await.body, json!({"success": true, "code": 0, "data": {"items": []}}));

    seeded(&cluster).await;
    assert_eq!(controller.ids(service_list).await, ["s-b1", "s-w1", "s-w2"]);
    assert_eq!(controller.ids(instance_list).await, ["i-b1", "i-w1", "i-w2"]);
    assert_eq!(page_ids(&controller, page).await, ["i-b1", "i-w1", "i-w2"]);
    assert_eq!(page_ids(&controller, "/env-instance/list?status=Pending&envName=browser").await, ["i-b1"]);
    assert_eq!(page_ids(&controller, "/env-instance/list?status=Running").await, [""; 0]);
}

async fn lists_are_narrowed_by_environment_and_version(cluster: Cluster) {
    seeded(&cluster).await;
    for (env, expected) in [
        ("*", vec!["b1", "w1", "w2"]),
        ("%2A", vec!["b1", "w1", "w2"]),
        ("weather", vec!["w1", "w2"]),
        ("weather@", vec!["w1", "w2"]),
        ("weather@2", vec!["w2"]),
        ("weather%402", vec!["w2"]),
        ("weather@3", vec![]),
        ("nope", vec![]),
    ] {
        for (route, prefix) in [("env-service", "s-"), ("env-instance", "i-")] {
            // A controller of its own for each, so that the API server narrows and not the memory.
            let controller = Controller::on(&cluster).await;
            let expected: Vec<_> = expected.iter().map(|name| format!("{prefix}{name}")).collect();
            assert_eq!(controller.ids(&format!("/{route}/{env}/list")).await, expected, "{route} {env}");
        }
    }
    let controller = Controller::on(&cluster).await;
    for (env, query, expected) in [
        ("*", "envName=weather", vec!["s-w1", "s-w2"]),
        ("*", "version=1", vec!["s-b1", "s-w1"]),
        ("weather", "version=2", vec!["s-w2"]),
        ("weather@1", "envName=browser&version=2", vec!["s-w1"]),
        ("weather", "status=Running", vec![]),
    ] {
        let path = format!("/env-service/{env}/list?{query}");
        assert_eq!(controller.ids(&path).await, expected, "{path}: what the path says wins");
    }
}

async fn expired_instances_are_found_here_too(cluster: Cluster) {
    for (name, env, ttl) in [("over", "weather", "1ms"), ("young", "weather", "1h"), ("elsewhere", "browser", "1ms")] {
        seed::pod(name).env(env).ttl(ttl).create(&cluster).await;
    }
    let controller = Controller::on(&cluster).await;
    assert_eq!(controller.ids("/env-instance/weather/list?filter=expired").await, ["over"]);
    assert_eq!(page_ids(&controller, "/env-instance/list?filter=expired").await, ["elsewhere", "over"]);
}

async fn lists_share_the_memory_of_the_other_routes(cluster: Cluster) {
    seeded(&cluster).await;
    let remember = [("memo.list_ttl_ms", "3600000"), ("memo.get_ttl_ms", "3600000")];
    for first in [["/services", "/pods"], ["/env-service/*/list", "/env-instance/list"]] {
        let controller = Controller::with(&cluster, &remember).await;
        for path in first {
            assert_eq!(controller.get(path).await.status, StatusCode::OK);
        }
        cluster.reset_calls();
        for path in [
            "/services",
            "/services/s-w1",
            "/env-service/*/list",
            "/env-service/weather@2/list",
            "/env-service/s-w1",
            "/pods?envName=weather",
            "/pods/i-w1",
            "/env-instance/list",
            "/env-instance/weather@2/list",
            "/env-instance/i-w1",
        ] {
            let answer = controller.get(path).await;
            assert!(answer.header("cache-status").starts_with("aenv-controller; hit"), "{path}: {:?}", answer.headers);
        }
        assert_eq!(cluster.calls().total, 0, "after {first:?}");
    }
}

async fn missing_objects_are_404(cluster: Cluster) {
    let controller = Controller::on(&cluster).await;
    for (path, words) in [
        ("/env-service/nope", r#"failed to get deployment failed: err is deployments.apps "nope" not found"#),
        ("/env-instance/nope", r#"failed to get pod failed: err is pods "nope" not found"#),
    ] {
        assert_eq!(controller.get(path).await.failure(404), words);
    }
}

async fn bad_questions_cost_nothing(cluster: Cluster) {
    let controller = Controller::on(&cluster).await;
    cluster.reset_calls();
    for (path, tells) in [
        ("/env-service/weather%2Cbusiness%2Faenv-owner%3Djun/list", "environment"),
        ("/env-service/weather@1%2C2/list", "version"),
        ("/env-service/**/list", "environment"),
        ("/env-service/%20/list", "environment"),
        ("/env-service/weather/list?status=Gone", "status"),
        ("/env-service/Weather_Main", "id"),
        ("/env-instance/@/list", "environment"),
        ("/env-instance/*/list?status=Gone", "status"),
        ("/env-instance/list?labels=a%20b", "labels"),
        ("/env-instance/list?envName=a%26b", "envName"),
        ("/env-instance/-", "id"),
    ] {
        let answer = controller.get(path).await;
        assert!(answer.failure(400).contains(tells), "{path}: {:?}", answer.body);
    }
    assert_eq!(cluster.calls().total, 0);
}

/// The environment as an object: EnvHub's fields are empty, and have Go's zero time.
fn env(name: &str, version: &str) -> Value {
    json!({
        "id": "", "name": name, "description": "", "version": version, "tags": null, "code_url": "", "status": 0,
        "artifacts": null, "build_config": null, "test_config": null, "deploy_config": null,
        "created_at": "0001-01-01T00:00:00Z", "updated_at": "0001-01-01T00:00:00Z"
    })
}

/// Reads rows as the CLI does.
#[track_caller]
fn read_all<T: DeserializeOwned>(rows: &[Value]) {
    for row in rows {
        serde_json::from_value::<T>(row.clone()).unwrap_or_else(|error| panic!("{error} in {row:#}"));
    }
}

/// Puts `null` in the place of both times, which must have this format.
#[track_caller]
fn take_times(row: &mut Value, format: &str) {
    for field in ["created_at", "updated_at"] {
        let text = row[field].take();
        jiff::civil::DateTime::strptime(format, text.as_str().unwrap()).unwrap();
    }
}

async fn alone_as_in_the_list(controller: &Controller, path: &str, listed: &Value, time_format: &str) {
    let mut row = controller.get(path).await.body["data"].take();
    take_times(&mut row, time_format);
    row["env"].take();
    assert_eq!(&row, listed, "{path}");
}

/// The ids in a `{"items": […]}`, sorted.
async fn page_ids(controller: &Controller, path: &str) -> Vec<String> {
    let answer = controller.get(path).await;
    let items = answer.body["data"]["items"].as_array().unwrap_or_else(|| panic!("{path}: {:?}", answer.body));
    read_all::<models::EnvInstance>(items);
    let mut ids: Vec<_> = items.iter().map(|row| row["id"].as_str().unwrap().to_owned()).collect();
    ids.sort();
    ids
}
