//! Keeps a credential up to date with its files.
//!
//! As the folder of the templates, the files are compared with what was read before when somebody needs the credential,
//! at most once a second: no watch and no thread, and no way of changing a file that could be missed. Between two looks
//! only a hash of the files is kept. (A mount with `subPath` never changes.)
//!
//! Files that turn bad lock nobody out and let nobody in: the last good credential stays, with one warning for each new
//! state of the files.

use super::{CredentialFault, CredentialFaults, Hash, hash};
use crate::reload::{Metrics, Outcome};
use std::collections::BTreeMap;
use std::fmt::Display;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use tokio::time::{Duration, Instant};

/// How long the files are taken to be what they were. kubelet takes a minute to bring a change to the node.
const LOOK_AGAIN: Duration = Duration::from_secs(1);

/// Where a credential comes from.
pub trait Source {
    /// What is made of the files.
    type Credential: Credential;

    /// The credential's name, in the log and as a metric label.
    const NAME: &'static str;

    /// The files that it is made of.
    fn files(&self) -> Vec<&Path>;

    /// Makes it of what the files hold.
    ///
    /// # Errors
    /// Everything that is wrong with them.
    fn make(&self, contents: &Contents) -> Result<Self::Credential, CredentialFaults>;
}

/// What was made of the files; displayed, it says for the log what is in force, and no secret.
pub trait Credential: Display {
    /// What somebody should know though the credential is used.
    fn warning(&self) -> Option<&str> {
        None
    }
}

/// What the files of a source hold, or why one cannot be read.
pub struct Contents(BTreeMap<PathBuf, Result<Vec<u8>, String>>);

impl Contents {
    fn read(files: Vec<&Path>) -> Self {
        let read = |file: &Path| fs::read(file).map_err(|error| error.to_string());
        Self(files.into_iter().map(|file| (file.to_owned(), read(file))).collect())
    }

    /// What `file` holds.
    ///
    /// # Errors
    /// If it cannot be read.
    ///
    /// # Panics
    /// If it is none of the source's files.
    pub fn of(&self, file: &Path) -> Result<&[u8], CredentialFault> {
        match self.0.get(file).expect("it is one of the source's files") {
            Ok(bytes) => Ok(bytes),
            Err(why) => Err(CredentialFault::of_file(file, format!("cannot be read: {why}"))),
        }
    }

    /// By what it is seen that they have changed.
    fn print(&self) -> Vec<Result<Hash, String>> {
        self.0.values().map(|read| read.as_ref().map(|bytes| hash(bytes)).map_err(String::clone)).collect()
    }
}

/// A credential that is re-read when its files change.
pub struct Mounted<S: Source> {
    source: S,
    metrics: Metrics,
    state: Mutex<State<S::Credential>>,
}

struct State<C> {
    current: Arc<C>,
    /// What the files were when they were last looked at; `current` may be from before.
    seen: Vec<Result<Hash, String>>,
    looked: Instant,
}

impl<S: Source> Mounted<S> {
    /// Reads the credential. `metrics` counts how often it is read again.
    ///
    /// # Errors
    /// Everything that is wrong with the files now.
    pub fn open(source: S, metrics: Metrics) -> Result<Self, CredentialFaults> {
        let contents = Contents::read(source.files());
        let current = Arc::new(source.make(&contents)?);
        let state = State { current, seen: contents.print(), looked: Instant::now() };
        Ok(Self { source, metrics, state: Mutex::new(state) })
    }

    /// The credential as it is now, or the last good one.
    #[must_use]
    pub fn current(&self) -> Arc<S::Credential> {
        self.at(Instant::now())
    }

    fn at(&self, now: Instant) -> Arc<S::Credential> {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        if now.saturating_duration_since(state.looked) >= LOOK_AGAIN {
            state.looked = now;
            let contents = Contents::read(self.source.files());
            let print = contents.print();
            if print != state.seen {
                state.seen = print;
                self.reload(&mut state, &contents);
            }
        }
        Arc::clone(&state.current)
    }

