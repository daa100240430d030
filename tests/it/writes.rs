//! Writes: the objects that they leave behind, and the reads after them.

use crate::support::controller::{Controller, send};
use crate::support::{Cluster, on_every_cluster, sandboxed, seed, stock};
use aenv_controller::sandbox::{ApiServer, Faults, Rule};
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::time::Duration;
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};

on_every_cluster! {
    concurrent_changes_all_take_effect,
    a_change_keeps_what_it_does_not_name,
    a_change_of_nothing_writes_nothing,
    a_change_of_what_does_not_exist_is_404,
    deleting_a_service_twice_is_no_failure,
    a_deleted_instance_is_gone_and_a_second_deletion_is_404,
    deletes_beside_lists_cost_no_list,
    an_instance_that_is_held_back_is_shown_until_it_is_gone,
    swept_instances_are_gone_from_lists_at_once,
    storage_goes_only_if_it_is_asked_for,
    a_claim_that_exists_is_used_as_it_is,
    a_claim_that_is_being_deleted_is_not_built_upon,
    after_a_write_to_services_every_read_shows_it,
    after_a_write_to_instances_every_read_shows_it,
    an_instance_has_the_labels_and_arguments_that_it_was_given,
    reserved_labels_are_kept_in_an_annotation,
    names_are_made_up_and_differ,
    a_changed_template_is_used_and_a_broken_one_is_not,
}

/// Keys that make the memory longer than any test.
const REMEMBER: [(&str, &str); 2] = [("memo.list_ttl_ms", "3600000"), ("memo.get_ttl_ms", "3600000")];

/// A held answer is soon given up.
const HASTY: (&str, &str) = ("kubernetes.read_timeout_ms", "2000");

/// Bounds every wait.
const PATIENCE: Duration = Duration::from_secs(30);

fn environment(deploy: &Value) -> Value {
    json!({
        "name": "tides", "version": "3.4",
        "artifacts": [{"type": "image", "content": "registry.example.com/aenv/tides:3.4"}],
        "deployConfig": deploy
    })
}

/// Creates something, and gives its id.
#[track_caller]
fn created(controller: &Controller, path: &'static str, deploy: &Value) -> impl Future<Output = String> {
    let caller = std::panic::Location::caller();
    let request = controller.request(Method::POST, path).json(&environment(deploy));
    async move {
        let answer = send(request).await;
        assert_eq!(answer.status, StatusCode::CREATED, "{caller}: {:?}", answer.body);
        answer.body["data"]["id"].as_str().unwrap().to_owned()
    }
}

async fn concurrent_changes_all_take_effect(cluster: Cluster) {
    seed::deployment("tides-live").env("tides").env_var("KEPT", "yes").create(&cluster).await;
    seed::service("tides-live", 7443).create(&cluster).await;
    let controller = Controller::on(&cluster).await;
    let mut changes: Vec<_> =
        (0..8).map(|n| json!({"environment_variables": {format!("V{n}"): n.to_string()}})).collect();
    changes.extend([json!({"replicas": 6}), json!({"image": "registry.example.com/aenv/tides:3.5"})]);
    let puts = changes.iter().map(|change| send(controller.request(Method::PUT, "/services/tides-live").json(change)));
    for answer in puts.collect::<JoinSet<_>>().join_all().await {
        assert_eq!(answer.status, StatusCode::OK, "{:?}", answer.body);
    }
    let deployment = &stock::taken(&cluster).await["deployments/tides-live"];
    let container = &deployment["spec"]["template"]["spec"]["containers"][0];
    let mut variables: Vec<_> =
        container["env"].as_array().unwrap().iter().map(|v| v["name"].as_str().unwrap()).collect();
    variables.sort_unstable();
    assert_eq!(variables, ["KEPT", "V0", "V1", "V2", "V3", "V4", "V5", "V6", "V7"]);
    assert_eq!(container["image"], "registry.example.com/aenv/tides:3.5");
    assert_eq!(deployment["spec"]["replicas"], 6);
}

