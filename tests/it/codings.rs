//! Compressed answers: one for each content coding, each with a tag of its own.

use crate::support::controller::Controller;
use crate::support::{Cluster, on_every_cluster, seed};
use reqwest::{Method, Response, StatusCode};

on_every_cluster! {
    a_list_is_given_in_the_coding_that_its_caller_prefers,
    each_coding_is_known_by_its_tag,
    a_list_that_is_read_again_unchanged_is_not_sent_again,
}

const UNTIL_ASKED: (&str, &str) = ("memo.list_ttl_ms", "3600000");

async fn ask(controller: &Controller, coding: &str, known: &str) -> Response {
    let request = controller.request(Method::GET, "/services").header("accept-encoding", coding);
    request.header("if-none-match", known).send().await.unwrap()
}

fn header<'a>(answer: &'a Response, name: &str) -> &'a str {
    answer.headers().get(name).map_or("", |value| value.to_str().unwrap())
}

/// Enough services for a list that is worth compressing.
async fn seed_services(cluster: &Cluster) {
    seed::create_all(cluster, (0..10).map(|n| seed::deployment(format!("weather-{n}")).env("weather"))).await;
}

async fn a_list_is_given_in_the_coding_that_its_caller_prefers(cluster: Cluster) {
    seed_services(&cluster).await;
    let controller = Controller::with(&cluster, &[UNTIL_ASKED]).await;
    let plain = ask(&controller, "br", "").await;
    assert_eq!((header(&plain, "content-encoding"), header(&plain, "vary")), ("", "accept-encoding"));
    let length = plain.content_length().unwrap();
    for (accepted, coding, magic) in
        [("gzip, deflate, br, zstd", "gzip", &[0x1f, 0x8b][..]), ("gzip;q=0, zstd", "zstd", &[0x28, 0xb5, 0x2f, 0xfd])]
    {
        let answer = ask(&controller, accepted, "").await;
        assert_eq!((header(&answer, "content-encoding"), header(&answer, "vary")), (coding, "accept-encoding"));
        let told = answer.content_length().unwrap();
        let body = answer.bytes().await.unwrap();
        assert!(body.starts_with(magic), "{coding}: {body:?}");
        assert_eq!(told, body.len() as u64, "{coding}");
        assert!(told < length / 3, "{coding}: {told} bytes of {length}");
    }
    let one = controller.request(Method::GET, "/services/weather-0").header("accept-encoding", "gzip").send().await;
    assert_eq!(header(&one.unwrap(), "content-encoding"), "", "one row is sent as it is");
}

async fn each_coding_is_known_by_its_tag(cluster: Cluster) {
    seed_services(&cluster).await;
    let controller = Controller::with(&cluster, &[UNTIL_ASKED]).await;
    for coding in ["identity", "gzip", "zstd"] {
        let first = ask(&controller, coding, "").await;
        let tag = header(&first, "etag");
        let again = ask(&controller, coding, &format!("\"other\", {tag}")).await;
        assert_eq!((again.status(), header(&again, "etag")), (StatusCode::NOT_MODIFIED, tag), "{coding}");
        assert_eq!(header(&again, "vary"), "accept-encoding");
        for other in ["identity", "gzip", "zstd"].into_iter().filter(|other| *other != coding) {
            assert_eq!(ask(&controller, other, tag).await.status(), StatusCode::OK, "{coding} is not {other}");
        }
    }
}

async fn a_list_that_is_read_again_unchanged_is_not_sent_again(cluster: Cluster) {
    seed_services(&cluster).await;
    let controller = Controller::on(&cluster).await;
    let fetch = async |known: &str| {
        let request = controller.request(Method::GET, "/services").header("cache-control", "no-cache");
        request.header("if-none-match", known).send().await.unwrap()
    };
    let first = fetch("").await;
    // `updated_at` counts seconds.
    tokio::time::sleep(std::time::Duration::from_millis(1100)).await;
    let again = fetch(header(&first, "etag")).await;
    assert_eq!(again.status(), StatusCode::NOT_MODIFIED);
    seed::deployment("weather-new").env("weather").create(&cluster).await;
    assert_eq!(fetch(header(&first, "etag")).await.status(), StatusCode::OK);
}
