//! Web browsers: pages of other sites neither write nor, by DNS rebinding, read; other clients notice nothing.

use crate::support::controller::{Answer, Controller, send};
use crate::support::{Cluster, sandboxed};
use aenv_controller::sandbox::ApiServer;
use reqwest::Method;
use serde_json::json;

async fn started(keys: &[(&str, &str)]) -> (ApiServer, Cluster, Controller) {
    let (server, cluster) = sandboxed::start_with_weather().await;
    let controller = Controller::with(&cluster, keys).await;
    server.reset_calls();
    (server, cluster, controller)
}

/// A deployment that any page could have sent: its body is JSON, whatever it is said to be.
async fn deploy(controller: &Controller, headers: &[(&str, &str)]) -> Answer {
    let image = json!([{"type": "image", "content": "registry.example.com/miner:1"}]);
    let body = json!({"name": "miner", "artifacts": image}).to_string();
    let request = controller.request(Method::POST, "/services").body(body);
    send(headers.iter().fold(request, |request, (name, value)| request.header(*name, *value))).await
}

async fn ask(controller: &Controller, method: &str, path: &str, headers: &[(&str, &str)]) -> Answer {
    let request = controller.request(method.parse().unwrap(), path);
    send(headers.iter().fold(request, |request, (name, value)| request.header(*name, *value))).await
}

#[tokio::test]
async fn a_page_of_another_site_deploys_nothing_and_costs_nothing() {
    let (server, _cluster, controller) = started(&[]).await;
    let json = ("content-type", "application/json");
    let plain = ("content-type", "text/plain;charset=UTF-8");
    for headers in [
        &[("origin", "https://shop.evil.example"), plain][..],
        &[("origin", "https://shop.evil.example"), json],
        &[("origin", "http://localhost:3000"), json],
        &[("origin", "null"), json],
        &[("sec-fetch-site", "cross-site"), json],
    ] {
        let answer = deploy(&controller, headers).await;
        assert!(answer.failure(403).contains("server.allowed_hosts"), "{headers:?}: {:?}", answer.body);
        for (method, path) in [("PUT", "/services/weather-main"), ("DELETE", "/pods/weather-3ue90w")] {
            ask(&controller, method, path, headers).await.failure(403);
        }
    }
    let own = format!("http://{}", controller.api_addr());
    let answer = deploy(&controller, &[("origin", &own), plain]).await;
    assert!(answer.failure(415).contains("application/json"), "{:?}", answer.body);
    assert_eq!((server.calls().total, server.calls().in_flight), (0, 0));
    assert_eq!(deploy(&controller, &[("origin", &own), json]).await.status, 201, "a page of its own may");
}

#[tokio::test]
async fn a_name_that_is_rebound_to_this_address_neither_lists_nor_deletes() {
    let (server, _cluster, controller) = started(&[("server.allowed_hosts", "aenv.example.com")]).await;
    let browser = ("user-agent", "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0");
    for host in ["rebind.evil.example:8080", "aenv.example.com.evil.example"] {
        for (method, path) in [("GET", "/services"), ("GET", "/"), ("DELETE", "/pods/weather-3ue90w")] {
            let own = format!("http://{host}");
            for headers in [
                &[("host", host), browser][..],
                &[("host", host), ("origin", &own), ("sec-fetch-site", "same-origin")],
                &[("host", host), ("user-agent", "curl/8.5.0"), ("accept-language", "de")],
            ] {
                let answer = ask(&controller, method, path, headers).await;
                let message = answer.failure(403);
                assert!(message.contains(host) && message.contains("server.allowed_hosts"), "{message}");
            }
        }
    }
    let metrics = || controller.metrics_request().header("host", "rebind.evil.example");
    assert_eq!(metrics().header(browser.0, browser.1).send().await.unwrap().status(), 403);
    assert_eq!(metrics().header("user-agent", "Prometheus/3.5.0").send().await.unwrap().status(), 200);
    assert_eq!((server.calls().total, server.calls().in_flight), (0, 0));
    for host in ["localhost:8080", "127.0.0.1:8080", "controller.aenv.svc.cluster.local", "aenv.example.com"] {
        assert_eq!(ask(&controller, "GET", "/services", &[("host", host), browser]).await.status, 200, "{host}");
        let metrics = controller.metrics_request().header("host", host).header(browser.0, browser.1);
        assert_eq!(metrics.send().await.unwrap().status(), 200, "{host}");
    }
}

#[tokio::test]
async fn clients_that_are_no_browsers_may_use_any_name_and_any_content_type() {
    let (_server, _cluster, controller) = started(&[]).await;
    for agent in ["curl/8.5.0", "python-requests/2.32.3", "Go-http-client/1.1", ""] {
        let headers = [("host", "aenv.ingress.example"), ("user-agent", agent), ("content-type", "text/plain")];
        assert_eq!(ask(&controller, "GET", "/services", &headers).await.status, 200, "{agent}");
        assert_eq!(deploy(&controller, &headers).await.status, 201, "{agent}");
    }
}
