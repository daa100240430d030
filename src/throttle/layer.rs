//! The throttle as a tower layer, put directly around the transport so that no request can go round it.
//!
//! A request brings its [`Call`] and its [`Operation`] among its extensions; one without a call may
//! wait for an hour. The permit lives as long as the answer's body: a call is under way until its last byte has been read.

use super::{Outcome, Throttle};
use crate::call::{Call, Operation};
use bytes::Bytes;
use http::{HeaderMap, Request, Response, header::RETRY_AFTER};
use http_body_util::{BodyExt, combinators::UnsyncBoxBody};
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};
use tokio::time::{Duration, Instant};
use tower::{BoxError, Layer, Service, ServiceExt};

/// How long a request without a call may wait: longer than any limit of the throttle's own.
const UNHURRIED: Duration = Duration::from_secs(60 * 60);

/// What an answer carries among its extensions if the API server may have just come back.
#[derive(Debug, Clone, Copy)]
pub struct Settling;

/// The operation of a request that does not name one.
const UNNAMED: Operation = Operation { verb: "other", resource: "other" };

/// Lets every request of the inner service pass one [`Throttle`].
#[derive(Debug, Clone)]
pub struct ThrottleLayer(Throttle);

impl ThrottleLayer {
    /// A layer over `throttle`; all services made by it and its clones share the one throttle.
    #[must_use]
    pub fn new(throttle: Throttle) -> Self {
        Self(throttle)
    }
}

impl<S> Layer<S> for ThrottleLayer {
    type Service = Throttled<S>;

    fn layer(&self, transport: S) -> Throttled<S> {
        Throttled { throttle: self.0.clone(), transport }
    }
}

/// A transport behind the throttle. Always ready: waiting happens in the call, where its deadline is known.
#[derive(Debug, Clone)]
pub struct Throttled<S> {
    throttle: Throttle,
    transport: S,
}

impl<S, A, B> Service<Request<A>> for Throttled<S>
where
    S: Service<Request<A>, Response = Response<B>> + Clone + Send + 'static,
    S::Future: Send,
    S::Error: Into<BoxError>,
    A: Send + 'static,
    B: http_body::Body<Data = Bytes> + Send + 'static,
    B::Error: Into<BoxError>,
{
    type Response = Response<UnsyncBoxBody<Bytes, BoxError>>;
    type Error = BoxError;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, BoxError>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<A>) -> Self::Future {
        let throttle = self.throttle.clone();
        let transport = self.transport.clone();
        Box::pin(async move {
            let call = request.extensions().get::<Call>().cloned();
            let call = call.unwrap_or_else(|| Call::until(Instant::now() + UNHURRIED));
            let operation = request.extensions().get::<Operation>().copied().unwrap_or(UNNAMED);
            let mut permit = throttle.admit(&call, operation).await?;
            let mut response = match transport.oneshot(request).await {
                Ok(response) => response,
                Err(error) => {
                    permit.ended(Outcome::NoAnswer);
                    return Err(error.into());
                }
            };
            let (status, retry_after) = (response.status().as_u16(), retry_after(response.headers()));
            permit.ended(Outcome::Answered { status, retry_after });
            if throttle.is_settling() {
                response.extensions_mut().insert(Settling);
            }
            Ok(response.map(|body| {
                body.map_err(Into::into)
                    .map_frame(move |frame| {
                        let _until_the_last_frame = &permit;
                        frame
                    })
                    .boxed_unsync()
            }))
        })
    }
}

/// How long the other side asks to be left alone. Seconds only: the API server sends no HTTP dates (RFC 9110, section
/// 10.2.3, allows both).
#[must_use]
pub fn retry_after(headers: &HeaderMap) -> Option<Duration> {
    headers.get(RETRY_AFTER)?.to_str().ok()?.trim().parse().ok().map(Duration::from_secs)
}
