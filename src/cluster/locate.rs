//! Finding the cluster: which API server, with which credentials.
//!
//! The order that operators expect: a kubeconfig that was named, `$KUBECONFIG`, the Pod that we run in,
//! `~/.kube/config`. What was named and does not work is an error; it is never passed over in silence.

use kube::Config;
use kube::config::{InClusterError, KubeConfigOptions, Kubeconfig, KubeconfigError};
use std::path::{Path, PathBuf};

/// A cluster that was found.
#[derive(Debug)]
pub struct Located {
    /// Address, credentials and certificates.
    pub config: Config,
    /// The setting or file that named it, for the log.
    pub source: String,
}

/// Why there is no cluster to talk to.
#[derive(Debug, thiserror::Error)]
pub enum NotLocated {
    /// A kubeconfig exists but cannot be used.
    #[error("the kubeconfig {path} ({origin}) cannot be used: {source}")]
    Kubeconfig {
        /// The file, or the files if there are several.
        path: String,
        /// The setting or variable that named it.
        origin: &'static str,
        /// The fault.
        source: Box<KubeconfigError>,
    },
    /// We run in a Pod but its service account cannot be used.
    #[error("the in-cluster service account cannot be used: {0}")]
    InCluster(#[source] Box<InClusterError>),
    /// Nothing names a cluster.
    #[error(
        "no cluster to be found; tried: --kubeconfig / kubernetes.kubeconfig (not set), $KUBECONFIG (not set), \
         in-cluster (KUBERNETES_SERVICE_HOST is not set), {home}. \
         To try it without a cluster: controller sandbox"
    )]
    Nowhere {
        /// Outcome of reading the file in the home directory.
        home: String,
    },
}

/// Finds the cluster. Reads files and the environment, makes no call.
///
/// `kubeconfig` is a file that was named by flag or setting, `context` the context in a kubeconfig (`None`: its
/// current one).
///
/// # Errors
/// [`NotLocated`], which names what was tried.
pub(crate) async fn locate(kubeconfig: Option<&Path>, context: Option<&str>) -> Result<Located, NotLocated> {
    if let Some(path) = kubeconfig {
        let read = Kubeconfig::read_from(path);
        return from_kubeconfig(read, path.display().to_string(), "--kubeconfig or kubernetes.kubeconfig", context)
            .await;
    }
    let variable = std::env::var_os("KUBECONFIG").filter(|value| !value.is_empty());
    if let Some(value) = variable {
        let read = Kubeconfig::from_env().map(Option::unwrap_or_default);
        return from_kubeconfig(read, value.to_string_lossy().into_owned(), "$KUBECONFIG", context).await;
    }
    if std::env::var_os("KUBERNETES_SERVICE_HOST").is_some() {
        let config = Config::incluster_env().map_err(|error| NotLocated::InCluster(Box::new(error)))?;
        return Ok(Located { config, source: "in-cluster service account".to_owned() });
    }
    match std::env::home_dir().map(|home| home.join(".kube/config")) {
        Some(path) if path.is_file() => {
            let read = Kubeconfig::read_from(&path);
            from_kubeconfig(read, path.display().to_string(), "home directory", context).await
        }
        path => Err(NotLocated::Nowhere { home: describe_missing(path) }),
    }
}

fn describe_missing(path: Option<PathBuf>) -> String {
    path.map_or_else(|| "~/.kube/config (no home directory)".into(), |path| format!("{} (not found)", path.display()))
}

async fn from_kubeconfig(
    read: Result<Kubeconfig, KubeconfigError>,
    path: String,
    origin: &'static str,
    context: Option<&str>,
) -> Result<Located, NotLocated> {
    let options = KubeConfigOptions { context: context.map(str::to_owned), ..KubeConfigOptions::default() };
    let config = match read {
        Ok(kubeconfig) => Config::from_custom_kubeconfig(kubeconfig, &options).await,
        Err(error) => Err(error),
    };
    match config {
        Ok(config) => Ok(Located { config, source: format!("{path} ({origin})") }),
        Err(source) => Err(NotLocated::Kubeconfig { path, origin, source: Box::new(source) }),
    }
}
