//! Telemetry: metrics, log lines, and the request that a piece of work belongs to.

pub mod log_limiter;
pub mod logger;
pub mod metrics;
pub mod request_context;
