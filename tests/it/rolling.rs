//! Replicas that are replaced one by one while callers ask: none of them notices.

use crate::support::replica::{Replica, until};
use crate::support::{Cluster, on_every_cluster, seed};
use reqwest::{Client, StatusCode};
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::task::JoinSet;
use tokio::time::sleep;

/// Longer than the load balancer below takes to notice, several times over.
const KEYS: [(&str, &str); 1] = [("server.lame_duck_ms", "1500")];

/// Knowledge of a load balancer: where the API of each replica is, and whether it was ready a moment ago.
#[derive(Clone, Default)]
struct Balancer(Arc<Mutex<Vec<(SocketAddr, SocketAddr)>>>);

impl Balancer {
    fn add(&self, replica: &Replica) {
        self.0.lock().unwrap().push((replica.api, replica.health));
    }

    fn members(&self) -> Vec<(SocketAddr, SocketAddr)> {
        self.0.lock().unwrap().clone()
    }

    /// Asks each replica now and then whether it is ready, and sends nothing more to one that is not.
    async fn check(self) {
        loop {
            for (api, health) in self.members() {
                let ready =
                    reqwest::get(format!("http://{health}/readyz")).await.is_ok_and(|it| it.status().is_success());
                if !ready {
                    self.0.lock().unwrap().retain(|member| member.0 != api);
                }
            }
            sleep(Duration::from_millis(50)).await;
        }
    }

    /// Asks one after the other, on kept-alive connections, until told to stop. Gives the answers that were not 200.
    async fn ask(self, mut turn: usize) -> Vec<String> {
        let (client, mut failed) = (Client::new(), Vec::new());
        loop {
            let members = self.members();
            if members.is_empty() {
                return failed;
            }
            let (api, _) = members[turn % members.len()];
            turn += 1;
            let path = ["/services", "/pods?envName=weather", "/pods/weather-0"][turn % 3];
            match client.get(format!("http://{api}{path}")).send().await {
                Ok(answer) if answer.status() == StatusCode::OK => {
                    answer.bytes().await.map_or_else(|error| failed.push(format!("{path}: {error:?}")), drop);
                }
                Ok(answer) => failed.push(format!("{path}: {}", answer.status())),
                Err(error) => failed.push(format!("{path}: {error:?}")),
            }
            sleep(Duration::from_millis(2)).await;
        }
    }
}

async fn three_replicas_are_replaced_and_no_request_fails(cluster: Cluster) {
    seed::create_all(&cluster, (0..6).map(|n| seed::deployment(format!("weather-{n}")).env("weather"))).await;
    seed::create_all(&cluster, (0..6).map(|n| seed::pod(format!("weather-{n}")).env("weather"))).await;
    let balancer = Balancer::default();
    let mut replicas = Vec::new();
    for _ in 0..3 {
        let replica = Replica::on(&cluster, &KEYS).await;
        balancer.add(&replica);
        replicas.push(replica);
    }
    let mut checks = JoinSet::new();
    checks.spawn(balancer.clone().check());
    let mut callers = JoinSet::new();
    for n in 0..6 {
        callers.spawn(balancer.clone().ask(n));
    }
    for _ in 0..3 {
        let mut old = replicas.remove(0);
        let new = Replica::on(&cluster, &KEYS).await;
        balancer.add(&new);
        replicas.push(new);
        old.process.signal("TERM");
        assert_eq!(old.ended().await, 0, "{}", old.process.log_tail());
        until("it has been noticed", async || !balancer.members().iter().any(|(api, _)| *api == old.api)).await;
    }
    balancer.0.lock().unwrap().clear();
    let failed: Vec<_> = callers.join_all().await.into_iter().flatten().collect();
    assert!(failed.is_empty(), "{} failed, among them {:?}", failed.len(), &failed[..failed.len().min(3)]);
}

on_every_cluster! {
    three_replicas_are_replaced_and_no_request_fails,
}
