//! One log line and one count for every request.

use super::api::Api;
use super::cut::cut;
use super::error::ApiError;
use super::metrics::{Metrics, Requests};
use super::route::is_immediate;
use crate::memo::Source;
use actix_web::HttpMessage;
use actix_web::dev::ServiceResponse;
use actix_web::http::StatusCode;
use actix_web::web::Data;
use tokio::time::Duration;

/// The most characters of a path that reach the log.
const PATH_LOGGED: usize = 200;

/// The same of a method, which may be any word.
const METHOD_LOGGED: usize = 20;

/// The same of the reason of a failure.
const WHY_LOGGED: usize = 500;

/// A request, as its line and its count have it.
pub(super) struct Asked<'a> {
    /// Its pattern in the route table. `None`: it has none.
    pub(super) route: Option<&'a str>,
    pub(super) method: &'a str,
    pub(super) path: &'a str,
}

/// Logs and counts a request that `took` so long.
pub(super) fn log_and_count(answered: &ServiceResponse, took: Duration) {
    let (request, response) = (answered.request(), answered.response());
    let api = request.app_data::<Data<Api>>().expect("every route of the API is given it");
    let route = request.match_pattern();
    let asked = Asked { route: route.as_deref(), method: request.method().as_str(), path: request.uri().path() };
    asked.requests(&api.metrics, response.status()).count(took);
    let source = request.extensions().get::<Source>().copied();
    let why = response.error().and_then(|error| error.as_error::<ApiError>()).map(ToString::to_string);
    asked.log(response.status(), source, why.as_deref(), took);
}

impl Asked<'_> {
    /// The count of those that are answered with `status`.
    pub(super) fn requests(&self, metrics: &Metrics, status: StatusCode) -> Requests {
        metrics.requests(self.route.unwrap_or("none"), method_label(self.method), status.as_str())
    }

    /// Logs method, path, status, milliseconds and source of a request that `took` so long, and why it failed if it did.
    pub(super) fn log(&self, status: StatusCode, source: Option<Source>, why: Option<&str>, took: Duration) {
        let level = match status {
            status if status.is_server_error() => log::Level::Warn,
            _ if is_immediate(self.route) => log::Level::Debug,
            _ => log::Level::Info,
        };
        let source = source.map_or("-", Source::as_str);
        let why = why.map(|why| cut(why, WHY_LOGGED));
        let (method, path) = (&*cut(self.method, METHOD_LOGGED), &*cut(self.path, PATH_LOGGED));
        let (status, ms) = (status.as_u16(), took.as_secs_f64() * 1e3);
        // In whole numbers: a float takes longer to format.
        let (whole, tenth) = (took.as_secs() * 1000 + u64::from(took.subsec_millis()), took.subsec_micros() / 100 % 10);
        log::log!(
            level,
            method, path, status, ms, source, error = why.as_deref();
            "{method} {path} {status} {whole}.{tenth}ms {source}{}",
            why.as_deref().map(|why| format!(" error={why:?}")).unwrap_or_default()
        );
    }
}

/// The method as a metric label: a closed set, whatever callers send.
fn method_label(method: &str) -> &'static str {
    ["GET", "POST", "PUT", "DELETE", "PATCH", "HEAD", "OPTIONS"]
        .into_iter()
        .find(|known| *known == method)
        .unwrap_or("other")
}
