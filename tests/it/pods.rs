//! `GET /pods` and `GET /pods/{name}`.

#![expect(clippy::disallowed_methods, reason = "the system's time is the API server's")]

use crate::support::controller::{Controller, send};
use crate::support::{Cluster, on_every_cluster, seed};
use jiff::{SignedDuration, Timestamp};
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};
use std::collections::BTreeSet;
use tokio::time::{Duration, sleep};

on_every_cluster! {
    a_list_is_one_call,
    no_pods_are_an_empty_list,
    get_pod_is_a_single_call,
    a_pod_that_does_not_exist_is_the_api_servers_404_for_a_second_at_most,
    lists_are_narrowed_by_what_is_asked,
    the_api_server_narrows_and_only_what_is_asked_for_is_sent,
    pages_lose_and_double_nothing,
    a_list_answers_narrower_questions,
    expired_pods_are_those_that_outlived_their_ttl,
    only_pods_with_a_ttl_are_fetched_to_find_the_expired,
    a_fresh_list_of_all_knows_which_have_expired,
    a_pod_expires_in_an_answer_that_is_remembered,
}

/// Keeps answers for longer than any test takes.
const REMEMBER: [(&str, &str); 2] = [("memo.list_ttl_ms", "3600000"), ("memo.get_ttl_ms", "3600000")];

/// Over as soon as the pod is there: times of creation are cut to the second.
const NO_TIME: &str = "1ms";

async fn a_list_is_one_call(cluster: Cluster) {
    let before = Timestamp::now();
    seed::pod("weather-3ue90w")
        .env("weather")
        .version("1.0.2")
        .owner("jun")
        .ttl("30m")
        .phase("Running")
        .ip("10.1.0.7")
        .create(&cluster)
        .await;
    seed::pod("bare").create(&cluster).await;
    let controller = Controller::on(&cluster).await;
    cluster.reset_calls();

    let answer = controller.get("/pods").await;

    let calls = cluster.calls();
    assert_eq!((calls.of("list", "pods"), calls.total), (1, 1));
    assert_eq!(answer.status, StatusCode::OK);
    assert_eq!(answer.header("content-type"), "application/json");
    assert_eq!((&answer.body["success"], &answer.body["code"]), (&json!(true), &json!(0)));
    let mut rows = answer.body["data"].as_array().unwrap().clone();
    rows.sort_by_key(|row| row["id"].to_string());
    for row in &mut rows {
        let created = take_time(row, "created_at");
        assert!(created.duration_since(before).abs() < SignedDuration::from_mins(1), "{created}");
    }
    assert_eq!(
        json!(rows),
        json!([
            {
                "id": "bare", "status": "Pending", "ttl": "", "created_at": null, "envname": "", "version": "", "ip": "",
                "owner": ""
            },
            {
                "id": "weather-3ue90w", "status": "Running", "ttl": "30m", "created_at": null, "envname": "weather",
                "version": "1.0.2", "ip": "10.1.0.7", "owner": "jun"
            }
        ])
    );
}

async fn no_pods_are_an_empty_list(cluster: Cluster) {
    let controller = Controller::on(&cluster).await;
    for path in ["/pods", "/pods?envName=weather", "/pods?filter=expired"] {
        assert_eq!(controller.get(path).await.body, json!({"success": true, "code": 0, "data": []}), "{path}");
    }
}

async fn get_pod_is_a_single_call(cluster: Cluster) {
    let labelled = seed::pod("weather-3ue90w").env("weather").version("1.0.2").owner("jun").ttl("30m");
    labelled.phase("Running").ip("10.1.0.7").create(&cluster).await;
    seed::pod("bare").create(&cluster).await;
    let controller = Controller::on(&cluster).await;
    cluster.reset_calls();
    let answer = controller.get("/pods/weather-3ue90w").await;
    assert_eq!(answer.header("content-type"), "application/json");
    assert_eq!(
        answer.body,
        json!({
            "success": true, "code": 0,
            "data": {"id": "weather-3ue90w", "status": "Running", "ip": "10.1.0.7", "ttl": "30m", "owner": "jun"}
        })
    );
    let calls = cluster.calls();
    assert_eq!((calls.of("get", "pods"), calls.total), (1, 1));
    assert_eq!(
        controller.get("/pods/bare").await.body["data"],
        json!({"id": "bare", "status": "Pending", "ip": "", "ttl": "", "owner": ""})
    );
}

