//! The one limited client of the API server, made as the settings say.

use super::error::StartError;
use super::tuning::Tuning;
use crate::cluster::locate::Located;
use crate::cluster::{self, Cluster, Encoding, Timeouts, Wire};
use crate::config::{self, Settings};

/// The way to `cluster`. Makes no call.
pub(super) fn connect(settings: &Settings, cluster: Located) -> Result<Wire, StartError> {
    let config::Kubernetes { user_agent, connect_timeout: connect, read_timeout: read, .. } = &settings.kubernetes;
    Wire::connect(cluster.config, user_agent, Timeouts { connect: *connect, read: *read })
        .map_err(|error| StartError::Client { source_name: cluster.source, error: error.to_string() })
}

/// The one limited client of the API server at the end of `wire`.
pub(super) fn client(
    settings: &Settings,
    wire: Wire,
    namespace: &str,
    tuning: &Tuning,
    metrics: cluster::Metrics,
) -> Cluster {
    let encoding = match settings.kubernetes.encoding {
        config::Encoding::Auto => Encoding::Auto,
        config::Encoding::Json => Encoding::Json,
    };
    let (retry, paging) = (tuning.retry.clone(), tuning.paging.clone());
    let settings = cluster::Settings { namespace: namespace.to_owned(), encoding, retry, paging };
    Cluster::new(wire, settings, tuning.throttle.clone(), metrics)
}
