//! File watch: tells when a file may have changed, whichever way that is done: written in place, renamed onto its name,
//! or behind a symbolic link that is swapped, as kubelet does with a ConfigMap (`..data`).
//!
//! A watched file follows its inode, not its name. So what is watched are the folders that hold the file and each
//! symbolic link on the way to it; of a folder that does not exist, the one that it would be made in. Nothing wakes
//! while nothing happens there. (A mount with `subPath` never changes.)

use notify::event::{AccessKind, AccessMode};
use notify::{Config, Event, EventKind, RecommendedWatcher, RecursiveMode, Watcher};
use std::collections::{BTreeSet, VecDeque};
use std::ffi::OsString;
use std::io;
use std::path::{self, Component, Path, PathBuf};
use std::sync::Arc;
use tokio::sync::Notify;
use tokio::time::{Duration, timeout};

/// Quiet time after which a change is told: changes that belong together happen within milliseconds.
const QUIET: Duration = Duration::from_millis(150);

/// After how many events in a row, each within [`QUIET`] of the one before, a change is told all the same.
const LONGEST_BURST: usize = 20;

/// As many symbolic links in a row are followed as Linux follows.
const MOST_LINKS: usize = 40;

/// A file that is watched.
#[derive(Debug)]
pub(crate) struct Watch {
    touched: Arc<Notify>,
    _watcher: RecommendedWatcher,
}

impl Watch {
    /// Watches `file`, which need not exist, as it is reached now.
    ///
    /// # Errors
    /// If the system does not let us watch.
    pub(crate) fn new(file: &Path) -> io::Result<Self> {
        let file = path::absolute(file)?;
        let way = way_to(&file);
        let folders: BTreeSet<_> = way.iter().filter_map(|entry| entry.parent()).map(Path::to_owned).collect();
        let concerned: BTreeSet<_> = way.iter().chain(&folders).cloned().collect();
        let touched = Arc::new(Notify::new());
        let tell = {
            let touched = Arc::clone(&touched);
            move |event: notify::Result<Event>| {
                // An error is no reason to miss a change.
                if event.as_ref().map_or(true, |event| concerns(event, &concerned)) {
                    touched.notify_one();
                }
            }
        };
        let mut watcher = RecommendedWatcher::new(tell, Config::default()).map_err(io::Error::other)?;
        for folder in &folders {
            watcher.watch(folder, RecursiveMode::NonRecursive).map_err(io::Error::other)?;
        }
        if way_to(&file) != way {
            touched.notify_one();
        }
        Ok(Self { touched, _watcher: watcher })
    }

    /// Waits until the file may have changed. Then it may be reached another way, or be in another folder of the same
    /// name: watch it anew, before it is read.
    pub(crate) async fn changed(&self) {
        self.touched.notified().await;
        for _ in 0..LONGEST_BURST {
            if timeout(QUIET, self.touched.notified()).await.is_err() {
                break;
            }
        }
    }
}

/// True if the event changes one of the entries or folders that are `concerned`. To read one does not.
fn concerns(event: &Event, concerned: &BTreeSet<PathBuf>) -> bool {
    let reading = matches!(event.kind, EventKind::Access(access) if access != AccessKind::Close(AccessMode::Write));
    !reading && (event.need_rescan() || event.paths.iter().any(|path| concerned.contains(path)))
}

/// The entries of folders that decide what `file`, an absolute path, is: each symbolic link on the way, and the file
/// itself, or the first entry that does not exist.
fn way_to(file: &Path) -> Vec<PathBuf> {
    let names = |path: &Path| -> VecDeque<OsString> {
        path.components().map(|component| component.as_os_str().to_owned()).collect()
    };
    let (mut way, mut at, mut ahead) = (Vec::new(), PathBuf::new(), names(file));
    while let Some(name) = ahead.pop_front() {
        match Path::new(&name).components().next() {
            Some(Component::ParentDir) => {
                at.pop();
                continue;
            }
            Some(Component::CurDir) => continue,
            // The root replaces what is before it.
            _ => at.push(name),
        }
        match at.read_link() {
            Ok(target) => {
                way.push(at.clone());
                if way.len() > MOST_LINKS {
                    break;
                }
                at.pop();
                ahead = names(&target).into_iter().chain(ahead).collect();
            }
            Err(_) if ahead.is_empty() || !at.exists() => {
                way.push(at);
                break;
            }
            Err(_) => {}
        }
    }
    way
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;
    use std::os::unix::fs::symlink;

    /// Far longer than a change takes to be told.
    const PATIENCE: Duration = Duration::from_secs(20);

    #[track_caller]
    fn way(folder: &Path, file: &str) -> Vec<String> {
        let folder = folder.canonicalize().unwrap();
        let relative = |path: PathBuf| path.strip_prefix(&folder).unwrap().display().to_string();
        way_to(&folder.join(file)).into_iter().map(relative).collect()
    }

    #[test]
    fn the_way_to_a_file_is_its_entry_and_the_links_before_it() {
        let folder = tempfile::tempdir().unwrap();
        fs::create_dir(folder.path().join("..v1")).unwrap();
        fs::write(folder.path().join("..v1/file"), "").unwrap();
        symlink("..v1", folder.path().join("..data")).unwrap();
        symlink("..data/file", folder.path().join("file")).unwrap();
        assert_eq!(way(folder.path(), "..v1/file"), ["..v1/file"]);
        assert_eq!(way(folder.path(), "file"), ["file", "..data", "..v1/file"]);
        symlink(folder.path().canonicalize().unwrap().join("..v1/../file"), folder.path().join("other")).unwrap();
        assert_eq!(way(folder.path(), "other"), ["other", "file", "..data", "..v1/file"]);
    }

    #[test]
    fn the_way_to_what_does_not_exist_ends_where_it_would_be_made() {
        let folder = tempfile::tempdir().unwrap();
        assert_eq!(way(folder.path(), "file"), ["file"]);
        assert_eq!(way(folder.path(), "a/b/file"), ["a"]);
        symlink("nowhere", folder.path().join("gone")).unwrap();
        assert_eq!(way(folder.path(), "gone/file"), ["gone", "nowhere"]);
        symlink("round", folder.path().join("round")).unwrap();
        assert_eq!(way(folder.path(), "round").len(), MOST_LINKS + 1);
    }

    async fn told(watch: &Watch) {
        timeout(PATIENCE, watch.changed()).await.expect("it is told");
    }

    #[tokio::test]
    async fn a_folder_that_comes_goes_and_comes_again_is_followed() {
        let folder = tempfile::tempdir().unwrap();
        let home = folder.path().join("a");
        let file = home.join("file");
        let changes: [&dyn Fn(); 4] = [
            &|| fs::create_dir(&home).unwrap(),
            &|| fs::write(&file, "1").unwrap(),
            &|| {
                fs::remove_dir_all(&home).unwrap();
                fs::create_dir(&home).unwrap();
            },
            &|| {
                fs::write(home.join("new"), "2").unwrap();
                fs::rename(home.join("new"), &file).unwrap();
            },
        ];
        for change in changes {
            let watch = Watch::new(&file).unwrap();
            change();
            told(&watch).await;
        }
    }

    #[tokio::test]
    async fn neither_reading_nor_a_neighbour_is_a_change() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("file");
        fs::write(&file, "1").unwrap();
        let watch = Watch::new(&file).unwrap();
        fs::read(&file).unwrap();
        fs::write(folder.path().join("neighbour"), "1").unwrap();
        assert!(timeout(2 * QUIET, watch.changed()).await.is_err());
        fs::write(&file, "2").unwrap();
        told(&watch).await;
    }
}
