//! Every route of the route table, method by method.

use super::super::gateway::DELETED;
use super::super::query::{DeleteQuery, PodsQuery, ServicesQuery};
use super::super::status::Status as ReplicaStatus;
use super::operation::{Described, list_of, to};
use crate::aenv::instances::{Detail, EnvInstance, Item};
use crate::aenv::services::{EnvService, ServiceRow};
use crate::syntax::ObjectName;
use actix_web::http::StatusCode;
use utoipa::openapi::path::{HttpMethod, Operation, PathItem, PathItemBuilder, Paths, PathsBuilder};
use utoipa::openapi::schema::{Object, ObjectBuilder, Type};
use utoipa::openapi::{ContentBuilder, ResponseBuilder};

const SERVICE: &str = "weather-main";
const INSTANCE: &str = "weather-3ue90w";

/// What a create may fail with, besides what every operation may.
const CREATING: [StatusCode; 3] = [StatusCode::NOT_FOUND, StatusCode::CONFLICT, StatusCode::UNPROCESSABLE_ENTITY];

/// What a change may fail with, besides what every operation may.
const CHANGING: [StatusCode; 2] = [StatusCode::CONFLICT, StatusCode::UNPROCESSABLE_ENTITY];

pub(super) fn paths() -> Paths {
    use HttpMethod::{Delete, Get, Post, Put};
    let table = [
        ("/openapi.json", item([(Get, get_document())])),
        ("/status", item([(Get, get_status())])),
        ("/services", item([(Get, list_services()), (Post, create_service())])),
        ("/services/{name}", item([(Get, get_service()), (Put, update_service()), (Delete, delete_service())])),
        ("/pods", item([(Get, list_pods()), (Post, create_pod())])),
        ("/pods/{name}", item([(Get, get_pod()), (Delete, delete_pod())])),
        ("/env-service", item([(Post, create_env_service())])),
        ("/env-service/{env}/list", item([(Get, list_env_services())])),
        (
            "/env-service/{id}",
            item([(Get, get_env_service()), (Put, update_env_service()), (Delete, delete_env_service())]),
        ),
        ("/env-instance", item([(Post, create_env_instance())])),
        ("/env-instance/list", item([(Get, page_env_instances())])),
        ("/env-instance/{env}/list", item([(Get, list_env_instances())])),
        ("/env-instance/{id}", item([(Get, get_env_instance()), (Delete, delete_env_instance())])),
    ];
    table.into_iter().fold(PathsBuilder::new(), |paths, (path, item)| paths.path(path, item)).build()
}

fn item<const N: usize>(operations: [(HttpMethod, Operation); N]) -> PathItem {
    let operations = operations.into_iter();
    operations.fold(PathItemBuilder::new(), |item, (method, operation)| item.operation(method, operation)).build()
}

fn get_document() -> Operation {
    let any_object = ObjectBuilder::new().schema_type(Type::Object);
    let content = ContentBuilder::new().schema(Some(any_object)).build();
    Described::document("get_document", "description", "This description")
        .ends(StatusCode::OK, ResponseBuilder::new().description("OpenAPI 3.1.").content("application/json", content))
}

