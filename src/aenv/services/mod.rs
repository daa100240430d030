//! Environment services: Deployments with a Service of the same name, in AEnvironment's terms.
//!
//! A list is two lists, fetched side by side and joined (`read`), never one call a row. A Service that is missing
//! leaves its row's `service_url` empty; a list of Services that failed fails the answer. A create makes all of its
//! objects or none (`write`).

mod build;
mod read;
mod sweep;
mod view;
mod write;

pub(crate) use sweep::sweep_incomplete_services;
pub(crate) use view::{EnvService, ServiceRow, Status};

use crate::aenv::rows::{Listing, One, Rows};
use crate::aenv::templates::TemplateStore;
use crate::cluster::{Failed, Writer};
use crate::memo::{Error, Found, Memo, ReadOptions, Reader};
use crate::syntax::{ListFilter, ObjectName};
use read::Fetch;
use std::sync::Arc;

/// The environment services of the sandbox namespace.
pub(crate) struct Services {
    reader: Reader<Fetch>,
    writer: Writer,
    templates: Arc<TemplateStore>,
}

impl Services {
    /// Services of the cluster of `writer`, remembered in `memo`, made from `templates`; `domain` is what follows a
    /// Service's name in its address, such as `aenv-sandbox.svc.cluster.local`.
    pub(crate) fn new(
        writer: Writer,
        memo: Memo<Listing<ServiceRow>, Failed>,
        templates: Arc<TemplateStore>,
        domain: String,
    ) -> Self {
        let fetch = Fetch { cluster: Arc::clone(writer.cluster()), domain };
        Self { reader: Reader::new(memo, fetch), writer, templates }
    }

    /// The services that `filter` asks for, with this status if one is given.
    ///
    /// # Errors
    /// [`Error`], if either of the two lists could not be had in full.
    pub(crate) async fn list_services(
        &self,
        filter: ListFilter,
        status: Option<Status>,
        options: ReadOptions,
    ) -> Result<Found<Rows<ServiceRow>>, Error<Failed>> {
        Ok(with_status(self.reader.list(filter, options).await?, status))
    }

    /// The same list, if it is in memory and nothing has to be fetched.
    pub(crate) fn list_at_hand(
        &self,
        filter: &ListFilter,
        status: Option<Status>,
        options: ReadOptions,
    ) -> Option<Found<Rows<ServiceRow>>> {
        Some(with_status(self.reader.list_at_hand(filter, options)?, status))
    }

    /// The service `name`.
    ///
    /// # Errors
    /// [`Error`]; a Deployment that does not exist is the API server's 404.
    pub(crate) async fn get_service(
        &self,
        name: ObjectName,
        options: ReadOptions,
    ) -> Result<Found<One<ServiceRow>>, Error<Failed>> {
        Ok(self.reader.get(&name, options).await?.map(Listing::one))
    }

    /// The same service, if it is in memory and nothing has to be fetched.
    pub(crate) fn get_at_hand(&self, name: &ObjectName, options: ReadOptions) -> Option<Found<One<ServiceRow>>> {
        Some(self.reader.get_at_hand(name, options)?.map(Listing::one))
    }
}

fn with_status(found: Found<Listing<ServiceRow>>, status: Option<Status>) -> Found<Rows<ServiceRow>> {
    let found = found.map(Listing::rows);
    match status {
        Some(status) => found.map(|rows| rows.part(status as usize, 0, |row| row.status() == status)),
        None => found,
    }
}
