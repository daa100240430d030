//! Creates that an overloaded API server refuses halfway: they are undone when it answers again.

use super::*;
use tokio::time::Instant;

/// A step that is refused with a `Retry-After` beyond the deadline, and beyond the wait that reads may have; then as many
/// removals.
async fn refused_at(step: &str, retry_after_s: u64, refusals: u32, body: &Value) -> (Scene, Answer) {
    let scene = Scene::set(&[("server.request_deadline_ms", "1500"), ("throttle.max_wait_ms", "300")]).await;
    scene.rules([
        Rule { status: Some(429), retry_after_s: Some(retry_after_s), times: Some(1), ..create(step) },
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
                let (scene, answer) = refused_at(step, 2, refusals, &SERVICE.body()).await;
                answer.failure(503);
                assert!(!stock::added(&scene.cluster, &scene.before).await.is_empty(), "undone before it could be");
                scene.ends_as_before(&format!("{step}, {refusals} more refusals")).await;
            });
        }
    }
    under_way.join_all().await;
}

#[tokio::test]
async fn an_api_server_that_asks_for_long_silence_is_left_alone_and_then_cleaned_up() {
    const RETRY_AFTER: u64 = 15;
    let (scene, answer) = refused_at("services", RETRY_AFTER, 0, &SERVICE.body()).await;
    answer.failure(503);
    assert!(answer.header("retry-after").parse::<u64>().unwrap() >= RETRY_AFTER - 2, "{:?}", answer.headers);
    let calls = scene.server.calls().total;
    let began = Instant::now();
    let silence = async {
        while scene.server.calls().total == calls {
            sleep(Duration::from_millis(50)).await;
        }
    };
    timeout(PATIENCE, silence).await.unwrap();
    assert!(began.elapsed() > Duration::from_secs(RETRY_AFTER / 2), "it asked after {:?}", began.elapsed());
    scene.ends_as_before("a Retry-After of 15 seconds").await;
}

#[tokio::test]
async fn the_same_create_asked_again_before_it_is_undone_keeps_its_objects() {
    let mut body = SERVICE.body();
    for key in ["storageSize", "pvcName"] {
        body["deployConfig"].as_object_mut().unwrap().remove(key);
    }
    let (scene, answer) = refused_at("services", 2, 0, &body).await;
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
