//! Reading services: two lists or two objects, joined.

use super::view::ServiceRow;
use crate::aenv::rows::{Interner, One, Rows};
use crate::call::Call;
use crate::cluster::{Cluster, Failed, Resource, slim};
use crate::syntax::{ListFilter, ObjectName};
use http::StatusCode;
use jiff::Timestamp;
use std::collections::HashMap;
use std::sync::Arc;

const LIST_DEPLOYMENTS: &str = "failed to list deployments";
const LIST_SERVICES: &str = "failed to list services";
pub(super) const GET_DEPLOYMENT: &str = "failed to get deployment";
pub(super) const GET_SERVICE: &str = "failed to get service";

/// Reads rows from the API server.
pub(super) struct Fetch {
    pub(super) cluster: Arc<Cluster>,
    /// What follows a Service's name in its address.
    pub(super) domain: String,
}

impl Fetch {
    pub(super) async fn list(&self, filter: &ListFilter, call: &Call) -> Result<Rows<ServiceRow>, Failed> {
        // Services are labelled with environment and version, but not with their owner.
        let of_any_owner = ListFilter { owner: None, ..filter.clone() };
        let deployments = async {
            let list = self.cluster.list::<slim::Deployment>(Resource::Deployments, filter, call);
            list.await.map_err(Failed::to(LIST_DEPLOYMENTS))
        };
        let services = async {
            let list = self.cluster.list::<slim::Service>(Resource::Services, &of_any_owner, call);
            list.await.map_err(Failed::to(LIST_SERVICES))
        };
        let (deployments, services) = tokio::try_join!(deployments, services)?;
        let read = Timestamp::now();
        let by_name = services.iter().map(|service| (&*service.metadata.name, service)).collect::<HashMap<_, _>>();
        let mut texts = Interner::default();
        Ok(Rows::new(deployments.into_iter().map(|deployment| {
            let url = self.url(by_name.get(&*deployment.metadata.name).copied());
            ServiceRow::new(deployment, url, read, &mut texts)
        })))
    }

    pub(super) async fn get(&self, name: &ObjectName, call: &Call) -> Result<One<ServiceRow>, Failed> {
        let deployment = async {
            let get = self.cluster.get::<slim::Deployment>(Resource::Deployments, name, call);
            get.await.map_err(Failed::to(GET_DEPLOYMENT))
        };
        let (deployment, url) = tokio::try_join!(deployment, self.get_url(name, call))?;
        Ok(One::new(ServiceRow::new(deployment, url, Timestamp::now(), &mut Interner::default())))
    }

    /// Where the Service `name` is reached; empty if there is none.
    pub(super) async fn get_url(&self, name: &ObjectName, call: &Call) -> Result<String, Failed> {
        match self.cluster.get::<slim::Service>(Resource::Services, name, call).await {
            Ok(service) => Ok(self.url(Some(&service))),
            Err(error) if error.has_status(StatusCode::NOT_FOUND) => Ok(self.url(None)),
            Err(error) => Err(Failed::to(GET_SERVICE)(error)),
        }
    }

    /// Where the Service is reached inside the cluster; empty without a Service or without a port.
    pub(super) fn url(&self, service: Option<&slim::Service>) -> String {
        let address = service.and_then(|service| Some((&service.metadata.name, service.port()?)));
        address.map(|(name, port)| format!("{name}.{}:{port}", self.domain)).unwrap_or_default()
    }
}
