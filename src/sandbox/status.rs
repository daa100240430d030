//! Failures in the API server's words: the `Status` document, and the field errors inside a 422.
//!
//! The controller passes these messages on to its users, so they are spelled exactly as kube-apiserver
//! spells them.

use serde_json::{Value, json};

use super::resource::{Resource, with_group};

/// The API server's message for an expired continue token.
pub(super) const CONTINUE_TOO_OLD: &str = "The provided continue parameter is too old to display a consistent list result. You can start a new list without the continue parameter, or use the continue token in this response to retrieve the remainder of the results. Continuing with the provided token results in an inconsistent list - objects that were created, modified, or deleted between the time the first chunk was returned and now may show up in the list.";

/// A failed call.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct ApiError {
    pub(super) code: u16,
    reason: Option<String>,
    message: String,
    details: Option<Value>,
    continue_token: Option<String>,
}

impl ApiError {
    pub(super) fn new(code: u16, reason: &str, message: impl Into<String>) -> Self {
        Self {
            code,
            reason: Some(reason.to_owned()).filter(|reason| !reason.is_empty()),
            message: message.into(),
            details: None,
            continue_token: None,
        }
    }

    fn with_details(mut self, details: Value) -> Self {
        self.details = Some(details);
        self
    }

    pub(super) fn bad_request(message: impl Into<String>) -> Self {
        Self::new(400, "BadRequest", message)
    }

    /// Failure beneath the API server: 500 without a reason.
    pub(super) fn internal(message: impl Into<String>) -> Self {
        Self::new(500, "", message)
    }

    pub(super) fn not_found(resource: Resource, name: &str) -> Self {
        Self::new(404, "NotFound", format!("{} \"{name}\" not found", resource.qualified())).with_details(about(
            resource.plural(),
            resource.group(),
            name,
        ))
    }

    /// Failure of a request as such, not of an object.
    pub(super) fn unspecific(code: u16, reason: &str, message: &str) -> Self {
        Self::new(code, reason, message).with_details(json!({}))
    }

    pub(super) fn no_such_path() -> Self {
        Self::unspecific(404, "NotFound", "the server could not find the requested resource")
    }

    pub(super) fn method_not_allowed(message: &str) -> Self {
        Self::unspecific(405, "MethodNotAllowed", message)
    }

    pub(super) fn already_exists(resource: Resource, name: &str) -> Self {
        Self::new(409, "AlreadyExists", format!("{} \"{name}\" already exists", resource.qualified()))
            .with_details(about(resource.plural(), resource.group(), name))
    }

    pub(super) fn conflict(resource: Resource, name: &str, cause: &str) -> Self {
        Self::new(
            409,
            "Conflict",
            format!("Operation cannot be fulfilled on {} \"{name}\": {cause}", resource.qualified()),
        )
        .with_details(about(resource.plural(), resource.group(), name))
    }

    /// A continue token or a revision from before the last compaction. With a `restart` token the caller
    /// may go on from the same place, on newer data.
    pub(super) fn expired(message: &str, restart: Option<String>) -> Self {
        Self { continue_token: restart, ..Self::new(410, "Expired", message) }
    }

    pub(super) fn too_large(limit: usize) -> Self {
        Self::new(413, "RequestEntityTooLarge", format!("Request entity too large: limit is {limit}"))
    }

    pub(super) fn unsupported_media_type(message: &str) -> Self {
        Self::new(415, "UnsupportedMediaType", message)
    }

    pub(super) fn invalid(resource: Resource, name: &str, errors: &[FieldError]) -> Self {
        Self::invalid_document(resource.kind(), resource.group(), name, errors)
    }

    pub(super) fn invalid_document(kind: &str, group: &str, name: &str, errors: &[FieldError]) -> Self {
        let qualified = with_group(kind, group);
        let causes: Vec<Value> = errors
            .iter()
            .map(|error| json!({"reason": error.reason, "message": error.message, "field": error.field}))
            .collect();
        let mut list =
            errors.iter().map(|error| format!("{}: {}", error.field, error.message)).collect::<Vec<_>>().join(", ");
        if errors.len() > 1 {
            list = format!("[{list}]");
        }
        let mut details = about(kind, group, name);
        details["causes"] = Value::Array(causes);
        Self::new(422, "Invalid", format!("{qualified} \"{name}\" is invalid: {list}")).with_details(details)
    }

