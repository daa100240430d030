//! Deletion: the options of a DELETE, and the answers to it.

use jiff::Timestamp;
use serde::Deserialize;
use serde_json::{Value, json};

use super::identity;
use super::resource::Resource;
use super::server_fields::CLAIM_PROTECTION;
use super::status::{ApiError, about};

/// The body of a DELETE.
#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(super) struct DeleteOptions {
    dry_run: Vec<String>,
    preconditions: Preconditions,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct Preconditions {
    uid: Option<String>,
    resource_version: Option<String>,
}

impl DeleteOptions {
    /// # Errors
    /// 500 for what cannot be read, as the API server does it.
    pub(super) fn parse(body: &[u8]) -> Result<Self, ApiError> {
        if body.is_empty() {
            return Ok(Self::default());
        }
        serde_json::from_slice(body)
            .map_err(|error| ApiError::internal(format!("couldn't get version/kind; json parse error: {error}")))
    }

    pub(super) fn is_dry_run(&self) -> bool {
        self.dry_run.iter().any(|dry_run| dry_run == "All")
    }

    /// # Errors
    /// 409 if the object is not the one that was meant.
    pub(super) fn check(&self, resource: Resource, name: &str, document: &Value) -> Result<(), ApiError> {
        self.preconditions.check(resource, name, document)
    }
}

impl Preconditions {
    fn check(&self, resource: Resource, name: &str, document: &Value) -> Result<(), ApiError> {
        for (what, asked, member) in
            [("UID", &self.uid, "uid"), ("ResourceVersion", &self.resource_version, "resourceVersion")]
        {
            let present = document["metadata"][member].as_str().unwrap_or_default();
            if let Some(asked) = asked.as_deref().filter(|asked| *asked != present) {
                let cause = format!(
                    "the {what} in the precondition ({asked}) does not match the {what} in record ({present}). The object might have been deleted and then recreated"
                );
                return Err(ApiError::conflict(resource, name, &cause));
            }
        }
        Ok(())
    }
}

/// Marks a document as being deleted. On a cluster (`managed`) the protection of a claim that nobody uses is
/// taken off by a controller.
pub(super) fn mark(document: &mut Value, managed: bool, now: Timestamp) {
    let metadata = &mut document["metadata"];
    if managed && let Some(finalizers) = metadata.get_mut("finalizers").and_then(Value::as_array_mut) {
        finalizers.retain(|finalizer| finalizer != CLAIM_PROTECTION);
    }
    if metadata.get("deletionTimestamp").is_none() {
        metadata["deletionTimestamp"] = json!(identity::whole_seconds(now));
        metadata["deletionGracePeriodSeconds"] = json!(0);
    }
}

/// The answer where the object itself is not the answer.
pub(super) fn success(resource: Resource, document: &Value) -> Value {
    let metadata = &document["metadata"];
    let mut details = about(resource.plural(), resource.group(), metadata["name"].as_str().unwrap_or_default());
    details["uid"] = metadata["uid"].clone();
    json!({"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Success", "details": details})
}
