//! The in-memory API server of `controller sandbox`, empty: one for each cluster, at no cost.
//!
//! It stands in for the real one (see [`super::live`]) and adds what that cannot do on demand: faults.

use aenv_controller::sandbox::{ApiServer, Options};
use tempfile::TempDir;

use super::{CallCount, Calls, Cluster, Ledger, connect, seed, write_kubeconfig};

/// An empty server, to be told its faults, and the cluster on it.
pub(crate) async fn start() -> (ApiServer, Cluster) {
    start_seeded(0, 0).await
}

/// The same with so many services and pods of its own seed.
pub(crate) async fn start_seeded(services: usize, pods: usize) -> (ApiServer, Cluster) {
    let namespace = "aenv-sandbox";
    let options =
        Options { services, pods, namespace: namespace.to_owned(), port: 0, rollout: false, ..Options::default() };
    let server = ApiServer::start(options).await.unwrap();

    let folder = tempfile::tempdir().unwrap();
    let kubeconfig = folder.path().join("kubeconfig");
    write_kubeconfig(&kubeconfig, &server.url(), "anyone", namespace);
    let cluster = Cluster {
        namespace: namespace.to_owned(),
        admin: connect(&kubeconfig).await,
        kubeconfig,
        ledger: Box::new(Counters { server: server.clone(), _folder: folder }),
    };
    (server, cluster)
}

/// The same with [`seed::weather`] in it.
pub(crate) async fn start_with_weather() -> (ApiServer, Cluster) {
    let (server, cluster) = start().await;
    seed::weather(&cluster).await;
    (server, cluster)
}

/// The server's own counters; keeps it and the kubeconfig's folder for as long as the cluster.
struct Counters {
    server: ApiServer,
    _folder: TempDir,
}

impl Ledger for Counters {
    fn calls(&self) -> Calls {
        let counted = self.server.calls();
        let by = counted.by.into_iter().map(|call| CallCount {
            verb: call.verb,
            resource: call.resource,
            code: call.code,
            count: call.count,
        });
        Calls { total: counted.total, by: by.collect() }
    }

    fn reset(&self) {
        self.server.reset_calls();
    }
}
