//! What is logged, on standard error: text for people or JSON for collectors, from a level on that may change while
//! the process runs.
//!
//! env_logger renders and writes, each line in one write, as it does everywhere; only its filter, which is fixed when
//! it is built, is replaced by one of ours from the same crate. Key-values of a record (`log::info!(name = x; "…")`)
//! become fields of its JSON object and are left out of the text. A line that is written on behalf of a request says
//! which one it is, whoever writes it.

mod directives;
mod json;
mod text;

pub use directives::{BadDirectives, Directives};

use env_filter::Filter;
use log::{LevelFilter, Log, Metadata, Record};
use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard};

/// What a line looks like.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// Time, level, module and message, then the request's names, if it is one's: ` request=… trace=…`.
    Text,
    /// One JSON object: `timestamp` (RFC 3339, UTC), `level`, `target`, `message`, a record's own key-values, and
    /// the request's `request_id` and `trace_id`, if it is one's.
    Json,
}

/// The process's logger. Cheap to clone; clones share it.
#[derive(Clone)]
pub struct Logger {
    filter: Arc<RwLock<Filter>>,
    format: Format,
    lines: Arc<env_logger::Logger>,
    /// Whether [`Logger::set`] has no effect.
    fixed: bool,
}

impl Logger {
    /// Logs from now on, as `rust_log` says, in the words of env_logger, or else as `level` does.
    ///
    /// # Panics
    /// If the process has a logger already.
    #[must_use]
    pub fn install(level: &Directives, format: Format, rust_log: Option<&str>) -> Self {
        let filter = rust_log.map_or_else(|| level.filter(), |words| env_filter::Builder::new().parse(words).build());
        let (filter, lines) = (Arc::new(RwLock::new(filter)), Arc::new(lines(format)));
        let logger = Self { filter, format, lines, fixed: rust_log.is_some() };
        log::set_max_level(logger.filter().filter());
        log::set_boxed_logger(Box::new(logger.clone())).expect("the logger is installed once");
        logger
    }

    /// Logs as `level` says from now on. False, and nothing changes, if `RUST_LOG` decides.
    pub fn set(&self, level: &Directives) -> bool {
        if self.fixed {
            return false;
        }
        let filter = level.filter();
        log::set_max_level(filter.filter());
        *self.filter.write().unwrap_or_else(PoisonError::into_inner) = filter;
        true
    }

    fn filter(&self) -> RwLockReadGuard<'_, Filter> {
        self.filter.read().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What renders and writes every record that it is given.
fn lines(format: Format) -> env_logger::Logger {
    let mut lines = env_logger::Builder::new();
    lines.filter_level(LevelFilter::Trace);
    if let Ok(style) = std::env::var("RUST_LOG_STYLE") {
        lines.parse_write_style(&style);
    }
    if format == Format::Json {
        lines.format(json::write_line);
    }
    lines.build()
}

impl Log for Logger {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        self.filter().enabled(metadata)
    }

    fn log(&self, record: &Record<'_>) {
        let matches = self.filter().matches(record);
        if matches {
            match self.format {
                Format::Text => text::with_request(record, |record| self.lines.log(record)),
                Format::Json => self.lines.log(record),
            }
        }
    }

    fn flush(&self) {
        self.lines.flush();
    }
}
