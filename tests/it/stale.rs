//! Old answers stand in for those that cannot be had: marked, of a bounded age, and only where the reason says nothing of
//! what was asked about. These need faults on demand and run on the sandbox alone.

use crate::support::controller::{Answer, Controller, send};
use crate::support::replica::{PATIENCE, until};
use crate::support::{Cluster, sandboxed, seed};
use aenv_controller::sandbox::{ApiServer, Faults, Rule};
use reqwest::Method;
use serde_json::Value;
use std::time::Duration;
use tokio::time::{Instant, sleep, timeout};

/// Each way to ask for a list or an object, of both families of routes.
const PATHS: [&str; 14] = [
    "/services",
    "/services?envName=weather",
    "/services?envName=weather&owner=nobody",
    "/services/weather-1",
    "/pods",
    "/pods?envName=weather",
    "/pods?filter=expired",
    "/pods/weather-1",
    "/env-service/*/list",
    "/env-service/weather/list",
    "/env-service/weather-1",
    "/env-instance/list",
    "/env-instance/weather/list",
    "/env-instance/weather-1",
];

/// Nothing is fresh, so that every question is fetched, and who has an old answer does not wait long for it.
const NEVER_FRESH: [(&str, &str); 3] =
    [("memo.list_ttl_ms", "0"), ("memo.get_ttl_ms", "0"), ("memo.patience_ms", "100")];

/// Each attempt at an unreachable API server waits for the next probe.
const ONCE: (&str, &str) = ("retry.max_attempts", "1");

async fn started(keys: &[(&str, &str)]) -> (ApiServer, Cluster, Controller) {
    let (server, cluster) = sandboxed::start_with_weather().await;
    let controller = Controller::with(&cluster, &[&NEVER_FRESH, keys].concat()).await;
    (server, cluster, controller)
}

fn outage() -> Faults {
    Faults { outage: true, ..Faults::default() }
}

fn hang() -> Faults {
    Faults { hang: true, ..Faults::default() }
}

/// Every call is answered with this status.
fn answering(status: u16) -> Faults {
    Faults { rules: vec![Rule { status: Some(status), ..Rule::default() }], ..Faults::default() }
}

async fn get_with(controller: &Controller, path: &str, cache_control: &str) -> Answer {
    send(controller.request(Method::GET, path).header("cache-control", cache_control)).await
}

/// Waits for an answer that is not an old one.
async fn renewed(controller: &Controller, path: &str) -> Answer {
    let mut newest = None;
    until(path, async || {
        let answer = controller.get(path).await;
        assert_eq!(answer.status, 200, "{path}: {:?}", answer.body);
        newest = Some(answer).filter(|answer| !answer.is_old());
        newest.is_some()
    })
    .await;
    newest.unwrap()
}

/// Without the moment at which it was read: two paths may share an answer, and then the later one's is the one kept.
fn timeless(body: &Value) -> Value {
    let mut body = body.clone();
    let mut pending = vec![&mut body];
    while let Some(value) = pending.pop() {
        match value {
            Value::Object(fields) => {
                fields.remove("updated_at");
                pending.extend(fields.values_mut());
            }
            Value::Array(items) => pending.extend(items),
            _ => {}
        }
    }
    body
}

#[tokio::test]
async fn known_lists_are_answered_stale_through_any_outage() {
    let (server, cluster, controller) = started(&[]).await;
    for (n, trouble) in
        [outage(), hang(), answering(429), answering(500), answering(503), answering(504)].into_iter().enumerate()
    {
        let began = Instant::now();
        let mut known = Vec::new();
        for path in PATHS {
            known.push(renewed(&controller, path).await);
        }
        let read = Instant::now();
        sleep(Duration::from_millis(1100)).await;
        server.set_faults(trouble.clone());
        for (path, known) in PATHS.iter().zip(&known) {
            let youngest = read.elapsed().as_secs();
            let answer = controller.get(path).await;
            assert_eq!(answer.status, 200, "{path}, {trouble:?}: {:?}", answer.body);
            assert!(answer.is_old(), "{path}, {trouble:?}: {:?}", answer.headers);
            assert_eq!(timeless(&answer.body), timeless(&known.body), "{path}, {trouble:?}");
            let possible = youngest..=began.elapsed().as_secs();
            assert!(possible.contains(&answer.age()), "{path}, {trouble:?}: {} of {possible:?}", answer.age());
        }
        server.set_faults(Faults::default());
        let pod = format!("newcomer-{n}");
        seed::pod(&pod).env("weather").create(&cluster).await;
        let answer = get_with(&controller, "/pods", "no-cache").await;
        assert!(answer.status == 200 && !answer.is_old(), "{trouble:?} is over: {answer:?}");
        assert!(answer.body.to_string().contains(&pod), "{trouble:?} is over: {answer:?}");
    }
}

#[tokio::test]
async fn denied_lists_are_not_answered_stale() {
    let (server, _cluster, controller) = started(&[ONCE, ("memo.patience_ms", "600000")]).await;
    for (path, theirs, ours) in [
        ("/services", 401, 502),
        ("/pods", 403, 502),
        ("/env-service/weather/list", 403, 502),
        ("/env-instance/list", 401, 502),
        ("/services/weather-2", 404, 404),
        ("/services/weather-2", 403, 502),
        ("/env-instance/weather-2", 404, 404),
    ] {
        server.set_faults(Faults::default());
        renewed(&controller, path).await;
        server.set_faults(answering(theirs));
        controller.get(path).await.failure(ours);
        server.set_faults(answering(500));
        controller.get(path).await.failure(502);
    }
}

