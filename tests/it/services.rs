//! `GET /services` and `GET /services/{name}`.

use crate::support::controller::{Controller, send};
use crate::support::{Cluster, on_every_cluster, seed};
use reqwest::{Method, StatusCode};
use serde_json::json;
use std::collections::BTreeSet;
use tokio::time::{Duration, sleep};

on_every_cluster! {
    a_list_is_two_calls_joined,
    a_service_that_is_missing_leaves_its_url_empty,
    lists_are_narrowed_by_what_is_asked,
    pages_lose_and_double_nothing,
    the_watch_cache_plan_is_one_call_a_list,
    an_unlabelled_deployment_is_of_the_environment_in_its_name,
    a_failed_rollout_is_said,
    get_service_is_two_calls,
    absence_of_a_service_is_remembered_for_a_second_at_most,
    cold_callers_at_once_share_one_fetch,
    answers_are_remembered_until_no_cache,
    a_list_answers_narrower_questions,
    an_answer_that_the_caller_has_is_not_sent_again,
    bad_questions_cost_nothing,
}

async fn a_list_is_two_calls_joined(cluster: Cluster) {
    seed::claim("wdata").create(&cluster).await;
    seed::deployment("weather-main")
        .env("weather")
        .version("1.0.2")
        .owner("jun")
        .replicas(2)
        .available(1)
        .env_var("K2", "v2")
        .env_var("K1", "v1")
        .pvc("wdata")
        .create(&cluster)
        .await;
    seed::service("weather-main", 9000).env("weather").version("1.0.2").create(&cluster).await;
    seed::deployment("browser-main").env("browser").version("2").create(&cluster).await;
    seed::service("browser-main", 8080).env("browser").version("2").create(&cluster).await;
    seed::service("unrelated", 80).create(&cluster).await;
    let controller = Controller::on(&cluster).await;
    cluster.reset_calls();

    let answer = controller.get("/services").await;

    let calls = cluster.calls();
    assert_eq!((calls.of("list", "deployments"), calls.of("list", "services"), calls.total), (1, 1, 2));
    assert_eq!(answer.status, StatusCode::OK);
    assert_eq!(answer.header("content-type"), "application/json");
    assert_eq!((&answer.body["success"], &answer.body["code"]), (&json!(true), &json!(0)));
    let mut rows = answer.body["data"].as_array().unwrap().clone();
    rows.sort_by_key(|row| row["id"].to_string());
    for row in &mut rows {
        for time in ["created_at", "updated_at"] {
            let text = row[time].take();
            jiff::civil::DateTime::strptime("%Y-%m-%d %H:%M:%S", text.as_str().unwrap()).unwrap();
        }
    }
    let url = |name: &str, port: u16| format!("{name}.{}.svc.cluster.local:{port}", cluster.namespace());
    assert_eq!(
        json!(rows),
        json!([
            {
                "id": "browser-main", "status": "Creating", "service_url": url("browser-main", 8080), "replicas": 1,
                "available_replicas": 0, "owner": "", "envname": "browser", "version": "2", "pvc_name": "",
                "created_at": null, "updated_at": null
            },
            {
                "id": "weather-main", "status": "Updating", "service_url": url("weather-main", 9000), "replicas": 2,
                "available_replicas": 1, "owner": "jun", "envname": "weather", "version": "1.0.2", "pvc_name": "wdata",
                "created_at": null, "updated_at": null, "environment_variables": {"K1": "v1", "K2": "v2"}
            }
        ])
    );
}

async fn a_service_that_is_missing_leaves_its_url_empty(cluster: Cluster) {
    seed::deployment("weather-main").env("weather").create(&cluster).await;
    let controller = Controller::on(&cluster).await;
    assert_eq!(controller.rows("/services").await[0]["service_url"], "");
    assert_eq!(controller.rows("/services?envName=weather").await[0]["service_url"], "");
    let alone = Controller::on(&cluster).await.get("/services/weather-main").await;
    assert_eq!((alone.status, &alone.body["data"]["service_url"]), (StatusCode::OK, &json!("")));
}

