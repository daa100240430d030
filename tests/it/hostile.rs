//! Bodies, names and queries that mean harm or nothing: each is refused in words that help, before any call is made,
//! and the controller goes on.

use crate::support::controller::{Answer, Controller, send};
use crate::support::{Cluster, sandboxed, seed};
use aenv_controller::sandbox::ApiServer;
use proptest::prelude::*;
use proptest::strategy::ValueTree as _;
use proptest::test_runner::TestRunner;
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

/// The routes that take a body.
const WRITES: [(&str, &str); 6] = [
    ("POST", "/services"),
    ("POST", "/pods"),
    ("POST", "/env-service"),
    ("POST", "/env-instance"),
    ("PUT", "/services/tides-live"),
    ("PUT", "/env-service/tides-live"),
];

/// What no answer may tell.
const SECRET: &str = "hunter2-of-mira";

/// Large enough for every body here but those that are to be too large.
const MAX_BODY_BYTES: usize = 65_536;

/// A controller that could do all that it is asked, and asks nothing of the API server unless told.
async fn started() -> (ApiServer, Cluster, Controller) {
    let (server, cluster) = sandboxed::start().await;
    seed::deployment("tides-live").env("tides").create(&cluster).await;
    seed::service("tides-live", 7443).create(&cluster).await;
    let max_body_bytes = MAX_BODY_BYTES.to_string();
    let keys = [("envhub.url", &*server.url()), ("server.max_body_bytes", &max_body_bytes)];
    let controller = Controller::with(&cluster, &keys).await;
    server.reset_calls();
    (server, cluster, controller)
}

async fn write(controller: &Controller, method: &str, path: &str, body: impl Into<reqwest::Body>) -> Answer {
    let method = Method::from_bytes(method.as_bytes()).unwrap();
    send(controller.request(method, path).body(body)).await
}

/// Checks a refusal: its status, and that its message names what is wrong, is not long, and tells no secret.
#[track_caller]
fn refused(what: &str, answer: &Answer, status: u16, names: &str) {
    assert_eq!(answer.status, status, "{what}: {:?}", answer.body);
    let message = answer.failure(status);
    assert!(message.contains(names), "{what}: no {names} in {message}");
    assert!(message.len() < 1_000, "{what}: {message}");
    assert!(!answer.body.to_string().contains(SECRET), "{what}: {message}");
}

/// Nothing has been asked of the API server, and the controller still serves.
async fn unharmed(server: &ApiServer, controller: &Controller) {
    assert_eq!((server.calls().total, server.calls().in_flight), (0, 0), "{:?}", server.calls());
    assert_eq!(controller.ids("/services").await, ["tides-live"]);
    let body = environment(&json!({}));
    assert_eq!(controller.post("/pods", &body).await.status, StatusCode::CREATED);
}

fn environment(deploy: &Value) -> Value {
    json!({
        "name": "tides", "version": "3.4",
        "artifacts": [{"type": "image", "content": "registry.example.com/aenv/tides:3.4"}],
        "deployConfig": deploy
    })
}

/// The field of the CLI's routes that stands for this deploy setting.
fn in_snake_case(setting: &str) -> String {
    let step = |c: char| if c.is_ascii_uppercase() { format!("_{}", c.to_ascii_lowercase()) } else { c.to_string() };
    setting.chars().map(step).collect()
}

