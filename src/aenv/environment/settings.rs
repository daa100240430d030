//! Fields of bodies, each declared once: its name, the rule that reads it, its schema, and its name in the CLI's requests.
//!
//! The parsers ask for a field by its declaration, and the API description is made of the same declarations.

use super::field::Field;
use super::rules;
use super::schema::{anything, integer, list_of, of_type, optional, required, texts, texts_by_name, texts_like};
use crate::aenv::warnings::Warnings;
use crate::syntax::{Faults, LabelValue, ObjectName, Quantity, TemplateName};
use serde_json::json;
use std::collections::BTreeMap;
use utoipa::openapi::RefOr;
use utoipa::openapi::schema::{Schema, Type};

/// A function that reads a field, or says what is wrong with it.
pub(super) type Rule<T> = for<'a> fn(&Field<'a>, &mut Warnings) -> Result<T, Faults>;

/// A field whose value is a `T`.
pub(super) struct Setting<T> {
    pub(super) name: &'static str,
    /// Its name in a request of the CLI; `None`: such a request does not have it.
    pub(super) cli: Option<&'static str>,
    pub(super) rule: Rule<T>,
    pub(super) schema: fn() -> RefOr<Schema>,
}

/// Declaration without the type of the value.
pub(super) trait Declared {
    fn name(&self) -> &'static str;
    fn cli(&self) -> Option<&'static str>;
    fn schema(&self) -> RefOr<Schema>;
}

impl<T> Declared for Setting<T> {
    fn name(&self) -> &'static str {
        self.name
    }

    fn cli(&self) -> Option<&'static str> {
        self.cli
    }

    fn schema(&self) -> RefOr<Schema> {
        (self.schema)()
    }
}

/// Pattern of an image's name.
const IMAGE_PATTERN: &str = r"^[^\s\x00-\x1f\x7f-\x9f]+$";

/// Pattern of a Go duration above zero.
const TTL_PATTERN: &str = "^[0-9]+([.][0-9]*)?(ns|us|ms|s|m|h)(([0-9]+([.][0-9]*)?|[.][0-9]+)(ns|us|ms|s|m|h))*$";

pub(super) const NAME: Setting<LabelValue> = Setting {
    name: "name",
    cli: None,
    rule: rules::label_value,
    schema: || required::<LabelValue>("The environment's name."),
};

pub(super) const VERSION: Setting<LabelValue> = Setting {
    name: "version",
    cli: None,
    rule: rules::label_value,
    schema: || optional::<LabelValue>("The environment's version."),
};

/// `None`: there is no image among them.
pub(super) const ARTIFACTS: Setting<Option<String>> = Setting {
    name: "artifacts",
    cli: None,
    rule: rules::image_artifact,
    schema: || list_of("Artifact", "The environment's parts: the first of type `image` is run."),
};

pub(super) const SERVICE_NAME: Setting<ObjectName> = Setting {
    name: "serviceName",
    cli: Some("service_name"),
    rule: rules::service_name,
    schema: || {
        texts_like("^[a-z]([a-z0-9-]*[a-z0-9])?$", "Its name; generated if it is not given.")
            .max_length(Some(63))
            .examples([json!("weather-main")])
            .into()
    },
};

pub(super) const OWNER: Setting<LabelValue> = Setting {
    name: "owner",
    cli: Some("owner"),
    rule: rules::label_value,
    schema: || optional::<LabelValue>("The person or team that it belongs to."),
};

pub(super) const REPLICAS: Setting<i32> = Setting {
    name: "replicas",
    cli: Some("replicas"),
    rule: rules::replicas,
    schema: || integer(0, 150_000, Some(1), "How many pods. With `storageSize` there can be but one."),
};

/// `None`: the template's.
pub(super) const PORT: Setting<Option<u16>> = Setting {
    name: "port",
    cli: Some("port"),
    rule: rules::port,
    schema: || integer(1, 65_535, Some(8080), "The port of its Service, and of its pods."),
};

pub(super) const VARIABLES: Setting<BTreeMap<String, String>> = Setting {
    name: "environment_variables",
    cli: Some("environment_variables"),
    rule: rules::variables,
    schema: || {
        texts_by_name(&format!(
            "Environment variables of every container, by name; at most {} of {} bytes in all.",
            rules::MAX_VARIABLES,
            rules::MAX_VARIABLES_BYTES
        ))
    },
};

/// `None` for all amounts: the template's.
pub(super) const CPU_REQUEST: Setting<Option<Quantity>> = Setting {
    name: "cpuRequest",
    cli: Some("cpu_request"),
    rule: rules::quantity,
    schema: || optional::<Quantity>("CPU that is set aside; `1` if it is not given."),
};

pub(super) const CPU_LIMIT: Setting<Option<Quantity>> = Setting {
    name: "cpuLimit",
    cli: Some("cpu_limit"),
    rule: rules::quantity,
    schema: || optional::<Quantity>("CPU limit, no less than the request; `1` if it is not given."),
};

pub(super) const MEMORY_REQUEST: Setting<Option<Quantity>> = Setting {
    name: "memoryRequest",
    cli: Some("memory_request"),
    rule: rules::quantity,
    schema: || optional::<Quantity>("Memory that is set aside; `2Gi` if it is not given."),
};

pub(super) const MEMORY_LIMIT: Setting<Option<Quantity>> = Setting {
    name: "memoryLimit",
    cli: Some("memory_limit"),
    rule: rules::quantity,
    schema: || optional::<Quantity>("Memory limit, no less than the request; `2Gi` if it is not given."),
};

