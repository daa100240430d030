//! A request as handlers see it: what they work with, how its caller asks, and how it is answered.

use super::Api;
use super::answer::render;
use super::error::ApiError;
use crate::listing::{Listing, Row, Shape};
use crate::memo::{Asked, Found};
use actix_web::dev::Payload as Incoming;
use actix_web::http::header::{CACHE_CONTROL, HeaderMap};
use actix_web::web::{Bytes, Data, Payload};
use actix_web::{FromRequest, HttpRequest, HttpResponse};
use std::future::{Ready, ready};
use tokio::time::{Instant, timeout};

/// What a handler gives.
pub(super) type Answer = Result<HttpResponse, ApiError>;

/// A request to the API.
pub(super) struct Ask {
    pub(super) api: Data<Api>,
    pub(super) http: HttpRequest,
    /// Until when the caller waits, and whether it takes an answer from memory.
    pub(super) asked: Asked,
}

impl Ask {
    /// The answer that shows what was found.
    pub(super) fn show<R: Row>(&self, found: &Found<Listing<R>>, shape: Shape) -> Answer {
        Ok(render(&self.http, self.asked, found, shape))
    }

    /// The bytes of the request's body.
    pub(super) async fn read(&self, body: Payload) -> Result<Bytes, ApiError> {
        match timeout(self.api.body_timeout, body.to_bytes_limited(self.api.max_body_bytes)).await {
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
        let deadline = Instant::now() + api.request_deadline;
        let asked = Asked { deadline, no_cache: wants_no_cache(request.headers()) };
        ready(Ok(Self { api, http: request.clone(), asked }))
    }
}

fn wants_no_cache(headers: &HeaderMap) -> bool {
    let directives = headers.get_all(CACHE_CONTROL).filter_map(|value| value.to_str().ok());
    directives.flat_map(|value| value.split(',')).any(|directive| directive.trim() == "no-cache")
}
