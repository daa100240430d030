//! Lists on the wire: encodings, the plan that follows the API server's version, and answers that are not what they should be.

use crate::support::controller::Controller;
use crate::support::live::ApiServer;
use crate::support::{Cluster, on_an_api_server, seed, write_kubeconfig};
use aenv_controller::app;
use serde_json::{Value, json};
use std::sync::{Arc, Mutex};
use tempfile::TempDir;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

on_an_api_server! { protobuf_and_json_give_the_same_rows }

const JSON: &str = "application/json";

/// Nothing is kept and nothing is asked twice, so that each answer is one look at the API server.
const DIRECT: [(&str, &str); 6] = [
    ("memo.list_ttl_ms", "0"),
    ("memo.get_ttl_ms", "0"),
    ("memo.max_stale_ms", "0"),
    ("retry.max_attempts", "1"),
    ("list.max_objects", "1000"),
    ("list.max_item_bytes", "65536"),
];

async fn protobuf_and_json_give_the_same_rows() {
    let cluster = ApiServer::shared().await.cluster().await;
    fill(&cluster).await;
    let rows = async |encoding: &str| {
        let controller =
            Controller::with(&cluster, &[("kubernetes.encoding", encoding), ("list.page_size", "3")]).await;
        let mut told = Vec::new();
        let singles =
            ["/pods/weather-1", "/env-instance/weather-1", "/services/weather-main", "/services/none", "/pods/none"];
        for path in
            ["/pods", "/env-instance/weather/list", "/services", "/env-service/weather/list"].iter().chain(&singles)
        {
            let answer = controller.get(path).await;
            told.push((*path, answer.status, without_time_of_reading(answer.body)));
        }
        told
    };
    let (protobuf, json) = (rows("auto").await, rows("json").await);
    assert_eq!(protobuf[0].2["data"].as_array().unwrap().len(), 7);
    assert_eq!(protobuf, json);
}

async fn fill(cluster: &Cluster) {
    for number in 0..6 {
        let pod = seed::pod(format!("weather-{number}")).env("weather").version("1.0.2").owner("jun").ttl("30m");
        pod.phase("Running").ip("10.1.0.7").label("team", "a").create(cluster).await;
    }
    seed::pod("bare").create(cluster).await;
    let deployment =
        seed::deployment("weather-main").env("weather").version("1.0.2").owner("jun").replicas(3).available(2);
    let deployment = deployment.env_var("A", "ünï\n\"quoted\"").env_var("EMPTY", "").pvc("weather-data");
    deployment.condition("Progressing", "False", "ProgressDeadlineExceeded").create(cluster).await;
    seed::service("weather-main", 9000).env("weather").create(cluster).await;
    seed::deployment("bare").create(cluster).await;
}

fn without_time_of_reading(mut body: Value) -> Value {
    match &mut body {
        Value::Array(items) => items.iter_mut().for_each(|item| *item = without_time_of_reading(item.take())),
        Value::Object(fields) => {
            fields.remove("updated_at");
            fields.values_mut().for_each(|field| *field = without_time_of_reading(field.take()));
        }
        _ => {}
    }
    body
}

/// Answers of a stand-in for the API server.
enum Reply {
    Whole {
        status: u16,
        headers: &'static str,
        kind: &'static str,
        body: Vec<u8>,
    },
    /// The beginning, then the rest again and again until the caller hangs up.
    Endless {
        status: u16,
        kind: &'static str,
        beginning: Vec<u8>,
        rest: Vec<u8>,
    },
}

fn list(metadata: Value, items: &[Value]) -> Reply {
    let body = json!({"kind": "PodList", "metadata": metadata, "items": items}).to_string().into_bytes();
    Reply::Whole { status: 200, headers: "", kind: JSON, body }
}

fn named(name: &str) -> Value {
    json!({"metadata": {"name": name}})
}

/// An API server that answers each path as a test says.
struct Liar {
    folder: TempDir,
    asked: Arc<Mutex<Vec<String>>>,
}

impl Liar {
    async fn start(reply: impl Fn(&str) -> Reply + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let folder = tempfile::tempdir().unwrap();
        let address = format!("http://{}", listener.local_addr().unwrap());
        write_kubeconfig(&folder.path().join("config"), &address, "token", "default");
        let (asked, reply) = (Arc::<Mutex<Vec<String>>>::default(), Arc::new(reply));
        let seen = Arc::clone(&asked);
        tokio::spawn(async move {
            while let Ok((mut caller, _)) = listener.accept().await {
                let (reply, seen) = (Arc::clone(&reply), Arc::clone(&seen));
                tokio::spawn(async move { while answer(&mut caller, &seen, &*reply).await {} });
            }
        });
        Self { folder, asked }
    }

