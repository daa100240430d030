//! The inbound edge: callers that are slow, too many, or patient while the API server does not answer.

use crate::support::controller::{Answer, Controller, send};
use crate::support::replica::Replica;
use crate::support::{Cluster, sandboxed, seed};
use aenv_controller::sandbox::{ApiServer, Faults};
use reqwest::Method;
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};

const GET: &str = "GET /pods HTTP/1.1\r\nhost: x\r\n\r\n";

/// Longer than a slow machine takes, and shorter than an idle connection is kept.
const PATIENCE: Duration = Duration::from_secs(60);

/// A time for heads that is short, but not too short for heads that are written at once.
const SHORT: (&str, &str) = ("server.header_timeout_ms", "800");

async fn started(keys: &[(&str, &str)]) -> (ApiServer, Cluster, Controller) {
    let (server, cluster) = sandboxed::start().await;
    seed::create_all(&cluster, (0..3).map(|n| seed::pod(format!("weather-{n}")).env("weather"))).await;
    let controller = Controller::with(&cluster, keys).await;
    (server, cluster, controller)
}

/// A connection, byte by byte.
struct Wire(TcpStream);

impl Wire {
    async fn to(controller: &Controller) -> Self {
        Self(TcpStream::connect(controller.api_addr()).await.unwrap())
    }

    async fn write(&mut self, text: &str) {
        self.0.write_all(text.as_bytes()).await.unwrap();
    }

    /// Asks, and reads the whole answer.
    async fn answer(&mut self, request: &str) -> String {
        self.write(request).await;
        let mut answer = String::new();
        while !answer.ends_with('}') {
            let mut some = [0; 4096];
            let read = timeout(PATIENCE, self.0.read(&mut some)).await.expect("an answer").unwrap();
            assert!(read > 0, "closed after {answer:?}");
            answer.push_str(std::str::from_utf8(&some[..read]).unwrap());
        }
        answer
    }

    /// All that comes until the other side closes the connection.
    async fn rest(&mut self) -> String {
        let mut rest = Vec::new();
        timeout(PATIENCE, self.0.read_to_end(&mut rest)).await.expect("the connection is closed").unwrap();
        String::from_utf8(rest).unwrap()
    }

    /// Goes on with one more byte every now and then, until the other side closes the connection.
    async fn dribble(&mut self) -> String {
        let (mut reader, mut writer) = self.0.split();
        let dribble = async {
            while writer.write_all(b"x").await.is_ok() {
                sleep(Duration::from_millis(20)).await;
            }
        };
        let mut rest = Vec::new();
        let end = async {
            let mut some = [0; 4096];
            // The end may be a reset, since there is always a byte that nobody reads.
            while let Ok(read @ 1..) = reader.read(&mut some).await {
                rest.extend_from_slice(&some[..read]);
            }
        };
        timeout(PATIENCE, async {
            tokio::select! {
                () = dribble => {}
                () = end => {}
            }
        })
        .await
        .expect("the connection is closed");
        String::from_utf8(rest).unwrap()
    }
}

