//! What the routes that write have in common: the answer, and the line of the audit trail.

use super::access::trace_id;
use super::ask::{Answer, Ask};
use super::error::{ApiError, mime};
use crate::cluster::Failed;
use crate::envelope::Envelope;
use crate::labels::LabelValue;
use crate::listing::{Listing, Row, Shape};
use actix_web::http::StatusCode;
use actix_web::{HttpResponse, HttpResponseBuilder, ResponseError};
use serde::Serialize;
use tokio::time::Instant;

/// The answer that shows what was written.
pub(super) fn shown<R: Row>(status: StatusCode, listing: &Listing<R>, shape: Shape) -> Answer {
    Ok(HttpResponseBuilder::new(status).content_type(mime()).body(listing.rendered(shape).body.clone()))
}

/// The answer to a write that leaves nothing to show.
pub(super) fn done(data: impl Serialize) -> Answer {
    Ok(HttpResponse::Ok().content_type(mime()).body(Envelope::success(data).to_json()))
}

/// A write, as the audit trail has it. Values of environment variables are no part of it.
pub(super) struct Write<'a> {
    ask: &'a Ask,
    verb: &'static str,
    kind: &'static str,
    owner: Option<&'a LabelValue>,
    began: Instant,
}

impl<'a> Write<'a> {
    /// A write that begins now. `owner` is who it is for, as far as the request says.
    pub(super) fn begin(ask: &'a Ask, verb: &'static str, kind: &'static str, owner: Option<&'a LabelValue>) -> Self {
        Self { ask, verb, kind, owner, began: Instant::now() }
    }

    /// Writes the line for what came of it; `name` is that of the object, if it has one.
    pub(super) fn end<T>(self, name: Option<&str>, outcome: Result<T, Failed>) -> Result<T, ApiError> {
        let outcome = outcome.map_err(ApiError::Write);
        let status = outcome.as_ref().err().map_or("ok".to_owned(), |error| error.status_code().as_str().to_owned());
        log::info!(
            target: "audit",
            "{} {} {} owner={} trace={} outcome={status} {:.1}ms",
            self.verb,
            self.kind,
            name.unwrap_or("-"),
            self.owner.map_or("-", LabelValue::as_str),
            trace_id(self.ask.http.headers()),
            self.began.elapsed().as_secs_f64() * 1e3,
        );
        outcome
    }
}
