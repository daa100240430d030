//! Errors between us and the API server, with the API server's own reason kept.
//!
//! The enum says causes; what each means to an HTTP client is decided in `http` alone.

use super::resource::Resource;
use crate::call::Failure;
use crate::syntax::ObjectName;
use crate::throttle::Refused;
pub(crate) use crate::throttle::Why;
use http::header::RETRY_AFTER;
use http::{HeaderMap, StatusCode};
use hyper_util::client::legacy;
use std::error::Error as StdError;
use std::io;
use tokio::time::Duration;

/// The longest `Retry-After` that is passed on. The API server itself asks for up to 32 s; what asks for more than an hour
/// is mistaken.
const RETRY_AFTER_MAX: Duration = Duration::from_secs(60 * 60);

/// Why a call did not bring an answer.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The API server answered with a failure.
    #[error("{message}")]
    Answered {
        /// The HTTP status.
        status: StatusCode,
        /// The machine-readable reason of its Status object; empty if it sent plain text.
        reason: String,
        /// Its message, in its words.
        message: String,
        /// After how long it asks to be asked again; `None` if it did not say.
        retry_after: Option<Duration>,
    },
    /// The throttle did not let the call through.
    #[error(transparent)]
    Refused(#[from] Refused),
    /// The call's deadline passed.
    #[error("no answer from the API server before the request's deadline")]
    Deadline,
    /// An answer took longer than its own time-out.
    #[error("the API server did not answer in time: {0}")]
    TimedOut(String),
    /// There is no connection: the request was not sent.
    #[error("the API server cannot be reached: {0}")]
    Unconnected(String),
    /// The connection was cut before the answer was complete.
    #[error("the connection to the API server was cut: {0}")]
    Cut(String),
    /// The API server says that we may not, but has just come back and may not have read its roles yet.
    #[error("the API server has just come back and may not know our rights yet: {0}")]
    Settling(String),
    /// An answer of success whose body is not what it should be. Its values are not told.
    #[error("the API server's answer cannot be read: {0}")]
    Unreadable(String),
    /// The request could not be built or the client is broken: a bug.
    #[error("internal error: {0}")]
    Internal(String),
}

impl Error {
    /// The same, unless it is about our rights and the API server is `settling`.
    pub(super) fn while_settling(self) -> Self {
        match self {
            Self::Answered { status: StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN, message, .. } => {
                Self::Settling(message)
            }
            other => other,
        }
    }

