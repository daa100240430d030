//! Settings that change while the controller runs.

use crate::support::replica::{Replica, until};
use crate::support::{Cluster, sandboxed, seed};
use aenv_controller::sandbox::{ApiServer, Faults};
use reqwest::StatusCode;
use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::Command;
use tempfile::TempDir;

/// Longer than any test: what is kept is never too old by itself.
const LONG: &str = "memo: {list_ttl_ms: 3600000}\n";

/// Nothing is kept, and no fault has an effect on what comes after it.
const AS_IT_COMES: &str = "memo: {list_ttl_ms: 0, max_stale_ms: 0}\nthrottle: {adaptive: false}\n";

/// A controller with a settings file of its own.
struct Scene {
    replica: Replica,
    server: ApiServer,
    cluster: Cluster,
    folder: TempDir,
}

impl Scene {
    async fn with(yaml: &str) -> Self {
        Self::prepared(yaml, |_| ()).await
    }

    async fn prepared(yaml: &str, prepare: impl FnOnce(&mut Command)) -> Self {
        let folder = tempfile::tempdir().unwrap();
        publish(folder.path(), yaml);
        let (server, cluster) = sandboxed::start().await;
        let replica = serving(&cluster, &file_in(folder.path()), prepare).await;
        Self { replica, server, cluster, folder }
    }

    /// Replaces the file as an editor does.
    fn edit(&self, yaml: &str) {
        publish(self.folder.path(), yaml);
    }

    /// Number of reloads with this outcome.
    async fn reloads(&self, outcome: &str) -> u64 {
        let name = format!("aenv_controller_settings_reloads_total{{outcome=\"{outcome}\"}}");
        metric(&self.replica, &name).await.unwrap().parse().unwrap()
    }

    async fn reloaded(&self, outcome: &str, times: u64) {
        until(&format!("{times} reloads are {outcome}"), async || self.reloads(outcome).await >= times).await;
    }

    async fn lists(&self) -> u64 {
        assert_eq!(self.replica.get("/pods").await.unwrap().status(), StatusCode::OK);
        self.cluster.calls().of("list", "pods")
    }

    /// Waits until `words` have been logged so many times: lines are written by a thread of their own.
    async fn told(&self, words: &str, times: usize) {
        until(&format!("{words:?} {times} times"), async || self.logged(words) == times).await;
    }

    fn logged(&self, words: &str) -> usize {
        self.replica.process.log().matches(words).count()
    }
}

fn file_in(folder: &Path) -> PathBuf {
    folder.join("controller.yaml")
}

/// Puts a new file in the place of the old one.
fn publish(folder: &Path, yaml: &str) {
    fs::write(folder.join("new"), yaml).unwrap();
    fs::rename(folder.join("new"), file_in(folder)).unwrap();
}

async fn serving(cluster: &Cluster, file: &Path, prepare: impl FnOnce(&mut Command)) -> Replica {
    Replica::start(|command| {
        command.args(["--kubeconfig".as_ref(), cluster.kubeconfig_path().as_os_str()]);
        command.args(["--config".as_ref(), file.as_os_str()]);
        prepare(command);
    })
    .await
}

/// The value of a metric, if there is one of this name and these labels.
async fn metric(replica: &Replica, name: &str) -> Option<String> {
    let text = reqwest::get(format!("http://{}/metrics", replica.metrics)).await.unwrap().text().await.unwrap();
    text.lines().find_map(|line| Some(line.strip_prefix(name)?.strip_prefix(' ')?.to_owned()))
}

async fn rate_becomes(replica: &Replica, rate: &str) {
    let now = async || metric(replica, "aenv_controller_throttle_rate").await;
    until(&format!("the rate is {rate}"), async || now().await.as_deref() == Some(rate)).await;
}

#[tokio::test]
async fn a_new_ttl_counts_for_what_is_kept_already() {
    let scene = Scene::with(LONG).await;
    assert_eq!((scene.lists().await, scene.lists().await), (1, 1));
    scene.edit("memo: {list_ttl_ms: 1800000}");
    scene.reloaded("applied", 1).await;
    assert_eq!(scene.lists().await, 1, "what was kept is kept");
    scene.edit("memo: {list_ttl_ms: 0}");
    until("it is asked again", async || scene.lists().await > 1).await;
}

#[tokio::test]
async fn a_new_rate_is_told_in_one_line_and_with_the_runbooks_mark() {
    let scene = Scene::with("throttle: {qps: 9, burst: 4}").await;
    rate_becomes(&scene.replica, "9").await;
    scene.edit("throttle: {qps: 2.5, burst: 3, max_wait_ms: 5000}");
    rate_becomes(&scene.replica, "2.5").await;
    scene.reloaded("applied", 1).await;
    let line =
        "settings changed: throttle.qps: 9 -> 2.5, throttle.burst: 4 -> 3, throttle.max_wait_ms: 10000 -> 5000\n";
    scene.told(line, 1).await;
    until("the mark", async || scene.logged("🔧 API Rate Limiting configured: QPS=2.5, Burst=3\n") == 1).await;
}

