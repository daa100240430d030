//! The integration tests: one binary, a file per endpoint or behaviour, `support` beneath them.

#![cfg(feature = "sandbox")]
#![allow(clippy::unwrap_used, reason = "a panic is how a test fails, in its helpers too")]

mod access;
mod chart;
mod codings;
mod compatibility;
mod contract;
mod cross_site;
mod docs;
mod doctor;
mod edge;
mod faults;
mod gateway;
mod gateway_writes;
mod gathering;
mod hostile;
mod lanes;
mod lists;
mod live_smoke;
mod logging;
mod manifests;
mod monitoring;
mod once_only;
mod openapi;
mod overload;
mod page;
mod pods;
mod pressure;
mod process;
mod repeats;
mod rights;
mod rollback;
mod rolling;
mod rollout;
mod routes;
mod services;
mod snapshots;
mod stale;
mod storm;
mod support;
mod sweep;
mod tls;
mod tuning;
mod wait;
mod writes;
