//! The answers of failure, each described once. [`ApiError`](super::super::error::ApiError) decides the status of each
//! error.

use super::operation::{REQUEST_ID, described, header, name_of};
use crate::aenv::envelope::{Envelope, failure_schema};
use actix_web::http::StatusCode;
use serde_json::{Value, from_slice};
use utoipa::openapi::schema::{ObjectBuilder, Type};
use utoipa::openapi::{ComponentsBuilder, ContentBuilder, Ref, ResponseBuilder};

/// Name of the envelope's schema.
const FAILURE: &str = "Failure";

/// A status, what it means, and a message that comes with it.
const FAILURES: [(StatusCode, &str, &str); 13] = [
    (
        StatusCode::BAD_REQUEST,
        "The request says something that cannot be meant; the message names the field.",
        r#"envName: "a b" is not a label value: at most 63 letters, digits, '-', '_' or '.', beginning and ending with a letter or digit"#,
    ),
    (
        StatusCode::UNAUTHORIZED,
        "The token is missing or not known. Only if `auth.tokens_file` is set.",
        "a token is needed: Authorization: Bearer <token> (auth.tokens_file)",
    ),
    (
        StatusCode::FORBIDDEN,
        "The token does not allow this. Only if `auth.tokens_file` is set.",
        "the token is not good for this request, which needs the scope write (auth.tokens_file)",
    ),
    (
        StatusCode::NOT_FOUND,
        "There is no such object, or no such environment.",
        r#"failed to get deployment weather-main: deployments.apps "weather-main" not found"#,
    ),
    (
        StatusCode::REQUEST_TIMEOUT,
        "The request did not arrive in time.",
        "the request body did not arrive in time (server.body_timeout_ms)",
    ),
    (
        StatusCode::CONFLICT,
        "The name is taken, or somebody else changes the same object.",
        r#"failed to create deployment: deployments.apps "weather-main" already exists"#,
    ),
    (StatusCode::PAYLOAD_TOO_LARGE, "The body is too large.", "the request body is too large (server.max_body_bytes)"),
    (
        StatusCode::UNPROCESSABLE_ENTITY,
        "The API server refuses the object, or EnvHub's description of it cannot be deployed.",
        "the environment weather@1.0.2 cannot be deployed: artifacts: has no image, give one of type \"image\"",
    ),
    (StatusCode::INTERNAL_SERVER_ERROR, "A bug.", "internal error: the fetch was lost"),
    (
        StatusCode::NOT_IMPLEMENTED,
        "Creating by the name of an environment needs `envhub.url`.",
        "creating by the name of an environment needs EnvHub: set envhub.url",
    ),
    (
        StatusCode::BAD_GATEWAY,
        "The API server or EnvHub cannot be reached, cannot be read, or refuses *our* rights.",
        "failed to list workloads: the API server cannot be reached",
    ),
    (
        StatusCode::SERVICE_UNAVAILABLE,
        "The API server is overloaded, or this replica's own limit is reached.",
        "too many requests wait for their answer already (server.max_waiting)",
    ),
    (
        StatusCode::GATEWAY_TIMEOUT,
        "No answer before the request's deadline.",
        "no answer from the API server before the request's deadline",
    ),
];

pub(super) fn add_to(components: ComponentsBuilder) -> ComponentsBuilder {
    let components = components.schema(FAILURE, failure_schema());
    FAILURES.into_iter().fold(components, |components, (status, about, message)| {
        let example: Option<Value> = from_slice(&Envelope::failure(status.as_u16(), message).to_json()).ok();
        let content = ContentBuilder::new().schema(Some(Ref::from_schema_name(FAILURE))).example(example).build();
        let mut response = ResponseBuilder::new()
            .description(about)
            .content("application/json", content)
            .header(REQUEST_ID.0, header(Type::String, REQUEST_ID.1));
        if matches!(status, StatusCode::SERVICE_UNAVAILABLE | StatusCode::GATEWAY_TIMEOUT) {
            let seconds = ObjectBuilder::new().schema_type(Type::Integer).minimum(Some(1));
            response = response.header("Retry-After", described(seconds, "Come back after that many seconds."));
        }
        if matches!(status, StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN) {
            response =
                response.header("WWW-Authenticate", header(Type::String, "What can be done about it (RFC 6750)."));
        }
        components.response(name_of(status), response.build())
    })
}
