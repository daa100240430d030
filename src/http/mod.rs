//! The HTTP API: routes, what a request may say, and what an answer looks like.
//!
//! The only module, besides the sandbox, that names actix. Handlers check what they are given, ask `services` or
//! `instances`, and render; they decide nothing else. Status codes are known to [`error`] alone.

mod access;
mod allowed_hosts;
mod answer;
mod api;
mod ask;
mod auth;
mod body;
mod caller;
mod coding;
mod cut;
pub mod error;
mod gateway;
mod health;
mod identify;
mod limits;
mod metrics;
mod openapi;
mod pace;
mod page;
mod pods;
mod query;
mod readiness;
mod refusal;
mod replica;
mod retire;
mod route;
mod routes;
pub mod server;
mod services;
mod status;
mod sweep;
mod tls;
mod wait;
mod waiting;
mod warning;
mod workers;
mod write;

pub use allowed_hosts::AllowedHosts;
pub use api::{Api, Guard};
pub use body::BodyBudget;
pub use limits::Limits;
pub use metrics::Metrics;
pub use readiness::Readiness;
pub use refusal::{CrossSite, Refusal};
pub use replica::Replica;
pub use waiting::Waiting;
pub use workers::Workers;
