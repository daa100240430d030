//! Sweep of services: creates that a killed replica has left half made.
//!
//! A Deployment that one of our creates has made, and whose Service is missing, serves nobody. While it is young the
//! same create may still complete it. Claims stay: a claim may outlive its service on purpose.

use crate::aenv::sweep::{Doomed, Swept, announce_to_nobody, remove};
use crate::call::{Call, Lane, ambient};
use crate::cluster::{Cluster, Failed, ObjectVersion, REQUEST_ID, Resource, slim};
use crate::syntax::{ListFilter, ObjectName};
use jiff::{SignedDuration, Timestamp};
use std::collections::HashSet;
use std::sync::Arc;
use tokio::time::Duration;

/// Removes the incomplete services that were begun more than `older_than` ago.
///
/// # Errors
/// [`Failed`], if a list could not be had in full; then nothing has been removed.
pub(crate) async fn sweep_incomplete_services(
    cluster: &Arc<Cluster>,
    older_than: Duration,
    dry_run: bool,
    call: &Call,
) -> Result<Swept, Failed> {
    let call = call.clone().in_lane(Lane::Bulk);
    let all = ListFilter::default();
    let now = ambient::now();
    // Deployments first: a create that ends between the two lists has both by the second.
    let old = |deployment: slim::Deployment| doom(&deployment, older_than, now);
    let old = cluster.list(Resource::Deployments, &all, &call, old).await;
    let old = old.map_err(Failed::to("failed to list deployments"))?.rows;
    let served = cluster.list(Resource::Services, &all, &call, |service: slim::Service| service.metadata.name).await;
    let served: HashSet<_> = served.map_err(Failed::to("failed to list services"))?.rows.into_iter().collect();
    let doomed = old.into_iter().flatten().filter(|deployment| !served.contains(deployment.name.as_str())).collect();
    Ok(remove(cluster, doomed, dry_run, &announce_to_nobody(), &call).await)
}

fn doom(deployment: &slim::Deployment, older_than: Duration, now: Timestamp) -> Option<Doomed> {
    let metadata = &deployment.metadata;
    let age = now.duration_since(metadata.created_at()?);
    let ours = metadata.annotation(REQUEST_ID).is_some();
    let doomed = ours && metadata.deleted_since().is_none() && age > SignedDuration::try_from(older_than).ok()?;
    let version = ObjectVersion { uid: metadata.uid.clone()?, resource_version: metadata.resource_version.clone()? };
    let name = ObjectName::new(&metadata.name).ok()?;
    doomed.then_some(Doomed { resource: Resource::Deployments, name, version, reason: "incomplete" })
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{from_value, json};

    fn doomed(annotations: serde_json::Value, at: &str) -> bool {
        let deployment = from_value(json!({"metadata": {
            "name": "a", "uid": "u", "resourceVersion": "7", "creationTimestamp": "2026-11-23T07:00:00Z",
            "annotations": annotations
        }}));
        doom(&deployment.unwrap(), Duration::from_secs(600), at.parse().unwrap()).is_some()
    }

    #[test]
    fn only_old_ones_that_one_of_our_creates_has_made_go() {
        let ours = json!({"aenv-controller/request-id": "6b8ad53e-7d6f-4a0b-9a43-0d2d4f1f3f5e"});
        assert!(doomed(ours.clone(), "2026-11-23T07:10:01Z"));
        assert!(!doomed(ours, "2026-11-23T07:10:00Z"));
        assert!(!doomed(json!({}), "2026-11-23T09:00:00Z"));
    }
}
