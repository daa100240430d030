//! The `scale` of a Deployment: the one number that `kubectl scale` changes, as a document of its own.

use serde_json::{Value, json};

use super::status::{ApiError, FieldError};

/// The scale of a Deployment.
pub(super) fn of_deployment(deployment: &Value) -> Value {
    let metadata = &deployment["metadata"];
    let selector: Vec<String> = deployment["spec"]["selector"]["matchLabels"]
        .as_object()
        .into_iter()
        .flatten()
        .map(|(key, value)| format!("{key}={}", value.as_str().unwrap_or_default()))
        .collect();
    json!({
        "kind": "Scale",
        "apiVersion": "autoscaling/v1",
        "metadata": {
            "name": metadata["name"],
            "namespace": metadata["namespace"],
            "uid": metadata["uid"],
            "resourceVersion": metadata["resourceVersion"],
            "creationTimestamp": metadata["creationTimestamp"],
        },
        "spec": {"replicas": deployment["spec"]["replicas"]},
        "status": {
            "replicas": deployment["status"]["replicas"].as_u64().unwrap_or_default(),
            "selector": selector.join(","),
        },
    })
}

/// The number of replicas that a scale asks for; none means zero.
///
/// # Errors
/// 422 for a negative number or none at all.
pub(super) fn replicas(name: &str, scale: &Value) -> Result<Value, ApiError> {
    match scale["spec"]["replicas"].as_i64() {
        Some(replicas) if replicas >= 0 => Ok(json!(replicas)),
        None if scale["spec"]["replicas"].is_null() => Ok(json!(0)),
        given => {
            let why = "must be greater than or equal to 0";
            let error = FieldError::invalid("spec.replicas", given.unwrap_or_default(), why);
            Err(ApiError::invalid_document("Scale", "autoscaling", name, &[error]))
        }
    }
}
