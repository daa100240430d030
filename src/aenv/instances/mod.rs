//! Environment instances: what AEnvironment means by a Pod.

mod build;
mod renew;
mod sweep;
mod trouble;
mod ttl;
mod view;
mod write;

pub use sweep::{Sweep, Take, sweep_instances};
pub use view::{Detail, EnvInstance, InstanceRow, Item, Particulars, Rfc3339};

use crate::aenv::rows::{Interner, Listing, One, Rows};
use crate::aenv::templates::TemplateStore;
use crate::call::{Call, Lane};
use crate::cluster::{Cluster, Failed, Resource, Writer, slim};
use crate::memo::{Error, Found, Memo, ReadOptions};
use crate::syntax::{ListFilter, ObjectName};
use jiff::Timestamp;
use std::sync::Arc;

const LIST_PODS: &str = "failed to list pods";
const GET_POD: &str = "failed to get pod";

/// The environment instances of the sandbox namespace.
pub struct Instances {
    memo: Memo<Listing<InstanceRow>, Failed>,
    writer: Writer,
    templates: Arc<TemplateStore>,
}

impl Instances {
    /// Instances of the cluster of `writer`, remembered in `memo`, made from `templates`.
    #[must_use]
    pub fn new(writer: Writer, memo: Memo<Listing<InstanceRow>, Failed>, templates: Arc<TemplateStore>) -> Self {
        Self { memo, writer, templates }
    }

    /// The instances that `filter` asks for.
    ///
    /// # Errors
    /// [`Error`], if the list could not be had in full.
    pub async fn list_instances(
        &self,
        filter: ListFilter,
        options: ReadOptions,
    ) -> Result<Found<Rows<InstanceRow>>, Error<Failed>> {
        let (cluster, asked) = (Arc::clone(self.writer.cluster()), filter.clone());
        let lane = if filter.with_ttl { Lane::Bulk } else { Lane::Read };
        let fetch = move |call: Call| async move { list(&cluster, &asked, &call.in_lane(lane)).await };
        Listing::list(&self.memo, filter, options, fetch).await
    }

    /// The instances that `filter` asks for and whose time to live has passed. Only those that carry one are
    /// fetched; those that are being deleted already are left out.
    ///
    /// # Errors
    /// As [`Instances::list_instances`].
    pub async fn list_expired_instances(
        &self,
        filter: ListFilter,
        options: ReadOptions,
    ) -> Result<Found<Rows<InstanceRow>>, Error<Failed>> {
        let found = self.list_instances(ListFilter { with_ttl: true, ..filter }, options).await?;
        let now = Timestamp::now();
        Ok(found.map(|rows| {
            // Time only adds to them, so their number tells which they are.
            let expired = rows.iter().filter(|row| row.has_expired(now)).count();
            rows.part(0, expired, |row| row.has_expired(now))
        }))
    }

    /// The instance `name`.
    ///
    /// # Errors
    /// [`Error`]; a Pod that does not exist is the API server's 404.
    pub async fn get_instance(
        &self,
        name: ObjectName,
        options: ReadOptions,
    ) -> Result<Found<One<InstanceRow>>, Error<Failed>> {
        let (cluster, asked) = (Arc::clone(self.writer.cluster()), name.clone());
        let fetch = move |call: Call| async move { get(&cluster, &asked, &call).await };
        Listing::get(&self.memo, &name, options, fetch).await
    }
}

async fn list(cluster: &Cluster, filter: &ListFilter, call: &Call) -> Result<Rows<InstanceRow>, Failed> {
    let (read, mut texts) = (Timestamp::now(), Interner::default());
    let row = |pod: slim::Pod| InstanceRow::new(pod, read, &mut texts);
    let listed = cluster.list(Resource::Pods, filter, call, row).await.map_err(Failed::to(LIST_PODS))?;
    Ok(Rows::new(listed.rows))
}

async fn get(cluster: &Cluster, name: &ObjectName, call: &Call) -> Result<One<InstanceRow>, Failed> {
    let pod = cluster.get::<slim::Pod>(Resource::Pods, name, call).await.map_err(Failed::to(GET_POD))?;
    Ok(One::new(InstanceRow::new(pod, Timestamp::now(), &mut Interner::default())))
}
