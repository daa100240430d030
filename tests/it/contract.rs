//! The recorded wire contract, replayed: `contract/reference.json` holds the exchanges that the controller which this
//! one replaces had with its clients, on a real API server, in their order.
//!
//! Each is had again with our controller. Answers, and the objects that a write leaves behind, are compared field by
//! field. What is generated (times, the end of a name, cluster addresses) must have the recorded format; the order of
//! rows is free; [`intended`] says where we answer differently. The API description has to know each answer, too.

use crate::support::controller::{Answer, Controller, send};
use crate::support::description::Description;
use crate::support::{Cluster, on_every_cluster};
use k8s_openapi::api::apps::v1::Deployment;
use k8s_openapi::api::core::v1::{PersistentVolumeClaim, Pod, Service};
use kube::api::{ApiResource, DynamicObject, Patch, PatchParams};
use kube::{Api, Resource};
use reqwest::{Method, StatusCode};
use serde::Deserialize;
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};
use tokio::time::{Duration, sleep, timeout};

on_every_cluster! {
    every_exchange_is_had_as_recorded,
}

const RECORDING: &str = include_str!("contract/reference.json");

/// Intended differences of our answers. Besides these, everywhere: failures come in the envelope, with the recorded
/// words as the message, and every content type is `application/json`.
fn intended(id: &str) -> Option<Intended> {
    let refused = |tells| Some(Intended::Failure { status: 400, tells });
    let filled_in = |pointer, value: Value| Some(Intended::Field { pointer, value });
    match id {
        // An empty list is a list, for pods as for services.
        "pods-list-empty" => filled_in("/data", json!([])),
        // A value that is no label value is refused; it used to widen or narrow the selector.
        "services-list-selector-injection" => refused("envName"),
        // What the API server would refuse is refused before it is asked, and says the field.
        "service-create-invalid-name" => refused("deployConfig.serviceName"),
        "service-create-invalid-owner-label" => refused("deployConfig.owner"),
        // JSON is explained in other words.
        "service-create-bad-json" | "service-update-bad-json" | "pod-create-bad-json" => {
            refused("Invalid request body: ")
        }
        // What used to be left empty is filled in.
        "service-update-replicas" | "service-update-image-env" => {
            filled_in("/data/created_at", json!("0000-00-00 00:00:00"))
        }
        // A time to live is renewed there.
        "pod-method-not-allowed" => refused("Invalid request body: "),
        "pod-create" => filled_in("/data/ttl", json!("30m")),
        "pod-create-short-ttl" => filled_in("/data/ttl", json!("1s")),
        _ => None,
    }
}

/// Fields of rows that the other controller does not have; they are left out where they have nothing to tell.
const ADDED: [&str; 5] = ["labels", "reason", "message", "restarts", "node"];

/// The data of an answer without the fields that only ours has.
fn without_additions(data: &mut Value) {
    match data {
        Value::Array(rows) => rows.iter_mut().for_each(without_additions),
        Value::Object(row) => row.retain(|field, _| !ADDED.contains(&&**field)),
        _ => {}
    }
}

/// Number of exchanges that differ: all that [`intended`] names.
const INTENDED: usize = 12;

/// Intended differences of the objects left behind: by exchange, the field of its object.
fn intended_object(id: &str, object: &mut Value) {
    if id == "pod-create" {
        // Arguments used to be dropped.
        object["spec"]["containers"][0]["args"] = json!(["--fast", "-v"]);
    }
}

/// A deleted claim that was recorded on its way: a finalizer held it, and nobody was there to take that off. Not every
/// API server has the finalizer.
const CLAIM_TO_GO: (&str, &str) = ("service-delete-with-storage", "pvc/weather");

