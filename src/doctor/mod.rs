//! Examination of what the controller depends on, for `controller doctor`: can the API server be reached, are the rights
//! there, what do the lists cost, and which setting should change.
//!
//! All calls pass the one limited client, one after the other; nothing is written to the cluster. Each part measures
//! and then judges, and judging is a pure function: `reach` the API server itself, `rights`, `pages`, `priority` (API
//! Priority and Fairness), `definitions` (custom resources). [`report`] says it.

mod definitions;
mod pages;
mod patient;
mod priority;
mod probe;
mod reach;
pub(crate) mod report;
mod rights;

pub(crate) use patient::Patient;

use crate::cluster::{Cluster, Resource};
use crate::throttle::Rate;
use pages::Measured;
use probe::Probe;
use report::{Report, Severity, millis};
use std::io;
use tokio::time::Duration;

/// About how many calls an examination makes.
const CALLS: u32 = 29;

/// A wait for our own limit that is not worth a word.
const UNNOTICED: Duration = Duration::from_secs(2);

/// The resources that the controller lists.
const LISTED: [Resource; 3] = [Resource::Deployments, Resource::Services, Resource::Pods];

/// Examines the API server behind `cluster`; takes about thirty calls.
///
/// # Errors
/// If the report cannot be written. What is wrong with the cluster is told in the report.
pub(crate) async fn examine(patient: &Patient, cluster: &Cluster, report: &mut Report<'_>) -> io::Result<()> {
    if let Some(pace) = pace(patient) {
        report.line(Severity::Note, "pace", &pace)?;
    }
    let probe = Probe::new(cluster, patient.request_deadline);
    if !reach::examine(patient, &probe, report).await? {
        return Ok(());
    }
    let namespace_is_read = reach::examine_namespace(patient, &probe, report).await?;
    rights::examine(patient, &probe, report).await?;
    let mut measured = Vec::new();
    for resource in LISTED {
        measured.push(pages::examine(resource, patient, &probe, report).await?);
    }
    if !namespace_is_read && measured.iter().all(Measured::is_empty) {
        report.keep([reach::perhaps_no_namespace(patient)]);
    }
    report.keep(pages::judge_pace(&measured, patient));
    priority::examine(&measured, &probe, report).await?;
    definitions::examine(&probe, report).await
}

/// A line about how slow the examination itself is under a small limit.
fn pace(patient: &Patient) -> Option<String> {
    let Rate { qps, burst } = patient.rate?;
    let takes = Duration::try_from_secs_f64(f64::from(CALLS.saturating_sub(burst)) / qps).unwrap_or(Duration::MAX);
    (takes > UNNOTICED).then(|| {
        let takes = millis(takes);
        format!("throttle.qps {qps} and throttle.burst {burst} stretch the {CALLS} calls of this to about {takes}")
    })
}

#[cfg(test)]
mod tests {
    use super::patient::tests::patient;
    use super::*;

    #[test]
    fn a_small_limit_is_said_to_take_time() {
        assert_eq!(pace(&patient()), None);
        assert_eq!(pace(&Patient { rate: None, ..patient() }), None);
        let slow = pace(&Patient { rate: Some(Rate { qps: 2.0, burst: 8 }), ..patient() }).unwrap();
        assert!(slow.ends_with("about 10.5 s"), "{slow}");
    }
}
