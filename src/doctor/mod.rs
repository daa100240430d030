//! Examines what the controller depends on, for `controller doctor`: can the API server be reached, are the rights
//! there, what do the lists cost, and which setting should change.
//!
//! All calls pass the one limited client, one after the other; nothing is written to the cluster. Each part measures
//! and then judges, and judging is a pure function: `reach` the API server itself, `rights`, `pages`, `priority` (API
//! Priority and Fairness). [`report`] says it.

mod pages;
mod priority;
mod reach;
pub mod report;
mod rights;

use crate::call::{Call, Operation};
use crate::cluster::inspect::Exchange;
use crate::cluster::{Cluster, Error, ListPlan, Resource};
use crate::throttle::Rate;
use pages::Measured;
use report::{Report, Severity, millis};
use serde_json::Value;
use std::io;
use tokio::time::{Duration, Instant, sleep};

/// About how many calls an examination makes.
const CALLS: u32 = 28;

/// A wait for our own limit that is not worth a word.
const UNNOTICED: Duration = Duration::from_secs(2);

/// How often a call waits for its turn when our own limit does not let it through. Nobody else uses the limit, so the
/// second time it should pass; the others are for an API server that makes the limit narrower in the meantime.
const TURNS: u32 = 5;

/// The resources that the controller lists.
const LISTED: [Resource; 3] = [Resource::Deployments, Resource::Services, Resource::Pods];

/// What is examined, in plain values.
#[derive(Debug, Clone)]
pub struct Patient {
    /// The namespace of all objects.
    pub namespace: String,
    /// Where the API server is, as the kubeconfig has it.
    pub address: String,
    /// Objects a page.
    pub page_size: u32,
    /// How lists are asked for.
    pub list_plan: ListPlan,
    /// After how long a request is given up, and each call of the examination.
    pub request_deadline: Duration,
    /// How long connecting may take.
    pub connect_timeout: Duration,
    /// How long the API server may be silent.
    pub read_timeout: Duration,
    /// How long lists are answered from memory.
    pub list_ttl: Duration,
    /// How many calls may be made. `None`: without a limit.
    pub rate: Option<Rate>,
}

/// Examines the API server behind `cluster`; takes about thirty calls.
///
/// # Errors
/// If the report cannot be written. What is wrong with the cluster is told in the report.
pub async fn examine(patient: &Patient, cluster: &Cluster, report: &mut Report<'_>) -> io::Result<()> {
    if let Some(pace) = pace(patient) {
        report.line(Severity::Note, "pace", &pace)?;
    }
    let asking = Asking { cluster, deadline: patient.request_deadline };
    if !reach::examine(patient, &asking, report).await? {
        return Ok(());
    }
    let namespace_is_read = reach::examine_namespace(patient, &asking, report).await?;
    rights::examine(patient, &asking, report).await?;
    let mut measured = Vec::new();
    for resource in LISTED {
        measured.push(pages::examine(resource, patient, &asking, report).await?);
    }
    if !namespace_is_read && measured.iter().all(Measured::is_empty) {
        report.keep([reach::perhaps_no_namespace(patient)]);
    }
    report.keep(pages::judge_pace(&measured, patient));
    priority::examine(&measured, &asking, report).await
}

/// How slow the examination itself is under a small limit.
fn pace(patient: &Patient) -> Option<String> {
    let Rate { qps, burst } = patient.rate?;
    let takes = Duration::try_from_secs_f64(f64::from(CALLS.saturating_sub(burst)) / qps).unwrap_or(Duration::MAX);
    (takes > UNNOTICED).then(|| {
        let takes = millis(takes);
        format!("throttle.qps {qps} and throttle.burst {burst} stretch the {CALLS} calls of this to about {takes}")
    })
}

/// One call after the other, each within a deadline of its own.
struct Asking<'a> {
    cluster: &'a Cluster,
    deadline: Duration,
}

impl Asking<'_> {
    async fn get(&self, resource: &'static str, path: &str) -> Result<Exchange, Error> {
        let operation = Operation { verb: "get", resource };
        self.in_turn(async |call| self.cluster.look_at(operation, path, &call).await).await
    }

    async fn create(&self, resource: &'static str, path: &str, document: &Value) -> Result<Exchange, Error> {
        let operation = Operation { verb: "create", resource };
        self.in_turn(async |call| self.cluster.ask(operation, path, document, &call).await).await
    }

    async fn first_page(&self, resource: Resource) -> Result<Exchange, Error> {
        self.in_turn(async |call| self.cluster.look_at_first_page(resource, &call).await).await
    }

    async fn in_turn(&self, exchange: impl AsyncFn(Call) -> Result<Exchange, Error>) -> Result<Exchange, Error> {
        for _ in 1..TURNS {
            match exchange(Call::until(Instant::now() + self.deadline)).await {
                Err(Error::Refused(refused)) => sleep(refused.retry_after).await,
                outcome => return outcome,
            }
        }
        exchange(Call::until(Instant::now() + self.deadline)).await
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    /// One with the default settings.
    pub(crate) fn patient() -> Patient {
        Patient {
            namespace: "aenv-sandbox".to_owned(),
            address: "https://10.0.0.1:6443/".to_owned(),
            page_size: 500,
            list_plan: ListPlan::Paged,
            request_deadline: Duration::from_secs(25),
            connect_timeout: Duration::from_secs(3),
            read_timeout: Duration::from_secs(20),
            list_ttl: Duration::from_secs(2),
            rate: Some(Rate { qps: 50.0, burst: 100 }),
        }
    }

    #[test]
    fn a_small_limit_is_said_to_take_time() {
        assert_eq!(pace(&patient()), None);
        assert_eq!(pace(&Patient { rate: None, ..patient() }), None);
        let slow = pace(&Patient { rate: Some(Rate { qps: 2.0, burst: 8 }), ..patient() }).unwrap();
        assert!(slow.ends_with("about 10.0 s"), "{slow}");
    }
}
