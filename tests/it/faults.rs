//! The fault matrix: each kind of call with each fault of the API server or of the wire; and a replica that is killed around
//! each of its calls. The tests ask every cell, and docs/RELIABILITY.md shows the tables.

use crate::support::controller::{Controller, send, settings};
use crate::support::replica::Replica;
use crate::support::snapshot::assert_file;
use crate::support::wire::{Call, Fault, Spoiled, Trouble, Wire};
use crate::support::{Cluster, sandboxed, seed, stock};
use aenv_controller::app;
use aenv_controller::sandbox::ApiServer;
use reqwest::{Client, Method, RequestBuilder, StatusCode};
use serde::Deserialize;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::{env, fs};
use tokio::sync::Semaphore;
use tokio::task::{JoinSet, LocalSet};

/// Waits that are short enough for a test, and long enough for a slow machine. An attempt is given up after two seconds
/// of silence, and a request has time for three of them.
const KEYS: [(&str, &str); 6] = [
    ("retry.max_attempts", "3"),
    ("retry.initial_ms", "5"),
    ("retry.max_ms", "10"),
    ("kubernetes.read_timeout_ms", "2000"),
    ("server.request_deadline_ms", "12000"),
    ("server.lame_duck_ms", "0"),
];

/// How many cells are asked at the same time: most of them wait.
const AT_ONCE: usize = 24;

/// A row of the matrix: what each operation comes to.
#[derive(Debug, Deserialize)]
struct Row {
    fault: String,
    list: String,
    get: String,
    create: String,
    update: String,
    delete: String,
}

impl Row {
    fn cell(&self, operation: &str) -> &str {
        match operation {
            "list" => &self.list,
            "get" => &self.get,
            "create" => &self.create,
            "update" => &self.update,
            _ => &self.delete,
        }
    }
}

/// A row of the table of killed replicas.
#[derive(Debug, Deserialize, PartialEq)]
struct Killed {
    killed: String,
    left: String,
    again: String,
}

/// A request, and the one of its calls that the fault befalls.
#[derive(Clone)]
struct Operation {
    name: &'static str,
    method: Method,
    path: &'static str,
    body: Option<Value>,
    resource: &'static str,
}

impl Operation {
    fn ask(&self, api: SocketAddr) -> RequestBuilder {
        let request = Client::new().request(self.method.clone(), format!("http://{api}{}", self.path));
        if let Some(body) = &self.body { request.json(body) } else { request }
    }
}

fn operations() -> [Operation; 5] {
    let of = |name, method, path, body, resource| Operation { name, method, path, body, resource };
    let new = json!({
        "name": "tides", "version": "3.4",
        "artifacts": [{"type": "image", "content": "registry.example.com/aenv/tides:3.4"}],
        "deployConfig": {"serviceName": "tides-live", "storageSize": "3Gi", "pvcName": "tides-data"}
    });
    [
        of("list", Method::GET, "/pods", None, "pods"),
        of("get", Method::GET, "/pods/lagoon-a1b2c3", None, "pods"),
        of("create", Method::POST, "/services", Some(new), "services"),
        of("update", Method::PUT, "/services/lagoon", Some(json!({"replicas": 3})), "deployments"),
        of("delete", Method::DELETE, "/services/lagoon", None, "deployments"),
    ]
}

fn says(status: &str, headers: &str, body: &str) -> Fault {
    Fault::Says(format!("HTTP/1.1 {status}\r\ncontent-length: {}\r\n{headers}\r\n{body}", body.len()))
}

fn status_document(status: u16, reason: &str, headers: &str) -> Fault {
    let body = json!({
        "kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Failure", "message": "no",
        "reason": reason, "code": status
    });
    let reason = StatusCode::from_u16(status).unwrap().canonical_reason().unwrap();
    says(&format!("{status} {reason}"), &format!("content-type: application/json\r\n{headers}"), &body.to_string())
}