enum Intended {
    /// The recorded answer, but for this field of its body.
    Field { pointer: &'static str, value: Value },
    /// A failure with this status, whose message has these words.
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

impl Request {
    fn method(&self) -> Method {
        self.method.parse().unwrap()
    }
}

impl Exchange {
    fn succeeded(&self) -> bool {
        self.response.status < 300
    }

    fn created(&self) -> Option<&str> {
        let created = (self.response.status == 201).then(|| &self.response.body["data"]["id"]);
        created.and_then(Value::as_str)
    }
}

/// The recording as text, as if it had been made in this namespace.
fn recording(namespace: &str) -> Vec<Value> {
    let text = RECORDING
        .replace(r#""namespace": "aenv-sandbox""#, &format!(r#""namespace": "{namespace}""#))
        .replace(".aenv-sandbox.svc.", &format!(".{namespace}.svc."));
    serde_json::from_str(&text).unwrap()
}

async fn every_exchange_is_had_as_recorded(cluster: Cluster) {
    let controller = Controller::on(&cluster).await;
    let description = Description::of(&controller).await;
    // The names that were generated then, and those that were generated now.
    let mut names: Vec<(String, String)> = Vec::new();
    let (mut had, mut exceptions) = (0, 0);
    for recorded in recording(cluster.namespace()) {
        let mut exchange = named(&recorded, &names);
        let behind_its_back = prepare(&cluster, &controller, &exchange.id).await;
        let answer = ask(&controller, &exchange.request, behind_its_back).await;
        // A method that a path does not have is no operation.
        if answer.status != StatusCode::METHOD_NOT_ALLOWED {
            description.knows(&exchange.request.method(), &exchange.request.path, &answer);
        }
        if let (Some(then), Some(now)) = (exchange.created(), answer.body["data"]["id"].as_str())
            && generated(then)
        {
            assert!(generated(now) && now.len() == then.len(), "{}: {now} is not like {then}", exchange.id);
            names.push((then.to_owned(), now.to_owned()));
            exchange = named(&recorded, &names);
        }
        let mut differences = compare(&exchange, &answer);
        differences.extend(compare_objects(&cluster, &exchange).await);
        assert!(differences.is_empty(), "not as recorded:\n{}", differences.join("\n"));
        exceptions += usize::from(intended(&exchange.id).is_some());
        had += 1;
    }
    assert_eq!(had, 40, "every exchange of the recording");
    assert_eq!(exceptions, INTENDED, "every intended difference is one of an exchange that was had");
}

/// The exchange with the names that have been generated since.
fn named(recorded: &Value, names: &[(String, String)]) -> Exchange {
    let text = names.iter().fold(recorded.to_string(), |text, (then, now)| text.replace(then, now));
    serde_json::from_str(&text).unwrap()
}

/// True if a name ends in six characters that nobody chose; in the recording no other name does.
fn generated(name: &str) -> bool {
    name.rsplit('-').next().is_some_and(|end| end.len() == 6 && end != "store2")
}

async fn ask(controller: &Controller, request: &Request, fresh: bool) -> Answer {
    // The reference reads a service anew for each request.
    let mut asked = controller.request(request.method(), &request.path).header("cache-control", "no-cache");
    if fresh {
        asked = asked.header("cache-control", "no-cache");
    }
    send(match (&request.body, &request.raw_body) {
        (Some(body), _) => asked.json(body),
        (None, Some(text)) => asked.body(text.clone()),
        (None, None) => asked,
    })
    .await
}

/// Actions between two exchanges: the recording has them in its notes, or in the time that passed. True if there was one
/// done past the controller, which cannot know of it.
async fn prepare(cluster: &Cluster, controller: &Controller, id: &str) -> bool {
    match id {
        "service-get-partially-available" => make_available(cluster, 1).await,
        "service-get-available" => make_available(cluster, 2).await,
        "pods-list-expired" => {
            until_one_has_expired(controller).await;
            return false;
        }
        _ => return false,
    }
    true
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

/// Differences between the objects that a write left behind and the recorded ones, a line for each field.
async fn compare_objects(cluster: &Cluster, exchange: &Exchange) -> Vec<String> {
    let mut differences = Vec::new();
    for (key, recorded) in &exchange.objects_after {
        let (kind, name) = key.split_once('/').unwrap();
        let api = match kind {
            "deployment" => objects::<Deployment>(cluster),
            "service" => objects::<Service>(cluster),
            "pvc" => objects::<PersistentVolumeClaim>(cluster),
            "pod" => objects::<Pod>(cluster),
            _ => panic!("{key}: of an unknown kind"),
        };
        let found = api.get_opt(name).await.unwrap();
        let found = found.map_or(Value::Null, |object| serde_json::to_value(object).unwrap());
        if CLAIM_TO_GO == (&*exchange.id, &**key) {
            let gone = found.is_null() || found["metadata"]["deletionTimestamp"].is_string();
            differences.extend((!gone).then(|| format!("{}: {key} is neither gone nor going", exchange.id)));
            continue;
        }
        let mut expected = recorded.clone();
        intended_object(&exchange.id, &mut expected);
        diff(&format!("{}: {key}", exchange.id), &comparable(&expected), &comparable(&found), &mut differences);
    }
    differences
}

fn objects<K: Resource<DynamicType = ()>>(cluster: &Cluster) -> Api<DynamicObject> {
    Api::namespaced_with(cluster.client(), cluster.namespace(), &ApiResource::erase::<K>(&()))
}

/// The recorded object, without the addresses that the API server gave.
fn comparable(object: &Value) -> Value {
    if object.is_null() {
        return Value::Null;
    }
    let metadata = |field: &str| object["metadata"][field].clone();
    let mut spec = object["spec"].clone();
    if let Some(spec) = spec.as_object_mut() {
        spec.retain(|field, _| !matches!(&**field, "clusterIP" | "clusterIPs"));
        // Defaults of API servers that are newer than the recording's (1.20).
        spec.retain(|field, _| !matches!(&**field, "internalTrafficPolicy" | "ipFamilies" | "ipFamilyPolicy"));
    }
    // A zero time that Go writes and that serde leaves out.
    if let Some(template) = spec.pointer_mut("/template/metadata").and_then(Value::as_object_mut) {
        template.remove("creationTimestamp");
    }
    json!({
        "metadata": {"name": metadata("name"), "namespace": metadata("namespace"), "labels": metadata("labels")},
        "spec": spec,
    })
}

/// Differences between the answer and the recorded one, a line for each field.
fn compare(exchange: &Exchange, answer: &Answer) -> Vec<String> {
    let Response { status, body } = &exchange.response;
    let mut expected = if exchange.succeeded() {
        json!({"status": status, "content-type": "application/json", "body": body})
    } else {
        failure(*status, body.as_str().unwrap().trim_end())
    };
    let message = answer.body["message"].as_str().unwrap_or_default();
    match intended(&exchange.id) {
        Some(Intended::Field { pointer, value }) => *expected["body"].pointer_mut(pointer).unwrap() = value,
        Some(Intended::Failure { status, tells }) if message.contains(tells) => expected = failure(status, message),
        Some(Intended::Failure { status, tells }) => expected = failure(status, tells),
        None => {}
    }
    let mut answered = json!({
        "status": answer.status.as_u16(), "content-type": answer.header("content-type"), "body": answer.body
    });
    sort_rows(&mut expected["body"]["data"]);
    sort_rows(&mut answered["body"]["data"]);
    without_additions(&mut answered["body"]["data"]);
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
