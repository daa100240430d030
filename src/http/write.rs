//! What the routes that write have in common: the body, the answer, and the line of the audit trail.

use super::Api;
use super::access::trace_id;
use super::error::{ApiError, mime};
use crate::envelope::Envelope;
use crate::listing::{Listing, Row, Shape};
use actix_web::http::StatusCode;
use actix_web::web::{Bytes, Payload};
use actix_web::{HttpRequest, HttpResponse, HttpResponseBuilder, ResponseError};
use serde::Serialize;
use tokio::time::{Duration, Instant, timeout};

/// How long a body may take to arrive.
const BODY_PATIENCE: Duration = Duration::from_secs(10);

/// The bytes of a body, which is small and should be there at once.
pub(super) async fn read(api: &Api, body: Payload) -> Result<Bytes, ApiError> {
    match timeout(BODY_PATIENCE, body.to_bytes_limited(api.max_body_bytes)).await {
        Ok(Ok(Ok(bytes))) => Ok(bytes),
        Ok(Ok(Err(error))) => Err(ApiError::BadRequest(format!("Invalid request body: {error}"))),
        Ok(Err(_)) => Err(ApiError::TooLarge),
        Err(_) => Err(ApiError::SlowBody),
    }
}

/// The answer that shows what was written.
pub(super) fn shown<R: Row>(status: StatusCode, listing: &Listing<R>, shape: Shape) -> HttpResponse {
    HttpResponseBuilder::new(status).content_type(mime()).body(listing.rendered(shape).body.clone())
}

/// The answer to a write that leaves nothing to show.
pub(super) fn done(data: impl Serialize) -> HttpResponse {
    HttpResponse::Ok().content_type(mime()).body(Envelope::success(data).to_json())
}

/// A write, as the audit trail has it. Values of environment variables are no part of it.
pub(super) struct Write<'a> {
    request: &'a HttpRequest,
    verb: &'static str,
    kind: &'static str,
    owner: Option<String>,
    began: Instant,
}

impl<'a> Write<'a> {
    /// A write that begins now. `owner` is who it is for, as far as the request says.
    pub(super) fn begin(
        request: &'a HttpRequest,
        verb: &'static str,
        kind: &'static str,
        owner: Option<String>,
    ) -> Self {
        Self { request, verb, kind, owner, began: Instant::now() }
    }

    /// Writes the line for what came of it; `name` is that of the object, if it has one.
    pub(super) fn end<T>(self, name: Option<&str>, outcome: &Result<T, ApiError>) {
        let status = outcome.as_ref().err().map_or("ok".to_owned(), |error| error.status_code().as_str().to_owned());
        log::info!(
            target: "audit",
            "{} {} {} owner={} trace={} outcome={status} {:.1}ms",
            self.verb,
            self.kind,
            name.unwrap_or("-"),
            self.owner.as_deref().unwrap_or("-"),
            trace_id(self.request.headers()),
            self.began.elapsed().as_secs_f64() * 1e3,
        );
    }
}
