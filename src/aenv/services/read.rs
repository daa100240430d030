//! Reading services: two lists or two objects, joined.

use super::view::ServiceRow;
use crate::aenv::rows::{Interner, Listing, One, Row, Rows};
use crate::call::{Call, ambient};
use crate::cluster::{Cluster, Error, Failed, Resource, slim};
use crate::memo::{Listed, Origin, Size};
use crate::syntax::{LabelSelector, ListFilter, ObjectName};
use http::StatusCode;
use std::collections::HashMap;
use std::sync::Arc;

const LIST_DEPLOYMENTS: &str = "failed to list deployments";
const LIST_SERVICES: &str = "failed to list services";
pub(super) const GET_DEPLOYMENT: &str = "failed to get deployment";
pub(super) const GET_SERVICE: &str = "failed to get service";

/// Reads rows from the API server.
pub(super) struct Fetch {
    pub(super) cluster: Arc<Cluster>,
    /// Domain that follows a Service's name in its address.
    pub(super) domain: String,
}

impl Origin for Fetch {
    type Value = Listing<ServiceRow>;
    type Error = Failed;

    async fn get(&self, name: &ObjectName, call: &Call) -> Result<Listing<ServiceRow>, Failed> {
        Ok(Listing::Single(self.join_objects(name, call).await?))
    }

    async fn list(
        &self,
        filter: &ListFilter,
        gathered: bool,
        call: &Call,
    ) -> Result<Listed<Listing<ServiceRow>>, Failed> {
        match gathered {
            true => self.join_lists(filter, &call.clone().with_all_pages_in_lane()).await,
            false => self.join_lists(filter, call).await,
        }
    }

    async fn size(&self, call: &Call) -> Result<Option<Size>, Failed> {
        let size = async |resource, action| self.cluster.list_size(resource, call).await.map_err(Failed::to(action));
        let (deployments, services) =
            tokio::try_join!(size(Resource::Deployments, LIST_DEPLOYMENTS), size(Resource::Services, LIST_SERVICES))?;
        let both = deployments.zip(services);
        Ok(both.map(|(one, other)| Size { objects: one.objects + other.objects, calls: one.calls + other.calls }))
    }

    fn not_found(&self, name: &ObjectName) -> Failed {
        Failed::to(GET_DEPLOYMENT)(Error::not_found(Resource::Deployments, name))
    }
}

impl Fetch {
    async fn join_lists(&self, filter: &ListFilter, call: &Call) -> Result<Listed<Listing<ServiceRow>>, Failed> {
        // Services are labelled with environment and version, but neither with their owner nor with a caller's labels.
        let of_any_owner = ListFilter { owner: None, labels: LabelSelector::default(), ..filter.clone() };
        let read = ambient::now();
        let deployments = async {
            let mut texts = Interner::default();
            let row = |deployment| ServiceRow::new(deployment, Some(String::new()), read, &mut texts);
            self.cluster.list(Resource::Deployments, filter, call, row).await.map_err(Failed::to(LIST_DEPLOYMENTS))
        };
        let services = async {
            let port = |service: slim::Service| {
                let port = service.port();
                (service.metadata.name, port)
            };
            self.cluster.list(Resource::Services, &of_any_owner, call, port).await.map_err(Failed::to(LIST_SERVICES))
        };
        let (deployments, services) = tokio::try_join!(deployments, services)?;
        let (objects, calls) = (deployments.rows.len() + services.rows.len(), deployments.calls + services.calls);
        let proves_absence = deployments.consistent && services.consistent;
        let ports = services.rows.into_iter().collect::<HashMap<_, _>>();
        let rows = Rows::new(deployments.rows.into_iter().map(|row| {
            let url = ports.get(row.name()).map(|&port| self.address(row.name(), port));
            row.reached_at(url)
        }));
        Ok(Listed { value: Listing::Many(rows), objects, calls: calls as usize, proves_absence })
    }

    pub(super) async fn join_objects(&self, name: &ObjectName, call: &Call) -> Result<One<ServiceRow>, Failed> {
        let deployment = async {
            let get = self.cluster.get::<slim::Deployment>(Resource::Deployments, name, call);
            get.await.map_err(Failed::to(GET_DEPLOYMENT))
        };
        let (deployment, url) = tokio::try_join!(deployment, self.get_url(name, call))?;
        Ok(One::new(ServiceRow::new(deployment, url, ambient::now(), &mut Interner::default())))
    }

    /// The address of the Service `name`; `None` if there is no such Service.
    pub(super) async fn get_url(&self, name: &ObjectName, call: &Call) -> Result<Option<String>, Failed> {
        match self.cluster.get::<slim::Service>(Resource::Services, name, call).await {
            Ok(service) => Ok(Some(self.url(&service))),
            Err(error) if error.has_status(StatusCode::NOT_FOUND) => Ok(None),
            Err(error) => Err(Failed::to(GET_SERVICE)(error)),
        }
    }

    /// The address of a Service inside the cluster; empty if it has no port.
    pub(super) fn url(&self, service: &slim::Service) -> String {
        self.address(&service.metadata.name, service.port())
    }

    fn address(&self, name: &str, port: Option<u16>) -> String {
        port.map(|port| format!("{name}.{}:{port}", self.domain)).unwrap_or_default()
    }
}
