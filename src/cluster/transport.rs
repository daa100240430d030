//! Transport: the one way to the API server, behind the throttle.
//!
//! [`Transport::exchange`] makes every attempt: it waits for the throttle, says in `?timeout=` how long it may
//! take, sends the request, and tells the throttle what came of it.

use super::error::{Error, retry_after};
use super::metrics::PriorityLevels;
use super::timeout::with_timeout;
use super::wire::{Body, Wire};
use crate::call::{Call, Operation};
use crate::throttle::{Outcome, Permit, Throttle};
use bytes::{Bytes, BytesMut};
use http::{HeaderMap, Request, StatusCode};
use http_body_util::{BodyExt, Full};
use tokio::time::{Instant, timeout_at};

/// The most bytes of an answer of failure that are read; a Status object is less than a thousand.
const FAILURE_MAX: usize = 64 * 1024;

/// Requests to the API server.
pub(super) struct Transport {
    wire: Wire,
    throttle: Throttle,
    priority_levels: PriorityLevels,
}

impl Transport {
    pub(super) fn new(wire: Wire, throttle: Throttle, priority_levels: PriorityLevels) -> Self {
        Self { wire, throttle, priority_levels }
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
            let answer = match self.wire.send(request).await {
                Ok(answer) => answer,
                Err(error) => {
                    permit.ended(Outcome::NoAnswer);
                    return Err(Error::transport(&*error));
                }
            };
            let (head, body) = answer.into_parts();
            self.priority_levels.count(&head.headers);
            let retry_after = retry_after(&head.headers);
            permit.ended(Outcome::Answered { status: head.status.as_u16(), retry_after });
            let is_settling = self.throttle.is_settling();
            let (status, headers) = (head.status, head.headers);
            if status.is_success() || status == StatusCode::NOT_FOUND {
                call.answered(sent);
            }
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
