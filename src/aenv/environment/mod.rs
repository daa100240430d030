//! The body of a create or an update, parsed and checked in full before anything is asked of the API server.
//!
//! A create is described by an EnvHub environment: who it is (`name`, `version`), what runs (`artifacts`), and how
//! (`deployConfig`, or `deploy_config`). [`ServiceSpec`], [`InstanceSpec`] and [`ServiceChange`] are what is left of
//! it: plain values that Kubernetes takes, defaults filled in. Everything else is [`Faults`], all of them at once,
//! each with its field as the caller spelled it.
//!
//! `document` reads JSON, `body` finds the fields, `rules` says what each may be; `schema` says it to callers. Null and the empty text are as good
//! as no field at all; unknown fields are ignored. The values of environment variables never reach a message.

mod body;
mod change;
mod document;
mod faults;
mod instance;
#[cfg(test)]
mod properties;
mod rules;
mod schema;
mod service;
#[cfg(test)]
mod tests;
mod words;

pub use change::ServiceChange;
pub use document::read_object;
pub use faults::{Fault, Faults, cut};
pub use instance::{Autoscale, InstanceSpec, Known};
pub use schema::{Artifact, ChangeBody, InstanceBody, InstanceSettings, ServiceBody, ServiceSettings};
pub use service::{Amount, Resources, ServiceName, ServiceSpec, Storage};
