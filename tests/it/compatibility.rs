//! The tables of inputs: what the Go controller makes of each, what is made of it here, and the warning. The tests ask
//! every row, and docs/COMPATIBILITY.md shows the tables.

mod charts;
mod flags;

use crate::support::controller::{Answer, Controller, send};
use crate::support::snapshot::assert_file;
use crate::support::{Cluster, sandboxed, seed, stock};
use aenv_controller::sandbox::ApiServer;
use aenv_controller::{app, config::Settings};
use reqwest::Method;
use serde::Deserialize;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

/// The tables, in the order of the page.
const TABLES: [(&str, &str); 5] = [
    ("bodies", "Bodies"),
    ("queries", "Queries"),
    ("templates", "Templates"),
    ("flags", "Flags"),
    ("charts", "Arguments and ConfigMaps of charts"),
];

/// The columns of every table.
#[derive(Deserialize)]
struct Row {
    input: String,
    reference: String,
    here: String,
    warning: Option<String>,
}

/// A row that is a request.
#[derive(Deserialize)]
struct Request {
    input: String,
    request: String,
    settings: Option<Value>,
    body: Option<Value>,
    raw: Option<String>,
    status: u16,
    warning: Option<String>,
    file: Option<String>,
    text: Option<String>,
    #[serde(default)]
    object: BTreeMap<String, Value>,
    #[serde(default)]
    answer: BTreeMap<String, Value>,
}

impl Request {
    fn body(&self) -> Option<String> {
        let settings = || Some(environment(self.settings.as_ref()?).to_string());
        let body = self.raw.clone().or_else(|| self.body.as_ref().map(Value::to_string)).or_else(settings);
        // A list that would be a page of the table.
        body.map(|body| body.replace("[\"MANY\"]", &json!(vec![""; 1_025]).to_string()))
    }
}

fn environment(settings: &Value) -> Value {
    json!({
        "name": "tides", "version": "3.4",
        "artifacts": [{"type": "image", "content": "registry.example.com/aenv/tides:3.4"}],
        "deployConfig": settings
    })
}

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it/compatibility")
}

/// The rows of a table.
fn table<T: serde::de::DeserializeOwned>(name: &str) -> Vec<T> {
    let text = fs::read_to_string(folder().join(format!("{name}.yaml"))).unwrap();
    serde_saphyr::from_str(&text).unwrap_or_else(|error| panic!("{name}.yaml: {error}"))
}

async fn started() -> (ApiServer, Cluster, Controller) {
    let (server, cluster) = sandboxed::start().await;
    seed::deployment("tides-live").env("tides").create(&cluster).await;
    seed::service("tides-live", 7443).create(&cluster).await;
    let controller = Controller::with(&cluster, &[("envhub.url", &*server.url())]).await;
    (server, cluster, controller)
}

async fn ask(controller: &Controller, row: &Request) -> Answer {
    let (method, path) = row.request.split_once(' ').unwrap();
    let request = controller.request(Method::from_bytes(method.as_bytes()).unwrap(), path);
    send(if let Some(body) = row.body() { request.body(body) } else { request }).await
}

/// The warnings of an answer, one to a line.
fn warnings(answer: &Answer) -> String {
    let unquoted = |value: &str| value.replace("\\\"", "\"").replace("\\\\", "\\");
    let values = answer.headers.get_all("warning").iter().map(|value| unquoted(value.to_str().unwrap()));
    values.collect::<Vec<_>>().join("\n")
}

async fn every_row_is_true(name: &str) {
    let (_server, cluster, controller) = started().await;
    let rows = table::<Request>(name);
    assert!(rows.len() > 5, "{name}");
    for row in rows {
        let answer = ask(&controller, &row).await;
        is_true(&row, &cluster, &answer, &warnings(&answer)).await;
    }
}

/// Checks what a row says of its answer, of the object that was made, and of the warnings.
async fn is_true(row: &Request, cluster: &Cluster, answer: &Answer, told: &str) {
    let what = format!("{}: {} {:?}", row.input, answer.status, answer.body);
    assert_eq!(answer.status, row.status, "{what}");
    match &row.warning {
        Some(warning) => assert!(told.contains(&**warning), "{what}: {told:?} lacks {warning:?}"),
        None => assert_eq!(told, "", "{what}"),
    }
    for (pointer, expected) in &row.answer {
        let expected: Value =
            serde_json::from_str(&expected.to_string().replace("NAMESPACE", cluster.namespace())).unwrap();
        assert_eq!(answer.body["data"].pointer(pointer), Some(&expected), "{what}: {pointer}");
    }
    if !row.object.is_empty() {
        let id = answer.body["data"]["id"].as_str().unwrap();
        let stock = stock::taken(cluster).await;
        let object = ["deployments", "pods"].iter().find_map(|kind| stock.get(&format!("{kind}/{id}")));
        for (pointer, expected) in &row.object {
            let found = object.unwrap().pointer(pointer).unwrap_or(&Value::Null);
            assert_eq!(found, expected, "{what}: {pointer} of {object:#?}");
        }
    }
}

