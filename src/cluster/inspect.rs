//! Single looks at the API server, for whoever examines it: one request, no retry, and all that was answered.
//!
//! They pass the throttle as every other call does. The time that an exchange took begins when the throttle lets it
//! through, so that it is the API server's and the network's alone.

use super::client::{Cluster, built};
use super::error::Error;
use super::plan::{ListPlan, Way};
use super::resource::Resource;
use crate::call::{Call, Operation};
use crate::syntax::ListFilter;
use bytes::Bytes;
use http::{HeaderMap, Request, StatusCode, header::CONTENT_TYPE};
use serde_json::Value;
use tokio::time::Duration;

/// The most bytes of an answer that is looked at: a page of 500 large pods.
const LOOK_MAX: usize = 64 * 1024 * 1024;

/// A request and what was answered, whatever the status.
#[derive(Debug, Clone)]
pub(crate) struct Exchange {
    /// The HTTP status.
    pub status: StatusCode,
    /// The answer's headers.
    pub headers: HeaderMap,
    /// The whole body.
    pub body: Bytes,
    /// From the moment the throttle let the request through to the last byte of the answer, connecting included.
    pub took: Duration,
}

impl Exchange {
    /// The failure that was answered; `None` if it is a success.
    pub(crate) fn failure(&self) -> Option<Error> {
        (!self.status.is_success()).then(|| Error::answered(self.status, &self.headers, &self.body))
    }
}

impl Cluster {
    /// `GET` of a path.
    ///
    /// # Errors
    /// [`Error`] if there was no answer; an answer of failure is an [`Exchange`].
    pub(crate) async fn look_at(&self, operation: Operation, path: &str, call: &Call) -> Result<Exchange, Error> {
        self.timed(operation, Request::get(path).body(Vec::new()), call).await
    }

    /// `POST` of a document that asks something and leaves nothing behind, such as an access review.
    pub(crate) async fn ask(
        &self,
        operation: Operation,
        path: &str,
        document: &Value,
        call: &Call,
    ) -> Result<Exchange, Error> {
        let request = Request::post(path).header(CONTENT_TYPE, "application/json");
        self.timed(operation, request.body(document.to_string().into_bytes()), call).await
    }

    /// The first call of the list of all objects of `resource`, as [`Cluster::list`] makes it in pages or from memory; in JSON.
    pub(crate) async fn look_at_first_page(&self, resource: Resource, call: &Call) -> Result<Exchange, Error> {
        let operation = Operation { verb: "list", resource: resource.plural() };
        let way = match self.settings.paging.get().plan {
            ListPlan::Auto | ListPlan::Paged => Way::Pages,
            ListPlan::WatchCache => Way::Memory,
        };
        let request = built(self.requests(resource).list(&self.first_page(&ListFilter::default(), way)))?;
        self.timed(operation, Ok(request), call).await
    }

    async fn timed(
        &self,
        operation: Operation,
        request: http::Result<Request<Vec<u8>>>,
        call: &Call,
    ) -> Result<Exchange, Error> {
        let request = request.map_err(|error| Error::Internal(error.to_string()))?;
        let mut answer = self.exchange(operation, request, call).await?;
        let body = answer.whole(LOOK_MAX).await?;
        let took = answer.sent.elapsed();
        Ok(Exchange { status: answer.status, headers: answer.headers, body, took })
    }
}
