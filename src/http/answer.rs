//! An answer of success, with its age and where it came from.

use super::error::mime;
use crate::aenv::rows::{Listing, Rendered, Row, Shape};
use crate::memo::{Found, ReadOptions, Source};
use actix_web::body::{BodySize, MessageBody};
use actix_web::http::header::{AGE, ETAG, HeaderMap, HeaderName, HeaderValue, IF_NONE_MATCH};
use actix_web::{HttpMessage, HttpRequest, HttpResponse, HttpResponseBuilder};
use bytes::Bytes;
use std::convert::Infallible;
use std::pin::Pin;
use std::task::{Context, Poll};

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

/// Renders `found`, or says that the caller has it already (`If-None-Match`).
///
/// `Age` is in seconds (RFC 9111, section 5.1); `Cache-Status` says whether the answer came from memory, and if
/// not, why it had to be fetched (RFC 9211). An answer that stands in for one that cannot be had says both: `hit;
/// fwd=stale`.
pub(super) fn render<R: Row>(
    request: &HttpRequest,
    options: ReadOptions,
    found: &Found<Listing<R>>,
    shape: Shape,
) -> HttpResponse {
    request.extensions_mut().insert(found.source);
    let rendered = found.answer.value.rendered(shape);
    send(request, rendered, |response| {
        response
            .insert_header((AGE, found.answer.age().as_secs()))
            .insert_header((CACHE_STATUS, cache_status(options, found)));
    })
}

/// Renders a document that stays as it is, or says that the caller has it already.
pub(super) fn render_document(request: &HttpRequest, rendered: &Rendered) -> HttpResponse {
    send(request, rendered, |_| ())
}

fn send(
    request: &HttpRequest,
    rendered: &Rendered,
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

fn names(tags: &HeaderValue, etag: &str) -> bool {
    let tags = tags.to_str().unwrap_or_default();
    tags.split(',').map(str::trim).any(|tag| tag == "*" || tag.trim_start_matches("W/") == etag)
}

fn cache_status<V>(options: ReadOptions, found: &Found<V>) -> String {
    let forward = if options.no_cache { "request" } else { "miss" };
    let stored = if found.fresh_for.is_zero() { "" } else { "; stored" };
    match found.source {
        Source::Hit => format!("aenv-controller; hit; ttl={}", found.fresh_for.as_secs()),
        Source::Revalidating => "aenv-controller; hit; ttl=-1".to_owned(),
        Source::Stale => "aenv-controller; hit; fwd=stale".to_owned(),
        Source::Fetched => format!("aenv-controller; fwd={forward}{stored}"),
        Source::Joined => format!("aenv-controller; fwd={forward}; collapsed{stored}"),
    }
}
