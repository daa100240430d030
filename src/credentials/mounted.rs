//! Credentials of mounted files: read again as [`Mounted`] does it.
//!
//! Between two looks only a hash of the files is kept. Files that turn bad lock nobody out and let nobody in.

use super::{Hash, hash};
use crate::reload::{self, Metrics, MountedFile, Outcome, read_file};
use crate::syntax::{Fault, Faults};
use std::collections::BTreeMap;
use std::fmt::Display;
use std::path::{Path, PathBuf};

/// The largest file, as of a Secret: 1 MiB.
const MAX_BYTES: usize = 1 << 20;

/// A credential that is read again when its files change.
pub(crate) type Mounted<S> = reload::Mounted<Files<S>>;

/// The source of a credential.
pub(crate) trait Source: Send + Sync + 'static {
    /// The credential that is made of the files.
    type Credential: Credential;

    /// The credential's name, in the log and as a metric label.
    const NAME: &'static str;

    /// The files that it is made of.
    fn files(&self) -> Vec<&Path>;

    /// Makes it of the contents of the files.
    fn make(&self, contents: &Contents) -> Result<Self::Credential, Faults>;
}

/// A credential; displayed, it says for the log what is in force, and no secret.
pub(crate) trait Credential: Display + Send + Sync + 'static {
    /// A warning for the operator about a credential that is used all the same.
    fn warning(&self) -> Option<&str>;
}

/// The contents of the files of a source, or the reason why one cannot be read.
pub(crate) struct Contents(BTreeMap<PathBuf, Result<MountedFile, String>>);

impl Contents {
    fn read(files: Vec<&Path>) -> Self {
        let read = |file: &Path| read_file(file, MAX_BYTES).map_err(|error| error.to_string());
        Self(files.into_iter().map(|file| (file.to_owned(), read(file))).collect())
    }

    /// The contents of `file`.
    ///
    /// # Panics
    /// If it is none of the source's files.
    pub(crate) fn of(&self, file: &Path) -> Result<&[u8], Fault> {
        match self.0.get(file).expect("it is one of the source's files") {
            Ok(file) => Ok(&file.bytes),
            Err(why) => Err(Fault::of_file(file, format!("cannot be read: {why}"))),
        }
    }

    /// A warning about a file that every user of the machine may write.
    pub(super) fn loose_permissions(&self) -> Option<String> {
        let (file, _) = self.0.iter().find(|(_, read)| read.as_ref().is_ok_and(|file| file.world_writable))?;
        Some(format!("{} is writable by everybody on this machine: chmod o-w", file.display()))
    }
}

/// The files of a source, and the metrics that count how often they are read again.
pub(crate) struct Files<S> {
    source: S,
    metrics: Metrics,
}

impl<S: Source> Files<S> {
    /// The files of `source`.
    pub(crate) fn new(source: S, metrics: Metrics) -> Self {
        Self { source, metrics }
    }
}

impl<S: Source> reload::Source for Files<S> {
    type Contents = Contents;
    type Fingerprint = Vec<Result<(Hash, bool), String>>;
    type Value = S::Credential;
    type Faults = Faults;

    fn read(&self) -> Contents {
        Contents::read(self.source.files())
    }

    fn fingerprint(contents: &Contents) -> Self::Fingerprint {
        let of_file = |file: &MountedFile| (hash(&file.bytes), file.world_writable);
        contents.0.values().map(|read| read.as_ref().map(of_file).map_err(String::clone)).collect()
    }

    fn make(&self, contents: &Contents, _: Option<&S::Credential>) -> Result<S::Credential, Faults> {
        self.source.make(contents)
    }

    fn reloaded(&self, outcome: Result<&S::Credential, &Faults>) {
        let outcome = match outcome {
            Ok(credential) => {
                log::info!("{} read again: {credential}", S::NAME);
                if let Some(warning) = credential.warning() {
                    log::warn!("{warning}");
                }
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
    use std::fs;
    use std::os::unix::fs::{PermissionsExt, symlink};
    use tempfile::TempDir;
    use tokio::time::{Duration, advance};

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
    }

    impl Watched {
        fn open(secret: &Secret) -> Self {
            let source = TokensFile::new(secret.mount.path().join("tokens"));
            let registry = Registry::new();
            let mounted = Mounted::open(Files::new(source, Metrics::new(&registry))).unwrap();
            Self { mounted, registry }
        }

        /// The tokens that are known after another second.
        async fn after_a_second(&self) -> [Option<Scope>; 2] {
            advance(Duration::from_secs(1)).await;
            let tokens = self.mounted.current().await;
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

    #[tokio::test(start_paused = true)]
    async fn a_swapped_secret_is_seen_within_a_second() {
        let mut secret = Secret::of(&format!("{ONE} read"));
        let watched = Watched::open(&secret);
        secret.publish(&format!("{TWO} write"));
        assert_eq!(watched.after_a_second().await, [None, Some(Scope::Write)]);
        watched.reloads("applied", 1);
        watched.reloads("refused", 0);
    }

    #[tokio::test(start_paused = true)]
    async fn broken_files_change_nothing_and_are_counted_once() {
        let mut secret = Secret::of(&format!("{ONE} read"));
        let watched = Watched::open(&secret);
        for broken in ["short read", "", &"x".repeat(MAX_BYTES + 1)] {
            secret.publish(broken);
            assert_eq!(watched.after_a_second().await, [Some(Scope::Read), None]);
            assert_eq!(watched.after_a_second().await, [Some(Scope::Read), None]);
        }
        watched.reloads("refused", 3);
        fs::remove_file(secret.mount.path().join("..data")).unwrap();
        assert_eq!(watched.after_a_second().await, [Some(Scope::Read), None]);
        watched.reloads("refused", 4);
        secret.publish(&format!("{TWO} read"));
        assert_eq!(watched.after_a_second().await, [None, Some(Scope::Read)]);
        watched.reloads("applied", 1);
    }

    #[tokio::test(start_paused = true)]
    async fn tokens_that_everybody_may_write_are_warned_of() {
        let secret = Secret::of(&format!("{ONE} read"));
        let watched = Watched::open(&secret);
        assert_eq!(watched.mounted.last().warning(), None);
        let file = secret.mount.path().join("tokens");
        fs::set_permissions(&file, fs::Permissions::from_mode(0o666)).unwrap();
        watched.after_a_second().await;
        let tokens = watched.mounted.last();
        assert!(tokens.warning().is_some_and(|warning| warning.contains(file.to_str().unwrap())));
    }
}