async fn a_pod_that_does_not_exist_is_the_api_servers_404_for_a_second_at_most(cluster: Cluster) {
    let controller = Controller::with(&cluster, &REMEMBER).await;
    controller.rows("/pods").await;
    let answer = controller.get("/pods/nope").await;
    assert_eq!(answer.failure(404), r#"failed to get pod failed: err is pods "nope" not found"#);
    seed::pod("nope").create(&cluster).await;
    let asked_anew = controller.request(Method::GET, "/pods/nope").header("cache-control", "no-cache");
    assert_eq!(send(asked_anew).await.status, StatusCode::OK);
    sleep(Duration::from_secs(1)).await;
    assert_eq!(controller.get("/pods/nope").await.status, StatusCode::OK);
}

async fn lists_are_narrowed_by_what_is_asked(cluster: Cluster) {
    for (name, env, version, owner, phase) in [
        ("a", "weather", "1", "jun", "Pending"),
        ("b", "weather", "2", "kim", "Running"),
        ("c", "browser", "1", "jun", "Running"),
        ("d", "browser", "1", "kim", "Succeeded"),
    ] {
        seed::pod(name).env(env).version(version).owner(owner).phase(phase).create(&cluster).await;
    }
    for (query, expected) in [
        ("", vec!["a", "b", "c", "d"]),
        ("?envName=weather", vec!["a", "b"]),
        ("?envName=", vec!["a", "b", "c", "d"]),
        ("?envName=nope", vec![]),
        ("?owner=jun", vec!["a", "c"]),
        ("?version=1&envName=browser", vec!["c", "d"]),
        ("?status=Pending", vec!["a"]),
        ("?status=Running", vec!["b", "c"]),
        ("?status=Succeeded", vec!["d"]),
        ("?status=Failed", vec![]),
        ("?status=Unknown", vec![]),
        ("?status=Running&owner=jun", vec!["c"]),
        ("?status=&filter=", vec!["a", "b", "c", "d"]),
    ] {
        // A controller of its own for each, so that the API server narrows and not the memory.
        let controller = Controller::on(&cluster).await;
        cluster.reset_calls();
        assert_eq!(controller.ids(&format!("/pods{query}")).await, expected, "{query}");
        let calls = cluster.calls();
        assert_eq!((calls.of("list", "pods"), calls.total), (1, 1), "{query}");
    }
}

async fn the_api_server_narrows_and_only_what_is_asked_for_is_sent(cluster: Cluster) {
    seed::create_all(&cluster, (0..9).map(|n| seed::pod(format!("a-{n}")).env("browser").owner("kim"))).await;
    // The last one by name, so that the API server knows that there is no further page.
    let last = seed::pod("z").env("weather").version("2").owner("jun");
    last.phase("Running").create(&cluster).await;
    for query in ["envName=weather", "version=2", "owner=jun", "status=Running"] {
        let controller = Controller::with(&cluster, &[("list.page_size", "2")]).await;
        cluster.reset_calls();
        assert_eq!(controller.ids(&format!("/pods?{query}")).await, ["z"], "{query}");
        assert_eq!(cluster.calls().total, 1, "{query}: all ten would be five pages");
    }
}

async fn pages_lose_and_double_nothing(cluster: Cluster) {
    seed::create_all(&cluster, (0..10).map(|n| seed::pod(format!("weather-{n}")).env("weather").ttl(NO_TIME))).await;
    let controller = Controller::with(&cluster, &[("list.page_size", "3")]).await;
    for path in ["/pods", "/pods?envName=weather", "/pods?filter=expired", "/pods?status=Pending"] {
        cluster.reset_calls();
        let answer = send(controller.request(Method::GET, path).header("cache-control", "no-cache")).await;
        let rows = answer.body["data"].as_array().unwrap();
        let ids: BTreeSet<_> = rows.iter().map(|row| row["id"].as_str().unwrap()).collect();
        assert_eq!((rows.len(), ids.len()), (10, 10), "{path}");
        assert_eq!(cluster.calls().of("list", "pods"), 4, "{path}");
    }
}

async fn a_list_answers_narrower_questions(cluster: Cluster) {
    for (name, env, version, phase) in [("a", "weather", "1", "Running"), ("b", "browser", "2", "Pending")] {
        seed::pod(name).env(env).version(version).owner("jun").phase(phase).create(&cluster).await;
    }
    let controller = Controller::with(&cluster, &REMEMBER).await;
    controller.rows("/pods").await;
    cluster.reset_calls();
    for (path, expected) in [
        ("/pods?envName=browser", vec!["b"]),
        ("/pods?status=Running", vec!["a"]),
        ("/pods?owner=jun&version=2", vec!["b"]),
        ("/pods?envName=nope", vec![]),
    ] {
        assert_eq!(controller.ids(path).await, expected, "{path}");
    }
    assert_eq!(controller.get("/pods/a").await.body["data"]["status"], "Running");
    assert_eq!(cluster.calls().total, 0);
}

async fn expired_pods_are_those_that_outlived_their_ttl(cluster: Cluster) {
    seed::pod("over").env("weather").ttl(NO_TIME).phase("Succeeded").create(&cluster).await;
    seed::pod("over-too").env("browser").ttl("0").create(&cluster).await;
    seed::pod("young").env("weather").ttl("1h30m").create(&cluster).await;
    seed::pod("without").env("weather").create(&cluster).await;
    seed::pod("going").env("weather").ttl(NO_TIME).terminating().create(&cluster).await;
    let odd = ["", "soon", "30", "1d", "1h-5m", "1e3s", "9999999999999999999h"];
    let unreadable = odd.iter().enumerate();
    seed::create_all(&cluster, unreadable.map(|(n, ttl)| seed::pod(format!("odd-{n}")).env("weather").ttl(ttl))).await;
    for (path, expected) in [
        ("/pods?filter=expired", vec!["over", "over-too"]),
        ("/pods?filter=expired&envName=weather", vec!["over"]),
        ("/pods?filter=expired&status=Pending", vec!["over-too"]),
        ("/pods?filter=expired&envName=nope", vec![]),
    ] {
        let controller = Controller::on(&cluster).await;
        cluster.reset_calls();
        assert_eq!(controller.ids(path).await, expected, "{path}");
        assert_eq!(cluster.calls().total, 1, "{path}");
    }
    let all = Controller::on(&cluster).await.rows("/pods").await;
    assert_eq!(all.len(), 5 + odd.len(), "the filter alone leaves out");
}

async fn only_pods_with_a_ttl_are_fetched_to_find_the_expired(cluster: Cluster) {
    let pods = (0..10).map(|n| {
        let pod = seed::pod(format!("weather-{n}")).env("weather");
        if [4, 9].contains(&n) { pod.ttl(NO_TIME) } else { pod }
    });
    seed::create_all(&cluster, pods).await;
    for query in ["", "&envName=weather"] {
        let controller = Controller::with(&cluster, &[("list.page_size", "2")]).await;
        cluster.reset_calls();
        assert_eq!(controller.ids(&format!("/pods?filter=expired{query}")).await, ["weather-4", "weather-9"]);
        assert_eq!(cluster.calls().of("list", "pods"), 1, "one page has both; all ten would be five pages");
    }
}

async fn a_fresh_list_of_all_knows_which_have_expired(cluster: Cluster) {
    seed::pod("over").env("weather").ttl(NO_TIME).create(&cluster).await;
    seed::pod("going").env("weather").ttl(NO_TIME).terminating().create(&cluster).await;
    seed::pod("without").env("weather").create(&cluster).await;
    let controller = Controller::with(&cluster, &REMEMBER).await;
    controller.rows("/pods").await;
    cluster.reset_calls();
    assert_eq!(controller.ids("/pods?filter=expired").await, ["over"]);
    assert_eq!(controller.ids("/pods?filter=expired&envName=weather").await, ["over"]);
    assert_eq!(controller.ids("/env-instance/weather/list?filter=expired").await, ["over"]);
    assert_eq!(cluster.calls().total, 0);
}

async fn a_pod_expires_in_an_answer_that_is_remembered(cluster: Cluster) {
    let controller = Controller::with(&cluster, &REMEMBER).await;
    seed::pod("weather-3ue90w").ttl("3s").create(&cluster).await;
    let created = take_time(&mut controller.rows("/pods").await[0], "created_at");
    let expires = created + SignedDuration::from_secs(3);
    assert!(Timestamp::now() < expires, "read too late to see it expire from memory");
    cluster.reset_calls();
    loop {
        let asked = Timestamp::now();
        let expired = controller.ids("/pods?filter=expired").await;
        if !expired.is_empty() {
            assert!(Timestamp::now() > expires, "too early");
            break;
        }
        assert!(asked <= expires, "too late");
        sleep(Duration::from_millis(20)).await;
    }
    assert_eq!(cluster.calls().total, 0);
}

/// The time in a field, in RFC 3339 to the second and in UTC as recorded; `null` takes its place.
#[track_caller]
fn take_time(row: &mut Value, field: &str) -> Timestamp {
    let text = row[field].take();
    let text = text.as_str().unwrap();
    let time: Timestamp = text.parse().unwrap();
    assert_eq!(time.strftime("%Y-%m-%dT%H:%M:%SZ").to_string(), text);
    time
}
