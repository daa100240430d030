//! `controller sandbox`: an API server in memory, and the controller in front of it.

use super::namespace::Namespace;
use super::{Running, StartError, start};
use crate::aenv::templates::Templates;
use crate::cluster::locate::{Located, locate};
use crate::config::Settings;
use crate::sandbox::{ApiServer, Options};
use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use tempfile::TempDir;

/// The one port that the `aenv` CLI knows.
const CLI_PORT: u16 = 8080;

/// A sandbox that serves. Its kubeconfig is removed with it.
pub struct Sandbox {
    running: Running,
    api_server: ApiServer,
    folder: TempDir,
}

impl Sandbox {
    /// Starts the API server with what `options` ask for, in the settings' namespace, and the controller on it. It
    /// stands in for EnvHub too, unless the settings name one.
    pub async fn start(options: Options, settings: &Settings) -> Result<Self, StartError> {
        let templates = Templates::load(Some(&settings.templates.dir)).map_err(StartError::Templates)?;
        let namespace = Namespace::choose(settings, &templates).name;
        let api_server = ApiServer::start(Options { namespace, ..options }).await.map_err(StartError::Sandbox)?;
        let folder = tempfile::Builder::new().prefix("aenv-sandbox-").tempdir().map_err(StartError::Sandbox)?;
        let kubeconfig = kubeconfig_in(folder.path());
        std::fs::write(&kubeconfig, api_server.kubeconfig()).map_err(StartError::Sandbox)?;
        let cluster = Located { source: "the sandbox".to_owned(), ..locate(Some(&kubeconfig), None).await? };
        let routes = api_server.routes();
        let mut settings = settings.clone();
        settings.envhub.url.get_or_insert_with(|| api_server.url());
        let running = start(&settings, cluster, Some(Arc::new(move |config| routes.clone()(config))))?;
        Ok(Self { running, api_server, folder })
    }

    /// The controller.
    pub fn running(&self) -> &Running {
        &self.running
    }

    /// Stops the controller as [`Running::stop`] does, then the API server.
    pub async fn stop(self) {
        self.running.stop().await;
        self.api_server.stop().await;
    }
}

fn kubeconfig_in(folder: &Path) -> PathBuf {
    folder.join("kubeconfig")
}

/// Commands to try next.
impl fmt::Display for Sandbox {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let api = format!("http://localhost:{}", self.running.api_addr().port());
        let kubeconfig = kubeconfig_in(self.folder.path());
        let kubeconfig = kubeconfig.display();
        let cli = match self.running.api_addr().port() {
            CLI_PORT => {
                "
With the CLI (pip install aenvironment), of the environments weather, swe-bench, terminal and browser:
  aenv service list
  aenv service create weather@1.0.2"
            }
            _ => "\n  aenv service list                          (needs port 8080: the CLI asks no other)",
        };
        write!(
            f,
            "
An API server in memory at {api_server}, and the controller in front of it at {api}.

Look at the services, and at how the two get along, in a browser:
  {api}/
Ask the controller:
  curl {api}/services{cli}
Ask the API server:
  kubectl --kubeconfig {kubeconfig} get deployments,services,pods
See what the API server is asked, and make it slow, overloaded or dead (each PUT replaces the last):
  curl {api}/sandbox/calls
  curl -X PUT {api}/sandbox/faults -d '{{\"latency_ms\": 300, \"qps\": 5}}'
  curl -X PUT {api}/sandbox/faults -d '{{\"rules\": [{{\"verb\": \"list\", \"status\": 429, \"times\": 2}}]}}'
  curl -X DELETE {api}/sandbox/faults

Ctrl-C ends it.
",
            api_server = self.api_server.url(),
        )
    }
}
