//! All or nothing, and never two: creates that fail, that nobody waits for any more, or whose outcome is unknown.
//!
//! These need faults on demand and run on the sandbox alone. Afterwards the namespace is compared object by object;
//! the controller is ended first, which waits for what it still has to undo.

mod claims;
mod completion;
mod overload;

use crate::support::controller::{Answer, Controller, send};
use crate::support::{Cluster, on_every_cluster, sandboxed, seed, stock};
use aenv_controller::sandbox::{ApiServer, Faults, Rule};
use reqwest::Method;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::time::Duration;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};

/// Bounds every wait.
const PATIENCE: Duration = Duration::from_secs(30);

/// Keys that make retries quick enough for a test.
const QUICK: [(&str, &str); 2] = [("retry.initial_ms", "5"), ("retry.max_ms", "10")];

/// Something to create, and the creates that this takes, in their order.
#[derive(Clone, Copy, Debug)]
struct Wanted {
    path: &'static str,
    steps: &'static [&'static str],
}

const SERVICE: Wanted = Wanted { path: "/services", steps: &["persistentvolumeclaims", "deployments", "services"] };
const POD: Wanted = Wanted { path: "/pods", steps: &["pods"] };

impl Wanted {
    /// A body that asks for all steps.
    fn body(self) -> Value {
        let deploy = match self.path {
            "/services" => json!({
                "serviceName": "tides-live", "storageSize": "3Gi", "pvcName": "tides-data", "port": 7443,
                "environment_variables": {"LEVEL": "9"}
            }),
            _ => json!({"ttl": "45m", "owner": "mira"}),
        };
        json!({
            "name": "tides", "version": "3.4",
            "artifacts": [{"type": "image", "content": "registry.example.com/aenv/tides:3.4"}],
            "deployConfig": deploy
        })
    }

    /// Number of calls before the create of this step.
    fn calls_before(self, step: &str) -> u64 {
        let creates = self.steps.iter().position(|known| *known == step).unwrap() as u64;
        // The claim is looked for before it is made.
        creates + u64::from(self.path == "/services")
    }
}

/// Each step of both.
fn steps() -> impl Iterator<Item = (Wanted, &'static str)> {
    [SERVICE, POD].into_iter().flat_map(|wanted| wanted.steps.iter().map(move |step| (wanted, *step)))
}

/// A namespace with something in it, and a controller that retries quickly.
struct Scene {
    server: ApiServer,
    cluster: Cluster,
    controller: Controller,
    before: BTreeMap<String, Value>,
}

impl Scene {
    async fn set(keys: &[(&str, &str)]) -> Self {
        let (server, cluster) = sandboxed::start().await;
        seed::claim("lagoon-data").create(&cluster).await;
        seed::deployment("lagoon").env("lagoon").pvc("lagoon-data").create(&cluster).await;
        seed::service("lagoon", 7001).env("lagoon").create(&cluster).await;
        seed::pod("lagoon-a1b2c3").env("lagoon").create(&cluster).await;
        let keys = [&QUICK, keys].concat();
        let controller = Controller::with(&cluster, &keys).await;
        let before = stock::taken(&cluster).await;
        server.reset_calls();
        Self { server, cluster, controller, before }
    }

    fn rules(&self, rules: impl IntoIterator<Item = Rule>) {
        self.server.set_faults(Faults { rules: rules.into_iter().collect(), ..Faults::default() });
    }

    /// Waits until the call after the first `count` has arrived, and no answer to it.
    async fn holds_the_call_after(&self, count: u64) {
        let holds = async {
            loop {
                let calls = self.server.calls();
                if (calls.total, calls.in_flight) == (count, 1) {
                    break;
                }
                sleep(Duration::from_millis(5)).await;
            }
        };
        timeout(PATIENCE, holds).await.unwrap_or_else(|_| panic!("{:?}", self.server.calls()));
    }

