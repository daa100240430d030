//! Environment instances: Pods, in AEnvironment's terms.

mod build;
mod read;
mod renew;
mod sweep;
mod trouble;
mod ttl;
mod view;
mod write;

pub(crate) use sweep::{Sweep, Take, sweep_instances};
pub use view::InstanceRow;
pub(crate) use view::{Detail, EnvInstance, Item, Particulars, Rfc3339};

use crate::aenv::rows::{Listing, One, Rows};
use crate::aenv::templates::TemplateStore;
use crate::call::ambient;
use crate::cluster::{Failed, Writer};
use crate::memo::{Error, Found, Memo, ReadOptions, Reader};
use crate::syntax::{ListFilter, ObjectName};
use read::{Fetch, GET_POD, LIST_PODS};
use std::sync::Arc;

/// The environment instances of the sandbox namespace.
pub(crate) struct Instances {
    reader: Reader<Fetch>,
    writer: Writer,
    templates: Arc<TemplateStore>,
}

impl Instances {
    /// Instances of the cluster of `writer`, remembered in `memo`, made from `templates`.
    pub(crate) fn new(writer: Writer, memo: Memo<Listing<InstanceRow>, Failed>, templates: Arc<TemplateStore>) -> Self {
        let fetch = Fetch { cluster: Arc::clone(writer.cluster()) };
        Self { reader: Reader::new(memo, fetch), writer, templates }
    }

    /// The instances that `filter` asks for.
    ///
    /// # Errors
    /// [`Error`], if the list could not be had in full.
    pub(crate) async fn list_instances(
        &self,
        filter: ListFilter,
        options: ReadOptions,
    ) -> Result<Found<Rows<InstanceRow>>, Error<Failed>> {
        Ok(self.reader.list(filter, options).await?.map(Listing::rows))
    }

    /// The same list, if it is in memory and nothing has to be fetched.
    pub(crate) fn list_at_hand(&self, filter: &ListFilter, options: ReadOptions) -> Option<Found<Rows<InstanceRow>>> {
        Some(self.reader.list_at_hand(filter, options)?.map(Listing::rows))
    }

    /// The instances that `filter` asks for and whose time to live has passed. Only those that carry one are
    /// fetched; those that are being deleted already are left out.
    pub(crate) async fn list_expired_instances(
        &self,
        filter: ListFilter,
        options: ReadOptions,
    ) -> Result<Found<Rows<InstanceRow>>, Error<Failed>> {
        let found = self.list_instances(ListFilter { with_ttl: true, ..filter }, options).await?;
        let now = ambient::now();
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
    pub(crate) async fn get_instance(
        &self,
        name: ObjectName,
        options: ReadOptions,
    ) -> Result<Found<One<InstanceRow>>, Error<Failed>> {
        Ok(self.reader.get(&name, options).await?.map(Listing::one))
    }

    /// The same instance, if it is in memory and nothing has to be fetched.
    pub(crate) fn get_at_hand(&self, name: &ObjectName, options: ReadOptions) -> Option<Found<One<InstanceRow>>> {
        Some(self.reader.get_at_hand(name, options)?.map(Listing::one))
    }
}
