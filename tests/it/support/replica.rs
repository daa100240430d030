//! The `controller` binary as a process, with nothing but what a test gives it.

use super::Cluster;
use super::process::{Lifeline, Process};
use reqwest::{Response, StatusCode};
use std::net::SocketAddr;
use std::path::Path;
use std::process::{Command, Output};
use std::time::Duration;
use tempfile::TempDir;
use tokio::time::{sleep, timeout};

/// Bounds every wait. What is waited for takes milliseconds.
pub(crate) const PATIENCE: Duration = Duration::from_secs(20);

/// A binary with nothing in its environment but a home without a kubeconfig and free ports on loopback.
pub(crate) fn controller(home: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_controller"));
    command.env_clear().env("HOME", home).current_dir(home);
    set(&mut command, ("server.bind", "127.0.0.1"));
    set(&mut command, ("server.port", "0"));
    // Nobody balances any load here.
    set(&mut command, ("server.lame_duck_ms", "0"));
    set(&mut command, ("server.readiness_port", "0"));
    set(&mut command, ("server.metrics_addr", "127.0.0.1:0"));
    command
}

/// Sets a key by its environment variable.
pub(crate) fn set(command: &mut Command, (key, value): (&str, &str)) {
    command.env(format!("AENV_CONTROLLER__{}", key.replace('.', "__").to_uppercase()), value);
}

/// Runs `controller` to its end: exit code, standard output, standard error.
pub(crate) async fn run(prepare: impl FnOnce(&mut Command, &Path)) -> (i32, String, String) {
    let home = tempfile::tempdir().unwrap();
    let mut command = controller(home.path());
    prepare(&mut command, home.path());
    let ended = tokio::process::Command::from(command).kill_on_drop(true).output();
    let Output { status, stdout, stderr } = timeout(PATIENCE, ended).await.expect("it ends by itself").unwrap();
    (status.code().unwrap(), String::from_utf8(stdout).unwrap(), String::from_utf8(stderr).unwrap())
}

/// A `controller` that serves.
pub(crate) struct Replica {
    // Dropped first: it kills the process while its id is still its own.
    _lifeline: Lifeline,
    pub(crate) process: Process,
    pub(crate) api: SocketAddr,
    pub(crate) health: SocketAddr,
    pub(crate) metrics: SocketAddr,
    _home: TempDir,
}

impl Replica {
    /// In front of a cluster, with some keys set.
    pub(crate) async fn on(cluster: &Cluster, keys: &[(&str, &str)]) -> Self {
        Self::start(|command| {
            command.args(["--kubeconfig".as_ref(), cluster.kubeconfig_path().as_os_str()]);
            command.args(["--namespace", cluster.namespace()]);
            keys.iter().for_each(|key| set(command, *key));
        })
        .await
    }

    /// Waits until it says that it is ready.
    pub(crate) async fn start(prepare: impl FnOnce(&mut Command)) -> Self {
        let home = tempfile::tempdir().unwrap();
        let mut command = controller(home.path());
        prepare(&mut command);
        let mut process = Process::spawn(&mut command, None, &home.path().join("log"));
        let lifeline = Lifeline::new(&process, home.path());
        let mut addrs = None;
        until("it is ready", async || {
            assert!(process.exited().is_none(), "{}", process.log_tail());
            addrs = listeners(&process.log());
            addrs.is_some()
        })
        .await;
        let [api, health, metrics] = addrs.unwrap();
        Self { _lifeline: lifeline, process, api, health, metrics, _home: home }
    }

    pub(crate) async fn get(&self, path: &str) -> reqwest::Result<Response> {
        reqwest::get(format!("http://{}{path}", self.api)).await
    }

    /// The status of `/readyz`.
    pub(crate) async fn readiness(&self) -> StatusCode {
        reqwest::get(format!("http://{}/readyz", self.health)).await.unwrap().status()
    }

    /// Its log, once `words` are in it: the lines are written by a thread of their own.
    pub(crate) async fn log_with(&self, words: &str) -> String {
        until(words, async || self.process.log().contains(words)).await;
        self.process.log()
    }

    /// Ends it: all that it has logged.
    pub(crate) async fn whole_log(mut self) -> String {
        self.process.signal("TERM");
        self.ended().await;
        self.process.log()
    }

    /// Waits for its end: the exit code.
    pub(crate) async fn ended(&mut self) -> i32 {
        let mut status = None;
        until("it ends", async || {
            status = self.process.exited();
            status.is_some()
        })
        .await;
        status.unwrap().code().unwrap_or_else(|| panic!("killed: {}", self.process.log_tail()))
    }
}

/// The addresses of API, readiness and metrics, once the line that names them has been written to its end.
pub(crate) fn listeners(log: &str) -> Option<[SocketAddr; 3]> {
    let line = log.split_inclusive('\n').find(|line| line.contains("✅ Ready on ") && line.ends_with('\n'))?;
    let addrs = line.split([' ', ',', '\n', '"']).filter_map(|word| word.parse().ok());
    Some(addrs.collect::<Vec<_>>().try_into().unwrap())
}

/// Waits, within [`PATIENCE`].
pub(crate) async fn until(what: &str, mut holds: impl AsyncFnMut() -> bool) {
    let holds = async {
        while !holds().await {
            sleep(Duration::from_millis(10)).await;
        }
    };
    timeout(PATIENCE, holds).await.unwrap_or_else(|_| panic!("not within {PATIENCE:?}: {what}"));
}
