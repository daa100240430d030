//! AEnvironment's terms: environment services and instances, the requests that create them, and the rows that clients read.

pub(crate) mod container;
pub(crate) mod envelope;
pub(crate) mod envhub;
pub(crate) mod environment;
pub(crate) mod gateway;
pub(crate) mod instances;
pub(crate) mod labels;
pub(crate) mod once_only;
pub(crate) mod rows;
pub(crate) mod services;
pub(crate) mod sweep;
pub(crate) mod templates;
pub(crate) mod warnings;