    /// The failure of a request that got no answer, or not all of it.
    pub(super) fn transport(error: &(dyn StdError + 'static)) -> Self {
        let timed_out = causes(error)
            .filter_map(|error| error.downcast_ref::<io::Error>())
            .any(|error| error.kind() == io::ErrorKind::TimedOut);
        // The outer errors say "client error (Connect)"; the innermost says why.
        let cause = causes(error).last().map(ToString::to_string).unwrap_or_default();
        let unconnected =
            causes(error).filter_map(|error| error.downcast_ref::<legacy::Error>()).any(legacy::Error::is_connect);
        match (timed_out, unconnected) {
            (_, true) => Self::Unconnected(cause),
            (true, false) => Self::TimedOut(cause),
            (false, false) => Self::Cut(cause),
        }
    }

    /// An answer of success that is no JSON, or not of the type that was asked for.
    pub(crate) fn not_json(error: serde_json::Error) -> Self {
        use serde_json::error::Category;
        let (line, column) = (error.line(), error.column());
        Self::Unreadable(match error.classify() {
            Category::Eof => "the JSON ends too early".to_owned(),
            Category::Data => {
                format!("a field of the JSON is missing or of another type (line {line}, column {column})")
            }
            Category::Syntax | Category::Io => format!("it is no JSON (line {line}, column {column})"),
        })
    }

    /// An answer, or a part of one, that has more than `max` bytes.
    pub(super) fn too_large(part: &str, max: usize) -> Self {
        Self::Unreadable(format!("its {part} has more than {max} bytes"))
    }

    /// The API server's answer for an object that does not exist.
    pub(crate) fn not_found(resource: Resource, name: &ObjectName) -> Self {
        Self::of_object(StatusCode::NOT_FOUND, "NotFound", resource, name, "not found")
    }

    /// The API server's answer for a name that is taken.
    pub(super) fn taken(resource: Resource, name: &ObjectName) -> Self {
        Self::of_object(StatusCode::CONFLICT, "AlreadyExists", resource, name, "already exists")
    }

    /// An object that cannot be used because it is on its way out.
    pub(crate) fn being_deleted(resource: Resource, name: &ObjectName) -> Self {
        Self::of_object(StatusCode::CONFLICT, "Conflict", resource, name, "is being deleted")
    }

    /// A name that was derived from an Idempotency-Key, and belongs to the object of another request.
    pub(super) fn key_reused(resource: Resource, name: &ObjectName) -> Self {
        let what = "was made by another request with this Idempotency-Key; use another key for another request";
        Self::of_object(StatusCode::UNPROCESSABLE_ENTITY, "Invalid", resource, name, what)
    }

    fn of_object(status: StatusCode, reason: &str, resource: Resource, name: &ObjectName, what: &str) -> Self {
        let message = format!("{} \"{name}\" {what}", resource.qualified());
        Self::Answered { status, reason: reason.to_owned(), message, retry_after: None }
    }

    /// True if the same request may well succeed a little later.
    pub fn is_transient(&self) -> bool {
        match self {
            Self::Answered { status, .. } => matches!(status.as_u16(), 429 | 500 | 502 | 503 | 504),
            Self::TimedOut(_) | Self::Unconnected(_) | Self::Cut(_) | Self::Settling(_) => true,
            Self::Refused(_) | Self::Deadline | Self::Unreadable(_) | Self::Internal(_) => false,
        }
    }

    /// True if the other side is overloaded and has said when to come back. The gate holds all attempts back until
    /// then, so that another one does not make it worse.
    pub(super) fn is_overload(&self) -> bool {
        matches!(self, Self::Answered { status, retry_after: Some(_), .. } if matches!(status.as_u16(), 429 | 503))
    }

    /// True if the throttle dropped the attempt because its caller had gone.
    pub(super) fn is_unwanted(&self) -> bool {
        matches!(self, Self::Refused(refused) if refused.why == Why::Unwanted)
    }

    /// True if it is about one resource that the API server cannot serve yet: its watch cache is not filled, which it
    /// answers with a Status object. API Priority and Fairness, which means all calls, answers plain text.
    pub(super) fn is_about_one_resource(&self) -> bool {
        matches!(self, Self::Answered { status: StatusCode::TOO_MANY_REQUESTS, reason, .. } if !reason.is_empty())
    }

    /// True if the API server did not answer.
    pub(super) fn is_silence(&self) -> bool {
        matches!(self, Self::TimedOut(_) | Self::Unconnected(_) | Self::Cut(_))
    }

    /// After how long the other side, or our own limit, asks to be asked again.
    pub fn retry_after(&self) -> Option<Duration> {
        match self {
            Self::Answered { retry_after, .. } => *retry_after,
            Self::Refused(refused) => Some(refused.retry_after),
            Self::Deadline
            | Self::TimedOut(_)
            | Self::Unconnected(_)
            | Self::Cut(_)
            | Self::Settling(_)
            | Self::Unreadable(_)
            | Self::Internal(_) => None,
        }
    }

    /// True if the name of an object to be created is taken. Not every 409 says that: a quota that was changed at the
    /// same moment is one, too.
    pub fn is_already_exists(&self) -> bool {
        matches!(self, Self::Answered { status: StatusCode::CONFLICT, reason, .. } if reason == "AlreadyExists")
    }

    /// True if a write that failed so may have been done all the same.
    pub fn leaves_outcome_open(&self) -> bool {
        match self {
            Self::Answered { status, .. } => status.is_server_error(),
            Self::Deadline | Self::TimedOut(_) | Self::Cut(_) | Self::Unreadable(_) => true,
            Self::Refused(_) | Self::Unconnected(_) | Self::Settling(_) | Self::Internal(_) => false,
        }
    }

    /// True if the API server answered with this status.
    pub fn has_status(&self, wanted: StatusCode) -> bool {
        matches!(self, Self::Answered { status, .. } if *status == wanted)
    }
}

/// An operation that did not succeed, in the words of the controller that this one replaces; clients look for them.
#[derive(Debug, thiserror::Error)]
#[error("{action} failed: err is {source}")]
pub struct Failed {
    /// The attempted action, such as `failed to list pods`.
    pub action: &'static str,
    /// Why it did not succeed.
    pub source: Error,
}

impl Failure for Failed {
    fn is_outage(&self) -> bool {
        self.source.is_transient() || matches!(self.source, Error::Refused(_) | Error::Deadline)
    }

