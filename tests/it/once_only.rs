//! `Idempotency-Key`: a create that is asked again finds its first object, on any replica.

use crate::support::controller::{Answer, Controller, send};
use crate::support::{Cluster, on_every_cluster, seed};
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

on_every_cluster! {
    a_repeated_create_finds_its_instance_on_another_replica,
    a_repeated_create_finds_its_service,
    ten_creates_at_once_with_one_key_make_one_instance,
    another_body_with_the_same_key_is_refused,
    a_given_name_that_is_taken_is_still_a_conflict,
    without_a_key_each_create_makes_one_more,
    a_key_that_is_none_is_refused_and_costs_nothing,
}

fn weather(deploy: Value) -> Value {
    json!({
        "name": "weather", "version": "1.0.2",
        "artifacts": [{"type": "image", "content": "registry.example.com/aenv/weather:1.0.2"}],
        "deployConfig": deploy
    })
}

async fn create(controller: &Controller, path: &str, key: &str, body: &Value) -> Answer {
    send(controller.request(Method::POST, path).header("Idempotency-Key", key).json(body)).await
}

fn id(answer: &Answer) -> &Value {
    assert_eq!(answer.status, StatusCode::CREATED, "{:?}", answer.body);
    &answer.body["data"]["id"]
}

async fn a_repeated_create_finds_its_instance_on_another_replica(cluster: Cluster) {
    let remember = [("memo.list_ttl_ms", "3600000")];
    let (one, other) = (Controller::on(&cluster).await, Controller::with(&cluster, &remember).await);
    assert_eq!(other.ids("/pods").await.len(), 0);
    let body = weather(json!({"ttl": "1h"}));
    let first = create(&one, "/pods", "run-7/a", &body).await;
    let again = create(&other, "/pods", "\"run-7/a\"", &body).await;
    assert_eq!(id(&first), id(&again));
    assert_eq!((first.header("idempotent-replay"), again.header("idempotent-replay")), ("", "true"));
    assert_eq!(other.ids("/pods").await.len(), 1);
}

async fn a_repeated_create_finds_its_service(cluster: Cluster) {
    let controller = Controller::on(&cluster).await;
    for deploy in [json!({}), json!({"serviceName": "weather-main"})] {
        let first = create(&controller, "/services", "s-1", &weather(deploy.clone())).await;
        let again = create(&controller, "/services", "s-1", &weather(deploy)).await;
        assert_eq!(id(&first), id(&again));
        assert_eq!(again.body["data"]["service_url"], first.body["data"]["service_url"]);
        assert_eq!(again.header("idempotent-replay"), "true");
    }
    assert_eq!(controller.ids("/services").await.len(), 2);
}

async fn ten_creates_at_once_with_one_key_make_one_instance(cluster: Cluster) {
    let controller = Controller::on(&cluster).await;
    let body = weather(json!({}));
    let answers = futures(&controller, &body).await;
    assert!(answers.iter().all(|answer| id(answer) == id(&answers[0])));
    let made = answers.iter().filter(|answer| answer.header("idempotent-replay").is_empty());
    assert_eq!(made.count(), 1);
    assert_eq!(controller.ids("/pods").await.len(), 1);
}

async fn futures(controller: &Controller, body: &Value) -> Vec<Answer> {
    let request = || controller.request(Method::POST, "/pods").header("Idempotency-Key", "ten").json(body);
    (0..10).map(|_| send(request())).collect::<tokio::task::JoinSet<_>>().join_all().await
}

async fn another_body_with_the_same_key_is_refused(cluster: Cluster) {
    let controller = Controller::on(&cluster).await;
    for path in ["/pods", "/services"] {
        id(&create(&controller, path, "k", &weather(json!({"owner": "jun"}))).await);
        let answer = create(&controller, path, "k", &weather(json!({"owner": "kim"}))).await;
        let message = answer.failure(422);
        assert!(message.contains("Idempotency-Key"), "{message}");
    }
    assert_eq!(controller.ids("/pods").await.len(), 1);
}

async fn a_given_name_that_is_taken_is_still_a_conflict(cluster: Cluster) {
    seed::deployment("weather-main").create(&cluster).await;
    let controller = Controller::on(&cluster).await;
    create(&controller, "/services", "k", &weather(json!({"serviceName": "weather-main"}))).await.failure(409);
}

async fn without_a_key_each_create_makes_one_more(cluster: Cluster) {
    let controller = Controller::on(&cluster).await;
    for _ in 0..2 {
        assert_eq!(controller.post("/pods", &weather(json!({}))).await.status, StatusCode::CREATED);
    }
    assert_eq!(controller.ids("/pods").await.len(), 2);
}

async fn a_key_that_is_none_is_refused_and_costs_nothing(cluster: Cluster) {
    let controller = Controller::on(&cluster).await;
    cluster.reset_calls();
    for key in ["a b", "\"\"", &"k".repeat(256)] {
        create(&controller, "/pods", key, &weather(json!({}))).await.failure(400);
    }
    assert_eq!(cluster.calls().total, 0);
}
