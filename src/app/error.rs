//! Reasons for not starting.

use crate::cluster::locate::NotLocated;
use crate::syntax::Faults;
use std::io;
use std::net::SocketAddr;

/// Reason for not starting.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// No cluster, or none that can be used.
    #[error(transparent)]
    Cluster(#[from] NotLocated),
    /// The templates cannot be used.
    #[error("the templates are refused:\n{0}")]
    Templates(Faults),
    /// Tokens or certificates cannot be used.
    #[error("the tokens or certificates are refused:\n{0}")]
    Credentials(Faults),
    /// EnvHub's client cannot be built.
    #[error("the client for EnvHub cannot be built: {0}")]
    EnvHub(#[source] io::Error),
    /// The cluster's credentials or certificates cannot be used.
    #[error("the client for the cluster from {source_name} cannot be built: {error}")]
    Client {
        /// Source of the cluster's address.
        source_name: String,
        /// The cause.
        error: String,
    },
    /// The sandbox's API server does not run.
    #[cfg(feature = "sandbox")]
    #[error("the sandbox's API server cannot be started: {0}")]
    Sandbox(#[source] io::Error),
    /// The doctor's report could not be written.
    #[error("the report cannot be written: {0}")]
    Report(#[source] io::Error),
    /// A listener could not be bound.
    #[error("cannot listen on {addr} ({key}): {error}")]
    Listen {
        /// The setting.
        key: &'static str,
        /// Its address.
        addr: SocketAddr,
        /// Why not.
        error: io::Error,
    },
}
