//! Request bodies: from bytes to a document in which every field has its type.
//!
//! Each document takes a turn through the typed object, as in the API server: unknown fields fall away and
//! a field of the wrong type is a 400.

use k8s_openapi::api::apps::v1::Deployment;
use k8s_openapi::api::core::v1::{Namespace, PersistentVolumeClaim, Pod, Service};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use super::resource::Resource;
use super::status::ApiError;
use super::validation;

const ACCEPTED: &str =
    "the body of the request was in an unknown format - accepted media types include: application/json";

/// A document of type `resource` from a request body.
///
/// # Errors
/// 415 for another media type, 400 for what is not JSON or not of that type.
pub(super) fn document(resource: Resource, media_type: &str, body: &[u8]) -> Result<Value, ApiError> {
    if !matches!(media_type, "" | "application/json") {
        return Err(ApiError::unsupported_media_type(ACCEPTED));
    }
    let value = json_object(body).map_err(|why| {
        ApiError::bad_request(format!(
            "the object provided is unrecognized (must be of type {}): couldn't get version/kind; json parse error: {why}",
            resource.kind()
        ))
    })?;
    typed(resource, value)
}

/// A JSON object, or in words why it is none.
pub(super) fn json_object(body: &[u8]) -> Result<Value, String> {
    if body.is_empty() {
        return Err("unexpected end of JSON input (<empty>)".to_owned());
    }
    match serde_json::from_slice::<Value>(body) {
        Ok(value) if value.is_object() => Ok(value),
        Ok(_) => Err("json: cannot unmarshal into Go value of type struct".to_owned()),
        Err(error) => Err(format!("{error} ({})", String::from_utf8_lossy(&body[..body.len().min(64)]))),
    }
}

/// The document as its type allows it to be.
///
/// # Errors
/// 400 for another kind or version, and for a field of the wrong type.
pub(super) fn typed(resource: Resource, mut value: Value) -> Result<Value, ApiError> {
    let kind = resource.kind();
    let word = |member: &str| value[member].as_str().unwrap_or_default().to_owned();
    let (given_version, given_kind) = (word("apiVersion"), word("kind"));
    let version = given_version.rsplit('/').next().unwrap_or_default();
    if !given_kind.is_empty() && given_kind != kind {
        return Err(ApiError::bad_request(format!(
            "{given_kind} in version {version:?} cannot be handled as a {kind}: converting ({version}.{given_kind}) to ({}.{kind}): unknown conversion",
            if resource.group().is_empty() { "core" } else { resource.group() }
        )));
    }
    if !given_version.is_empty() && given_version != resource.api_version() {
        return Err(ApiError::bad_request(format!(
            "the API version in the data ({given_version}) does not match the expected API version ({})",
            resource.api_version()
        )));
    }
    value["apiVersion"] = json!(resource.api_version());
    value["kind"] = json!(kind);
    let checked = match resource {
        Resource::Deployments => round_trip::<Deployment>(value),
        Resource::Services => round_trip::<Service>(value),
        Resource::Pods => round_trip::<Pod>(value),
        Resource::PersistentVolumeClaims => round_trip::<PersistentVolumeClaim>(value),
        Resource::Namespaces => round_trip::<Namespace>(value),
    };
    let mut value = checked.map_err(|why| {
        ApiError::bad_request(format!("{kind} in version \"v1\" cannot be handled as a {kind}: {why}"))
    })?;
    if validation::has_unreadable_quantity(&value) {
        return Err(ApiError::bad_request(format!(
            "{kind} in version \"v1\" cannot be handled as a {kind}: quantities must match the regular expression '^([+-]?[0-9.]+)([eEinumkKMGTP]*[-+]?[0-9]*)$'"
        )));
    }
    drop_empty(&mut value, "");
    Ok(value)
}

fn round_trip<T: DeserializeOwned + Serialize>(value: Value) -> serde_json::Result<Value> {
    serde_json::to_value(serde_json::from_value::<T>(value)?)
}

/// Leaves out what Go's `omitempty` leaves out: nulls, empty strings and lists, and zero counts in a status.
/// Strings stay where the empty one means something.
fn drop_empty(value: &mut Value, under: &str) {
    match value {
        Value::Object(members) => {
            let keeps_strings = matches!(under, "labels" | "annotations" | "matchLabels" | "nodeSelector" | "selector");
            members.retain(|key, value| {
                drop_empty(value, key);
                match value {
                    Value::Null => false,
                    Value::String(text) => !text.is_empty() || keeps_strings || key == "storageClassName",
                    Value::Array(items) => !items.is_empty(),
                    Value::Number(number) => under != "status" || number.as_u64() != Some(0),
                    Value::Object(inner) => {
                        !inner.is_empty()
                            || !matches!(
                                key.as_str(),
                                "labels" | "annotations" | "matchLabels" | "nodeSelector" | "limits" | "requests"
                            )
                    }
                    Value::Bool(_) => true,
                }
            });
        }
        Value::Array(items) => items.iter_mut().for_each(|item| drop_empty(item, under)),
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn unknown_and_empty_fields_fall_away_but_meaningful_empty_ones_stay() {
        let body = br#"{"metadata":{"name":"p","labels":{"a":""}},"spec":{"zork":1,"volumes":[],"containers":[{"name":"c","args":[""],"env":[{"name":"A","value":""}]}]}}"#;
        let document = document(Resource::Pods, "application/json", body).unwrap();
        assert_eq!(document["spec"], json!({"containers": [{"name": "c", "args": [""], "env": [{"name": "A"}]}]}));
        assert_eq!(document["metadata"]["labels"], json!({"a": ""}));
    }

    #[test]
    fn documents_of_another_type_are_bad_requests() {
        for body in [
            "",
            "{bad",
            "[]",
            r#"{"kind":"Service"}"#,
            r#"{"apiVersion":"v2"}"#,
            r#"{"metadata":{"name":3}}"#,
            r#"{"metadata":{"labels":{"a":1}}}"#,
            r#"{"spec":{"containers":{}}}"#,
        ] {
            let error = document(Resource::Pods, "", body.as_bytes()).unwrap_err();
            assert_eq!(error.code, 400, "{body}");
        }
        assert_eq!(document(Resource::Pods, "text/html", b"{}").unwrap_err().code, 415);
    }
}
