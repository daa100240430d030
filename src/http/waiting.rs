//! How many requests may wait for their answer at the same time.
//!
//! A replica whose API server is slow gathers callers, each with some memory until its deadline. One beyond the limit
//! is refused at once, before anything is read or asked for it. A caller that is answered gives its place back, and so
//! does one that hangs up.

use super::api::Api;
use super::error::ApiError;
use super::metrics::Metrics;
use super::routes::is_immediate;
use actix_web::Error;
use actix_web::body::MessageBody;
use actix_web::dev::{ServiceRequest, ServiceResponse};
use actix_web::middleware::Next;
use actix_web::web::Data;
use std::num::NonZeroUsize;
use tokio::sync::{Semaphore, SemaphorePermit};

/// The places of those who wait.
#[derive(Debug)]
pub struct Waiting(Semaphore);

impl Waiting {
    /// So many places, all free.
    #[must_use]
    pub fn new(places: NonZeroUsize) -> Self {
        Self(Semaphore::new(places.get()))
    }

    /// A place, unless all are taken.
    fn enter<'a>(&'a self, metrics: &'a Metrics) -> Option<Place<'a>> {
        let permit = self.0.try_acquire().ok()?;
        metrics.in_flight.inc();
        Some(Place { _permit: permit, metrics })
    }
}

/// Free again when dropped.
struct Place<'a> {
    _permit: SemaphorePermit<'a>,
    metrics: &'a Metrics,
}

impl Drop for Place<'_> {
    fn drop(&mut self) {
        self.metrics.in_flight.dec();
    }
}

/// Lets `request` wait for its answer if there is a place. What is answered at once needs none.
///
/// # Errors
/// Those of the handler.
pub(super) async fn admit(
    request: ServiceRequest,
    next: Next<impl MessageBody + 'static>,
) -> Result<ServiceResponse<impl MessageBody>, Error> {
    let api = request.app_data::<Data<Api>>().cloned().expect("every route of the API is given it");
    if is_immediate(request.match_pattern().as_deref()) {
        return Ok(next.call(request).await?.map_into_left_body());
    }
    let Some(_place) = api.waiting.enter(&api.metrics) else {
        return Ok(request.error_response(ApiError::Crowded).map_into_right_body());
    };
    Ok(next.call(request).await?.map_into_left_body())
}