    async fn controller(&self, keys: &[(&str, &str)]) -> Controller {
        let keys: Vec<_> = DIRECT.iter().chain(keys).copied().collect();
        let settings = crate::support::controller::settings(&self.folder.path().join("config"), "sandbox", &keys);
        Controller::of(app::start(&settings, app::find_cluster(&settings).await.unwrap(), None).unwrap())
    }

    fn asked(&self) -> Vec<String> {
        self.asked.lock().unwrap().clone()
    }
}

/// One request; whether another may follow.
async fn answer(caller: &mut TcpStream, seen: &Mutex<Vec<String>>, reply: &(impl Fn(&str) -> Reply + Sync)) -> bool {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        match caller.read_u8().await {
            Ok(byte) => head.push(byte),
            Err(_) => return false,
        }
    }
    let head = String::from_utf8_lossy(&head);
    let path = head.split(' ').nth(1).unwrap().to_owned();
    seen.lock().unwrap().push(path.clone());
    match reply(&path) {
        Reply::Whole { status, headers, kind, body } => {
            let length = body.len();
            let head =
                format!("HTTP/1.1 {status} Told\r\n{headers}content-type: {kind}\r\ncontent-length: {length}\r\n\r\n");
            caller.write_all(&[head.as_bytes(), &body].concat()).await.is_ok()
        }
        Reply::Endless { status, kind, beginning, rest } => {
            let head = format!("HTTP/1.1 {status} Told\r\ncontent-type: {kind}\r\nconnection: close\r\n\r\n");
            let mut alive = caller.write_all(&[head.as_bytes(), &beginning].concat()).await.is_ok();
            while alive {
                alive = caller.write_all(&rest).await.is_ok();
            }
            false
        }
    }
}

/// Asks for the pods of a liar that answers so, and then once more when it answers as it should.
async fn told_of(answer: impl Fn() -> Reply + Send + Sync + 'static) -> String {
    let lies = Arc::new(std::sync::atomic::AtomicBool::new(true));
    let still = Arc::clone(&lies);
    let liar = Liar::start(move |_| {
        if still.load(std::sync::atomic::Ordering::SeqCst) { answer() } else { list(json!({}), &[named("a")]) }
    });
    let controller = liar.await.controller(&[]).await;
    let told = controller.get("/pods").await;
    lies.store(false, std::sync::atomic::Ordering::SeqCst);
    let next = controller.get("/pods").await;
    assert_eq!((next.status.as_u16(), next.body["data"].as_array().map(Vec::len)), (200, Some(1)), "{next:?}");
    format!("{} {}", told.status.as_u16(), told.body["message"].as_str().unwrap())
}

#[tokio::test]
async fn a_list_without_end_is_an_error() {
    let item = format!("{},", named("a")).into_bytes();
    let beginning = br#"{"items":["#.to_vec();
    let endless =
        move || Reply::Endless { status: 200, kind: JSON, beginning: beginning.clone(), rest: item.repeat(100) };
    let told = told_of(endless).await;
    assert!(told.starts_with("502 ") && told.contains("more than 1000 objects (list.max_objects)"), "{told}");
}

#[tokio::test]
async fn an_object_without_end_is_an_error_in_either_encoding() {
    let json = || Reply::Endless {
        status: 200,
        kind: JSON,
        beginning: br#"{"items":[{"metadata":{"name":""#.to_vec(),
        rest: vec![b'x'; 10_000],
    };
    let protobuf = || Reply::Endless {
        status: 200,
        kind: "application/vnd.kubernetes.protobuf",
        // A list of 2^35 bytes with an item of 2^32.
        beginning: b"k8s\0\x12\x80\x80\x80\x80\x80\x01\x12\x80\x80\x80\x80\x10".to_vec(),
        rest: vec![b'x'; 10_000],
    };
    for told in [told_of(json).await, told_of(protobuf).await] {
        assert!(told.starts_with("502 ") && told.contains("more than 65536 bytes"), "{told}");
    }
}

#[tokio::test]
async fn a_failure_without_end_is_told_by_its_beginning() {
    let endless =
        || Reply::Endless { status: 500, kind: "text/plain", beginning: Vec::new(), rest: vec![b'x'; 10_000] };
    let told = told_of(endless).await;
    assert!(told.ends_with(&"x".repeat(256)) && told.len() < 400, "{told}");
}

#[tokio::test]
async fn a_continue_token_that_comes_again_ends_the_list() {
    let told = told_of(|| list(json!({"continue": "again"}), &[named("a")])).await;
    assert!(told.starts_with("502 ") && told.contains("continue token"), "{told}");
}

#[tokio::test]
async fn pages_without_objects_and_without_end_are_an_error() {
    let pages = std::sync::atomic::AtomicU32::new(0);
    let new_token = move || pages.fetch_add(1, std::sync::atomic::Ordering::SeqCst).to_string();
    let told = told_of(move || list(json!({"continue": new_token()}), &[])).await;
    assert!(told.starts_with("502 ") && told.contains("more than 16 pages without an object"), "{told}");
}

