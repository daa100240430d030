//! Wire: the requests of all attempts and their answers, beneath the throttle.
//!
//! It is kube's own layers of connection, credentials and headers, put together by hand, without those of kube that retry or
//! queue; or, in a simulation, any other service.

use bytes::Bytes;
use http::header::USER_AGENT;
use http::{HeaderValue, Request, Response};
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt, Full};
use hyper_timeout::TimeoutConnector;
use hyper_util::client::legacy;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::{TokioExecutor, TokioTimer};
use kube::client::ConfigExt;
use tokio::time::Duration;
use tower::Service;
use tower::util::BoxCloneSyncService;
use tower::{BoxError, ServiceBuilder, ServiceExt};

/// The largest piece of a body that is handed on at once: some 100 microseconds of decoding, after which other tasks
/// have their turn.
const READ_BUFFER: usize = 128 * 1024;

/// The body of an answer, read piece by piece.
pub type Body = UnsyncBoxBody<Bytes, BoxError>;

/// Time-outs of the connection.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Timeouts {
    /// The longest that connecting takes, TLS included.
    pub(crate) connect: Duration,
    /// The longest silence of the API server while an answer is awaited or read.
    pub(crate) read: Duration,
}

/// The way to the API server.
pub struct Wire(BoxCloneSyncService<Request<Full<Bytes>>, Response<Body>, BoxError>);

impl Wire {
    /// Connections to the API server of `config`. Makes no call.
    ///
    /// # Errors
    /// If its credentials or certificates cannot be used.
    pub(crate) fn connect(mut config: kube::Config, user_agent: &str, timeouts: Timeouts) -> Result<Self, kube::Error> {
        let user_agent = HeaderValue::from_str(user_agent).map_err(|error| kube::Error::HttpError(error.into()))?;
        config.headers.push((USER_AGENT, user_agent));

        let mut tcp = HttpConnector::new();
        tcp.enforce_http(false);
        tcp.set_nodelay(true);
        #[expect(clippy::disallowed_methods, reason = "this is the one place")]
        let mut connector = TimeoutConnector::new(config.rustls_https_connector_with_connector(tcp)?);
        connector.set_connect_timeout(Some(timeouts.connect));
        connector.set_read_timeout(Some(timeouts.read));
        connector.set_write_timeout(Some(timeouts.read));
        // Otherwise the time that a connection sat idle in the pool counts as the API server's silence.
        connector.set_reset_reader_on_write(true);
        let client: legacy::Client<_, Full<Bytes>> = legacy::Client::builder(TokioExecutor::new())
            .pool_timer(TokioTimer::new())
            .http1_max_buf_size(READ_BUFFER)
            .build(connector);

        let service = ServiceBuilder::new()
            .map_response(|answer: Response<_>| {
                answer.map(|body| BodyExt::map_err(body, BoxError::from).boxed_unsync())
            })
            .map_err(BoxError::from)
            .layer(config.base_uri_layer())
            .option_layer(config.auth_layer()?)
            .layer(config.extra_headers_layer()?)
            .map_err(BoxError::from)
            .service(client);
        Ok(Self::over(service))
    }

    /// Any service in the place of connections. A failure that is an [`std::io::Error`] says by its kind what has happened.
    pub fn over<S>(service: S) -> Self
    where
        S: Service<Request<Full<Bytes>>, Response = Response<Body>, Error = BoxError> + Clone + Send + Sync + 'static,
        S::Future: Send + 'static,
    {
        Self(BoxCloneSyncService::new(service))
    }

    pub(super) async fn send(&self, request: Request<Full<Bytes>>) -> Result<Response<Body>, BoxError> {
        self.0.clone().oneshot(request).await
    }
}
