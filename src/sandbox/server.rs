//! The HTTP edge: exchanges over connections.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};

use actix_web::body::{BodySize, MessageBody};
use actix_web::http::StatusCode;
use actix_web::http::header::{ACCEPT, CONTENT_TYPE, HeaderName, RETRY_AFTER};
use actix_web::web::{Data, Payload};
use actix_web::{HttpRequest, HttpResponse};
use bytes::Bytes;

use super::exchange::{Answer, Cut, Head, Shared, exchange};
use super::status::ApiError;

/// As the API server has it.
const MAX_BODY_BYTES: usize = 3 * 1024 * 1024;

/// Answers everything that is not one of the sandbox's own routes.
pub(super) async fn serve(request: HttpRequest, payload: Payload, shared: Data<Shared>) -> HttpResponse {
    let header = |name: HeaderName| {
        let value = request.headers().get(name);
        value.and_then(|value| value.to_str().ok()).unwrap_or_default()
    };
    let head = Head {
        method: request.method().as_str(),
        path: request.path(),
        query: request.query_string(),
        content_type: header(CONTENT_TYPE),
        accept: header(ACCEPT),
    };
    let body = match payload.to_bytes_limited(MAX_BODY_BYTES).await {
        Ok(Ok(body)) => Ok(body),
        Ok(Err(error)) => Err(ApiError::bad_request(error.to_string())),
        Err(_) => Err(ApiError::too_large(MAX_BODY_BYTES)),
    };
    match exchange(head, body, &shared).await {
        Ok(answer) => response(answer),
        Err(Cut) => HttpResponse::Ok().body(BrokenBody),
    }
}

fn response(Answer { status, content_type, retry_after, body }: Answer) -> HttpResponse {
    let status = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let mut response = HttpResponse::build(status);
    response.content_type(content_type);
    if let Some(seconds) = retry_after {
        response.insert_header((RETRY_AFTER, seconds));
    }
    response.body(body)
}

/// A response that cannot be written: the connection breaks before its first byte.
struct BrokenBody;

impl MessageBody for BrokenBody {
    type Error = io::Error;

    fn size(&self) -> BodySize {
        BodySize::Sized(1)
    }

    fn poll_next(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<Result<Bytes, io::Error>>> {
        Poll::Ready(Some(Err(io::ErrorKind::ConnectionAborted.into())))
    }
}
