//! The settings of a running controller: all sources read again, and compared with what it runs with.
//!
//! New settings count as a whole or not at all: one fault, and everything stays as it was. Of good ones the live keys
//! are taken on; the others are named, and wait for a restart.

use super::sources::Sources;
use super::{Applies, Change, STANDARD_FILE, Settings};
use crate::config::cli::Flags;
use crate::syntax::Faults;
use std::path::{Path, PathBuf};

/// Reads the settings again.
#[derive(Debug)]
pub struct Reloader {
    flags: Flags,
    standard_file: PathBuf,
    running: Settings,
    /// Result of the last reading; `running` may be from before.
    last: Result<Settings, Faults>,
}

/// Outcome of reading the settings again.
#[derive(Debug, Clone, PartialEq)]
pub enum Reloaded {
    /// There is nothing to do, or nothing that has not been said before.
    Unchanged,
    /// There are new settings.
    Changed {
        /// Changes that take effect now; maybe none.
        live: Vec<Change>,
        /// Changes that need a restart; maybe none.
        restart: Vec<Change>,
    },
    /// There are faults, so that nothing takes effect.
    Refused(Faults),
    /// They are the faults of the last time.
    StillRefused,
}

impl Reloader {
    /// For a controller that was started with `flags`, and runs with the `settings` that came of them.
    pub fn new(flags: Flags, settings: Settings) -> Self {
        Self::beside(PathBuf::from(STANDARD_FILE), flags, settings)
    }

    pub(super) fn beside(standard_file: PathBuf, flags: Flags, settings: Settings) -> Self {
        let mut reloader = Self { flags, standard_file, last: Ok(settings.clone()), running: settings };
        reloader.expect_file();
        reloader
    }

    /// The settings file, whether it is there or not.
    pub fn file(&self) -> &Path {
        self.flags.config.as_deref().unwrap_or(&self.standard_file)
    }

    /// The settings in effect: at first those of the start, then those that [`Reloader::reload`] has made of them.
    pub fn running(&self) -> &Settings {
        &self.running
    }

    /// Reads all sources again, with the precedence that they had at the start. Afterwards [`Reloader::running`] has
    /// the live keys as they are now.
    ///
    /// A file that has been there is expected to stay: that it goes away does not mean the defaults.
    pub fn reload(&mut self, environment: impl IntoIterator<Item = (String, String)>) -> Reloaded {
        self.expect_file();
        let read = Settings::from_sources(Sources::collect(&self.flags, environment, &self.standard_file));
        if read == self.last {
            return if read.is_ok() { Reloaded::Unchanged } else { Reloaded::StillRefused };
        }
        self.last = read.clone();
        let new = match read {
            Ok(new) => new,
            Err(faults) => return Reloaded::Refused(faults),
        };
        let (live, restart) =
            self.running.changes(&new).into_iter().partition(|change| change.applies == Applies::Live);
        self.running = self.running.retuned(&new);
        Reloaded::Changed { live, restart }
    }

    /// Once the standard file has been there, it is as if a flag had named it.
    fn expect_file(&mut self) {
        if self.flags.config.is_none() && self.standard_file.exists() {
            self.flags.config = Some(self.standard_file.clone());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;
    use tempfile::TempDir;

    /// A controller that was started with no flags beside this standard file.
    struct Scene {
        folder: TempDir,
        reloader: Reloader,
    }

    impl Scene {
        fn started(yaml: Option<&str>) -> Self {
            let folder = tempfile::tempdir().unwrap();
            let file = folder.path().join("controller.yaml");
            yaml.inspect(|yaml| fs::write(&file, yaml).unwrap());
            let flags = Flags::default();
            let settings = Settings::from_sources(Sources::collect(&flags, [], &file)).unwrap();
            Self { reloader: Reloader::beside(file, flags, settings), folder }
        }

        fn becomes(&mut self, yaml: &str) -> Reloaded {
            fs::write(self.folder.path().join("controller.yaml"), yaml).unwrap();
            self.reloader.reload([])
        }
    }

    /// The changes, as they are displayed: live, restart.
    #[track_caller]
    fn changed(reloaded: &Reloaded) -> [Vec<String>; 2] {
        let Reloaded::Changed { live, restart } = reloaded else { panic!("{reloaded:?}") };
        [live, restart].map(|changes| changes.iter().map(Change::to_string).collect())
    }

    const NONE: Vec<String> = Vec::new();

    #[test]
    fn live_keys_are_taken_on_and_the_others_named_until_they_are_as_before() {
        let mut scene = Scene::started(Some("throttle: {qps: 10}"));
        assert_eq!(scene.reloader.reload([]), Reloaded::Unchanged);
        let both = scene.becomes("throttle: {qps: 20, burst: 7}\nserver: {port: 9000}");
        let [live, restart] = changed(&both);
        assert_eq!(live, ["throttle.qps: 10 -> 20", "throttle.burst: 100 -> 7"]);
        assert_eq!(restart, ["server.port: 8080 -> 9000"]);
        let running = scene.reloader.running();
        assert_eq!((running.throttle.rate(), running.server.port), (Some(20.0), 8080));
        assert_eq!(scene.becomes("server: {port: 9000}\nthrottle: {burst: 7, qps: 20}"), Reloaded::Unchanged);
        assert_eq!(changed(&scene.becomes("throttle: {qps: 20, burst: 7}")), [NONE, NONE]);
    }

    #[test]
    fn a_fault_refuses_the_whole_and_is_told_once() {
        let mut scene = Scene::started(Some("throttle: {qps: 10}"));
        let Reloaded::Refused(faults) = scene.becomes("throttle: {qps: 0, burst: 7}") else { panic!("not refused") };
        assert!(faults.to_string().contains("throttle.qps"), "{faults}");
        assert_eq!(scene.reloader.running().throttle.burst.get(), 100);
        assert_eq!(scene.reloader.reload([]), Reloaded::StillRefused);
        assert!(matches!(scene.becomes("throttle: {qps: -1}"), Reloaded::Refused(_)), "it is another fault");
        assert_eq!(changed(&scene.becomes("throttle: {qps: 10}")), [NONE, NONE]);
    }

    #[test]
    fn the_standard_file_may_come_later_but_going_away_does_not_mean_the_defaults() {
        let mut scene = Scene::started(None);
        assert_eq!(scene.reloader.reload([]), Reloaded::Unchanged);
        assert_eq!(changed(&scene.becomes("throttle: {qps: 5}"))[0], ["throttle.qps: 50 -> 5"]);
        fs::remove_file(scene.folder.path().join("controller.yaml")).unwrap();
        let gone = scene.reloader.reload([]);
        assert!(
            matches!(&gone, Reloaded::Refused(faults) if faults.to_string().contains("cannot be read")),
            "{gone:?}"
        );
        assert_eq!(scene.reloader.running().throttle.rate(), Some(5.0));
    }

    #[test]
    fn a_stronger_source_stays_stronger() {
        let mut scene = Scene::started(None);
        let variable = ("AENV_CONTROLLER__THROTTLE__QPS".to_owned(), "30".to_owned());
        fs::write(scene.folder.path().join("controller.yaml"), "throttle: {qps: 5, burst: 6}").unwrap();
        let reloaded = scene.reloader.reload([variable]);
        assert_eq!(changed(&reloaded)[0], ["throttle.qps: 50 -> 30", "throttle.burst: 100 -> 6"]);
    }
}
