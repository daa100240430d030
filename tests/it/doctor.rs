//! `controller doctor`: what it finds, what it says, and that it changes nothing.

use crate::support::controller::settings;
use crate::support::live::ApiServer;
use crate::support::{Cluster, on_an_api_server, on_every_cluster, sandboxed, seed, write_kubeconfig};
use aenv_controller::app;
use aenv_controller::app::doctor::Severity;
use aenv_controller::sandbox::{Faults, Rule};
use serde_json::json;
use std::fs;
use std::net::TcpListener;
use std::path::Path;

on_every_cluster! {
    a_cluster_that_is_well_is_measured_and_left_alone,
    further_pages_are_foretold,
    a_namespace_that_does_not_exist_is_wrong,
    a_small_limit_is_waited_for,
    a_list_in_one_piece_has_no_pages,
}

on_an_api_server! {
    rights_that_are_missing_come_with_the_rule_that_grants_them,
    the_rights_that_the_readme_asks_for_are_enough,
    the_priority_level_is_told_by_its_name,
    credentials_that_are_not_accepted_end_it,
    a_certificate_of_a_stranger_is_told_as_one,
}

/// The doctor's report on a cluster, and its severity.
async fn examine(cluster: &Cluster, keys: &[(&str, &str)]) -> (Severity, String) {
    examine_at(cluster.kubeconfig_path(), cluster.namespace(), keys).await
}

async fn examine_at(kubeconfig: &Path, namespace: &str, keys: &[(&str, &str)]) -> (Severity, String) {
    let mut report = Vec::new();
    let severity = app::doctor::examine(&settings(kubeconfig, namespace, keys), &mut report).await.unwrap();
    (severity, String::from_utf8(report).unwrap())
}

/// Its report on an API server at `address` that is not there as it should be.
async fn examine_address(address: &str) -> String {
    let folder = tempfile::tempdir().unwrap();
    let kubeconfig = folder.path().join("kubeconfig");
    write_kubeconfig(&kubeconfig, address, "anyone", "default");
    let (severity, report) = examine_at(&kubeconfig, "default", &[]).await;
    assert_eq!(severity, Severity::Wrong, "{report}");
    report
}

#[track_caller]
fn expect(report: &str, words: &[&str]) {
    for words in words {
        assert!(report.contains(words), "{words:?} is missing in:\n{report}");
    }
}

/// The line about a resource: `list`, `pods`.
#[track_caller]
fn line<'a>(report: &'a str, label: &str, resource: &str) -> &'a str {
    let of_both = |line: &&str| line.split_whitespace().skip(1).take(2).eq([label, resource]);
    report.lines().find(of_both).unwrap_or_else(|| panic!("no line {label} {resource} in:\n{report}"))
}

async fn a_cluster_that_is_well_is_measured_and_left_alone(cluster: Cluster) {
    seed::deployment("weather-main").create(&cluster).await;
    seed::service("weather-main", 9000).create(&cluster).await;
    seed::create_all(&cluster, ["weather-1", "weather-2", "weather-3"].map(seed::pod)).await;
    cluster.reset_calls();

    let (severity, report) = examine(&cluster, &[]).await;
    // A note, since both clusters let this account do anything.
    assert_eq!(severity, Severity::Note, "{report}");
    expect(&report, &["✅ API server", "first answer after", "exists", "more than needed", "Verdict: all is well"]);
    for (resource, verbs) in [
        ("deployments", "get, list, create, update, patch, delete"),
        ("services", "get, list, create, patch, delete"),
        ("pods", "get, list, create, patch, delete"),
        ("persistentvolumeclaims", "get, create, patch, delete"),
    ] {
        assert!(line(&report, "rights", resource).ends_with(&format!(" {verbs}")), "{report}");
    }
    assert!(line(&report, "list", "pods").contains(", 3 rows, "), "{report}");
    assert!(line(&report, "list", "services").ends_with("all of them"), "{report}");
    assert!(!report.contains("token"), "{report}");

    let calls = cluster.calls();
    let harmless = |verb: &str, resource: &str| {
        matches!((verb, resource), ("get" | "list", _) | ("create", "selfsubjectaccessreviews"))
    };
    assert!(calls.by.iter().all(|call| harmless(&call.verb, &call.resource)), "{calls:?}");
    assert_eq!(calls.of("create", "selfsubjectaccessreviews"), 21);
}

