//! A Secret as kubelet mounts it: files behind a link that is swapped when they change.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::PathBuf;
use tempfile::TempDir;

/// A mounted Secret.
pub(crate) struct Secret {
    mount: TempDir,
    versions: usize,
}

impl Secret {
    /// With these files.
    pub(crate) fn of(files: &[(&str, &str)]) -> Self {
        let mut secret = Self { mount: tempfile::tempdir().unwrap(), versions: 0 };
        secret.publish(files);
        for (name, _) in files {
            symlink(format!("..data/{name}"), secret.mount.path().join(name)).unwrap();
        }
        secret
    }

    /// Replaces all files at once.
    pub(crate) fn publish(&mut self, files: &[(&str, &str)]) {
        self.versions += 1;
        let version = format!("..v{}", self.versions);
        let mount = self.mount.path();
        fs::create_dir(mount.join(&version)).unwrap();
        for (name, text) in files {
            fs::write(mount.join(&version).join(name), text).unwrap();
        }
        symlink(&version, mount.join("..data_tmp")).unwrap();
        fs::rename(mount.join("..data_tmp"), mount.join("..data")).unwrap();
    }

    /// Path of a mounted file.
    pub(crate) fn path(&self, name: &str) -> String {
        let path: PathBuf = self.mount.path().join(name);
        path.into_os_string().into_string().unwrap()
    }
}