    fn reload(&self, state: &mut State<S::Credential>, contents: &Contents) {
        let outcome = match self.source.make(contents) {
            Ok(credential) => {
                log::info!("{} re-read: {credential}", S::NAME);
                if let Some(warning) = credential.warning() {
                    log::warn!("{warning}");
                }
                state.current = Arc::new(credential);
                Outcome::Applied
            }
            Err(faults) => {
                log::warn!("{} have changed, but cannot be used; the last good ones stay:\n{faults}", S::NAME);
                Outcome::Refused
            }
        };
        self.metrics.credential(S::NAME, outcome);
    }
}

#[cfg(test)]
mod tests {
    use super::super::TokensFile;
    use super::*;
    use crate::credentials::Scope;
    use crate::telemetry::metrics::Registry;
    use std::os::unix::fs::symlink;
    use tempfile::TempDir;

    /// A Secret with a tokens file, mounted as kubelet does it.
    struct Secret {
        mount: TempDir,
        versions: usize,
    }

    impl Secret {
        fn of(text: &str) -> Self {
            let mut secret = Self { mount: tempfile::tempdir().unwrap(), versions: 0 };
            secret.publish(text);
            symlink("..data/tokens", secret.mount.path().join("tokens")).unwrap();
            secret
        }

        fn publish(&mut self, text: &str) {
            self.versions += 1;
            let version = format!("..v{}", self.versions);
            let mount = self.mount.path();
            fs::create_dir(mount.join(&version)).unwrap();
            fs::write(mount.join(&version).join("tokens"), text).unwrap();
            symlink(&version, mount.join("..data_tmp")).unwrap();
            fs::rename(mount.join("..data_tmp"), mount.join("..data")).unwrap();
        }
    }

    const ONE: &str = "0123456789abcdef-one";
    const TWO: &str = "0123456789abcdef-two";

    struct Watched {
        mounted: Mounted<TokensFile>,
        registry: Registry,
        start: Instant,
    }

    impl Watched {
        fn open(secret: &Secret) -> Self {
            let source = TokensFile::new(secret.mount.path().join("tokens"));
            let registry = Registry::new();
            let mounted = Mounted::open(source, Metrics::new(&registry)).unwrap();
            Self { mounted, registry, start: Instant::now() }
        }

        /// Which tokens are known after so many seconds.
        fn after(&self, seconds: u64) -> [Option<Scope>; 2] {
            let tokens = self.mounted.at(self.start + Duration::from_secs(seconds));
            [ONE, TWO].map(|token| tokens.caller(token).map(|caller| caller.scope))
        }

        #[track_caller]
        fn reloads(&self, outcome: &str, count: u64) {
            let text = String::from_utf8(self.registry.render()).unwrap();
            let line = format!(
                "aenv_controller_credential_reloads_total{{credential=\"tokens\",outcome=\"{outcome}\"}} {count}\n"
            );
            assert!(text.contains(&line), "no {line} in {text}");
        }
    }

    #[test]
    fn a_swapped_secret_is_seen_within_a_second() {
        let mut secret = Secret::of(&format!("{ONE} read"));
        let watched = Watched::open(&secret);
        secret.publish(&format!("{TWO} write"));
        assert_eq!(watched.after(0), [Some(Scope::Read), None]);
        assert_eq!(watched.after(1), [None, Some(Scope::Write)]);
        watched.reloads("applied", 1);
        watched.reloads("refused", 0);
    }

    #[test]
    fn broken_files_change_nothing_and_are_told_once() {
        let mut secret = Secret::of(&format!("{ONE} read"));
        let watched = Watched::open(&secret);
        for (second, broken) in [(1, "short read"), (3, "")] {
            secret.publish(broken);
            assert_eq!(watched.after(second), [Some(Scope::Read), None]);
            assert_eq!(watched.after(second + 1), [Some(Scope::Read), None]);
        }
        watched.reloads("refused", 2);
        fs::remove_file(secret.mount.path().join("..data")).unwrap();
        assert_eq!(watched.after(5), [Some(Scope::Read), None]);
        watched.reloads("refused", 3);
        secret.publish(&format!("{TWO} read"));
        assert_eq!(watched.after(6), [None, Some(Scope::Read)]);
        watched.reloads("applied", 1);
    }
}
