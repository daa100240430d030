//! Clusters that the tests run on, and helpers for their contents.
//!
//! A behaviour is one async function over a [`Cluster`]; [`on_every_cluster!`] turns it into two tests, one on
//! the in-memory API server (`…::sandbox::<name>`) and one on a real kube-apiserver (`…::api_server::<name>`,
//! ignored when `KUBEBUILDER_ASSETS` is not set). [`on_an_api_server!`] makes only the latter (`…::real_api_server::<name>`). A behaviour that neither
//! names is dead code, so none is forgotten. [`seed`] fills a cluster; [`live`] runs the real API server.

mod audit;
pub(crate) mod controller;
pub(crate) mod crowd;
pub(crate) mod description;
pub(crate) mod envhub;
pub(crate) mod kinds;
pub(crate) mod live;
pub(crate) mod manifest;
pub(crate) mod pki;
pub(crate) mod process;
pub(crate) mod replica;
pub(crate) mod sandboxed;
pub(crate) mod secret;
pub(crate) mod seed;
pub(crate) mod snapshot;
pub(crate) mod stock;
pub(crate) mod wire;

use std::{
    fs,
    path::{Path, PathBuf},
};

use kube::{
    Client, Config,
    config::{KubeConfigOptions, Kubeconfig},
};
use serde_json::json;

/// Makes two tests of each behaviour `async fn(Cluster)` of the enclosing module.
macro_rules! on_every_cluster {
    ($($behaviour:ident),+ $(,)?) => {
        mod sandbox {
            $(
                #[tokio::test]
                async fn $behaviour() {
                    let (_server, cluster) = crate::support::sandboxed::start().await;
                    super::$behaviour(cluster).await;
                }
            )+
        }

        mod api_server {
            $(
                #[tokio::test]
                #[cfg_attr(not(has_api_server), ignore = "needs KUBEBUILDER_ASSETS")]
                async fn $behaviour() {
                    super::$behaviour(crate::support::live::ApiServer::shared().await.cluster().await).await;
                }
            )+
        }
    };
}
pub(crate) use on_every_cluster;

/// Makes a test of each behaviour `async fn()` of the enclosing module that only a real API server can show, ignored
/// for the reason that is given if it needs more than that.
macro_rules! on_an_api_server {
    ($($behaviour:ident),+ $(,)?) => {
        on_an_api_server! { if has_api_server or "needs KUBEBUILDER_ASSETS": $($behaviour),+ }
    };
    (if $condition:ident or $reason:literal: $($behaviour:ident),+ $(,)?) => {
        mod real_api_server {
            $(
                #[tokio::test]
                #[cfg_attr(not($condition), ignore = $reason)]
                async fn $behaviour() {
                    super::$behaviour().await;
                }
            )+
        }
    };
}
pub(crate) use on_an_api_server;

/// One test's share of an API server: a namespace of its own, and an account of the controller's calls alone.
pub(crate) struct Cluster {
    namespace: String,
    kubeconfig: PathBuf,
    admin: Client,
    ledger: Box<dyn Ledger>,
}

impl Cluster {
    /// A client with every right: to seed and to look.
    pub(crate) fn client(&self) -> Client {
        self.admin.clone()
    }

    /// The namespace that the controller under test works in.
    pub(crate) fn namespace(&self) -> &str {
        &self.namespace
    }

    /// Kubeconfig of the controller under test.
    pub(crate) fn kubeconfig_path(&self) -> &Path {
        &self.kubeconfig
    }

    /// Every API call answered to the controller since the cluster was made or [`Self::reset_calls`]. The sandbox
    /// cannot tell its callers apart and counts those of [`Self::client`] too: reset after seeding, count before
    /// looking.
    pub(crate) fn calls(&self) -> Calls {
        let mut calls = self.ledger.calls();
        calls.by.sort();
        calls
    }

    /// Starts counting from zero.
    pub(crate) fn reset_calls(&self) {
        self.ledger.reset();
    }
}

/// Record of the controller's calls, kept by an API server.
trait Ledger: Send + Sync {
    fn calls(&self) -> Calls;
    fn reset(&self);
}

/// API calls, counted.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Calls {
    /// All of them, whatever their outcome.
    pub(crate) total: u64,
    /// The same, told apart; sorted.
    pub(crate) by: Vec<CallCount>,
}

/// Number of calls of one kind that were answered with one status.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct CallCount {
    /// As in a Role: `get`, `list`, `create`, `update`, `patch`, `delete`.
    pub(crate) verb: String,
    /// In the plural (`deployments`); empty for paths outside the resources, as `/version`.
    pub(crate) resource: String,
    /// The HTTP status.
    pub(crate) code: u16,
    pub(crate) count: u64,
}

impl Calls {
    /// Number of `verb` calls on `resource`, whatever their outcome.
    pub(crate) fn of(&self, verb: &str, resource: &str) -> u64 {
        let same = self.by.iter().filter(|call| call.verb == verb && call.resource == resource);
        same.map(|call| call.count).sum()
    }

    fn record(&mut self, verb: String, resource: String, code: u16) {
        self.total += 1;
        let known = self.by.iter_mut().find(|call| call.verb == verb && call.resource == resource && call.code == code);
        match known {
            Some(call) => call.count += 1,
            None => self.by.push(CallCount { verb, resource, code, count: 1 }),
        }
    }
}

/// Writes a kubeconfig for the user with this token.
pub(crate) fn write_kubeconfig(path: &Path, server: &str, token: &str, namespace: &str) {
    let file = json!({
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{"name": "test", "cluster": {"server": server, "insecure-skip-tls-verify": true}}],
        "users": [{"name": "test", "user": {"token": token}}],
        "contexts": [{"name": "test", "context": {"cluster": "test", "user": "test", "namespace": namespace}}],
        "current-context": "test",
    });
    fs::write(path, file.to_string()).unwrap();
}

/// A plain client, without the controller's throttle and without kube's own retries.
pub(crate) async fn connect(kubeconfig: &Path) -> Client {
    let file = Kubeconfig::read_from(kubeconfig).unwrap();
    let mut config = Config::from_custom_kubeconfig(file, &KubeConfigOptions::default()).await.unwrap();
    config.default_retry = false;
    Client::try_from(config).unwrap()
}
