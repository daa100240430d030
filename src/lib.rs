//! aenv-controller.
pub mod app;
pub mod call;
pub mod cli;
pub mod cluster;
pub mod envelope;
pub mod gateway;
pub mod http;
pub mod instances;
pub mod labels;
pub mod listing;
pub mod memo;
pub mod metrics;
pub mod services;
pub mod settings;
pub mod throttle;
