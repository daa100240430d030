//! Requests that are repeated on their connection: answered from memory as the first one was, and read again when they
//! have to be.

use crate::support::controller::Controller;
use crate::support::{Cluster, on_every_cluster, sandboxed, seed};
use aenv_controller::sandbox::ApiServer;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::TcpStream;

on_every_cluster! {
    a_repeated_request_is_answered_like_the_one_before,
    a_repeated_request_sees_what_was_written_meanwhile,
}

const UNTIL_ASKED: [(&str, &str); 2] = [("memo.list_ttl_ms", "3600000"), ("memo.get_ttl_ms", "3600000")];

/// A connection.
struct Wire(BufReader<TcpStream>);

/// An answer in its bytes.
#[derive(Debug, Clone, PartialEq)]
struct Told {
    status: String,
    headers: BTreeMap<String, String>,
    /// The first header's name: actix begins with the length of the body, and so the answers that it has not written are
    /// told from others.
    first: String,
    body: Vec<u8>,
}

impl Told {
    fn names(&self) -> Vec<String> {
        let body: Value = serde_json::from_slice(&self.body).unwrap();
        let rows = body["data"].as_array().unwrap().iter();
        rows.map(|row| row["id"].as_str().unwrap().to_owned()).collect()
    }

    /// True if the connection's stream has given it.
    fn is_by_itself(&self) -> bool {
        self.first == "etag"
    }
}

impl Wire {
    async fn to(controller: &Controller) -> Self {
        Self(BufReader::new(TcpStream::connect(controller.api_addr()).await.unwrap()))
    }

    async fn ask(&mut self, path: &str, headers: &str) -> Told {
        let request = format!("GET {path} HTTP/1.1\r\nHost: x\r\n{headers}\r\n");
        self.0.write_all(request.as_bytes()).await.unwrap();
        self.read().await
    }

    async fn read(&mut self) -> Told {
        let status = self.line().await;
        let (mut headers, mut first) = (BTreeMap::new(), None);
        while let Some((name, value)) = self.line().await.split_once(": ") {
            first.get_or_insert(name.to_owned());
            assert_eq!(headers.insert(name.to_owned(), value.to_owned()), None, "{name} is said twice");
        }
        let length = headers.get("content-length").map_or(0, |length| length.parse().unwrap());
        let mut body = vec![0; length];
        self.0.read_exact(&mut body).await.unwrap();
        Told { status, headers, first: first.unwrap_or_default(), body }
    }

    async fn line(&mut self) -> String {
        let mut line = String::new();
        self.0.read_line(&mut line).await.unwrap();
        line.trim_end().to_owned()
    }
}

async fn seed_both(cluster: &Cluster) {
    seed::create_all(cluster, (0..10).map(|n| seed::pod(format!("weather-{n}")).env("weather").owner("jun"))).await;
    seed::create_all(cluster, (0..10).map(|n| seed::deployment(format!("weather-{n}")).env("weather"))).await;
}

async fn a_repeated_request_is_answered_like_the_one_before(cluster: Cluster) {
    seed_both(&cluster).await;
    let controller = Controller::with(&cluster, &UNTIL_ASKED).await;
    let paths = [
        "/services",
        "/services?status=Creating",
        "/pods?envName=weather&owner=jun",
        "/env-service/weather/list",
        "/env-instance/weather/list",
        "/env-instance/list",
        "/pods/weather-3",
        "/services/weather-3",
        "/env-instance/weather-3",
        "/env-service/weather-3",
    ];
    let said = [
        "",
        "Accept-Encoding: gzip\r\n",
        "Accept-Encoding: zstd\r\n",
        "If-None-Match: *\r\n",
        "X-Request-Id: r-1\r\nenv-instance-trace-id: t-77\r\n",
        "Cache-Control: max-age=60\r\nConnection: keep-alive\r\n",
    ];
    let mut wire = Wire::to(&controller).await;
    for path in paths {
        for headers in said {
            let mut answers = Vec::new();
            for _ in 0..4 {
                let mut told = wire.ask(path, headers).await;
                // The first of all is fetched, and time passes.
                let [id, date, _, _] =
                    ["x-request-id", "date", "age", "cache-status"].map(|name| told.headers.remove(name).unwrap());
                assert!(date.ends_with(" GMT") && (id == "r-1" || (id.len() == 16 && !headers.contains("r-1"))));
                answers.push(told);
            }
            let last = answers.last().unwrap().clone();
            assert!(last.is_by_itself(), "{path} {headers}: {last:?}");
            let same = Told { first: String::new(), ..last };
            for told in answers {
                assert_eq!(Told { first: String::new(), ..told }, same, "{path} {headers}");
            }
        }
    }
    let counted = paths.len() * said.len() * 4;
    assert_eq!(controller.metric("aenv_controller_http_requests_total").await, counted as f64);
    assert_eq!(controller.metric("aenv_controller_memo_answers_total").await, counted as f64);
}

