//! Pressure on an API server that is short of room, fails or is gone, and the order of the calls. These need faults on
//! demand and run on the sandbox alone.

use crate::support::controller::{Answer, Controller, send};
use crate::support::crowd::crowd;
use crate::support::replica::{PATIENCE, Replica, until};
use crate::support::{Cluster, sandboxed, seed};
use aenv_controller::sandbox::{ApiServer, Faults, Rule};
use reqwest::Method;
use std::time::Duration;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep, timeout};

async fn started(keys: &[(&str, &str)]) -> (ApiServer, Cluster, Controller) {
    let (server, cluster) = sandboxed::start_with_weather().await;
    let controller = Controller::with(&cluster, keys).await;
    cluster.reset_calls();
    (server, cluster, controller)
}

/// So many calls per second.
fn room_for(qps: f64) -> Faults {
    Faults { qps: Some(qps), ..Faults::default() }
}

/// Asks for one list after the other, each another one, by many callers for `time`. Nothing can be gathered of them.
async fn ask_different_things(controller: &Controller, time: Duration) {
    let ask = controller.asker();
    for answer in crowd(40, time, move |caller, n| ask(&format!("/pods?envName=nobody-{caller}-{n}"))).await {
        assert!([200, 503].contains(&answer.status.as_u16()), "{answer:?}");
    }
}

/// The part of all calls that the API server had no room for.
fn rejected(server: &ApiServer) -> f64 {
    let calls = server.calls();
    calls.with_code(429) as f64 / calls.total as f64
}

#[tokio::test]
async fn a_rate_that_gives_way_is_rejected_much_less_often_than_a_fixed_one() {
    let mut shares = Vec::new();
    for adaptive in ["true", "false"] {
        let keys = [
            ("throttle.qps", "100"),
            ("throttle.burst", "10"),
            ("throttle.adaptive", adaptive),
            ("retry.max_attempts", "1"),
        ];
        let (server, cluster, controller) = started(&keys).await;
        server.set_faults(room_for(50.0));
        ask_different_things(&controller, Duration::from_secs(2)).await;
        server.set_faults(room_for(25.0));
        ask_different_things(&controller, Duration::from_secs(3)).await;
        let rate = controller.metric("aenv_controller_throttle_rate").await;
        if adaptive == "true" {
            assert!(rate < 100.0, "{rate}");
            assert!(controller.metric("aenv_controller_throttle_cuts_total").await >= 1.0);
        } else {
            assert_eq!(rate, 100.0);
        }
        assert!(cluster.calls().total > 50, "{:?}", cluster.calls());
        shares.push(rejected(&server));
    }
    assert!(shares[0] < shares[1] / 3.0, "adaptive, fixed: {shares:?}");
}

fn rows(answer: &Answer) -> usize {
    assert_eq!(answer.status, 200, "{answer:?}");
    answer.body["data"].as_array().unwrap().len()
}

/// Lists that have answers of their own.
const LISTS: [&str; 4] = ["/services", "/pods", "/pods?envName=weather", "/env-service/weather/list"];

