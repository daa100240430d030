//! The last seconds of a replica: it answers still, and asks each caller to come back to another one.

use super::api::Api;
use actix_http::ConnectionType;
use actix_web::Error;
use actix_web::body::MessageBody;
use actix_web::dev::{ServiceRequest, ServiceResponse};
use actix_web::middleware::Next;
use actix_web::web::Data;

/// Adds `Connection: close` (RFC 9112, section 9.6) to every answer once the replica is not ready any more, so that no
/// caller sends its next request on a connection that is about to end.
pub(super) async fn retire(
    request: ServiceRequest,
    next: Next<impl MessageBody>,
) -> Result<ServiceResponse<impl MessageBody>, Error> {
    let api = request.app_data::<Data<Api>>().cloned().expect("every route of the API is given it");
    let mut answered = next.call(request).await?;
    if !api.readiness.is_ready() {
        answered.response_mut().head_mut().set_connection_type(ConnectionType::Close);
    }
    Ok(answered)
}
