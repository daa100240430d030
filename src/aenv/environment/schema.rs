//! The bodies as callers write them, for the API description. [`ServiceSpec`](super::ServiceSpec) and its like are what
//! is left of a body once it has been read; these types say which fields there are, and what each may be. A test holds
//! them to what is read.
//!
//! Not said here, but true of every field that is not required: `null` and the empty text are as good as no field.

use crate::syntax::Quantity;
use crate::syntax::{LabelValue, ObjectName, TemplateName};
use serde_json::Value;
use std::collections::BTreeMap;
use utoipa::ToSchema;

/// An environment as EnvHub describes it, to run as a service.
#[derive(ToSchema)]
#[schema(as = NewService, example = json!({
    "name": "weather", "version": "1.0.2",
    "artifacts": [{"type": "image", "content": "registry.example.com/aenv/weather:1.0.2"}],
    "deployConfig": {
        "serviceName": "weather-main", "replicas": 2, "port": 9000, "owner": "jun",
        "environment_variables": {"LEVEL": "9"}, "cpuLimit": "2", "memoryLimit": "3Gi"
    }
}))]
pub struct ServiceBody {
    /// The environment's name.
    pub name: LabelValue,
    /// The environment's version.
    pub version: Option<LabelValue>,
    /// What runs: the first of type `image` does.
    #[schema(min_items = 1)]
    pub artifacts: Vec<Artifact>,
    /// How it runs. `deploy_config` is taken, too.
    #[schema(rename = "deployConfig")]
    pub deploy_config: Option<ServiceSettings>,
}

/// An environment as EnvHub describes it, to run as an instance.
#[derive(ToSchema)]
#[schema(as = NewInstance, example = json!({
    "name": "weather", "version": "1.0.2",
    "artifacts": [{"type": "image", "content": "registry.example.com/aenv/weather:1.0.2"}],
    "deployConfig": {"ttl": "30m", "owner": "jun", "arguments": ["--fast"], "environment_variables": {"LEVEL": "9"}}
}))]
pub struct InstanceBody {
    /// The environment's name.
    pub name: LabelValue,
    /// The environment's version.
    pub version: Option<LabelValue>,
    /// What runs: the first of type `image` does.
    #[schema(min_items = 1)]
    pub artifacts: Vec<Artifact>,
    /// How it runs. `deploy_config` is taken, too.
    #[schema(rename = "deployConfig")]
    pub deploy_config: Option<InstanceSettings>,
}

/// Something that an environment is made of.
#[derive(ToSchema)]
pub struct Artifact {
    /// `image`, in upper or lower case; others are passed over.
    #[schema(example = "image")]
    pub r#type: String,
    /// The name of the image.
    #[schema(pattern = r"^[^\s\x00-\x1f\x7f-\x9f]+$", example = "registry.example.com/aenv/weather:1.0.2")]
    pub content: String,
}

/// How a service is to run.
#[derive(ToSchema)]
#[schema(rename_all = "camelCase")]
pub struct ServiceSettings {
    /// Its name; made up if it is not given.
    #[schema(pattern = "^[a-z]([a-z0-9-]*[a-z0-9])?$", max_length = 63, example = "weather-main")]
    pub service_name: Option<String>,
    /// Who it belongs to.
    pub owner: Option<LabelValue>,
    /// How many pods. With `storageSize` there can be but one.
    #[schema(minimum = 0, maximum = 150_000, default = 1)]
    pub replicas: Option<i32>,
    /// The port of its Service, and of its pods.
    #[schema(minimum = 1, maximum = 65_535, default = 8080)]
    pub port: Option<u16>,
    /// For every container, by name.
    #[schema(rename = "environment_variables")]
    pub environment_variables: Option<BTreeMap<String, Option<String>>>,
    /// Processor time that is set aside; `1` if it is not given.
    pub cpu_request: Option<Quantity>,
    /// Processor time that is not exceeded; no less than the request; `1` if it is not given.
    pub cpu_limit: Option<Quantity>,
    /// Memory that is set aside; `2Gi` if it is not given.
    pub memory_request: Option<Quantity>,
    /// Memory that is not exceeded; no less than the request; `2Gi` if it is not given.
    pub memory_limit: Option<Quantity>,
    /// Disk space, gone with the pod, that is set aside; `10Gi` if it is not given.
    pub ephemeral_storage_request: Option<Quantity>,
    /// Disk space that is not exceeded; no less than the request; `10Gi` if it is not given.
    pub ephemeral_storage_limit: Option<Quantity>,
    /// The size of a claim that outlives the pods, above zero; there is none if it is not given.
    pub storage_size: Option<Quantity>,
    /// The name of the claim; the environment's if it is not given. One that exists is used as it is.
    pub pvc_name: Option<ObjectName>,
    /// Where the claim is mounted.
    #[schema(pattern = r"^/[^:\x00-\x1f\x7f-\x9f]*$", default = "/home/admin/data")]
    pub mount_path: Option<String>,
}

