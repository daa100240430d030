//! Access: tokens and their scopes, over every route there is.

use crate::support::controller::{Answer, Controller, send};
use crate::support::replica::{Replica, run, set, until};
use crate::support::secret::Secret;
use crate::support::{Cluster, sandboxed};
use aenv_controller::sandbox::ApiServer;
use reqwest::Method;
use std::fs;

const READ: &str = "reader-0123456789abcdef";
const WRITE: &str = "writer-0123456789abcdef";
const STRANGE: &str = "nobody-0123456789abcdef";

const METHODS: [&str; 8] = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "BREW"];

fn tokens() -> String {
    format!("# the tokens of these tests\n{READ} read\n\n{WRITE} write ci-1\n")
}

async fn started(keys: &[(&str, &str)]) -> (ApiServer, Cluster, Secret, Controller) {
    let (server, cluster) = sandboxed::start().await;
    let secret = Secret::of(&[("tokens", &tokens())]);
    let file = secret.path("tokens");
    let controller = Controller::with(&cluster, &[&[("auth.tokens_file", &*file)], keys].concat()).await;
    (server, cluster, secret, controller)
}

/// Every path of the route table, as its source has it, and one that is none.
fn paths() -> Vec<String> {
    let table = include_str!("../../src/http/routes.rs");
    let paths = table.split("at(\"").skip(1).map(|rest| rest.split('"').next().unwrap());
    let mut paths: Vec<_> = paths.map(|path| path.replace(['{', '}'], "")).collect();
    assert!(paths.len() >= 11 && paths.iter().all(|path| path.starts_with('/')), "{paths:?}");
    paths.push("/nope".to_owned());
    paths
}

async fn ask(controller: &Controller, method: &str, path: &str, token: Option<&str>) -> Answer {
    let request = controller.request(method.parse().unwrap(), path);
    send(match token {
        Some(token) => request.bearer_auth(token),
        None => request,
    })
    .await
}

fn is_open(method: &str, path: &str) -> bool {
    ["GET", "HEAD"].contains(&method) && ["/", "/openapi.json"].contains(&path)
}

/// Checks a refusal, which has no body where it answers HEAD.
#[track_caller]
fn refused(answer: &Answer, method: &str, status: u16, challenge: &str) {
    assert_eq!((answer.status.as_u16(), answer.header("www-authenticate")), (status, challenge), "{:?}", answer.body);
    if method != "HEAD" {
        assert!(answer.failure(status).contains("auth.tokens_file"), "{:?}", answer.body);
    }
}

