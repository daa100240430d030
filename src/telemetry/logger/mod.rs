//! Logger, on standard error: text for people or JSON for collectors, from a level on that may change while
//! the process runs.
//!
//! env_logger renders; a thread of ours writes (`queue`), so that nobody who logs waits for standard error to be read.
//! env_logger's filter, which is fixed when it is built, is replaced by one of ours from the same crate. Key-values of
//! a record (`log::info!(name = x; "…")`) become fields of its JSON object and are left out of the text. A line that is
//! written on behalf of a request says which one it is, whoever writes it.

mod directives;
mod json;
mod queue;
mod text;

pub use directives::{BadDirectives, Directives};

use env_filter::Filter;
use env_logger::{Target, WriteStyle};
use log::{Level, LevelFilter, Log, Metadata, Record};
use queue::Queue;
use std::io::{self, IsTerminal as _};
use std::panic;
use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard};
use std::time::Duration;

/// Longest wait at the end of the process for its last lines to be read.
const FAREWELL: Duration = Duration::from_secs(1);

/// The form of a line.
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
    lines: Arc<env_logger::Logger>,
    queue: Queue,
    /// True if [`Logger::set`] has no effect.
    fixed: bool,
}

impl Logger {
    /// Logs from now on, as `rust_log` says, in the words of env_logger, or else as `level` does.
    ///
    /// A panic is logged, too: the standard library writes it itself, and waits while standard error is not read.
    ///
    /// # Panics
    /// If the process has a logger already, or no thread can be started.
    pub fn install(level: &Directives, format: Format, rust_log: Option<&str>) -> Self {
        let filter = rust_log.map_or_else(|| level.filter(), |words| env_filter::Builder::new().parse(words).build());
        let queue = Queue::default();
        queue.write_to(io::stderr(), move |count| dropped_line(format, count)).expect("the system starts a thread");
        let (filter, lines) = (Arc::new(RwLock::new(filter)), Arc::new(lines(format, queue.clone())));
        let logger = Self { filter, lines, queue, fixed: rust_log.is_some() };
        log::set_max_level(logger.filter().filter());
        log::set_boxed_logger(Box::new(logger.clone())).expect("the logger is installed once");
        panic::set_hook(Box::new(|info| log::error!(target: "panic", "{}", info.to_string().replace('\n', " "))));
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

/// The renderer of every record. Its lines go into `queue`.
fn lines(format: Format, queue: Queue) -> env_logger::Logger {
    let mut lines = env_logger::Builder::new();
    // Otherwise env_logger searches every line for colours in order to take them out.
    lines.filter_level(LevelFilter::Trace).target(Target::Pipe(Box::new(queue))).write_style(WriteStyle::Always);
    let has_colours = has_colours();
    match format {
        Format::Text => lines.format(move |buffer, record| text::write_line(buffer, record, has_colours)),
        Format::Json => lines.format(json::write_line),
    };
    lines.build()
}

/// True if `RUST_LOG_STYLE` says so, or standard error shows colours: env_logger looks at that itself only where it
/// writes itself.
fn has_colours() -> bool {
    let set = |name| std::env::var_os(name).is_some_and(|value| !value.is_empty());
    match std::env::var("RUST_LOG_STYLE").as_deref() {
        Ok("always") => true,
        Ok("never") => false,
        _ => {
            let is_dumb = std::env::var_os("TERM").is_some_and(|term| term == "dumb");
            io::stderr().is_terminal() && !set("NO_COLOR") && !is_dumb
        }
    }
}

/// The line that tells of lines that were dropped.
fn dropped_line(format: Format, count: u64) -> Vec<u8> {
    let message = format_args!("{count} log lines were dropped: standard error was not read");
    let record = Record::builder().level(Level::Warn).target(module_path!()).args(message).build();
    match format {
        Format::Text => text::line(&record),
        Format::Json => json::line_of(&record),
    }
}

impl Log for Logger {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        self.filter().enabled(metadata)
    }

    fn log(&self, record: &Record<'_>) {
        let matches = self.filter().matches(record);
        if matches {
            self.lines.log(record);
        }
    }

    fn flush(&self) {
        self.queue.flush(FAREWELL);
    }
}
