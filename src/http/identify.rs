//! Request ids: in every line of the log about a request, and in its answer.

use crate::telemetry::request_context::RequestContext;
use actix_web::Error;
use actix_web::body::MessageBody;
use actix_web::dev::{ServiceRequest, ServiceResponse};
use actix_web::http::header::{HeaderMap, HeaderName, HeaderValue};
use actix_web::middleware::Next;

const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// The header that callers of AEnvironment set to follow a request through its services.
const TRACE_ID: HeaderName = HeaderName::from_static("env-instance-trace-id");

/// The longest request id that is taken from a caller: what others make up (UUIDs, W3C trace ids) is shorter.
const ID_MAX: usize = 64;

/// The most characters of a trace id that reach the log.
const TRACE_LOGGED: usize = 200;

/// Lets `request` be answered under its name: its caller's, or one that is made up.
pub(super) async fn identify(
    request: ServiceRequest,
    next: Next<impl MessageBody>,
) -> Result<ServiceResponse<impl MessageBody>, Error> {
    let headers = request.headers();
    let id = told(headers, &REQUEST_ID).filter(|id| is_id(id)).map_or_else(made_up, str::to_owned);
    let header = HeaderValue::from_str(&id).expect("an id is made of letters, digits and a few signs");
    let trace = told(headers, &TRACE_ID).map(plain);
    let mut answered = RequestContext::new(id, trace).scope(next.call(request)).await?;
    answered.headers_mut().insert(REQUEST_ID, header);
    Ok(answered)
}

fn told<'a>(headers: &'a HeaderMap, name: &HeaderName) -> Option<&'a str> {
    headers.get(name)?.to_str().ok().filter(|text| !text.is_empty())
}

/// An id that hardly any other request has; a secret it is not.
fn made_up() -> String {
    format!("{:016x}", fastrand::u64(..))
}

fn is_id(text: &str) -> bool {
    text.len() <= ID_MAX && text.chars().all(is_plain)
}

/// With `_` for what could be taken for another field of the line.
fn plain(trace: &str) -> String {
    trace.chars().take(TRACE_LOGGED).map(|c| if is_plain(c) { c } else { '_' }).collect()
}

fn is_plain(c: char) -> bool {
    c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.' | ':' | '/')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_is_taken_only_if_it_cannot_be_taken_for_something_else() {
        for good in ["r-1", "4bf92f3577b34da6a3ce929d0e0e4736", "a:b/c.d_e", &"x".repeat(64), &made_up()] {
            assert!(is_id(good), "{good}");
        }
        for bad in ["a b", "a=b", "a\"", "a\n", "\u{1b}[31m", "é", &"x".repeat(65)] {
            assert!(!is_id(bad), "{bad:?}");
        }
    }

    #[test]
    fn a_trace_id_is_told_as_far_as_it_is_plain() {
        assert_eq!(plain("t-77 trace=x\"é"), "t-77_trace_x__");
        assert_eq!(plain(&"x".repeat(300)).len(), TRACE_LOGGED);
    }
}
