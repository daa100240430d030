//! The API description, OpenAPI 3.1, at `GET /openapi.json`.
//!
//! The route table holds the description of each route, made with `operation`; `failures` describes the answers that
//! many routes share. Schemas are those of the types themselves.

mod failures;
pub(super) mod operation;
#[cfg(test)]
mod tests;

use super::status::Status as ReplicaStatus;
use super::sweep::Renewal;
use crate::aenv::environment::schemas;
use crate::aenv::gateway::Env;
use crate::aenv::instances::{Detail, EnvInstance, Item, Particulars, Rfc3339};
use crate::aenv::rows::Rendering;
use crate::aenv::services::{EnvService, ServiceRow, Status};
use crate::aenv::sweep::{Kept, Removed, Swept};
use crate::syntax::Quantity;
use crate::syntax::{LabelValue, ObjectName, Phase, TemplateName};
use operation::TOKEN;
use utoipa::openapi::path::Paths;
use utoipa::openapi::security::{Http, HttpAuthScheme, SecurityScheme};
use utoipa::openapi::tag::{Tag, TagBuilder};
use utoipa::openapi::{Components, ComponentsBuilder, InfoBuilder, License, OpenApi, OpenApiBuilder};

const ABOUT: &str = "\
Turns HTTP requests into Kubernetes objects: an environment service is a Deployment with a Service, an environment \
instance is a Pod. Answers are kept for seconds; each tells its age and where it came from. Success is \
`{\"success\":true,\"code\":0,\"data\":…}`; a failure carries the HTTP status as `code`, and a `message`. Query \
parameters that an operation does not know are ignored; an empty value is as good as none. What is ignored or read \
leniently is told in `Warning` headers (`299 - \"…\"`).";

/// The description of the API that has these `paths`, rendered.
pub(super) fn render(paths: Paths) -> Rendering {
    Rendering::document(serde_json::to_vec(&document(paths)).expect("the description is made of strings and numbers"))
}

fn document(paths: Paths) -> OpenApi {
    let info = InfoBuilder::new()
        .title("AEnvironment controller")
        .version(env!("CARGO_PKG_VERSION"))
        .description(Some(ABOUT))
        .license(Some(License::new("Apache-2.0")));
    OpenApiBuilder::new().info(info).tags(Some(tags())).paths(paths).components(Some(components())).build()
}

fn tags() -> [Tag; 4] {
    [
        ("services", "Environment services, for `api-service`."),
        ("instances", "Environment instances, for `api-service`."),
        ("gateway", "The same for the `aenv` CLI and SDK."),
        ("description", "This description, and how the replica that answers it does."),
    ]
    .map(|(name, about)| TagBuilder::new().name(name).description(Some(about)).build())
}

fn components() -> Components {
    let token = Http::builder()
        .scheme(HttpAuthScheme::Bearer)
        .description(Some("Needed if `auth.tokens_file` is set. A token may `read`, or `read` and `write`."))
        .build();
    let components = ComponentsBuilder::new()
        .security_scheme(TOKEN, SecurityScheme::Http(token))
        .schema_from::<ReplicaStatus<'_>>()
        .schema_from::<ServiceRow>()
        .schema_from::<Status>()
        .schema_from::<EnvService<'_>>()
        .schema_from::<Item<'_>>()
        .schema_from::<Detail<'_>>()
        .schema_from::<EnvInstance<'_>>()
        .schema_from::<Particulars<'_>>()
        .schema_from::<Rfc3339>()
        .schema_from::<Env<'_>>()
        .schema_from::<LabelValue>()
        .schema_from::<ObjectName>()
        .schema_from::<TemplateName>()
        .schema_from::<Quantity>()
        .schema_from::<Phase>()
        .schema_from::<Renewal>()
        .schema_from::<Swept>()
        .schema_from::<Removed>()
        .schema_from::<Kept>();
    let components = schemas().into_iter().fold(components, |all, (name, schema)| all.schema(name, schema));
    failures::add_to(components).build()
}
