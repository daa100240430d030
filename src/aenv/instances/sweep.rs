//! Sweep of instances: which of them go, and for what reason.
//!
//! The list is read for the sweep and never taken from memory.

use super::write::remember_deletion;
use super::{Instances, LIST_PODS, ttl};
use crate::aenv::sweep::{Announce, Doomed, Swept, remove};
use crate::call::{Call, Lane, ambient};
use crate::cluster::{Cluster, Failed, ObjectVersion, Resource, slim};
use crate::syntax::{ListFilter, ObjectName, TTL};
use jiff::{SignedDuration, Timestamp};
use std::sync::Arc;
use tokio::time::Duration;

const SWEEP_PODS: &str = "failed to sweep pods";

/// The instances that a sweep removes. Those that are being deleted already are left alone.
#[derive(Debug, Clone)]
pub(crate) struct Sweep {
    /// Only these.
    pub filter: ListFilter,
    /// Of these, the ones to remove.
    pub take: Take,
    /// Tell what would be removed, and remove nothing.
    pub dry_run: bool,
}

/// The part of the listed instances that a sweep removes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Take {
    /// All of them.
    All,
    /// Those whose time to live has passed.
    Expired {
        /// Those without a time to live too, once they have been finished for so long. `None`: they stay.
        finished_after: Option<Duration>,
    },
}

impl Instances {
    /// Removes the instances that `sweep` means.
    ///
    /// # Errors
    /// [`Failed`], if the list could not be had in full; then nothing has been removed.
    pub(crate) async fn sweep_instances(&self, sweep: Sweep, call: Call) -> Result<Swept, Failed> {
        let (cluster, reader) = (Arc::clone(self.writer.cluster()), self.reader.clone());
        let announce: Announce = Arc::new(move |name: &ObjectName| {
            let write = reader.begin_write(name);
            Box::new(move |outcome| remember_deletion(&write, outcome))
        });
        let write = move |call: Call| async move { sweep_instances(&cluster, sweep, &announce, &call).await };
        self.writer.finish(SWEEP_PODS, call, write).await
    }
}

/// Removes the instances that `sweep` means, and tells `announce` of each.
pub(crate) async fn sweep_instances(
    cluster: &Arc<Cluster>,
    sweep: Sweep,
    announce: &Announce,
    call: &Call,
) -> Result<Swept, Failed> {
    let Sweep { filter, take, dry_run } = sweep;
    let call = call.clone().in_lane(Lane::Bulk);
    // Only expired pods are wanted then, and those carry a time to live.
    let with_ttl = filter.with_ttl || take == Take::Expired { finished_after: None };
    let filter = ListFilter { with_ttl, ..filter };
    let now = ambient::now();
    let listed = cluster.list(Resource::Pods, &filter, &call, |pod: slim::Pod| take.doom(&pod, now)).await;
    let doomed = listed.map_err(Failed::to(LIST_PODS))?.rows.into_iter().flatten().collect();
    Ok(remove(cluster, doomed, dry_run, announce, &call).await)
}

impl Take {
    /// The pod as it is to be removed, if this takes it.
    fn doom(self, pod: &slim::Pod, now: Timestamp) -> Option<Doomed> {
        let metadata = &pod.metadata;
        if metadata.deleted_since().is_some() {
            return None;
        }
        let reason = self.reason(pod, now)?;
        let version =
            ObjectVersion { uid: metadata.uid.clone()?, resource_version: metadata.resource_version.clone()? };
        Some(Doomed { resource: Resource::Pods, name: ObjectName::new(&metadata.name).ok()?, version, reason })
    }

    fn reason(self, pod: &slim::Pod, now: Timestamp) -> Option<&'static str> {
        let Self::Expired { finished_after } = self else { return Some("selected") };
        let metadata = &pod.metadata;
        if let Some(ttl) = metadata.label(TTL) {
            return ttl::has_expired(ttl, metadata.created_at()?, now).then_some("expired");
        }
        let patience = SignedDuration::try_from(finished_after?).ok()?;
        (now.duration_since(pod.finished_at()?) > patience).then_some("finished")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, from_value, json};

    fn pod(labels: Value, status: Value) -> slim::Pod {
        let metadata = json!({
            "name": "a", "uid": "u", "resourceVersion": "7", "creationTimestamp": "2026-11-23T07:00:00Z", "labels": labels
        });
        from_value(json!({"metadata": metadata, "status": status})).unwrap()
    }

    fn reason(take: Take, pod: &slim::Pod, at: &str) -> Option<&'static str> {
        take.doom(pod, at.parse().unwrap()).map(|doomed| doomed.reason)
    }

    const EXPIRED: Take = Take::Expired { finished_after: None };
    const FINISHED: Take = Take::Expired { finished_after: Some(Duration::from_secs(3600)) };

    #[test]
    fn an_expired_pod_is_taken_and_a_younger_one_stays() {
        let pod = pod(json!({"business/aenv-ttl": "30m"}), json!({"phase": "Running"}));
        assert_eq!(reason(EXPIRED, &pod, "2026-11-23T07:30:00Z"), None);
        assert_eq!(reason(EXPIRED, &pod, "2026-11-23T07:30:01Z"), Some("expired"));
    }

    #[test]
    fn a_finished_pod_without_a_time_to_live_is_taken_on_request() {
        let ended = json!({"phase": "Failed", "containerStatuses": [
            {"name": "main", "state": {"terminated": {"exitCode": 1, "finishedAt": "2026-11-23T08:00:00Z"}}}
        ]});
        let pod = pod(json!({}), ended);
        assert_eq!(reason(EXPIRED, &pod, "2026-11-24T08:00:00Z"), None);
        assert_eq!(reason(FINISHED, &pod, "2026-11-23T09:00:00Z"), None);
        assert_eq!(reason(FINISHED, &pod, "2026-11-23T09:00:01Z"), Some("finished"));
    }

    #[test]
    fn a_finished_pod_with_a_time_to_live_keeps_it() {
        let pod = pod(json!({"business/aenv-ttl": "9h"}), json!({"phase": "Succeeded"}));
        assert_eq!(reason(FINISHED, &pod, "2026-11-23T15:00:00Z"), None);
    }

    #[test]
    fn a_pod_that_is_being_deleted_is_left_alone() {
        let deleting: slim::Pod = from_value(json!({"metadata": {
            "name": "a", "uid": "u", "resourceVersion": "7", "creationTimestamp": "2026-11-23T07:00:00Z",
            "deletionTimestamp": "2026-11-23T07:10:00Z"
        }}))
        .unwrap();
        assert_eq!(reason(Take::All, &deleting, "2026-11-23T07:30:00Z"), None);
    }
}
