//! An answer of success, with its age and where it came from.

use super::coding::preferred;
use super::error::{ApiError, mime};
use super::outbox::Outgoing;
use crate::aenv::rows::{Coding, Rendering};
use crate::memo::{Found, ReadOptions, Source};
use actix_web::http::StatusCode;
use actix_web::http::header::{
    AGE, CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_TYPE, ETAG, HeaderMap, HeaderName, HeaderValue, IF_NONE_MATCH, VARY,
};
use actix_web::{HttpMessage, HttpRequest, HttpResponse};
use bytes::Bytes;
use tokio::time::Duration;

/// Outcome of a handler.
pub(super) type Answer = Result<HttpResponse, ApiError>;

const CACHE_STATUS: HeaderName = HeaderName::from_static("cache-status");

/// Origin and age of an answer about objects.
pub(super) struct Provenance {
    source: Source,
    /// True if the caller asked for a fetch.
    no_cache: bool,
    age: Duration,
    fresh_for: Duration,
}

impl Provenance {
    pub(super) fn of<V>(found: &Found<V>, options: ReadOptions) -> Self {
        let (source, fresh_for) = (found.source, found.fresh_for);
        Self { source, no_cache: options.no_cache, age: found.answer.age(), fresh_for }
    }

    /// Where the answer came from.
    pub(super) fn source(&self) -> Source {
        self.source
    }

    fn tell(&self, headers: &mut HeaderMap) {
        headers.insert(AGE, self.age.as_secs().into());
        let status = HeaderValue::try_from(self.cache_status());
        headers.insert(CACHE_STATUS, status.expect("it is made of letters, digits and a few signs"));
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

/// How a caller takes its answer.
pub(super) struct Wish {
    coding: Coding,
    /// The entity tags of what it has already (`If-None-Match`).
    known: Vec<HeaderValue>,
}

impl Wish {
    /// As it says in `headers`.
    pub(super) fn of(headers: &HeaderMap) -> Self {
        Self { coding: preferred(headers), known: headers.get_all(IF_NONE_MATCH).cloned().collect() }
    }

    /// The answer that shows `rendering`, without a body; with the coding in which that is sent, unless the caller has it.
    fn begin(
        &self,
        rendering: &Rendering,
        kind: HeaderValue,
        add_headers: impl FnOnce(&mut HeaderMap),
    ) -> (HttpResponse, Option<Coding>) {
        let coding = if rendering.is_compressible() { self.coding } else { Coding::Identity };
        let etag = rendering.etag(coding);
        let is_known = self.known.iter().any(|tags| names(tags, etag));
        let mut response = HttpResponse::new(if is_known { StatusCode::NOT_MODIFIED } else { StatusCode::OK });
        let headers = response.headers_mut();
        let etag = HeaderValue::from_maybe_shared(etag.clone()).expect("a tag is made of digits and letters");
        headers.insert(ETAG, etag);
        if rendering.is_compressible() {
            headers.insert(VARY, HeaderValue::from_static("accept-encoding"));
        }
        add_headers(headers);
        if is_known {
            return (response, None);
        }
        if coding != Coding::Identity {
            headers.insert(CONTENT_ENCODING, HeaderValue::from_static(coding.as_str()));
        }
        headers.insert(CONTENT_TYPE, kind);
        (response, Some(coding))
    }
}

/// An answer about objects with its `Age` in seconds (RFC 9111, section 5.1), or 304 if the caller has it already
/// (`If-None-Match`).
pub(super) async fn answer(request: &HttpRequest, origin: &Provenance, rendering: &Rendering) -> Answer {
    request.extensions_mut().insert(origin.source);
    send(request, rendering, mime(), |headers| origin.tell(headers)).await
}

/// The same answer and its body, apart; 304 has none. `None`: something has to be made first.
pub(super) fn answer_at_hand(
    wish: &Wish,
    origin: &Provenance,
    rendering: &Rendering,
) -> Option<(HttpResponse, Option<Bytes>)> {
    let (response, coding) = wish.begin(rendering, mime(), |headers| origin.tell(headers));
    let body = match coding {
        Some(coding) => Some(rendering.at_hand(coding)?),
        None => None,
    };
    Some((response, body))
}

/// A document that stays as it is, or 304 if the caller has it already.
pub(super) async fn answer_document(
    request: &HttpRequest,
    document: &Rendering,
    kind: HeaderValue,
    headers: &[(HeaderName, &'static str)],
) -> Answer {
    send(request, document, kind, |to| {
        for (name, value) in headers {
            to.insert(name.clone(), HeaderValue::from_static(value));
        }
    })
    .await
}

async fn send(
    request: &HttpRequest,
    rendering: &Rendering,
    kind: HeaderValue,
    add_headers: impl FnOnce(&mut HeaderMap),
) -> Answer {
    let (mut response, coding) = Wish::of(request.headers()).begin(rendering, kind, add_headers);
    let Some(coding) = coding else { return Ok(response) };
    let body = rendering.encoded(coding).await.ok_or(ApiError::NoRendering)?;
    let length = body.len();
    Ok(match Outgoing::new(request, body) {
        Ok(body) => {
            // To actix it is a stream, which would be sent in chunks.
            response.headers_mut().insert(CONTENT_LENGTH, length.into());
            response.head_mut().no_chunking(true);
            response.set_body(body).map_into_boxed_body()
        }
        Err(body) => response.set_body(body).map_into_boxed_body(),
    })
}

/// Weak comparison (RFC 9110, section 8.8.3.2).
fn names(tags: &HeaderValue, etag: &[u8]) -> bool {
    let mut tags = tags.as_bytes().split(|byte| *byte == b',').map(<[u8]>::trim_ascii);
    tags.any(|tag| tag == b"*" || opaque(tag) == opaque(etag))
}

fn opaque(tag: &[u8]) -> &[u8] {
    tag.strip_prefix(b"W/").unwrap_or(tag)
}
