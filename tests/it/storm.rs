//! A real API server in trouble: stormed by a neighbour, frozen, killed and started again.

use crate::support::controller::{Answer, Controller, send};
use crate::support::crowd::crowd;
use crate::support::live::ApiServer;
use crate::support::replica::until;
use crate::support::{Cluster, connect, on_an_api_server, seed};
use kube::Client;
use reqwest::Method;
use serde_json::{Value, json};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;
use tokio::task::JoinSet;
use tokio::time::sleep;

on_an_api_server! {
    known_lists_survive_a_storm_in_the_same_priority_level,
    a_frozen_api_server_is_asked_little_and_whoever_can_be_answered_is,
    a_killed_api_server_that_comes_back_costs_no_list_that_was_known,
    every_call_says_how_long_it_may_take,
}

/// Lists that have answers of their own.
const LISTS: [&str; 4] = ["/services", "/pods", "/env-service/weather/list", "/env-instance/weather/list"];

/// Hardly anything is fresh, and what is known outlives every test.
const KEYS: [(&str, &str); 3] =
    [("memo.list_ttl_ms", "100"), ("memo.patience_ms", "1000"), ("memo.max_stale_ms", "3600000")];

/// With an account of few rights: those who may do anything are exempt from API Priority and Fairness.
async fn guest(server: &ApiServer) -> Cluster {
    let reading =
        |group: &str, resources: Value| json!({"apiGroups": [group], "resources": resources, "verbs": ["get", "list"]});
    let rights = json!([reading("", json!(["pods", "services"])), reading("apps", json!(["deployments"]))]);
    server.cluster_with_rights(rights).await
}

/// Waits until each list is answered, and not by an old answer.
async fn renew(controller: &Controller) {
    for path in LISTS {
        until(path, async || {
            let answer = controller.get(path).await;
            answer.status == 200 && !answer.is_old()
        })
        .await;
    }
}

/// Answers to callers of [`LISTS`] who ask for `time`. Each of them must get its list.
fn callers(controller: &Controller, time: Duration) -> impl Future<Output = Vec<Answer>> + use<> {
    let ask = controller.asker();
    async move {
        let told = crowd(8, time, move |caller, _| ask(LISTS[caller % LISTS.len()])).await;
        for answer in &told {
            assert_eq!(answer.status, 200, "{answer:?}");
            assert_eq!(answer.body["data"].as_array().unwrap().len(), 6, "{answer:?}");
        }
        told
    }
}

/// Gives the calls that concern these namespaces as few seats as can be, and no queue.
async fn narrow(admin: &Client, namespaces: [&str; 2]) {
    let group = http::Request::get("/apis/flowcontrol.apiserver.k8s.io").body(Vec::new()).unwrap();
    let group = admin.request::<Value>(group).await.unwrap();
    let version = group["preferredVersion"]["groupVersion"].as_str().unwrap();
    let create = async |plural: &str, kind: &str, spec: Value| {
        let object = json!({"apiVersion": version, "kind": kind, "metadata": {"name": "narrow"}, "spec": spec});
        let request =
            http::Request::post(format!("/apis/{version}/{plural}")).header("content-type", "application/json");
        admin.request::<Value>(request.body(object.to_string().into_bytes()).unwrap()).await.unwrap();
    };
    // Kubernetes 1.26 renamed the field.
    let is_old = version.ends_with("/v1beta1") || version.ends_with("/v1beta2");
    let shares = if is_old { "assuredConcurrencyShares" } else { "nominalConcurrencyShares" };
    let limited = json!({shares: 1, "limitResponse": {"type": "Reject"}});
    let spec = json!({"type": "Limited", "limited": limited});
    create("prioritylevelconfigurations", "PriorityLevelConfiguration", spec).await;
    let rule = json!({
        "subjects": [{"kind": "Group", "group": {"name": "system:authenticated"}}],
        "resourceRules": [{"verbs": ["*"], "apiGroups": ["*"], "resources": ["*"], "namespaces": namespaces}],
    });
    let spec = json!({"priorityLevelConfiguration": {"name": "narrow"}, "matchingPrecedence": 100, "rules": [rule]});
    create("flowschemas", "FlowSchema", spec).await;
}

/// Sixty clients that list the pods of a namespace as often as they can, until dropped.
struct Storm {
    rejected: Arc<AtomicU64>,
    _clients: JoinSet<()>,
}

impl Storm {
    async fn on(cluster: &Cluster) -> Self {
        let (client, rejected) = (connect(cluster.kubeconfig_path()).await, Arc::new(AtomicU64::new(0)));
        let path = format!("/api/v1/namespaces/{}/pods", cluster.namespace());
        let clients = (0..60).map(|_| {
            let (client, rejected, path) = (client.clone(), Arc::clone(&rejected), path.clone());
            async move {
                loop {
                    let list = http::Request::get(&path).body(Vec::new()).unwrap();
                    if client.request_text(list).await.is_err() {
                        rejected.fetch_add(1, Ordering::Relaxed);
                        sleep(Duration::from_millis(20)).await;
                    }
                }
            }
        });
        Self { _clients: clients.collect(), rejected }
    }

