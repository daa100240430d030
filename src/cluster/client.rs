//! The API server client: one [`Cluster`] per process, with the one transport and the rules for retries and lists.
//!
//! Each [`Cluster::attempt`] is one request on the wire; nothing else reaches the transport.

use super::Metrics;
use super::encoding::Encoding;
use super::error::Error;
use super::plan::{KnownVersion, ListPlan};
use super::resource::Resource;
use super::retry::{Policy, Retries};
use super::transport::{Answer, Transport};
use super::wire::Wire;
use crate::call::{Call, Operation};
use crate::reload::Live;
use crate::throttle::Throttle;
use bytes::Bytes;
use http::Request;
use std::num::{NonZeroU32, NonZeroUsize};

/// The most bytes of an answer that holds one object. The API server itself takes no object of more than 3 MiB, and
/// etcd none of more than 1.5 MiB.
const OBJECT_MAX: usize = 8 * 1024 * 1024;

/// Settings of lists.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Paging {
    /// Objects a page.
    pub page_size: NonZeroU32,
    /// Its plan.
    pub plan: ListPlan,
    /// The most objects of a list; one that has more is an error.
    pub max_objects: NonZeroUsize,
    /// The most bytes of one object.
    pub max_item_bytes: usize,
}

/// Settings of the client.
#[derive(Debug, Clone)]
pub(crate) struct Settings {
    /// The one namespace that objects are read from.
    pub namespace: String,
    /// The encodings that reads ask for.
    pub encoding: Encoding,
    /// Retry policy.
    pub retry: Live<Policy>,
    /// Settings of lists; a list ends as it began.
    pub paging: Live<Paging>,
}

/// The API server, through the one limited client.
pub(crate) struct Cluster {
    transport: Transport,
    pub(super) settings: Settings,
    pub(super) retries: Retries,
    pub(super) version: KnownVersion,
}

impl Cluster {
    /// Assembles the client of the API server at the end of `wire`. Makes no call.
    pub(crate) fn new(wire: Wire, settings: Settings, throttle: Throttle, metrics: Metrics) -> Self {
        let transport = Transport::new(wire, throttle, metrics.priority_levels.clone());
        let retries = Retries::new(settings.retry.clone(), metrics);
        Self { transport, settings, retries, version: KnownVersion::default() }
    }

    /// One request on the wire, once the throttle lets it through; the whole body of an answer of success.
    pub(super) async fn attempt(
        &self,
        operation: Operation,
        request: Request<Vec<u8>>,
        call: &Call,
    ) -> Result<Bytes, Error> {
        self.exchange(operation, request, call).await?.success().await?.whole(OBJECT_MAX).await
    }

    /// One request on the wire, once the throttle lets it through; its answer, whatever the status.
    pub(super) async fn exchange(
        &self,
        operation: Operation,
        request: Request<Vec<u8>>,
        call: &Call,
    ) -> Result<Answer, Error> {
        self.transport.exchange(operation, request, call).await
    }

    /// The request builder for `resource` in the namespace.
    pub(super) fn requests(&self, resource: Resource) -> kube::core::Request {
        resource.requests(&self.settings.namespace)
    }
}

/// A request that kube has built; it refuses only what the types here do not let through.
pub(super) fn built<T>(request: Result<T, kube::core::request::Error>) -> Result<T, Error> {
    request.map_err(|error| Error::Internal(error.to_string()))
}