#[tokio::test]
async fn every_row_of_the_table_of_bodies_is_true() {
    every_row_is_true("bodies").await;
}

#[tokio::test]
async fn every_row_of_the_table_of_queries_is_true() {
    every_row_is_true("queries").await;
}

#[tokio::test]
async fn every_row_of_the_table_of_templates_is_true() {
    let rows = table::<Request>("templates");
    assert!(rows.len() > 5);
    for row in rows {
        let (_server, cluster) = sandboxed::start().await;
        let folder = tempfile::tempdir().unwrap();
        if let (Some(file), Some(text)) = (&row.file, &row.text) {
            fs::write(folder.path().join(file), text).unwrap();
        }
        let dir = folder.path().to_str().unwrap();
        let mut settings = Settings::default();
        settings.templates.dir = folder.path().to_owned();
        let told = app::check_templates(&settings).map_or_else(|faults| faults.to_string(), |told| told.join("\n"));
        let controller = Controller::with(&cluster, &[("templates.dir", dir)]).await;
        let answer = ask(&controller, &row).await;
        if answer.status == 422 {
            assert!(answer.failure(422).contains(dir), "the file is named: {:?}", answer.body);
        }
        is_true(&row, &cluster, &answer, &told).await;
    }
}

#[tokio::test]
async fn labels_come_back_and_select() {
    let (_server, _cluster, controller) = started().await;
    let labels = |labels: Value| environment(&json!({"labels": labels}));
    let red = controller.post("/pods", &labels(json!({"team": "red", "app": "planner"}))).await;
    let blue = controller.post("/pods", &labels(json!({"team": "blue"}))).await;
    let id = |answer: &Answer| answer.body["data"]["id"].as_str().unwrap().to_owned();
    for (selector, selected) in [
        ("team=red", vec![id(&red)]),
        ("team%20in%20(blue,green)", vec![id(&blue)]),
        ("!team", vec![]),
        ("app=planner", vec![]),
    ] {
        // From a fetch of its own, and from a list that is kept.
        for path in [format!("/pods?labels={selector}&owner="), format!("/pods?labels={selector}")] {
            assert_eq!(controller.ids(&path).await, selected, "{path}");
        }
        controller.ids("/pods").await;
    }
    let shown = json!({"team": "red", "app": "planner"});
    for path in [format!("/pods/{}", id(&red)), format!("/env-instance/{}", id(&red))] {
        assert_eq!(controller.get(&path).await.body["data"]["labels"], shown, "{path}");
    }
    let rows = controller.rows("/env-instance/*/list").await;
    assert!(rows.iter().any(|row| row["labels"] == shown), "{rows:?}");
    let body = environment(&json!({"serviceName": "red-one", "labels": {"team": "red"}}));
    let made = controller.post("/services", &body).await;
    assert_eq!(made.body["data"]["labels"], json!({"team": "red"}));
    assert_eq!(controller.ids("/services?labels=team%3Dred").await, ["red-one"]);
    assert_eq!(controller.ids("/env-service/*/list?labels=team!%3Dred").await, ["tides-live"]);
}

#[tokio::test]
async fn a_deployment_without_a_service_is_incomplete() {
    let (_server, cluster, controller) = started().await;
    seed::deployment("half-made").env("tides").create(&cluster).await;
    for row in [
        controller.get("/services/half-made").await.body["data"].clone(),
        controller.get("/env-service/half-made").await.body["data"].clone(),
        controller.rows("/services?status=Incomplete").await[0].clone(),
    ] {
        assert_eq!((&row["status"], &row["reason"]), (&json!("Incomplete"), &json!("ServiceMissing")), "{row}");
    }
}

/// The page as the tables say it.
fn page() -> String {
    let mut page = String::from(
        "# Compatibility\n\n\
         What works with AEnvironment's Go controller works here. An input that can do no harm is taken, and what is \
         ignored or read leniently is told: in a `Warning: 299 - \"…\"` header of the answer, and in the log. Refused is \
         what cannot be meant, what would be lost where it matters, and what reaches beyond the caller's own objects.\n\n\
         These tables are generated from `tests/it/compatibility/`, whose rows are tests \
         (`UPDATE=1 cargo test --test it compatibility` writes this page).\n",
    );
    for (name, title) in TABLES {
        let rows = table::<Row>(name);
        page.push_str(&format!(
            "\n## {title}\n\n| input | Go controller | here | warning |\n| --- | --- | --- | --- |\n"
        ));
        for Row { input, reference, here, warning } in rows {
            let cell = |text: &str| text.replace('|', "\\|").split_whitespace().collect::<Vec<_>>().join(" ");
            let warning = warning.map(|warning| format!("`{}`", cell(&warning))).unwrap_or_default();
            page.push_str(&format!("| {} | {} | {} | {warning} |\n", cell(&input), cell(&reference), cell(&here)));
        }
    }
    page
}

#[test]
fn the_page_shows_the_tables() {
    assert_file("docs/COMPATIBILITY.md", &page(), "compatibility");
}