#[track_caller]
fn slow(answer: &str, key: &str) {
    assert!(answer.starts_with("HTTP/1.1 408 Request Timeout\r\n"), "{answer:?}");
    assert!(answer.contains("connection: close\r\n"), "{answer:?}");
    assert!(answer.contains(r#"{"success":false,"code":408,"#) && answer.contains(key), "{answer:?}");
}

#[tokio::test]
async fn an_incomplete_head_is_408_on_new_and_kept_connections() {
    let (_server, _cluster, controller) = started(&[SHORT]).await;
    let mut silent = Wire::to(&controller).await;
    slow(&silent.rest().await, "server.header_timeout_ms");
    for earlier in 0..3 {
        let mut wire = Wire::to(&controller).await;
        for _ in 0..earlier {
            assert!(wire.answer(GET).await.starts_with("HTTP/1.1 200"));
        }
        wire.write("GET /pods HTTP/1.1\r\nho").await;
        slow(&wire.rest().await, "server.header_timeout_ms");
    }
}

#[tokio::test]
async fn a_head_that_dribbles_is_not_waited_for() {
    let (_server, _cluster, controller) = started(&[SHORT]).await;
    for earlier in 0..2 {
        let mut wire = Wire::to(&controller).await;
        for _ in 0..earlier {
            assert!(wire.answer(GET).await.starts_with("HTTP/1.1 200"));
        }
        wire.write("GET /pods HTTP/1.1\r\nx: ").await;
        wire.dribble().await;
    }
}

#[tokio::test]
async fn an_idle_connection_and_a_slow_answer_outlive_the_time_for_a_head() {
    let (server, _cluster, controller) = started(&[SHORT]).await;
    let mut wire = Wire::to(&controller).await;
    assert!(wire.answer(GET).await.starts_with("HTTP/1.1 200"));
    sleep(Duration::from_millis(1_200)).await;
    server.set_faults(Faults { latency_ms: 1_200, ..Faults::default() });
    let fresh = "GET /pods HTTP/1.1\r\nhost: x\r\ncache-control: no-cache\r\n\r\n";
    assert!(wire.answer(fresh).await.starts_with("HTTP/1.1 200"));
    assert!(wire.answer(GET).await.starts_with("HTTP/1.1 200"));
}

#[tokio::test]
async fn a_missing_body_is_408_and_closes_the_connection() {
    let (_server, _cluster, controller) = started(&[("server.body_timeout_ms", "300")]).await;
    for framing in ["content-length: 100\r\n\r\n{", "transfer-encoding: chunked\r\n\r\n1\r\n{\r\n"] {
        for earlier in 0..2 {
            let mut wire = Wire::to(&controller).await;
            for _ in 0..earlier {
                assert!(wire.answer(GET).await.starts_with("HTTP/1.1 200"));
            }
            wire.write(&format!("POST /pods HTTP/1.1\r\nhost: x\r\n{framing}")).await;
            slow(&wire.rest().await, "server.body_timeout_ms");
        }
    }
}

#[tokio::test]
async fn an_answer_does_not_make_an_endless_body_welcome() {
    let (_server, _cluster, controller) = started(&[SHORT]).await;
    let mut wire = Wire::to(&controller).await;
    let refused = wire.answer("PUT /pods HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\nfffff\r\n").await;
    assert!(refused.starts_with("HTTP/1.1 405"), "{refused}");
    wire.dribble().await;
}

#[tokio::test]
async fn a_connection_too_many_waits_for_another_to_end() {
    let (_server, _cluster, controller) = started(&[("server.max_connections", "1")]).await;
    let mut first = Wire::to(&controller).await;
    assert!(first.answer(GET).await.starts_with("HTTP/1.1 200"));
    let mut second = Wire::to(&controller).await;
    second.write(GET).await;
    let mut byte = [0];
    assert!(timeout(Duration::from_millis(300), second.0.read(&mut byte)).await.is_err(), "nothing, and no refusal");
    assert!(first.answer(GET).await.starts_with("HTTP/1.1 200"), "the first is not disturbed");
    drop(first);
    assert!(second.answer(GET).await.starts_with("HTTP/1.1 200"));
}

/// Waits until so many requests wait for their answer.
async fn waiting(controller: &Controller, count: f64) {
    let reached = async {
        while controller.metric("aenv_controller_http_requests_in_flight").await != count {
            sleep(Duration::from_millis(5)).await;
        }
    };
    timeout(PATIENCE, reached).await.unwrap_or_else(|_| panic!("never {count} requests wait"));
}

#[tokio::test]
async fn a_request_too_many_is_refused_at_once_and_costs_nothing() {
    let (server, _cluster, controller) = started(&[("server.max_waiting", "2")]).await;
    server.set_faults(Faults { hang: true, ..Faults::default() });
    server.reset_calls();
    let patient = tokio::spawn(send(controller.request(Method::GET, "/pods")));
    let impatient = tokio::spawn(controller.request(Method::GET, "/pods").send());
    waiting(&controller, 2.0).await;
    for refused in [controller.get("/services").await, controller.post("/pods", &"x".repeat(9_000).into()).await] {
        assert!(refused.failure(503).contains("server.max_waiting"), "{:?}", refused.body);
        assert_eq!(refused.header("retry-after"), "1");
    }
    assert_eq!(server.calls().total + server.calls().in_flight, 1, "the list of those who wait");
    let (_, metrics) = controller.metrics_page().await;
    for route in [r#"method="GET",route="/services""#, r#"method="POST",route="/pods""#] {
        let line = format!(r#"aenv_controller_http_requests_total{{code="503",{route}}} 1"#);
        assert!(metrics.contains(&line), "no {line} in {metrics}");
    }
    impatient.abort();
    waiting(&controller, 1.0).await;
    let third = tokio::spawn(send(controller.request(Method::GET, "/pods")));
    waiting(&controller, 2.0).await;
    server.set_faults(Faults::default());
    for answer in [patient.await.unwrap(), third.await.unwrap()] {
        assert_eq!(answer.status, 200, "{:?}", answer.body);
    }
    waiting(&controller, 0.0).await;
}

#[tokio::test]
async fn a_thousand_callers_of_a_hung_api_server_are_answered_and_livez_too() {
    const CALLERS: usize = 1_000;
    let keys = [("server.request_deadline_ms", "5000"), ("server.max_waiting", "900"), ("throttle.qps", "1000")];
    let (server, _cluster, controller) = started(&keys).await;
    server.set_faults(Faults { hang: true, ..Faults::default() });
    let path = |n: usize| if n.is_multiple_of(2) { format!("/pods/caller-{n}") } else { "/pods".to_owned() };
    let mut callers: JoinSet<Answer> = (0..CALLERS).map(|n| send(controller.request(Method::GET, &path(n)))).collect();
    let mut seen_alive = 0;
    let mut answers = Vec::new();
    while answers.len() < CALLERS {
        tokio::select! {
            Some(answer) = callers.join_next() => answers.push(answer.unwrap()),
            (status, _) = controller.health("/livez") => {
                assert_eq!(status, 200);
                seen_alive += usize::from(controller.metric("aenv_controller_http_requests_in_flight").await > 0.0);
            }
        }
    }
    assert!(seen_alive > 0, "/livez has not answered while callers waited");
    for answer in answers {
        let status = answer.status.as_u16();
        assert!([503, 504].contains(&status), "{status}: {:?}", answer.body);
        answer.failure(status);
        assert!(answer.header("retry-after").parse::<u64>().unwrap() >= 1);
    }
    waiting(&controller, 0.0).await;
}

/// Callers who have sent the head of a create and a part of its body.
async fn stalled_bodies(controller: &Controller, count: usize, length: usize, sent: usize) -> Vec<Wire> {
    let mut callers = Vec::new();
    for _ in 0..count {
        let mut wire = Wire::to(controller).await;
        wire.write(&format!("POST /pods HTTP/1.1\r\nhost: x\r\ncontent-length: {length}\r\n\r\n")).await;
        // The other side may have refused it already.
        let _hung_up = wire.0.write_all(" ".repeat(sent).as_bytes()).await;
        callers.push(wire);
    }
    callers
}

/// A create that the sandbox takes.
async fn create(controller: &Controller) -> Answer {
    let image = serde_json::json!([{"type": "image", "content": "registry.example.com/aenv/tides:3.4"}]);
    controller.post("/pods", &serde_json::json!({"name": "tides", "artifacts": image})).await
}

#[tokio::test]
async fn heads_without_a_body_take_no_place() {
    let (_server, _cluster, controller) = started(&[("server.max_waiting", "4")]).await;
    let _stalled = stalled_bodies(&controller, 40, 700, 1).await;
    assert_eq!(controller.get("/pods").await.status, 200);
    assert_eq!(create(&controller).await.status, 201);
    assert_eq!(controller.metric("aenv_controller_http_requests_in_flight").await, 0.0);
}

#[tokio::test]
async fn without_a_place_a_kept_list_is_still_answered() {
    let keys = [("server.max_waiting", "1"), ("memo.list_ttl_ms", "60000")];
    let (server, _cluster, controller) = started(&keys).await;
    assert_eq!(controller.get("/pods").await.status, 200);
    server.set_faults(Faults { hang: true, ..Faults::default() });
    let waits = tokio::spawn(controller.request(Method::GET, "/services").send());
    waiting(&controller, 1.0).await;
    // Of Deployments and of Services.
    let lists = async {
        while server.calls().in_flight < 2 {
            sleep(Duration::from_millis(5)).await;
        }
    };
    timeout(PATIENCE, lists).await.unwrap();
    let calls = server.calls().total + server.calls().in_flight;
    let kept = controller.get("/pods").await;
    assert_eq!((kept.status.as_u16(), kept.body["data"].as_array().map(Vec::len)), (200, Some(3)));
    assert_eq!(controller.get("/pods?envName=weather").await.status, 200, "narrowed from the kept list");
    for (method, path) in [(Method::GET, "/services/other"), (Method::DELETE, "/pods/weather-0")] {
        let refused = send(controller.request(method, path)).await;
        assert!(refused.failure(503).contains("server.max_waiting"), "{:?}", refused.body);
    }
    assert_eq!(server.calls().total + server.calls().in_flight, calls);
    waits.abort();
}

#[tokio::test]
async fn large_bodies_that_stall_are_bounded_together_and_keep_no_small_one_out() {
    let keys = [("server.max_bodies_bytes", "4194304"), ("server.body_timeout_ms", "20000")];
    let (_server, _cluster, controller) = started(&keys).await;
    let stalled = stalled_bodies(&controller, 12, 900_000, 800_000).await;
    let refused = async {
        for mut wire in stalled {
            let mut answer = vec![0; 4096];
            if let Ok(Ok(read @ 1..)) = timeout(Duration::from_secs(3), wire.0.read(&mut answer)).await {
                return String::from_utf8_lossy(&answer[..read]).into_owned();
            }
        }
        panic!("none of them is refused")
    };
    let (refused, made) = tokio::join!(refused, timeout(Duration::from_secs(2), create(&controller)));
    assert!(refused.starts_with("HTTP/1.1 503") && refused.contains("server.max_bodies_bytes"), "{refused}");
    assert!(refused.contains("retry-after: 1\r\n") && refused.contains("connection: close\r\n"), "{refused}");
    assert_eq!(made.expect("a small one is not held up").status, 201);
}

/// Takes the first answer off `answers` and gives its head and body.
fn take_answer<'a>(answers: &mut &'a str) -> (&'a str, &'a str) {
    let (head, rest) = answers.split_once("\r\n\r\n").unwrap_or_else(|| panic!("no answer begins with {answers:.200}"));
    let length = head.lines().find_map(|line| line.strip_prefix("content-length: ")).expect("a length");
    let (body, rest) = rest.split_at(length.parse().unwrap());
    *answers = rest;
    (head, body)
}

#[tokio::test]
async fn large_answers_keep_their_order_on_one_connection() {
    let (_server, cluster, controller) = started(&[("memo.list_ttl_ms", "60000")]).await;
    let label = "x".repeat(60);
    seed::create_all(&cluster, (0..300).map(|n| seed::pod(format!("tides-{label}-{n}")).env("tides"))).await;
    let known = controller.get("/pods").await.body;
    let mut wire = Wire::to(&controller).await;
    let one = "GET /pods/weather-1 HTTP/1.1\r\nhost: x\r\n\r\n";
    let last = "GET /pods HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n";
    wire.write(&[GET, one, GET, GET, last].concat()).await;
    let answers = wire.rest().await;
    let mut answers = answers.as_str();
    let list = take_answer(&mut answers).1;
    assert!(list.len() > 40_000, "{}", list.len());
    assert_eq!(serde_json::from_str::<serde_json::Value>(list).unwrap(), known);
    assert!(take_answer(&mut answers).1.contains("weather-1"));
    assert_eq!(take_answer(&mut answers).1, list);
    assert_eq!(take_answer(&mut answers).1, list);
    let (head, body) = take_answer(&mut answers);
    assert!(head.contains("connection: close") && !head.contains("transfer-encoding"), "{head}");
    assert_eq!((body, answers), (list, ""));
}

/// A list of a few megabytes, and callers who ask for it many times over and read nothing.
async fn callers_who_do_not_read(keys: &[(&str, &str)], count: usize) -> (ApiServer, Cluster, Controller, Vec<Wire>) {
    let (server, cluster, controller) = started(keys).await;
    let label = "x".repeat(60);
    let pods = (0..1_500).map(|n| seed::pod(format!("tides-{label}-{n}")).env("tides"));
    seed::create_all(&cluster, pods).await;
    let mut callers = Vec::new();
    for _ in 0..count {
        let mut wire = Wire::to(&controller).await;
        wire.write(&"GET /pods HTTP/1.1\r\nhost: x\r\n\r\n".repeat(60)).await;
        callers.push(wire);
    }
    (server, cluster, controller, callers)
}

#[tokio::test]
async fn a_caller_who_does_not_read_its_answer_is_hung_up_on() {
    let (_server, _cluster, controller, callers) =
        callers_who_do_not_read(&[("server.write_timeout_ms", "500")], 2).await;
    // Time enough for the answers to fill what the system holds, and for the time-out.
    sleep(Duration::from_secs(4)).await;
    for mut caller in callers {
        let mut rest = Vec::new();
        let end = timeout(PATIENCE, caller.0.read_to_end(&mut rest)).await.expect("the connection is closed");
        let whole = String::from_utf8_lossy(&rest).matches("HTTP/1.1 200").count();
        assert!(end.is_err() || whole < 60, "all of it has been sent: {whole}");
    }
    assert_eq!(controller.get("/pods").await.status, 200);
}

#[tokio::test]
async fn callers_who_do_not_read_do_not_hold_up_the_end() {
    let keys = [("server.write_timeout_ms", "600000"), ("server.drain_ms", "120000")];
    let (_server, _cluster, controller, callers) = callers_who_do_not_read(&keys, 3).await;
    sleep(Duration::from_secs(1)).await;
    timeout(Duration::from_secs(20), controller.stop()).await.expect("it ends long before the drain does");
    drop(callers);
}

#[tokio::test]
async fn a_caller_who_asks_on_without_reading_is_kept_waiting() {
    const ASKED: usize = 20_000;
    let (_server, _cluster, controller) = started(&[("server.write_timeout_ms", "600000")]).await;
    let mut wire = Wire::to(&controller).await;
    let asks = tokio::spawn(async move { wire.write(&"HEAD /pods HTTP/1.1\r\nhost: x\r\n\r\n".repeat(ASKED)).await });
    let answered = async || controller.metric("aenv_controller_http_requests_total").await;
    let mut before = -1.0;
    let mut now = answered().await;
    while now == 0.0 || now > before {
        sleep(Duration::from_millis(500)).await;
        (before, now) = (now, answered().await);
    }
    assert!(now < ASKED as f64 / 2.0, "{now} answers wait for a caller who reads none");
    assert_eq!(controller.get("/pods").await.status, 200);
    asks.abort();
}

#[tokio::test]
async fn an_answer_that_nobody_reads_takes_little_memory() {
    const CALLERS: usize = 400;
    let (_server, cluster) = sandboxed::start_seeded(0, 3_000).await;
    let replica = Replica::on(&cluster, &[("server.write_timeout_ms", "600000")]).await;
    let list = replica.get("/pods").await.unwrap().text().await.unwrap();
    assert!(list.len() > 400_000, "more than the system holds for a caller: {}", list.len());
    let before = replica.process.resident_bytes();
    let mut callers = Vec::new();
    for _ in 0..CALLERS {
        let mut caller = Wire(TcpStream::connect(replica.api).await.unwrap());
        caller.write(&GET.repeat(4)).await;
        callers.push(caller);
    }
    // Each has been given the beginning of its answer.
    for caller in &mut callers {
        timeout(PATIENCE, caller.0.readable()).await.unwrap().unwrap();
    }
    sleep(Duration::from_secs(1)).await;
    let each = replica.process.resident_bytes().saturating_sub(before) / CALLERS;
    assert!(each < 96 * 1024, "{each} bytes for each caller");
}
