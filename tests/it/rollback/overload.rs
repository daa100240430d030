//! Creates that an overloaded API server refuses halfway: they are undone when it answers again.

use super::*;
use tokio::time::Instant;

/// A step that is refused with a `Retry-After` beyond the deadline, and beyond the wait that reads may have.
async fn refused_at(step: &str, refusals: u32, body: &Value) -> (Scene, Answer) {
    let scene = Scene::set(&[("server.request_deadline_ms", "1500"), ("throttle.max_wait_ms", "300")]).await;
    scene.rules([
        Rule { status: Some(429), retry_after_s: Some(2), times: Some(1), ..create(step) },
        Rule { verb: Some("delete".into()), status: Some(429), times: Some(refusals), ..Rule::default() },
    ]);
    let began = Instant::now();
    let answer = scene.controller.post(SERVICE.path, body).await;
    assert!(began.elapsed() < Duration::from_secs(2), "the caller is told, and not kept: {:?}", began.elapsed());
    (scene, answer)
}

#[tokio::test]
async fn a_create_that_is_refused_halfway_leaves_nothing_behind() {
    let mut under_way = JoinSet::new();
    for step in ["deployments", "services"] {
        for refusals in [0, 2] {
            under_way.spawn(async move {
                let (scene, answer) = refused_at(step, refusals, &SERVICE.body()).await;
                answer.failure(503);
                assert!(!stock::added(&scene.cluster, &scene.before).await.is_empty(), "undone before it could be");
                scene.ends_as_before(&format!("{step}, {refusals} more refusals")).await;
            });
        }
    }
    under_way.join_all().await;
}

#[tokio::test]
async fn the_same_create_asked_again_before_it_is_undone_keeps_its_objects() {
    let mut body = SERVICE.body();
    for key in ["storageSize", "pvcName"] {
        body["deployConfig"].as_object_mut().unwrap().remove(key);
    }
    let (scene, answer) = refused_at("services", 0, &body).await;
    answer.failure(503);
    // As a client does that is told to come back; for a moment the Deployment may be on its way out.
    let asked_again = async {
        loop {
            let answer = scene.controller.post(SERVICE.path, &body).await;
            if ![409, 503, 504].contains(&answer.status.as_u16()) {
                return answer;
            }
        }
    };
    let answer = timeout(PATIENCE, asked_again).await.unwrap();
    assert_eq!(answer.status, 201, "{:?}", answer.body);
    scene.controller.stop().await;
    let added = stock::added(&scene.cluster, &scene.before).await;
    assert_eq!(added, ["deployments/tides-live", "services/tides-live"]);
}
