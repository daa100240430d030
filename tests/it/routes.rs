//! The route table and the edges of HTTP: what is no question of AEnvironment's is answered all the same, and
//! nothing that arrives at the port does harm.
//!
//! No API server is asked, so the sandbox will do for each of these.

use crate::support::controller::{Controller, send};
use crate::support::{Cluster, sandboxed};
use aenv_controller::sandbox::ApiServer;
use reqwest::{Method, StatusCode};
use std::io::{ErrorKind, Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;
use tokio::task::{JoinSet, spawn_blocking};

/// Longer than the server waits for the rest of a request's head, which is 5 s.
const PATIENCE: Duration = Duration::from_secs(20);

async fn started() -> (ApiServer, Cluster, Controller) {
    let (server, cluster) = sandboxed::start().await;
    let controller = Controller::on(&cluster).await;
    (server, cluster, controller)
}

#[tokio::test]
async fn other_methods_are_405_in_the_recorded_words() {
    let (_server, cluster, controller) = started().await;
    for (path, methods) in [
        ("/services", "PUT PATCH DELETE OPTIONS TRACE BREW"),
        ("/services/weather-main", "POST PATCH OPTIONS"),
        ("/pods", "PUT PATCH"),
        ("/pods/x", "POST PATCH"),
        ("/env-service", "GET PUT PATCH DELETE"),
        ("/env-service/*/list", "POST PUT PATCH DELETE"),
        ("/env-service/x", "POST PATCH"),
        ("/env-instance", "GET PUT PATCH DELETE"),
        ("/env-instance/list", "POST PUT PATCH"),
        ("/env-instance/*/list", "POST PUT PATCH DELETE"),
        ("/env-instance/x", "POST PUT PATCH"),
    ] {
        for method in methods.split(' ') {
            let answer = send(controller.request(method.parse().unwrap(), path)).await;
            assert_eq!(answer.failure(405), "http method not allowed", "{method} {path}");
            let allowed: Vec<_> = answer.header("allow").split(", ").collect();
            assert!(!allowed.contains(&""), "{method} {path} is told nothing that is allowed");
            assert!(!allowed.contains(&method), "{method} {path} is said to be allowed");
        }
    }
    assert_eq!(cluster.calls().total, 0);
}

#[tokio::test]
async fn unknown_paths_are_404() {
    let (_server, cluster, controller) = started().await;
    for path in [
        "/nope",
        "/Services",
        "/services/",
        "/services/a/b",
        "/services;a=b",
        "//services",
        "/pods/",
        "/pods/a/log",
        "/env-service/weather/list/",
        "/env-service/weather/nope",
        "/env-instance/",
        "/api/v1/namespaces/aenv-sandbox/pods",
        "/sandbox/calls",
        "/readyz",
        "/metrics",
    ] {
        for method in [Method::GET, Method::POST, Method::DELETE] {
            let answer = send(controller.request(method, path)).await;
            assert!(answer.failure(404).starts_with("no such path"), "{path}: {:?}", answer.body);
        }
    }
    assert_eq!(cluster.calls().total, 0);
}

#[tokio::test]
async fn a_body_that_is_too_large_does_no_harm() {
    let (_server, cluster) = sandboxed::start().await;
    let controller = Controller::with(&cluster, &[("server.max_body_bytes", "1024")]).await;
    for (method, path, status) in [(Method::POST, "/services", 413), (Method::PATCH, "/pods", 405)] {
        // The answer may come, and the connection end, while the body is still on its way.
        match controller.request(method, path).body("x".repeat(8 << 20)).send().await {
            Ok(response) => assert_eq!(response.status(), status),
            Err(error) => assert!(!error.is_connect(), "{error:?}"),
        }
        serves(&controller).await;
    }
}

#[tokio::test]
async fn readiness_and_liveness_are_told_on_their_own_port() {
    let (_server, cluster, controller) = started().await;
    for path in ["/readyz", "/livez"] {
        assert_eq!(controller.health(path).await, (StatusCode::OK, "ok\n".to_owned()), "{path}");
    }
    assert_eq!(controller.health("/services").await.0, StatusCode::NOT_FOUND);
    assert_eq!(cluster.calls().total, 0);
}

#[tokio::test]
async fn metrics_have_the_names_that_dashboards_know_and_no_names_of_objects() {
    let (_server, _cluster, controller) = started().await;
    controller.get("/pods/secret-name").await.failure(404);
    controller.rows("/services").await;
    controller.rows("/pods").await;
    controller.rows("/pods").await;
    controller.get("/no/secret-name").await.failure(404);
    send(controller.request("SECRETNAME".parse().unwrap(), "/pods")).await.failure(405);

    let (content_type, text) = controller.metrics_page().await;
    assert!(content_type.starts_with("text/plain; version=0.0.4"), "{content_type}");
    for (name, kind) in [
        ("aenv_k8s_api_call_latency", "histogram"),
        ("aenv_controller_api_requests_total", "counter"),
        ("aenv_controller_api_requests_in_flight", "gauge"),
        ("aenv_controller_throttle_wait_seconds", "histogram"),
        ("aenv_controller_throttle_rate", "gauge"),
        ("aenv_controller_throttle_waiting", "gauge"),
        ("aenv_controller_throttle_admitted_total", "counter"),
        ("aenv_controller_throttle_refused_total", "counter"),
        ("aenv_controller_memo_answers_total", "counter"),
        ("aenv_controller_answer_age_seconds", "histogram"),
        ("aenv_controller_http_requests_total", "counter"),
        ("aenv_controller_http_request_duration_seconds", "histogram"),
    ] {
        assert!(text.contains(&format!("# TYPE {name} {kind}\n")), "{name} is missing in\n{text}");
    }
    for line in [
        r#"aenv_k8s_api_call_latency_count{method="list",object_type="deployments"} 1"#,
        r#"aenv_k8s_api_call_latency_bucket{method="get",object_type="pods",le="600000"} 1"#,
        r#"aenv_controller_api_requests_total{code="404",resource="pods",verb="get"} 1"#,
        r#"aenv_controller_memo_answers_total{resource="instances",source="hit"} 1"#,
        r#"aenv_controller_memo_answers_total{resource="services",source="fetch"} 1"#,
        r#"aenv_controller_http_requests_total{code="200",method="GET",route="/pods"} 2"#,
        r#"aenv_controller_http_requests_total{code="404",method="GET",route="/pods/{name}"} 1"#,
        r#"aenv_controller_http_requests_total{code="404",method="GET",route="none"} 1"#,
        r#"aenv_controller_http_requests_total{code="405",method="other",route="/pods"} 1"#,
        "aenv_controller_throttle_rate 50",
        "aenv_controller_throttle_admitted_total 4",
        "aenv_controller_api_requests_in_flight 0",
    ] {
        assert!(text.lines().any(|got| got == line), "{line} is missing in\n{text}");
    }
    assert!(!text.to_lowercase().contains("secret"), "{text}");
}

#[tokio::test]
async fn odd_paths_are_refused_in_the_envelope() {
    let (_server, _cluster, controller) = started().await;
    let long = format!("/services/{}", "a".repeat(60_000));
    let deep = "/a".repeat(20_000);
    for (path, status) in [
        ("/services/%", 400),
        ("/services/%zz", 400),
        ("/services/%00", 400),
        ("/services/%ff%fe", 400),
        ("/services/%c3%28", 400),
        ("/services/%2e%2e%2f%2e%2e", 400),
        ("/services/..", 400),
        ("/pods/%25", 400),
        ("/pods?envName=%", 400),
        ("/pods?%ff=%ff", 200),
        ("/pods?=", 200),
        ("/pods?&&&", 200),
        ("/pods?envName=weather#here", 200),
        ("/env-service/%2f/list", 400),
        ("/env-service/*/%6cist", 200),
        ("*", 404),
        ("http://elsewhere.example.com/pods", 200),
        (&long, 400),
        (&deep, 404),
    ] {
        let request = format!("GET {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
        let answer = speak(controller.api_addr(), request).await;
        let shown = path.chars().take(80).collect::<String>();
        assert!(answer.starts_with(&format!("HTTP/1.1 {status} ")), "{shown}: {answer}");
        let success = format!(r#"{{"success":{},"code":{},"#, status == 200, if status == 200 { 0 } else { status });
        assert!(answer.contains(&success), "{shown}: {answer}");
    }
}

#[tokio::test]
async fn whatever_arrives_is_answered_or_hung_up_on() {
    let (_server, _cluster, controller) = started().await;
    let request = |head: &str, rest: &str| format!("{head} HTTP/1.1\r\nHost: x\r\n{rest}\r\n").into_bytes();
    let close = "Connection: close\r\n";
    let mut inputs = vec![
        request("OPTIONS *", close),
        request("CONNECT example.com:443", close),
        request("GET /services", &format!("{close}X-Huge: {}\r\n", "x".repeat(1 << 20))),
        request("GET /services", &format!("{close}{}", "X-Many: x\r\n".repeat(5_000))),
        request(&format!("GET /{}", "x".repeat(1 << 20)), close),
        request(&"G".repeat(100_000), close),
        request("GET /services", "Upgrade: h2c\r\nConnection: Upgrade, close\r\n"),
        request("GET /services", "Content-Length: -1\r\n"),
        request("GET /services", "Content-Length: 5\r\nContent-Length: 6\r\n"),
        request("GET /services", "Content-Length: 99999999999999999999999\r\n"),
        request("POST /services", "Transfer-Encoding: chunked\r\n\r\nffffffffffffffffff\r\n"),
        request("POST /services", "Transfer-Encoding: chunked\r\nContent-Length: 3\r\n\r\nzork\r\n"),
        request("POST /services", "Transfer-Encoding: zork\r\n\r\nzork\r\n"),
        request("POST /services", "Expect: 100-continue\r\nContent-Length: 9\r\nConnection: close\r\n"),
        request("GET /services", "Cache-Control: \u{ff}\r\nIf-None-Match: \u{ff}\r\nConnection: close\r\n"),
        request("GET /services", " folded: x\r\n"),
        request("GET /services", "no colon\r\n"),
        b"GET /services HTTP/1.0\r\n\r\n".to_vec(),
        b"GET /services\r\n\r\n".to_vec(),
        b"GET /services HTTP/9.9\r\n\r\n".to_vec(),
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".to_vec(),
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03".to_vec(),
        b"\0\0\0\0\r\n\r\n".to_vec(),
        b"\r\n\r\n\r\n".to_vec(),
        b"GET /services HTT".to_vec(),
        b"GET /services HTTP/1.1\r\nHost: x\r\nX-Unfinished: ".to_vec(),
        vec![0xff; 1 << 20],
    ];
    // A good request, and then something else on the same connection.
    let good = request("GET /services", "");
    inputs.extend([&b"zork\r\n\r\n"[..], b"\0\xff\r\n\r\n"].map(|rest| [&good, rest].concat()));
    let mut spoken: JoinSet<_> = inputs.into_iter().map(|input| speak(controller.api_addr(), input)).collect();
    while let Some(answer) = spoken.join_next().await {
        let answer = answer.unwrap();
        assert!(answer.is_empty() || answer.starts_with("HTTP/1."), "{answer}");
    }
    serves(&controller).await;
}

#[tokio::test]
async fn pipelined_requests_are_answered_in_their_order() {
    let (_server, _cluster, controller) = started().await;
    let paths = ["/services", "/nope", "/pods", "/services?envName=%00", "/env-instance/list"];
    let last = paths.len() - 1;
    let requests = paths.iter().enumerate().map(|(number, path)| {
        let connection = if number == last { "close" } else { "keep-alive" };
        format!("GET {path} HTTP/1.1\r\nHost: x\r\nConnection: {connection}\r\n\r\n")
    });
    let answers = speak(controller.api_addr(), requests.collect::<String>()).await;
    let statuses: Vec<_> = answers.split("HTTP/1.1 ").skip(1).map(|answer| &answer[..3]).collect();
    assert_eq!(statuses, ["200", "404", "200", "400", "200"]);
}

/// Sends bytes, and gives what comes back until the connection ends.
async fn speak(addr: SocketAddr, bytes: impl Into<Vec<u8>>) -> String {
    let bytes = bytes.into();
    let spoken = spawn_blocking(move || {
        let mut stream = TcpStream::connect(addr).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        // The other side may have heard enough before the end.
        let _hung_up = stream.write_all(&bytes);
        let mut answer = Vec::new();
        if let Err(error) = stream.read_to_end(&mut answer) {
            assert_eq!(
                error.kind(),
                ErrorKind::ConnectionReset,
                "{error}: {}",
                bytes[..bytes.len().min(80)].escape_ascii()
            );
        }
        String::from_utf8_lossy(&answer).into_owned()
    });
    spoken.await.unwrap()
}

/// Checks that requests are answered as ever.
async fn serves(controller: &Controller) {
    assert_eq!(controller.get("/services").await.status, StatusCode::OK);
    assert_eq!(controller.health("/livez").await.0, StatusCode::OK);
}
