//! AEnvironment's terms: environment services and instances, the requests that create them, and the rows that clients read.

pub mod container;
pub mod envelope;
pub mod envhub;
pub mod environment;
pub mod gateway;
pub mod instances;
pub mod labels;
pub mod once_only;
pub mod rows;
pub mod services;
pub mod sweep;
pub mod templates;
pub mod warnings;