#[tokio::test]
async fn what_is_no_json_object_is_refused() {
    let (server, _cluster, controller) = started().await;
    let deep = [b"{\"deployConfig\":".as_slice(), &b"[".repeat(20_000)].concat();
    let deep_but_closed = [b"{\"x\":".as_slice(), &b"[".repeat(5_000), &b"]".repeat(5_000), b"}"].concat();
    let bodies: Vec<&[u8]> = vec![
        b"",
        b" \r\n\t",
        b"null",
        b"true",
        b"7",
        b"\"hunter2-of-mira\"",
        b"[]",
        b"[{\"name\":\"tides\"}]",
        b"{",
        b"}",
        b"{nope",
        b"{\"name\"}",
        b"{\"name\":}",
        b"{\"name\":\"tides\",}",
        b"{'name':'tides'}",
        b"{\"name\":\"tides\"} {}",
        b"{\"name\":\"tides\"}\0",
        b"{\"name\":\"ti\ndes\"}",
        b"{\"name\":\"\\ud800\"}",
        b"{\"name\":\"\\x41\"}",
        b"{\"name\":\"\xff\xfe\"}",
        b"\xef\xbb\xbf{\"name\":\"tides\"}",
        b"\x1f\x8b\x08\x00",
        b"{\"n\":NaN}",
        b"{\"n\":-Infinity}",
        b"{\"n\":1e400}",
        b"{\"n\":0x10}",
        b"{\"n\":01}",
        b"{\"n\":+1}",
        b"{\"n\":1.}",
        b"{\"name\":\"tides\",\"name\":\"lagoon\"}",
        b"{\"x\":{\"replicas\":1,\"replicas\":2}}",
        b"// {}",
        b"name=tides&version=3.4",
        &deep,
        &deep_but_closed,
    ];
    for (method, path) in WRITES {
        for body in &bodies {
            let answer = write(&controller, method, path, body.to_vec()).await;
            let what = format!("{method} {path} {}", String::from_utf8_lossy(&body[..body.len().min(60)]));
            refused(&what, &answer, 400, "Invalid request body: ");
        }
        for size in [MAX_BODY_BYTES + 1, 2 * MAX_BODY_BYTES] {
            let answer = write(&controller, method, path, " ".repeat(size)).await;
            refused(path, &answer, 413, "server.max_body_bytes");
        }
    }
    unharmed(&server, &controller).await;
}

/// Settings of a service that are wrong, by the words that tell it.
fn bad_service_settings() -> Vec<(&'static str, Value)> {
    let long = |length| json!("x".repeat(length));
    let of = |setting: &'static str, values: Vec<Value>| values.into_iter().map(move |value| (setting, value));
    let quantities = || [json!("-1"), json!("-5Gi"), json!(-1), json!(true), json!(["1"]), json!({"a": 1})].to_vec();
    let names = || {
        let texts = ["../x", "Tides", "tîdes", "-a", "a-", "a b", "a/b", "a\nb", "."];
        texts.map(Value::from).into_iter().chain([json!(7), json!(true), json!(["a"])])
    };
    let mut cases = Vec::new();
    cases.extend(of("serviceName", names().chain([long(64), json!("a.b"), json!("1a")]).collect()));
    cases.extend(of("pvcName", names().chain([long(254)]).collect()));
    cases.extend(of("owner", vec![json!("a b"), json!("a,b=c"), long(64), json!("-"), json!(7), json!(["mira"])]));
    let whole = [json!(2.5), json!(1e10), json!("many"), json!(true), json!([1]), json!(u64::MAX), json!(-0.5)];
    cases.extend(of("replicas", whole.iter().cloned().chain([json!(-1)]).collect()));
    cases.extend(of("port", whole.into_iter().chain([json!(65_536), json!("http")]).collect()));
    for setting in
        ["cpuRequest", "cpuLimit", "memoryRequest", "memoryLimit", "ephemeralStorageRequest", "ephemeralStorageLimit"]
    {
        cases.extend(of(setting, quantities()));
    }
    cases.extend(of("storageSize", quantities().into_iter().chain([json!("0"), json!("0Gi")]).collect()));
    cases.extend(of("mountPath", vec![json!("data"), json!("/a:b"), json!("../x"), json!("/a\u{0}b"), json!(7)]));
    cases.extend(bad_variables().into_iter().map(|value| ("environment_variables", value)));
    cases
}

/// Settings of an instance that are wrong.
fn bad_instance_settings() -> Vec<(&'static str, Value)> {
    let of = |setting: &'static str, values: Vec<Value>| values.into_iter().map(move |value| (setting, value));
    let mut cases = Vec::new();
    let ttls =
        ["forever", "-5m", "1h-5m", "5", "1d", "0s", "0", "1h ", "m", ".", "1.h.", "9999999h", "1h\n", "١h", "1e3s"];
    cases.extend(of("ttl", ttls.map(Value::from).into_iter().chain([json!(30), json!(["1h"])]).collect()));
    cases.extend(of("owner", vec![json!("a b"), json!("x".repeat(64)), json!({"a": "b"}), json!(false)]));
    cases.extend(of("arguments", vec![json!("--fast"), json!([null]), json!(["a\u{0}"]), json!({"a": 1}), json!(7)]));
    let labels = [json!(["a"]), json!("a=b"), json!(7)];
    cases.extend(of("labels", labels.to_vec()));
    cases.extend(bad_variables().into_iter().map(|value| ("environment_variables", value)));
    cases
}

