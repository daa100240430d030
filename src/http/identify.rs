//! Request ids: in every line of the log about a request, and in its answer.

use crate::telemetry::request_context::RequestContext;
use actix_web::http::header::{HeaderMap, HeaderName, HeaderValue};
use std::future::Future;

const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// The header that callers of AEnvironment set to follow a request through its services.
const TRACE_ID: HeaderName = HeaderName::from_static("env-instance-trace-id");

/// The longest request id that is taken from a caller: what others make up (UUIDs, W3C trace ids) is shorter.
const ID_MAX: usize = 64;

/// The most characters of a trace id that reach the log.
const TRACE_LOGGED: usize = 200;

/// Names that a caller gives its request.
pub(super) struct Told {
    id: Option<String>,
    trace: Option<String>,
}

impl Told {
    /// Those in its `headers`.
    pub(super) fn of(headers: &HeaderMap) -> Self {
        let id = told(headers, &REQUEST_ID).filter(|id| is_id(id)).map(str::to_owned);
        Self { id, trace: told(headers, &TRACE_ID).map(plain) }
    }

    /// The names under which it is answered, with an id that is made up if it has none.
    pub(super) fn names(&self) -> Names {
        let id = self.id.clone().unwrap_or_else(made_up);
        Names(RequestContext::new(id, self.trace.clone()))
    }
}

/// The names under which a request is answered.
pub(super) struct Names(RequestContext);

impl Names {
    /// `work`, done under these names.
    pub(super) fn scope<F: Future>(&self, work: F) -> impl Future<Output = F::Output> + use<F> {
        self.0.clone().scope(work)
    }

    /// The same, where nothing is waited for.
    pub(super) fn sync_scope<T>(&self, work: impl FnOnce() -> T) -> T {
        self.0.clone().sync_scope(work)
    }

    /// The header that sends the id with the answer.
    pub(super) fn header(&self) -> (HeaderName, &str) {
        (REQUEST_ID, self.0.id())
    }

    /// Sends the id with the answer.
    pub(super) fn send(&self, headers: &mut HeaderMap) {
        let id = HeaderValue::from_str(self.0.id()).expect("an id is made of letters, digits and a few signs");
        headers.insert(REQUEST_ID, id);
    }
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
