//! Failures as HTTP answers: the one place that knows status codes.
//!
//! Every match below is without a wildcard over our own errors, so that a new variant forces a decision here. The
//! body carries the message in the envelope, in the words of the controller that this one replaces.

use super::cut::cut;
use super::refusal::{CrossSite, Refusal};
use crate::aenv::envelope::Envelope;
use crate::aenv::envhub;
use crate::aenv::environment::Rejected;
use crate::cluster::{self, Failed};
use crate::memo;
use crate::syntax::Faults;
use actix_web::error::QueryPayloadError;
use actix_web::http::StatusCode;
use actix_web::http::header;
use actix_web::{HttpResponse, HttpResponseBuilder, ResponseError};
use tokio::time::Duration;

/// The most characters of a refused value that are repeated to the caller.
const VALUE_SHOWN: usize = 80;

/// The Retry-After where nothing better is known.
const SOON: Duration = Duration::from_secs(1);

/// The longest Retry-After that callers are told, in seconds, whatever the API server asks for.
const MAX_RETRY_AFTER: u64 = 120;

/// The most characters of a message. The API server's own words are in it, and those may quote what a caller or somebody
/// else has sent it.
const MESSAGE_SHOWN: usize = 2_000;

/// Words that the CLI takes for a missing object, and the ones that stand for them where none is missing.
const MISREAD: [(&str, &str); 3] = [("deployment", "workload"), ("pods", "instances"), ("not found", "missing")];

