//! The files below `k8s/`, as values: what operators apply is what the tests look at.

use std::{
    fs,
    path::{Path, PathBuf},
};

use serde_json::Value;

/// The folder of the manifests.
pub(crate) fn folder() -> PathBuf {
    repository().join("k8s")
}

/// The top of the repository.
pub(crate) fn repository() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// The object in a file, which is named from [`folder`] on.
pub(crate) fn object(path: &str) -> Value {
    let mut documents = documents(&fs::read_to_string(folder().join(path)).unwrap(), path);
    assert_eq!(documents.len(), 1, "{path}: one object to a file");
    documents.remove(0)
}

/// The documents of a YAML text; `origin` is for the failure.
pub(crate) fn documents(yaml: &str, origin: &str) -> Vec<Value> {
    serde_saphyr::from_multiple(yaml).unwrap_or_else(|error| panic!("{origin}: {error}"))
}

/// Every file below [`folder`] but those of the Helm chart, which are no YAML yet, by its path from there, sorted.
pub(crate) fn files() -> Vec<String> {
    fn collect(folder: &Path, prefix: &str, into: &mut Vec<String>) {
        for entry in fs::read_dir(folder).unwrap().map(Result::unwrap) {
            let path = format!("{prefix}{}", entry.file_name().to_str().unwrap());
            if entry.file_type().unwrap().is_dir() {
                collect(&entry.path(), &format!("{path}/"), into);
            } else {
                into.push(path);
            }
        }
    }
    let mut files = Vec::new();
    collect(&folder(), "", &mut files);
    files.retain(|path| !path.starts_with("chart/"));
    files.sort();
    files
}

/// The value at a JSON pointer, which must be there.
#[track_caller]
pub(crate) fn at<'a>(object: &'a Value, pointer: &str) -> &'a Value {
    object.pointer(pointer).unwrap_or_else(|| panic!("there is no {pointer} in {object:#}"))
}
