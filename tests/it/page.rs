//! `/` and `/status`: what a browser is given, and that neither asks the API server anything.
//!
//! Its behaviour in a real browser is `.ci/page`'s to check.

use crate::support::controller::{Controller, send};
use crate::support::{Cluster, on_every_cluster, sandboxed};
use aenv_controller::sandbox::{Faults, Rule};
use reqwest::{Method, Response, StatusCode, header};
use serde_json::{Value, json};

async fn page(controller: &Controller, method: Method, known: Option<&str>) -> Response {
    let request = controller.request(method, "/");
    let request = known.into_iter().fold(request, |request, tag| request.header(header::IF_NONE_MATCH, tag));
    request.send().await.unwrap()
}

fn header_of(response: &Response, name: header::HeaderName) -> &str {
    response.headers().get(name).map_or("", |value| value.to_str().unwrap())
}

async fn status(controller: &Controller) -> Value {
    let answer = controller.get("/status").await;
    assert_eq!((answer.status, answer.header("cache-control")), (StatusCode::OK, "no-store"));
    answer.body["data"].clone()
}

#[tokio::test]
async fn the_page_is_given_once_and_then_known() {
    let (_server, cluster) = sandboxed::start().await;
    let controller = Controller::on(&cluster).await;
    let given = page(&controller, Method::GET, None).await;
    assert_eq!(given.status(), StatusCode::OK);
    assert_eq!(header_of(&given, header::CONTENT_TYPE), "text/html; charset=utf-8");
    assert_eq!(header_of(&given, header::CACHE_CONTROL), "no-cache");
    let (tag, length) = (header_of(&given, header::ETAG).to_owned(), given.content_length());
    assert!(given.text().await.unwrap().starts_with("<!doctype html>"));

    let head = page(&controller, Method::HEAD, None).await;
    assert_eq!((head.status(), header_of(&head, header::ETAG)), (StatusCode::OK, tag.as_str()));
    assert_eq!(header_of(&head, header::CONTENT_LENGTH), length.unwrap().to_string());
    assert_eq!(head.text().await.unwrap(), "");

    for known in [tag.clone(), format!("W/{tag}"), format!("\"other\", {tag}")] {
        let again = page(&controller, Method::GET, Some(&known)).await;
        assert_eq!((again.status(), header_of(&again, header::ETAG)), (StatusCode::NOT_MODIFIED, tag.as_str()));
    }
    assert_eq!(page(&controller, Method::GET, Some("\"other\"")).await.status(), StatusCode::OK);
    assert_eq!(cluster.calls().total, 0);
}

#[tokio::test]
async fn the_page_may_run_only_what_is_in_it_and_ask_only_where_it_came_from() {
    let (_server, cluster) = sandboxed::start().await;
    let controller = Controller::on(&cluster).await;
    let given = page(&controller, Method::GET, None).await;
    let policy = header_of(&given, header::CONTENT_SECURITY_POLICY).to_owned();
    let directives: Vec<_> = policy.split("; ").collect();
    for wanted in ["default-src 'none'", "connect-src 'self'", "frame-ancestors 'none'", "base-uri 'none'"] {
        assert!(directives.contains(&wanted), "{wanted} is missing in {policy}");
    }
    for hashed in ["script-src 'sha256-", "style-src 'sha256-"] {
        assert!(directives.iter().any(|directive| directive.starts_with(hashed)), "{hashed} is missing in {policy}");
    }
    assert!(!policy.contains("unsafe"), "{policy}");
    assert_eq!(header_of(&given, header::X_CONTENT_TYPE_OPTIONS), "nosniff");
    let text = given.text().await.unwrap();
    for foreign in ["https://", "//cdn", "src=\"", "style=\"", "onclick", "innerHTML", "eval("] {
        assert!(!text.contains(foreign), "{foreign}");
    }
}

