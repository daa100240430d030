//! Repeated requests: the same head once more on its connection, as callers who poll send it.
//!
//! It asks what the one before it has asked, so that nothing of it has to be read. While the answer is at hand the
//! [stream](super::stream) gives it itself: actix's parsing, routing and writing are more than half of the work of an answer
//! from memory. In every other case the request goes to actix, as if there were none of this.

use super::unsent::Unsent;
use crate::aenv::rows::Body;
use actix_web::http::StatusCode;
use actix_web::http::header::{CONTENT_LENGTH, DATE, HeaderName, HttpDate};
use bytes::Bytes;
use std::cell::RefCell;
use std::time::SystemTime;

/// Longest head that is kept to be compared. Those of programs are shorter, and those of browsers, which do not poll, longer.
const LONGEST: usize = 512;

/// Bytes for which the head of an answer has room from the beginning; most are shorter.
const USUAL: usize = 384;

/// Answers a request that is repeated. `None`: it has to go the usual way.
pub(super) type Again = Box<dyn Fn() -> Option<Unsent>>;

/// The last request of a connection, if the next one may be a repetition of it.
#[derive(Default)]
pub(super) struct Repeats(RefCell<Last>);

#[derive(Default)]
struct Last {
    /// Its head; empty if it is none that is compared.
    head: Vec<u8>,
    again: Option<Again>,
}

impl Repeats {
    /// A request begins of which this is the whole head.
    pub(super) fn begin(&self, head: &[u8]) {
        let last = &mut *self.0.borrow_mut();
        last.again = None;
        last.head.clear();
        if head.len() <= LONGEST && head.starts_with(b"GET ") {
            last.head.extend_from_slice(head);
        }
    }

    /// Something else comes than a whole head.
    pub(super) fn forget(&self) {
        *self.0.borrow_mut() = Last::default();
    }

    /// True if the head of the request at hand is one that is compared.
    pub(super) fn compares(&self) -> bool {
        !self.0.borrow().head.is_empty()
    }

    /// Has the request at hand answered by `again` when it is repeated.
    pub(super) fn keep(&self, again: Again) {
        self.0.borrow_mut().again = Some(again);
    }

    /// The answer, if `head` is that of the last request once more.
    pub(super) fn answer(&self, head: &[u8]) -> Option<Unsent> {
        let last = self.0.borrow();
        let again = last.again.as_ref().filter(|_| last.head == head)?;
        again()
    }
}

/// The head of an answer in its bytes, as actix would write it on a connection that goes on.
pub(super) struct Head(Vec<u8>);

impl Head {
    /// One without headers.
    pub(super) fn new(status: StatusCode) -> Self {
        let mut head = Vec::with_capacity(USUAL);
        let reason = status.canonical_reason().unwrap_or_default();
        for part in [b"HTTP/1.1 ", status.as_str().as_bytes(), b" ", reason.as_bytes()] {
            head.extend_from_slice(part);
        }
        Self(head)
    }

    pub(super) fn add(&mut self, name: &HeaderName, value: &[u8]) {
        for part in [b"\r\n", name.as_str().as_bytes(), b": ", value] {
            self.0.extend_from_slice(part);
        }
    }

    /// The whole answer; one to a caller who has the body already has none.
    pub(super) fn with(mut self, body: Option<Body>) -> Unsent {
        if let Some(body) = &body {
            self.add(&CONTENT_LENGTH, body.bytes.len().to_string().as_bytes());
        }
        self.add(&DATE, HttpDate::from(SystemTime::now()).to_string().as_bytes());
        self.0.extend_from_slice(b"\r\n\r\n");
        Unsent::new(self.0, body.unwrap_or_else(|| Bytes::new().into()))
    }
}
