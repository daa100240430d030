//! Templates of a folder, read again when it changes.
//!
//! They are read on a thread for blocking work ([`Mounted`]), so that a volume that does not answer holds no worker up. A
//! file that turns bad takes nothing down: its last good template stays, with one warning for each new state of the folder.
//! One that is bad from the start costs its template alone.

use super::Templates;
use super::folder::Folder;
use crate::reload::{Metrics, Mounted, Source};
use crate::syntax::{Fault, Faults};
use std::path::PathBuf;
use std::sync::Arc;

/// The templates of a folder, read again when it changes.
pub(crate) struct TemplateStore(Mounted<TemplateFolder>);

impl TemplateStore {
    /// Reads the templates of `dir`, as [`Templates::load`] does. `metrics` counts states of it that cannot be used.
    ///
    /// # Errors
    /// If the folder cannot be read.
    pub(crate) fn open(dir: PathBuf, metrics: Metrics) -> Result<Self, Faults> {
        let mounted = Mounted::open(TemplateFolder { dir, metrics: metrics.clone() })?;
        report(&mounted.last(), &metrics);
        Ok(Self(mounted))
    }

    /// The templates as they are now, or the last good ones. Whoever makes several objects of them asks once.
    pub(crate) async fn current(&self) -> Arc<Templates> {
        self.0.current().await
    }

    /// The last good templates, without a look at the folder.
    pub(crate) fn last(&self) -> Arc<Templates> {
        self.0.last()
    }
}

struct TemplateFolder {
    dir: PathBuf,
    metrics: Metrics,
}

impl Source for TemplateFolder {
    type Contents = Folder;
    type Fingerprint = Folder;
    type Value = Templates;
    type Faults = Faults;

    fn read(&self) -> Folder {
        Folder::read(&self.dir)
    }

    fn fingerprint(folder: &Folder) -> Folder {
        folder.clone()
    }

    /// A folder that was there does not mean the built-in templates by going away.
    fn make(&self, folder: &Folder, last: Option<&Templates>) -> Result<Templates, Faults> {
        match folder {
            Folder::Missing if last.is_some() => Err(Fault::of_file(&self.dir, "is gone").into()),
            _ => {
                let templates = Templates::from_folder(folder)?;
                Ok(if let Some(last) = last { templates.keeping(last) } else { templates })
            }
        }
    }

    fn reloaded(&self, outcome: Result<&Templates, &Faults>) {
        match outcome {
            Ok(templates) => {
                log::info!("templates read again from {}", self.dir.display());
                report(templates, &self.metrics);
            }
            Err(faults) => {
                self.metrics.template_failures.inc();
                log::warn!("the templates have changed, but cannot be used; the last good ones stay:\n{faults}");
            }
        }
    }
}

/// Logs the faults of templates and the keys that are ignored; `metrics` counts a state of the folder with faults.
fn report(templates: &Templates, metrics: &Metrics) {
    if templates.faults().chain(templates.kept()).next().is_some() {
        metrics.template_failures.inc();
    }
    for fault in templates.faults() {
        log::error!("a template is broken, and creates that need it are refused: {fault}");
    }
    for fault in templates.kept() {
        log::warn!("a template has changed, but cannot be used; the last good one stays: {fault}");
    }
    for ignored in templates.warnings() {
        log::warn!("{ignored}");
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::telemetry::metrics::Registry;
    use std::fs;
    use std::os::unix::fs::symlink;
    use std::path::Path;
    use tokio::time::{Duration, advance};

    fn pod(namespace: &str) -> String {
        format!("kind: Pod\nmetadata: {{namespace: {namespace}}}\nspec: {{containers: [{{name: main}}]}}\n")
    }

    /// Publishes a version of a ConfigMap with this singleContainer template as kubelet does.
    fn publish(mount: &Path, version: &str, text: &str) {
        fs::create_dir(mount.join(version)).unwrap();
        fs::write(mount.join(version).join("singleContainer.yaml"), text).unwrap();
        symlink(version, mount.join("..data_tmp")).unwrap();
        fs::rename(mount.join("..data_tmp"), mount.join("..data")).unwrap();
        let _may_be_there = symlink("..data/singleContainer.yaml", mount.join("singleContainer.yaml"));
    }

    struct Watched {
        store: TemplateStore,
        failures: Metrics,
    }

    impl Watched {
        fn open(dir: &Path) -> Self {
            let failures = Metrics::new(&Registry::new());
            Self { store: TemplateStore::open(dir.to_owned(), failures.clone()).unwrap(), failures }
        }

        /// The namespace after another second, and how many states of the folder could not be used.
        async fn after_a_second(&self) -> (String, u64) {
            advance(Duration::from_secs(1)).await;
            let templates = self.store.current().await;
            (templates.namespace().unwrap_or("built-in").to_owned(), self.failures.template_failures.get())
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_swapped_config_map_is_seen_within_a_second() {
        let mount = tempfile::tempdir().unwrap();
        publish(mount.path(), "..v1", &pod("one"));
        let watched = Watched::open(mount.path());
        publish(mount.path(), "..v2", &pod("two"));
        assert_eq!(watched.after_a_second().await, ("two".into(), 0));
    }

    #[tokio::test(start_paused = true)]
    async fn a_broken_folder_is_told_once_and_the_last_good_templates_stay() {
        let mount = tempfile::tempdir().unwrap();
        publish(mount.path(), "..v1", &pod("one"));
        let watched = Watched::open(mount.path());
        publish(mount.path(), "..v2", "kind: Pod\n");
        assert_eq!(watched.after_a_second().await, ("one".into(), 1));
        assert_eq!(watched.after_a_second().await, ("one".into(), 1));
        fs::remove_dir_all(mount.path()).unwrap();
        assert_eq!(watched.after_a_second().await, ("one".into(), 2));
        assert_eq!(watched.after_a_second().await, ("one".into(), 2));
        fs::create_dir(mount.path()).unwrap();
        publish(mount.path(), "..v3", &pod("three"));
        assert_eq!(watched.after_a_second().await, ("three".into(), 2));
    }

    #[tokio::test(start_paused = true)]
    async fn a_folder_may_appear_later_and_a_file_may_go_back_to_the_built_in_one() {
        let parent = tempfile::tempdir().unwrap();
        let dir = parent.path().join("pod-templates");
        let watched = Watched::open(&dir);
        assert_eq!(watched.after_a_second().await, ("built-in".into(), 0));
        fs::create_dir(&dir).unwrap();
        fs::write(dir.join("singleContainer.yaml"), pod("mine")).unwrap();
        assert_eq!(watched.after_a_second().await, ("mine".into(), 0));
        fs::remove_file(dir.join("singleContainer.yaml")).unwrap();
        assert_eq!(watched.after_a_second().await, ("built-in".into(), 0));
    }
}
