//! Environment services: what AEnvironment means by a Deployment with a Service of the same name.
//!
//! A list is two lists, fetched side by side and joined here, never one call a row. A Service that is missing
//! leaves its row's `service_url` empty; a list of Services that failed fails the answer.

mod view;

pub use view::{ServiceRow, Status};

use crate::call::Call;
use crate::cluster::{Cluster, Failed, Resource, slim};
use crate::labels::{Narrowing, ObjectName};
use crate::listing::Listing;
use crate::memo::{Asked, Error, Found, Key, Memo};
use http::StatusCode;
use jiff::Timestamp;
use std::collections::HashMap;
use std::sync::Arc;

const LIST_DEPLOYMENTS: &str = "failed to list deployments";
const LIST_SERVICES: &str = "failed to list services";
const GET_DEPLOYMENT: &str = "failed to get deployment";
const GET_SERVICE: &str = "failed to get service";

/// The environment services of the sandbox namespace.
pub struct Services {
    memo: Memo<Listing<ServiceRow>, Failed>,
    fetch: Arc<Fetch>,
}

impl Services {
    /// Services read from `cluster` and remembered in `memo`; `domain` is what follows a Service's name in its
    /// address, such as `aenv-sandbox.svc.cluster.local`.
    #[must_use]
    pub fn new(cluster: Arc<Cluster>, memo: Memo<Listing<ServiceRow>, Failed>, domain: String) -> Self {
        Self { memo, fetch: Arc::new(Fetch { cluster, domain }) }
    }

    /// The services that `narrowing` asks for, with this status if one is given.
    ///
    /// # Errors
    /// [`Error`], if either of the two lists could not be had in full.
    pub async fn list_services(
        &self,
        narrowing: Narrowing,
        status: Option<Status>,
        asked: Asked,
    ) -> Result<Found<Listing<ServiceRow>>, Error<Failed>> {
        let fetch = Arc::clone(&self.fetch);
        let key = Key::List(narrowing.clone());
        let found = self.memo.read(key, asked, move |call| async move { fetch.list(&narrowing, &call).await }).await?;
        Ok(match status {
            Some(status) => found.map(|listing| listing.filtered(|row| row.status() == status)),
            None => found,
        })
    }

    /// The service `name`.
    ///
    /// # Errors
    /// [`Error`]; a Deployment that does not exist is the API server's 404.
    pub async fn get_service(
        &self,
        name: ObjectName,
        asked: Asked,
    ) -> Result<Found<Listing<ServiceRow>>, Error<Failed>> {
        let fetch = Arc::clone(&self.fetch);
        let key = Key::one(&name);
        self.memo.read(key, asked, move |call| async move { fetch.get(&name, &call).await }).await
    }
}

/// Reads rows from the API server.
struct Fetch {
    cluster: Arc<Cluster>,
    domain: String,
}

impl Fetch {
    async fn list(&self, narrowing: &Narrowing, call: &Call) -> Result<Listing<ServiceRow>, Failed> {
        // Services are labelled with environment and version, but not with their owner.
        let of_any_owner = Narrowing { owner: None, ..narrowing.clone() };
        let deployments = async {
            let list = self.cluster.list::<slim::Deployment>(Resource::Deployments, narrowing, call);
            list.await.map_err(Failed::to(LIST_DEPLOYMENTS))
        };
        let services = async {
            let list = self.cluster.list::<slim::Service>(Resource::Services, &of_any_owner, call);
            list.await.map_err(Failed::to(LIST_SERVICES))
        };
        let (deployments, services) = tokio::try_join!(deployments, services)?;
        let read = Timestamp::now();
        let by_name = services.iter().map(|service| (&*service.metadata.name, service)).collect::<HashMap<_, _>>();
        Ok(Listing::new(deployments.into_iter().map(|deployment| {
            let url = self.url(by_name.get(&*deployment.metadata.name).copied());
            ServiceRow::new(deployment, url, read)
        })))
    }

    async fn get(&self, name: &ObjectName, call: &Call) -> Result<Listing<ServiceRow>, Failed> {
        let deployment = async {
            let get = self.cluster.get::<slim::Deployment>(Resource::Deployments, name, call);
            get.await.map_err(Failed::to(GET_DEPLOYMENT))
        };
        let service = async {
            match self.cluster.get::<slim::Service>(Resource::Services, name, call).await {
                Ok(service) => Ok(Some(service)),
                Err(error) if error.has_status(StatusCode::NOT_FOUND) => Ok(None),
                Err(error) => Err(Failed::to(GET_SERVICE)(error)),
            }
        };
        let (deployment, service) = tokio::try_join!(deployment, service)?;
        let url = self.url(service.as_ref());
        Ok(Listing::new([ServiceRow::new(deployment, url, Timestamp::now())]))
    }

    /// Where the Service is reached inside the cluster; empty without a Service or without a port.
    fn url(&self, service: Option<&slim::Service>) -> String {
        let address = service.and_then(|service| Some((&service.metadata.name, service.port()?)));
        address.map(|(name, port)| format!("{name}.{}:{port}", self.domain)).unwrap_or_default()
    }
}
