//! An answer of success, with its age and where it came from.

use super::coding::preferred;
use super::error::{ApiError, MIME};
use super::outbox::Outgoing;
use crate::aenv::rows::{Coding, Rendering};
use crate::memo::{Found, ReadOptions, Source};
use actix_web::http::StatusCode;
use actix_web::http::header::{
    AGE, CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_TYPE, ETAG, HeaderMap, HeaderName, HeaderValue, IF_NONE_MATCH, VARY,
};
use actix_web::{HttpMessage, HttpRequest, HttpResponse};
use tokio::time::Duration;

/// Outcome of a handler.
pub(super) type Answer = Result<HttpResponse, ApiError>;

/// Adds a header to an answer, whichever form that has.
pub(super) type AddHeader<'a> = dyn FnMut(HeaderName, &[u8]) + 'a;

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

    /// Source of the answer.
    pub(super) fn source(&self) -> Source {
        self.source
    }

    /// Adds the headers that tell it.
    pub(super) fn tell(&self, add: &mut AddHeader<'_>) {
        add(AGE, self.age.as_secs().to_string().as_bytes());
        add(CACHE_STATUS, self.cache_status().as_bytes());
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

/// Form in which a caller wants its answer.
pub(super) struct Wish {
    coding: Coding,
    /// The entity tags of what it has already (`If-None-Match`).
    known: Vec<HeaderValue>,
}

impl Wish {
    /// The one that its `headers` ask for.
    pub(super) fn of(headers: &HeaderMap) -> Self {
        Self { coding: preferred(headers), known: headers.get_all(IF_NONE_MATCH).cloned().collect() }
    }

    /// The form in which it is shown `rendering`.
    pub(super) fn form<'a>(&self, rendering: &'a Rendering) -> Form<'a> {
        let coding = if rendering.is_compressible() { self.coding } else { Coding::Identity };
        let is_known = self.known.iter().any(|tags| names(tags, rendering.etag(coding).as_bytes()));
        Form { rendering, coding, is_known }
    }
}

/// The form of an answer: with its body in one coding, or without because the caller has it already.
pub(super) struct Form<'a> {
    rendering: &'a Rendering,
    coding: Coding,
    is_known: bool,
}

impl Form<'_> {
    pub(super) fn status(&self) -> StatusCode {
        if self.is_known { StatusCode::NOT_MODIFIED } else { StatusCode::OK }
    }

    /// The coding of the body. `None`: it has none.
    pub(super) fn coding(&self) -> Option<Coding> {
        (!self.is_known).then_some(self.coding)
    }

    /// Adds the headers that belong to it; `kind` is the type of the body.
    pub(super) fn tell(&self, kind: &'static str, add: &mut AddHeader<'_>) {
        add(ETAG, self.rendering.etag(self.coding).as_bytes());
        if self.rendering.is_compressible() {
            add(VARY, b"accept-encoding");
        }
        if self.is_known {
            return;
        }
        if self.coding != Coding::Identity {
            add(CONTENT_ENCODING, self.coding.as_str().as_bytes());
        }
        add(CONTENT_TYPE, kind.as_bytes());
    }
}

/// An answer about objects with its `Age` in seconds (RFC 9111, section 5.1), or 304 if the caller has it already
/// (`If-None-Match`).
pub(super) async fn answer(request: &HttpRequest, origin: &Provenance, rendering: &Rendering) -> Answer {
    request.extensions_mut().insert(origin.source);
    send(request, rendering, MIME, |add| origin.tell(add)).await
}

/// A document that stays as it is, or 304 if the caller has it already.
pub(super) async fn answer_document(
    request: &HttpRequest,
    document: &Rendering,
    kind: &'static str,
    headers: &[(HeaderName, &'static str)],
) -> Answer {
    send(request, document, kind, |add| headers.iter().for_each(|(name, value)| add(name.clone(), value.as_bytes())))
        .await
}

async fn send(
    request: &HttpRequest,
    rendering: &Rendering,
    kind: &'static str,
    tell: impl FnOnce(&mut AddHeader<'_>),
) -> Answer {
    let form = Wish::of(request.headers()).form(rendering);
    let mut response = HttpResponse::new(form.status());
    let headers = response.headers_mut();
    let mut add = |name, value: &[u8]| {
        headers.insert(name, HeaderValue::from_bytes(value).expect("it is made of letters, digits and a few signs"));
    };
    form.tell(kind, &mut add);
    tell(&mut add);
    let Some(coding) = form.coding() else { return Ok(response) };
    let body = rendering.encoded(coding).await.ok_or(ApiError::NoRendering)?.bytes;
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
