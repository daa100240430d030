//! Bodies of creates and updates, parsed once and checked in full before the API server is asked anything.
//!
//! A create is described by an EnvHub environment: its `name` and `version`, the image among its `artifacts`, and its
//! deploy settings (`deployConfig`, or `deploy_config`); a request of the CLI names the environment and overrides some of
//! them. [`ServiceSpec`], [`InstanceSpec`] and [`ServiceChange`] are what is left of it: plain values that Kubernetes
//! takes, defaults filled in. The rest is [`Faults`](crate::syntax::Faults), all of them at once, each with its field as the caller spelled it,
//! or warnings where the Go controller would have gone on.
//!
//! | module | its job |
//! | --- | --- |
//! | `document` | JSON as a tree |
//! | `field`, `section` | finding and reading fields |
//! | `settings` | each field declared once, with `rules` for its values and `schema` for the API description |
//! | `bodies` | the schemas of whole bodies |
//! | `request`, `source` | requests of the CLI, and EnvHub's description under them |
//! | `service`, `instance`, `change` | the specs |
//!
//! Null and the empty text are as good as no field at all; unknown fields are ignored. The values of environment variables
//! never reach a message.

mod bodies;
mod change;
mod document;
mod field;
mod instance;
#[cfg(test)]
mod properties;
mod rejected;
mod request;
mod rules;
mod schema;
mod section;
mod service;
mod settings;
mod source;
#[cfg(test)]
mod tests;
mod words;

pub(crate) use bodies::schemas;
pub(crate) use change::ServiceChange;
pub(crate) use document::Document;
pub(crate) use instance::{Autoscale, InstanceSpec, Known};
pub(crate) use rejected::Rejected;
pub(crate) use request::CreateRequest;
pub(crate) use service::{Amount, ServiceName, ServiceSpec, ServiceTemplate, Storage};
pub(crate) use source::Source;