/// How an instance is to run.
#[derive(ToSchema)]
#[schema(rename_all = "camelCase")]
pub struct InstanceSettings {
    /// Who it belongs to.
    pub owner: Option<LabelValue>,
    /// How long it may live, a Go duration above zero; for ever if it is not given.
    #[schema(
        pattern = "^[0-9]+([.][0-9]*)?(ns|us|ms|s|m|h)(([0-9]+([.][0-9]*)?|[.][0-9]+)(ns|us|ms|s|m|h))*$",
        max_length = 63,
        example = "30m"
    )]
    pub ttl: Option<String>,
    /// Which pod it is made from; `singleContainer` if it is not given.
    pub pod_template: Option<TemplateName>,
    /// The image of the second container.
    #[schema(pattern = r"^[^\s\x00-\x1f\x7f-\x9f]+$")]
    pub second_image_name: Option<String>,
    /// What every container's arguments end with.
    pub arguments: Option<Vec<String>>,
    /// For every container, by name.
    #[schema(rename = "environment_variables")]
    pub environment_variables: Option<BTreeMap<String, Option<String>>>,
    /// `autoscale`: `cpu` and `memory` are quantities, and replace the template's resources. Otherwise nobody reads them.
    #[schema(example = "autoscale")]
    pub resource: Option<String>,
    /// Processor time of each container.
    #[schema(example = "500m")]
    pub cpu: Option<Value>,
    /// Memory of each container.
    #[schema(example = "1Gi")]
    pub memory: Option<Value>,
    /// Further labels of the pod. Keys of Kubernetes and of AEnvironment are reserved.
    pub labels: Option<BTreeMap<String, Option<String>>>,
}

/// What is to change about a service; at least one of these.
#[derive(ToSchema)]
#[schema(as = ServiceChange, example = json!({"replicas": 3, "environment_variables": {"LEVEL": "10"}}))]
pub struct ChangeBody {
    /// How many pods.
    #[schema(minimum = 0, maximum = 150_000)]
    pub replicas: Option<i32>,
    /// The image of every container.
    #[schema(pattern = r"^[^\s\x00-\x1f\x7f-\x9f]+$")]
    pub image: Option<String>,
    /// Variables that every container gets, or gets with another value. The others stay.
    pub environment_variables: Option<BTreeMap<String, Option<String>>>,
}

#[cfg(test)]
mod tests {
    use super::super::tests::{instance, service, weather, with};
    use super::*;
    use crate::aenv::environment::{Fault, Faults, ServiceChange};
    use serde_json::{json, to_value};
    use utoipa::PartialSchema;

    /// The fields that are described of `T`.
    fn fields<T: PartialSchema>() -> Vec<String> {
        to_value(T::schema()).unwrap()["properties"].as_object().unwrap().keys().cloned().collect()
    }

    /// Checks that each field is read: what is no value of any is a fault there.
    fn are_read(fields: &[String], prefix: &str, parse: impl Fn(&str, Value) -> Option<Faults>) {
        for field in fields {
            let faults = parse(field, json!([[1]])).unwrap_or_else(|| panic!("{prefix}{field} is not read"));
            let told = |fault: &Fault| fault.field().is_some_and(|told| told.starts_with(&format!("{prefix}{field}")));
            assert!(faults.iter().any(told), "{prefix}{field}: {faults}");
        }
    }

    #[test]
    fn every_field_that_is_described_is_read() {
        let whole = || weather(&json!({}));
        are_read(&fields::<ServiceBody>(), "", |field, value| service(&with(whole(), field, value)).err());
        are_read(&fields::<InstanceBody>(), "", |field, value| instance(&with(whole(), field, value)).err());
        are_read(&fields::<ServiceSettings>(), "deployConfig.", |field, value| {
            service(&weather(&with(json!({}), field, value))).err()
        });
        are_read(&fields::<InstanceSettings>(), "deployConfig.", |field, value| {
            instance(&weather(&with(json!({"resource": "autoscale"}), field, value))).err()
        });
        are_read(&fields::<ChangeBody>(), "", |field, value| {
            ServiceChange::parse(with(json!({}), field, value).to_string().as_bytes()).err()
        });
    }
}
