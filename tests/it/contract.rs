//! The recorded wire contract, replayed: `contract/reference.json` holds the exchanges that the controller which this
//! one replaces had with its clients, on a real API server, in their order.
//!
//! A read is asked of our controller and compared field by field. A write is carried out on the cluster itself: the
//! objects that it left behind are put there, so that the next read finds what the recording found. What is generated
//! (times) must have the recorded format; the order of rows is free; [`intended`] says where we answer differently.

use crate::support::controller::{Answer, Controller, send};
use crate::support::{Cluster, on_every_cluster, seed};
use k8s_openapi::api::apps::v1::Deployment;
use k8s_openapi::api::core::v1::{PersistentVolumeClaim, Pod, Service};
use kube::api::{ApiResource, DeleteParams, DynamicObject, Patch, PatchParams, PostParams};
use kube::{Api, Resource};
use reqwest::Method;
use serde::Deserialize;
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};
use tokio::time::{Duration, sleep, timeout};

on_every_cluster! {
    reads_are_answered_as_recorded,
}

const RECORDING: &str = include_str!("contract/reference.json");

/// Where we answer a read differently, on purpose. Besides these, everywhere: failures come in the envelope, with the
/// recorded words as the message, and every content type is `application/json`.
fn intended(id: &str) -> Option<Intended> {
    match id {
        // An empty list is a list, for pods as for services.
        "pods-list-empty" => Some(Intended::Data(json!([]))),
        // A value that is no label value is refused; it used to widen or narrow the selector.
        "services-list-selector-injection" => Some(Intended::Failure { status: 400, tells: "envName" }),
        _ => None,
    }
}

/// How many exchanges differ: all that [`intended`] names.
const INTENDED: usize = 2;

enum Intended {
    /// The recorded answer, but for its `data`.
    Data(Value),
    /// A failure with this status, whose message names this field.
    Failure { status: u16, tells: &'static str },
}

#[derive(Deserialize)]
struct Exchange {
    id: String,
    request: Request,
    response: Response,
    /// By `<kind>/<name>`; `null` if it was gone.
    #[serde(default)]
    objects_after: BTreeMap<String, Value>,
}

#[derive(Deserialize)]
struct Request {
    method: String,
    path: String,
    body: Option<Value>,
    raw_body: Option<String>,
}

#[derive(Deserialize)]
struct Response {
    status: u16,
    /// Text if it was a failure.
    body: Value,
}

/// What becomes of an exchange in the replay.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Replay {
    /// The controller is asked.
    Read,
    /// The controller is asked, and refuses the method.
    Refused,
    /// The cluster is put into the state that it left behind.
    Write,
}

impl Exchange {
    fn replay(&self) -> Replay {
        match (&*self.request.method, self.response.status) {
            ("GET", _) => Replay::Read,
            (_, 405) => Replay::Refused,
            _ => Replay::Write,
        }
    }

    fn succeeded(&self) -> bool {
        self.response.status < 300
    }
}

