//! Schemas of single fields, for the API description.
//!
//! A field that is not required may be `null` or empty, which is as good as no field. The schemas say what a field should
//! be; docs/COMPATIBILITY.md shows what else is read, with a warning.

use serde_json::{Value, json};
use utoipa::ToSchema;
use utoipa::openapi::schema::{
    AdditionalProperties, ArrayBuilder, Object, ObjectBuilder, OneOfBuilder, Schema, SchemaType, Type,
};
use utoipa::openapi::{Ref, RefOr};

/// A value of this type, or null.
pub(super) fn of_type(of: Type, about: &str) -> ObjectBuilder {
    ObjectBuilder::new().schema_type(SchemaType::from_iter([of, Type::Null])).description(Some(about))
}

/// A text that `pattern` matches, or null.
pub(super) fn texts_like(pattern: &str, about: &str) -> ObjectBuilder {
    of_type(Type::String, about).pattern(Some(pattern))
}

/// A whole number within bounds, or null.
pub(super) fn integer(least: u32, most: u32, default: Option<u32>, about: &str) -> RefOr<Schema> {
    of_type(Type::Integer, about).minimum(Some(least)).maximum(Some(most)).default(default.map(Value::from)).into()
}

/// Texts by name, or null; a text may be null, too.
pub(super) fn texts_by_name(about: &str) -> RefOr<Schema> {
    let text = ObjectBuilder::new().schema_type(SchemaType::from_iter([Type::String, Type::Null]));
    let text = AdditionalProperties::from(RefOr::T(Schema::from(text.build())));
    of_type(Type::Object, about).additional_properties(Some(text)).into()
}

/// A list of texts, or null.
pub(super) fn texts(about: &str) -> RefOr<Schema> {
    ArrayBuilder::new()
        .schema_type(SchemaType::from_iter([Type::Array, Type::Null]))
        .items(Object::with_type(Type::String))
        .description(Some(about))
        .into()
}

/// A list of the schema that has this name.
pub(super) fn list_of(name: &str, about: &str) -> RefOr<Schema> {
    ArrayBuilder::new().items(Ref::from_schema_name(name)).description(Some(about)).into()
}

/// Any value.
pub(super) fn anything(about: &str, example: &str) -> RefOr<Schema> {
    ObjectBuilder::new().schema_type(SchemaType::AnyValue).description(Some(about)).examples([json!(example)]).into()
}

/// A `T`.
pub(super) fn required<T: ToSchema>(about: &str) -> RefOr<Schema> {
    let mut reference = Ref::from_schema_name(T::name());
    about.clone_into(&mut reference.description);
    reference.into()
}

/// A `T`, or null.
pub(super) fn optional<T: ToSchema>(about: &str) -> RefOr<Schema> {
    OneOfBuilder::new()
        .item(Object::with_type(Type::Null))
        .item(Ref::from_schema_name(T::name()))
        .description(Some(about))
        .into()
}
