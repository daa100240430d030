//! A record as a line for people.

#![expect(clippy::disallowed_methods, reason = "a line bears the system's time")]

use crate::telemetry::request_context::RequestContext;
use env_logger::fmt::Formatter;
use env_logger::fmt::style::Style;
use jiff::Timestamp;
use log::Record;
use std::fmt::{self, Write as _};
use std::io::{self, Write};

/// Bytes for which a line has room from the beginning; most lines are shorter.
const USUAL: usize = 256;

/// Writes `record` and the end of its line into `buffer`.
pub(super) fn write_line(buffer: &mut Formatter, record: &Record<'_>, has_colours: bool) -> io::Result<()> {
    let style = has_colours.then(|| buffer.default_level_style(record.level()));
    write(buffer, record, style)
}

/// The line of a record that does not pass env_logger.
pub(super) fn line(record: &Record<'_>) -> Vec<u8> {
    let mut line = Vec::new();
    write(&mut line, record, None).expect("memory takes all writes");
    line
}

/// Time, level, module and message, then the names of the request that it is about. Further lines of a message are
/// indented, so that none of them passes for a record.
fn write(out: &mut impl Write, record: &Record<'_>, style: Option<Style>) -> io::Result<()> {
    // In one piece: formatting into the text is a fraction of formatting into a writer.
    let mut line = String::with_capacity(USUAL);
    begin(&mut line, record, style).map_err(io::Error::other)?;
    if line.contains('\n') {
        line = line.replace('\n', "\n    ");
    }
    if let Some(context) = RequestContext::current() {
        line.extend([" request=", context.id(), " trace=", context.trace().unwrap_or("-")]);
    }
    line.push('\n');
    out.write_all(line.as_bytes())
}

/// Writes all but the names of the request, as it is.
fn begin(line: &mut String, record: &Record<'_>, style: Option<Style>) -> fmt::Result {
    let (now, level) = (Timestamp::now(), record.level());
    write!(line, "[{now:.0} ")?;
    match style {
        Some(style) => write!(line, "{style}{level:<5}{style:#}")?,
        None => write!(line, "{level:<5}")?,
    }
    line.extend([" ", record.target(), "] "]);
    line.write_fmt(*record.args())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(message: std::fmt::Arguments<'_>) -> String {
        let line = String::from_utf8(line(&Record::builder().target("aenv").args(message).build())).unwrap();
        let (time, rest) = line.split_once(' ').unwrap();
        assert!(time.starts_with('[') && time.ends_with('Z') && time.len() == "[2026-01-02T03:04:05Z".len(), "{time}");
        rest.to_owned()
    }

    #[tokio::test]
    async fn a_line_ends_with_the_names_of_its_request() {
        assert_eq!(written(format_args!("drained")), "INFO  aenv] drained\n");
        let named = |trace| async move {
            RequestContext::new("r-1".to_owned(), trace).scope(async { written(format_args!("trying again")) }).await
        };
        assert_eq!(named(Some("t-77".to_owned())).await, "INFO  aenv] trying again request=r-1 trace=t-77\n");
        assert_eq!(named(None).await, "INFO  aenv] trying again request=r-1 trace=-\n");
    }

    #[test]
    fn no_part_of_a_message_passes_for_a_record() {
        assert_eq!(written(format_args!("two\n[lines]")), "INFO  aenv] two\n    [lines]\n");
    }
}
