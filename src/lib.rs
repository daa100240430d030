//! aenv-controller.
pub mod call;
pub mod cli;
pub mod labels;
pub mod metrics;
pub mod settings;
pub mod throttle;