/// The faults, by the words of their rows.
fn faults() -> Vec<(&'static str, Fault)> {
    let wait = "retry-after: 1\r\n";
    vec![
        ("429 in plain text", says("429 Too Many Requests", wait, "Too many requests, please try again later.\n")),
        ("429 as a Status", status_document(429, "TooManyRequests", wait)),
        ("500", status_document(500, "InternalError", "")),
        ("503", status_document(503, "ServiceUnavailable", "")),
        ("410", status_document(410, "Expired", "")),
        ("401, the token has expired", status_document(401, "Unauthorized", "")),
        ("connection refused", Fault::Refuses),
        ("reset before the head", Fault::Spoils(Spoiled::ResetBeforeItsHead)),
        ("reset in the body", Fault::Spoils(Spoiled::ResetInItsBody)),
        ("truncated", Fault::Spoils(Spoiled::Truncated)),
        ("200 of another type", Fault::Spoils(Spoiled::OfTheWrongType)),
        ("slow head", Fault::Spoils(Spoiled::SlowHead)),
        ("slow body", Fault::Spoils(Spoiled::SlowBody)),
        ("frozen", Fault::Spoils(Spoiled::Frozen)),
        ("endless", Fault::Spoils(Spoiled::Endless)),
    ]
}

/// A namespace with something in it, behind a wire.
struct Scene {
    server: ApiServer,
    cluster: Cluster,
    wire: Wire,
    before: BTreeMap<String, Value>,
}

impl Scene {
    async fn set() -> Self {
        let (server, cluster) = sandboxed::start().await;
        seed::deployment("lagoon").env("lagoon").create(&cluster).await;
        seed::service("lagoon", 7001).env("lagoon").create(&cluster).await;
        seed::pod("lagoon-a1b2c3").env("lagoon").create(&cluster).await;
        let wire = Wire::to(&server.url(), &cluster).await;
        let before = stock::taken(&cluster).await;
        Self { server, cluster, wire, before }
    }

    /// What `operation` has come to, once nobody is at work any more.
    async fn left(&self, operation: &Operation) -> String {
        let after = stock::taken(&self.cluster).await;
        let added: Vec<_> = after.keys().filter(|key| !self.before.contains_key(*key)).cloned().collect();
        let gone: Vec<_> = self.before.keys().filter(|key| !after.contains_key(*key)).cloned().collect();
        let replicas = |stock: &BTreeMap<String, Value>| stock["deployments/lagoon"]["spec"]["replicas"].clone();
        let is_done = match operation.name {
            "create" => added.len() == 3,
            "update" => replicas(&after) == json!(3),
            "delete" => gone.len() == 2,
            _ => true,
        };
        match (is_done, added.as_slice(), gone.as_slice()) {
            (true, ..) => "all is done".to_owned(),
            (false, [], []) => "all is as before".to_owned(),
            (false, added, []) => format!("there is {}", added.join(", ")),
            (false, _, gone) => format!("gone is {}", gone.join(", ")),
        }
    }
}

fn is_write(operation: &Operation) -> bool {
    operation.method != Method::GET
}

/// Asks one cell: status, attempts, and what is left when the API server is well again.
async fn cell(operation: Operation, fault: Fault, times: Option<usize>) -> String {
    let scene = Scene::set().await;
    let settings = settings(&scene.wire.kubeconfig(), scene.cluster.namespace(), &KEYS);
    let controller = Controller::of(app::start(&settings, app::find_cluster(&settings).await.unwrap(), None).unwrap());
    let verbs: &[&str] = if operation.name == "update" { &["update", "patch"] } else { &[operation.name] };
    let (verbs, resource) = (verbs.to_vec(), operation.resource);
    let is_asked = move |call: &Call| verbs.contains(&call.verb) && call.resource == resource;
    scene.wire.set(Some(Trouble { matches: Box::new(is_asked.clone()), fault, times }));
    let answer = send(operation.ask(controller.api_addr())).await;
    let tries = scene.wire.calls().iter().filter(|call| is_asked(call)).count();
    let plural = if tries == 1 { "call" } else { "calls" };
    scene.wire.set(None);
    controller.stop().await;
    let told = format!("{}, {tries} {plural}", answer.status.as_u16());
    if !is_write(&operation) {
        assert!(
            answer.status != 200 || answer.body["data"].is_array() || answer.body["data"].is_object(),
            "{answer:?}"
        );
        return told;
    }
    let left = scene.left(&operation).await;
    assert!(!answer.status.is_success() || left == "all is done", "{}: {told}: {left}", operation.name);
    assert!(operation.name != "create" || answer.status.is_success() || left == "all is as before", "{told}: {left}");
    format!("{told}, {left}")
}

