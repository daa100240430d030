//! Schemas of checked words: the texts that [`crate::syntax`] takes, as patterns for callers.

use crate::syntax::Quantity;
use crate::syntax::{LabelValue, ObjectName, Phase, TemplateName};
use utoipa::openapi::RefOr;
use utoipa::openapi::schema::{ObjectBuilder, Schema, Type};
use utoipa::{PartialSchema, ToSchema};

/// A text that `pattern` matches.
fn word(pattern: &str) -> ObjectBuilder {
    ObjectBuilder::new().schema_type(Type::String).pattern(Some(pattern))
}

impl PartialSchema for LabelValue {
    fn schema() -> RefOr<Schema> {
        word("^[A-Za-z0-9]([A-Za-z0-9_.-]*[A-Za-z0-9])?$")
            .max_length(Some(63))
            .description(Some("The value of a Kubernetes label."))
            .into()
    }
}

impl ToSchema for LabelValue {}

impl PartialSchema for ObjectName {
    fn schema() -> RefOr<Schema> {
        word("^[a-z0-9]([a-z0-9-]*[a-z0-9])?([.][a-z0-9]([a-z0-9-]*[a-z0-9])?)*$")
            .max_length(Some(253))
            .description(Some("The name of a Kubernetes object: a DNS-1123 subdomain."))
            .into()
    }
}

impl ToSchema for ObjectName {}

impl PartialSchema for TemplateName {
    fn schema() -> RefOr<Schema> {
        word("^[A-Za-z0-9][A-Za-z0-9_.-]*$")
            .max_length(Some(63))
            .description(Some("The name of a pod template."))
            .into()
    }
}

impl ToSchema for TemplateName {}

impl PartialSchema for Quantity {
    fn schema() -> RefOr<Schema> {
        // What exceeds 2^63-1 is none either, which is no matter of a pattern.
        word("^[+]?([0-9]+([.][0-9]*)?|[.][0-9]+)([numkMGTPE]|[KMGTPE]i|[eE][+-]?[0-9]+)?$")
            .description(Some("An amount as Kubernetes writes it, such as `500m` or `2Gi`; not negative."))
            .into()
    }
}

impl ToSchema for Quantity {}

impl PartialSchema for Phase {
    fn schema() -> RefOr<Schema> {
        ObjectBuilder::new().schema_type(Type::String).enum_values(Some(Self::ALL.map(Self::as_str))).into()
    }
}

impl ToSchema for Phase {}

#[cfg(test)]
mod tests {
    use super::*;
    use jsonschema::Validator;
    use proptest::prelude::*;
    use serde_json::{json, to_value};

    fn validator<T: PartialSchema>() -> Validator {
        jsonschema::validator_for(&to_value(T::schema()).unwrap()).unwrap()
    }

    #[test]
    fn a_word_is_described_as_what_is_taken() {
        let (label, name, template) =
            (validator::<LabelValue>(), validator::<ObjectName>(), validator::<TemplateName>());
        proptest!(|(text in "[A-Za-z0-9._/ -]{0,6}|[a-z0-9.-]{0,8}|[a-z0-9]{62,65}|[a-z0-9]{252,255}")| {
            let text = text.as_str();
            prop_assert_eq!(label.is_valid(&json!(text)), LabelValue::new(text).is_ok());
            prop_assert_eq!(name.is_valid(&json!(text)), ObjectName::new(text).is_ok());
            prop_assert_eq!(template.is_valid(&json!(text)), TemplateName::new(text).is_ok());
        });
    }

    #[test]
    fn a_quantity_is_described_as_what_is_taken() {
        let quantity = validator::<Quantity>();
        proptest!(|(text in "[+]?[0-9.]{0,3}([a-zA-DF-Z]i?|[eE][+-]?[0-9])?")| {
            prop_assert_eq!(quantity.is_valid(&json!(text)), Quantity::parse(&text).is_some());
        });
    }
}
