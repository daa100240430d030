//! The envelope around every answer, as the existing clients parse it.

use serde::Serialize;
use utoipa::openapi::schema::{Object, ObjectBuilder, Schema, Type};
use utoipa::openapi::{KnownFormat, RefOr, SchemaFormat};

/// `{"success":…,"code":…,"message":…,"data":…}`; `message` stands in failures only.
#[derive(Debug, Serialize)]
pub(crate) struct Envelope<'a, T> {
    success: bool,
    /// Zero for success, else the HTTP status.
    code: u16,
    #[serde(skip_serializing_if = "Option::is_none")]
    message: Option<&'a str>,
    data: Option<T>,
}

impl<T: Serialize> Envelope<'_, T> {
    /// An answer of success.
    pub(crate) fn success(data: T) -> Self {
        Self { success: true, code: 0, message: None, data: Some(data) }
    }

    /// The JSON text.
    pub(crate) fn to_json(&self) -> Vec<u8> {
        self.to_json_of(128)
    }

    /// The JSON text, of about so many bytes.
    pub(super) fn to_json_of(&self, bytes: usize) -> Vec<u8> {
        let mut json = Vec::with_capacity(bytes);
        serde_json::to_writer(&mut json, self).expect("rows have string keys and their serializers do not fail");
        json
    }
}

impl<'a> Envelope<'a, ()> {
    /// An answer of failure with this HTTP status; `data` is `null`.
    pub(crate) fn failure(code: u16, message: &'a str) -> Self {
        Self { success: false, code, message: Some(message), data: None }
    }
}

/// The schema of an answer of success with this `data`.
pub(crate) fn success_schema(data: impl Into<RefOr<Schema>>) -> Object {
    let zero = ObjectBuilder::new().schema_type(Type::Integer).enum_values(Some([0]));
    with_members(true, zero).property("data", data).required("data").build()
}

/// The schema of an answer of failure.
pub(crate) fn failure_schema() -> Object {
    let status = ObjectBuilder::new()
        .schema_type(Type::Integer)
        .format(Some(SchemaFormat::KnownFormat(KnownFormat::Int32)))
        .description(Some("The HTTP status."));
    let message = ObjectBuilder::new().schema_type(Type::String).description(Some("What is wrong, for people."));
    with_members(false, status)
        .property("message", message)
        .required("message")
        .property("data", Object::with_type(Type::Null))
        .required("data")
        .build()
}

fn with_members(success: bool, code: ObjectBuilder) -> ObjectBuilder {
    let success = ObjectBuilder::new().schema_type(Type::Boolean).enum_values(Some([success]));
    ObjectBuilder::new().property("success", success).required("success").property("code", code).required("code")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn success_and_failure_have_the_recorded_shape() {
        assert_eq!(Envelope::success([1, 2]).to_json(), br#"{"success":true,"code":0,"data":[1,2]}"#);
        assert_eq!(
            Envelope::failure(404, r#"pods "x" not found"#).to_json(),
            br#"{"success":false,"code":404,"message":"pods \"x\" not found","data":null}"#
        );
    }
}
