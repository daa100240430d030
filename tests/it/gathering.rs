//! Many callers who each ask for an object of their own: a few single reads, and then one list for all of them. Calls are
//! counted, not timed. The seeds that this needs are the sandbox's own.

use crate::support::controller::{Answer, Controller, send};
use crate::support::{Cluster, sandboxed};
use aenv_controller::sandbox::ApiServer;
use serde_json::json;
use tokio::task::JoinSet;

/// Names that are read one by one before the size of a namespace is asked for, with a list of one object.
const SCOUTS: u64 = 31;

async fn started(services: usize, pods: usize) -> (ApiServer, Cluster, Controller) {
    let (server, cluster) = sandboxed::start_seeded(services, pods).await;
    // Long enough for the slowest machine: names are counted within this time.
    let controller = Controller::with(&cluster, &[("memo.list_ttl_ms", "600000")]).await;
    (server, cluster, controller)
}

/// The names of all rows, asked of another replica.
async fn names(cluster: &Cluster, path: &str) -> Vec<String> {
    let names = Controller::on(cluster).await.ids(path).await;
    cluster.reset_calls();
    names
}

/// Asks for each of these at once.
async fn get_all(controller: &Controller, path: &str, names: &[String]) -> Vec<Answer> {
    let ask = controller.asker();
    let reads = names.iter().map(|name| send(ask(&format!("{path}/{name}"))));
    reads.collect::<JoinSet<_>>().join_all().await
}

#[tokio::test(flavor = "multi_thread")]
async fn pollers_share_lists_while_others_create_and_list() {
    let (_server, cluster, controller) = started(0, 300).await;
    let names = names(&cluster, "/pods").await;
    let artifacts = json!([{"type": "image", "content": "registry.example.com/weather:1"}]);
    let weather = json!({"name": "weather", "version": "1", "artifacts": artifacts});
    let rounds = 4;
    for round in 1..=rounds {
        for answer in get_all(&controller, "/pods", &names).await {
            assert_eq!(answer.status, 200, "{answer:?}");
        }
        let made = controller.post("/pods", &weather).await;
        assert_eq!(made.status, 201, "{made:?}");
        let id = made.body["data"]["id"].as_str().unwrap().to_owned();
        assert!(controller.ids("/pods").await.contains(&id), "a new instance is in the next list");
        assert_eq!(controller.get(&format!("/pods/{id}")).await.status, 200);
        assert_eq!(cluster.calls().of("create", "pods"), round);
    }
    let calls = cluster.calls();
    assert!(calls.of("get", "pods") <= SCOUTS, "{calls:?}");
    assert_eq!(calls.of("list", "pods"), 2, "the size, and the list: {calls:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_few_pollers_in_a_large_namespace_are_single_reads() {
    let (_server, cluster, controller) = started(0, 3000).await;
    let names = names(&cluster, "/pods").await;
    for _ in 0..3 {
        assert!(get_all(&controller, "/pods", &names[..30]).await.iter().all(|answer| answer.status == 200));
    }
    let calls = cluster.calls();
    assert_eq!(calls.of("list", "pods"), 0, "{calls:?}");
    assert!((30..=90).contains(&calls.of("get", "pods")), "{calls:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn gathered_reads_of_missing_names_are_the_api_servers_404() {
    let (_server, cluster, controller) = started(0, 300).await;
    let none = (0..500).map(|n| format!("none-{n}")).collect::<Vec<_>>();
    for answer in get_all(&controller, "/pods", &none).await {
        let message = answer.failure(404);
        assert!(message.starts_with(r#"failed to get pod failed: err is pods "none-"#), "{message}");
        assert!(message.ends_with(r#"" not found"#), "{message}");
    }
    let calls = cluster.calls();
    // Those that come when a list is at hand, but a second old, are counted from the beginning.
    assert!(calls.of("get", "pods") <= 2 * SCOUTS && calls.of("list", "pods") <= 10, "{calls:?}");
    assert_eq!(controller.ids("/pods").await.len(), 300);
}

#[tokio::test(flavor = "multi_thread")]
async fn services_are_gathered_into_two_lists() {
    let (_server, cluster, controller) = started(200, 0).await;
    let names = names(&cluster, "/services").await;
    for answer in get_all(&controller, "/services", &names).await {
        assert_eq!(answer.status, 200, "{answer:?}");
    }
    let calls = cluster.calls();
    for resource in ["deployments", "services"] {
        assert!(calls.of("get", resource) <= SCOUTS, "{calls:?}");
        assert_eq!(calls.of("list", resource), 2, "the size, and the list: {calls:?}");
    }
}
