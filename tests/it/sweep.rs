//! Removing many instances at once, and renewing the time to live of one.

use crate::support::controller::{Controller, settings};
use crate::support::{Cluster, on_every_cluster, seed};
use aenv_controller::app::sweep::{Sweeping, sweep};
use serde_json::{Value, json};
use std::time::Duration;

on_every_cluster! {
    expired_instances_are_removed_by_one_list_and_a_delete_each,
    a_dry_run_tells_and_removes_nothing,
    the_instances_of_an_environment_are_removed_at_the_end_of_a_run,
    a_deletion_without_a_narrowing_is_refused_and_costs_nothing,
    a_slip_in_the_query_is_refused_and_costs_nothing,
    a_renewed_instance_outlives_its_first_time_to_live,
    a_renewal_may_be_for_ever,
    a_renewal_that_cannot_be_meant_is_refused_and_costs_nothing,
    the_command_removes_finished_instances_and_incomplete_services,
}

/// Over as soon as the pod is there: times of creation are cut to the second.
const NO_TIME: &str = "1ms";

/// Two expired instances and two that stay.
async fn seeded(cluster: &Cluster) -> Controller {
    seed::pod("old-a").env("weather").ttl(NO_TIME).create(cluster).await;
    seed::pod("old-b").env("browser").ttl(NO_TIME).create(cluster).await;
    seed::pod("young").env("weather").ttl("1h").create(cluster).await;
    seed::pod("eternal").env("browser").create(cluster).await;
    let controller = Controller::on(cluster).await;
    cluster.reset_calls();
    controller
}

fn names(listed: &Value) -> Vec<&str> {
    let mut names: Vec<_> = listed.as_array().unwrap().iter().map(|row| row["id"].as_str().unwrap()).collect();
    names.sort_unstable();
    names
}

async fn expired_instances_are_removed_by_one_list_and_a_delete_each(cluster: Cluster) {
    let controller = seeded(&cluster).await;
    let answer = controller.delete("/pods?filter=expired").await;
    let calls = cluster.calls();
    let swept = &answer.body["data"];
    assert_eq!(names(&swept["removed"]), ["old-a", "old-b"], "{:?}", answer.body);
    assert!(swept["removed"].as_array().unwrap().iter().all(|row| row["reason"] == "expired"));
    assert_eq!((&swept["failed"], &swept["dry_run"]), (&json!([]), &json!(false)));
    assert_eq!((calls.of("list", "pods"), calls.of("delete", "pods"), calls.total), (1, 2, 3));
    let left = controller.ids("/pods").await;
    assert!(left.contains(&"young".to_owned()) && left.contains(&"eternal".to_owned()), "{left:?}");
    assert_eq!(controller.ids("/pods?filter=expired").await, [""; 0]);
}

async fn a_dry_run_tells_and_removes_nothing(cluster: Cluster) {
    let controller = seeded(&cluster).await;
    let answer = controller.delete("/pods?filter=expired&dryRun=true").await;
    assert_eq!(names(&answer.body["data"]["removed"]), ["old-a", "old-b"]);
    assert_eq!(answer.body["data"]["dry_run"], true);
    assert_eq!(cluster.calls().of("delete", "pods"), 0);
}

async fn the_instances_of_an_environment_are_removed_at_the_end_of_a_run(cluster: Cluster) {
    let controller = seeded(&cluster).await;
    let answer = controller.delete("/pods?envName=weather").await;
    let removed = &answer.body["data"]["removed"];
    assert_eq!(names(removed), ["old-a", "young"]);
    assert_eq!(removed[0]["reason"], "selected");
}

async fn a_deletion_without_a_narrowing_is_refused_and_costs_nothing(cluster: Cluster) {
    let controller = seeded(&cluster).await;
    for path in ["/pods", "/pods?envName=", "/pods?dryRun=true"] {
        let answer = controller.delete(path).await;
        let message = answer.failure(400);
        assert!(message.contains("envName"), "{path}: {message}");
    }
    assert_eq!(cluster.calls().total, 0);
}