fn get_status() -> Operation {
    Described::now("get_status", "description", "How this replica and the API server get along")
        .about("Known here already: the API server is asked nothing. The page at `/` shows it.")
        .answers(StatusCode::OK, "As it is now.", to::<ReplicaStatus<'_>>())
}

fn list_services() -> Operation {
    Described::read("list_services", "services", "The services, narrowed as the query says")
        .query::<ServicesQuery>()
        .answers(StatusCode::OK, "All of them, from lists that were completed.", list_of::<ServiceRow>())
}

fn get_service() -> Operation {
    Described::read("get_service", "services", "One service").named::<ObjectName>("name", SERVICE).answers(
        StatusCode::OK,
        "The service.",
        to::<ServiceRow>(),
    )
}

fn create_service() -> Operation {
    Described::write("create_service", "services", "Makes a service of an environment")
        .about("A Deployment, a Service and, with `storageSize`, a PersistentVolumeClaim: all of them or none.")
        .body("NewService")
        .fails(CREATING)
        .answers(StatusCode::CREATED, "The service that was made.", to::<ServiceRow>())
}

fn update_service() -> Operation {
    Described::write("update_service", "services", "Changes a service")
        .named::<ObjectName>("name", SERVICE)
        .body("ServiceChange")
        .fails(CHANGING)
        .answers(StatusCode::OK, "The service, being updated.", to::<ServiceRow>())
}

fn delete_service() -> Operation {
    Described::write("delete_service", "services", "Removes a service")
        .named::<ObjectName>("name", SERVICE)
        .query::<DeleteQuery>()
        .fails([StatusCode::CONFLICT])
        .answers(StatusCode::OK, "It is gone, or was gone already.", only(true))
}

fn list_pods() -> Operation {
    Described::read("list_pods", "instances", "The instances, narrowed as the query says").query::<PodsQuery>().answers(
        StatusCode::OK,
        "All of them, from lists that were completed.",
        list_of::<Item<'_>>(),
    )
}

fn get_pod() -> Operation {
    Described::read("get_pod", "instances", "One instance").named::<ObjectName>("name", INSTANCE).answers(
        StatusCode::OK,
        "The instance.",
        to::<Detail<'_>>(),
    )
}

fn create_pod() -> Operation {
    Described::write("create_pod", "instances", "Makes an instance of an environment")
        .body("NewInstance")
        .fails(CREATING)
        .answers(StatusCode::CREATED, "The instance that was made.", to::<Detail<'_>>())
}

fn delete_pod() -> Operation {
    Described::write("delete_pod", "instances", "Removes an instance")
        .named::<ObjectName>("name", INSTANCE)
        .fails([StatusCode::CONFLICT])
        .answers(StatusCode::OK, "It is gone, or about to go.", only(true))
}

fn create_env_service() -> Operation {
    Described::write("create_env_service", "gateway", "Makes a service of an environment that EnvHub describes")
        .body("CreateEnvService")
        .fails(CREATING)
        .fails([StatusCode::NOT_IMPLEMENTED])
        .answers(StatusCode::OK, "The service that was made.", to::<EnvService<'_>>())
}

fn list_env_services() -> Operation {
    of_env(Described::read("list_env_services", "gateway", "The services of an environment"))
        .query::<ServicesQuery>()
        .answers(StatusCode::OK, "All of them, from lists that were completed.", list_of::<EnvService<'_>>())
}

fn get_env_service() -> Operation {
    Described::read("get_env_service", "gateway", "One service").named::<ObjectName>("id", SERVICE).answers(
        StatusCode::OK,
        "The service.",
        to::<EnvService<'_>>(),
    )
}

fn update_env_service() -> Operation {
    Described::write("update_env_service", "gateway", "Changes a service")
        .named::<ObjectName>("id", SERVICE)
        .body("ServiceChange")
        .fails(CHANGING)
        .answers(StatusCode::OK, "The service, being updated.", to::<EnvService<'_>>())
}

fn delete_env_service() -> Operation {
    Described::write("delete_env_service", "gateway", "Removes a service")
        .named::<ObjectName>("id", SERVICE)
        .query::<DeleteQuery>()
        .fails([StatusCode::CONFLICT])
        .answers(StatusCode::OK, "It is gone, or was gone already.", only(DELETED))
}

fn create_env_instance() -> Operation {
    Described::write("create_env_instance", "gateway", "Makes an instance of an environment that EnvHub describes")
        .body("CreateEnvInstance")
        .fails(CREATING)
        .fails([StatusCode::NOT_IMPLEMENTED])
        .answers(StatusCode::OK, "The instance that was made.", to::<EnvInstance<'_>>())
}

fn page_env_instances() -> Operation {
    let page = ObjectBuilder::new().property("items", list_of::<EnvInstance<'_>>()).required("items");
    Described::read("page_env_instances", "gateway", "The instances of all environments, as an object")
        .query::<PodsQuery>()
        .answers(StatusCode::OK, "All of them, from a list that was completed.", page)
}

fn list_env_instances() -> Operation {
    of_env(Described::read("list_env_instances", "gateway", "The instances of an environment"))
        .query::<PodsQuery>()
        .answers(StatusCode::OK, "All of them, from a list that was completed.", list_of::<EnvInstance<'_>>())
}

fn get_env_instance() -> Operation {
    Described::read("get_env_instance", "gateway", "One instance").named::<ObjectName>("id", INSTANCE).answers(
        StatusCode::OK,
        "The instance.",
        to::<EnvInstance<'_>>(),
    )
}

fn delete_env_instance() -> Operation {
    Described::write("delete_env_instance", "gateway", "Removes an instance")
        .named::<ObjectName>("id", INSTANCE)
        .fails([StatusCode::CONFLICT])
        .answers(StatusCode::OK, "It is gone, or about to go.", only(DELETED))
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