    /// Ends the controller, then the namespace is what it was, to the last field.
    async fn ends_as_before(self, what: &str) {
        self.controller.stop().await;
        let after = stock::taken(&self.cluster).await;
        assert!(after == self.before, "{what}: {:?} instead of {:?}", after.keys(), self.before.keys());
    }
}

fn create(resource: &str) -> Rule {
    Rule { verb: Some("create".into()), resource: Some(resource.into()), ..Rule::default() }
}

/// Faults that a create can meet, the status that each leads to, and the number of attempts.
fn troubles(resource: &str) -> Vec<(&'static str, Rule, u16, &'static str)> {
    let rule = || create(resource);
    vec![
        ("forbidden", Rule { status: Some(403), ..rule() }, 502, "3"),
        ("refused as invalid", Rule { status: Some(422), ..rule() }, 422, "3"),
        ("throttled to the end", Rule { status: Some(429), retry_after_s: Some(0), ..rule() }, 503, "3"),
        ("500 to the end", Rule { status: Some(500), ..rule() }, 502, "3"),
        ("503 to the end", Rule { status: Some(503), ..rule() }, 503, "2"),
        ("stored, and 500", Rule { status: Some(500), after: true, ..rule() }, 502, "1"),
        ("stored, and 504", Rule { status: Some(504), after: true, ..rule() }, 504, "1"),
        ("cut before it is stored", Rule { cut: true, ..rule() }, 502, "3"),
        ("cut when it is stored", Rule { cut: true, after: true, ..rule() }, 502, "1"),
        ("silence before it is stored", Rule { hang: true, ..rule() }, 504, "2"),
        ("silence when it is stored", Rule { hang: true, after: true, ..rule() }, 504, "1"),
    ]
}

/// Each of the troubles at one step, each in a cluster of its own.
async fn fails_without_a_trace(wanted: Wanted, step: &'static str) {
    let mut under_way = JoinSet::new();
    for (trouble, rule, status, attempts) in troubles(step) {
        under_way.spawn(async move {
            let keys = [("retry.max_attempts", attempts), ("kubernetes.read_timeout_ms", "400")];
            let scene = Scene::set(&keys).await;
            scene.rules([rule]);
            let answer = scene.controller.post(wanted.path, &wanted.body()).await;
            assert_eq!(answer.status, status, "{step}, {trouble}: {:?}", answer.body);
            answer.failure(status);
            scene.ends_as_before(&format!("{step}, {trouble}")).await;
        });
    }
    under_way.join_all().await;
}

#[tokio::test]
async fn a_claim_that_is_not_made_leaves_nothing_behind() {
    fails_without_a_trace(SERVICE, "persistentvolumeclaims").await;
}

#[tokio::test]
async fn a_deployment_that_is_not_made_leaves_nothing_behind() {
    fails_without_a_trace(SERVICE, "deployments").await;
}

#[tokio::test]
async fn a_service_that_is_not_made_leaves_nothing_behind() {
    fails_without_a_trace(SERVICE, "services").await;
}

#[tokio::test]
async fn a_pod_that_is_not_made_leaves_nothing_behind() {
    fails_without_a_trace(POD, "pods").await;
}

#[tokio::test]
async fn a_claim_that_cannot_be_looked_for_is_not_made() {
    let scene = Scene::set(&[("retry.max_attempts", "2")]).await;
    let look = Rule { verb: Some("get".into()), resource: Some("persistentvolumeclaims".into()), ..Rule::default() };
    for (rule, status) in [(Rule { status: Some(403), ..look.clone() }, 502), (Rule { cut: true, ..look }, 502)] {
        scene.rules([rule]);
        scene.controller.post(SERVICE.path, &SERVICE.body()).await.failure(status);
        assert_eq!(scene.cluster.calls().of("create", "persistentvolumeclaims"), 0);
    }
    scene.ends_as_before("the look fails").await;
}

