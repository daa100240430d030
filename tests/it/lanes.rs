//! Many at once, and calls that hang: writes, reads and callers do not stand in each other's way.

use crate::support::controller::{Controller, send};
use crate::support::{Cluster, on_every_cluster, sandboxed, seed};
use aenv_controller::sandbox::{Faults, Rule};
use reqwest::Method;
use serde_json::{Value, json};
use std::time::Duration;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep, timeout};

fn instance() -> Value {
    json!({
        "name": "tides", "version": "3.4",
        "artifacts": [{"type": "image", "content": "registry.example.com/aenv/tides:3.4"}],
        "deployConfig": {"ttl": "45m"}
    })
}

async fn a_thousand_creates_at_once_are_all_made(cluster: Cluster) {
    let controller = Controller::on(&cluster).await;
    let began = Instant::now();
    let posts = (0..1000).map(|_| send(controller.request(Method::POST, "/pods").json(&instance())));
    let answers = posts.collect::<JoinSet<_>>().join_all().await;
    let refused: Vec<_> = answers.iter().filter(|answer| answer.status != 201).collect();
    assert!(refused.is_empty(), "{} of 1000, the first of them {:?}", refused.len(), refused[0].body);
    eprintln!("1000 creates took {:?}", began.elapsed());
}

on_every_cluster! { a_thousand_creates_at_once_are_all_made }

#[tokio::test]
async fn hung_creates_leave_reads_their_places() {
    let (server, cluster) = sandboxed::start().await;
    seed::weather(&cluster).await;
    let controller = Controller::on(&cluster).await;
    let hang = Rule { verb: Some("create".into()), hang: true, ..Rule::default() };
    server.set_faults(Faults { rules: vec![hang], ..Faults::default() });
    let mut creates = JoinSet::new();
    for _ in 0..20 {
        creates.spawn(send(controller.request(Method::POST, "/pods").json(&instance())));
    }
    let hung = async {
        while server.calls().in_flight < 6 {
            sleep(Duration::from_millis(5)).await;
        }
    };
    timeout(Duration::from_secs(10), hung).await.unwrap();
    for path in ["/services", "/pods", "/pods/none"] {
        let answer = timeout(Duration::from_secs(5), controller.get(path)).await;
        assert!([200, 404].contains(&answer.unwrap().status.as_u16()), "{path}");
    }
    server.set_faults(Faults::default());
    assert!(creates.join_all().await.iter().all(|answer| answer.status == 201));
}
