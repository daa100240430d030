//! The one client of the process, assembled by hand: base address, credentials, throttle, time-outs, transport.
//!
//! The throttle is the innermost layer, so nothing that asks the API server can go round it, and no layer of kube's
//! own that retries or queues is put in. Each [`Cluster::attempt`] is one request on the wire.

use super::error::Error;
use super::inspect;
use super::metrics::Metrics;
use super::resource::Resource;
use super::retry::{Policy, Retries};
use super::timeout::Timeouts;
use crate::call::{Call, Operation};
use crate::reload::Live;
use crate::throttle::Throttle;
use crate::throttle::layer::{Settling, ThrottleLayer};
use bytes::Bytes;
use http::header::USER_AGENT;
use http::{HeaderValue, Request, Response};
use http_body_util::BodyExt;
use hyper_timeout::TimeoutConnector;
use hyper_util::client::legacy;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::{TokioExecutor, TokioTimer};
use kube::client::{Body, ConfigExt};
use std::num::NonZeroU32;
use tokio::time::{Duration, timeout_at};
use tower::{BoxError, ServiceBuilder};

/// Where lists are served from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ListPlan {
    /// Pages of the newest state; the default.
    Paged,
    /// One call from the API server's memory (`resourceVersion=0`), which may be a little old and knows no pages.
    WatchCache,
}

/// How a list is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Paging {
    /// Objects a page.
    pub page_size: NonZeroU32,
    /// Where it is served from.
    pub plan: ListPlan,
}

/// How the API server is asked.
#[derive(Debug, Clone)]
pub struct Settings {
    /// The one namespace that objects are read from.
    pub namespace: String,
    /// The `User-Agent` of every request.
    pub user_agent: String,
    /// The longest that connecting takes, TLS included.
    pub connect_timeout: Duration,
    /// The longest silence of the API server while an answer is awaited or read.
    pub read_timeout: Duration,
    /// How failed attempts are made again.
    pub retry: Live<Policy>,
    /// How lists are asked for; a list ends as it began.
    pub paging: Live<Paging>,
}

/// The API server, through the one limited client.
pub struct Cluster {
    client: kube::Client,
    pub(super) settings: Settings,
    pub(super) retries: Retries,
}

impl Cluster {
    /// Assembles the client. Makes no call.
    ///
    /// # Errors
    /// If the credentials or the certificates of `config` cannot be used.
    pub fn new(
        mut config: kube::Config,
        settings: Settings,
        throttle: Throttle,
        metrics: Metrics,
    ) -> Result<Self, kube::Error> {
        let user_agent =
            HeaderValue::from_str(&settings.user_agent).map_err(|error| kube::Error::HttpError(error.into()))?;
        config.headers.push((USER_AGENT, user_agent));

        let mut tcp = HttpConnector::new();
        tcp.enforce_http(false);
        tcp.set_nodelay(true);
        let mut connector = TimeoutConnector::new(config.rustls_https_connector_with_connector(tcp)?);
        connector.set_connect_timeout(Some(settings.connect_timeout));
        connector.set_read_timeout(Some(settings.read_timeout));
        connector.set_write_timeout(Some(settings.read_timeout));
        // Otherwise the time that a connection sat idle in the pool counts as the API server's silence.
        connector.set_reset_reader_on_write(true);
        let transport: legacy::Client<_, Body> =
            legacy::Client::builder(TokioExecutor::new()).pool_timer(TokioTimer::new()).build(connector);

        let service = ServiceBuilder::new()
            .layer(config.base_uri_layer())
            .option_layer(config.auth_layer()?)
            .layer(config.extra_headers_layer()?)
            .layer(ThrottleLayer::new(throttle))
            .map_err(BoxError::from)
            .map_request(inspect::departing)
            .service(Timeouts(transport));
        #[expect(clippy::disallowed_methods, reason = "this is the one place")]
        let client = kube::Client::new(service, config.default_namespace);
        let retries = Retries::new(settings.retry.clone(), metrics);
        Ok(Self { client, settings, retries })
    }

    /// One request on the wire, once the throttle lets it through; the whole body of an answer of success.
    pub(super) async fn attempt(
        &self,
        operation: Operation,
        request: Request<Vec<u8>>,
        call: &Call,
    ) -> Result<Bytes, Error> {
        let (head, body) = self.exchange(operation, request, call).await?.into_parts();
        if head.status.is_success() {
            return Ok(body);
        }
        let error = Error::answered(head.status, &head.headers, &body);
        Err(if head.extensions.get::<Settling>().is_some() { error.while_settling() } else { error })
    }

    /// One request on the wire, once the throttle lets it through; the whole answer, whatever its status.
    pub(super) async fn exchange(
        &self,
        operation: Operation,
        mut request: Request<Vec<u8>>,
        call: &Call,
    ) -> Result<Response<Bytes>, Error> {
        request.extensions_mut().insert(call.clone());
        request.extensions_mut().insert(operation);
        let exchange = async {
            let response = self.client.send(request.map(Body::from)).await.map_err(|error| Error::transport(&error))?;
            let (head, body) = response.into_parts();
            let body = body.collect().await.map_err(|error| Error::transport(&error))?.to_bytes();
            Ok(Response::from_parts(head, body))
        };
        timeout_at(call.deadline(), exchange).await.unwrap_or(Err(Error::Deadline))
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
