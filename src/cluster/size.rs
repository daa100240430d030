//! Size of a list, asked for with one object of it: the API server tells how many are behind it
//! (`remainingItemCount`, <https://kubernetes.io/docs/reference/kubernetes-api/common-definitions/list-meta/>).

use super::client::{Cluster, Paging};
use super::error::Error;
use super::plan::Way;
use super::resource::Resource;
use super::slim::Object;
use crate::call::Call;
use crate::syntax::ListFilter;
use kube::api::ListParams;
use std::sync::Mutex;

/// Size of the list of all objects of a resource.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct ListSize {
    /// Its objects.
    pub objects: usize,
    /// The calls that it takes.
    pub calls: usize,
}

impl Cluster {
    /// The size of the list of everything. `None` if the API server does not tell it.
    ///
    /// # Errors
    /// [`Error`], as for the first page of a list.
    pub(crate) async fn list_size(&self, resource: Resource, call: &Call) -> Result<Option<ListSize>, Error> {
        let way = self.way(call).await;
        let params = ListParams { limit: Some(1), ..self.first_page(&ListFilter::default(), Way::Pages) };
        let page = self.page(resource, &params, 0, call, &Mutex::new(|_: Object| ())).await?;
        let Some(behind) = page.behind() else { return Ok(None) };
        let objects = page.rows.len() + behind;
        let Paging { page_size, .. } = self.settings.paging.get();
        let calls = match way {
            Way::Pages => objects.div_ceil(page_size.get() as usize).max(1),
            Way::Whole | Way::Memory => 1,
        };
        Ok(Some(ListSize { objects, calls }))
    }
}
