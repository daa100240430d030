//! Options: the state in which a sandbox starts.

use std::time::Duration;

/// Options of a new sandbox.
#[derive(Clone, Debug)]
pub struct Options {
    /// Environment services to seed: each is a Deployment and, mostly, a Service.
    pub services: usize,
    /// Environment instances to seed.
    pub pods: usize,
    /// The rate limit in force at first, in calls per second. `None`: none.
    pub qps: Option<f64>,
    /// The latency in force at first.
    pub latency: Duration,
    /// Namespace of the seeds. It exists, as does `default`; no other does.
    pub namespace: String,
    /// On 127.0.0.1. 0: any free one.
    pub port: u16,
    /// True if objects move by themselves as on a cluster. If not, nothing does, as on a bare API server.
    pub rollout: bool,
}

impl Default for Options {
    /// Empty, without faults, on any free port, with rollouts.
    fn default() -> Self {
        Self {
            services: 0,
            pods: 0,
            qps: None,
            latency: Duration::ZERO,
            namespace: "aenv-sandbox".to_owned(),
            port: 0,
            rollout: true,
        }
    }
}
