//! The environment in an answer.

use serde::Serialize;

/// Go's zero time, which stands for "not known" in the fields that the CLI's models require.
const NO_TIME: &str = "0001-01-01T00:00:00Z";

/// The environment of a service or an instance, with every field that the CLI's models require. Name and version
/// are what the labels tell; the rest is EnvHub's knowledge and stays empty here.
#[derive(Debug, Serialize)]
pub struct Env<'a> {
    id: &'a str,
    name: &'a str,
    description: &'a str,
    version: &'a str,
    tags: Option<()>,
    code_url: &'a str,
    status: u8,
    artifacts: Option<()>,
    build_config: Option<()>,
    test_config: Option<()>,
    deploy_config: Option<()>,
    created_at: &'a str,
    updated_at: &'a str,
}

impl<'a> Env<'a> {
    /// The environment `name` in this version; either may be empty.
    #[must_use]
    pub fn new(name: &'a str, version: &'a str) -> Self {
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