async fn further_pages_are_foretold(cluster: Cluster) {
    seed::create_all(&cluster, (0..5).map(|n| seed::pod(format!("weather-{n}")))).await;
    let (_, report) = examine(&cluster, &[("list.page_size", "2")]).await;
    expect(line(&report, "list", "pods"), &["200 in ", ", 2 rows, ", "the first of 3 pages"]);
}

async fn a_list_in_one_piece_has_no_pages(cluster: Cluster) {
    seed::create_all(&cluster, (0..5).map(|n| seed::pod(format!("weather-{n}")))).await;
    let (_, report) = examine(&cluster, &[("list.page_size", "2"), ("list.plan", "watch_cache")]).await;
    assert!(line(&report, "list", "pods").ends_with("all of them"), "{report}");
}

async fn a_namespace_that_does_not_exist_is_wrong(cluster: Cluster) {
    let (severity, report) = examine_at(cluster.kubeconfig_path(), "nowhere", &[]).await;
    assert_eq!(severity, Severity::Wrong, "{report}");
    expect(&report, &["There is no namespace nowhere", "kubectl create namespace nowhere", "--namespace"]);
}

async fn a_small_limit_is_waited_for(cluster: Cluster) {
    let keys = [("throttle.qps", "12"), ("throttle.burst", "1"), ("throttle.max_wait_ms", "0")];
    let (severity, report) = examine(&cluster, &keys).await;
    assert_eq!(severity, Severity::Note, "{report}");
    expect(&report, &["stretch the 29 calls"]);
    assert!(!report.contains("refused"), "{report}");
}

#[tokio::test]
async fn an_overloaded_api_server_is_told_with_what_to_change() {
    let (server, cluster) = sandboxed::start().await;
    let rule = Rule { verb: Some("list".into()), status: Some(429), retry_after_s: Some(1), ..Rule::default() };
    server.set_faults(Faults { rules: vec![rule], ..Faults::default() });
    let (severity, report) = examine(&cluster, &[]).await;
    assert_eq!(severity, Severity::Wrong, "{report}");
    expect(line(&report, "list", "pods"), &["❌", "429, come back after 1.0 s"]);
    expect(&report, &["turns calls away (429)", "lower throttle.qps", "raise memo.list_ttl_ms"]);
    assert_eq!(server.calls().count("list", "pods"), 1, "it does not add to the load");
}

#[tokio::test]
async fn an_api_server_in_trouble_is_not_asked_for_every_right() {
    let (server, cluster) = sandboxed::start().await;
    server.set_faults(Faults { rules: vec![Rule { status: Some(503), ..Rule::default() }], ..Faults::default() });
    let (severity, report) = examine(&cluster, &[]).await;
    assert_eq!(severity, Severity::Wrong, "{report}");
    expect(&report, &["Which rights there are is not known", "is answered with 503"]);
    assert_eq!(server.calls().count("create", "selfsubjectaccessreviews"), 1);
}

#[tokio::test]
async fn a_hung_api_server_is_given_up_at_the_deadline() {
    let (server, cluster) = sandboxed::start().await;
    server.set_faults(Faults { hang: true, ..Faults::default() });
    let (severity, report) = examine(&cluster, &[("server.request_deadline_ms", "300")]).await;
    assert_eq!(severity, Severity::Wrong, "{report}");
    expect(&report, &["does not answer within 300 ms (server.request_deadline_ms)"]);
}

#[tokio::test]
async fn a_list_that_hangs_wants_smaller_pages() {
    let (server, cluster) = sandboxed::start().await;
    let rule = Rule { verb: Some("list".into()), resource: Some("pods".into()), hang: true, ..Rule::default() };
    server.set_faults(Faults { rules: vec![rule], ..Faults::default() });
    let (severity, report) = examine(&cluster, &[("kubernetes.read_timeout_ms", "300")]).await;
    assert_eq!(severity, Severity::Wrong, "{report}");
    expect(&report, &["A page of pods is not there within 300 ms", "list.page_size: 100"]);
    assert!(line(&report, "list", "services").starts_with("✅"), "{report}");
}

#[tokio::test]
async fn an_address_that_does_not_serve_is_told_in_plain_words() {
    let free = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    expect(&examine_address(&format!("http://{free}")).await, &["Nothing listens at", "connection refused"]);
    expect(&examine_address("https://api.invalid:6443").await, &["does not resolve", "DNS"]);
    let (server, _cluster) = sandboxed::start().await;
    expect(&examine_address(&server.url().replace("http", "https")).await, &["TLS: ", "does not speak it"]);
}

