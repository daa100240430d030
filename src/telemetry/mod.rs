//! Telemetry: metrics, log lines, and the request that a piece of work belongs to.

pub(crate) mod log_limiter;
pub mod logger;
pub(crate) mod metrics;
mod process;
pub(crate) mod request_context;
