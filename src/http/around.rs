//! Middleware: the steps around every handler, in their order.
//!
//! One for all of them: each further one would be another future on the heap, through which request and answer are moved.

use super::access::log_and_count;
use super::auth::authorize;
use super::identify::Told;
use super::pace::Turn;
use super::retire::retire;
use super::warning::send_warnings;
use actix_web::Error;
use actix_web::body::{BoxBody, MessageBody};
use actix_web::dev::{ServiceRequest, ServiceResponse};
use actix_web::middleware::Next;
use tokio::time::Instant;

/// Has `request` answered by its handler, if its caller may ask for it.
pub(super) async fn around(
    request: ServiceRequest,
    next: Next<BoxBody>,
) -> Result<ServiceResponse<impl MessageBody>, Error> {
    let turn = Turn::begin(&request).await;
    let names = Told::of(request.headers()).names();
    let mut answered = names.scope(admit(request, next)).await?;
    names.send(answered.headers_mut());
    retire(&mut answered);
    Ok(turn.end_with(answered))
}

/// The part that is done under the request's names.
async fn admit(request: ServiceRequest, next: Next<BoxBody>) -> Result<ServiceResponse, Error> {
    let began = Instant::now();
    let mut answered = match authorize(&request).await {
        Ok(()) => next.call(request).await?,
        Err(refused) => request.error_response(refused),
    };
    send_warnings(&mut answered);
    log_and_count(&answered, began.elapsed());
    Ok(answered)
}
