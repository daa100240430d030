//! Common parts of the routes that write: the answer, and the line of the audit trail.

use super::ask::{Answer, Ask};
use super::error::{ApiError, MIME};
use crate::aenv::envelope::Envelope;
use crate::aenv::once_only::{Created, IdempotencyKey};
use crate::aenv::rows::{One, OneShape, Row};
use crate::cluster::Failed;
use crate::credentials::Caller;
use crate::syntax::{LabelValue, ObjectName};
use actix_web::http::StatusCode;
use actix_web::http::header::{HeaderName, HeaderValue};
use actix_web::{HttpMessage, HttpRequest, HttpResponse, HttpResponseBuilder, ResponseError};
use serde::Serialize;
use std::borrow::Cow;
use tokio::time::Instant;

const IDEMPOTENCY_KEY: HeaderName = HeaderName::from_static("idempotency-key");
const IDEMPOTENT_REPLAY: HeaderName = HeaderName::from_static("idempotent-replay");

/// The answer that shows what was written.
pub(super) fn shown<R: Row>(status: StatusCode, one: &One<R>, shape: OneShape) -> HttpResponse {
    HttpResponseBuilder::new(status).content_type(MIME).body(one.render(shape).body().clone())
}

/// The answer that shows what was created, now or by an earlier request with the same key.
pub(super) fn created<R: Row>(status: StatusCode, created: &Created<One<R>>, shape: OneShape) -> HttpResponse {
    let mut response = shown(status, &created.object, shape);
    if created.replayed {
        response.headers_mut().insert(IDEMPOTENT_REPLAY, HeaderValue::from_static("true"));
    }
    response
}

/// The `Idempotency-Key` of a create, if it has one.
pub(super) fn idempotency_key(ask: &Ask) -> Result<Option<IdempotencyKey>, ApiError> {
    let mut values = ask.http.headers().get_all(IDEMPOTENCY_KEY);
    let Some(value) = values.next() else { return Ok(None) };
    let caller = caller(&ask.http).flatten().map(|name| name.to_string());
    let key = value.to_str().ok().filter(|_| values.next().is_none());
    match key.and_then(|text| IdempotencyKey::new(text, caller)) {
        Some(key) => Ok(Some(key)),
        None => Err(ApiError::BadRequest(
            "Idempotency-Key: one key of 1 to 255 visible ASCII characters is needed".to_owned(),
        )),
    }
}

/// The answer to a write that leaves nothing to show.
pub(super) fn done(data: impl Serialize) -> Answer {
    Ok(HttpResponse::Ok().content_type(MIME).body(Envelope::success(data).to_json()))
}

/// A write, as the audit trail has it. Values of environment variables are no part of it. One whose caller hangs up
/// before its end has a line, too.
pub(super) struct Write<'a> {
    ask: &'a Ask,
    verb: &'static str,
    kind: &'static str,
    name: Option<ObjectName>,
    owner: Option<LabelValue>,
    outcome: Cow<'static, str>,
    began: Instant,
}

impl<'a> Write<'a> {
    /// A write that begins now, of the object `name` if that is known yet. `owner` is who it is for, as far as the
    /// request says.
    pub(super) fn begin(
        ask: &'a Ask,
        verb: &'static str,
        kind: &'static str,
        name: Option<ObjectName>,
        owner: Option<LabelValue>,
    ) -> Self {
        Self { ask, verb, kind, name, owner, outcome: Cow::Borrowed("abandoned"), began: Instant::now() }
    }

    /// Notes the name that was made up for the object.
    pub(super) fn name(&mut self, name: Option<&str>) {
        self.name = self.name.take().or_else(|| ObjectName::new(name?).ok());
    }

    /// Ends it with what came of it.
    pub(super) fn end<T>(mut self, outcome: Result<T, Failed>) -> Result<T, ApiError> {
        let outcome = outcome.map_err(ApiError::Write);
        self.outcome = match &outcome {
            Ok(_) => Cow::Borrowed("ok"),
            Err(error) => Cow::Owned(error.status_code().as_u16().to_string()),
        };
        outcome
    }
}

impl Drop for Write<'_> {
    fn drop(&mut self) {
        let (verb, kind, outcome) = (self.verb, self.kind, &*self.outcome);
        let name = self.name.as_ref().map(ObjectName::as_str);
        let owner = self.owner.as_ref().map(LabelValue::as_str);
        let caller = caller(&self.ask.http);
        let by = caller.as_ref().map(|name| name.as_ref().map_or("-", LabelValue::as_str));
        let ms = self.began.elapsed().as_secs_f64() * 1e3;
        log::info!(
            target: "audit",
            verb, kind, name, owner, by, outcome, ms;
            "{verb} {kind} {} owner={}{} outcome={outcome} {ms:.1}ms",
            name.unwrap_or("-"),
            owner.unwrap_or("-"),
            by.map(|by| format!(" by={by}")).unwrap_or_default(),
        );
    }
}

/// The name of the caller's token, if it has one. `None`: nobody needs a token.
fn caller(request: &HttpRequest) -> Option<Option<LabelValue>> {
    request.extensions().get::<Caller>().map(|caller| caller.name.clone())
}