#[tokio::test]
async fn an_answer_that_is_too_old_is_not_given_any_more() {
    let (server, _cluster, controller) = started(&[("memo.max_stale_ms", "1500"), ONCE]).await;
    renewed(&controller, "/pods").await;
    renewed(&controller, "/services/weather-1").await;
    server.set_faults(outage());
    for path in ["/pods", "/services/weather-1"] {
        until("it is too old", async || {
            let answer = controller.get(path).await;
            if answer.status == 200 {
                assert!(answer.is_old() && answer.age() <= 1, "{answer:?}");
                return false;
            }
            [502, 504].contains(&answer.status.as_u16())
        })
        .await;
    }
}

#[tokio::test]
async fn a_caller_says_how_old_an_answer_it_takes_in_place_of_an_error() {
    let (server, _cluster, controller) = started(&[("memo.max_stale_ms", "3000"), ONCE]).await;
    renewed(&controller, "/pods").await;
    server.set_faults(outage());
    get_with(&controller, "/pods", "stale-if-error=0").await.failure(502);
    get_with(&controller, "/pods", "no-cache, stale-if-error=0").await.failure(502);
    get_with(&controller, "/env-instance/list", "max-age=9, stale-if-error=0").await.failure(502);
    sleep(Duration::from_millis(1100)).await;
    get_with(&controller, "/pods", "stale-if-error=1").await.failure(502);
    until("not longer than the controller allows", async || {
        let answer = get_with(&controller, "/pods", "stale-if-error=86400").await;
        assert!(answer.status != 200 || answer.is_old() && answer.age() <= 2, "{answer:?}");
        [502, 504].contains(&answer.status.as_u16())
    })
    .await;
}

#[tokio::test]
async fn a_question_that_was_never_answered_is_answered_with_the_truth() {
    let keys = [("server.request_deadline_ms", "2000"), ONCE, ("throttle.max_wait_ms", "100")];
    for (trouble, status) in
        [(outage(), 502), (answering(429), 503), (answering(503), 503), (answering(500), 502), (hang(), 504)]
    {
        let (server, _cluster, controller) = started(&keys).await;
        // What is known of services says nothing of instances.
        renewed(&controller, "/services").await;
        server.set_faults(trouble.clone());
        for path in ["/pods", "/pods/weather-1", "/env-instance/weather/list", "/env-service/nobody-knows"] {
            let answer = controller.get(path).await;
            answer.failure(status);
            assert_eq!(answer.headers.contains_key("retry-after"), [503, 504].contains(&status), "{path}: {trouble:?}");
        }
        assert!(controller.get("/services").await.is_old(), "{trouble:?}");
    }
}

#[tokio::test]
async fn retry_after_is_respected_while_stale_answers_are_given() {
    // Whoever waits for the API server waits for much longer than this test.
    let waits = [
        ("memo.patience_ms", "600000"),
        ("throttle.max_wait_ms", "600000"),
        ("server.request_deadline_ms", "600000"),
        ("memo.max_stale_ms", "3600000"),
    ];
    let (server, cluster, controller) = started(&waits).await;
    for path in PATHS {
        renewed(&controller, path).await;
    }
    let busy = Rule { status: Some(429), retry_after_s: Some(60), times: Some(1), ..Rule::default() };
    server.set_faults(Faults { rules: vec![busy], ..Faults::default() });
    assert!(controller.get("/pods").await.is_old());
    cluster.reset_calls();
    let asking = async {
        for path in PATHS {
            for answer in controller.get_by_many(20, path).await {
                assert!(answer.status == 200 && answer.is_old(), "{path}: {answer:?}");
            }
        }
    };
    timeout(PATIENCE, asking).await.expect("at once");
    assert_eq!(cluster.calls().total, 0);
    assert_eq!(server.calls().in_flight, 0);
}

#[tokio::test]
async fn revalidation_answers_at_once_and_fetches_once_behind() {
    let keys = [("memo.list_ttl_ms", "50"), ("memo.revalidate_ms", "3600000")];
    let (server, cluster, controller) = started(&keys).await;
    let known = renewed(&controller, "/pods").await;
    cluster.reset_calls();
    sleep(Duration::from_millis(300)).await;
    assert_eq!(server.calls().total + server.calls().in_flight, 0, "nobody asks");

    seed::pod("newcomer").env("weather").create(&cluster).await;
    cluster.reset_calls();
    // While this lasts, whoever is answered has not waited for the API server.
    server.set_faults(hang());
    for answer in controller.get_by_many(20, "/pods").await {
        assert_eq!((answer.status.as_u16(), answer.header("cache-status")), (200, "aenv-controller; hit; ttl=-1"));
        assert_eq!(answer.body, known.body);
    }
    until("the fetch behind it", async || server.calls().in_flight == 1).await;
    controller.get_by_many(20, "/pods").await;
    assert_eq!((server.calls().in_flight, cluster.calls().total), (1, 0), "one for all");
    server.set_faults(Faults::default());
    until("the new answer", async || controller.ids("/pods").await.contains(&"newcomer".to_owned())).await;
}
