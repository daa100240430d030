//! Keeps a set of templates up to date with its folder.
//!
//! The folder is compared with what was read before when somebody asks for the templates, at most once a second; there
//! is no watch and no thread. A handful of files of some kilobytes, from the memory of the node, costs tens of
//! microseconds; an idle replica costs nothing; and contents cannot be missed as events can be, whichever way the
//! folder is changed: kubelet's swap of a ConfigMap's link, an editor, a copy. (A mount with `subPath` never changes.)
//!
//! A folder that turns bad takes nothing down: the last good set stays, with one warning for each new state of it.

use super::folder::Folder;
use super::{TemplateFaults, Templates};
use crate::reload::Metrics;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use tokio::time::{Duration, Instant};

/// How long the folder is taken to be what it was. kubelet takes a minute to bring a change to the node.
const LOOK_AGAIN: Duration = Duration::from_secs(1);

/// The templates of a folder, re-read when it changes.
#[derive(Debug)]
pub struct TemplateStore {
    dir: PathBuf,
    metrics: Metrics,
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    current: Arc<Templates>,
    /// What the folder was when it was last looked at; `current` may be from before.
    seen: Folder,
    looked: Instant,
}

impl TemplateStore {
    /// Reads the templates of `dir`, as [`Templates::load`] does. `metrics` counts re-readings that fail.
    ///
    /// # Errors
    /// Everything that is wrong with the folder now.
    pub fn open(dir: PathBuf, metrics: Metrics) -> Result<Self, TemplateFaults> {
        let seen = Folder::read(&dir);
        let current = Arc::new(Templates::from_folder(&seen)?);
        Ok(Self { dir, metrics, state: Mutex::new(State { current, seen, looked: Instant::now() }) })
    }

    /// The templates as they are now, or the last good ones. Whoever makes several objects of them asks once.
    #[must_use]
    pub fn current(&self) -> Arc<Templates> {
        self.at(Instant::now())
    }

    fn at(&self, now: Instant) -> Arc<Templates> {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        if now.saturating_duration_since(state.looked) >= LOOK_AGAIN {
            state.looked = now;
            let folder = Folder::read(&self.dir);
            if folder != state.seen {
                self.reload(&mut state, folder);
            }
        }
        Arc::clone(&state.current)
    }

    fn reload(&self, state: &mut State, folder: Folder) {
        let dir = self.dir.display();
        // A folder that was there does not mean the built-in templates by going away.
        let reloaded = match &folder {
            Folder::Missing => Err(format!("{dir} is gone")),
            _ => Templates::from_folder(&folder).map_err(|faults| faults.to_string()),
        };
        match reloaded {
            Ok(templates) => {
                log::info!("templates re-read from {dir}");
                state.current = Arc::new(templates);
            }
            Err(why) => {
                self.metrics.template_failures.inc();
                log::warn!("the templates have changed, but cannot be used; the last good ones stay:\n{why}");
            }
        }
        state.seen = folder;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::telemetry::metrics::Registry;
    use std::fs;
    use std::os::unix::fs::symlink;
    use std::path::Path;

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
        start: Instant,
    }

    impl Watched {
        fn open(dir: &Path) -> Self {
            let store = TemplateStore::open(dir.to_owned(), Metrics::new(&Registry::new())).unwrap();
            Self { store, start: Instant::now() }
        }

        /// The namespace after so many seconds, and how many re-readings have failed.
        fn after(&self, seconds: u64) -> (String, u64) {
            let templates = self.store.at(self.start + Duration::from_secs(seconds));
            (templates.namespace().unwrap_or("built-in").to_owned(), self.store.metrics.template_failures.get())
        }
    }

    #[test]
    fn a_swapped_config_map_is_seen_within_a_second() {
        let mount = tempfile::tempdir().unwrap();
        publish(mount.path(), "..v1", &pod("one"));
        let watched = Watched::open(mount.path());
        publish(mount.path(), "..v2", &pod("two"));
        assert_eq!(watched.after(0), ("one".into(), 0));
        assert_eq!(watched.after(1), ("two".into(), 0));
    }

    #[test]
    fn a_broken_folder_is_told_once_and_the_last_good_templates_stay() {
        let mount = tempfile::tempdir().unwrap();
        publish(mount.path(), "..v1", &pod("one"));
        let watched = Watched::open(mount.path());
        publish(mount.path(), "..v2", "kind: Pod\n");
        assert_eq!(watched.after(1), ("one".into(), 1));
        assert_eq!(watched.after(2), ("one".into(), 1));
        fs::remove_dir_all(mount.path()).unwrap();
        assert_eq!(watched.after(3), ("one".into(), 2));
        assert_eq!(watched.after(4), ("one".into(), 2));
        fs::create_dir(mount.path()).unwrap();
        publish(mount.path(), "..v3", &pod("three"));
        assert_eq!(watched.after(5), ("three".into(), 2));
    }

    #[test]
    fn a_folder_may_appear_later_and_a_file_may_go_back_to_the_built_in_one() {
        let parent = tempfile::tempdir().unwrap();
        let dir = parent.path().join("pod-templates");
        let watched = Watched::open(&dir);
        assert_eq!(watched.after(1), ("built-in".into(), 0));
        fs::create_dir(&dir).unwrap();
        fs::write(dir.join("singleContainer.yaml"), pod("mine")).unwrap();
        assert_eq!(watched.after(2), ("mine".into(), 0));
        fs::remove_file(dir.join("singleContainer.yaml")).unwrap();
        assert_eq!(watched.after(3), ("built-in".into(), 0));
    }
}
