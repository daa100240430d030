//! What charts give their controller, of the table in `charts.yaml`: the program starts, serves, and makes its objects in
//! the namespace that is meant.

use super::{environment, table};
use crate::support::controller::send;
use crate::support::replica::Replica;
use aenv_controller::sandbox::{ApiServer, Options};
use reqwest::Client;
use serde::Deserialize;
use serde_json::Value;
use std::collections::BTreeMap;
use std::fs;

/// A row with what a chart gives.
#[derive(Deserialize)]
struct Row {
    args: String,
    #[serde(default)]
    env: BTreeMap<String, String>,
    #[serde(default)]
    templates: BTreeMap<String, String>,
    namespace: String,
    #[serde(default)]
    settings: Value,
    #[serde(default)]
    object: BTreeMap<String, Value>,
    warning: Option<String>,
}

#[tokio::test]
async fn every_row_of_the_table_of_charts_is_true() {
    let rows = table::<Row>("charts");
    assert!(rows.len() > 8);
    for row in rows {
        is_true(row).await;
    }
}

async fn is_true(row: Row) {
    let options = Options { services: 0, pods: 0, namespace: row.namespace.clone(), port: 0, ..Options::default() };
    let server = ApiServer::start(options).await.unwrap();
    let folder = tempfile::tempdir().unwrap();
    let (kubeconfig, templates) = (folder.path().join("kubeconfig"), folder.path().join("pod-templates"));
    fs::write(&kubeconfig, server.kubeconfig()).unwrap();
    if !row.templates.is_empty() {
        fs::create_dir(&templates).unwrap();
    }
    for (file, text) in &row.templates {
        fs::write(templates.join(file), text).unwrap();
    }
    let replica = Replica::start(|command| {
        command.args(row.args.split(' ')).env("KUBECONFIG", &kubeconfig);
        command.env("AENV_CONTROLLER__TEMPLATES__DIR", &templates).envs(&row.env);
    })
    .await;

    let client = Client::new();
    let create = client.post(format!("http://{}/pods", replica.api)).json(&environment(&row.settings));
    let made = send(create).await;
    assert_eq!(made.status, 201, "{}: {:?}", row.args, made.body);
    let id = made.body["data"]["id"].as_str().unwrap();
    let path = format!("{}/api/v1/namespaces/{}/pods/{id}", server.url(), row.namespace);
    let pod = send(client.get(path)).await.body;
    for (pointer, expected) in &row.object {
        assert_eq!(pod.pointer(pointer), Some(expected), "{}: {pod:#}", row.args);
    }

    let log = replica.whole_log().await;
    match &row.warning {
        Some(warning) => assert!(log.contains(&**warning), "{}: {warning} is missing in\n{log}", row.args),
        None => assert!(!log.contains("WARN"), "{}:\n{log}", row.args),
    }
}
