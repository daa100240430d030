//! Transport: the one way to the API server, behind the throttle.
//!
//! [`Transport::exchange`] makes every attempt: it waits for the throttle, says in `?timeout=` how long it may
//! take, sends the request, and tells the throttle what came of it. The connection, the credentials and the headers
//! are kube's own layers put together by hand, without those of kube that retry or queue.

use super::error::{Error, retry_after};
use super::timeout::with_timeout;
use crate::call::{Call, Operation};
use crate::throttle::{Outcome, Permit, Throttle};
use bytes::{Bytes, BytesMut};
use http::header::USER_AGENT;
use http::{HeaderMap, HeaderValue, Request, Response, StatusCode};
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt, Full};
use hyper_timeout::TimeoutConnector;
use hyper_util::client::legacy;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::{TokioExecutor, TokioTimer};
use kube::client::ConfigExt;
use tokio::time::{Duration, Instant, timeout_at};
use tower::util::BoxCloneSyncService;
use tower::{BoxError, ServiceBuilder, ServiceExt};

/// The largest piece of a body that is handed on at once: some 100 microseconds of decoding, after which other tasks
/// have their turn.
const READ_BUFFER: usize = 128 * 1024;

/// The most bytes of an answer of failure that are read; a Status object is less than a thousand.
const FAILURE_MAX: usize = 64 * 1024;

type Body = UnsyncBoxBody<Bytes, BoxError>;

/// Time-outs of the connection.
#[derive(Debug, Clone, Copy)]
pub(super) struct Timeouts {
    /// The longest that connecting takes, TLS included.
    pub(super) connect: Duration,
    /// The longest silence of the API server while an answer is awaited or read.
    pub(super) read: Duration,
}

/// Connections to the API server.
pub(super) struct Transport {
    service: BoxCloneSyncService<Request<Full<Bytes>>, Response<Body>, BoxError>,
    throttle: Throttle,
}

impl Transport {
    /// Assembles the transport. Makes no call.
    ///
    /// # Errors
    /// If the credentials or the certificates of `config` cannot be used.
    pub(super) fn new(
        mut config: kube::Config,
        user_agent: &str,
        timeouts: Timeouts,
        throttle: Throttle,
    ) -> Result<Self, kube::Error> {
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
        Ok(Self { service: BoxCloneSyncService::new(service), throttle })
    }

    /// One request on the wire, once the throttle lets it through, up to the head of its answer, whatever its status.
    ///
    /// # Errors
    /// [`Error`] if there is no answer before the call's deadline.
    pub(super) async fn exchange(
        &self,
        operation: Operation,
        request: Request<Vec<u8>>,
        call: &Call,
    ) -> Result<Answer, Error> {
        let exchange = async {
            let mut permit = self.throttle.admit(call, operation).await?;
            let sent = Instant::now();
            let request = with_timeout(request, call.remaining()).map(|body| Full::new(Bytes::from(body)));
            let answer = match self.service.clone().oneshot(request).await {
                Ok(answer) => answer,
                Err(error) => {
                    permit.ended(Outcome::NoAnswer);
                    return Err(Error::transport(&*error));
                }
            };
            let (head, body) = answer.into_parts();
            let retry_after = retry_after(&head.headers);
            permit.ended(Outcome::Answered { status: head.status.as_u16(), retry_after });
            let is_settling = self.throttle.is_settling();
            let (status, headers) = (head.status, head.headers);
            Ok(Answer { status, headers, body, sent, deadline: call.deadline(), is_settling, permit })
        };
        timeout_at(call.deadline(), exchange).await.unwrap_or(Err(Error::Deadline))
    }
}

/// An answer whose body is still to be read. The call is under way until this is dropped; what has not been read by
/// then is not, and the connection is closed.
pub(super) struct Answer {
    pub(super) status: StatusCode,
    pub(super) headers: HeaderMap,
    body: Body,
    /// When the throttle let the request through.
    pub(super) sent: Instant,
    deadline: Instant,
    is_settling: bool,
    permit: Permit,
}

impl Answer {
    /// The next piece of the body; `None` at its end.
    pub(super) async fn chunk(&mut self) -> Result<Option<Bytes>, Error> {
        loop {
            let frame = timeout_at(self.deadline, self.body.frame()).await.map_err(|_| Error::Deadline)?;
            let Some(frame) = frame else { return Ok(None) };
            if let Ok(data) = frame.map_err(|error| Error::transport(&*error))?.into_data() {
                return Ok(Some(data));
            }
        }
    }

    /// The whole body.
    ///
    /// # Errors
    /// [`Error`]; also if it has more than `max` bytes.
    pub(super) async fn whole(&mut self, max: usize) -> Result<Bytes, Error> {
        let body = self.beginning(max).await?;
        match body.len() > max {
            true => Err(Error::too_large("body", max)),
            false => Ok(body),
        }
    }

    /// The answer if it is a success.
    pub(super) async fn success(mut self) -> Result<Self, Error> {
        if self.status.is_success() {
            return Ok(self);
        }
        let mut body = self.beginning(FAILURE_MAX).await?;
        body.truncate(FAILURE_MAX);
        let error = Error::answered(self.status, &self.headers, &body);
        if error.is_about_one_resource() {
            self.permit.ended(Outcome::ResourceNotReady { retry_after: error.retry_after() });
        }
        Err(if self.is_settling { error.while_settling() } else { error })
    }

    /// The body up to its end, or up to the piece with which it has more than `max` bytes.
    async fn beginning(&mut self, max: usize) -> Result<Bytes, Error> {
        let mut read = BytesMut::new();
        while let Some(data) = self.chunk().await? {
            read.extend_from_slice(&data);
            if read.len() > max {
                break;
            }
        }
        Ok(read.freeze())
    }
}