#[tokio::test]
async fn rollback_removes_nothing_that_was_there_before() {
    // A claim of that name, and of another size; found by the look, or only by the create.
    for hidden in [None, Some(404)] {
        for (step, rule) in [
            ("deployments", Rule { status: Some(422), ..create("deployments") }),
            ("services", Rule { cut: true, after: true, ..create("services") }),
        ] {
            let scene = Scene::set(&[("retry.max_attempts", "1")]).await;
            let look = Rule {
                verb: Some("get".into()),
                name: Some("lagoon-data".into()),
                status: hidden,
                times: Some(1),
                ..Rule::default()
            };
            scene.rules(hidden.map(|_| look).into_iter().chain([rule]));
            let mut body = SERVICE.body();
            body["deployConfig"]["pvcName"] = json!("lagoon-data");
            let answer = scene.controller.post(SERVICE.path, &body).await;
            assert!(!answer.status.is_success(), "{step}: {:?}", answer.body);
            scene.ends_as_before(&format!("{step}, claim hidden: {hidden:?}")).await;
        }
    }
}

#[tokio::test]
async fn a_name_that_is_taken_is_a_conflict_and_its_holder_stays() {
    // Somebody else's Deployment, or only their Service; with and without an attempt that was cut before.
    for holder in ["deployments", "services"] {
        for cut in [false, true] {
            let (server, cluster) = sandboxed::start().await;
            match holder {
                "deployments" => seed::deployment("tides-live").create(&cluster).await,
                _ => seed::service("tides-live", 7443).create(&cluster).await,
            }
            let controller = Controller::with(&cluster, &QUICK).await;
            let before = stock::taken(&cluster).await;
            let scene = Scene { server, cluster, controller, before };
            if cut {
                scene.rules([Rule { cut: true, times: Some(1), ..create(holder) }]);
            }
            let answer = scene.controller.post(SERVICE.path, &SERVICE.body()).await;
            assert!(answer.failure(409).contains("tides-live"), "{:?}", answer.body);
            scene.ends_as_before(&format!("{holder}, cut: {cut}")).await;
        }
    }
}

#[tokio::test]
async fn a_caller_that_hangs_up_leaves_nothing_behind() {
    for (wanted, step) in steps() {
        for after in [false, true] {
            let scene = Scene::set(&[]).await;
            scene.rules([Rule { hang: true, after, ..create(step) }]);
            hang_up(&scene, Method::POST, wanted.path, &wanted.body(), wanted.calls_before(step)).await;
            // Now the API server goes on: what is made from here on, nobody waits for.
            scene.server.set_faults(Faults::default());
            scene.ends_as_before(&format!("{step}, stored first: {after}")).await;
        }
    }
}

#[tokio::test]
async fn other_conflicts_on_a_claim_do_not_count_as_existing() {
    let scene = Scene::set(&[]).await;
    let quota = Rule { status: Some(409), reason: Some("Conflict".into()), ..create("persistentvolumeclaims") };
    scene.rules([quota]);
    let answer = scene.controller.post(SERVICE.path, &SERVICE.body()).await;
    assert!(answer.failure(409).starts_with("failed to ensure PVC failed: "), "{:?}", answer.body);
    scene.ends_as_before("another conflict").await;
}

#[tokio::test]
async fn a_deletion_is_brought_to_its_end_without_its_caller() {
    let scene = Scene::set(&[]).await;
    scene.rules([Rule { verb: Some("delete".into()), resource: Some("deployments".into()), hang: true, ..create("") }]);
    let path = "/services/lagoon?deleteStorage=true";
    // The Deployment is read for its claim, and the claim is deleted.
    hang_up(&scene, Method::DELETE, path, &Value::Null, 2).await;
    scene.server.set_faults(Faults::default());
    scene.controller.stop().await;
    assert_eq!(stock::taken(&scene.cluster).await.into_keys().collect::<Vec<_>>(), ["pods/lagoon-a1b2c3"]);
}

