//! The last seconds of a replica: it answers still, and asks each caller to come back to another one.

use super::api::Api;
use actix_http::ConnectionType;
use actix_web::dev::ServiceResponse;
use actix_web::web::Data;

/// Adds `Connection: close` (RFC 9112, section 9.6) to every answer once the replica is not ready any more, so that no
/// caller sends its next request on a connection that is about to end.
pub(super) fn retire(answered: &mut ServiceResponse) {
    let api = answered.request().app_data::<Data<Api>>().expect("every route of the API is given it");
    if !api.readiness.is_ready() {
        answered.response_mut().head_mut().set_connection_type(ConnectionType::Close);
    }
}