/// The exchanges as if they had been recorded in this namespace.
fn recording(namespace: &str) -> Vec<Exchange> {
    let text = RECORDING
        .replace(r#""namespace": "aenv-sandbox""#, &format!(r#""namespace": "{namespace}""#))
        .replace(".aenv-sandbox.svc.", &format!(".{namespace}.svc."));
    serde_json::from_str(&text).unwrap()
}

async fn reads_are_answered_as_recorded(cluster: Cluster) {
    // Without its memory: what is written past it must be seen.
    let controller = Controller::with(&cluster, &[("memo.list_ttl_ms", "0"), ("memo.get_ttl_ms", "0")]).await;
    let mut replayed: BTreeMap<Replay, usize> = BTreeMap::new();
    let mut exceptions = 0;
    let mut differences = Vec::new();
    for exchange in recording(cluster.namespace()) {
        let replay = exchange.replay();
        match replay {
            Replay::Read | Replay::Refused => {
                prepare(&cluster, &controller, &exchange.id).await;
                exceptions += usize::from(intended(&exchange.id).is_some());
                let answer = ask(&controller, &exchange.request).await;
                differences.extend(compare(&exchange, &answer));
            }
            Replay::Write => leave_as_recorded(&cluster, &exchange).await,
        }
        *replayed.entry(replay).or_default() += 1;
    }
    assert!(differences.is_empty(), "not as recorded:\n{}", differences.join("\n"));
    let of_each_kind = [(Replay::Read, 15), (Replay::Refused, 2), (Replay::Write, 23)];
    assert_eq!(replayed, BTreeMap::from(of_each_kind), "every exchange of the recording is replayed");
    assert_eq!(exceptions, INTENDED, "every intended difference is one of an exchange that was replayed");
}

async fn ask(controller: &Controller, request: &Request) -> Answer {
    let method = Method::from_bytes(request.method.as_bytes()).unwrap();
    let asked = controller.request(method, &request.path);
    send(match (&request.body, &request.raw_body) {
        (Some(body), _) => asked.json(body),
        (None, Some(text)) => asked.body(text.clone()),
        (None, None) => asked,
    })
    .await
}

/// What was done between two exchanges: the recording has it in its notes, or in the time that passed.
async fn prepare(cluster: &Cluster, controller: &Controller, id: &str) {
    match id {
        "service-get-partially-available" => make_available(cluster, 1).await,
        "service-get-available" => make_available(cluster, 2).await,
        "pods-list-expired" => until_one_has_expired(controller).await,
        _ => {}
    }
}

/// Lets some of the two replicas of `weather-main` be up.
async fn make_available(cluster: &Cluster, replicas: u32) {
    let status = json!({"replicas": 2, "readyReplicas": replicas, "availableReplicas": replicas});
    let patch = Patch::Merge(json!({"status": status}));
    objects::<Deployment>(cluster).patch_status("weather-main", &PatchParams::default(), &patch).await.unwrap();
}

async fn until_one_has_expired(controller: &Controller) {
    let expired = async {
        while controller.rows("/pods?filter=expired").await.is_empty() {
            sleep(Duration::from_millis(50)).await;
        }
    };
    timeout(Duration::from_secs(10), expired).await.expect("the pod with a TTL of 1s expires");
}

/// Puts the cluster into the state in which a write was recorded to have left it.
async fn leave_as_recorded(cluster: &Cluster, exchange: &Exchange) {
    for (key, object) in &exchange.objects_after {
        put(cluster, key, object).await;
    }
    // What the recording leaves out, since another exchange tells it.
    match &*exchange.id {
        "service-create-storage-default-pvc" => {
            seed::service("weather-store2", 8080).env("weather").version("1.0.2").create(cluster).await;
        }
        "pod-create-short-ttl" => {
            seed::pod("weather-gqre9n").env("weather").version("1.0.2").ttl("1s").create(cluster).await;
        }
        "pod-delete" => put(cluster, "pod/weather-gqre9n", &Value::Null).await,
        "service-delete-missing" => {}
        id => assert!(
            exchange.succeeded() != exchange.objects_after.is_empty(),
            "{id}: what this write left behind must be known"
        ),
    }
}

/// Creates, replaces or (`null`) deletes the object `<kind>/<name>`.
async fn put(cluster: &Cluster, key: &str, object: &Value) {
    let (kind, name) = key.split_once('/').unwrap();
    let api = match kind {
        "deployment" => objects::<Deployment>(cluster),
        "service" => objects::<Service>(cluster),
        "pvc" => objects::<PersistentVolumeClaim>(cluster),
        "pod" => objects::<Pod>(cluster),
        _ => panic!("{key}: of an unknown kind"),
    };
    if object.is_null() {
        let now = DeleteParams { grace_period_seconds: Some(0), ..DeleteParams::default() };
        api.delete(name, &now).await.unwrap();
        return;
    }
    let object = without_server_fields(object);
    if api.get_opt(name).await.unwrap().is_some() {
        api.patch(name, &PatchParams::default(), &Patch::Merge(&object)).await.unwrap();
    } else {
        api.create(&PostParams::default(), &serde_json::from_value(object).unwrap()).await.unwrap();
    }
}

fn objects<K: Resource<DynamicType = ()>>(cluster: &Cluster) -> Api<DynamicObject> {
    Api::namespaced_with(cluster.client(), cluster.namespace(), &ApiResource::erase::<K>(&()))
}

/// The object as a client may send it: addresses are the API server's to give.
fn without_server_fields(object: &Value) -> Value {
    let mut object = object.clone();
    let spec = object["spec"].as_object_mut().unwrap();
    spec.retain(|field, _| !matches!(&**field, "clusterIP" | "clusterIPs"));
    object
}

/// What of the answer is not as recorded, a line for each field.
fn compare(exchange: &Exchange, answer: &Answer) -> Vec<String> {
    let Response { status, body } = &exchange.response;
    let mut expected = if exchange.succeeded() {
        json!({"status": status, "content-type": "application/json", "body": body})
    } else {
        failure(*status, body.as_str().unwrap().trim_end())
    };
    let message = answer.body["message"].as_str().unwrap_or_default();
    match intended(&exchange.id) {
        Some(Intended::Data(data)) => expected["body"]["data"] = data,
        Some(Intended::Failure { status, tells }) if message.contains(tells) => expected = failure(status, message),
        Some(Intended::Failure { status, tells }) => expected = failure(status, tells),
        None => {}
    }
    let mut answered = json!({
        "status": answer.status.as_u16(), "content-type": answer.header("content-type"), "body": answer.body
    });
    sort_rows(&mut expected["body"]["data"]);
    sort_rows(&mut answered["body"]["data"]);
    let mut differences = Vec::new();
    diff(&exchange.id, &expected, &answered, &mut differences);
    differences
}

/// A failure in the envelope.
fn failure(status: u16, message: &str) -> Value {
    let body = json!({"success": false, "code": status, "message": message, "data": null});
    json!({"status": status, "content-type": "application/json", "body": body})
}

fn sort_rows(data: &mut Value) {
    if let Value::Array(rows) = data {
        rows.sort_by_key(|row| row["id"].to_string());
    }
}

fn diff(path: &str, expected: &Value, answered: &Value, differences: &mut Vec<String>) {
    match (expected, answered) {
        (Value::Object(left), Value::Object(right)) => {
            for field in left.keys().chain(right.keys()).collect::<BTreeSet<_>>() {
                let path = format!("{path}.{field}");
                match (left.get(field), right.get(field)) {
                    (Some(expected), Some(answered)) if is_time(field) => {
                        diff(&path, &format_of(expected), &format_of(answered), differences);
                    }
                    (Some(expected), Some(answered)) => diff(&path, expected, answered, differences),
                    (Some(expected), None) => differences.push(format!("{path}: {expected} is missing")),
                    (None, answered) => differences.push(format!("{path}: {answered:?} is too much")),
                }
            }
        }
        (Value::Array(left), Value::Array(right)) if left.len() == right.len() => {
            for (number, (expected, answered)) in left.iter().zip(right).enumerate() {
                diff(&format!("{path}[{number}]"), expected, answered, differences);
            }
        }
        _ if expected == answered => {}
        _ => differences.push(format!("{path}: {answered} instead of {expected}")),
    }
}

fn is_time(field: &str) -> bool {
    matches!(field, "created_at" | "updated_at")
}

/// A time without its digits.
fn format_of(time: &Value) -> Value {
    time.as_str().unwrap_or_default().replace(|c: char| c.is_ascii_digit(), "0").into()
}
