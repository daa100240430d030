//! A claim that two creates share: whatever becomes of the one that made it, the other keeps it.

use super::*;
use tokio::task::JoinHandle;

const CLAIM: &str = "persistentvolumeclaims";

/// The same create for another service on the same claim.
fn other() -> Value {
    let mut other = SERVICE.body();
    other["deployConfig"]["serviceName"] = json!("tides-other");
    other
}

fn call(verb: &str, resource: &str) -> Rule {
    Rule { verb: Some(verb.into()), resource: Some(resource.into()), ..Rule::default() }
}

/// The first create, which the API server refuses after its claim is made.
fn refused(status: u16) -> Rule {
    Rule { status: Some(status), name: Some("tides-live".into()), ..create("deployments") }
}

impl Scene {
    fn post(&self, body: &Value) -> JoinHandle<Answer> {
        tokio::spawn(send(self.controller.request(Method::POST, SERVICE.path).json(body)))
    }

    /// Waits until so many calls of this kind have been answered.
    async fn has_answered(&self, verb: &str, resource: &str, count: u64) {
        let answered = async {
            while self.cluster.calls().of(verb, resource) < count {
                sleep(Duration::from_millis(5)).await;
            }
        };
        timeout(PATIENCE, answered).await.unwrap_or_else(|_| panic!("{:?}", self.server.calls()));
    }

    /// Ends the controller; the names that are there now and were not before.
    async fn ends_with(self, expected: &[&str]) {
        self.controller.stop().await;
        assert_eq!(stock::added(&self.cluster, &self.before).await, expected);
    }
}

const OTHER: [&str; 3] = ["deployments/tides-other", "persistentvolumeclaims/tides-data", "services/tides-other"];

#[tokio::test]
async fn a_claim_that_is_used_before_its_maker_removes_it_stays() {
    let scene = Scene::set(&[]).await;
    // The maker has looked at its claim and is about to remove it.
    scene.rules([refused(422), Rule { hang: true, times: Some(1), ..call("delete", CLAIM) }]);
    let maker = scene.post(&SERVICE.body());
    scene.holds_the_call_after(SERVICE.calls_before("deployments") + 3).await;
    assert_eq!(scene.controller.post(SERVICE.path, &other()).await.status, 201);
    scene.server.set_faults(Faults::default());
    maker.await.unwrap().failure(422);
    scene.ends_with(&OTHER).await;
}

#[tokio::test]
async fn a_claim_that_is_found_before_its_maker_removes_it_is_not_used() {
    let scene = Scene::set(&[("server.request_deadline_ms", "700")]).await;
    let update = Rule { hang: true, ..call("patch", CLAIM) };
    // Stored, so that it cannot come into being later.
    let unanswered = Rule { hang: true, after: true, name: Some("tides-live".into()), ..create("deployments") };
    scene.rules([unanswered, update]);
    let maker = scene.post(&SERVICE.body());
    scene.holds_the_call_after(SERVICE.calls_before("deployments")).await;
    // The other has found the claim and is about to mark it when its maker gives up and removes it.
    let patient = Controller::with(&scene.cluster, &QUICK).await;
    let other = tokio::spawn(send(patient.request(Method::POST, SERVICE.path).json(&other())));
    maker.await.unwrap().failure(504);
    scene.has_answered("delete", CLAIM, 1).await;
    scene.server.set_faults(Faults::default());
    let answer = other.await.unwrap();
    assert!(answer.failure(409).contains("being deleted"), "{:?}", answer.body);
    patient.stop().await;
    scene.ends_as_before("the claim went").await;
}

#[tokio::test]
async fn a_claim_that_is_used_by_a_create_without_a_deployment_yet_stays() {
    let scene = Scene::set(&[]).await;
    let held = Rule { hang: true, name: Some("tides-other".into()), ..create("deployments") };
    scene.rules([
        Rule { hang: true, times: Some(1), name: Some("tides-live".into()), ..create("deployments") },
        held.clone(),
    ]);
    let maker = scene.post(&SERVICE.body());
    scene.holds_the_call_after(SERVICE.calls_before("deployments")).await;
    let other = scene.post(&other());
    scene.has_answered("patch", CLAIM, 1).await;
    // Both wait for their Deployments; the maker's is refused now, and it undoes what it made.
    seed::deployment("tides-live").create(&scene.cluster).await;
    scene.rules([held]);
    maker.await.unwrap().failure(409);
    scene.server.set_faults(Faults::default());
    assert_eq!(other.await.unwrap().status, 201);
    scene.ends_with(&["deployments/tides-live", OTHER[0], OTHER[1], OTHER[2]]).await;
}

#[tokio::test]
async fn concurrent_failed_creates_leave_others_their_shared_claim() {
    for round in 0..8 {
        let scene = Scene::set(&[]).await;
        let fails = |n: usize| Rule { status: Some(422), name: Some(format!("tides-{n}")), ..create("services") };
        scene.rules((0..6).filter(|n| (n + round) % 2 == 0).map(fails));
        let posts = (0..6).map(|n| {
            let mut body = SERVICE.body();
            body["deployConfig"]["serviceName"] = json!(format!("tides-{n}"));
            send(scene.controller.request(Method::POST, SERVICE.path).json(&body))
        });
        let answers = posts.collect::<JoinSet<_>>().join_all().await;
        assert_eq!(answers.iter().filter(|answer| answer.status == 201).count(), 3, "{answers:?}");
        scene.controller.stop().await;
        let after = stock::added(&scene.cluster, &scene.before).await;
        assert_eq!(after.len(), 7, "three Deployments, three Services and their claim: {after:?}");
    }
}

#[tokio::test]
async fn a_claim_of_a_create_that_is_given_up_stays_with_another_service() {
    let scene = Scene::set(&[("server.request_deadline_ms", "3000")]).await;
    scene.rules([Rule { hang: true, times: Some(1), ..create("deployments") }]);
    let given_up = scene.post(&SERVICE.body());
    scene.holds_the_call_after(SERVICE.calls_before("deployments")).await;
    assert_eq!(scene.controller.post(SERVICE.path, &other()).await.status, 201);
    given_up.await.unwrap().failure(504);
    scene.server.set_faults(Faults::default());
    scene.ends_with(&OTHER).await;
}

async fn a_claim_is_shared_for_good(cluster: Cluster) {
    let controller = Controller::with(&cluster, &QUICK).await;
    controller.post(SERVICE.path, &SERVICE.body()).await;
    // Another one finds it, and fails: its Service's name is taken.
    seed::service("tides-other", 7443).create(&cluster).await;
    controller.post(SERVICE.path, &other()).await.failure(409);
    controller.stop().await;
    let stock = stock::taken(&cluster).await;
    let names: Vec<_> = stock.keys().map(String::as_str).collect();
    assert_eq!(names, ["deployments/tides-live", OTHER[1], "services/tides-live", "services/tides-other"]);
}

on_every_cluster! { a_claim_is_shared_for_good }