#[tokio::test]
async fn other_methods_are_405() {
    let (_server, cluster) = sandboxed::start().await;
    let controller = Controller::on(&cluster).await;
    for (path, allowed) in [("/", "GET, HEAD"), ("/status", "GET")] {
        for method in [Method::POST, Method::PUT, Method::PATCH, Method::DELETE] {
            let answer = send(controller.request(method, path)).await;
            answer.failure(405);
            assert_eq!(answer.header("allow"), allowed);
        }
    }
}

async fn the_picture_follows_what_is_asked_and_asks_nothing(cluster: Cluster) {
    cluster.reset_calls();
    let controller = Controller::on(&cluster).await;
    let fresh = status(&controller).await;
    assert_eq!(fresh["api_calls"]["ok"], 0);
    assert_eq!(fresh["answers"], json!({}));
    assert_eq!((&fresh["throttle"]["rate"], &fresh["throttle"]["ceiling"]), (&json!(50.0), &json!(50.0)));
    assert_eq!((&fresh["throttle"]["closed"], &fresh["list_ttl_ms"]), (&Value::Null, &json!(2000)));
    assert_eq!(cluster.calls().total, 0);

    controller.rows("/services").await;
    let asked = status(&controller).await;
    assert_eq!(asked["api_calls"]["ok"], cluster.calls().total);
    assert_eq!(asked["answers"], json!({"fetch": 1}));
    assert_eq!(asked["throttle"]["lanes"]["read"]["admitted"], 2);
    assert_eq!(asked["replica"], fresh["replica"]);
}

on_every_cluster!(the_picture_follows_what_is_asked_and_asks_nothing);

#[tokio::test]
async fn a_closed_gate_is_told_with_its_reason_and_its_end() {
    let (server, cluster) = sandboxed::start().await;
    let controller = Controller::with(&cluster, &[("retry.max_attempts", "1")]).await;
    let overloaded = Rule { status: Some(429), retry_after_s: Some(30), ..Rule::default() };
    server.set_faults(Faults { rules: vec![overloaded], ..Faults::default() });
    controller.get("/pods").await.failure(503);
    let picture = status(&controller).await;
    assert_eq!(picture["api_calls"]["throttled"], 1);
    assert_eq!(picture["throttle"]["closed"]["why"], "overloaded");
    assert!(picture["throttle"]["closed"]["opens_in_ms"].as_u64().unwrap() <= 37_500, "{picture}");
    assert_eq!((&picture["throttle"]["rate"], &picture["throttle"]["ceiling"]), (&json!(35.0), &json!(50.0)));

    controller.get("/pods").await.failure(503);
    let refused = status(&controller).await;
    assert_eq!((&refused["throttle"]["refused"]["overloaded"], cluster.calls().total), (&json!(1), 1));
}

#[tokio::test]
async fn without_a_limit_there_is_no_rate() {
    let (_server, cluster) = sandboxed::start().await;
    let controller = Controller::with(&cluster, &[("throttle.unlimited", "true")]).await;
    let throttle = status(&controller).await["throttle"].clone();
    assert_eq!((&throttle["rate"], &throttle["ceiling"]), (&Value::Null, &Value::Null));
}

#[tokio::test]
async fn the_page_opens_also_when_all_places_are_taken() {
    let (server, cluster) = sandboxed::start().await;
    let controller = Controller::with(&cluster, &[("server.max_waiting", "1")]).await;
    server.set_faults(Faults { hang: true, ..Faults::default() });
    let waits = tokio::spawn(controller.request(Method::GET, "/pods").send());
    while controller.metric("aenv_controller_http_requests_in_flight").await < 1.0 {
        tokio::task::yield_now().await;
    }
    controller.get("/services").await.failure(503);
    assert_eq!(page(&controller, Method::GET, None).await.status(), StatusCode::OK);
    assert_eq!(status(&controller).await["throttle"]["in_flight"], 1);
    server.set_faults(Faults::default());
    assert_eq!(waits.await.unwrap().unwrap().status(), StatusCode::OK);
}