fn bad_variables() -> Vec<Value> {
    vec![
        json!(SECRET),
        json!([format!("A={SECRET}")]),
        json!(7),
        json!({"A=B": SECRET}),
        json!({"1A": SECRET}),
        json!({"A B": SECRET}),
        json!({"": SECRET}),
        json!({"..": SECRET}),
        json!({"Ä": SECRET}),
        json!({"A\u{0}": SECRET}),
        json!({"GOOD": format!("{SECRET}\u{0}")}),
        json!({"GOOD": SECRET, "B=D": 7}),
    ]
}

#[tokio::test]
async fn settings_that_kubernetes_would_refuse_are_refused_by_their_names() {
    let (server, _cluster, controller) = started().await;
    for (direct, gateway, settings) in
        [("/services", "/env-service", bad_service_settings()), ("/pods", "/env-instance", bad_instance_settings())]
    {
        for (setting, value) in settings {
            let answer = controller.post(direct, &environment(&json!({setting: value}))).await;
            refused(&format!("{direct} {setting} {value}"), &answer, 400, &format!("deployConfig.{setting}"));
            let field = in_snake_case(setting);
            let answer = controller.post(gateway, &json!({"envName": "weather@3.4", &*field: value})).await;
            refused(&format!("{gateway} {field} {value}"), &answer, 400, &field);
            assert!(!answer.failure(400).contains("deployConfig"), "{gateway} {field}: {:?}", answer.body);
        }
    }
    // What the CLI's routes do not take.
    for (settings, names) in [
        (json!({"podTemplate": "../../etc/passwd"}), "deployConfig.podTemplate"),
        (json!({"podTemplate": "/etc/passwd"}), "deployConfig.podTemplate"),
        (json!({"podTemplate": "unknown"}), "deployConfig.podTemplate"),
        (json!({"podTemplate": "deployment"}), "deployConfig.podTemplate"),
        (json!({"podTemplate": 7}), "deployConfig.podTemplate"),
        (json!({"secondImageName": "a b"}), "deployConfig.secondImageName"),
        (json!({"secondImageName": 7}), "deployConfig.secondImageName"),
        (json!({"resource": "autoscale", "cpu": "-1", "memory": "1Gi"}), "deployConfig.cpu"),
        (json!({"resource": "autoscale", "cpu": "1", "memory": ["2Gi"]}), "deployConfig.memory"),
    ] {
        let answer = controller.post("/pods", &environment(&settings)).await;
        refused(&settings.to_string(), &answer, 400, names);
    }
    // What does not fit each other.
    for (settings, names) in [
        (json!({"replicas": 2, "storageSize": "1Gi"}), "replicas must be 1"),
        (json!({"replicas": 0, "storageSize": "1Gi"}), "replicas must be 1"),
        (json!({"cpuRequest": "2", "cpuLimit": "1999m"}), "deployConfig.cpuRequest"),
        (json!({"memoryLimit": "1Gi"}), "deployConfig.memoryLimit"),
        (json!({"ephemeralStorageRequest": "11Gi"}), "deployConfig.ephemeralStorageRequest"),
        // All at once.
        (json!({"port": 70_000, "owner": "a b"}), "deployConfig.port"),
        (json!({"port": 70_000, "owner": "a b"}), "deployConfig.owner"),
    ] {
        let answer = controller.post("/services", &environment(&settings)).await;
        refused(&settings.to_string(), &answer, 400, names);
    }
    unharmed(&server, &controller).await;
}

