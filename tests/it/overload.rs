//! When the API server says no, is slow, lies or dies: answers are truthful, and calls are spent with care.
//!
//! These need faults on demand and run on the sandbox alone.

use crate::support::controller::{Answer, Controller, send};
use crate::support::{Cluster, sandboxed};
use aenv_controller::sandbox::{ApiServer, Faults, Rule};
use reqwest::Method;
use std::time::Duration;
use tokio::time::{sleep, timeout};

/// Keys that make retries quick enough for a test.
const QUICK: [(&str, &str); 2] = [("retry.initial_ms", "10"), ("retry.max_ms", "20")];

async fn started(keys: &[(&str, &str)]) -> (ApiServer, Cluster, Controller) {
    let (server, cluster) = sandboxed::start_with_weather().await;
    let keys = [&QUICK, keys].concat();
    let controller = Controller::with(&cluster, &keys).await;
    cluster.reset_calls();
    (server, cluster, controller)
}

fn rule() -> Rule {
    Rule { verb: Some("list".into()), ..Rule::default() }
}

fn faults(rules: impl IntoIterator<Item = Rule>) -> Faults {
    Faults { rules: rules.into_iter().collect(), ..Faults::default() }
}

fn ids(answer: &Answer) -> usize {
    assert_eq!(answer.status, 200, "{:?}", answer.body);
    answer.body["data"].as_array().unwrap().len()
}

/// The calls that have reached the API server, answered or not.
fn asked(server: &ApiServer) -> u64 {
    let calls = server.calls();
    calls.total + calls.in_flight
}

/// Waits until `count` calls have reached the API server.
async fn arrived(server: &ApiServer, count: u64) {
    let arrived = async {
        while asked(server) < count {
            sleep(Duration::from_millis(5)).await;
        }
    };
    timeout(Duration::from_secs(10), arrived).await.unwrap();
}