#[tokio::test]
async fn some_pages_without_objects_are_a_part_of_a_list() {
    let pages = std::sync::atomic::AtomicUsize::new(0);
    let liar = Liar::start(move |_| match pages.fetch_add(1, std::sync::atomic::Ordering::SeqCst) {
        page @ (0..16 | 17..33) => list(json!({"continue": page.to_string()}), &[]),
        16 => list(json!({"continue": "16"}), &[named("a")]),
        _ => list(json!({}), &[named("b")]),
    });
    let told = liar.await.controller(&[]).await.get("/pods").await;
    assert_eq!((told.status.as_u16(), told.body["data"].as_array().map(Vec::len)), (200, Some(2)), "{told:?}");
}

#[tokio::test]
async fn answers_and_rejections_are_counted_by_the_priority_level_that_they_name() {
    let told = |status, headers| Reply::Whole { status, headers, kind: JSON, body: br#"{"items":[]}"#.to_vec() };
    let liar = Liar::start(move |path| match path {
        _ if path.contains("/pods?") => told(200, "x-kubernetes-pf-prioritylevel-uid: 4711-a\r\n"),
        _ if path.contains("/pods/") => told(429, "x-kubernetes-pf-prioritylevel-uid: 4711-b\r\n"),
        _ => told(200, ""),
    });
    let controller = liar.await.controller(&[("list.plan", "auto")]).await;
    assert_eq!(controller.get("/pods").await.status.as_u16(), 200);
    assert_eq!(controller.get("/pods/a").await.status.as_u16(), 503);
    let page = controller.metrics_page().await.1;
    for (uid, answers) in [("4711-a", 1), ("4711-b", 1), ("none", 1)] {
        let line = format!("aenv_controller_api_priority_level_answers_total{{uid=\"{uid}\"}} {answers}\n");
        assert!(page.contains(&line), "{line} is missing in\n{page}");
    }
}

#[tokio::test]
async fn an_absurd_retry_after_is_capped_for_callers() {
    let absurd = || Reply::Whole {
        status: 503,
        headers: "retry-after: 18446744073709551615\r\n",
        kind: "text/plain",
        body: Vec::new(),
    };
    let liar = Liar::start(move |_| absurd()).await;
    // With retries whose own waits are long, too: both times are added.
    let controller = liar
        .controller(&[("retry.max_attempts", "5"), ("retry.initial_ms", "60000"), ("retry.max_ms", "600000")])
        .await;
    let told = controller.get("/pods").await;
    assert_eq!((told.status.as_u16(), told.header("retry-after")), (503, "120"));
}

#[tokio::test]
async fn a_value_of_an_answer_that_cannot_be_read_is_not_told() {
    let told =
        told_of(|| list(json!({}), &[json!({"metadata": {"name": "a", "labels": {"token": {"is": "s3cret"}}}})])).await;
    assert!(told.starts_with("502 ") && !told.contains("s3cret"), "{told}");
}

/// An API server of this minor version.
async fn of_version(minor: &'static str) -> Liar {
    Liar::start(move |path| {
        if path.starts_with("/version") {
            let body = json!({"major": "1", "minor": minor}).to_string().into_bytes();
            return Reply::Whole { status: 200, headers: "", kind: JSON, body };
        }
        list(json!({}), &[named("a")])
    })
    .await
}

#[tokio::test]
async fn whole_lists_are_asked_for_where_they_cost_less_than_pages() {
    for (minor, limit) in [("33", "limit=500&"), ("34+", "limit=1000&")] {
        let liar = of_version(minor).await;
        let controller = liar.controller(&[("list.plan", "auto")]).await;
        let (services, pods) = tokio::join!(controller.get("/services"), controller.get("/pods"));
        assert_eq!((services.status.as_u16(), pods.status.as_u16()), (200, 200));
        controller.get("/pods").await;
        let asked = liar.asked();
        let versions = asked.iter().filter(|path| path.starts_with("/version")).count();
        assert_eq!((versions, asked.len()), (1, 5), "{asked:?}");
        let lists = asked.iter().filter(|path| !path.starts_with("/version"));
        assert!(lists.into_iter().all(|path| path.contains(limit)), "{asked:?}");
    }
}

#[tokio::test]
async fn an_api_server_that_does_not_tell_its_version_is_asked_in_pages() {
    let liar = Liar::start(|path| match path.starts_with("/version") {
        true => Reply::Whole { status: 403, headers: "", kind: "text/plain", body: b"no".to_vec() },
        false => list(json!({}), &[]),
    });
    let liar = liar.await;
    let controller = liar.controller(&[("list.plan", "auto")]).await;
    for _ in 0..2 {
        assert_eq!(controller.get("/pods").await.status.as_u16(), 200);
    }
    let asked = liar.asked();
    assert_eq!(asked.iter().filter(|path| path.contains("limit=500&")).count(), 2, "{asked:?}");
    assert_eq!(asked.len(), 3, "{asked:?}");
}