#[tokio::test]
async fn a_kubeconfig_that_cannot_be_used_is_part_of_the_report() {
    let (severity, report) = examine_at(Path::new("/nowhere/kubeconfig"), "default", &[]).await;
    assert_eq!(severity, Severity::Wrong);
    expect(&report, &["❌ cluster", "/nowhere/kubeconfig"]);
}

async fn rights_that_are_missing_come_with_the_rule_that_grants_them() {
    let server = ApiServer::shared().await;
    let all = json!(["get", "list", "create", "patch", "delete"]);
    let cluster = server
        .cluster_with_rights(json!([
            {"apiGroups": [""], "resources": ["services", "pods", "persistentvolumeclaims"], "verbs": all},
            {"apiGroups": ["apps"], "resources": ["deployments"], "verbs": ["get", "list"]},
        ]))
        .await;
    let (severity, report) = examine(&cluster, &[]).await;
    assert_eq!(severity, Severity::Wrong, "{report}");
    assert!(
        line(&report, "rights", "deployments").ends_with("get, list, but not create, update, patch, delete"),
        "{report}"
    );
    expect(line(&report, "rights", "pods"), &["✅"]);
    let rule = r#"
     - apiGroups: ["apps"]
       resources: ["deployments"]
       verbs: ["create", "update", "patch", "delete"]
"#;
    expect(&report, &[rule, "may not be read, and need not be", "flow schema uid", "Nothing at all is in namespace"]);
    assert!(!report.contains("more than needed"), "{report}");
}

async fn the_rights_that_the_readme_asks_for_are_enough() {
    let server = ApiServer::shared().await;
    let cluster = server
        .cluster_with_rights(json!([
            {"apiGroups": ["apps"], "resources": ["deployments"], "verbs": ["get", "list", "create", "update", "patch", "delete"]},
            {"apiGroups": [""], "resources": ["services"], "verbs": ["get", "list", "create", "patch", "delete"]},
            {"apiGroups": [""], "resources": ["pods"], "verbs": ["get", "list", "create", "patch", "delete"]},
            {"apiGroups": [""], "resources": ["persistentvolumeclaims"], "verbs": ["get", "create", "patch", "delete"]},
        ]))
        .await;
    seed::pod("weather-1").create(&cluster).await;
    let (severity, report) = examine(&cluster, &[]).await;
    assert_eq!(severity, Severity::Fine, "{report}");
    expect(&report, &["Verdict: all is well, nothing to change."]);
}

async fn the_priority_level_is_told_by_its_name() {
    let server = ApiServer::shared().await;
    let (_, report) = examine(&server.cluster().await, &[]).await;
    expect(&report, &["exempt, by flow schema exempt", "nothing but throttle.qps protects the API server"]);
}

async fn credentials_that_are_not_accepted_end_it() {
    let server = ApiServer::shared().await;
    let cluster = server.cluster().await;
    let file = fs::read_to_string(cluster.kubeconfig_path()).unwrap();
    let token = format!("{}-token", cluster.namespace().replace("aenv-", "aenv-controller-"));
    assert!(file.contains(&token));
    let folder = tempfile::tempdir().unwrap();
    let kubeconfig = folder.path().join("kubeconfig");
    fs::write(&kubeconfig, file.replace(&token, "s3cret")).unwrap();
    let (severity, report) = examine_at(&kubeconfig, cluster.namespace(), &[]).await;
    assert_eq!(severity, Severity::Wrong, "{report}");
    expect(&report, &["does not accept the credentials (401)"]);
    assert!(!report.contains("s3cret") && !report.contains("rights"), "{report}");
}

async fn a_certificate_of_a_stranger_is_told_as_one() {
    let server = ApiServer::shared().await;
    let cluster = server.cluster().await;
    let file = fs::read_to_string(cluster.kubeconfig_path()).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let kubeconfig = folder.path().join("kubeconfig");
    let checked = file.replace(r#""insecure-skip-tls-verify":true"#, r#""insecure-skip-tls-verify":false"#);
    assert_ne!(checked, file);
    fs::write(&kubeconfig, checked).unwrap();
    let (_, report) = examine_at(&kubeconfig, cluster.namespace(), &[]).await;
    expect(&report, &["TLS: the certificate of", "certificate-authority"]);
}