#[tokio::test]
async fn known_lists_survive_a_flapping_and_overloaded_api_server() {
    let keys = [
        ("memo.list_ttl_ms", "0"),
        ("memo.patience_ms", "200"),
        ("memo.max_stale_ms", "3600000"),
        ("throttle.qps", "40"),
        ("throttle.burst", "8"),
    ];
    let (server, cluster, controller) = started(&keys).await;
    for path in LISTS {
        controller.rows(path).await;
    }
    cluster.reset_calls();
    let began = Instant::now();
    let callers = async || {
        let ask = controller.asker();
        let told = crowd(12, Duration::from_secs(3), move |caller, _| ask(LISTS[caller % LISTS.len()])).await;
        told.iter().for_each(|answer| assert_eq!(rows(answer), 6));
        told
    };
    let flapping = async {
        for n in 0..20 {
            server.set_faults(Faults { outage: n % 2 == 0, ..Faults::default() });
            sleep(Duration::from_millis(150)).await;
        }
    };
    let (told, ()) = tokio::join!(callers(), flapping);
    assert!(told.iter().any(Answer::is_old));
    let (calls, due) = (server.calls().total as f64, 8.0 + 40.0 * began.elapsed().as_secs_f64());
    assert!(calls <= due, "{calls} of {due}");
    assert!(server.calls().with_code(0) > 0, "{:?}", server.calls());

    let overloaded = Rule { status: Some(429), ..Rule::default() };
    server.set_faults(Faults { rules: vec![overloaded], ..Faults::default() });
    until("the first 429", async || {
        controller.rows("/pods").await;
        server.calls().with_code(429) > 0
    })
    .await;
    cluster.reset_calls();
    let closed = Instant::now();
    let told = callers().await;
    // It asks for a second each time; whoever is under way when it does is let go on, and no more than eight are.
    let (calls, openings) = (server.calls().total, closed.elapsed().as_secs() + 1);
    assert!(calls <= 8 * openings, "{calls} calls, {openings} openings");
    assert!(told.iter().all(Answer::is_old));
    assert!(told.len() as u64 > 4 * calls, "{} answers out of {calls} calls", told.len());
    server.set_faults(Faults::default());
    until("it is fresh again", async || !controller.get("/services").await.is_old()).await;
}

