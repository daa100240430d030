//! An answer of success, with its age and where it came from.

use super::error::mime;
use crate::aenv::rows::Rendering;
use crate::memo::{Found, ReadOptions, Source};
use actix_web::body::{BodySize, MessageBody};
use actix_web::http::header::{AGE, ETAG, HeaderMap, HeaderName, HeaderValue, IF_NONE_MATCH};
use actix_web::{HttpMessage, HttpRequest, HttpResponse, HttpResponseBuilder};
use bytes::Bytes;
use std::convert::Infallible;
use std::pin::Pin;
use std::task::{Context, Poll};
use tokio::time::Duration;

const CACHE_STATUS: HeaderName = HeaderName::from_static("cache-status");

/// How much of a body is handed to the connection at once. actix copies each piece into the connection's own buffer:
/// of a whole list that would be its full size for every caller who reads slowly.
const SLICE: usize = 64 * 1024;

/// A body that all its readers share, in slices.
struct Slices(Bytes);

impl MessageBody for Slices {
    type Error = Infallible;

    fn size(&self) -> BodySize {
        BodySize::Sized(self.0.len() as u64)
    }

    fn poll_next(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<Result<Bytes, Infallible>>> {
        let next = self.0.len().min(SLICE);
        Poll::Ready((next > 0).then(|| Ok(self.0.split_to(next))))
    }
}

/// Where an answer about objects came from, and how old it is.
pub(super) struct Origin {
    source: Source,
    /// Whether the caller asked for a fetch.
    no_cache: bool,
    age: Duration,
    fresh_for: Duration,
}

impl Origin {
    pub(super) fn of<V>(found: &Found<V>, options: ReadOptions) -> Self {
        let (source, fresh_for) = (found.source, found.fresh_for);
        Self { source, no_cache: options.no_cache, age: found.answer.age(), fresh_for }
    }

    /// `Cache-Status` (RFC 9211): whether the answer came from memory, and if not, why it had to be fetched. An answer
    /// that stands in for one that cannot be had says both: `hit; fwd=stale`.
    fn cache_status(&self) -> String {
        let forward = if self.no_cache { "request" } else { "miss" };
        let stored = if self.fresh_for.is_zero() { "" } else { "; stored" };
        match self.source {
            Source::Hit => format!("aenv-controller; hit; ttl={}", self.fresh_for.as_secs()),
            Source::Revalidating => "aenv-controller; hit; ttl=-1".to_owned(),
            Source::Stale => "aenv-controller; hit; fwd=stale".to_owned(),
            Source::Fetched => format!("aenv-controller; fwd={forward}{stored}"),
            Source::Joined => format!("aenv-controller; fwd={forward}; collapsed{stored}"),
        }
    }
}

/// An answer about objects with its `Age` in seconds (RFC 9111, section 5.1), or 304 if the caller has it already
/// (`If-None-Match`).
pub(super) fn answer(request: &HttpRequest, origin: &Origin, rendering: &Rendering) -> HttpResponse {
    request.extensions_mut().insert(origin.source);
    send(request, rendering, |response| {
        response.insert_header((AGE, origin.age.as_secs())).insert_header((CACHE_STATUS, origin.cache_status()));
    })
}

/// A document that stays as it is, or 304 if the caller has it already.
pub(super) fn answer_document(request: &HttpRequest, rendering: &Rendering) -> HttpResponse {
    send(request, rendering, |_| ())
}

fn send(
    request: &HttpRequest,
    rendered: &Rendering,
    add_headers: impl FnOnce(&mut HttpResponseBuilder),
) -> HttpResponse {
    let known = knows(request.headers(), &rendered.etag);
    let mut response = if known { HttpResponse::NotModified() } else { HttpResponse::Ok() };
    response.insert_header((ETAG, rendered.etag.as_str()));
    add_headers(&mut response);
    if known { response.finish() } else { response.content_type(mime()).body(Slices(rendered.body.clone())) }
}

/// Whether the caller has what bears this entity tag already.
pub(super) fn knows(headers: &HeaderMap, etag: &str) -> bool {
    headers.get_all(IF_NONE_MATCH).any(|tags| names(tags, etag))
}

/// Weak comparison (RFC 9110, section 8.8.3.2).
fn names(tags: &HeaderValue, etag: &str) -> bool {
    let tags = tags.to_str().unwrap_or_default();
    tags.split(',').map(str::trim).any(|tag| tag == "*" || opaque(tag) == opaque(etag))
}

fn opaque(tag: &str) -> &str {
    tag.strip_prefix("W/").unwrap_or(tag)
}