#[tokio::test]
async fn environments_that_cannot_be_meant_are_refused() {
    let (server, _cluster, controller) = started().await;
    let without = |field: &str| {
        let mut body = environment(&json!({}));
        body.as_object_mut().unwrap().remove(field);
        body
    };
    let with = |field: &str, value: Value| {
        let mut body = environment(&json!({}));
        body[field] = value;
        body
    };
    for path in ["/services", "/pods"] {
        for (body, names) in [
            (json!({}), "name"),
            (without("name"), "name"),
            (with("name", json!(7)), "name"),
            (with("name", json!("Tides")), "name"),
            (with("name", json!("a b")), "name"),
            (with("name", json!("../x")), "name"),
            (with("name", json!("x".repeat(64))), "name"),
            (with("name", json!("tïdes")), "name"),
            (with("version", json!(3.4)), "version"),
            (with("version", json!("1 0")), "version"),
            (with("artifacts", json!("image")), "artifacts"),
            (with("artifacts", json!([7])), "artifacts[0]"),
            (with("artifacts", json!([{"type": "image", "content": 7}])), "artifacts[0].content"),
            (with("artifacts", json!([{"type": "image", "content": "a b"}])), "artifacts[0].content"),
            (with("deployConfig", json!("x")), "deployConfig"),
            (with("deployConfig", json!([])), "deployConfig"),
            (json!({"name": "a", "artifacts": [], "deploy_config": 7}), "deploy_config"),
        ] {
            let answer = controller.post(path, &body).await;
            refused(&format!("{path} {body}"), &answer, 400, names);
        }
    }
    // A service has its template's image then.
    let images = [json!(null), json!([]), json!([{"type": "image"}]), json!([{"type": "code", "content": "x"}])];
    for artifacts in images {
        let answer = controller.post("/pods", &with("artifacts", artifacts)).await;
        refused("/pods", &answer, 400, "artifacts");
    }
    for path in ["/env-service", "/env-instance"] {
        for env in [
            json!(null),
            json!(7),
            json!(["tides@1"]),
            json!(""),
            json!("tides"),
            json!("@1"),
            json!("tides@"),
            json!("a@b@c"),
            json!("../../x@1"),
            json!("a b@1"),
            json!("Tides@1"),
            json!("tides@1/../../services"),
            json!("tides@1?x=y"),
            json!(format!("{}@1", "x".repeat(20_000))),
            json!(format!("tides@{}", "\u{1f30a}".repeat(5_000))),
        ] {
            let answer = controller.post(path, &json!({"envName": env})).await;
            refused(&format!("{path} {env:.60}"), &answer, 400, "envName");
        }
    }
    let answer = controller.post("/env-instance", &json!({"envName": "weather@1", "datasource": 7})).await;
    refused("datasource", &answer, 400, "datasource");
    unharmed(&server, &controller).await;
}

#[tokio::test]
async fn changes_that_cannot_be_meant_are_refused() {
    let (server, _cluster, controller) = started().await;
    for path in ["/services/tides-live", "/env-service/tides-live"] {
        let mut cases = vec![
            (json!({"replicas": -1}), "replicas"),
            (json!({"replicas": "many"}), "replicas"),
            (json!({"replicas": 1.5}), "replicas"),
            (json!({"replicas": 1e300}), "replicas"),
            (json!({"image": 7}), "image"),
            (json!({"image": "a b"}), "image"),
            (json!({"image": ["x"]}), "image"),
        ];
        cases.extend(
            bad_variables().into_iter().map(|v| (json!({"environment_variables": v}), "environment_variables")),
        );
        for (body, names) in cases {
            let answer = controller.put(path, &body).await;
            refused(&format!("{path} {body}"), &answer, 400, names);
        }
    }
    unharmed(&server, &controller).await;
}

#[tokio::test]
async fn names_queries_and_methods_that_cannot_be_meant_are_refused() {
    let (server, _cluster, controller) = started().await;
    let long = format!("/services/{}", "x".repeat(254));
    for (method, path, status, names) in [
        ("PUT", "/services/Tides", 400, "name"),
        ("PUT", "/services/..%2F..%2Fsecrets%2Fx", 400, "name"),
        ("PUT", &long, 400, "name"),
        ("PUT", "/env-service/a%20b", 400, "id"),
        ("DELETE", "/services/a%00b", 400, "name"),
        ("DELETE", "/services/.tides", 400, "name"),
        ("DELETE", "/services/tides-live?deleteStorage=maybe", 400, "deleteStorage"),
        ("DELETE", "/services/tides-live?deleteStorage=True", 400, "deleteStorage"),
        ("DELETE", "/services/tides-live?deleteStorage=true&deleteStorage=false", 400, "deleteStorage"),
        ("DELETE", "/env-service/tides-live?deleteStorage=1", 400, "deleteStorage"),
        ("DELETE", "/env-service/*", 400, "id"),
        ("DELETE", "/pods/Tides", 400, "name"),
        ("DELETE", "/pods/%F0%9F%8C%8A", 400, "name"),
        ("DELETE", "/env-instance/-", 400, "id"),
        ("POST", "/services/tides-live", 405, "method"),
        ("PUT", "/services", 405, "method"),
        ("DELETE", "/services", 405, "method"),
        ("PATCH", "/services/tides-live", 405, "method"),
        ("PUT", "/pods/tides", 400, "ttl"),
        ("DELETE", "/pods", 400, "envName"),
        ("PUT", "/env-instance/tides", 405, "method"),
        ("DELETE", "/env-service", 405, "method"),
        ("BREW", "/services", 405, "method"),
        ("POST", "/", 405, "method"),
        ("POST", "/service", 404, "path"),
        ("DELETE", "/services/tides-live/pods", 404, "path"),
        ("PUT", "/env-instance/tides/ttl", 404, "path"),
    ] {
        let answer = write(&controller, method, path, environment(&json!({})).to_string()).await;
        refused(&format!("{method} {path}"), &answer, status, names);
    }
    unharmed(&server, &controller).await;
}

