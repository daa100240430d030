//! A request to create a service or an instance of an environment, as the CLI and the SDK send it.
//!
//! It names the environment and overrides some of its deploy settings. What it says is checked before EnvHub is
//! asked; what EnvHub adds is checked when it is there. Faults name the fields as the caller spelled them.

use crate::aenv::environment::{Faults, InstanceSettings, ServiceSettings, cut, read_object};
use crate::syntax::LabelValue;
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;
use utoipa::PartialSchema;
use utoipa::openapi::RefOr;
use utoipa::openapi::schema::{Object, ObjectBuilder, Schema, SchemaType, Type};

/// What the deploy settings of an environment stand under.
const DEPLOY_CONFIG: &str = "deployConfig";

/// The image that a datasource becomes a tag of, if the environment names no other (`imagePrefix`).
const DATASOURCE_IMAGE: &str = "docker.io/library/aenv";

/// Which fields a request may have, and the deploy setting that each overrides.
#[derive(Debug, Clone, Copy)]
pub struct Kind(&'static [(&'static str, &'static str)]);

/// `POST /env-service`.
pub const SERVICE: Kind = Kind(&[
    ("service_name", "serviceName"),
    ("replicas", "replicas"),
    ("environment_variables", "environment_variables"),
    ("owner", "owner"),
    ("pvc_name", "pvcName"),
    ("mount_path", "mountPath"),
    ("storage_size", "storageSize"),
    ("port", "port"),
    ("cpu_request", "cpuRequest"),
    ("cpu_limit", "cpuLimit"),
    ("memory_request", "memoryRequest"),
    ("memory_limit", "memoryLimit"),
    ("ephemeral_storage_request", "ephemeralStorageRequest"),
    ("ephemeral_storage_limit", "ephemeralStorageLimit"),
]);

/// `POST /env-instance`.
pub const INSTANCE: Kind = Kind(&[
    ("environment_variables", "environment_variables"),
    ("arguments", "arguments"),
    ("ttl", "ttl"),
    ("owner", "owner"),
    ("labels", "labels"),
]);

/// The settings that are compared with each other: what is asked for, and what it must not exceed.
const AMOUNTS: [[&str; 2]; 3] = [
    ["cpuRequest", "cpuLimit"],
    ["memoryRequest", "memoryLimit"],
    ["ephemeralStorageRequest", "ephemeralStorageLimit"],
];

/// The greatest quantity.
const ENDLESS: &str = "9223372036854775807";

impl Kind {
    /// The schema of a request of this kind: of each field that of the setting which it overrides.
    #[must_use]
    pub fn schema(self) -> Object {
        let [of_services, of_instances] = [ServiceSettings::schema(), InstanceSettings::schema()].map(properties);
        let label = "[A-Za-z0-9]([A-Za-z0-9_.-]{0,61}[A-Za-z0-9])?";
        let env = ObjectBuilder::new()
            .schema_type(Type::String)
            .pattern(Some(format!("^{label}@{label}$")))
            .description(Some("The environment and its version."))
            .examples([json!("weather@1.0.2")]);
        let datasource = ObjectBuilder::new()
            .schema_type(SchemaType::from_iter([Type::String, Type::Null]))
            .description(Some("What becomes the tag of the second container's image."));
        let mut schema = ObjectBuilder::new()
            .property("envName", env)
            .required("envName")
            .property("datasource", datasource)
            .examples([json!({"envName": "weather@1.0.2", "owner": "jun"})]);
        for (theirs, ours) in self.0 {
            if let Some(setting) = of_services.get(*ours).or_else(|| of_instances.get(*ours)) {
                schema = schema.property(*theirs, setting.clone());
            }
        }
        schema.build()
    }
}

fn properties(schema: RefOr<Schema>) -> BTreeMap<String, RefOr<Schema>> {
    match schema {
        RefOr::T(Schema::Object(object)) => object.properties,
        RefOr::T(_) | RefOr::Ref(_) => BTreeMap::new(),
    }
}

/// Which environment, and with which settings.
#[derive(Debug)]
pub struct CreateRequest {
    kind: Kind,
    /// The environment's name.
    pub name: LabelValue,
    /// Its version.
    pub version: LabelValue,
    settings: Map<String, Value>,
    datasource: Option<String>,
}

impl CreateRequest {
    /// Reads the body of a request of `kind`. Fields that it does not know are ignored; those that are `null` or
    /// empty say nothing.
    ///
    /// # Errors
    /// What is wrong with the body as such and with `envName`; the settings are those of [`CreateRequest::alone`] to check.
    pub fn parse(kind: Kind, body: &[u8]) -> Result<Self, String> {
        let mut fields = read_object(body).map_err(|faults| faults.to_string())?;
        let env = fields.remove("envName").unwrap_or_default();
        let wrong = || "envName: an environment with its version is needed, as in weather@1.0.2".to_owned();
        let (name, version) = env.as_str().and_then(|env| env.split_once('@')).ok_or_else(wrong)?;
        let label = |text| LabelValue::new(text).map_err(|why| format!("envName: \"{}\" {why}", cut(text)));
        let says_something = |value: &Value| !(value.is_null() || value == "" || *value == json!({}));
        let settings = kind.0.iter().filter_map(|(theirs, ours)| {
            let value = fields.remove(*theirs).filter(says_something)?;
            Some(((*ours).to_owned(), value))
        });
        let settings = settings.collect();
        let datasource = match fields.remove("datasource").filter(says_something) {
            None => None,
            Some(Value::String(datasource)) => Some(datasource),
            Some(_) => return Err("datasource: a text is needed".to_owned()),
        };
        Ok(Self { kind, name: label(name)?, version: label(version)?, settings, datasource })
    }

    /// An environment of which nothing is known but what this request says, to check that alone. What the request does
    /// not say of an amount is left open: the environment may say what fits.
    #[must_use]
    pub fn alone(&self) -> Vec<u8> {
        let image = json!([{"type": "image", "content": "unknown"}]);
        let open = AMOUNTS.iter().flat_map(|[request, limit]| [(request, "0"), (limit, ENDLESS)]);
        let open: Map<_, _> = open.map(|(setting, amount)| ((*setting).to_owned(), amount.into())).collect();
        self.applied_to(Map::from_iter([("artifacts".to_owned(), image), (DEPLOY_CONFIG.to_owned(), open.into())]))
    }

    /// The environment that `description` describes, with the settings of this request: the body of a create.
    #[must_use]
    pub fn applied_to(&self, mut description: Map<String, Value>) -> Vec<u8> {
        description.insert("name".to_owned(), self.name.as_str().into());
        description.insert("version".to_owned(), self.version.as_str().into());
        let described = ["deployConfig", "deploy_config"].into_iter().find_map(|key| match description.remove(key) {
            Some(Value::Object(settings)) => Some(settings),
            _ => None,
        });
        let mut settings = described.unwrap_or_default();
        if let Some(datasource) = &self.datasource {
            let prefix = settings.get("imagePrefix").and_then(Value::as_str).unwrap_or(DATASOURCE_IMAGE);
            settings.insert("secondImageName".to_owned(), format!("{prefix}:{datasource}").into());
        }
        settings.extend(self.settings.clone());
        description.insert(DEPLOY_CONFIG.to_owned(), Value::Object(settings));
        Value::Object(description).to_string().into_bytes()
    }

    /// The faults of an environment that this request was applied to, with the fields named as in the request.
    #[must_use]
    pub fn in_its_words(&self, faults: Faults) -> Faults {
        faults.renamed(|field| {
            if matches!(field, "name" | "version") {
                return Some("envName".to_owned());
            }
            let (setting, rest) = field.strip_prefix(DEPLOY_CONFIG)?.strip_prefix('.').map(split_first)?;
            if setting == "secondImageName" && self.datasource.is_some() {
                return Some("datasource".to_owned());
            }
            let (theirs, _) = self.kind.0.iter().find(|(_, ours)| *ours == setting)?;
            self.settings.contains_key(setting).then(|| format!("{theirs}{rest}"))
        })
    }
}

/// The first step of a path such as `labels.team`, and what follows it.
fn split_first(path: &str) -> (&str, &str) {
    path.find(['.', '[']).map_or((path, ""), |at| path.split_at(at))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::aenv::environment::ServiceSpec;

    fn request(body: &Value) -> CreateRequest {
        CreateRequest::parse(SERVICE, body.to_string().as_bytes()).unwrap()
    }

    #[test]
    fn a_request_overrides_what_the_environment_says() {
        let request =
            request(&json!({"envName": "weather@1.0.2", "replicas": 2, "owner": "jun", "port": null, "cpu_limit": ""}));
        let description = json!({
            "name": "other", "artifacts": [{"type": "image", "content": "i:1"}],
            "deploy_config": {"replicas": 1, "cpuLimit": "2", "owner": "kim"}
        });
        let Value::Object(description) = description else { unreachable!() };
        let applied: Value = serde_json::from_slice(&request.applied_to(description)).unwrap();
        assert_eq!((&applied["name"], &applied["version"]), (&json!("weather"), &json!("1.0.2")));
        assert_eq!(applied["deployConfig"], json!({"replicas": 2, "cpuLimit": "2", "owner": "jun"}));
        assert!(ServiceSpec::parse(&request.alone()).is_ok());
    }

    #[test]
    fn faults_speak_of_the_fields_that_the_caller_wrote() {
        let request = request(&json!({"envName": "weather@1", "cpu_limit": "lots", "mount_path": "here"}));
        let faults = request.in_its_words(ServiceSpec::parse(&request.alone()).unwrap_err()).to_string();
        assert!(faults.contains("cpu_limit: ") && faults.contains("mount_path: "), "{faults}");
        assert!(!faults.contains("deployConfig"), "{faults}");
    }

    #[test]
    fn an_amount_alone_may_fit_what_the_environment_says() {
        for amount in [json!({"cpu_limit": "700m"}), json!({"memory_request": "64Gi"})] {
            let mut body = json!({"envName": "weather@1"});
            body.as_object_mut().unwrap().extend(amount.as_object().unwrap().clone());
            assert_eq!(ServiceSpec::parse(&request(&body).alone()).err(), None, "{body}");
        }
        let body = json!({"envName": "weather@1", "cpu_limit": "700m", "cpu_request": "2"});
        let request = request(&body);
        let faults = request.in_its_words(ServiceSpec::parse(&request.alone()).unwrap_err()).to_string();
        assert!(faults.starts_with("cpu_request: 2 is more than "), "{faults}");
    }

    #[test]
    fn every_field_of_a_request_is_described() {
        for kind in [SERVICE, INSTANCE] {
            let described = kind.schema().properties;
            assert!(kind.0.iter().all(|(theirs, _)| described.contains_key(*theirs)), "{:?}", kind.0);
            assert_eq!(described.len(), kind.0.len() + 2);
        }
    }

    #[test]
    fn an_environment_without_a_version_is_refused() {
        for body in [
            json!({}),
            json!({"envName": "weather"}),
            json!({"envName": 1}),
            json!({"envName": "@1"}),
            json!({"envName": "a@b@c"}),
        ] {
            let refused = CreateRequest::parse(SERVICE, body.to_string().as_bytes()).unwrap_err();
            assert!(refused.starts_with("envName: "), "{refused}");
        }
        assert!(CreateRequest::parse(SERVICE, b"[1").unwrap_err().starts_with("Invalid request body: "));
    }
}
