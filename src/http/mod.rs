//! The HTTP API: routes, what a request may say, and what an answer looks like.
//!
//! The only module, besides the sandbox, that names actix. Handlers check what they are given, ask `services` or
//! `instances`, and render; they decide nothing else. Status codes are known to [`error`] alone.

mod access;
mod again;
mod allowed_hosts;
mod answer;
mod api;
mod around;
mod ask;
mod auth;
mod body;
mod caller;
mod coding;
mod cut;
pub(crate) mod error;
mod gateway;
mod health;
mod identify;
mod limits;
mod metrics;
mod openapi;
mod outbox;
mod pace;
mod page;
mod parts;
mod pods;
mod query;
mod readiness;
mod reading;
mod refusal;
mod repeat;
mod replica;
mod retire;
mod route;
mod routes;
mod scheduling;
mod send_buffer;
pub(crate) mod server;
mod services;
mod status;
mod stream;
mod sweep;
mod tls;
mod unsent;
mod wait;
mod waiting;
mod warning;
mod workers;
mod write;
mod writer;

pub(crate) use allowed_hosts::AllowedHosts;
pub(crate) use api::Api;
pub(crate) use body::BodyBudget;
pub(crate) use limits::Limits;
pub(crate) use metrics::Metrics;
pub(crate) use readiness::Readiness;
pub(crate) use replica::Replica;
pub(crate) use waiting::Waiting;
pub(crate) use workers::Workers;
