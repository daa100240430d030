//! A record as a line for people.

#![expect(clippy::disallowed_methods, reason = "a line bears the system's time")]

use crate::telemetry::request_context::RequestContext;
use jiff::Timestamp;
use log::Record;

/// Lets `write` have `record`, its message followed by the names of the request that it is about.
pub(super) fn with_request(record: &Record<'_>, write: impl FnOnce(&Record<'_>)) {
    let Some(context) = RequestContext::current() else { return write(record) };
    let (id, trace) = (context.id(), context.trace().unwrap_or("-"));
    let named = |message| record.to_builder().args(message).build();
    write(&named(format_args!("{} request={id} trace={trace}", record.args())));
}

/// `record` as env_logger writes it without colours, for those that do not pass it.
pub(super) fn line(record: &Record<'_>) -> Vec<u8> {
    let (now, level) = (Timestamp::now(), record.level());
    format!("[{now:.0} {level:<5} {}] {}\n", record.target(), record.args()).into_bytes()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(message: std::fmt::Arguments<'_>) -> String {
        let mut written = String::new();
        with_request(&Record::builder().args(message).build(), |record| written = record.args().to_string());
        written
    }

    #[tokio::test]
    async fn a_line_ends_with_the_names_of_its_request() {
        assert_eq!(written(format_args!("drained")), "drained");
        let named = |trace| async move {
            RequestContext::new("r-1".to_owned(), trace).scope(async { written(format_args!("trying again")) }).await
        };
        assert_eq!(named(Some("t-77".to_owned())).await, "trying again request=r-1 trace=t-77");
        assert_eq!(named(None).await, "trying again request=r-1 trace=-");
    }
}
