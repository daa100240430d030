//! The environment of a service or an instance, as answers to the `aenv` CLI and SDK show it.

use serde::Serialize;
use utoipa::ToSchema;
use utoipa::openapi::schema::{Object, Type};

/// Go's zero time, which stands for "not known" in the fields that the CLI's models require.
const NO_TIME: &str = "0001-01-01T00:00:00Z";

/// The environment of a service or an instance, with every field that the CLI's models require. Name and version
/// are what the labels tell; the rest is EnvHub's knowledge and stays empty here.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Environment)]
pub(crate) struct Env<'a> {
    id: &'a str,
    #[schema(example = "weather")]
    name: &'a str,
    description: &'a str,
    #[schema(example = "1.0.2")]
    version: &'a str,
    #[schema(schema_with = null)]
    tags: Option<()>,
    code_url: &'a str,
    status: u8,
    #[schema(schema_with = null)]
    artifacts: Option<()>,
    #[schema(schema_with = null)]
    build_config: Option<()>,
    #[schema(schema_with = null)]
    test_config: Option<()>,
    #[schema(schema_with = null)]
    deploy_config: Option<()>,
    /// Not known: `0001-01-01T00:00:00Z`.
    created_at: &'a str,
    /// Not known: `0001-01-01T00:00:00Z`.
    updated_at: &'a str,
}

fn null() -> Object {
    Object::with_type(Type::Null)
}

impl<'a> Env<'a> {
    /// The environment `name` in this version; either may be empty.
    pub(crate) fn new(name: &'a str, version: &'a str) -> Self {
        Self {
            id: "",
            name,
            description: "",
            version,
            tags: None,
            code_url: "",
            status: 0,
            artifacts: None,
            build_config: None,
            test_config: None,
            deploy_config: None,
            created_at: NO_TIME,
            updated_at: NO_TIME,
        }
    }
}