#[tokio::test]
async fn every_route_checks_the_scope_of_the_token_before_any_call() {
    let (_server, cluster, _secret, controller) = started(&[]).await;
    for path in paths() {
        for method in METHODS.into_iter().filter(|method| !is_open(method, &path)) {
            refused(&ask(&controller, method, &path, None).await, method, 401, "Bearer");
            let strange = ask(&controller, method, &path, Some(STRANGE)).await;
            refused(&strange, method, 401, r#"Bearer error="invalid_token""#);
            if !["GET", "HEAD"].contains(&method) {
                let reader = ask(&controller, method, &path, Some(READ)).await;
                refused(&reader, method, 403, r#"Bearer error="insufficient_scope", scope="write""#);
            }
        }
    }
    assert_eq!(cluster.calls().total, 0);
}

#[tokio::test]
async fn a_token_that_is_good_for_a_route_opens_it() {
    let (_server, _cluster, _secret, controller) = started(&[("throttle.unlimited", "true")]).await;
    let shut = |answer: &Answer| [401, 403].contains(&answer.status.as_u16());
    for path in paths() {
        for method in METHODS {
            let writer = ask(&controller, method, &path, Some(WRITE)).await;
            assert!(!shut(&writer), "{method} {path}: {:?}", writer.body);
        }
        for method in ["GET", "HEAD"] {
            let reader = ask(&controller, method, &path, Some(READ)).await;
            assert!(!shut(&reader), "{method} {path}: {:?}", reader.body);
        }
    }
    assert_eq!(ask(&controller, "GET", "/services", Some(READ)).await.status, 200);
}

#[tokio::test]
async fn open_routes_need_no_token_under_their_exact_path_alone() {
    let (_server, _cluster, _secret, controller) = started(&[]).await;
    for path in ["/", "/openapi.json"] {
        for token in [None, Some(STRANGE), Some(READ)] {
            let status = ask(&controller, "GET", path, token).await.status.as_u16();
            assert!(![401, 403].contains(&status), "{path}: {status}");
        }
        assert_eq!(ask(&controller, "POST", path, None).await.status, 401, "{path}");
    }
    for path in ["//", "/%2f", "/openapi.json/", "/openapi%2ejson", "/OPENAPI.json", "/;/"] {
        assert_eq!(ask(&controller, "GET", path, None).await.status, 401, "{path}");
    }
    assert_eq!(ask(&controller, "GET", "/services?/openapi.json", None).await.status, 401);
    for path in ["/readyz", "/livez"] {
        assert_eq!(controller.health(path).await.0, 200, "{path}");
    }
}

#[tokio::test]
async fn a_refused_body_is_not_waited_for_and_takes_no_place() {
    let (_server, cluster, _secret, controller) = started(&[("server.max_waiting", "1")]).await;
    let post = controller.request(Method::POST, "/services").body("x".repeat(1 << 20));
    // The answer may come, and the connection end, while the body is still on its way.
    if let Ok(response) = post.send().await {
        assert_eq!(response.status(), 401);
    }
    assert_eq!(ask(&controller, "GET", "/services", Some(READ)).await.status, 200);
    assert_eq!(cluster.calls().of("create", "deployments"), 0);
}

#[tokio::test]
async fn metrics_are_open_unless_they_are_to_be_guarded() {
    let (_server, _cluster, _secret, open) = started(&[]).await;
    assert!(open.metrics_page().await.0.starts_with("text/plain"));
    let (_server, _cluster, _secret, guarded) = started(&[("auth.metrics", "true")]).await;
    let metrics = guarded.metrics_request();
    let ask = async |token: &str| send(metrics.try_clone().unwrap().bearer_auth(token)).await;
    refused(&send(metrics.try_clone().unwrap()).await, "GET", 401, "Bearer");
    refused(&ask(STRANGE).await, "GET", 401, r#"Bearer error="invalid_token""#);
    for token in [READ, WRITE] {
        let page = metrics.try_clone().unwrap().bearer_auth(token).send().await.unwrap();
        assert!(page.status() == 200 && page.text().await.unwrap().contains("aenv_controller_"), "{token}");
    }
}

async fn status_by(replica: &Replica, method: Method, path: &str, token: &str) -> u16 {
    let request = reqwest::Client::new().request(method, format!("http://{}{path}", replica.api));
    request.bearer_auth(token).send().await.unwrap().status().as_u16()
}

#[tokio::test]
async fn tokens_change_with_their_secret_and_never_reach_the_log() {
    const NEXT: &str = "second-0123456789abcdef";
    let (_server, cluster) = sandboxed::start().await;
    let mut secret = Secret::of(&[("tokens", &tokens())]);
    let replica = Replica::start(|command| {
        command.args(["--kubeconfig".as_ref(), cluster.kubeconfig_path().as_os_str()]);
        set(command, ("auth.tokens_file", &secret.path("tokens")));
        command.env("RUST_LOG", "trace");
    })
    .await;
    let list = async |token| status_by(&replica, Method::GET, "/services", token).await;
    assert_eq!((list(READ).await, list(NEXT).await, list(STRANGE).await), (200, 401, 401));
    for (token, status) in [(WRITE, 200), (READ, 403)] {
        assert_eq!(status_by(&replica, Method::DELETE, "/services/tides", token).await, status);
    }

    secret.publish(&[("tokens", &format!("{NEXT} read next"))]);
    until("the new token is known", async || list(NEXT).await == 200).await;
    assert_eq!((list(READ).await, list(WRITE).await), (401, 401));
    secret.publish(&[("tokens", &format!("{NEXT} read\n{STRANGE} admin\nshort-secret write"))]);
    until("the broken file is told", async || {
        list(NEXT).await;
        replica.process.log().contains("tokens have changed, but cannot be used")
    })
    .await;
    assert_eq!((list(NEXT).await, list(STRANGE).await), (200, 401));

    let metrics = reqwest::get(format!("http://{}/metrics", replica.metrics)).await.unwrap().text().await.unwrap();
    let log = replica.whole_log().await;
    for secret in [READ, WRITE, STRANGE, NEXT, "short-secret", "0123456789abcdef"] {
        assert!(!log.contains(secret), "{secret} is in\n{log}");
    }
    for words in [
        "tokens:2: behind the token stands neither read nor write",
        "tokens:3: the token has fewer than 16 characters",
        "🔑 Callers need a token: 1 for reading, 1 for writing",
        "delete service tides owner=- by=ci-1 outcome=ok ",
        "DELETE /services/tides 403 ",
        "GET /services 401 ",
    ] {
        assert!(log.contains(words), "{words} is missing in\n{log}");
    }
    for outcome in ["applied", "refused"] {
        let line =
            format!("aenv_controller_credential_reloads_total{{credential=\"tokens\",outcome=\"{outcome}\"}} 1\n");
        assert!(metrics.contains(&line), "no {line} in\n{metrics}");
    }
}

#[tokio::test]
async fn without_tokens_the_trail_names_nobody() {
    let (_server, cluster) = sandboxed::start().await;
    let replica = Replica::on(&cluster, &[]).await;
    assert_eq!(status_by(&replica, Method::DELETE, "/services/tides", STRANGE).await, 200);
    let log = replica.log_with("DELETE /services/tides 200 ").await;
    assert!(log.contains("delete service tides owner=- outcome=ok ") && !log.contains("by="), "{log}");
}

#[tokio::test]
async fn faults_of_tokens_and_certificates_come_in_one_message() {
    let (_server, cluster) = sandboxed::start().await;
    for subcommand in ["serve", "check-config", "doctor", "sandbox"] {
        let (code, _, stderr) = run(|command, home| {
            fs::write(home.join("tokens"), format!("hunter2 read\n{READ} read\n{READ} write\n")).unwrap();
            command.arg(subcommand).env("KUBECONFIG", cluster.kubeconfig_path());
            set(command, ("auth.tokens_file", "tokens"));
            set(command, ("tls.cert_file", "none.crt"));
            set(command, ("tls.key_file", "none.key"));
            set(command, ("tls.client_ca_file", "tokens"));
        })
        .await;
        assert_eq!(code, 64, "{subcommand}: {stderr}");
        for words in [
            "tokens:1: the token has fewer than 16 characters",
            "tokens:3: the token of line 2 again",
            "none.crt: cannot be read: ",
            "none.key: cannot be read: ",
            "tokens: holds no certificate (PEM)",
        ] {
            assert!(stderr.contains(words), "{subcommand}: {words} is missing in {stderr}");
        }
        assert!(!stderr.contains("hunter2") && !stderr.contains(READ), "{stderr}");
    }
}

#[tokio::test]
async fn half_a_setting_is_refused_and_opens_nothing() {
    for (given, needed) in [
        (("auth.metrics", "true"), "auth.tokens_file"),
        (("tls.cert_file", "tls.crt"), "tls.key_file"),
        (("tls.key_file", "tls.key"), "tls.cert_file"),
        (("tls.client_ca_file", "ca.crt"), "tls.cert_file"),
    ] {
        let (code, _, stderr) = run(|command, _| {
            command.arg("check-config");
            set(command, given);
        })
        .await;
        let last = stderr.lines().last().unwrap();
        assert_eq!((code, stderr.lines().count()), (64, 2), "{stderr}");
        assert!(last.starts_with(given.0) && last.contains(needed), "{stderr}");
    }
}
