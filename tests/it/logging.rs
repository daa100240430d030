//! Log lines of the process: as text, as JSON, down to which level.

use crate::support::replica::{PATIENCE, Replica, controller, listeners, set};
use crate::support::sandboxed;
use aenv_controller::sandbox::Faults;
use jiff::Timestamp;
use reqwest::{Client, StatusCode};
use serde_json::{Value, json};
use std::process::{Command, Stdio};
use tokio::io::{AsyncBufReadExt as _, BufReader};
use tokio::time::timeout;

/// The log of a controller that has been asked for its services.
async fn asked(prepare: impl FnOnce(&mut std::process::Command)) -> String {
    let (_server, cluster) = sandboxed::start().await;
    let replica = Replica::start(|command| {
        command.args(["--kubeconfig".as_ref(), cluster.kubeconfig_path().as_os_str()]);
        prepare(command);
    })
    .await;
    assert_eq!(replica.get("/services").await.unwrap().status(), 200);
    replica.whole_log().await
}

#[tokio::test]
async fn text_has_time_level_module_and_message() {
    let log = asked(|_| ()).await;
    let line = log.lines().find(|line| line.contains("GET /services 200 ")).unwrap();
    let (head, _) = line.strip_prefix('[').unwrap().split_once("] GET").unwrap();
    let [time, level, module] = head.split_whitespace().collect::<Vec<_>>().try_into().unwrap();
    assert!(time.parse::<Timestamp>().is_ok(), "{line}");
    assert_eq!((level, module), ("INFO", "aenv_controller::http::access"));
}

/// A caller whose every line is long.
async fn ask_at_length(client: &Client, url: &str) -> StatusCode {
    let request = client.get(url).header("env-instance-trace-id", "t".repeat(200));
    timeout(PATIENCE, request.send()).await.expect("an answer").unwrap().status()
}

#[tokio::test]
async fn a_log_that_nobody_reads_costs_lines_and_no_answers() {
    let (_server, cluster) = sandboxed::start().await;
    let home = tempfile::tempdir().unwrap();
    let mut command = controller(home.path());
    command.args(["--kubeconfig".as_ref(), cluster.kubeconfig_path().as_os_str()]);
    command.stderr(Stdio::piped());
    let mut process = tokio::process::Command::from(command).kill_on_drop(true).spawn().unwrap();
    let mut log = BufReader::new(process.stderr.take().unwrap()).lines();
    let [api, health, metrics] = loop {
        let line = log.next_line().await.unwrap().expect("it is ready") + "\n";
        if let Some(addrs) = listeners(&line) {
            break addrs;
        }
    };
    // Nobody reads from here on: more than pipe and queue hold, then both are full for good.
    let client = Client::new();
    let path = format!("http://{api}/{}", "x".repeat(190));
    let dropped = async || {
        let page = client.get(format!("http://{metrics}/metrics")).send().await.unwrap().text().await.unwrap();
        let line = page.lines().find_map(|line| line.strip_prefix("aenv_controller_log_lines_dropped_total "));
        line.unwrap().parse::<u64>().unwrap()
    };
    assert_eq!(dropped().await, 0);
    while dropped().await == 0 {
        for _ in 0..200 {
            assert_eq!(ask_at_length(&client, &path).await, 404);
        }
    }
    assert_eq!(ask_at_length(&client, &format!("http://{api}/services")).await, 200);
    assert_eq!(ask_at_length(&client, &format!("http://{health}/livez")).await, 200);
    let told = async {
        while !log.next_line().await.unwrap().unwrap().contains(" log lines were dropped: standard error was not read")
        {
        }
    };
    timeout(PATIENCE, told).await.expect("it tells how many lines were dropped");
}

