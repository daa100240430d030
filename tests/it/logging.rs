//! What the process logs: as text, as JSON, down to which level.

use crate::support::replica::{Replica, set};
use crate::support::sandboxed;
use jiff::Timestamp;
use serde_json::Value;

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