async fn a_change_keeps_what_it_does_not_name(cluster: Cluster) {
    seed::claim("tides-data").create(&cluster).await;
    let seeded = seed::deployment("tides-live").env("tides").version("3.4").owner("mira").label("team", "coast");
    seeded.replicas(3).env_var("A", "1").env_var("B", "2").pvc("tides-data").create(&cluster).await;
    seed::service("tides-live", 7443).create(&cluster).await;
    let before = stock::taken(&cluster).await;
    let controller = Controller::on(&cluster).await;
    let change = json!({
        "environment_variables": {"B": "", "C": "3", "D": null}, "replicas": null, "image": "", "unknown": [1],
        "labels": {"team": "none"}
    });
    let answer = controller.put("/services/tides-live", &change).await;
    assert_eq!(answer.status, StatusCode::OK, "{:?}", answer.body);
    let mut after = stock::taken(&cluster).await;
    let variables = json!([{"name": "A", "value": "1"}, {"name": "B"}, {"name": "C", "value": "3"}]);
    let deployment = after.get_mut("deployments/tides-live").unwrap();
    let env = deployment["spec"]["template"]["spec"]["containers"][0]["env"].take();
    // An empty value may be left out.
    let env = Value::from_iter(env.as_array().unwrap().iter().map(|variable| {
        let mut variable = variable.clone();
        variable.as_object_mut().unwrap().retain(|_, value| value != "");
        variable
    }));
    assert_eq!(env, variables);
    let expected = &before["deployments/tides-live"];
    deployment["spec"]["template"]["spec"]["containers"][0]["env"] =
        expected["spec"]["template"]["spec"]["containers"][0]["env"].clone();
    let metadata = deployment["metadata"].as_object_mut().unwrap();
    for field in ["generation", "resourceVersion", "managedFields"] {
        if let Some(value) = metadata.get_mut(field) {
            *value = expected["metadata"][field].clone();
        }
    }
    assert_eq!(after, before, "one field of one object has changed");
}

async fn a_change_of_nothing_writes_nothing(cluster: Cluster) {
    seed::deployment("tides-live").create(&cluster).await;
    seed::service("tides-live", 7443).create(&cluster).await;
    let controller = Controller::on(&cluster).await;
    let before = stock::taken(&cluster).await;
    for change in [
        json!({}),
        json!({"environment_variables": {}}),
        json!({"image": "", "replicas": null}),
        json!({"environment_variables": {"A": null}}),
        json!({"port": 80}),
    ] {
        for path in ["/services/tides-live", "/env-service/tides-live"] {
            let answer = controller.put(path, &change).await;
            assert_eq!(answer.status, StatusCode::OK, "{:?}", answer.body);
            assert!(answer.header("warning").contains("there is nothing to change"), "{:?}", answer.headers);
        }
    }
    let version =
        |stock: &BTreeMap<String, Value>| stock["deployments/tides-live"]["metadata"]["resourceVersion"].clone();
    assert_eq!(version(&stock::taken(&cluster).await), version(&before));
}

