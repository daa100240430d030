//! Renewal: a new time to live for an instance that exists.
//!
//! A time to live is stored as a label and counts from the Pod's creation, for api-service's clean-up and for ours. A
//! renewal is meant from now on, so the label becomes the Pod's age plus what is asked for.

use super::view::InstanceRow;
use super::{GET_POD, Instances};
use crate::aenv::rows::{Interner, Listing, One};
use crate::call::{Call, ambient};
use crate::cluster::{Error, Failed, Resource, slim};
use crate::syntax::{ObjectName, TTL, format_go_duration};
use serde_json::json;
use std::sync::Arc;
use tokio::time::Duration;

const RENEW_POD: &str = "failed to renew pod";

impl Instances {
    /// Lets the instance `name` live for `ttl` from now on; `None`: for ever.
    ///
    /// # Errors
    /// [`Failed`]; a Pod that does not exist is the API server's 404, and one that is being deleted is 409.
    pub(crate) async fn renew_instance(
        &self,
        name: ObjectName,
        ttl: Option<Duration>,
        call: Call,
    ) -> Result<One<InstanceRow>, Failed> {
        let (cluster, write) = (Arc::clone(self.writer.cluster()), self.reader.begin_write(&name).by(&call));
        let renew = move |call: Call| async move {
            let pod = cluster.get::<slim::Pod>(Resource::Pods, &name, &call).await.map_err(Failed::to(GET_POD))?;
            if pod.metadata.deleted_since().is_some() {
                return Err(Failed::to(RENEW_POD)(Error::being_deleted(Resource::Pods, &name)));
            }
            let label = ttl.map(|ttl| format_go_duration(age(&pod) + ttl));
            let patch = json!({"metadata": {"uid": pod.metadata.uid, "labels": {TTL: label}}});
            let renewed = cluster.merge_patch::<slim::Pod>(Resource::Pods, &name, &patch, &call).await;
            match renewed {
                Ok(pod) => {
                    let renewed = One::new(InstanceRow::new(pod, ambient::now(), &mut Interner::default()));
                    write.stored(Listing::Single(renewed.clone()));
                    Ok(renewed)
                }
                Err(error) => {
                    if error.leaves_outcome_open() {
                        write.touched();
                    }
                    Err(Failed::to(RENEW_POD)(error))
                }
            }
        };
        self.writer.finish(RENEW_POD, call, renew).await
    }
}

/// The time since the Pod's creation, in whole seconds, rounded up; zero if the clocks disagree.
fn age(pod: &slim::Pod) -> Duration {
    let created = pod.metadata.created_at();
    let age = created.and_then(|created| Duration::try_from(ambient::now().duration_since(created)).ok());
    Duration::from_secs(age.map_or(0, |age| age.as_secs() + 1))
}
