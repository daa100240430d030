//! A Kubernetes object of a file's text.

use super::check::Template;
use super::folder::File;
use super::key_path::KeyPath;
use super::yaml::Document;
use crate::syntax::{Fault, Faults};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use serde::de::DeserializeOwned;

/// A misspelt key is not applied: a limit, or a security context, that somebody relies on.
const UNKNOWN_KEY: &str = "is unknown here and ignored, correct or remove it";

/// The object that a file describes, checked and without what only the API server sets, and a warning for each key that
/// is ignored.
pub(super) fn read<T>(file: &File) -> Result<(T, Vec<Fault>), Faults>
where
    T: Template + DeserializeOwned,
{
    let text = file.text.as_ref().map_err(|why| Fault::of_file(&file.path, why))?;
    let document = Document::parse(&file.path, text)?;
    for (key, meant) in [("kind", T::KIND), ("apiVersion", T::API_VERSION)] {
        if let Some(said) = document.text(key).filter(|said| *said != meant) {
            let problem = format!("{said:?} is not what a template of this name has, which is {meant}");
            return Err(document.fault(&KeyPath::of(key), problem).into());
        }
    }
    let (mut object, ignored): (T, _) = document.typed()?;
    let warnings = ignored.iter().map(|key| document.fault(key, UNKNOWN_KEY)).collect();
    let mut faults = Faults::default();
    object.check(&mut |key, problem| faults.push(document.fault(&key, problem)));
    object.drop_status();
    drop_server_set(object.metadata_mut());
    faults.none_or((object, warnings))
}

/// The namespace that a file names whose template is broken otherwise.
pub(super) fn namespace(file: &File) -> Option<String> {
    let document = Document::parse(&file.path, file.text.as_ref().ok()?).ok()?;
    document.text_at(&["metadata", "namespace"]).map(str::to_owned)
}

/// Drops what the API server writes; whoever made a template from a live object left it there.
fn drop_server_set(metadata: &mut ObjectMeta) {
    metadata.creation_timestamp = None;
    metadata.deletion_timestamp = None;
    metadata.generation = None;
    metadata.managed_fields = None;
    metadata.resource_version = None;
    metadata.self_link = None;
    metadata.uid = None;
}