/// Sends a request and hangs up when the API server holds the call after the first `count`. Returns when the
/// controller has noticed: it closes its side too.
async fn hang_up(scene: &Scene, method: Method, path: &str, body: &Value, count: u64) {
    let body = body.to_string();
    let mut caller = TcpStream::connect(scene.controller.api_addr()).await.unwrap();
    let head = format!("{method} {path} HTTP/1.1\r\nhost: localhost\r\ncontent-length: {}\r\n\r\n", body.len());
    caller.write_all(format!("{head}{body}").as_bytes()).await.unwrap();
    scene.holds_the_call_after(count).await;
    caller.shutdown().await.unwrap();
    let mut answer = Vec::new();
    // Closed or reset, as long as there is no answer.
    let _ = timeout(PATIENCE, caller.read_to_end(&mut answer)).await.unwrap();
    assert_eq!(String::from_utf8_lossy(&answer), "");
    // The connection is closed a moment before its request is dropped.
    let dropped = async {
        while scene.controller.metric("aenv_controller_http_requests_in_flight").await > 0.0 {
            sleep(Duration::from_millis(5)).await;
        }
    };
    timeout(PATIENCE, dropped).await.unwrap();
}

#[tokio::test]
async fn a_deadline_in_the_middle_is_a_504_and_leaves_nothing_behind() {
    let mut under_way = JoinSet::new();
    for (wanted, step) in steps() {
        for after in [false, true] {
            under_way.spawn(async move {
                let scene = Scene::set(&[("server.request_deadline_ms", "700")]).await;
                scene.rules([Rule { hang: true, after, ..create(step) }]);
                let answer = scene.controller.post(wanted.path, &wanted.body()).await;
                answer.failure(504);
                assert_eq!(answer.header("retry-after"), "1");
                scene.ends_as_before(&format!("{step}, stored first: {after}")).await;
            });
        }
    }
    under_way.join_all().await;
}

#[tokio::test]
async fn a_deadline_anywhere_in_a_slow_create_leaves_nothing_behind() {
    let mut under_way = JoinSet::new();
    for deadline in ["150", "350", "550", "750"] {
        under_way.spawn(async move {
            let scene = Scene::set(&[("server.request_deadline_ms", deadline)]).await;
            // Four calls, so that each deadline falls into another one.
            scene.server.set_faults(Faults { latency_ms: 200, ..Faults::default() });
            scene.controller.post(SERVICE.path, &SERVICE.body()).await.failure(504);
            scene.ends_as_before(deadline).await;
        });
    }
    under_way.join_all().await;
}

#[tokio::test]
async fn a_create_that_was_stored_without_an_answer_is_found_and_not_made_twice() {
    for (wanted, step) in steps() {
        let stored = || Rule { after: true, times: Some(1), ..create(step) };
        for (trouble, rule, answered) in [
            ("cut", Rule { cut: true, ..stored() }, 1),
            ("500", Rule { status: Some(500), ..stored() }, 1),
            ("504", Rule { status: Some(504), ..stored() }, 1),
            // A call that is never answered does not count as one.
            ("silence", Rule { hang: true, ..stored() }, 0),
        ] {
            let scene = Scene::set(&[("kubernetes.read_timeout_ms", "400")]).await;
            scene.rules([rule]);
            let answer = scene.controller.post(wanted.path, &wanted.body()).await;
            assert_eq!(answer.status, 201, "{step}, {trouble}: {:?}", answer.body);
            assert_eq!(scene.cluster.calls().of("create", step), answered, "{step}, {trouble}");
            one_of_each(&scene, wanted, &answer.body["data"]["id"]).await;
        }
    }
}

#[tokio::test]
async fn a_create_that_was_not_stored_is_made_again_once() {
    for (wanted, step) in steps() {
        for rule in [
            Rule { cut: true, ..create(step) },
            Rule { status: Some(503), ..create(step) },
            Rule { status: Some(429), retry_after_s: Some(0), ..create(step) },
        ] {
            let scene = Scene::set(&[]).await;
            scene.rules([Rule { times: Some(1), ..rule }]);
            let answer = scene.controller.post(wanted.path, &wanted.body()).await;
            assert_eq!(answer.status, 201, "{step}: {:?}", answer.body);
            assert_eq!(scene.cluster.calls().of("create", step), 2, "{step}");
            one_of_each(&scene, wanted, &answer.body["data"]["id"]).await;
        }
    }
}

