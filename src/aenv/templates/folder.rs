//! The files of a folder of templates.

use crate::reload::read_text;
use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::fs;
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};

/// Link to the files of a mounted ConfigMap, made by kubelet: the mount's own files are links through this link, which is
/// swapped when the ConfigMap changes.
const CONFIG_MAP_DATA: &str = "..data";

/// The largest template, which is as large as a ConfigMap can be: 1 MiB.
const MAX_BYTES: usize = 1 << 20;

/// A folder as it was at one moment.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Folder {
    /// There is none.
    Missing,
    /// There is something, but no folder that can be read, and why.
    Unreadable(PathBuf, String),
    /// Its templates by name.
    Files(BTreeMap<String, File>),
}

/// A file of the folder.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct File {
    /// Its path.
    pub(super) path: PathBuf,
    /// Its text, or why that is not known.
    pub(super) text: Result<String, String>,
}

/// Folder where the Go controller looks for pod templates that its own folder does not have.
const LEGACY: &str = "/home/admin";

/// Its files there, and the names of their templates.
const LEGACY_FILES: [(&str, &str); 3] = [
    ("pod_template_linux/config.yaml", "singleContainer"),
    ("pod_template_windows/config.yaml", "win64"),
    ("pod_template_terminal/config.yaml", "terminal"),
];

impl Folder {
    /// Reads `*.yaml` of `dir`, but no hidden files, and the legacy files of templates that it does not have.
    pub(super) fn read(dir: &Path) -> Self {
        Self::read_with_legacy(dir, Path::new(LEGACY))
    }

    fn read_with_legacy(dir: &Path, legacy: &Path) -> Self {
        let legacy = LEGACY_FILES.into_iter().filter_map(|(file, template)| {
            let path = legacy.join(file);
            let text = read_text(&path, MAX_BYTES);
            // An image without them is the rule.
            let absent = text.as_ref().is_err_and(|error| error.kind() == ErrorKind::NotFound);
            let file = File { path, text: text.map_err(|error| format!("cannot be read: {error}")) };
            (!absent).then(|| (template.to_owned(), file))
        });
        let legacy: BTreeMap<_, _> = legacy.collect();
        match files(dir) {
            Ok(files) => Self::Files(legacy.into_iter().chain(files).collect()),
            Err(error) if error.kind() == ErrorKind::NotFound && !legacy.is_empty() => Self::Files(legacy),
            Err(error) if error.kind() == ErrorKind::NotFound => Self::Missing,
            Err(error) => Self::Unreadable(dir.to_owned(), format!("cannot be read: {error}")),
        }
    }
}

impl File {
    /// A file that came with the program.
    pub(super) fn built_in(name: &str, text: &str) -> Self {
        Self { path: format!("built-in/{name}.yaml").into(), text: Ok(text.to_owned()) }
    }
}

/// The link of a ConfigMap is followed once for all files, so that they are of the same version.
fn files(dir: &Path) -> io::Result<BTreeMap<String, File>> {
    let data = fs::canonicalize(dir.join(CONFIG_MAP_DATA)).unwrap_or_else(|_| dir.to_owned());
    let mut files = BTreeMap::new();
    for entry in fs::read_dir(&data)? {
        let name = PathBuf::from(entry?.file_name());
        let hidden = name.as_os_str().as_encoded_bytes().starts_with(b".");
        let Some(stem) = name.file_stem().filter(|_| !hidden && name.extension() == Some(OsStr::new("yaml"))) else {
            continue;
        };
        let text = read_text(&data.join(&name), MAX_BYTES).map_err(|error| format!("cannot be read: {error}"));
        files.insert(stem.to_string_lossy().into_owned(), File { path: dir.join(&name), text });
    }
    Ok(files)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn legacy_files_stand_in_for_templates_that_the_folder_does_not_have() {
        let home = tempfile::tempdir().unwrap();
        let dir = home.path().join("pod-templates");
        assert_eq!(Folder::read_with_legacy(&dir, home.path()), Folder::Missing);
        for (file, template) in LEGACY_FILES {
            let path = home.path().join(file);
            fs::create_dir(path.parent().unwrap()).unwrap();
            fs::write(path, template).unwrap();
        }
        let texts = |folder: Folder| {
            let Folder::Files(files) = folder else { panic!("{folder:?}") };
            files.into_iter().map(|(name, file)| (name, file.text.unwrap())).collect::<Vec<_>>()
        };
        let pair = |name: &str, text: &str| (name.to_owned(), text.to_owned());
        let legacy = ["singleContainer", "terminal", "win64"].map(|name| pair(name, name));
        assert_eq!(texts(Folder::read_with_legacy(&dir, home.path())), legacy);
        fs::create_dir(&dir).unwrap();
        fs::write(dir.join("singleContainer.yaml"), "mounted").unwrap();
        let mounted = [pair("singleContainer", "mounted"), pair("terminal", "terminal"), pair("win64", "win64")];
        assert_eq!(texts(Folder::read_with_legacy(&dir, home.path())), mounted);
    }
}
