//! Repeated requests: the same head once more on its connection, as callers who poll send it.
//!
//! It asks what the one before it has asked, so that nothing of it has to be read. While the answer is at hand the
//! [stream](super::stream) gives it itself: actix's parsing, routing and writing are more than half of the work of an answer
//! from memory. In every other case the request goes to actix, as if there were none of this.

use actix_web::HttpResponse;
use actix_web::http::header::{HeaderValue, HttpDate};
use bytes::{Buf as _, Bytes, buf::Chain};
use std::cell::RefCell;
use std::time::SystemTime;

/// Longest head that is kept to be compared. Those of programs are shorter, and those of browsers, which do not poll, longer.
const LONGEST: usize = 512;

/// The bytes of an answer: its head, and its body.
pub(super) type Reply = Chain<Bytes, Bytes>;

/// Answers a request that is repeated. `None`: it has to go the usual way.
pub(super) type Again = Box<dyn Fn() -> Option<Reply>>;

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
    pub(super) fn answer(&self, head: &[u8]) -> Option<Reply> {
        let last = self.0.borrow();
        let again = last.again.as_ref().filter(|_| last.head == head)?;
        again()
    }
}

/// The bytes of `response` as actix would send it on a connection that goes on. `None`: it has no body.
#[expect(clippy::disallowed_methods, reason = "callers are told the system's time")]
pub(super) fn reply(response: &HttpResponse, body: Option<Bytes>) -> Reply {
    let status = response.status();
    let date = HttpDate::from(SystemTime::now()).to_string();
    let mut head = Vec::with_capacity(512);
    let mut add = |parts: &[&[u8]]| parts.iter().for_each(|part| head.extend_from_slice(part));
    add(&[b"HTTP/1.1 ", status.as_str().as_bytes(), b" ", status.canonical_reason().unwrap_or_default().as_bytes()]);
    for (name, value) in response.headers() {
        add(&[b"\r\n", name.as_str().as_bytes(), b": ", value.as_bytes()]);
    }
    if let Some(body) = &body {
        add(&[b"\r\ncontent-length: ", HeaderValue::from(body.len()).as_bytes()]);
    }
    add(&[b"\r\ndate: ", date.as_bytes(), b"\r\n\r\n"]);
    Bytes::from(head).chain(body.unwrap_or_default())
}