#[tokio::test]
async fn an_end_is_not_held_up_by_a_log_that_nobody_reads() {
    let (_server, cluster) = sandboxed::start().await;
    let home = tempfile::tempdir().unwrap();
    let mut command = controller(home.path());
    command.args(["--kubeconfig".as_ref(), cluster.kubeconfig_path().as_os_str(), "--log-level=trace".as_ref()]);
    command.stderr(Stdio::piped());
    let mut process = tokio::process::Command::from(command).kill_on_drop(true).spawn().unwrap();
    let mut log = BufReader::new(process.stderr.take().unwrap()).lines();
    let [api, ..] = loop {
        let line = log.next_line().await.unwrap().expect("it is ready") + "\n";
        if let Some(addrs) = listeners(&line) {
            break addrs;
        }
    };
    let (client, path) = (Client::new(), format!("http://{api}/{}", "x".repeat(190)));
    // The pipe is full, so that the writer hangs in the middle of a line.
    for _ in 0..400 {
        assert_eq!(ask_at_length(&client, &path).await, 404);
    }
    let pid = process.id().unwrap().to_string();
    assert!(Command::new("sh").args(["-c", r#"kill -s TERM "$0""#, &pid]).status().unwrap().success());
    assert!(timeout(PATIENCE, process.wait()).await.expect("it ends").unwrap().success());
}

#[tokio::test]
async fn json_is_an_object_a_line_and_nothing_else() {
    let log = asked(|command| {
        command.args(["--log-format", "json", "--leader-elect", "--log-level=debug"]);
    })
    .await;
    let lines: Vec<Value> = log.lines().map(|line| serde_json::from_str(line).expect(line)).collect();
    assert!(lines.len() > 4, "{log}");
    for line in &lines {
        assert!(line["timestamp"].as_str().unwrap().parse::<Timestamp>().is_ok(), "{line}");
        assert!(line["level"].is_string() && line["target"].is_string() && line["message"].is_string(), "{line}");
    }
    let asked = lines.iter().find(|line| line["message"].as_str().unwrap().starts_with("GET /services 200 ")).unwrap();
    assert_eq!((&asked["level"], &asked["target"]), (&"INFO".into(), &"aenv_controller::http::access".into()));
    let fields = ["method", "path", "status", "source"].map(|field| asked[field].clone());
    assert_eq!(fields, [json!("GET"), json!("/services"), json!(200), json!("fetch")], "{asked}");
    assert!(asked["ms"].as_f64().unwrap() > 0.0 && asked.get("error").is_none(), "{asked}");
}

#[tokio::test]
async fn the_level_is_a_setting_and_rust_log_is_stronger() {
    let quiet_access = "info,aenv_controller::http::access=warn";
    let by_setting = asked(|command| set(command, ("log.level", quiet_access))).await;
    assert!(by_setting.contains("✅ Ready") && !by_setting.contains("GET /services"), "{by_setting}");
    let by_variable = asked(|command| {
        command.args(["--log-level", quiet_access]).env("RUST_LOG", "info");
    })
    .await;
    assert!(by_variable.contains("GET /services"), "{by_variable}");
}

/// The log of a controller that has answered two requests, one of them with names of its caller's, while each first call
/// to the API server failed; and the id that was made up for the other.
async fn asked_with_retries(format: &str) -> (String, String) {
    let (server, cluster) = sandboxed::start().await;
    let replica = Replica::on(&cluster, &[("log.format", format), ("log.level", "info,aenv_controller=debug")]).await;
    let fail_once = || {
        let rules = json!({"rules": [{"status": 500, "times": 1}]});
        server.set_faults(serde_json::from_value::<Faults>(rules).unwrap());
    };
    fail_once();
    let named = Client::new().get(format!("http://{}/pods", replica.api));
    let named = named.header("x-request-id", "r-4711").header("env-instance-trace-id", "t-77").send().await.unwrap();
    assert_eq!((named.status().as_u16(), &named.headers()["x-request-id"]), (200, &"r-4711".parse().unwrap()));
    fail_once();
    let delete = Client::new().delete(format!("http://{}/services/tides", replica.api));
    let other = delete.header("x-request-id", "not an id").send().await.unwrap();
    assert_eq!(other.status(), 200);
    (replica.whole_log().await, other.headers()["x-request-id"].to_str().unwrap().to_owned())
}

#[tokio::test]
async fn every_line_of_a_request_tells_its_names_in_text() {
    let (log, made_up) = asked_with_retries("text").await;
    for (words, names) in [
        ("cluster::retry] trying again in ", "request=r-4711 trace=t-77"),
        ("access] GET /pods 200 ", "request=r-4711 trace=t-77"),
        ("cluster::retry] trying again in ", &*format!("request={made_up} trace=-")),
        ("audit] delete service tides owner=- outcome=ok ", &format!("request={made_up} trace=-")),
        ("access] DELETE /services/tides 200 ", &format!("request={made_up} trace=-")),
    ] {
        assert!(log.lines().any(|line| line.contains(words) && line.ends_with(names)), "{words}, {names}: {log}");
    }
    assert!(log.lines().any(|line| line.contains("Ready on ") && !line.contains("request=")), "{log}");
}

#[tokio::test]
async fn every_line_of_a_request_tells_its_names_in_json() {
    let (log, made_up) = asked_with_retries("json").await;
    let lines: Vec<Value> = log.lines().map(|line| serde_json::from_str(line).expect(line)).collect();
    for (target, id, trace) in [
        ("aenv_controller::cluster::retry", "r-4711", json!("t-77")),
        ("aenv_controller::http::access", "r-4711", json!("t-77")),
        ("aenv_controller::cluster::retry", &made_up, Value::Null),
        ("audit", &made_up, Value::Null),
        ("aenv_controller::http::access", &made_up, Value::Null),
    ] {
        let told = |line: &&Value| line["target"] == target && line["request_id"] == id && line["trace_id"] == trace;
        assert!(lines.iter().any(|line| told(&line)), "{target}, {id}: {log}");
    }
    let trail = lines.iter().find(|line| line["target"] == "audit").unwrap();
    let fields = ["verb", "kind", "name", "outcome"].map(|field| trail[field].as_str().unwrap());
    assert_eq!(fields, ["delete", "service", "tides", "ok"], "{trail}");
    assert!(trail["ms"].is_f64() && trail.get("owner").is_none(), "nobody is said to own it: {trail}");
}

#[tokio::test]
async fn a_long_method_is_cut_before_it_is_logged() {
    let (_server, cluster) = sandboxed::start().await;
    let replica = Replica::on(&cluster, &[]).await;
    let method = "G".repeat(20_000).parse().unwrap();
    let answer = Client::new().request(method, format!("http://{}/pods", replica.api)).send().await.unwrap();
    assert_eq!(answer.status(), 405);
    let log = replica.log_with(&format!("{}… /pods 405 ", "G".repeat(20))).await;
    assert!(log.lines().all(|line| line.len() < 1_000), "{log}");
}