#[tokio::test]
async fn a_429_is_tried_again_and_every_attempt_takes_a_token() {
    let (server, cluster, controller) = started(&[]).await;
    server.set_faults(faults([Rule { status: Some(429), retry_after_s: Some(0), times: Some(2), ..rule() }]));
    assert_eq!(ids(&controller.get("/pods").await), 6);
    let calls = cluster.calls();
    assert_eq!(calls.total, 3);
    assert_eq!(controller.metric("aenv_controller_throttle_admitted_total").await, 3.0);
    assert_eq!(controller.metric(r#"aenv_controller_api_requests_total"#).await, 3.0);
}

#[tokio::test]
async fn a_429_to_the_end_is_503_with_the_api_servers_retry_after() {
    let keys = [("retry.max_attempts", "3"), ("server.request_deadline_ms", "3000"), ("throttle.adaptive", "false")];
    let (server, cluster, controller) = started(&keys).await;
    server.set_faults(faults([Rule { status: Some(429), retry_after_s: Some(7), ..rule() }]));
    let answer = controller.get("/pods").await;
    assert_eq!(
        answer.failure(503),
        "failed to list instances failed: err is Too many requests, please try again later."
    );
    assert_eq!(answer.header("retry-after"), "7");
    assert_eq!(cluster.calls().total, 1, "no retry can come within the deadline, so none is waited for");
    server.set_faults(faults([Rule { status: Some(429), retry_after_s: Some(0), ..rule() }]));
    controller.get("/pods").await.failure(503);
    assert_eq!(cluster.calls().total, 4, "three attempts");
}

#[tokio::test]
async fn an_error_is_not_remembered() {
    let (server, _cluster, controller) = started(&[("retry.max_attempts", "1")]).await;
    server.set_faults(faults([Rule { status: Some(503), ..rule() }]));
    controller.get("/pods").await.failure(503);
    server.set_faults(Faults::default());
    assert_eq!(ids(&controller.get("/pods").await), 6);
}

#[tokio::test]
async fn upstream_statuses_are_mapped_truthfully() {
    let (server, _cluster, controller) = started(&[("retry.max_attempts", "1")]).await;
    for (theirs, ours) in
        [(401, 502), (403, 502), (409, 409), (422, 422), (429, 503), (500, 502), (502, 502), (503, 503), (504, 504)]
    {
        server.set_faults(faults([Rule { status: Some(theirs), ..rule() }]));
        let answer = controller.get("/pods").await;
        answer.failure(ours);
        assert_eq!(answer.headers.contains_key("retry-after"), ours == 503 || ours == 504, "{theirs}");
    }
}

#[tokio::test]
async fn a_list_that_expires_between_pages_begins_again_once() {
    let (server, cluster, controller) = started(&[("list.page_size", "2")]).await;
    let expired = |times| Rule { page: Some(2), times: Some(times), status: Some(410), ..rule() };
    server.set_faults(faults([expired(1)]));
    assert_eq!(ids(&controller.get("/pods").await), 6);
    assert_eq!(cluster.calls().total, 2 + 3, "page one, the 410, and three pages anew");
    server.set_faults(faults([expired(2)]));
    let answer = controller.get("/pods?envName=weather&owner=nobody").await;
    assert_eq!(ids(&answer), 0, "from the fresh list of all");
    let again = controller.request(Method::GET, "/pods").header("cache-control", "no-cache");
    assert_eq!(send(again).await.failure(503).split(':').next().unwrap(), "failed to list instances failed");
}

#[tokio::test]
async fn a_page_that_fails_is_never_a_part_of_a_list() {
    let (server, _cluster, controller) = started(&[("list.page_size", "2"), ("retry.max_attempts", "2")]).await;
    for broken in [
        Rule { page: Some(3), status: Some(500), ..rule() },
        Rule { page: Some(3), cut: true, ..rule() },
        Rule { page: Some(2), status: Some(403), ..rule() },
    ] {
        server.set_faults(faults([broken.clone()]));
        controller.get("/pods").await.failure(502);
    }
}

#[tokio::test]
async fn a_service_list_that_fails_fails_the_answer() {
    let (server, _cluster, controller) = started(&[("retry.max_attempts", "1")]).await;
    // The CLI takes every failure with the word "deployment" for a service that does not exist.
    for (resource, told) in [("services", "services"), ("deployments", "workloads")] {
        server.set_faults(faults([Rule { resource: Some(resource.into()), status: Some(500), ..rule() }]));
        let answer = controller.get("/services").await;
        assert!(answer.failure(502).starts_with(&format!("failed to list {told} failed: ")), "{:?}", answer.body);
    }
}

#[tokio::test]
async fn a_cut_connection_is_tried_again_and_then_a_bad_gateway() {
    let (server, cluster, controller) = started(&[("retry.max_attempts", "3")]).await;
    server.set_faults(faults([Rule { cut: true, times: Some(1), ..rule() }]));
    assert_eq!(ids(&controller.get("/pods").await), 6);
    server.set_faults(Faults { outage: true, ..Faults::default() });
    cluster.reset_calls();
    let refetch = || controller.request(Method::GET, "/pods").header("cache-control", "no-cache, stale-if-error=0");
    assert!(send(refetch()).await.failure(502).contains("was cut"));
    assert_eq!(cluster.calls().total, 3);
    assert_eq!(controller.health("/readyz").await.0, 200, "an outage must not take every replica out");
    assert_eq!(controller.health("/livez").await.0, 200);
    server.set_faults(Faults::default());
    assert_eq!(ids(&send(refetch()).await), 6);
}

#[tokio::test]
async fn an_api_server_that_has_just_come_back_may_not_know_our_rights_yet() {
    let (server, _cluster, controller) = started(&[("memo.list_ttl_ms", "0")]).await;
    let forbidden = |times| Rule { status: Some(403), times, ..rule() };
    server.set_faults(faults([forbidden(None)]));
    controller.get("/pods").await.failure(502);
    server.set_faults(faults([Rule { cut: true, times: Some(1), ..rule() }, forbidden(Some(2))]));
    assert_eq!(ids(&controller.get("/pods").await), 6, "it is asked again until it knows");
    server.set_faults(faults([forbidden(None)]));
    let answer = controller.get("/pods").await;
    assert_eq!((ids(&answer), answer.header("cache-status")), (6, "aenv-controller; hit; fwd=stale"));
}

#[tokio::test]
async fn impatient_callers_of_a_hung_api_server_share_a_fetch() {
    let (server, cluster, controller) = started(&[]).await;
    server.set_faults(Faults { hang: true, ..Faults::default() });
    let callers: Vec<_> = (0..200)
        .map(|n| {
            let patience = Duration::from_millis(50 + 10 * n);
            tokio::spawn(controller.request(Method::GET, "/services").timeout(patience).send())
        })
        .collect();
    arrived(&server, 2).await;
    for caller in callers {
        assert!(caller.await.unwrap().unwrap_err().is_timeout());
    }
    let last = tokio::spawn(send(controller.request(Method::GET, "/services")));
    server.set_faults(Faults::default());
    assert_eq!(ids(&last.await.unwrap()), 6);
    assert_eq!(cluster.calls().total, 2, "one list of Deployments and one of Services");
}

#[tokio::test]
async fn a_hung_api_server_costs_a_caller_its_deadline() {
    let (server, _cluster, controller) =
        started(&[("server.request_deadline_ms", "400"), ("kubernetes.read_timeout_ms", "150")]).await;
    server.set_faults(Faults { hang: true, ..Faults::default() });
    let answer = timeout(Duration::from_secs(10), controller.get("/pods")).await.unwrap();
    answer.failure(504);
    assert_eq!(answer.header("retry-after"), "1");
    assert!(asked(&server) >= 2, "a silent connection is given up and tried again within the deadline");
}

#[tokio::test]
async fn nobody_waiting_means_no_retry() {
    let (server, _cluster, controller) = started(&[("kubernetes.read_timeout_ms", "300")]).await;
    server.set_faults(Faults { hang: true, ..Faults::default() });
    let caller = controller.request(Method::GET, "/pods").timeout(Duration::from_millis(100)).send();
    assert!(caller.await.unwrap_err().is_timeout());
    // Long enough for the read time-out and several retries.
    sleep(Duration::from_millis(1000)).await;
    assert_eq!(asked(&server), 1);
}

#[tokio::test]
async fn our_own_limit_refuses_at_once_and_says_when() {
    let (_server, cluster, controller) = started(&[
        ("throttle.qps", "0.1"),
        ("throttle.burst", "1"),
        ("throttle.max_wait_ms", "1000"),
        ("memo.list_ttl_ms", "0"),
        ("memo.max_stale_ms", "0"),
    ])
    .await;
    assert_eq!(ids(&controller.get("/pods").await), 6);
    let answer = controller.get("/pods?envName=weather").await;
    assert!(answer.failure(503).contains("this replica's own limit"), "{:?}", answer.body);
    let seconds: u64 = answer.header("retry-after").parse().unwrap();
    assert!((5..=10).contains(&seconds), "{seconds}");
    assert_eq!(cluster.calls().total, 1);
    assert_eq!(controller.metric("aenv_controller_throttle_refused_total").await, 1.0);
}

#[tokio::test]
async fn the_wire_sees_as_many_requests_as_the_throttle_let_through() {
    let (server, cluster, controller) = started(&[
        ("throttle.max_in_flight", "3"),
        ("list.page_size", "2"),
        ("memo.list_ttl_ms", "0"),
        ("memo.get_ttl_ms", "0"),
        ("throttle.qps", "1000"),
    ])
    .await;
    let flaky = Rule { status: Some(503), times: Some(5), ..Rule::default() };
    server.set_faults(Faults { latency_ms: 5, ..faults([flaky]) });
    for _ in 0..3 {
        for path in
            ["/services", "/pods", "/pods?envName=weather", "/services/weather-1", "/pods/weather-2", "/pods/nope"]
        {
            controller.get_by_many(5, path).await;
        }
    }
    let calls = server.calls();
    assert!(calls.total > 30, "{calls:?}");
    assert_eq!(controller.metric("aenv_controller_throttle_admitted_total").await, calls.total as f64);
    assert_eq!(controller.metric("aenv_controller_api_requests_total").await, calls.total as f64);
    assert!(calls.max_in_flight <= 3, "{calls:?}");
    assert_eq!(cluster.calls().total, calls.total);
}

#[tokio::test]
async fn no_window_sees_more_than_the_burst_and_the_rate() {
    let (server, _cluster, controller) = started(&[
        ("throttle.qps", "20"),
        ("throttle.burst", "5"),
        ("memo.get_ttl_ms", "0"),
        ("memo.list_ttl_ms", "0"),
    ])
    .await;
    // The bucket is full again; ask for much more than it holds, each for another pod so that none is shared.
    let began = tokio::time::Instant::now();
    let asked = (0..25).map(|n| send(controller.request(Method::GET, &format!("/pods/x{n}"))));
    let answers = asked.collect::<tokio::task::JoinSet<_>>().join_all().await;
    assert!(answers.iter().all(|answer| answer.status == 404));
    let due = 5.0 + 20.0 * began.elapsed().as_secs_f64();
    assert!(server.calls().total as f64 <= due, "{} calls, {due} were due", server.calls().total);
}