async fn every_cell(name: &str, times: Option<usize>) {
    let places = Arc::new(Semaphore::new(AT_ONCE));
    let mut asked = JoinSet::new();
    for (row, (_, fault)) in faults().into_iter().enumerate() {
        for operation in operations() {
            let (places, fault) = (Arc::clone(&places), fault.clone());
            asked.spawn(async move {
                let _place = places.acquire().await.unwrap();
                (row, operation.name, cell(operation, fault, times).await)
            });
        }
    }
    let cells: BTreeMap<_, _> =
        asked.join_all().await.into_iter().map(|(row, operation, cell)| ((row, operation), cell)).collect();
    let names = operations().map(|operation| operation.name);
    if env::var_os("UPDATE").is_some() {
        let rows = faults().into_iter().enumerate().map(|(row, (fault, _))| {
            let cells = names.map(|name| format!("  {name}: \"{}\"\n", cells[&(row, name)]));
            format!("- fault: \"{fault}\"\n{}", cells.concat())
        });
        fs::write(folder().join(format!("{name}.yaml")), rows.collect::<Vec<_>>().join("\n")).unwrap();
    }
    let table = table::<Row>(name);
    assert_eq!(
        table.iter().map(|row| &*row.fault).collect::<Vec<_>>(),
        faults().iter().map(|it| it.0).collect::<Vec<_>>()
    );
    let mut wrong = Vec::new();
    for (row, expected) in table.iter().enumerate() {
        for name in names {
            let (expected, found) = (expected.cell(name), &cells[&(row, name)]);
            if expected != found {
                wrong.push(format!("{}, {name}: {found:?} instead of {expected:?}", table[row].fault));
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_fault_that_lasts_is_told_and_leaves_nothing_half_made() {
    every_cell("lasting", None).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_fault_that_passes_is_survived_wherever_the_outcome_can_be_known() {
    every_cell("passing", Some(1)).await;
}

/// A replica that is killed at its `number`th call, before that is carried out or after. `None`: it makes fewer calls.
async fn killed(operation: Operation, number: usize, carried_out: bool) -> Option<Killed> {
    let scene = Scene::set().await;
    let mut replica = Replica::start(|command| {
        command.arg("--kubeconfig").arg(scene.wire.kubeconfig());
        command.args(["--namespace", scene.cluster.namespace()]);
        crate::support::replica::set(command, ("list.plan", "paged"));
    })
    .await;
    let earlier = std::sync::atomic::AtomicUsize::new(0);
    let is_its_turn = move |_: &Call| earlier.fetch_add(1, std::sync::atomic::Ordering::Relaxed) + 1 == number;
    scene.wire.set(Some(Trouble { matches: Box::new(is_its_turn), fault: Fault::Holds { carried_out }, times: None }));
    let asked = tokio::spawn(operation.ask(replica.api).send());
    tokio::select! {
        () = scene.wire.holds() => {}
        answer = asked => {
            assert!(answer.unwrap().unwrap().status().is_success());
            return None;
        }
    }
    replica.process.kill();
    let call = scene.wire.calls().pop().unwrap();
    let left = scene.left(&operation).await;
    let other = Controller::on(&scene.cluster).await;
    let again = send(operation.ask(other.api_addr())).await;
    other.stop().await;
    assert_eq!(scene.left(&operation).await, "all is done", "{} asked again: {again:?}", operation.name);
    assert!(scene.server.calls().total > 0);
    let Call { verb, resource } = call;
    // Of the two that are read side by side, either may be the first.
    let reads_both = verb == "get" && ["deployments", "services"].contains(&&*resource);
    let resource = if reads_both { "deployments and services" } else { &*resource };
    let when = if carried_out { "after" } else { "before" };
    let place = format!("{} of a service: {when} call {number}, {verb} {resource}", operation.name);
    Some(Killed { killed: place, left, again: again.status.as_u16().to_string() })
}

#[tokio::test]
async fn a_write_of_a_replica_that_was_killed_is_brought_to_its_end_by_asking_again() {
    let local = LocalSet::new();
    let mut under_way = Vec::new();
    for operation in operations().into_iter().filter(is_write) {
        for carried_out in [false, true] {
            let operation = operation.clone();
            under_way.push(local.spawn_local(async move {
                let mut rows = Vec::new();
                while let Some(row) = killed(operation.clone(), rows.len() + 1, carried_out).await {
                    rows.push(row);
                }
                assert!(rows.len() > 1, "{} makes calls", operation.name);
                rows
            }));
        }
    }
    let mut rows = Vec::new();
    local
        .run_until(async {
            for killed in under_way {
                rows.extend(killed.await.unwrap());
            }
        })
        .await;
    rows.sort_by(|a, b| a.killed.cmp(&b.killed));
    if env::var_os("UPDATE").is_some() {
        let text =
            |row: &Killed| format!("- killed: {:?}\n  left: {:?}\n  again: {:?}\n", row.killed, row.left, row.again);
        fs::write(folder().join("killed.yaml"), rows.iter().map(text).collect::<Vec<_>>().join("\n")).unwrap();
    }
    assert_eq!(rows, table::<Killed>("killed"));
}

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it/faults")
}

fn table<T: serde::de::DeserializeOwned>(name: &str) -> Vec<T> {
    let text = fs::read_to_string(folder().join(format!("{name}.yaml"))).unwrap_or_default();
    serde_saphyr::from_str(&text).unwrap_or_else(|error| panic!("{name}.yaml: {error}"))
}

const INTRODUCTION: &str = "# Reliability

What a caller is told, and what is left in the namespace, when the API server fails, the wire between breaks, or a replica
is killed. Each cell is a test; the tables are generated from `tests/it/faults/`
(`UPDATE=1 cargo test --test it faults` asks every cell anew and writes this page).

The settings of the tests: three attempts (`retry.max_attempts`), two seconds of silence (`kubernetes.read_timeout_ms`).
Nothing is in memory; a list or an object that was read before is answered from there, marked as old, for
`memo.max_stale_ms`. *list* is `GET /pods`, *get* `GET /pods/{name}`, *create* `POST /services` with storage, whose last
object, the Service, meets the fault; *update* and *delete* are those of a service, whose Deployment meets it. A cell says the
status, the calls that met the fault, and what is left when the API server is well again.

- **401 to 503 and a refused connection**: the call was not carried out.
- **From *reset before the head* on**: the call was carried out, and its answer was lost.
";

fn page() -> String {
    let mut page = INTRODUCTION.to_owned();
    let sections = [
        (
            "lasting",
            "A fault that lasts",
            "Every such call fails until the caller has its answer; then the API server is well.",
        ),
        ("passing", "A fault that passes", "Only the first such call fails."),
    ];
    for (name, title, text) in sections {
        page += &format!(
            "\n## {title}\n\n{text}\n\n| fault | list | get | create | update | delete |\n| --- | --- | --- | --- | --- | --- |\n"
        );
        for Row { fault, list, get, create, update, delete } in table(name) {
            page += &format!("| {fault} | {list} | {get} | {create} | {update} | {delete} |\n");
        }
    }
    page += "\n## A replica that is killed\n\nKilled (`SIGKILL`) around each of the calls of a write. The caller asks the same again \
             of another replica, and all is done then.\n\n| killed | left | asked again |\n| --- | --- | --- |\n";
    for Killed { killed, left, again } in table("killed") {
        page += &format!("| {killed} | {left} | {again} |\n");
    }
    page
}

#[test]
fn the_page_shows_the_tables() {
    assert_file("docs/RELIABILITY.md", &page(), "faults");
}
