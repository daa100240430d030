//! A record as one line of JSON.

#![expect(clippy::disallowed_methods, reason = "a line bears the system's time")]

use crate::telemetry::request_context::RequestContext;
use env_logger::fmt::Formatter;
use jiff::Timestamp;
use log::Record;
use log::kv::{self, Key, Value, VisitSource, VisitValue};
use serde::Serialize;
use serde_json::Map;
use std::fmt::Arguments;
use std::io::{self, Write as _};

#[derive(Serialize)]
struct Line<'a> {
    timestamp: String,
    level: &'static str,
    target: &'a str,
    message: &'a Arguments<'a>,
    #[serde(skip_serializing_if = "Option::is_none")]
    request_id: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    trace_id: Option<&'a str>,
    /// A record must not use the names above for keys of its own.
    #[serde(flatten)]
    fields: Fields,
}

/// Writes `record` and the end of its line into `buffer`.
pub(super) fn write_line(buffer: &mut Formatter, record: &Record<'_>) -> io::Result<()> {
    let request = RequestContext::current();
    serde_json::to_writer(&mut *buffer, &line(record, request.as_ref(), Timestamp::now()))?;
    buffer.write_all(b"\n")
}

/// The line of a record of no request.
pub(super) fn line_of(record: &Record<'_>) -> Vec<u8> {
    let mut line = serde_json::to_vec(&line(record, None, Timestamp::now())).expect("a line is made of strings");
    line.push(b'\n');
    line
}

fn line<'a>(record: &'a Record<'a>, request: Option<&'a RequestContext>, now: Timestamp) -> Line<'a> {
    let mut fields = Fields::default();
    // `Fields` takes every pair, and a source of pairs has no failures of its own.
    let _complete = record.key_values().visit(&mut fields);
    Line {
        timestamp: format!("{now:.3}"),
        level: record.level().as_str(),
        target: record.target(),
        message: record.args(),
        request_id: request.map(RequestContext::id),
        trace_id: request.and_then(RequestContext::trace),
        fields,
    }
}

/// The key-values of a record, without those that are null.
#[derive(Debug, Default, Serialize)]
struct Fields(Map<String, serde_json::Value>);

impl<'kvs> VisitSource<'kvs> for Fields {
    fn visit_pair(&mut self, key: Key<'kvs>, value: Value<'kvs>) -> Result<(), kv::Error> {
        if let Some(value) = json(&value) {
            self.0.insert(key.to_string(), value);
        }
        Ok(())
    }
}

/// A number or a truth value as such, anything else as it is displayed. `None`: null.
fn json(value: &Value<'_>) -> Option<serde_json::Value> {
    let mut read = Scalar(None);
    value.visit(&mut read).ok()?;
    read.0
}

/// The JSON of one value.
struct Scalar(Option<serde_json::Value>);

impl<'v> VisitValue<'v> for Scalar {
    fn visit_any(&mut self, value: Value<'_>) -> Result<(), kv::Error> {
        self.0 = Some(value.to_string().into());
        Ok(())
    }

    fn visit_null(&mut self) -> Result<(), kv::Error> {
        Ok(())
    }

    fn visit_bool(&mut self, value: bool) -> Result<(), kv::Error> {
        self.0 = Some(value.into());
        Ok(())
    }

    fn visit_u64(&mut self, value: u64) -> Result<(), kv::Error> {
        self.0 = Some(value.into());
        Ok(())
    }

    fn visit_i64(&mut self, value: i64) -> Result<(), kv::Error> {
        self.0 = Some(value.into());
        Ok(())
    }

    fn visit_f64(&mut self, value: f64) -> Result<(), kv::Error> {
        self.0 = Some(value.into());
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use log::Level;
    use log::kv::ToValue as _;

    #[test]
    fn a_record_is_one_object_on_one_line_with_its_key_values_as_fields() {
        let none: Option<&str> = None;
        let values: &[(&str, Value<'_>)] = &[
            ("status", 200.into()),
            ("took", 1.5.into()),
            ("kept", true.into()),
            ("trace", "t-77".into()),
            ("name", none.to_value()),
        ];
        let now = "2026-01-02T03:04:05.678901Z".parse().unwrap();
        let written = |message: Arguments<'_>, request: Option<&RequestContext>| {
            let mut record = Record::builder();
            record.level(Level::Warn).target("aenv_controller::http").args(message).key_values(&values);
            serde_json::to_string(&line(&record.build(), request, now)).unwrap()
        };
        assert_eq!(
            written(format_args!("two\nlines of \"{}\"", "text"), None),
            r#"{"timestamp":"2026-01-02T03:04:05.678Z","level":"WARN","target":"aenv_controller::http","message":"two\nlines of \"text\"","kept":true,"status":200,"took":1.5,"trace":"t-77"}"#
        );
        let request = RequestContext::new("r-1".to_owned(), Some("t-77".to_owned()));
        let of_request = written(format_args!("text"), Some(&request));
        assert!(
            of_request.contains(r#""message":"text","request_id":"r-1","trace_id":"t-77","kept":true"#),
            "{of_request}"
        );
    }
}
