//! A request as handlers see it: what they work with, how its caller asks, and how it is answered.

pub(super) use super::answer::Answer;
use super::answer::{Provenance, answer};
use super::api::{Api, Limits};
use super::error::ApiError;
use super::warning::warn;
use crate::aenv::rows::{ListShape, One, OneShape, Row, Rows};
use crate::aenv::warnings::Warnings;
use crate::call::{Call, CallerKey};
use crate::credentials::Caller;
use crate::memo::{Found, ReadOptions};
use actix_web::dev::Payload as Incoming;
use actix_web::http::header::{CACHE_CONTROL, HeaderMap};
use actix_web::web::{Bytes, Data, Payload};
use actix_web::{FromRequest, HttpMessage, HttpRequest};
use std::future::{Ready, ready};
use tokio::time::{Duration, Instant, timeout};

/// A request to the API.
pub(super) struct Ask {
    pub(super) api: Data<Api>,
    pub(super) http: HttpRequest,
    /// Until when the caller waits, and whether it takes an answer from memory.
    pub(super) options: ReadOptions,
}

impl Ask {
    /// The answer that shows a list.
    pub(super) async fn show_list<R: Row>(&self, found: &Found<Rows<R>>, shape: ListShape) -> Answer {
        let rendering = found.answer.value.rendering(shape).await.ok_or(ApiError::NoRendering)?;
        answer(&self.http, &Provenance::of(found, self.options), &rendering).await
    }

    /// The answer that shows one object.
    pub(super) async fn show_one<R: Row>(&self, found: &Found<One<R>>, shape: OneShape) -> Answer {
        answer(&self.http, &Provenance::of(found, self.options), &found.answer.value.render(shape)).await
    }

    /// Adds warnings to the answer, whichever it will be.
    pub(super) fn warn(&self, warnings: Warnings) {
        warn(&self.http, warnings);
    }

    /// The call of a write on behalf of the request's caller.
    pub(super) fn write(&self) -> Call {
        Call::until(self.options.deadline).by(self.options.caller)
    }

    /// The bytes of the request's body.
    pub(super) async fn read(&self, body: Payload) -> Result<Bytes, ApiError> {
        let Limits { body_timeout, max_body_bytes, .. } = self.api.limits.get();
        match timeout(body_timeout, body.to_bytes_limited(max_body_bytes)).await {
            Ok(Ok(Ok(bytes))) => Ok(bytes),
            Ok(Ok(Err(error))) => Err(ApiError::BadRequest(format!("Invalid request body: {error}"))),
            Ok(Err(_)) => Err(ApiError::TooLarge),
            Err(_) => Err(ApiError::SlowBody),
        }
    }
}

impl FromRequest for Ask {
    type Error = actix_web::Error;
    type Future = Ready<Result<Self, Self::Error>>;

    fn from_request(request: &HttpRequest, _: &mut Incoming) -> Self::Future {
        let api = request.app_data::<Data<Api>>().cloned().expect("every route of the API is given it");
        let deadline = Instant::now() + api.limits.get().request_deadline;
        let headers = request.headers();
        let (no_cache, stale_if_error) = (directive(headers, "no-cache") == Some(""), stale_if_error(headers));
        let options = ReadOptions { deadline, no_cache, stale_if_error, caller: caller(request) };
        ready(Ok(Self { api, http: request.clone(), options }))
    }
}

/// Whose turns the request takes: those of its token, if that has a name, else those of its address.
fn caller(request: &HttpRequest) -> CallerKey {
    let token = request.extensions().get::<Caller>().and_then(|caller| caller.name.clone());
    match token {
        Some(name) => CallerKey::of(("token", name.as_str())),
        None => request.peer_addr().map_or_else(CallerKey::default, |peer| CallerKey::of(("address", peer.ip()))),
    }
}

/// What follows the name of a directive of `Cache-Control`, usually nothing. `None`: it is not there.
fn directive<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    let values = headers.get_all(CACHE_CONTROL).filter_map(|value| value.to_str().ok());
    let mut directives = values.flat_map(|value| value.split(',')).map(str::trim);
    directives.find_map(|directive| directive.strip_prefix(name))
}

/// The oldest answer that the caller takes in place of an error (RFC 5861, section 4). What is no number is not there.
fn stale_if_error(headers: &HeaderMap) -> Option<Duration> {
    directive(headers, "stale-if-error=")?.parse().ok().map(Duration::from_secs)
}