    fn is_absence(&self) -> bool {
        self.source.has_status(StatusCode::NOT_FOUND)
    }
}

impl Failed {
    /// For `map_err`: the failure of `action`.
    pub fn to(action: &'static str) -> impl Fn(Error) -> Self {
        move |source| Self { action, source }
    }
}

/// The error and what is behind it, from the outermost to the innermost.
fn causes<'a>(error: &'a (dyn StdError + 'static)) -> impl Iterator<Item = &'a (dyn StdError + 'static)> {
    std::iter::successors(Some(error), |&error| error.source())
}

/// Retry-After of an answer. Seconds only: the API server sends no HTTP dates (RFC 9110, section
/// 10.2.3, allows both).
pub(super) fn retry_after(headers: &HeaderMap) -> Option<Duration> {
    let seconds = headers.get(RETRY_AFTER)?.to_str().ok()?.trim();
    let is_number = !seconds.is_empty() && seconds.bytes().all(|digit| digit.is_ascii_digit());
    is_number.then(|| seconds.parse().map_or(RETRY_AFTER_MAX, Duration::from_secs).min(RETRY_AFTER_MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_plain_text_429_keeps_its_words_and_its_retry_after() {
        let headers = HeaderMap::from_iter([(RETRY_AFTER, "7".parse().unwrap())]);
        let body = b"Too many requests, please try again later.\n";
        let error = Error::answered(StatusCode::TOO_MANY_REQUESTS, &headers, body);
        assert_eq!(error.to_string(), "Too many requests, please try again later.");
        assert_eq!(error.retry_after(), Some(Duration::from_secs(7)));
        assert!(error.is_transient());
    }

    #[test]
    fn a_status_object_keeps_reason_and_message() {
        let body =
            br#"{"kind":"Status","status":"Failure","message":"pods \"x\" not found","reason":"NotFound","code":404}"#;
        let error = Error::answered(StatusCode::NOT_FOUND, &HeaderMap::new(), body);
        assert!(matches!(&error, Error::Answered { reason, .. } if reason == "NotFound"));
        assert!(error.has_status(StatusCode::NOT_FOUND) && !error.is_transient());
        let failed = Failed::to("failed to get pod")(error);
        assert_eq!(failed.to_string(), r#"failed to get pod failed: err is pods "x" not found"#);
    }

    #[test]
    fn odd_answers_still_say_something() {
        let error = Error::answered(StatusCode::BAD_GATEWAY, &HeaderMap::new(), b"");
        assert_eq!(error.to_string(), "502 Bad Gateway");
        let long = Error::answered(StatusCode::BAD_GATEWAY, &HeaderMap::new(), &[b'x'; 10_000]);
        assert_eq!(long.to_string().len(), 256);
        let headers = HeaderMap::from_iter([(RETRY_AFTER, "soon".parse().unwrap())]);
        assert_eq!(Error::answered(StatusCode::SERVICE_UNAVAILABLE, &headers, b"").retry_after(), None);
    }

    #[test]
    fn an_absurd_retry_after_is_capped() {
        for absurd in ["86400", "18446744073709551615", "99999999999999999999999999"] {
            let headers = HeaderMap::from_iter([(RETRY_AFTER, absurd.parse().unwrap())]);
            assert_eq!(retry_after(&headers), Some(RETRY_AFTER_MAX), "{absurd}");
        }
    }

    #[test]
    fn values_of_an_answer_that_cannot_be_read_are_not_told() {
        let error = serde_json::from_str::<u8>(r#""s3cret""#).unwrap_err();
        assert!(!Error::not_json(error).to_string().contains("s3cret"));
    }
}