async fn a_change_of_what_does_not_exist_is_404(cluster: Cluster) {
    let controller = Controller::on(&cluster).await;
    for path in ["/services/tides-gone", "/env-service/tides-gone"] {
        let answer = controller.put(path, &json!({"replicas": 2})).await;
        assert!(answer.failure(404).contains(r#"deployments.apps "tides-gone" not found"#), "{:?}", answer.body);
    }
    assert!(stock::taken(&cluster).await.is_empty());
}

async fn deleting_a_service_twice_is_no_failure(cluster: Cluster) {
    let controller = Controller::on(&cluster).await;
    let id = created(&controller, "/services", &json!({})).await;
    // Only half of it may be there.
    seed::service("half", 7001).create(&cluster).await;
    for path in [format!("/services/{id}"), format!("/services/{id}?deleteStorage=true"), "/services/half".to_owned()] {
        for _ in 0..2 {
            let answer = controller.delete(&path).await;
            assert_eq!(answer.body, json!({"success": true, "code": 0, "data": true}), "{path}");
            assert_eq!(answer.status, StatusCode::OK);
        }
    }
    assert!(stock::taken(&cluster).await.is_empty());
}

async fn a_deleted_instance_is_gone_and_a_second_deletion_is_404(cluster: Cluster) {
    let controller = Controller::on(&cluster).await;
    let id = created(&controller, "/pods", &json!({})).await;
    assert_eq!(controller.delete(&format!("/pods/{id}")).await.body["data"], true);
    assert!(stock::taken(&cluster).await.is_empty());
    let again = controller.delete("/pods/tides-gone").await;
    assert!(again.failure(404).contains(r#"pods "tides-gone" not found"#), "{:?}", again.body);
}

async fn deletes_beside_lists_cost_no_list(cluster: Cluster) {
    let names = (0..12).map(|n| format!("tides-{n:02}")).collect::<Vec<_>>();
    seed::create_all(&cluster, names.iter().map(|name| seed::pod(name).env("tides"))).await;
    let controller = Controller::with(&cluster, &REMEMBER).await;
    cluster.reset_calls();
    assert_eq!(controller.ids("/pods").await, names);
    for (n, name) in names.iter().enumerate() {
        assert_eq!(controller.delete(&format!("/pods/{name}")).await.status, StatusCode::OK);
        for path in ["/pods", "/pods?envName=tides", "/env-instance/*/list"] {
            assert_eq!(controller.ids(path).await, names[n + 1..], "{path}");
        }
        controller.get(&format!("/pods/{name}")).await.failure(404);
    }
    let calls = cluster.calls();
    assert_eq!((calls.of("delete", "pods"), calls.of("list", "pods")), (12, 1), "{calls:?}");
}

async fn an_instance_that_is_held_back_is_shown_until_it_is_gone(cluster: Cluster) {
    seed::pod("tides-held").env("tides").ttl("1ms").held().create(&cluster).await;
    let controller = Controller::with(&cluster, &REMEMBER).await;
    assert_eq!(controller.ids("/pods").await, ["tides-held"]);
    assert_eq!(controller.ids("/pods?filter=expired").await, ["tides-held"]);
    cluster.reset_calls();
    assert_eq!(controller.delete("/pods/tides-held").await.status, StatusCode::OK);
    assert_eq!(controller.ids("/pods").await, ["tides-held"]);
    assert!(controller.ids("/pods?filter=expired").await.is_empty(), "it is being deleted");
    assert_eq!(controller.get("/pods/tides-held").await.status, StatusCode::OK);
    let calls = cluster.calls();
    assert_eq!((calls.of("delete", "pods"), calls.total), (1, 1), "{calls:?}");
}

async fn swept_instances_are_gone_from_lists_at_once(cluster: Cluster) {
    for name in ["tides-1", "tides-2", "tides-3"] {
        seed::pod(name).env("tides").ttl(if name == "tides-2" { "1h" } else { "1ms" }).create(&cluster).await;
    }
    let controller = Controller::with(&cluster, &REMEMBER).await;
    assert_eq!(controller.ids("/pods").await, ["tides-1", "tides-2", "tides-3"]);
    let swept = controller.delete("/pods?filter=expired").await;
    assert_eq!(swept.body["data"]["removed"].as_array().map(Vec::len), Some(2), "{swept:?}");
    cluster.reset_calls();
    assert_eq!(controller.ids("/pods").await, ["tides-2"]);
    assert_eq!(cluster.calls().total, 0);
}

async fn storage_goes_only_if_it_is_asked_for(cluster: Cluster) {
    seed::claim("bystander").create(&cluster).await;
    let controller = Controller::on(&cluster).await;
    for (query, left) in [
        ("", vec!["persistentvolumeclaims/bystander", "persistentvolumeclaims/tides"]),
        ("?deleteStorage=false", vec!["persistentvolumeclaims/bystander", "persistentvolumeclaims/tides"]),
        ("?deleteStorage=true", vec!["persistentvolumeclaims/bystander"]),
    ] {
        let id = created(&controller, "/services", &json!({"storageSize": "2Gi"})).await;
        assert_eq!(controller.get(&format!("/services/{id}")).await.body["data"]["pvc_name"], "tides");
        assert_eq!(controller.delete(&format!("/services/{id}{query}")).await.status, StatusCode::OK);
        assert_eq!(stock::taken(&cluster).await.into_keys().collect::<Vec<_>>(), left, "{query}");
    }
}

async fn a_claim_that_exists_is_used_as_it_is(cluster: Cluster) {
    seed::claim("shared").create(&cluster).await;
    let before = stock::taken(&cluster).await;
    let controller = Controller::on(&cluster).await;
    for name in ["one", "two"] {
        let deploy =
            json!({"serviceName": name, "storageSize": "77Gi", "pvcName": "shared", "mountPath": "/var/tides"});
        created(&controller, "/services", &deploy).await;
    }
    let after = stock::taken(&cluster).await;
    assert_eq!(after["persistentvolumeclaims/shared"], before["persistentvolumeclaims/shared"]);
    for name in ["one", "two"] {
        let pod = &after[&format!("deployments/{name}")]["spec"]["template"]["spec"];
        assert_eq!(pod["volumes"][0]["persistentVolumeClaim"]["claimName"], "shared");
        assert_eq!(pod["containers"][0]["volumeMounts"][0]["mountPath"], "/var/tides");
    }
}

async fn a_claim_that_is_being_deleted_is_not_built_upon(cluster: Cluster) {
    seed::claim("going").terminating().create(&cluster).await;
    let before = stock::taken(&cluster).await;
    let controller = Controller::on(&cluster).await;
    let deploy = json!({"serviceName": "late", "storageSize": "1Gi", "pvcName": "going"});
    let answer = controller.post("/services", &environment(&deploy)).await;
    let message = answer.failure(409);
    assert_eq!(message, "failed to ensure PVC failed: err is persistentvolumeclaims \"going\" is being deleted");
    assert_eq!(stock::taken(&cluster).await, before);
}

async fn after_a_write_to_services_every_read_shows_it(cluster: Cluster) {
    seed::deployment("lagoon").env("lagoon").create(&cluster).await;
    let controller = Controller::with(&cluster, &REMEMBER).await;
    let lists = ["/services", "/services?envName=tides", "/env-service/*/list", "/env-service/tides@3.4/list"];
    let row = async |path: &str, id: &str| controller.rows(path).await.into_iter().find(|row| row["id"] == id);
    for path in lists {
        assert_eq!(row(path, "tides-live").await, None, "{path}");
    }
    created(&controller, "/services", &json!({"serviceName": "tides-live", "replicas": 2})).await;
    for path in lists {
        assert_eq!(row(path, "tides-live").await.unwrap()["replicas"], 2, "{path}");
    }
    for (replicas, path) in [(3, "/services/tides-live"), (5, "/env-service/tides-live")] {
        assert_eq!(controller.get(path).await.status, StatusCode::OK);
        let answer = controller.put(path, &json!({"replicas": replicas})).await;
        assert_eq!(answer.body["data"]["replicas"], replicas, "{:?}", answer.body);
        for one in ["/services/tides-live", "/env-service/tides-live"] {
            assert_eq!(controller.get(one).await.body["data"]["replicas"], replicas, "{one}");
        }
        for path in lists {
            assert_eq!(row(path, "tides-live").await.unwrap()["replicas"], replicas, "{path}");
        }
    }
    assert_eq!(controller.delete("/services/tides-live").await.status, StatusCode::OK);
    for one in ["/services/tides-live", "/env-service/tides-live"] {
        controller.get(one).await.failure(404);
    }
    for path in lists {
        assert_eq!(row(path, "tides-live").await, None, "{path}");
    }
    // What was not written is still remembered.
    cluster.reset_calls();
    assert_eq!(controller.ids("/services").await, ["lagoon"]);
    assert_eq!(cluster.calls().total, 0);
}

async fn after_a_write_to_instances_every_read_shows_it(cluster: Cluster) {
    let controller = Controller::with(&cluster, &REMEMBER).await;
    let lists =
        ["/pods", "/pods?envName=tides", "/pods?owner=mira", "/env-instance/*/list", "/env-instance/tides@3.4/list"];
    for path in lists {
        assert!(controller.ids(path).await.is_empty(), "{path}");
    }
    let id = created(&controller, "/pods", &json!({"owner": "mira", "ttl": "1ms"})).await;
    for path in lists {
        assert_eq!(controller.ids(path).await, [&*id], "{path}");
    }
    assert_eq!(controller.ids("/pods?filter=expired").await, [&*id]);
    assert_eq!(controller.get(&format!("/pods/{id}")).await.body["data"]["ttl"], "1ms");
    assert_eq!(controller.delete(&format!("/env-instance/{id}")).await.status, StatusCode::OK);
    for path in lists {
        // A pod that nobody runs may still be on its way out.
        let rows = controller.rows(path).await;
        assert!(rows.iter().all(|row| row["status"] == "Terminating"), "{path}: {rows:?}");
    }
    assert!(controller.ids("/pods?filter=expired").await.is_empty());
}

async fn an_instance_has_the_labels_and_arguments_that_it_was_given(cluster: Cluster) {
    let controller = Controller::on(&cluster).await;
    let deploy = json!({
        "labels": {"team": "coast", "example.com/tier": "", "stage": null},
        "arguments": ["--depth", "", "7"],
        "podTemplate": "dualContainer",
        "secondImageName": "registry.example.com/aenv/chart:1",
        "environment_variables": {"AENV_TYPE": "mine", "LEVEL": "9"}
    });
    let id = created(&controller, "/pods", &deploy).await;
    let pod = &stock::taken(&cluster).await[&format!("pods/{id}")];
    let labels = &pod["metadata"]["labels"];
    assert_eq!(
        (&labels["team"], &labels["example.com/tier"], labels.get("stage")),
        (&json!("coast"), &json!(""), None)
    );
    assert_eq!(labels["business/aenv-name"], "tides");
    let containers = pod["spec"]["containers"].as_array().unwrap();
    assert_eq!(containers.len(), 2);
    for container in containers {
        let args = container["args"].as_array().unwrap();
        assert!(args.ends_with(&[json!("--depth"), json!(""), json!("7")]), "{container}");
        let of = |name: &str| {
            let variables = container["env"].as_array().unwrap().iter().filter(|variable| variable["name"] == name);
            variables.map(|variable| variable["value"].as_str().unwrap().to_owned()).collect::<Vec<_>>()
        };
        assert_eq!((of("AENV_TYPE"), of("LEVEL")), (vec!["mine".into()], vec!["9".into()]), "replaced, not doubled");
    }
    assert_eq!(containers[0]["image"], "registry.example.com/aenv/tides:3.4");
    assert_eq!(containers[1]["image"], "registry.example.com/aenv/chart:1");
}

async fn reserved_labels_are_kept_in_an_annotation(cluster: Cluster) {
    let controller = Controller::on(&cluster).await;
    for key in [
        "business/aenv-anything",
        "app.kubernetes.io/name",
        "node.k8s.io/role",
        "kubernetes.io/hostname",
        "template-type",
        // The key by which Services find their pods.
        "app",
    ] {
        let answer = controller.post("/pods", &environment(&json!({"labels": {key: "x"}}))).await;
        assert_eq!(answer.status, StatusCode::CREATED, "{key}: {:?}", answer.body);
        assert!(answer.header("warning").contains("is kept in an annotation"), "{key}: {:?}", answer.headers);
        assert_eq!(answer.body["data"]["labels"], json!({key: "x"}));
        let id = answer.body["data"]["id"].as_str().unwrap();
        let pod = stock::taken(&cluster).await.remove(&format!("pods/{id}")).unwrap();
        assert_ne!(pod["metadata"]["labels"][key], "x", "{key}");
    }
}

async fn names_are_made_up_and_differ(cluster: Cluster) {
    let controller = Controller::on(&cluster).await;
    for (path, prefix) in [("/services", "tides-svc-"), ("/pods", "tides-")] {
        let (one, two) = (created(&controller, path, &json!({})).await, created(&controller, path, &json!({})).await);
        assert_ne!(one, two);
        for id in [one, two] {
            let end = id.strip_prefix(prefix).unwrap_or_else(|| panic!("{id}"));
            assert!(end.len() == 6 && end.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit()), "{id}");
        }
    }
}

async fn a_changed_template_is_used_and_a_broken_one_is_not(cluster: Cluster) {
    let folder = tempfile::tempdir().unwrap();
    write_template(folder.path(), "first");
    let dir = folder.path().to_str().unwrap();
    let controller = Controller::with(&cluster, &[("templates.dir", dir)]).await;
    assert_eq!(mark_of_a_new_pod(&cluster, &controller).await, "first");
    write_template(folder.path(), "second");
    comes(async || mark_of_a_new_pod(&cluster, &controller).await == "second").await;
    assert_eq!(controller.metric("aenv_controller_template_reload_failures_total").await, 0.0);

    fs::write(folder.path().join("singleContainer.yaml"), "kind: Pod\nspec: {containers: 7}\n").unwrap();
    comes(async || {
        assert_eq!(mark_of_a_new_pod(&cluster, &controller).await, "second", "the last good one");
        controller.metric("aenv_controller_template_reload_failures_total").await == 1.0
    })
    .await;
    assert_eq!(controller.health("/readyz").await.0, StatusCode::OK);
    write_template(folder.path(), "third");
    comes(async || mark_of_a_new_pod(&cluster, &controller).await == "third").await;
    // A template of another name is there as soon as it is.
    fs::copy(folder.path().join("singleContainer.yaml"), folder.path().join("deep-sea.yaml")).unwrap();
    let body = environment(&json!({"podTemplate": "deep-sea"}));
    comes(async || controller.post("/pods", &body).await.status == StatusCode::CREATED).await;
}

/// The pod template, whole at every moment.
fn write_template(dir: &Path, mark: &str) {
    let text = format!(
        "kind: Pod\nmetadata: {{annotations: {{example.com/mark: {mark}}}}}\nspec:\n  restartPolicy: Never\n  \
         containers: [{{name: main, image: placeholder}}]\n"
    );
    fs::write(dir.join("new"), text).unwrap();
    fs::rename(dir.join("new"), dir.join("singleContainer.yaml")).unwrap();
}

async fn mark_of_a_new_pod(cluster: &Cluster, controller: &Controller) -> String {
    let id = created(controller, "/pods", &json!({})).await;
    let pod = &stock::taken(cluster).await[&format!("pods/{id}")];
    pod["metadata"]["annotations"]["example.com/mark"].as_str().unwrap().to_owned()
}

async fn comes(mut holds: impl AsyncFnMut() -> bool) {
    let holds = async {
        while !holds().await {
            sleep(Duration::from_millis(100)).await;
        }
    };
    timeout(PATIENCE, holds).await.unwrap();
}

/// Holds the answers of these calls back, once, after they have been carried out.
fn hold(server: &ApiServer, verb: &str, resource: &str) {
    let held = Rule {
        verb: Some(verb.into()),
        resource: Some(resource.into()),
        times: Some(1),
        after: true,
        hang: true,
        ..Rule::default()
    };
    server.set_faults(Faults { rules: vec![held], ..Faults::default() });
}

/// A read that began before a write, and whose answer is on its way until `set_faults`.
async fn begun(
    server: &ApiServer,
    controller: &Controller,
    path: &str,
) -> tokio::task::JoinHandle<crate::support::controller::Answer> {
    let read = tokio::spawn(send(controller.request(Method::GET, path)));
    comes(async || server.faults().rules[0].times == Some(0)).await;
    read
}

#[tokio::test]
async fn a_list_that_began_before_a_write_does_not_bring_the_old_state_back() {
    write_beside_a_list(false).await;
}

#[tokio::test]
async fn a_list_that_began_before_a_write_and_lands_while_another_waits_does_not_either() {
    write_beside_a_list(true).await;
}

/// Writes while the answer to a list is held, and then lists: until the held answer is given up, or has `landed`.
async fn write_beside_a_list(landed: bool) {
    for (verb, write) in [("post", "create"), ("put", "update"), ("delete", "delete")] {
        let (server, cluster) = sandboxed::start().await;
        seed::deployment("tides-live").env("tides").replicas(1).create(&cluster).await;
        seed::service("tides-live", 7443).create(&cluster).await;
        let controller = Controller::with(&cluster, &[REMEMBER[0], REMEMBER[1], HASTY]).await;
        hold(&server, "list", "deployments");
        let early = begun(&server, &controller, "/services").await;
        let answer = match verb {
            "post" => controller.post("/services", &environment(&json!({"serviceName": "tides-two"}))).await,
            "put" => controller.put("/services/tides-live", &json!({"replicas": 4})).await,
            _ => controller.delete("/services/tides-live").await,
        };
        assert!(answer.status.is_success(), "{write}: {:?}", answer.body);
        let replicas = |rows: &Value| -> BTreeMap<String, u64> {
            let rows = rows.as_array().unwrap().iter();
            rows.map(|row| (row["id"].as_str().unwrap().to_owned(), row["replicas"].as_u64().unwrap())).collect()
        };
        let state = async || {
            let answer = timeout(PATIENCE, controller.get("/services")).await;
            replicas(&answer.expect("it waits for none that began before").body["data"])
        };
        let before = BTreeMap::from([("tides-live".to_owned(), 1)]);
        let expected = match verb {
            "post" => BTreeMap::from([("tides-live".to_owned(), 1), ("tides-two".to_owned(), 1)]),
            "put" => BTreeMap::from([("tides-live".to_owned(), 4)]),
            _ => BTreeMap::new(),
        };
        assert!(!early.is_finished(), "{write}");
        let release = async {
            if landed {
                sleep(Duration::from_millis(100)).await;
                server.set_faults(Faults::default());
            }
        };
        let (later, ()) = tokio::join!(state(), release);
        assert_eq!(later, expected, "{write}, with a list under way");
        server.set_faults(Faults::default());
        let seen = replicas(&early.await.unwrap().body["data"]);
        assert!(seen == before || seen == expected, "{write}: it asked before, and sees either state: {seen:?}");
        assert_eq!(state().await, expected, "{write}, with that list landed");
    }
}

#[tokio::test]
async fn reads_that_began_before_a_write_do_not_restore_the_old_state() {
    let (server, cluster) = sandboxed::start().await;
    seed::deployment("tides-live").env("tides").replicas(1).create(&cluster).await;
    seed::service("tides-live", 7443).create(&cluster).await;
    seed::pod("tides-p").env("tides").create(&cluster).await;
    let controller = Controller::with(&cluster, &REMEMBER).await;
    hold(&server, "get", "deployments");
    let early = begun(&server, &controller, "/services/tides-live").await;
    assert_eq!(controller.put("/services/tides-live", &json!({"replicas": 4})).await.status, StatusCode::OK);
    let replicas = async || controller.get("/services/tides-live").await.body["data"]["replicas"].clone();
    assert_eq!(replicas().await, 4);
    server.set_faults(Faults::default());
    assert_eq!(early.await.unwrap().body["data"]["replicas"], 1, "it asked before");
    assert_eq!(replicas().await, 4);

    hold(&server, "get", "pods");
    let early = begun(&server, &controller, "/pods/tides-p").await;
    assert_eq!(controller.delete("/pods/tides-p").await.status, StatusCode::OK);
    controller.get("/pods/tides-p").await.failure(404);
    server.set_faults(Faults::default());
    assert_eq!(early.await.unwrap().status, StatusCode::OK);
    controller.get("/pods/tides-p").await.failure(404);
}

#[tokio::test]
async fn a_write_that_our_own_limit_refuses_forgets_nothing() {
    let (_server, cluster) = sandboxed::start().await;
    seed::pod("tides-a1b2c3").create(&cluster).await;
    let keys = [("throttle.qps", "0.01"), ("throttle.burst", "1"), ("throttle.max_wait_ms", "0")];
    let controller = Controller::with(&cluster, &[&REMEMBER[..], &keys].concat()).await;
    controller.rows("/pods").await;
    cluster.reset_calls();
    for path in ["/pods/tides-a1b2c3", "/services/tides-live"] {
        controller.delete(path).await.failure(503);
    }
    assert_eq!(controller.ids("/pods").await, ["tides-a1b2c3"]);
    assert_eq!(cluster.calls().total, 0);
}

#[tokio::test]
async fn a_write_that_failed_is_read_anew_too() {
    let (server, cluster) = sandboxed::start().await;
    seed::deployment("tides-live").env("tides").replicas(1).create(&cluster).await;
    seed::service("tides-live", 7443).create(&cluster).await;
    let keys = [&REMEMBER[..], &[("retry.max_attempts", "1")]].concat();
    let controller = Controller::with(&cluster, &keys).await;
    assert_eq!(controller.rows("/services").await[0]["replicas"], 1);
    // Stored, but nobody is told.
    let update = Rule { verb: Some("update".into()), cut: true, after: true, times: Some(1), ..Rule::default() };
    server.set_faults(Faults { rules: vec![update], ..Faults::default() });
    controller.put("/services/tides-live", &json!({"replicas": 4})).await.failure(502);
    assert_eq!(controller.rows("/services").await[0]["replicas"], 4);
    // The Deployment is gone, the Service is not.
    let delete =
        Rule { verb: Some("delete".into()), resource: Some("services".into()), status: Some(403), ..Rule::default() };
    server.set_faults(Faults { rules: vec![delete], ..Faults::default() });
    controller.delete("/services/tides-live").await.failure(502);
    assert!(controller.rows("/services").await.is_empty());
}