async fn one_of_each(scene: &Scene, wanted: Wanted, id: &Value) {
    let added = stock::added(&scene.cluster, &scene.before).await;
    let mut expected: Vec<_> = wanted.steps.iter().map(|step| step.to_string()).collect();
    for kind in &mut expected {
        let name = if kind == "persistentvolumeclaims" { "tides-data" } else { id.as_str().unwrap() };
        *kind = format!("{kind}/{name}");
    }
    expected.sort();
    assert_eq!(added, expected);
}

#[tokio::test]
async fn many_creates_at_once_on_a_flaky_api_server_make_one_each() {
    let scene = Scene::set(&[("retry.max_attempts", "8")]).await;
    // No more than what the retry budget holds in reserve.
    let flaky = |rule| Rule { verb: Some("create".into()), times: Some(3), ..rule };
    scene.rules([
        flaky(Rule { cut: true, after: true, ..Rule::default() }),
        flaky(Rule { cut: true, ..Rule::default() }),
        flaky(Rule { status: Some(500), after: true, ..Rule::default() }),
    ]);
    let posts = (0..12).map(|_| send(scene.controller.request(Method::POST, POD.path).json(&POD.body())));
    let answers = posts.collect::<JoinSet<_>>().join_all().await;
    let mut ids: Vec<_> = answers.iter().map(|answer| answer.body["data"]["id"].as_str()).collect();
    ids.sort_unstable();
    let expected: Vec<_> = ids.iter().map(|id| format!("pods/{}", id.unwrap_or("none"))).collect();
    assert_eq!(stock::added(&scene.cluster, &scene.before).await, expected, "{answers:?}");
}

#[tokio::test]
async fn a_deletion_whose_answer_is_lost_has_succeeded() {
    for resource in ["deployments", "services", "persistentvolumeclaims"] {
        for rule in [Rule { cut: true, ..create(resource) }, Rule { status: Some(500), ..create(resource) }] {
            let scene = Scene::set(&[]).await;
            scene.rules([Rule { verb: Some("delete".into()), after: true, times: Some(1), ..rule }]);
            let answer = scene.controller.delete("/services/lagoon?deleteStorage=true").await;
            assert_eq!((answer.status.as_u16(), &answer.body["data"]), (200, &json!(true)), "{resource}");
            let left: Vec<_> = stock::taken(&scene.cluster).await.into_keys().collect();
            assert_eq!(left, ["pods/lagoon-a1b2c3"], "{resource}");
        }
    }
    let scene = Scene::set(&[]).await;
    scene.rules([Rule { verb: Some("delete".into()), after: true, cut: true, times: Some(1), ..create("pods") }]);
    let answer = scene.controller.delete("/pods/lagoon-a1b2c3").await;
    assert_eq!((answer.status.as_u16(), &answer.body["data"]), (200, &json!(true)));
    assert!(!stock::taken(&scene.cluster).await.contains_key("pods/lagoon-a1b2c3"));
}

#[tokio::test]
async fn a_deletion_that_fails_says_so_and_can_be_had_again() {
    for resource in ["deployments", "services", "persistentvolumeclaims"] {
        let scene = Scene::set(&[("retry.max_attempts", "2")]).await;
        scene.rules([Rule { verb: Some("delete".into()), status: Some(500), ..create(resource) }]);
        scene.controller.delete("/services/lagoon?deleteStorage=true").await.failure(502);
        scene.server.set_faults(Faults::default());
        let answer = scene.controller.delete("/services/lagoon?deleteStorage=true").await;
        assert_eq!(answer.status, 200, "{resource}: {:?}", answer.body);
        let left: Vec<_> = stock::taken(&scene.cluster).await.into_keys().collect();
        assert_eq!(left, ["pods/lagoon-a1b2c3"], "{resource}");
    }
}