/// Why a request is not answered with 200.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ApiError {
    /// The request says something that cannot be meant; the message names the field and the rule.
    #[error("{0}")]
    BadRequest(String),
    /// The caller may not ask for this.
    #[error(transparent)]
    Unwelcome(#[from] Refusal),
    /// A page of another site may not ask for this.
    #[error(transparent)]
    CrossSite(#[from] CrossSite),
    /// No route has this path.
    #[error("no such path; see README for the routes")]
    NoSuchRoute,
    /// The path exists, but not with this method.
    #[error("http method not allowed")]
    MethodNotAllowed {
        /// The methods that it has, as the header `Allow` lists them.
        allowed: String,
    },
    /// The body is larger than `server.max_body_bytes`.
    #[error("the request body is too large (server.max_body_bytes)")]
    TooLarge,
    /// The head did not arrive in time.
    #[error("the request head did not arrive in time (server.header_timeout_ms)")]
    SlowHead,
    /// The body did not arrive in time.
    #[error("the request body did not arrive in time (server.body_timeout_ms)")]
    SlowBody,
    /// As many requests as may wait for their answer do so already.
    #[error("too many requests wait for their answer already (server.max_waiting)")]
    Crowded,
    /// The memory for request bodies is taken.
    #[error("too many request bodies are on their way (server.max_bodies_bytes)")]
    BodiesCrowded,
    /// A body whose fields are refused.
    #[error("{}", .0.sentence())]
    BadBody(Faults),
    /// EnvHub's description of an environment cannot be deployed.
    #[error("the environment {env} cannot be deployed: {}", faults.sentence())]
    Undeployable {
        /// Its name and version.
        env: String,
        /// Why not.
        faults: Faults,
    },
    /// A create needs a template whose file is broken.
    #[error("{0}")]
    BrokenTemplate(String),
    /// EnvHub is needed, and none is configured.
    #[error("creating by the name of an environment needs EnvHub: set envhub.url")]
    NoEnvHub,
    /// EnvHub could not be asked.
    #[error(transparent)]
    EnvHub(#[from] memo::Error<envhub::Error>),
    /// An answer at hand could not be rendered: a bug.
    #[error("internal error: the answer could not be rendered")]
    NoRendering,
    /// Writing did not succeed.
    #[error(transparent)]
    Write(Failed),
    /// Reading did not succeed.
    #[error(transparent)]
    Read(#[from] memo::Error<Failed>),
}

impl From<Faults> for ApiError {
    fn from(faults: Faults) -> Self {
        Self::BadBody(faults)
    }
}

impl From<Rejected> for ApiError {
    fn from(rejected: Rejected) -> Self {
        match rejected {
            Rejected::Body(faults) => Self::BadBody(faults),
            broken @ Rejected::Template { .. } => Self::BrokenTemplate(broken.to_string()),
        }
    }
}

impl ApiError {
    /// The value of a field is refused; `why` goes on after the value, as in `is not a label value`.
    pub(super) fn bad_value(field: &str, value: &str, why: &str) -> Self {
        let shown = cut(value, VALUE_SHOWN);
        Self::BadRequest(format!("{field}: {shown:?} {why}"))
    }

    /// The query string cannot be read.
    pub(super) fn query(error: &QueryPayloadError) -> Self {
        let QueryPayloadError::Deserialize(why) = error else { return Self::BadRequest(format!("query: {error}")) };
        Self::BadRequest(format!("query: {why}"))
    }

    /// The message for the caller. The CLI takes every failure of a read with the word `deployment` for a service that
    /// does not exist, and every one with `pods` or `not found` for such an instance; so only a missing object, and a
    /// name that is taken, are told in those words. The log has the words of the API server.
    fn message(&self) -> String {
        let message = self.to_string();
        match (self, self.status_code()) {
            (Self::Read(_) | Self::Write(_), StatusCode::NOT_FOUND) | (Self::Write(_), StatusCode::CONFLICT) => message,
            (Self::Read(_) | Self::Write(_), _) => {
                MISREAD.iter().fold(message, |message, (word, instead)| replace_word(&message, word, instead))
            }
            _ => message,
        }
    }

    fn retry_after(&self) -> Option<Duration> {
        let asked = match self {
            Self::Read(memo::Error::Fetch(failed)) => failed.source.retry_after(),
            Self::Write(failed) => failed.source.retry_after(),
            Self::Read(memo::Error::Deadline | memo::Error::Lost | memo::Error::NoPlace)
            | Self::EnvHub(_)
            | Self::Unwelcome(_)
            | Self::CrossSite(_)
            | Self::BadRequest(_)
            | Self::BadBody(_)
            | Self::TooLarge
            | Self::SlowHead
            | Self::SlowBody
            | Self::Crowded
            | Self::BodiesCrowded
            | Self::Undeployable { .. }
            | Self::BrokenTemplate(_)
            | Self::NoEnvHub
            | Self::NoRendering
            | Self::NoSuchRoute
            | Self::MethodNotAllowed { .. } => None,
        };
        let again = matches!(self.status_code(), StatusCode::SERVICE_UNAVAILABLE | StatusCode::GATEWAY_TIMEOUT);
        again.then(|| asked.unwrap_or(SOON))
    }
}

impl ResponseError for ApiError {
    fn status_code(&self) -> StatusCode {
        match self {
            Self::BadRequest(_) => StatusCode::BAD_REQUEST,
            Self::Unwelcome(Refusal::NoToken | Refusal::UnknownToken) => StatusCode::UNAUTHORIZED,
            Self::Unwelcome(Refusal::ScopeTooSmall { .. }) => StatusCode::FORBIDDEN,
            Self::CrossSite(CrossSite::Host(_) | CrossSite::Origin(_)) => StatusCode::FORBIDDEN,
            Self::CrossSite(CrossSite::NotJson) => StatusCode::UNSUPPORTED_MEDIA_TYPE,
            Self::NoSuchRoute => StatusCode::NOT_FOUND,
            Self::MethodNotAllowed { .. } => StatusCode::METHOD_NOT_ALLOWED,
            Self::BadBody(_) => StatusCode::BAD_REQUEST,
            Self::TooLarge => StatusCode::PAYLOAD_TOO_LARGE,
            Self::SlowHead | Self::SlowBody => StatusCode::REQUEST_TIMEOUT,
            Self::Crowded | Self::BodiesCrowded => StatusCode::SERVICE_UNAVAILABLE,
            Self::Undeployable { .. } | Self::BrokenTemplate(_) => StatusCode::UNPROCESSABLE_ENTITY,
            Self::NoEnvHub => StatusCode::NOT_IMPLEMENTED,
            Self::NoRendering => StatusCode::INTERNAL_SERVER_ERROR,
            Self::EnvHub(memo::Error::Fetch(error)) => of_envhub(error),
            Self::EnvHub(memo::Error::Deadline) => StatusCode::GATEWAY_TIMEOUT,
            Self::EnvHub(memo::Error::NoPlace) => StatusCode::SERVICE_UNAVAILABLE,
            Self::EnvHub(memo::Error::Lost) => StatusCode::INTERNAL_SERVER_ERROR,
            Self::Write(failed) => of_cluster(&failed.source),
            Self::Read(memo::Error::Fetch(failed)) => of_cluster(&failed.source),
            Self::Read(memo::Error::Deadline) => StatusCode::GATEWAY_TIMEOUT,
            Self::Read(memo::Error::NoPlace) => StatusCode::SERVICE_UNAVAILABLE,
            Self::Read(memo::Error::Lost) => StatusCode::INTERNAL_SERVER_ERROR,
        }
    }

    fn error_response(&self) -> HttpResponse {
        let status = self.status_code();
        let mut response = HttpResponseBuilder::new(status);
        response.content_type(MIME);
        if let Self::MethodNotAllowed { allowed } = self {
            response.insert_header((header::ALLOW, allowed.as_str()));
        }
        if let Self::Unwelcome(refusal) = self {
            response.insert_header((header::WWW_AUTHENTICATE, refusal.challenge()));
        }
        if let Self::SlowBody | Self::BodiesCrowded = self {
            // The rest of the body is not waited for.
            response.force_close();
        }
        if let Some(after) = self.retry_after() {
            // Rounded up: a caller that comes back a moment too early is refused again.
            let seconds = after.as_secs().saturating_add(u64::from(after.subsec_nanos() > 0));
            response.insert_header((header::RETRY_AFTER, seconds.clamp(1, MAX_RETRY_AFTER)));
        }
        response.body(Envelope::failure(status.as_u16(), &cut(&self.message(), MESSAGE_SHOWN)).to_json())
    }
}

fn of_envhub(error: &envhub::Error) -> StatusCode {
    match error {
        envhub::Error::NotFound(_) => StatusCode::NOT_FOUND,
        envhub::Error::TimedOut => StatusCode::GATEWAY_TIMEOUT,
        envhub::Error::Unreachable(_) | envhub::Error::Answered(..) | envhub::Error::Unreadable(_) => {
            StatusCode::BAD_GATEWAY
        }
    }
}

fn of_cluster(error: &cluster::Error) -> StatusCode {
    match error {
        cluster::Error::Answered { status, .. } => of_answer(status.as_u16()),
        cluster::Error::Refused(refused) => match refused.why {
            cluster::Why::Rate | cluster::Why::InFlight | cluster::Why::Unwanted | cluster::Why::Overloaded => {
                StatusCode::SERVICE_UNAVAILABLE
            }
            cluster::Why::Unreachable => StatusCode::BAD_GATEWAY,
        },
        cluster::Error::Deadline | cluster::Error::TimedOut(_) => StatusCode::GATEWAY_TIMEOUT,
        cluster::Error::Unconnected(_)
        | cluster::Error::Cut(_)
        | cluster::Error::Settling(_)
        | cluster::Error::Unreadable(_) => StatusCode::BAD_GATEWAY,
        cluster::Error::Internal(_) => StatusCode::INTERNAL_SERVER_ERROR,
    }
}

/// Status for our caller of the API server's answer. A fault that the caller can mend keeps its status; overload is said
/// as overload; and what only concerns our own rights or the API server's health is a bad gateway.
fn of_answer(status: u16) -> StatusCode {
    match status {
        400 => StatusCode::BAD_REQUEST,
        404 => StatusCode::NOT_FOUND,
        409 => StatusCode::CONFLICT,
        422 => StatusCode::UNPROCESSABLE_ENTITY,
        // A list that expired twice between two pages: the API server is too slow for it just now.
        410 | 429 | 503 => StatusCode::SERVICE_UNAVAILABLE,
        504 => StatusCode::GATEWAY_TIMEOUT,
        _ => StatusCode::BAD_GATEWAY,
    }
}

/// Replaces a lower-case ASCII `word` wherever it stands, in any case.
fn replace_word(text: &str, word: &str, by: &str) -> String {
    let lower = text.to_ascii_lowercase();
    let mut replaced = String::with_capacity(text.len());
    let mut rest = 0;
    for (at, _) in lower.match_indices(word) {
        replaced.push_str(&text[rest..at]);
        replaced.push_str(by);
        rest = at + word.len();
    }
    replaced.push_str(&text[rest..]);
    replaced
}

/// The content type of every answer of the API.
pub(super) const MIME: &str = "application/json";

#[cfg(test)]
mod tests {
    use super::*;
    use crate::throttle::{Refused, Why};
    use std::sync::Arc;

    fn failed(source: cluster::Error) -> ApiError {
        ApiError::Read(memo::Error::Fetch(Arc::new(Failed { action: "failed to list pods", source })))
    }

    fn answered(status: u16, retry_after: Option<u64>) -> ApiError {
        failed(cluster::Error::Answered {
            status: StatusCode::from_u16(status)
                .map(|status| http::StatusCode::from_u16(status.as_u16()).unwrap())
                .unwrap(),
            reason: String::new(),
            message: "why".to_owned(),
            retry_after: retry_after.map(Duration::from_secs),
        })
    }

    fn told(error: &ApiError) -> (u16, Option<String>) {
        let response = error.error_response();
        let after = response.headers().get(header::RETRY_AFTER);
        (response.status().as_u16(), after.map(|after| after.to_str().unwrap().to_owned()))
    }

    #[test]
    fn overload_is_said_as_overload() {
        assert_eq!(told(&answered(429, Some(7))), (503, Some("7".into())));
        assert_eq!(told(&answered(503, None)), (503, Some("1".into())));
        assert_eq!(told(&answered(504, None)), (504, Some("1".into())));
        assert_eq!(told(&answered(410, None)), (503, Some("1".into())));
        assert_eq!(told(&answered(429, Some(u64::MAX))), (503, Some("120".into())));
        let refused = Refused { why: Why::Rate, retry_after: Duration::from_millis(2_100) };
        assert_eq!(told(&failed(cluster::Error::Refused(refused))), (503, Some("3".into())));
        assert_eq!(told(&ApiError::Read(memo::Error::Deadline)), (504, Some("1".into())));
    }

    #[test]
    fn client_faults_keep_their_status_and_our_own_are_bad_gateways() {
        for (theirs, ours) in [(400, 400), (404, 404), (409, 409), (422, 422), (401, 502), (403, 502), (500, 502)] {
            assert_eq!(told(&answered(theirs, None)), (ours, None), "{theirs}");
        }
        assert_eq!(told(&failed(cluster::Error::Unconnected("refused".into()))), (502, None));
    }

    #[test]
    fn only_a_missing_object_is_told_in_the_words_that_the_cli_looks_for() {
        let message = |status, message: &str| {
            let source = cluster::Error::Answered {
                status: http::StatusCode::from_u16(status).unwrap(),
                reason: String::new(),
                message: message.to_owned(),
                retry_after: None,
            };
            let failed = Failed { action: "failed to get deployment", source };
            ApiError::Read(memo::Error::Fetch(Arc::new(failed))).message()
        };
        let missing = "deployments.apps \"x\" not found";
        assert!(message(404, missing).ends_with(missing), "{}", message(404, missing));
        for (status, told) in [
            (403, "deployments.apps is forbidden: serviceaccount \"y\" not found"),
            (409, "the deployment has been modified"),
            (422, "Deployment.apps \"x\" is invalid: pods"),
            (503, "busy"),
        ] {
            let message = message(status, told).to_lowercase();
            assert!(message.contains("workload"), "{message}");
            assert!(MISREAD.iter().all(|(word, _)| !message.contains(word)), "{message}");
        }
        assert_eq!(replace_word("PODS é pods", "pods", "instances"), "instances é instances");
    }

    #[test]
    fn long_values_are_cut_and_odd_ones_escaped() {
        let error = ApiError::bad_value("owner", &"x\n".repeat(100), "is not a label value");
        let message = error.to_string();
        assert!(message.len() < 300 && !message.contains('\n') && message.contains('…'), "{message}");
    }
}