pub(super) const EPHEMERAL_STORAGE_REQUEST: Setting<Option<Quantity>> = Setting {
    name: "ephemeralStorageRequest",
    cli: Some("ephemeral_storage_request"),
    rule: rules::quantity,
    schema: || optional::<Quantity>("Disk space, gone with the pod, that is set aside; `10Gi` if it is not given."),
};

pub(super) const EPHEMERAL_STORAGE_LIMIT: Setting<Option<Quantity>> = Setting {
    name: "ephemeralStorageLimit",
    cli: Some("ephemeral_storage_limit"),
    rule: rules::quantity,
    schema: || optional::<Quantity>("Disk space limit, no less than the request; `10Gi` if it is not given."),
};

pub(super) const STORAGE_SIZE: Setting<Option<Quantity>> = Setting {
    name: "storageSize",
    cli: Some("storage_size"),
    rule: rules::storage_size,
    schema: || {
        optional::<Quantity>(
            "The size of a claim that outlives the pods, above zero; there is no claim if it is not given.",
        )
    },
};

pub(super) const CLAIM_NAME: Setting<ObjectName> = Setting {
    name: "pvcName",
    cli: Some("pvc_name"),
    rule: rules::object_name,
    schema: || {
        optional::<ObjectName>(
            "The name of the claim; the environment's if it is not given. A claim that exists is used as it is.",
        )
    },
};

pub(super) const MOUNT_PATH: Setting<String> = Setting {
    name: "mountPath",
    cli: Some("mount_path"),
    rule: rules::mount_path,
    schema: || {
        texts_like(r"^/[^:\x00-\x1f\x7f-\x9f]*$", "Where the claim is mounted.")
            .default(Some("/home/admin/data".into()))
            .into()
    },
};

pub(super) const TTL: Setting<LabelValue> = Setting {
    name: "ttl",
    cli: Some("ttl"),
    rule: rules::ttl,
    schema: || {
        texts_like(TTL_PATTERN, "Time to live, a Go duration above zero; it lives for ever if none is given.")
            .max_length(Some(63))
            .examples([json!("30m")])
            .into()
    },
};

pub(super) const POD_TEMPLATE: Setting<TemplateName> = Setting {
    name: "podTemplate",
    cli: None,
    rule: rules::template_name,
    schema: || optional::<TemplateName>("The template of its pod; `singleContainer` if it is not given."),
};

pub(super) const SECOND_IMAGE: Setting<String> = Setting {
    name: "secondImageName",
    cli: None,
    rule: rules::image,
    schema: || texts_like(IMAGE_PATTERN, "The image of the second container.").into(),
};

pub(super) const ARGUMENTS: Setting<Vec<String>> = Setting {
    name: "arguments",
    cli: Some("arguments"),
    rule: rules::arguments,
    schema: || {
        let about = format!(
            "Arguments that are appended to those of every container; at most {} of {} bytes in all.",
            rules::MAX_ARGUMENTS,
            rules::MAX_ARGUMENTS_BYTES
        );
        texts(&about)
    },
};

pub(super) const RESOURCE: Setting<String> = Setting {
    name: "resource",
    cli: None,
    rule: rules::resource,
    schema: || {
        let about = "`autoscale`: `cpu` and `memory` are quantities and replace the template's resources. Anything \
                     else: they are ignored.";
        of_type(Type::String, about).examples([json!("autoscale")]).into()
    },
};

pub(super) const CPU: Setting<Option<Quantity>> =
    Setting { name: "cpu", cli: None, rule: rules::quantity, schema: || anything("CPU of each container.", "500m") };

pub(super) const MEMORY: Setting<Option<Quantity>> = Setting {
    name: "memory",
    cli: None,
    rule: rules::quantity,
    schema: || anything("Memory of each container.", "1Gi"),
};

pub(super) const LABELS: Setting<BTreeMap<String, String>> = Setting {
    name: "labels",
    cli: Some("labels"),
    rule: rules::labels,
    schema: || {
        texts_by_name(&format!(
            "Labels of the caller's own; at most {} of {} bytes in all. One that Kubernetes would not take as a label, or \
             whose key is reserved, is kept in an annotation.",
            rules::MAX_LABELS,
            rules::MAX_LABELS_BYTES
        ))
    },
};

pub(super) const IMAGE: Setting<String> = Setting {
    name: "image",
    cli: None,
    rule: rules::image,
    schema: || texts_like(IMAGE_PATTERN, "The image of every container.").into(),
};

/// The fields of every create besides its deploy settings.
pub(super) const ENVIRONMENT: [&dyn Declared; 3] = [&NAME, &VERSION, &ARTIFACTS];

/// The deploy settings of a service.
pub(super) const SERVICE: [&dyn Declared; 15] = [
    &SERVICE_NAME,
    &OWNER,
    &REPLICAS,
    &PORT,
    &VARIABLES,
    &CPU_REQUEST,
    &CPU_LIMIT,
    &MEMORY_REQUEST,
    &MEMORY_LIMIT,
    &EPHEMERAL_STORAGE_REQUEST,
    &EPHEMERAL_STORAGE_LIMIT,
    &STORAGE_SIZE,
    &CLAIM_NAME,
    &MOUNT_PATH,
    &LABELS,
];

/// The deploy settings of an instance.
pub(super) const INSTANCE: [&dyn Declared; 10] =
    [&OWNER, &TTL, &POD_TEMPLATE, &SECOND_IMAGE, &ARGUMENTS, &VARIABLES, &RESOURCE, &CPU, &MEMORY, &LABELS];

/// The fields of a change of a service.
pub(super) const CHANGE: [&dyn Declared; 3] = [&REPLICAS, &IMAGE, &VARIABLES];