async fn a_slip_in_the_query_is_refused_and_costs_nothing(cluster: Cluster) {
    let controller = seeded(&cluster).await;
    for path in ["/pods?filter=old", "/pods?envName=weather&onwer=jun", "/pods?envName=a,b", "/pods?envName=a&dryRun=1"]
    {
        controller.delete(path).await.failure(400);
    }
    assert_eq!(cluster.calls().total, 0);
}

async fn a_renewed_instance_outlives_its_first_time_to_live(cluster: Cluster) {
    let controller = seeded(&cluster).await;
    let answer = controller.put("/pods/old-a", &json!({"ttl": "2h"})).await;
    assert_eq!(answer.body["data"]["id"], "old-a", "{:?}", answer.body);
    let ttl = answer.body["data"]["ttl"].as_str().unwrap();
    assert!(ttl.starts_with("2h0m"), "its age and two hours: {ttl}");
    assert_eq!(controller.ids("/pods?filter=expired").await, ["old-b"]);
    assert_eq!(controller.get("/pods/old-a").await.body["data"]["ttl"], ttl);
    let calls = cluster.calls();
    assert_eq!((calls.of("patch", "pods"), calls.of("update", "pods")), (1, 0));
}

async fn a_renewal_may_be_for_ever(cluster: Cluster) {
    let controller = seeded(&cluster).await;
    for (name, ttl) in [("old-a", Value::Null), ("old-b", json!(""))] {
        let answer = controller.put(&format!("/pods/{name}"), &json!({"ttl": ttl})).await;
        assert_eq!(answer.body["data"]["ttl"], "", "{:?}", answer.body);
    }
    assert_eq!(controller.ids("/pods?filter=expired").await, [""; 0]);
}

async fn a_renewal_that_cannot_be_meant_is_refused_and_costs_nothing(cluster: Cluster) {
    let controller = seeded(&cluster).await;
    for ttl in [json!("soon"), json!("-5m"), json!("0s"), json!(30), json!("9999999h"), json!({})] {
        let answer = controller.put("/pods/old-a", &json!({"ttl": ttl})).await;
        let message = answer.failure(400);
        assert!(message.starts_with("ttl: "), "{ttl}: {message}");
    }
    assert!(controller.put("/pods/old-a", &json!({})).await.failure(400).contains("ttl"));
    assert_eq!(cluster.calls().total, 0);
    controller.put("/pods/none", &json!({"ttl": "1h"})).await.failure(404);
}

async fn the_command_removes_finished_instances_and_incomplete_services(cluster: Cluster) {
    seed::pod("done").phase("Succeeded").create(&cluster).await;
    seed::pod("busy").phase("Running").create(&cluster).await;
    seed::pod("old").ttl(NO_TIME).create(&cluster).await;
    let cut_off = seed::deployment("cut-off");
    cut_off.annotation("aenv-controller/request-id", "6b8ad53e-7d6f-4a0b-9a43-0d2d4f1f3f5e").create(&cluster).await;
    seed::deployment("foreign").create(&cluster).await;
    let settings = settings(cluster.kubeconfig_path(), cluster.namespace(), &[]);
    // Times of creation are cut to the second.
    tokio::time::sleep(Duration::from_millis(1100)).await;

    let none = Some(Duration::ZERO);
    let mut sweeping = Sweeping { finished_after: none, incomplete_after: none, dry_run: true };
    let mut report = Vec::new();
    assert!(sweep(&settings, sweeping, &mut report).await.unwrap());
    let expected = ["instance done finished", "instance old expired", "service cut-off incomplete"];
    let told = String::from_utf8(report).unwrap();
    let mut lines: Vec<_> = told.lines().collect();
    assert_eq!(lines.pop(), Some("3 to be removed (dry run), 0 failed"));
    lines.sort_unstable();
    assert_eq!(lines, expected);

    sweeping.dry_run = false;
    assert!(sweep(&settings, sweeping, &mut Vec::new()).await.unwrap());
    let controller = Controller::on(&cluster).await;
    assert_eq!(controller.ids("/services").await, ["foreign"]);
    let mut again = Vec::new();
    assert!(sweep(&settings, sweeping, &mut again).await.unwrap());
    assert_eq!(String::from_utf8(again).unwrap(), "0 removed, 0 failed\n");
}
