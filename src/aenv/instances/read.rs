//! Reading instances: a list of Pods, or one.

use super::view::InstanceRow;
use crate::aenv::rows::{Interner, Listing, One, Rows};
use crate::call::{Call, Lane, ambient};
use crate::cluster::{Cluster, Error, Failed, ListSize, Resource, slim};
use crate::memo::{Listed, Origin, Size};
use crate::syntax::{ListFilter, ObjectName};
use std::sync::Arc;

pub(super) const LIST_PODS: &str = "failed to list pods";
pub(super) const GET_POD: &str = "failed to get pod";

/// Reads rows from the API server.
pub(super) struct Fetch {
    pub(super) cluster: Arc<Cluster>,
}

impl Origin for Fetch {
    type Value = Listing<InstanceRow>;
    type Error = Failed;

    async fn get(&self, name: &ObjectName, call: &Call) -> Result<Listing<InstanceRow>, Failed> {
        let pod = self.cluster.get::<slim::Pod>(Resource::Pods, name, call).await.map_err(Failed::to(GET_POD))?;
        Ok(Listing::Single(One::new(InstanceRow::new(pod, ambient::now(), &mut Interner::default()))))
    }

    async fn list(
        &self,
        filter: &ListFilter,
        gathered: bool,
        call: &Call,
    ) -> Result<Listed<Listing<InstanceRow>>, Failed> {
        // Only the search for expired instances asks for a time to live, and it can wait.
        let call = match gathered {
            true => call.clone().with_all_pages_in_lane(),
            false if filter.with_ttl => call.clone().in_lane(Lane::Bulk),
            false => call.clone(),
        };
        let (read, mut texts) = (ambient::now(), Interner::default());
        let row = |pod: slim::Pod| Arc::new(InstanceRow::new(pod, read, &mut texts));
        let listed = self.cluster.list(Resource::Pods, filter, &call, row).await.map_err(Failed::to(LIST_PODS))?;
        let (objects, calls, proves_absence) = (listed.rows.len(), listed.calls as usize, listed.consistent);
        Ok(Listed { value: Listing::Many(Rows::new(listed.rows)), objects, calls, proves_absence })
    }

    async fn size(&self, call: &Call) -> Result<Option<Size>, Failed> {
        let size = self.cluster.list_size(Resource::Pods, call).await.map_err(Failed::to(LIST_PODS))?;
        Ok(size.map(|ListSize { objects, calls }| Size { objects, calls }))
    }

    fn not_found(&self, name: &ObjectName) -> Failed {
        Failed::to(GET_POD)(Error::not_found(Resource::Pods, name))
    }
}
