//! Outbox of a connection: a large body on its way to the stream, shared by all who read it.
//!
//! actix copies every piece of a body into a buffer of the connection. A large one goes round that: it is put into the
//! outbox, and the connection's stream sends it with the head that actix writes, in one vectored write. For actix the body
//! ends when the stream has taken the last of it, so that answers keep their order.

use super::unsent::Unsent;
use actix_web::HttpRequest;
use actix_web::body::{BodySize, MessageBody};
use actix_web::http::Method;
use bytes::Bytes;
use std::cell::Cell;
use std::convert::Infallible;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll};

/// From this size on a body goes through the outbox. The copy of a smaller one takes less time than another look at the
/// connection when the stream has it.
const LARGE: usize = 32 * 1024;

/// Place of a body that waits for the stream. `None`: there is none; an empty one has been sent, but actix not been told.
#[derive(Default)]
pub(super) struct Outbox(Cell<Option<Unsent>>);

impl Outbox {
    /// The rest of the body.
    pub(super) fn take(&self) -> Option<Unsent> {
        self.0.take()
    }

    /// Puts the rest back.
    pub(super) fn put(&self, rest: Unsent) {
        self.0.set(Some(rest));
    }
}

/// A body that goes through the outbox.
pub(super) struct Outgoing {
    /// `None`: it is in the outbox, or was.
    body: Option<Unsent>,
    outbox: Rc<Outbox>,
}

impl Outgoing {
    /// `body` as the answer of `request`, or `body` itself if it is small or not sent at all.
    pub(super) fn new(request: &HttpRequest, body: Bytes) -> Result<Self, Bytes> {
        if body.len() < LARGE || request.method() == Method::HEAD {
            return Err(body);
        }
        match request.conn_data::<Rc<Outbox>>() {
            Some(outbox) => Ok(Self { body: Some(Unsent::new(Vec::new(), body.into())), outbox: Rc::clone(outbox) }),
            None => Err(body),
        }
    }
}

impl MessageBody for Outgoing {
    type Error = Infallible;

    /// The head says how long it is; to actix it is a stream that ends when it ends.
    fn size(&self) -> BodySize {
        BodySize::Stream
    }

    fn poll_next(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<Result<Bytes, Infallible>>> {
        let rest = self.body.take().or_else(|| self.outbox.take());
        match rest.filter(|rest| !rest.is_empty()) {
            Some(rest) => {
                // The stream wakes the connection when it has all of it.
                self.outbox.put(rest);
                Poll::Pending
            }
            None => Poll::Ready(None),
        }
    }
}