#[tokio::test]
async fn every_layer_takes_on_its_keys() {
    let scene = Scene::with(AS_IT_COMES).await;
    for name in ["tides-aaaaaa", "tides-bbbbbb", "tides-cccccc"] {
        seed::pod(name).create(&scene.cluster).await;
    }
    scene.cluster.reset_calls();
    assert_eq!(scene.lists().await, 1);
    let limits =
        "list: {page_size: 1}\nretry: {max_attempts: 1}\nserver: {max_body_bytes: 1024, request_deadline_ms: 2000}";
    scene.edit(&format!("{AS_IT_COMES}{limits}"));
    scene.reloaded("applied", 1).await;
    assert_eq!(scene.lists().await, 1 + 3, "a page for each pod");

    let large = format!("{{\"name\": \"{}\"}}", "x".repeat(2000));
    let url = format!("http://{}/pods", scene.replica.api);
    let refused = reqwest::Client::new().post(url).body(large).send().await.unwrap();
    assert_eq!(refused.status(), StatusCode::PAYLOAD_TOO_LARGE);

    let rule = serde_json::json!({"rules": [{"verb": "list", "resource": "pods", "status": 503}]});
    scene.server.set_faults(serde_json::from_value(rule).unwrap());
    scene.cluster.reset_calls();
    assert_eq!(scene.replica.get("/pods").await.unwrap().status(), StatusCode::SERVICE_UNAVAILABLE);
    assert_eq!(scene.cluster.calls().of("list", "pods"), 1, "it is not tried again");

    scene.server.set_faults(Faults { hang: true, ..Faults::default() });
    assert_eq!(scene.replica.get("/pods").await.unwrap().status(), StatusCode::GATEWAY_TIMEOUT);
}

#[tokio::test]
async fn a_swapped_config_map_is_read_each_time() {
    let mount = tempfile::tempdir().unwrap();
    let swap = |version: &str, yaml: &str| {
        fs::create_dir(mount.path().join(version)).unwrap();
        fs::write(file_in(&mount.path().join(version)), yaml).unwrap();
        symlink(version, mount.path().join("..data_tmp")).unwrap();
        fs::rename(mount.path().join("..data_tmp"), mount.path().join("..data")).unwrap();
    };
    swap("..v1", "throttle: {qps: 1}");
    symlink("..data/controller.yaml", file_in(mount.path())).unwrap();
    let (_server, cluster) = sandboxed::start().await;
    let replica = serving(&cluster, &file_in(mount.path()), |_| ()).await;
    for (version, rate) in [("..v2", "2"), ("..v3", "3")] {
        swap(version, &format!("throttle: {{qps: {rate}}}"));
        rate_becomes(&replica, rate).await;
    }
}

#[tokio::test]
async fn sighup_reads_what_no_watch_can_see() {
    let scene = Scene::with("throttle: {qps: 1}").await;
    scene.reloaded("unchanged", 1).await;
    let elsewhere = tempfile::tempdir().unwrap();
    let link = elsewhere.path().join("link");
    fs::hard_link(file_in(scene.folder.path()), &link).unwrap();
    fs::write(link, "throttle: {qps: 2}").unwrap();
    scene.replica.process.signal("HUP");
    rate_becomes(&scene.replica, "2").await;
    scene.replica.process.signal("HUP");
    until("it is told that nothing changed", async || scene.logged("the settings are unchanged") == 1).await;
}

#[tokio::test]
async fn a_file_with_a_fault_is_refused_whole_and_told_once() {
    let scene = Scene::with("throttle: {qps: 7}").await;
    scene.edit("throttle: {qps: 0, burst: 3}\nzork: 1\n");
    scene.reloaded("refused", 1).await;
    scene.replica.process.signal("HUP");
    scene.reloaded("refused", 2).await;
    rate_becomes(&scene.replica, "7").await;
    for fault in ["throttle.qps: 0 is not allowed", "zork: unknown"] {
        scene.told(fault, 1).await;
    }
    assert_eq!(scene.reloads("applied").await, 0);
    assert_eq!(scene.replica.get("/services").await.unwrap().status(), StatusCode::OK);
    scene.edit("throttle: {qps: 8}");
    rate_becomes(&scene.replica, "8").await;
}

#[tokio::test]
async fn keys_that_need_a_restart_are_named_in_one_warning() {
    let scene = Scene::with("throttle: {qps: 7}").await;
    scene.edit("throttle: {qps: 8}\nkubernetes: {namespace: elsewhere}\nmemo: {max_bytes: 1048576}\n");
    rate_becomes(&scene.replica, "8").await;
    let warning = "changed and needs a restart: kubernetes.namespace, memo.max_bytes\n";
    until("it is warned", async || scene.logged(warning) == 1).await;
}

#[tokio::test]
async fn variables_and_flags_stay_stronger_than_a_file_that_changes() {
    let scene = Scene::prepared("throttle: {qps: 1, burst: 1}", |command| {
        command.args(["--qps", "5"]).env("AENV_CONTROLLER__THROTTLE__BURST", "6");
    })
    .await;
    scene.edit("throttle: {qps: 2, burst: 2, max_wait_ms: 1}");
    scene.reloaded("applied", 1).await;
    scene.told("settings changed: throttle.max_wait_ms: 10000 -> 1\n", 1).await;
    rate_becomes(&scene.replica, "5").await;
}

#[tokio::test]
async fn the_log_level_changes_unless_rust_log_decides() {
    for (rust_log, asked) in [("", 1), ("info", 2)] {
        let scene = Scene::prepared("log: {level: info}", |command| _ = command.env("RUST_LOG", rust_log)).await;
        let ask = async || scene.replica.get("/pods").await.unwrap();
        ask().await;
        scene.edit("log: {level: \"info,aenv_controller::http::access=warn\"}");
        scene.reloaded("applied", 1).await;
        ask().await;
        scene.told("GET /pods 200 ", asked).await;
        scene.told("no effect while RUST_LOG is set", asked - 1).await;
    }
}

#[tokio::test]
async fn the_sandbox_is_tuned_like_the_rest() {
    let folder = tempfile::tempdir().unwrap();
    publish(folder.path(), "throttle: {qps: 1}");
    let replica = Replica::start(|command| {
        command.args(["sandbox".as_ref(), "--config".as_ref(), file_in(folder.path()).as_os_str()]);
    })
    .await;
    publish(folder.path(), "throttle: {qps: 2}");
    rate_becomes(&replica, "2").await;
}