async fn lists_are_narrowed_by_what_is_asked(cluster: Cluster) {
    for (name, env, version, owner, available) in
        [("a", "weather", "1", "jun", 0), ("b", "weather", "2", "kim", 1), ("c", "browser", "1", "jun", 1)]
    {
        let labelled = seed::deployment(name).env(env).version(version).owner(owner).available(available);
        labelled.create(&cluster).await;
        seed::service(name, 8080).env(env).version(version).create(&cluster).await;
    }
    for (query, expected) in [
        ("", vec!["a", "b", "c"]),
        ("?envName=weather", vec!["a", "b"]),
        ("?envName=", vec!["a", "b", "c"]),
        ("?envName=nope", vec![]),
        ("?owner=jun", vec!["a", "c"]),
        ("?version=1&envName=weather", vec!["a"]),
        ("?status=Running", vec!["b", "c"]),
        ("?status=Creating&owner=jun", vec!["a"]),
        ("?status=Failed", vec![]),
    ] {
        // A controller of its own for each, so that the API server narrows and not the memory.
        let controller = Controller::on(&cluster).await;
        cluster.reset_calls();
        let rows = controller.rows(&format!("/services{query}")).await;
        let mut ids: Vec<_> = rows.iter().map(|row| row["id"].as_str().unwrap()).collect();
        ids.sort_unstable();
        assert_eq!(ids, expected, "{query}");
        assert_eq!(cluster.calls().total, 2, "{query}");
        assert!(rows.iter().all(|row| row["service_url"] != ""), "{query}: {rows:?}");
    }
}

async fn pages_lose_and_double_nothing(cluster: Cluster) {
    let names = || (0..10).map(|n| format!("weather-{n}"));
    seed::create_all(&cluster, names().map(|name| seed::deployment(name).env("weather"))).await;
    seed::create_all(&cluster, names().map(|name| seed::service(name, 8080).env("weather"))).await;
    let controller = Controller::with(&cluster, &[("list.page_size", "3")]).await;
    for (path, tells) in [("/services", "everything"), ("/services?envName=weather", "one environment")] {
        cluster.reset_calls();
        let answer = send(controller.request(Method::GET, path).header("cache-control", "no-cache")).await;
        let rows = answer.body["data"].as_array().unwrap();
        let ids: BTreeSet<_> = rows.iter().map(|row| row["id"].as_str().unwrap()).collect();
        assert_eq!((rows.len(), ids.len()), (10, 10), "{tells}");
        assert!(rows.iter().all(|row| row["service_url"] != ""), "{tells}");
        let calls = cluster.calls();
        assert_eq!((calls.of("list", "deployments"), calls.of("list", "services")), (4, 4), "{tells}");
    }
}

async fn the_watch_cache_plan_is_one_call_a_list(cluster: Cluster) {
    let names = || (0..10).map(|n| format!("weather-{n}"));
    seed::create_all(&cluster, names().map(seed::deployment)).await;
    let controller = Controller::with(&cluster, &[("list.page_size", "3"), ("list.plan", "watch_cache")]).await;
    cluster.reset_calls();
    // The API server's memory may be a moment behind what has just been seeded.
    let rows = controller.rows("/services").await;
    assert!(rows.len() <= 10);
    assert_eq!(cluster.calls().total, 2);
}

async fn an_unlabelled_deployment_is_of_the_environment_in_its_name(cluster: Cluster) {
    seed::deployment("swe-bench-svc-x1y2z3").create(&cluster).await;
    seed::deployment("other").create(&cluster).await;
    let rows = Controller::on(&cluster).await.rows("/services").await;
    let of = |id: &str| rows.iter().find(|row| row["id"] == id).unwrap()["envname"].clone();
    assert_eq!((of("swe-bench-svc-x1y2z3"), of("other")), (json!("swe-bench"), json!("")));
}

async fn a_failed_rollout_is_said(cluster: Cluster) {
    let stuck = seed::deployment("stuck").condition("Progressing", "False", "ProgressDeadlineExceeded");
    stuck.create(&cluster).await;
    seed::deployment("refused").condition("ReplicaFailure", "True", "FailedCreate").create(&cluster).await;
    seed::service("stuck", 9000).create(&cluster).await;
    seed::service("refused", 9000).create(&cluster).await;
    let controller = Controller::on(&cluster).await;
    assert_eq!(controller.ids("/services?status=Failed").await, ["refused", "stuck"]);
}

async fn get_service_is_two_calls(cluster: Cluster) {
    seed::deployment("weather-main").env("weather").env_var("K", "v").available(1).create(&cluster).await;
    seed::service("weather-main", 9000).create(&cluster).await;
    let controller = Controller::on(&cluster).await;
    cluster.reset_calls();
    let answer = controller.get("/services/weather-main").await;
    let row = &answer.body["data"];
    assert_eq!((&row["id"], &row["status"]), (&json!("weather-main"), &json!("Running")));
    assert_eq!(row["environment_variables"], json!({"K": "v"}));
    assert_eq!(row["service_url"], format!("weather-main.{}.svc.cluster.local:9000", cluster.namespace()));
    let calls = cluster.calls();
    assert_eq!((calls.of("get", "deployments"), calls.of("get", "services"), calls.total), (1, 1, 2));
}