async fn a_repeated_request_sees_what_was_written_meanwhile(cluster: Cluster) {
    seed_both(&cluster).await;
    let controller = Controller::with(&cluster, &UNTIL_ASKED).await;
    let mut wire = Wire::to(&controller).await;
    let mut pods = async || {
        let mut told = wire.ask("/pods", "").await;
        for _ in 0..3 {
            told = wire.ask("/pods", "").await;
        }
        assert!(told.is_by_itself());
        told.names()
    };
    let before = pods().await;
    let image = json!([{"type": "image", "content": "registry.example/weather:1.0.2"}]);
    let weather = json!({"name": "weather", "version": "1.0.2", "artifacts": image});
    let made = controller.post("/pods", &weather).await;
    let after = pods().await;
    let id = made.body["data"]["id"].as_str().unwrap_or_else(|| panic!("{:?}", made.body)).to_owned();
    assert!(!before.contains(&id) && after.contains(&id));
    controller.delete(&format!("/pods/{id}")).await;
    assert!(!pods().await.contains(&id));
}

async fn started(keys: &[(&str, &str)]) -> (ApiServer, Cluster, Controller) {
    let (server, cluster) = sandboxed::start().await;
    seed_both(&cluster).await;
    let controller = Controller::with(&cluster, keys).await;
    (server, cluster, controller)
}

#[tokio::test]
async fn a_request_that_asks_for_more_than_an_answer_from_memory_is_not_taken_for_a_repetition() {
    let (_server, cluster, controller) = started(&UNTIL_ASKED).await;
    let mut wire = Wire::to(&controller).await;
    for headers in ["Cache-Control: no-cache\r\n", "Content-Length: 0\r\nExpect: 100-continue\r\n"] {
        for _ in 0..4 {
            let told = wire.ask("/pods", headers).await;
            if told.status == "HTTP/1.1 100 Continue" {
                assert!(!wire.read().await.is_by_itself());
            }
            assert!(!told.is_by_itself(), "{headers}");
        }
    }
    cluster.reset_calls();
    for _ in 0..3 {
        wire.ask("/pods", "Cache-Control: no-cache\r\n").await;
    }
    assert_eq!(cluster.calls().total, 3);
    // A parameter that is not known brings a warning with each answer.
    for _ in 0..4 {
        assert!(wire.ask("/pods?colour=red", "").await.headers.contains_key("warning"));
    }
}

#[tokio::test]
async fn a_body_is_never_taken_for_a_repetition() {
    let (_server, _cluster, controller) = started(&UNTIL_ASKED).await;
    let get = "GET /pods HTTP/1.1\r\nHost: x\r\n\r\n";
    let length = format!("Content-Length: {}\r\n", get.len());
    for with_its_head in [true, false] {
        let mut wire = Wire::to(&controller).await;
        for _ in 0..3 {
            wire.ask("/pods", "").await;
        }
        let told = if with_its_head {
            wire.0.write_all(format!("GET /pods HTTP/1.1\r\nHost: x\r\n{length}\r\n{get}").as_bytes()).await.unwrap();
            wire.read().await
        } else {
            let told = wire.ask("/pods", &length).await;
            // The connection may have been closed, as a body that nobody has read allows.
            let _ = wire.0.write_all(get.as_bytes()).await;
            told
        };
        assert_eq!(told.status, "HTTP/1.1 200 OK");
        let _ = wire.0.get_mut().shutdown().await;
        let mut rest = Vec::new();
        let _ = wire.0.read_to_end(&mut rest).await;
        assert_eq!(String::from_utf8(rest).unwrap(), "");
    }
}

#[tokio::test]
async fn requests_that_are_sent_ahead_are_answered_in_their_order() {
    let (_server, _cluster, controller) = started(&UNTIL_ASKED).await;
    let mut wire = Wire::to(&controller).await;
    let get = |path: &str| format!("GET {path} HTTP/1.1\r\nHost: x\r\n\r\n");
    for _ in 0..4 {
        let list = wire.ask("/pods", "").await;
        let ahead = [get("/pods"), get("/pods/weather-1"), get("/pods")].concat();
        wire.0.write_all(ahead.as_bytes()).await.unwrap();
        let [first, one, second] = [wire.read().await, wire.read().await, wire.read().await];
        assert_eq!([first.body, second.body], [list.body.clone(), list.body]);
        assert!(String::from_utf8(one.body).unwrap().contains(r#""data":{"id":"weather-1""#));
    }
}

#[tokio::test]
async fn an_answer_that_is_not_fresh_any_more_is_fetched() {
    let (_server, cluster, controller) = started(&[("memo.list_ttl_ms", "200")]).await;
    let mut wire = Wire::to(&controller).await;
    for _ in 0..3 {
        wire.ask("/pods", "").await;
    }
    cluster.reset_calls();
    tokio::time::sleep(std::time::Duration::from_millis(250)).await;
    assert!(!wire.ask("/pods", "").await.is_by_itself());
    assert_eq!(cluster.calls().total, 1);
}

#[tokio::test]
async fn a_large_list_is_the_same_each_time() {
    // Larger than what the system keeps of it until it is read.
    let (_server, cluster) = sandboxed::start_seeded(0, 5_000).await;
    let controller = Controller::with(&cluster, &UNTIL_ASKED).await;
    let mut wire = Wire::to(&controller).await;
    let first = wire.ask("/pods", "").await;
    assert_eq!(first.names().len(), 5_000);
    for _ in 0..5 {
        assert!(wire.ask("/pods", "").await.body == first.body);
    }
    assert!(wire.ask("/pods", "").await.is_by_itself());
}
