//! What the process logs: as text, as JSON, down to which level.

use crate::support::replica::{Replica, set};
use crate::support::sandboxed;
use aenv_controller::sandbox::Faults;
use jiff::Timestamp;
use reqwest::Client;
use serde_json::{Value, json};

/// The log of a controller that has been asked for its services.
async fn asked(prepare: impl FnOnce(&mut std::process::Command)) -> String {
    let (_server, cluster) = sandboxed::start().await;
    let replica = Replica::start(|command| {
        command.args(["--kubeconfig".as_ref(), cluster.kubeconfig_path().as_os_str()]);
        prepare(command);
    })
    .await;
    assert_eq!(replica.get("/services").await.unwrap().status(), 200);
    // A request is logged before it is answered.
    replica.process.log()
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
    (replica.process.log(), other.headers()["x-request-id"].to_str().unwrap().to_owned())
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
}
