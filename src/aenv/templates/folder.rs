//! The files of a folder of templates.

use crate::reload::read_text;
use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::fs;
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};

/// Where kubelet keeps the files of a mounted ConfigMap: the mount's own files are links through this link, which is
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
    /// Where it is.
    pub(super) path: PathBuf,
    /// What is in it, or why that is not known.
    pub(super) text: Result<String, String>,
}

impl Folder {
    /// Reads `*.yaml` of `dir`, but no hidden files.
    pub(super) fn read(dir: &Path) -> Self {
        match files(dir) {
            Ok(files) => Self::Files(files),
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