#[tokio::test]
async fn headers_do_not_change_what_a_body_means() {
    let (server, _cluster, controller) = started().await;
    let post = |body: String| controller.request(Method::POST, "/pods").body(body);
    for (name, value) in [("content-type", "text/plain"), ("content-type", "nonsense"), ("accept", "text/html")] {
        let answer = send(post(environment(&json!({})).to_string()).header(name, value)).await;
        assert_eq!(answer.status, StatusCode::CREATED, "{name}: {value}: {:?}", answer.body);
        assert_eq!(answer.header("content-type"), "application/json");
    }
    server.reset_calls();
    let zipped: &[u8] = b"\x1f\x8b\x08\x00\x00\x00\x00\x00\x00\x03\xab\xae\x05\x00\x43\xbf\xa6\xa3\x02\x00\x00\x00";
    let request = controller.request(Method::POST, "/pods").header("content-encoding", "gzip").body(zipped);
    refused("gzip", &send(request).await, 400, "Invalid request body: ");
    unharmed(&server, &controller).await;
}

/// Any JSON, with words among its texts that some field takes.
fn any_json() -> impl Strategy<Value = Value> {
    let text = prop_oneof![
        "[ -~]{0,8}",
        any::<String>(),
        Just("image".into()),
        Just("weather@1.0.2".into()),
        Just("autoscale".into()),
        "[a-z0-9]{1,70}",
        "[0-9]{1,9}([numkMGTPE]|[KMGTPE]i|[hms])?"
    ];
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        (-3..70_000_i64).prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        text.prop_map(Value::from),
    ];
    leaf.prop_recursive(4, 24, 5, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..5).prop_map(Value::from),
            prop::collection::btree_map(key(), inner, 0..5).prop_map(|members| members.into_iter().collect()),
        ]
    })
}

/// A key that may mean something.
fn key() -> impl Strategy<Value = String> {
    let known = "name version artifacts type content deployConfig deploy_config serviceName owner replicas port \
        environment_variables cpuRequest cpuLimit memoryLimit storageSize pvcName mountPath ttl podTemplate \
        secondImageName arguments resource cpu memory labels image envName service_name cpu_request cpu_limit \
        memory_request storage_size pvc_name mount_path datasource";
    let known = prop::sample::select(known.split_whitespace().collect::<Vec<_>>());
    prop_oneof![6 => known.prop_map(str::to_owned), 1 => any::<String>()]
}

/// A body that would do, but for what is put into it.
fn almost_right(path: &str, (top, value): (String, Value), (setting, other): (String, Value)) -> Value {
    let mut body = match path {
        "/env-service" | "/env-instance" => json!({"envName": "weather@1.0.2"}),
        "/services" | "/pods" => environment(&json!({setting.clone(): other})),
        _ => json!({}),
    };
    body[setting] = other;
    body[top] = value;
    body
}

#[tokio::test]
async fn any_json_is_answered_and_what_is_taken_the_api_server_takes() {
    let (server, _cluster, controller) = started().await;
    let mut runner = TestRunner::deterministic();
    let pieces = ((key(), any_json()), (key(), any_json()));
    let mut taken = 0;
    for _ in 0..120 {
        let (top, deploy) = pieces.new_tree(&mut runner).unwrap().current();
        for (method, path) in WRITES {
            server.reset_calls();
            let body = almost_right(path, top.clone(), deploy.clone());
            let answer = write(&controller, method, path, body.to_string()).await;
            match answer.status.as_u16() {
                200 | 201 => taken += 1,
                // Refused before anything was asked; or a name that an earlier body has used, or no such environment.
                400 => assert_eq!(server.calls().total, 0, "{method} {path} {body}"),
                409 | 404 => {}
                _ => panic!("{method} {path} {body}: {} {:?}", answer.status, answer.body),
            }
        }
    }
    assert!(taken > 50, "only {taken} bodies were right");
    assert_eq!(controller.get("/services").await.status, StatusCode::OK);
}
