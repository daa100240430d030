//! The route table: each path with its methods, their handlers and their descriptions, a row for each path.
//!
//! A route is declared here and nowhere else: `Allow`, the labels of the metrics and `GET /openapi.json` follow from its
//! row. `docs/openapi.json` is the committed description; a test compares the two.

use super::answer::answer_document;
use super::ask::Answer;
use super::error::{ApiError, MIME};
use super::gateway::DELETED;
use super::openapi::operation::{Described, list_of, to};
use super::query::{DeleteQuery, NoQuery, PodsQuery, Query, ServicesQuery};
use super::route::{Route, at};
use super::status::Status as ReplicaStatus;
use super::sweep::SweepQuery;
use super::wait::WaitQuery;
use super::{gateway, openapi, page, pods, services, status, sweep};
use crate::aenv::instances::{Detail, EnvInstance, Item};
use crate::aenv::rows::Rendering;
use crate::aenv::services::{EnvService, ServiceRow};
use crate::aenv::sweep::Swept;
use crate::syntax::ObjectName;
use actix_web::http::StatusCode;
use actix_web::web::{self, ServiceConfig};
use actix_web::{HttpRequest, HttpResponse};
use std::sync::LazyLock;
use utoipa::openapi::path::{Paths, PathsBuilder};
use utoipa::openapi::schema::{Object, ObjectBuilder, Type};
use utoipa::openapi::{ContentBuilder, ResponseBuilder};

/// Names for the examples of the description.
const SERVICE: &str = "weather-main";
const INSTANCE: &str = "weather-3ue90w";

/// The statuses of a failed create, besides those of every operation.
const CREATING: [StatusCode; 3] = [StatusCode::NOT_FOUND, StatusCode::CONFLICT, StatusCode::UNPROCESSABLE_ENTITY];

/// The statuses of a failed change, besides those of every operation.
const CHANGING: [StatusCode; 2] = [StatusCode::CONFLICT, StatusCode::UNPROCESSABLE_ENTITY];

/// Registers the table, and the answer for paths that are not in it.
pub(super) fn routes(config: &mut ServiceConfig) {
    // actix tries one after the other, which is why the lists come first; and a name in a path costs a regular expression.
    let (named, plain): (Vec<_>, Vec<_>) = route_table().into_iter().partition(Route::has_name);
    for route in plain.into_iter().chain(named) {
        config.service(route.into_resource());
    }
    config.default_service(web::to(not_found));
}

/// `GET /openapi.json`. Rendered once, when it is first asked for; the API server is asked nothing.
async fn get_document(request: HttpRequest, _: Query<NoQuery>) -> Answer {
    static RENDERED: LazyLock<Rendering> = LazyLock::new(|| openapi::render(paths()));
    answer_document(&request, &RENDERED, MIME, &[]).await
}

/// The descriptions of all rows.
pub(super) fn paths() -> Paths {
    let described = route_table().into_iter().filter_map(Route::into_description);
    described.fold(PathsBuilder::new(), |paths, (path, item)| paths.path(path, item)).build()
}

async fn not_found() -> Result<HttpResponse, ApiError> {
    Err(ApiError::NoSuchRoute)
}