    fn rejected(&self) -> u64 {
        self.rejected.load(Ordering::Relaxed)
    }
}

/// Number of times that the API server has told this controller's account that it asks too much.
fn rejected(cluster: &Cluster) -> u64 {
    cluster.calls().by.iter().filter(|call| call.code == 429).map(|call| call.count).sum()
}

async fn known_lists_survive_a_storm_in_the_same_priority_level() {
    let server = ApiServer::own().await;
    let (ours, theirs) = (guest(&server).await, guest(&server).await);
    seed::weather(&ours).await;
    seed::create_all(&theirs, (0..300).map(|n| seed::pod(format!("neighbour-{n}")))).await;
    narrow(&server.admin().await, [ours.namespace(), theirs.namespace()]).await;
    let controller = Controller::with(&ours, &KEYS).await;
    renew(&controller).await;

    let storm = Storm::on(&theirs).await;
    until("the storm fills the priority level", async || storm.rejected() > 100).await;
    let (_, told) = tokio::join!(
        until("we are rejected, too", async || {
            sleep(Duration::from_millis(100)).await;
            rejected(&ours) > 0
        }),
        callers(&controller, Duration::from_secs(8))
    );
    assert!(told.iter().any(Answer::is_old), "{} answers", told.len());
    let calls = ours.calls().total;
    assert!(told.len() as u64 > calls, "{} answers out of {calls} calls", told.len());

    drop(storm);
    renew(&controller).await;
}

async fn a_frozen_api_server_is_asked_little_and_whoever_can_be_answered_is() {
    let mut server = ApiServer::own().await;
    let cluster = guest(&server).await;
    seed::weather(&cluster).await;
    let controller = Controller::with(&cluster, &[&KEYS[..], &[("server.request_deadline_ms", "5000")]].concat()).await;
    let known = controller.get("/services").await;
    assert_eq!(known.status, 200);
    sleep(Duration::from_millis(150)).await;
    let before = controller.metric("aenv_controller_throttle_admitted_total").await;

    server.freeze().await;
    let impatient = (0..100).map(|n| {
        let patience = Duration::from_millis(50 + 10 * n);
        controller.request(Method::GET, "/pods").timeout(patience).send()
    });
    for gone in impatient.collect::<JoinSet<_>>().join_all().await {
        assert!(gone.unwrap_err().is_timeout());
    }
    let answer = controller.get("/services").await;
    assert!(answer.status == 200 && answer.is_old(), "{answer:?}");
    assert_eq!(answer.body, known.body);
    let spent = controller.metric("aenv_controller_throttle_admitted_total").await - before;
    assert!(spent <= 4.0, "one list of pods and the two of the services, and one more at most: {spent}");
    let unknown = controller.get("/pods/nobody").await;
    assert!([503, 504].contains(&unknown.status.as_u16()), "{unknown:?}");
    assert!(unknown.headers.contains_key("retry-after"), "{unknown:?}");

    server.thaw();
    renew(&controller).await;
}

async fn a_killed_api_server_that_comes_back_costs_no_list_that_was_known() {
    let mut server = ApiServer::own().await;
    let cluster = guest(&server).await;
    seed::weather(&cluster).await;
    let controller = Controller::with(&cluster, &KEYS).await;
    renew(&controller).await;
    sleep(Duration::from_millis(150)).await;

    server.kill();
    let told = callers(&controller, Duration::from_secs(2)).await;
    assert!(told.iter().all(Answer::is_old));
    let unknown = controller.request(Method::GET, "/pods/nobody").header("cache-control", "no-cache");
    assert!(send(unknown).await.failure(502).starts_with("failed to get pod failed: "));

    // From its very first moment on, when it listens but is not ready.
    tokio::join!(server.restart(), callers(&controller, Duration::from_secs(8)));
    renew(&controller).await;
    controller.get("/pods/nobody").await.failure(404);
}

async fn every_call_says_how_long_it_may_take() {
    let server = ApiServer::shared().await;
    let cluster = server.cluster().await;
    let controller = Controller::with(&cluster, &[("server.request_deadline_ms", "7000")]).await;
    for path in ["/services", "/pods", "/pods/nobody", "/services/nobody"] {
        controller.get(path).await;
    }
    controller.delete("/pods/nobody").await;
    let asked = server.asked(cluster.namespace());
    assert_eq!(asked.len() as u64, cluster.calls().total);
    for uri in asked {
        let timeout = uri.split(['?', '&']).find_map(|part| part.strip_prefix("timeout=")?.strip_suffix("ms"));
        let timeout: u64 = timeout.unwrap_or_else(|| panic!("{uri}")).parse().unwrap();
        assert!((1..=4 * 7000).contains(&timeout), "four times what is left, for the queue takes a quarter: {uri}");
    }
}