async fn absence_of_a_service_is_remembered_for_a_second_at_most(cluster: Cluster) {
    let controller = Controller::on(&cluster).await;
    controller.rows("/services").await;
    let answer = controller.get("/services/nope").await;
    assert_eq!(answer.failure(404), r#"failed to get deployment failed: err is deployments.apps "nope" not found"#);
    seed::deployment("nope").create(&cluster).await;
    let asked_anew = controller.request(Method::GET, "/services/nope").header("cache-control", "no-cache");
    assert_eq!(send(asked_anew).await.status, StatusCode::OK);
    sleep(Duration::from_secs(1)).await;
    assert_eq!(controller.get("/services/nope").await.status, StatusCode::OK);
}

async fn cold_callers_at_once_share_one_fetch(cluster: Cluster) {
    seed::deployment("weather-main").create(&cluster).await;
    let controller = Controller::on(&cluster).await;
    cluster.reset_calls();
    let answers = controller.get_by_many(200, "/services").await;
    assert!(answers.iter().all(|answer| answer.body["data"][0]["id"] == "weather-main"));
    assert_eq!(cluster.calls().total, 2);
}

async fn answers_are_remembered_until_no_cache(cluster: Cluster) {
    seed::deployment("weather-main").create(&cluster).await;
    let controller = Controller::with(&cluster, &[("memo.list_ttl_ms", "3600000")]).await;
    cluster.reset_calls();
    let fetched = controller.get("/services").await;
    assert_eq!(fetched.header("cache-status"), "aenv-controller; fwd=miss; stored");
    let hit = controller.get("/services").await;
    assert!(hit.header("cache-status").starts_with("aenv-controller; hit; ttl="), "{:?}", hit.headers);
    assert_eq!((hit.header("age"), &hit.body), ("0", &fetched.body));
    assert_eq!(cluster.calls().total, 2);
    let fresh = send(controller.request(Method::GET, "/services").header("cache-control", "no-cache")).await;
    assert_eq!(fresh.header("cache-status"), "aenv-controller; fwd=request; stored");
    assert_eq!(cluster.calls().total, 4);
}

async fn a_list_answers_narrower_questions(cluster: Cluster) {
    for (name, env) in [("a", "weather"), ("b", "browser")] {
        seed::deployment(name).env(env).create(&cluster).await;
        seed::service(name, 80).env(env).create(&cluster).await;
    }
    let controller =
        Controller::with(&cluster, &[("memo.list_ttl_ms", "3600000"), ("memo.get_ttl_ms", "3600000")]).await;
    controller.rows("/services").await;
    cluster.reset_calls();
    assert_eq!(controller.ids("/services?envName=browser").await, ["b"]);
    assert_eq!(controller.get("/services/a").await.body["data"]["envname"], "weather");
    assert_eq!(controller.ids("/env-service/weather/list").await, ["a"]);
    assert_eq!(cluster.calls().total, 0);
}

async fn an_answer_that_the_caller_has_is_not_sent_again(cluster: Cluster) {
    seed::deployment("weather-main").create(&cluster).await;
    let controller = Controller::with(&cluster, &[("memo.list_ttl_ms", "3600000")]).await;
    let first = controller.get("/services").await;
    let again = controller.request(Method::GET, "/services").header("if-none-match", first.header("etag"));
    let again = send(again).await;
    assert_eq!((again.status, again.header("etag")), (StatusCode::NOT_MODIFIED, first.header("etag")));
    let other = send(controller.request(Method::GET, "/services").header("if-none-match", "\"other\"")).await;
    assert_eq!(other.status, StatusCode::OK);
}

async fn bad_questions_cost_nothing(cluster: Cluster) {
    let controller = Controller::on(&cluster).await;
    cluster.reset_calls();
    for (path, tells) in [
        ("/services?envName=weather%2Cbusiness%2Faenv-owner%3Djun", "envName"),
        ("/services?envName=%20", "envName"),
        ("/services?envName=%ff", "envName"),
        ("/services?envName=%zz", "envName"),
        ("/services?envName=%00", "envName"),
        ("/services?envName=a&envName=b", "envName"),
        ("/services?owner=!jun", "owner"),
        ("/services?version=-1", "version"),
        ("/services?status=runing", "status"),
        ("/services/Bad_Name", "name"),
        ("/services/..%2f..%2fsecrets", "name"),
        ("/pods?status=runing", "status"),
        ("/pods?envName=a%3Db", "envName"),
        ("/pods/%7e", "name"),
        ("/env-service/a%20b/list", "environment"),
        ("/env-service/@1/list", "environment"),
        ("/env-service/*", "id"),
        ("/env-instance/a@b@c/list", "version"),
        ("/env-instance/A", "id"),
    ] {
        let answer = controller.get(path).await;
        assert!(answer.failure(400).contains(tells), "{path}: {:?}", answer.body);
    }
    let long = format!("/services?envName={}", "x".repeat(64));
    controller.get(&long).await.failure(400);
    assert_eq!(cluster.calls().total, 0);
}