fn route_table() -> Vec<Route> {
    vec![
        at("/services")
            .get(services::list_services, || {
                Described::read("list_services", "services")
                    .summary("The services, narrowed as the query says")
                    .query::<ServicesQuery>()
                    .answers(StatusCode::OK, "All of them, from lists that were completed.", list_of::<ServiceRow>())
            })
            .post(services::create_service, || {
                Described::write("create_service", "services")
                    .summary("Makes a service of an environment")
                    .about("A Deployment, a Service and, with `storageSize`, a claim: all of them, or none.")
                    .query::<WaitQuery>()
                    .waits()
                    .once_only()
                    .body("NewService")
                    .fails(CREATING)
                    .answers(StatusCode::CREATED, "The service that was made.", to::<ServiceRow>())
            }),
        at("/services/{name}")
            .get(services::get_service, || {
                Described::read("get_service", "services")
                    .summary("One service")
                    .named::<ObjectName>("name", SERVICE)
                    .query::<WaitQuery>()
                    .waits()
                    .answers(StatusCode::OK, "The service.", to::<ServiceRow>())
            })
            .put(services::update_service, || {
                Described::write("update_service", "services")
                    .summary("Changes a service")
                    .named::<ObjectName>("name", SERVICE)
                    .body("ServiceChange")
                    .fails(CHANGING)
                    .answers(StatusCode::OK, "The service, being updated.", to::<ServiceRow>())
            })
            .delete(services::delete_service, || {
                Described::write("delete_service", "services")
                    .summary("Removes a service")
                    .named::<ObjectName>("name", SERVICE)
                    .query::<DeleteQuery>()
                    .fails([StatusCode::CONFLICT])
                    .answers(StatusCode::OK, "It is gone, or was gone already.", only(true))
            }),
        at("/pods")
            .get(pods::list_pods, || {
                Described::read("list_pods", "instances")
                    .summary("The instances, narrowed as the query says")
                    .query::<PodsQuery>()
                    .answers(StatusCode::OK, "All of them, from lists that were completed.", list_of::<Item<'_>>())
            })
            .post(pods::create_pod, || {
                Described::write("create_pod", "instances")
                    .summary("Makes an instance of an environment")
                    .query::<WaitQuery>()
                    .waits()
                    .once_only()
                    .body("NewInstance")
                    .fails(CREATING)
                    .answers(StatusCode::CREATED, "The instance that was made.", to::<Detail<'_>>())
            })
            .delete(sweep::sweep_pods, || {
                Described::write("sweep_pods", "instances")
                    .summary("Removes the instances that the query narrows to")
                    .about("One list, and a delete for each; an instance that has changed since the list stays.")
                    .query::<SweepQuery>()
                    .answers(StatusCode::OK, "The instances that were removed, and those that were not.", to::<Swept>())
            }),
        at("/pods/{name}")
            .get(pods::get_pod, || {
                Described::read("get_pod", "instances")
                    .summary("One instance")
                    .named::<ObjectName>("name", INSTANCE)
                    .query::<WaitQuery>()
                    .waits()
                    .answers(StatusCode::OK, "The instance.", to::<Detail<'_>>())
            })
            .put(sweep::renew_pod, || {
                Described::write("renew_pod", "instances")
                    .summary("Renews the time to live of an instance")
                    .named::<ObjectName>("name", INSTANCE)
                    .body("Renewal")
                    .fails(CHANGING)
                    .answers(StatusCode::OK, "The instance as it is now.", to::<Detail<'_>>())
            })
            .delete(pods::delete_pod, || {
                Described::write("delete_pod", "instances")
                    .summary("Removes an instance")
                    .named::<ObjectName>("name", INSTANCE)
                    .fails([StatusCode::CONFLICT])
                    .answers(StatusCode::OK, "It is gone, or about to go.", only(true))
            }),
        at("/env-service").post(gateway::create_service, || {
            Described::write("create_env_service", "gateway")
                .summary("Makes a service of an environment that EnvHub describes")
                .query::<WaitQuery>()
                .waits()
                .once_only()
                .body("CreateEnvService")
                .fails(CREATING)
                .fails([StatusCode::NOT_IMPLEMENTED])
                .answers(StatusCode::OK, "The service that was made.", to::<EnvService<'_>>())
        }),
        at("/env-service/{env}/list").get(gateway::list_services, || {
            of_env(Described::read("list_env_services", "gateway").summary("The services of an environment"))
                .query::<ServicesQuery>()
                .answers(StatusCode::OK, "All of them, from lists that were completed.", list_of::<EnvService<'_>>())
        }),
        at("/env-service/{id}")
            .get(gateway::get_service, || {
                Described::read("get_env_service", "gateway")
                    .summary("One service")
                    .named::<ObjectName>("id", SERVICE)
                    .query::<WaitQuery>()
                    .waits()
                    .answers(StatusCode::OK, "The service.", to::<EnvService<'_>>())
            })
            .put(gateway::update_service, || {
                Described::write("update_env_service", "gateway")
                    .summary("Changes a service")
                    .named::<ObjectName>("id", SERVICE)
                    .body("ServiceChange")
                    .fails(CHANGING)
                    .answers(StatusCode::OK, "The service, being updated.", to::<EnvService<'_>>())
            })
            .delete(gateway::delete_service, || {
                Described::write("delete_env_service", "gateway")
                    .summary("Removes a service")
                    .named::<ObjectName>("id", SERVICE)
                    .query::<DeleteQuery>()
                    .fails([StatusCode::CONFLICT])
                    .answers(StatusCode::OK, "It is gone, or was gone already.", only(DELETED))
            }),
        at("/env-instance").post(gateway::create_instance, || {
            Described::write("create_env_instance", "gateway")
                .summary("Makes an instance of an environment that EnvHub describes")
                .query::<WaitQuery>()
                .waits()
                .once_only()
                .body("CreateEnvInstance")
                .fails(CREATING)
                .fails([StatusCode::NOT_IMPLEMENTED])
                .answers(StatusCode::OK, "The instance that was made.", to::<EnvInstance<'_>>())
        }),
        at("/env-instance/list").get(gateway::page_instances, || {
            Described::read("page_env_instances", "gateway")
                .summary("The instances of all environments, as an object")
                .query::<PodsQuery>()
                .answers(StatusCode::OK, "All of them, from a list that was completed.", items_of_env_instances())
        }),
        at("/env-instance/{env}/list").get(gateway::list_instances, || {
            of_env(Described::read("list_env_instances", "gateway").summary("The instances of an environment"))
                .query::<PodsQuery>()
                .answers(StatusCode::OK, "All of them, from a list that was completed.", list_of::<EnvInstance<'_>>())
        }),
        at("/env-instance/{id}")
            .get(gateway::get_instance, || {
                Described::read("get_env_instance", "gateway")
                    .summary("One instance")
                    .named::<ObjectName>("id", INSTANCE)
                    .query::<WaitQuery>()
                    .waits()
                    .answers(StatusCode::OK, "The instance.", to::<EnvInstance<'_>>())
            })
            .delete(gateway::delete_instance, || {
                Described::write("delete_env_instance", "gateway")
                    .summary("Removes an instance")
                    .named::<ObjectName>("id", INSTANCE)
                    .fails([StatusCode::CONFLICT])
                    .answers(StatusCode::OK, "It is gone, or about to go.", only(DELETED))
            }),
        at("/").page(page::show_page),
        at("/status").get(status::show_status, || {
            Described::now("get_status", "description")
                .summary("How this replica and the API server get along")
                .about("Known here already: the API server is asked nothing. The page at `/` shows it.")
                .answers(StatusCode::OK, "As it is now.", to::<ReplicaStatus<'_>>())
        }),
        at("/openapi.json").get(get_document, || {
            Described::document("get_document", "description")
                .summary("This description")
                .ends(StatusCode::OK, any_object())
        }),
    ]
}

fn items_of_env_instances() -> ObjectBuilder {
    ObjectBuilder::new().property("items", list_of::<EnvInstance<'_>>()).required("items")
}

fn any_object() -> ResponseBuilder {
    let schema = ObjectBuilder::new().schema_type(Type::Object);
    let content = ContentBuilder::new().schema(Some(schema)).build();
    ResponseBuilder::new().description("OpenAPI 3.1.").content("application/json", content)
}

fn of_env(described: Described) -> Described {
    let label = "[A-Za-z0-9]([A-Za-z0-9_.-]{0,61}[A-Za-z0-9])?";
    let env = ObjectBuilder::new().schema_type(Type::String).pattern(Some(format!("^([*]|{label}(@({label})?)?)$")));
    described.path(
        "env",
        "A name, `name@version`, or `*` for all. What it says wins over the query.",
        env,
        "weather@1.0.2",
    )
}

/// This value and no other.
fn only(value: impl Into<serde_json::Value>) -> Object {
    let value = value.into();
    let of = if value.is_boolean() { Type::Boolean } else { Type::String };
    ObjectBuilder::new().schema_type(of).enum_values(Some([value])).build()
}
