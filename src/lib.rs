//! aenv-controller.
pub mod call;
pub mod cluster;
pub mod labels;
pub mod memo;
pub mod metrics;
pub mod throttle;