    /// A resource version from the future.
    pub(super) fn version_too_large(asked: u64, current: u64) -> Self {
        let message = format!("Timeout: Too large resource version: {asked}, current: {current}");
        Self::new(504, "Timeout", message).with_details(json!({
            "causes": [{"reason": "ResourceVersionTooLarge", "message": "Too large resource version"}],
            "retryAfterSeconds": 1,
        }))
    }

    /// An answer that a fault asks for: the reason belongs to the code unless it is given.
    pub(super) fn injected(code: u16, reason: Option<&str>) -> Self {
        let (usual, message) = match code {
            400 => ("BadRequest", "the server rejected our request for an unknown reason"),
            401 => ("Unauthorized", "Unauthorized"),
            403 => ("Forbidden", "forbidden: the sandbox was told to refuse this"),
            404 => ("NotFound", "the server could not find the requested resource"),
            409 => ("Conflict", "the server reported a conflict"),
            410 => ("Expired", CONTINUE_TOO_OLD),
            500 => ("InternalError", "Internal error occurred: the sandbox was told to fail"),
            503 => ("ServiceUnavailable", "the server is currently unable to handle the request"),
            504 => ("Timeout", "Timeout: request did not complete within the allotted timeout"),
            _ => ("", "the sandbox was told to answer this"),
        };
        Self::new(code, reason.unwrap_or(usual), message)
    }

    /// The `Status` document.
    pub(super) fn to_document(&self) -> Value {
        let mut document = json!({
            "kind": "Status",
            "apiVersion": "v1",
            "metadata": {},
            "status": "Failure",
            "message": self.message,
            "code": self.code,
        });
        if let Some(reason) = &self.reason {
            document["reason"] = json!(reason);
        }
        if let Some(details) = &self.details {
            document["details"] = details.clone();
        }
        if let Some(token) = &self.continue_token {
            document["metadata"]["continue"] = json!(token);
        }
        document
    }
}

/// The `details` of a Status: what it is about. Empty parts are left out, as the API server does.
pub(super) fn about(kind: &str, group: &str, name: &str) -> Value {
    let mut details = json!({"kind": kind});
    for (key, value) in [("group", group), ("name", name)] {
        if !value.is_empty() {
            details[key] = json!(value);
        }
    }
    details
}

/// One refused field.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct FieldError {
    reason: &'static str,
    field: String,
    message: String,
}

impl FieldError {
    /// `value` as Go's `%#v` prints it: a string in quotes.
    pub(super) fn invalid(field: impl Into<String>, value: impl std::fmt::Debug, why: impl AsRef<str>) -> Self {
        Self::new("FieldValueInvalid", field, format!("Invalid value: {value:?}: {}", why.as_ref()))
    }

    /// `why` may be empty.
    pub(super) fn required(field: impl Into<String>, why: &str) -> Self {
        let separator = if why.is_empty() { "" } else { ": " };
        Self::new("FieldValueRequired", field, format!("Required value{separator}{why}"))
    }

    pub(super) fn unsupported(field: impl Into<String>, value: &str, supported: &[&str]) -> Self {
        let supported: Vec<String> = supported.iter().map(|word| format!("{word:?}")).collect();
        let message = format!("Unsupported value: {value:?}: supported values: {}", supported.join(", "));
        Self::new("FieldValueNotSupported", field, message)
    }

    pub(super) fn forbidden(field: impl Into<String>, why: &str) -> Self {
        Self::new("FieldValueForbidden", field, format!("Forbidden: {why}"))
    }

    pub(super) fn duplicate(field: impl Into<String>, value: &str) -> Self {
        Self::new("FieldValueDuplicate", field, format!("Duplicate value: {value:?}"))
    }

    pub(super) fn not_found(field: impl Into<String>, value: &str) -> Self {
        Self::new("FieldValueNotFound", field, format!("Not found: {value:?}"))
    }

    fn new(reason: &'static str, field: impl Into<String>, message: String) -> Self {
        Self { reason, field: field.into(), message }
    }
}
