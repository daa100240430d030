//! Schemas of the bodies, for the API description, made of the fields as [`super::settings`] declares them.

use super::schema::of_type;
use super::settings::{self, Declared};
use serde_json::json;
use utoipa::openapi::Ref;
use utoipa::openapi::schema::{Object, ObjectBuilder, OneOfBuilder, Type};

/// The schemas of the bodies and of their parts, by name.
pub(crate) fn schemas() -> [(&'static str, Object); 8] {
    [
        ("NewService", new_service()),
        ("ServiceSettings", fields("How a service is to run.", &settings::SERVICE)),
        ("NewInstance", new_instance()),
        ("InstanceSettings", fields("How an instance is to run.", &settings::INSTANCE)),
        ("Artifact", artifact()),
        ("ServiceChange", change()),
        ("CreateEnvService", request(&settings::SERVICE)),
        ("CreateEnvInstance", request(&settings::INSTANCE)),
    ]
}

/// The schema of a request of the CLI: `envName`, `datasource`, and those of `declared` that such a request may have.
fn request(declared: &[&dyn Declared]) -> Object {
    let label = "[A-Za-z0-9]([A-Za-z0-9_.-]{0,61}[A-Za-z0-9])?";
    let env = ObjectBuilder::new()
        .schema_type(Type::String)
        .pattern(Some(format!("^{label}@{label}$")))
        .description(Some("The environment and its version."))
        .examples([json!("weather@1.0.2")]);
    let datasource = of_type(Type::String, "The tag of the second container's image.");
    let schema = ObjectBuilder::new()
        .property("envName", env)
        .required("envName")
        .property("datasource", datasource)
        .examples([json!({"envName": "weather@1.0.2", "owner": "jun"})]);
    let named = declared.iter().filter_map(|field| Some((field.cli()?, field.schema())));
    named.fold(schema, |schema, (name, field)| schema.property(name, field)).build()
}

fn new_service() -> Object {
    environment("An environment as EnvHub describes it, to run as a service.", "ServiceSettings")
        .examples([json!({
            "name": "weather", "version": "1.0.2",
            "artifacts": [{"type": "image", "content": "registry.example.com/aenv/weather:1.0.2"}],
            "deployConfig": {
                "serviceName": "weather-main", "replicas": 2, "port": 9000, "owner": "jun",
                "environment_variables": {"LEVEL": "9"}, "cpuLimit": "2", "memoryLimit": "3Gi"
            }
        })])
        .build()
}

fn new_instance() -> Object {
    environment("An environment as EnvHub describes it, to run as an instance.", "InstanceSettings")
        .required("artifacts")
        .examples([json!({
            "name": "weather", "version": "1.0.2",
            "artifacts": [{"type": "image", "content": "registry.example.com/aenv/weather:1.0.2"}],
            "deployConfig": {
                "ttl": "30m", "owner": "jun", "arguments": ["--fast"], "environment_variables": {"LEVEL": "9"}
            }
        })])
        .build()
}

fn environment(about: &str, settings: &str) -> ObjectBuilder {
    let deploy = OneOfBuilder::new()
        .item(Object::with_type(Type::Null))
        .item(Ref::from_schema_name(settings))
        .description(Some("How it runs. `deploy_config` is taken, too."));
    with_fields(ObjectBuilder::new().description(Some(about)), &settings::ENVIRONMENT)
        .required("name")
        .property("deployConfig", deploy)
}

fn change() -> Object {
    with_fields(ObjectBuilder::new().description(Some("Changes of a service; the rest stays.")), &settings::CHANGE)
        .examples([json!({"replicas": 3, "environment_variables": {"LEVEL": "10"}})])
        .build()
}

fn artifact() -> Object {
    let kind = ObjectBuilder::new()
        .schema_type(Type::String)
        .description(Some("`image`, in upper or lower case; others are passed over."))
        .examples([json!("image")]);
    let content = ObjectBuilder::new()
        .schema_type(Type::String)
        .pattern(Some(r"^[^\s\x00-\x1f\x7f-\x9f]+$"))
        .description(Some("The name of the image."))
        .examples([json!("registry.example.com/aenv/weather:1.0.2")]);
    ObjectBuilder::new()
        .description(Some("A part of an environment."))
        .property("type", kind)
        .required("type")
        .property("content", content)
        .required("content")
        .build()
}

fn fields(about: &str, declared: &[&dyn Declared]) -> Object {
    with_fields(ObjectBuilder::new().description(Some(about)), declared).build()
}

fn with_fields(schema: ObjectBuilder, declared: &[&dyn Declared]) -> ObjectBuilder {
    declared.iter().fold(schema, |schema, field| schema.property(field.name(), field.schema()))
}

#[cfg(test)]
mod tests {
    use super::super::tests::{instance, service, weather, with};
    use super::*;
    use crate::aenv::environment::ServiceChange;
    use crate::aenv::warnings::Warnings;
    use crate::syntax::Faults;
    use serde_json::Value;

    /// Checks that each field is read: a value that no field takes is a fault there, or a warning.
    fn are_read<T>(
        declared: &[&dyn Declared],
        prefix: &str,
        parse: impl Fn(&str, Value) -> Result<(T, Warnings), Faults>,
    ) {
        for field in declared {
            let path = format!("{prefix}{}", field.name());
            let told = match parse(field.name(), json!([[1]])) {
                Ok((_, warnings)) => warnings.iter().collect::<Vec<_>>().join("; "),
                Err(faults) => faults.sentence(),
            };
            assert!(told.contains(&path), "{path} is not read: {told:?}");
        }
    }

    #[test]
    fn every_field_that_is_declared_is_read() {
        let whole = || weather(&json!({}));
        are_read(&settings::ENVIRONMENT, "", |field, value| service(&with(whole(), field, value)));
        are_read(&settings::ENVIRONMENT, "", |field, value| instance(&with(whole(), field, value)));
        are_read(&settings::SERVICE, "deployConfig.", |field, value| service(&weather(&with(json!({}), field, value))));
        are_read(&settings::INSTANCE, "deployConfig.", |field, value| {
            instance(&weather(&with(json!({"resource": "autoscale", "cpu": "1", "memory": "1Gi"}), field, value)))
        });
        are_read(&settings::CHANGE, "", |field, value| {
            ServiceChange::parse(with(json!({}), field, value).to_string().as_bytes())
        });
    }
}
