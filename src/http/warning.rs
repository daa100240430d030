//! `Warning` headers: leniency that a caller should know of, sent as Kubernetes sends it to its clients
//! (`299 - "text"`, RFC 7234, section 5.5), and logged.

use super::cut::cut;
use crate::aenv::warnings::Warnings;
use crate::telemetry::log_limiter::LogLimiter;
use actix_web::dev::ServiceResponse;
use actix_web::http::header::{HeaderValue, WARNING};
use actix_web::{HttpMessage, HttpRequest};
use std::sync::LazyLock;
use tokio::time::Duration;

/// The most characters of one warning, as Kubernetes has it.
const SHOWN: usize = 256;

/// The most characters of a method, which may be any word.
const METHOD_LOGGED: usize = 20;

/// A client that is warned once is usually warned with every request.
static LOG: LazyLock<LogLimiter> = LazyLock::new(|| LogLimiter::every(Duration::from_secs(10)));

/// Adds warnings to the answer of `request`.
pub(super) fn warn(request: &HttpRequest, warnings: Warnings) {
    if warnings.is_empty() {
        return;
    }
    let mut extensions = request.extensions_mut();
    match extensions.get_mut::<Warnings>() {
        Some(known) => known.extend(warnings),
        None => {
            extensions.insert(warnings);
        }
    }
}

/// True if the answer of `request` bears warnings.
pub(super) fn is_warned(request: &HttpRequest) -> bool {
    request.extensions().contains::<Warnings>()
}

/// Sends the warnings of a request with its answer, whichever that is, and logs them.
pub(super) fn send_warnings(answered: &mut ServiceResponse) {
    let Some(warnings) = answered.request().extensions_mut().remove::<Warnings>() else { return };
    let headers = answered.headers_mut();
    let values = warnings.iter().filter_map(|warning| HeaderValue::try_from(header_value(&warning)).ok());
    values.for_each(|value| headers.append(WARNING, value));
    LOG.log(|more| {
        let told = warnings.iter().collect::<Vec<_>>().join("; ");
        let request = answered.request();
        let method = cut(request.method().as_str(), METHOD_LOGGED);
        log::warn!("{method} {}: {told}{more}", request.match_pattern().unwrap_or_default());
    });
}

/// Code, agent and quoted text. A character that a header cannot carry becomes a question mark.
fn header_value(warning: &str) -> String {
    let mut value = String::from("299 - \"");
    for c in warning.chars().take(SHOWN) {
        match c {
            '"' | '\\' => value.extend(['\\', c]),
            ' '..='~' => value.push(c),
            _ => value.push('?'),
        }
    }
    value.push('"');
    value
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_warning_is_one_quoted_header_value_whatever_it_says() {
        assert_eq!(header_value(r#"port: "0" \ é"#), r#"299 - "port: \"0\" \\ ?""#);
        assert_eq!(header_value("a\r\nset-cookie: b"), r#"299 - "a??set-cookie: b""#);
        assert_eq!(header_value(&"\"".repeat(1_000)).len(), 2 * SHOWN + 8);
    }
}
