//! Snapshots of what the command line says: help, checks of settings, and the doctor's reports.

use crate::support::replica::{run, set};
use crate::support::snapshot::{assert_snapshot, without_numbers};
use crate::support::{Cluster, sandboxed};
use aenv_controller::sandbox::{Faults, Rule};
use std::fs;
use std::process::Command;

/// A run as a terminal shows it, with its exit code.
fn shown((code, stdout, stderr): (i32, String, String)) -> String {
    format!("{stdout}{stderr}exit {code}\n")
}

#[tokio::test]
async fn help() {
    for (name, line) in [
        ("help", &["--help"][..]),
        ("sandbox-help", &["sandbox", "--help"]),
        ("doctor-help", &["doctor", "--help"]),
        ("sweep-help", &["sweep", "--help"]),
        ("check-config-help", &["check-config", "--help"]),
    ] {
        assert_snapshot(name, &shown(run(|command, _| _ = command.args(line)).await));
    }
}

/// `controller check-config` with this settings file.
async fn check(yaml: &str) -> String {
    let ended = run(|command, home| {
        fs::write(home.join("controller.yaml"), yaml).unwrap();
        command.env_clear().args(["check-config", "--config", "controller.yaml"]);
    })
    .await;
    shown(ended).replace(env!("CARGO_PKG_VERSION"), "VERSION")
}

#[tokio::test]
async fn check_config() {
    assert_snapshot("check-config", &check("throttle:\n  qps: 20\nmemo:\n  list_ttl_ms: 5000\n").await);
    let bad = "\
throttle:
  qps: 0
  burst: ten
server:
  port: \"8080\"
  readiness_port: 70000
retry:
  initial_ms: 100
  max_ms: 50
memo:
  list_ttl: 5000
  max_bytes: 1
lists:
  page_size: 100
";
    assert_snapshot("check-config-bad", &check(bad).await);
}

/// The doctor's report, without what differs from run to run.
async fn examine(cluster: &Cluster, server: &str) -> String {
    let (code, report, _log) = run(|command: &mut Command, _| {
        command.arg("doctor").args(["--namespace", cluster.namespace()]);
        command.env("KUBECONFIG", cluster.kubeconfig_path());
        set(command, ("throttle.qps", "1000"));
    })
    .await;
    let report = shown((code, report, String::new()));
    let report =
        report.replace(&cluster.kubeconfig_path().display().to_string(), "KUBECONFIG").replace(server, "SERVER");
    without_numbers(&report.replace("under 1 ms", "0 ms"), &["ms", "s", "B", "kB"])
}

#[tokio::test]
async fn doctor() {
    let (server, cluster) = sandboxed::start_seeded(12, 30).await;
    assert_snapshot("doctor", &examine(&cluster, &server.url()).await);
    let rule = Rule { verb: Some("list".into()), status: Some(429), retry_after_s: Some(1), ..Rule::default() };
    server.set_faults(Faults { rules: vec![rule], ..Faults::default() });
    assert_snapshot("doctor-overloaded", &examine(&cluster, &server.url()).await);
}