#[tokio::test]
async fn many_failing_questions_are_hardly_more_attempts() {
    const QUESTIONS: u32 = 60;
    let keys =
        [("retry.initial_ms", "1"), ("retry.max_ms", "10"), ("throttle.qps", "1000"), ("throttle.burst", "1000")];
    let (server, cluster, controller) = started(&keys).await;
    let failing = Rule { status: Some(500), ..Rule::default() };
    server.set_faults(Faults { rules: vec![failing], ..Faults::default() });
    let asked = (0..QUESTIONS).map(|n| send(controller.request(Method::GET, &format!("/pods/nobody-{n}"))));
    for answer in asked.collect::<JoinSet<_>>().join_all().await {
        answer.failure(502);
    }
    let calls = cluster.calls().total;
    let most = u64::from(QUESTIONS + 10 + QUESTIONS / 5);
    assert!((u64::from(QUESTIONS)..=most).contains(&calls), "{calls} of {most}");
    let page = controller.metrics_page().await.1;
    assert!(page.contains(r#"aenv_controller_retries_total{outcome="made"} 10"#), "{page}");
}

#[tokio::test]
async fn a_dead_api_server_is_probed_and_every_caller_answered() {
    let keys = [("throttle.max_wait_ms", "1000"), ("throttle.qps", "1000"), ("throttle.burst", "1000")];
    let (server, cluster, controller) = started(&keys).await;
    server.set_faults(Faults { outage: true, ..Faults::default() });
    let began = Instant::now();
    let asked = (0..300).map(|n| send(controller.request(Method::GET, &format!("/pods/nobody-{n}"))));
    for answer in asked.collect::<JoinSet<_>>().join_all().await {
        answer.failure(502);
    }
    // Eight at once until it is noticed, and then one at a time with at least a quarter of a second between them.
    let most = 8.0 + began.elapsed().as_secs_f64() / 0.25;
    let calls = cluster.calls().total as f64;
    assert!(calls <= most, "{calls} of {most}");
    server.set_faults(Faults::default());
    until("it is found again", async || controller.get("/pods").await.status == 200).await;
}

#[tokio::test]
async fn a_first_call_passes_the_further_pages_of_a_long_list() {
    let keys = [
        ("throttle.qps", "4"),
        ("throttle.burst", "1"),
        ("throttle.max_in_flight", "1"),
        ("throttle.max_wait_ms", "60000"),
        ("list.page_size", "1"),
    ];
    let (server, cluster, controller) = started(&keys).await;
    let hang = |resource: &str, page| Rule {
        verb: Some("list".into()),
        resource: Some(resource.into()),
        page,
        hang: true,
        ..Rule::default()
    };
    server.set_faults(Faults { rules: vec![hang("pods", Some(3))], ..Faults::default() });
    let pods = tokio::spawn(send(controller.request(Method::GET, "/pods")));
    until("the third page is under way", async || server.calls().in_flight == 1 && cluster.calls().total == 2).await;
    let services = tokio::spawn(send(controller.request(Method::GET, "/services")));
    let waiting = r#"aenv_controller_throttle_waiting{lane="read"} 2"#;
    until("both lists of the services wait", async || controller.metrics_page().await.1.contains(waiting)).await;

    // The third page ends, and what comes next holds the only place.
    server.set_faults(Faults { rules: vec![hang("services", None), hang("deployments", None)], ..Faults::default() });
    until("the next call", async || server.calls().total == 3 && server.calls().in_flight == 1).await;
    let waiting = r#"aenv_controller_throttle_waiting{lane="bulk"} 1"#;
    until("the fourth page waits", async || controller.metrics_page().await.1.contains(waiting)).await;
    assert_eq!(cluster.calls().of("list", "pods"), 3);
    assert_eq!(server.calls().in_flight, 1, "a list of the services, which came later");
    server.set_faults(Faults::default());
    for list in [services, pods] {
        let answer = timeout(PATIENCE, list).await.unwrap().unwrap();
        assert_eq!(rows(&answer), 6);
    }
}

/// The successful API calls of each replica so far.
async fn successes(replicas: &[Replica]) -> Vec<f64> {
    let mut successes = Vec::new();
    for replica in replicas {
        let page = reqwest::get(format!("http://{}/metrics", replica.metrics)).await.unwrap().text().await.unwrap();
        let answered = page.lines().filter_map(|line| {
            line.strip_prefix(r#"aenv_controller_api_requests_total{code="200",resource="pods",verb="list"} "#)
        });
        successes.push(answered.map(|count| count.parse::<f64>().unwrap()).sum());
    }
    successes
}

#[tokio::test]
async fn replicas_share_a_limited_api_server_without_failed_lists() {
    let (server, cluster) = sandboxed::start_with_weather().await;
    for n in 0..8 {
        seed::pod(format!("owned-{n}")).env("weather").owner(&format!("owner-{n}")).create(&cluster).await;
    }
    let keys = [
        ("throttle.qps", "30"),
        ("throttle.burst", "5"),
        ("memo.list_ttl_ms", "0"),
        ("memo.patience_ms", "500"),
        ("memo.max_stale_ms", "3600000"),
    ];
    let mut replicas = Vec::new();
    for _ in 0..3 {
        replicas.push(Replica::on(&cluster, &keys).await);
    }
    let (client, apis) = (reqwest::Client::new(), replicas.iter().map(|replica| replica.api).collect::<Vec<_>>());
    let ask = move |caller: usize, _| {
        let (api, owner) = (apis[caller % 3], caller / 3);
        client.get(format!("http://{api}/pods?envName=weather&owner=owner-{owner}"))
    };
    for caller in 0..24 {
        assert_eq!(rows(&send(ask(caller, 0)).await), 1);
    }
    server.set_faults(room_for(30.0));
    let before = successes(&replicas).await;
    for answer in crowd(24, Duration::from_secs(12), ask).await {
        assert_eq!(rows(&answer), 1);
    }
    let after = successes(&replicas).await;
    let rejected = rejected(&server);
    assert!((0.0001..0.2).contains(&rejected), "they want more than there is, and find out: {rejected}");
    let shares: Vec<_> = after.iter().zip(&before).map(|(after, before)| after - before).collect();
    // Equal shares take minutes, see `throttle::simulation`; but from the first moment on nobody is left with nothing.
    assert!(shares.iter().all(|share| *share >= 12.0), "one call a second at the very least: {shares:?}");
}
