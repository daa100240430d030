//! One log line and one count for every request.

use super::error::ApiError;
use super::{Api, is_of_the_page};
use crate::memo::Source;
use actix_web::body::MessageBody;
use actix_web::dev::{ServiceRequest, ServiceResponse};
use actix_web::http::header::HeaderMap;
use actix_web::middleware::Next;
use actix_web::web::Data;
use actix_web::{Error, HttpMessage};
use std::borrow::Cow;
use tokio::time::Instant;

/// The header that callers of AEnvironment set to follow a request through its services.
const TRACE_ID: &str = "env-instance-trace-id";

/// The most bytes of a trace id or a path that reach the log.
const LOGGED: usize = 200;

/// Logs method, path, status, milliseconds, source and trace id, and why it failed if it did.
///
/// # Errors
/// Those of the handler.
pub(super) async fn log_and_count(
    request: ServiceRequest,
    next: Next<impl MessageBody>,
) -> Result<ServiceResponse<impl MessageBody>, Error> {
    let began = Instant::now();
    let answered = next.call(request).await?;
    let (request, response) = (answered.request(), answered.response());
    let took = began.elapsed();
    let status = response.status();
    let route = request.match_pattern();
    if let Some(api) = request.app_data::<Data<Api>>() {
        api.metrics.http_request(
            route.as_deref().unwrap_or("none"),
            method_label(request.method().as_str()),
            status.as_u16(),
            took,
        );
    }
    let source = request.extensions().get::<Source>().map_or("-", |source| source.as_str());
    let why = response
        .error()
        .and_then(|error| error.as_error::<ApiError>())
        .map(|error| format!(" error={:?}", error.to_string()));
    let level = match status {
        status if status.is_server_error() => log::Level::Warn,
        _ if is_of_the_page(route.as_deref()) => log::Level::Debug,
        _ => log::Level::Info,
    };
    log::log!(
        level,
        "{} {} {} {:.1}ms {source} trace={}{}",
        request.method(),
        cut(request.uri().path()),
        status.as_u16(),
        took.as_secs_f64() * 1e3,
        trace_id(request.headers()),
        why.unwrap_or_default()
    );
    Ok(answered)
}

/// The method as a metric label: a closed set, whatever callers send.
fn method_label(method: &str) -> &'static str {
    ["GET", "POST", "PUT", "DELETE", "PATCH", "HEAD", "OPTIONS"]
        .into_iter()
        .find(|known| *known == method)
        .unwrap_or("other")
}

/// The caller's trace id, with `_` for what could be taken for another field of the line; `-` if there is none.
pub(super) fn trace_id(headers: &HeaderMap) -> String {
    let told = headers.get(TRACE_ID).and_then(|value| value.to_str().ok()).unwrap_or("-");
    let plain = |c: char| if c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.' | ':' | '/') { c } else { '_' };
    cut(told).chars().map(plain).collect()
}

fn cut(text: &str) -> Cow<'_, str> {
    match text.char_indices().nth(LOGGED) {
        Some((end, _)) => format!("{}…", &text[..end]).into(),
        None => text.into(),
    }
}
