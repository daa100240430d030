//! Object version: one state of one object, for deletes and patches that must not meet another.
//!
//! Kubernetes checks `uid` and `resourceVersion` where it stores the change, and answers 409 if either is different
//! (<https://kubernetes.io/docs/reference/kubernetes-api/common-definitions/delete-options/>).

use super::client::{Cluster, built};
use super::error::Error;
use super::resource::Resource;
use super::write::Deleted;
use crate::call::{Call, Operation};
use crate::syntax::ObjectName;
use kube::api::{DeleteParams, Patch, PatchParams, Preconditions};
use serde::de::DeserializeOwned;
use serde_json::Value;

/// The state of an object when it was read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ObjectVersion {
    /// Its uid: another object of the same name has another one.
    pub uid: String,
    /// Its resourceVersion: the same object has another one after each change.
    pub resource_version: String,
}

impl Cluster {
    /// Deletes the object `name` if it is still in the state `version`.
    ///
    /// # Errors
    /// [`Error`]; 409 if it has been changed or replaced.
    pub(crate) async fn delete_version(
        &self,
        resource: Resource,
        name: &ObjectName,
        version: &ObjectVersion,
        call: &Call,
    ) -> Result<Deleted, Error> {
        let ObjectVersion { uid, resource_version } = version.clone();
        let preconditions = Preconditions { uid: Some(uid), resource_version: Some(resource_version) };
        let params = DeleteParams { preconditions: Some(preconditions), ..DeleteParams::default() };
        self.delete_if(resource, name, &params, call).await
    }

    /// Applies a JSON merge patch (RFC 7386) to the object `name`.
    ///
    /// A patch that names `metadata.uid` is refused with 409 if the name is another object's by now. The patch must
    /// mean the same if it is applied twice: it is tried again after an answer that was lost.
    pub(crate) async fn merge_patch<T: DeserializeOwned>(
        &self,
        resource: Resource,
        name: &ObjectName,
        patch: &Value,
        call: &Call,
    ) -> Result<T, Error> {
        let operation = Operation { verb: "patch", resource: resource.plural() };
        let attempt = || async {
            let patch = Patch::Merge(patch);
            let request = self.requests(resource).patch(name.as_str(), &PatchParams::default(), &patch);
            self.attempt(operation, built(request)?, call).await
        };
        let stored = self.retries.run(call, attempt).await?;
        serde_json::from_slice(&stored).map_err(Error::not_json)
    }
}
