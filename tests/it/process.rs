//! The `controller` binary as a process: its exit codes, its first lines, its silence, its end.

use crate::support::replica::{Replica, run, set, until};
use crate::support::{Cluster, on_every_cluster, sandboxed, seed};
use aenv_controller::sandbox::{ApiServer, Faults};
use reqwest::{Response, StatusCode};
use serde_json::{Value, json};
use std::fs;
use std::io::{Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::time::Duration;
use tokio::time::sleep;

on_every_cluster! {
    a_replica_that_nobody_asks_asks_nothing,
}

/// Much longer than any wait, so that an end within that is none that was waited for in vain.
const LONG_DRAIN: (&str, &str) = ("server.drain_ms", "120000");

#[tokio::test]
async fn without_a_cluster_it_says_what_it_tried_and_how_to_do_without() {
    let (code, stdout, stderr) = run(|_, _| ()).await;
    assert_eq!((code, &*stdout, stderr.lines().count()), (1, "", 1), "{stderr}");
    for word in ["--kubeconfig", "$KUBECONFIG", "KUBERNETES_SERVICE_HOST", ".kube/config", "controller sandbox"] {
        assert!(stderr.contains(word), "{word} is missing in {stderr}");
    }
}

#[tokio::test]
async fn a_kubeconfig_that_cannot_be_used_is_named_and_not_passed_over() {
    let (code, _, stderr) = run(|command, home| {
        fs::create_dir(home.join(".kube")).unwrap();
        fs::write(home.join(".kube/config"), "{}").unwrap();
        command.env("KUBECONFIG", "/nowhere/kubeconfig");
    })
    .await;
    assert_eq!((code, stderr.lines().count()), (1, 1), "{stderr}");
    assert!(stderr.contains("/nowhere/kubeconfig") && stderr.contains("$KUBECONFIG"), "{stderr}");
}

#[tokio::test]
async fn the_doctors_exit_code_is_its_verdict() {
    let (server, cluster) = sandboxed::start().await;
    let doctor = async |key| {
        run(|command, _| {
            command.arg("doctor").args(["--namespace", cluster.namespace()]);
            command.env("KUBECONFIG", cluster.kubeconfig_path());
            set(command, key);
        })
        .await
    };
    let (code, stdout, stderr) = doctor(("memo.list_ttl_ms", "2000")).await;
    assert_eq!((code, &*stderr), (0, ""), "{stdout}");
    let (code, stdout, _) = doctor(("memo.list_ttl_ms", "0")).await;
    assert!(code == 2 && stdout.contains("⚠️  All lists together"), "{code}: {stdout}");
    let (code, stdout, _) = doctor(("throttle.qps", "0")).await;
    assert_eq!((code, &*stdout), (64, ""));
    server.set_faults(Faults { outage: true, ..Faults::default() });
    let (code, stdout, _) = doctor(("memo.list_ttl_ms", "2000")).await;
    assert!(code == 1 && stdout.contains("❌ API server"), "{code}: {stdout}");
}

#[tokio::test]
async fn a_port_that_is_taken_is_named() {
    let (_server, cluster) = sandboxed::start().await;
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = taken.local_addr().unwrap().port().to_string();
    let (code, _, stderr) = run(|command, _| {
        command.env("KUBECONFIG", cluster.kubeconfig_path()).args(["--server-port", &port]);
    })
    .await;
    assert_eq!(code, 1, "{stderr}");
    let last = stderr.lines().last().unwrap();
    assert!(last.contains("server.port") && last.contains(&port), "{stderr}");
}

#[tokio::test]
async fn bad_settings_are_refused_all_at_once() {
    let (code, stdout, stderr) = run(|command, home| {
        let file = home.join("controller.yaml");
        fs::write(&file, "memo:\n  list_ttl_ms: soon\n  zork: 1\nretry:\n  max_attempts: 0\n").unwrap();
        set(command, ("throttle.burst", "0"));
        command.args(["--config".as_ref(), file.as_os_str()]).args(["--qps", "0", "--server-port", "http"]);
    })
    .await;
    assert_eq!((code, &*stdout), (64, ""), "{stderr}");
    for key in [
        "memo.list_ttl_ms",
        "memo.zork",
        "retry.max_attempts",
        "throttle.burst",
        "throttle.qps",
        "server.port",
        "AENV_CONTROLLER__THROTTLE__BURST",
        "--qps",
        "controller.yaml",
    ] {
        assert!(stderr.contains(key), "{key} is missing in {stderr}");
    }
}

#[tokio::test]
async fn broken_templates_are_told_with_their_places() {
    let (_server, cluster) = sandboxed::start().await;
    for subcommand in ["check-config", "doctor"] {
        let (code, _, stderr) = run(|command, home| {
            let dir = home.join("templates");
            fs::create_dir(&dir).unwrap();
            let pod = "kind: Pod\nspec:\n  containers:\n    - name: main\n      image: [7]\n";
            fs::write(dir.join("singleContainer.yaml"), pod).unwrap();
            fs::write(dir.join("service.yaml"), "kind: Service\nspec: [\n").unwrap();
            command.env("KUBECONFIG", cluster.kubeconfig_path());
            command.args([subcommand.as_ref(), "--templates-dir".as_ref(), dir.as_os_str()]);
        })
        .await;
        assert_eq!(code, 64, "{subcommand}: {stderr}");
        for words in ["templates/singleContainer.yaml:5:", "spec.containers[0].image", "templates/service.yaml:"] {
            assert!(stderr.contains(words), "{subcommand}: {words} is missing in {stderr}");
        }
    }
    assert_eq!(cluster.calls().total, 0);
}

#[tokio::test]
async fn bad_usage_is_64_and_to_ask_for_help_is_none() {
    for line in [["nonsense", "--qps=5"], ["sandbox", "--services=many"], ["serve", "--config"]] {
        let (code, stdout, stderr) = run(|command, _| _ = command.args(line)).await;
        assert_eq!((code, &*stdout, stderr.is_empty()), (64, "", false), "{line:?}");
    }
    for (line, says) in [
        ("--help", "controller sandbox"),
        ("-h", "Usage:"),
        ("--version", env!("CARGO_PKG_VERSION")),
        ("-V", "controller "),
    ] {
        let (code, stdout, stderr) = run(|command, _| _ = command.arg(line)).await;
        assert_eq!((code, &*stderr), (0, ""), "{line}");
        assert!(stdout.contains(says), "{line}: {stdout}");
    }
}

#[tokio::test]
async fn check_config_prints_a_settings_file() {
    let (code, printed, stderr) = run(|command, _| {
        command.args(["check-config", "--qps", "7.5", "--burst", "9", "--namespace", "elsewhere"]);
        command.env("SERVICE_DOMAIN_SUFFIX", "svc.example.com");
    })
    .await;
    assert_eq!((code, &*stderr), (0, ""));
    for line in ["  qps: 7.5", "  burst: 9", "  port: 0"] {
        assert!(printed.lines().any(|printed| printed == line), "{line} is missing in\n{printed}");
    }
    assert!(printed.contains("elsewhere") && printed.contains("svc.example.com"), "{printed}");
    let (code, again, stderr) = run(|command, home| {
        let file = home.join("controller.yaml");
        fs::write(&file, &printed).unwrap();
        command.env_clear().args(["check-config".as_ref(), "--config".as_ref(), file.as_os_str()]);
    })
    .await;
    assert_eq!((code, again, &*stderr), (0, printed, ""));
}

#[tokio::test]
async fn the_helm_charts_arguments_start_it_with_the_runbooks_lines() {
    let (_server, cluster) = sandboxed::start().await;
    seed::deployment("weather-main").create(&cluster).await;
    let replica = Replica::start(|command| {
        command.args(["--namespace", "aenv-sandbox", "--leader-elect", "false", "--burst", "100"]);
        command.env("KUBECONFIG", cluster.kubeconfig_path()).env("SERVICE_DOMAIN_SUFFIX", "svc.cluster.local");
    })
    .await;
    assert_eq!(replica.get("/services").await.unwrap().status(), StatusCode::OK);
    let log = replica.log_with("GET /services 200 ").await;
    let mut lines = log.lines();
    for line in [
        "flags accepted without effect: --leader-elect",
        "🔧 API Rate Limiting configured: QPS=50, Burst=100",
        "🔗 Shared Kubernetes client",
        "🎯 On-demand lists, no reflector",
        "✅ Ready on ",
        "GET /services 200 ",
    ] {
        assert!(lines.any(|logged| logged.contains(line)), "{line} is missing, or not in its place, in\n{log}");
    }
}

#[tokio::test]
async fn an_unknown_flag_is_a_warning_that_only_check_config_refuses() {
    let (code, _, stderr) = run(|command, _| _ = command.args(["check-config", "--qqs=5", "--logtostderr"])).await;
    assert_eq!(code, 64, "{stderr}");
    assert_eq!(
        stderr,
        "unknown flag --qqs (did you mean --qps?)\nWarning: flags accepted without effect: --logtostderr\n"
    );
    let (_server, cluster) = sandboxed::start().await;
    let replica = Replica::start(|command| {
        command.args(["--qqs", "5", "-burst=7"]).env("KUBECONFIG", cluster.kubeconfig_path());
    })
    .await;
    let log = replica.process.log();
    for line in ["unknown flags are ignored: --qqs (did you mean --qps?)\n", "QPS=50, Burst=7"] {
        assert!(log.contains(line), "{line} is missing in\n{log}");
    }
}

#[tokio::test]
async fn the_templates_namespace_wins_over_a_flag_with_a_warning() {
    let (_server, cluster) = sandboxed::start().await;
    let folder = tempfile::tempdir().unwrap();
    let pod = format!(
        "kind: Pod\nmetadata: {{namespace: {}}}\nspec: {{containers: [{{name: main}}]}}\n",
        cluster.namespace()
    );
    fs::write(folder.path().join("singleContainer.yaml"), pod).unwrap();
    seed::deployment("weather-main").create(&cluster).await;
    let replica = Replica::start(|command| {
        command.args(["--namespace", "aenv", "--templates-dir"]).arg(folder.path());
        command.env("KUBECONFIG", cluster.kubeconfig_path());
    })
    .await;
    let answer: Value = replica.get("/services").await.unwrap().json().await.unwrap();
    assert_eq!(answer["data"].as_array().unwrap().len(), 1, "{answer}");
    let warning = "--namespace aenv does not move them: set kubernetes.namespace";
    assert_eq!(replica.process.log().matches(warning).count(), 1, "{}", replica.process.log());
}

async fn a_replica_that_nobody_asks_asks_nothing(cluster: Cluster) {
    /// Many times as long as answers are kept, and longer than the lease of a leader would be left alone.
    const IDLE: Duration = Duration::from_millis(2500);
    seed::deployment("weather-main").create(&cluster).await;
    seed::pod("weather-3ue90w").ttl("1ms").create(&cluster).await;
    cluster.reset_calls();
    let replica = Replica::on(&cluster, &[("memo.list_ttl_ms", "200"), ("memo.get_ttl_ms", "200")]).await;
    sleep(IDLE).await;
    assert_eq!(replica.readiness().await, StatusCode::OK);
    assert!(reqwest::get(format!("http://{}/metrics", replica.metrics)).await.unwrap().status().is_success());
    assert_eq!(cluster.calls().total, 0, "before anybody asked");
    for path in ["/services", "/pods?filter=expired", "/pods/weather-3ue90w"] {
        assert_eq!(replica.get(path).await.unwrap().status(), StatusCode::OK, "{path}");
    }
    let used = cluster.calls();
    // The version is asked for before the first list; the sandbox does not count that.
    let objects = used.total - used.of("get", "");
    assert_eq!((used.of("list", "deployments"), used.of("list", "pods"), objects), (1, 1, 4));
    sleep(IDLE).await;
    assert_eq!(cluster.calls(), used, "after it was used");
}

/// A replica in front of a sandbox that does not answer, and a request that waits for it.
async fn hanging(keys: &[(&str, &str)]) -> (ApiServer, Replica, tokio::task::JoinHandle<reqwest::Result<Response>>) {
    let (server, cluster) = sandboxed::start().await;
    let replica = Replica::on(&cluster, keys).await;
    server.set_faults(Faults { hang: true, ..Faults::default() });
    let asked = tokio::spawn(reqwest::get(format!("http://{}/services", replica.api)));
    until("the request is under way", async || server.calls().in_flight > 0).await;
    (server, replica, asked)
}

#[tokio::test]
async fn requests_under_way_end_before_the_process_does() {
    let (server, mut replica, asked) = hanging(&[LONG_DRAIN]).await;
    assert_eq!(replica.readiness().await, StatusCode::OK);
    replica.process.signal("TERM");
    until("it is not ready any more", async || replica.readiness().await == StatusCode::SERVICE_UNAVAILABLE).await;
    until("new connections are refused", async || TcpStream::connect(replica.api).is_err()).await;
    assert!(!asked.is_finished() && replica.process.exited().is_none());
    server.set_faults(Faults::default());
    assert_eq!(asked.await.unwrap().unwrap().json::<Value>().await.unwrap()["data"], json!([]));
    assert_eq!(replica.ended().await, 0, "{}", replica.process.log_tail());
    assert!(replica.process.log().contains("drained"), "{}", replica.process.log_tail());
}

#[tokio::test]
async fn requests_that_do_not_end_are_cut_off_after_the_drain() {
    let (_server, mut replica, asked) = hanging(&[("server.drain_ms", "300")]).await;
    replica.process.signal("TERM");
    assert_eq!(replica.ended().await, 0);
    assert!(asked.await.unwrap().is_err());
    assert!(replica.process.log().contains("cut off"), "{}", replica.process.log_tail());
}

#[tokio::test]
async fn an_idle_connection_does_not_hold_up_the_end() {
    let (_server, cluster) = sandboxed::start().await;
    let mut replica = Replica::on(&cluster, &[LONG_DRAIN]).await;
    let mut idle = TcpStream::connect(replica.api).unwrap();
    let unused = TcpStream::connect(replica.api).unwrap();
    idle.write_all(b"GET /nope HTTP/1.1\r\nHost: x\r\n\r\n").unwrap();
    let mut status = [0; 12];
    idle.read_exact(&mut status).unwrap();
    assert_eq!(status.escape_ascii().to_string(), "HTTP/1.1 404");
    replica.process.signal("TERM");
    assert_eq!(replica.ended().await, 0);
    assert!(replica.process.log().contains("drained"), "{}", replica.process.log_tail());
    drop((idle, unused));
}

#[tokio::test]
async fn a_second_signal_ends_it_at_once() {
    let (_server, mut replica, asked) = hanging(&[LONG_DRAIN]).await;
    replica.process.signal("TERM");
    until("it drains", async || replica.readiness().await == StatusCode::SERVICE_UNAVAILABLE).await;
    replica.process.signal("INT");
    assert_eq!(replica.ended().await, 0);
    assert!(asked.await.unwrap().is_err(), "{}", replica.process.log_tail());
    assert!(replica.process.log().contains("ending at once"), "{}", replica.process.log_tail());
}

#[tokio::test]
async fn the_sandbox_says_what_to_type_next_and_leaves_nothing_behind() {
    let mut replica = Replica::start(|command| _ = command.args(["sandbox", "--services=3", "--pods=5"])).await;
    until("it says what to type next", async || replica.process.log().contains("Ctrl-C ends it.")).await;
    let log = replica.process.log();
    let api = format!("http://localhost:{}", replica.api.port());
    for line in [
        format!("curl {api}/services"),
        "aenv service list".to_owned(),
        format!("curl {api}/sandbox/calls"),
        format!("curl -X DELETE {api}/sandbox/faults"),
    ] {
        assert!(log.contains(&line), "{line} is missing in\n{log}");
    }
    let kubeconfig = log.split_once("kubectl --kubeconfig ").unwrap().1.split(' ').next().unwrap();
    assert!(fs::read_to_string(kubeconfig).unwrap().contains("current-context: sandbox"));
    replica.process.signal("INT");
    assert_eq!(replica.ended().await, 0, "{}", replica.process.log_tail());
    assert!(!Path::new(kubeconfig).exists() && !Path::new(kubeconfig).parent().unwrap().exists());
}

#[tokio::test]
async fn the_sandbox_is_counted_and_made_faulty_at_the_controllers_port() {
    let replica = Replica::start(|command| _ = command.args(["sandbox", "--services=3", "--pods=5"])).await;
    let rows = async |path| {
        let answer: Value = replica.get(path).await.unwrap().json().await.unwrap();
        answer["data"].as_array().map(Vec::len)
    };
    let calls = async || replica.get("/sandbox/calls").await.unwrap().json::<Value>().await.unwrap();
    assert_eq!(calls().await["total"], 0);
    assert_eq!((rows("/services").await, rows("/pods").await), (Some(3), Some(5)));
    assert_eq!(calls().await["total"], 3);

    let faults = format!("http://{}/sandbox/faults", replica.api);
    let client = reqwest::Client::new();
    let refused = client.put(&faults).body(r#"{"zork": 1}"#).send().await.unwrap();
    assert_eq!(refused.status(), StatusCode::BAD_REQUEST);
    let rule = json!({"rules": [{"verb": "get", "resource": "pods", "status": 403}]});
    let put = client.put(&faults).json(&rule).send().await.unwrap();
    assert_eq!((put.status(), put.json::<Value>().await.unwrap()), (StatusCode::OK, rule));
    // The list has just shown that there is no such pod.
    let nope = async || {
        let now = client.get(format!("http://{}/pods/nope", replica.api)).header("cache-control", "no-cache");
        now.send().await.unwrap().status()
    };
    assert_eq!(nope().await, StatusCode::BAD_GATEWAY);
    assert!(client.delete(&faults).send().await.unwrap().status().is_success());
    assert_eq!(nope().await, StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn every_write_is_audited_without_values_of_variables() {
    const SECRET: &str = "hunter2-of-mira";
    let (server, cluster) = sandboxed::start().await;
    let replica = Replica::start(|command| {
        command.args(["--kubeconfig".as_ref(), cluster.kubeconfig_path().as_os_str()]);
        set(command, ("envhub.url", &server.url()));
        command.env("RUST_LOG", "debug");
    })
    .await;
    let variables = json!({"PASSWORD": SECRET});
    let deploy = json!({"serviceName": "tides-live", "owner": "mira", "environment_variables": variables});
    let body = json!({
        "name": "tides", "artifacts": [{"type": "image", "content": "registry.example.com/aenv/tides:3.4"}],
        "deployConfig": deploy
    });
    let mut wrong = body.clone();
    wrong["deployConfig"]["environment_variables"] = json!({"NO NAME": SECRET, "NO_TEXT": [SECRET]});
    let by_name = json!({"envName": "weather@7", "environment_variables": variables});
    for (method, path, body, status) in [
        ("POST", "/services", &body, 201),
        ("POST", "/services", &body, 409),
        ("POST", "/services", &wrong, 400),
        ("POST", "/pods", &body, 201),
        ("POST", "/env-service", &by_name, 200),
        ("POST", "/env-instance", &by_name, 200),
        ("PUT", "/services/tides-live", &json!({"environment_variables": variables}), 200),
        ("PUT", "/services/tides-gone", &json!({"environment_variables": variables}), 404),
        ("DELETE", "/services/tides-live", &json!(null), 200),
        ("DELETE", "/pods/tides-gone", &json!(null), 404),
    ] {
        let request = reqwest::Client::new().request(method.parse().unwrap(), format!("http://{}{path}", replica.api));
        let answer = request.header("env-instance-trace-id", "t-77").json(body).send().await.unwrap();
        assert_eq!(answer.status(), status, "{method} {path}");
    }
    let log = replica.log_with("DELETE /pods/tides-gone 404 ").await;
    assert!(!log.contains(SECRET), "{log}");
    let trail: Vec<_> = log.lines().filter(|line| line.contains("audit] ")).collect();
    assert_eq!(trail.len(), 9, "one for each write that was begun: {trail:#?}");
    assert!(trail.iter().all(|line| line.contains("ms request=") && line.ends_with(" trace=t-77")), "{trail:#?}");
    for words in [
        "create service tides-live owner=mira outcome=ok ",
        "create service tides-live owner=mira outcome=409 ",
        "update service tides-gone owner=- outcome=404 ",
        "delete service tides-live owner=- outcome=ok ",
        "delete instance tides-gone owner=- outcome=404 ",
    ] {
        assert!(trail.iter().any(|line| line.contains(words)), "{words} is missing in {trail:#?}");
    }
}
