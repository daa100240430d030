//! Validation, whose faults the API server answers with 422, for the fields that this project writes.

use std::collections::BTreeSet;
use std::fmt;

use serde_json::Value;

use crate::syntax::Quantity;

use super::names::{self, Complaints};
use super::resource::Resource;
use super::status::FieldError;

type Errors = Vec<FieldError>;

/// Everything that is wrong with a new document.
pub(super) fn of_new(resource: Resource, document: &Value) -> Errors {
    let metadata = &document["metadata"];
    let name = text(&metadata["name"]);
    if name.is_empty() {
        return vec![FieldError::required("metadata.name", "name or generateName is required")];
    }
    let mut errors = Vec::new();
    let complaints = match resource {
        Resource::Services => names::dns_1035_label(name),
        Resource::Namespaces => names::dns_label(name),
        _ => names::subdomain(name),
    };
    complain(&mut errors, "metadata.name", name, complaints);
    labels(&mut errors, "metadata.labels", &metadata["labels"]);
    keys(&mut errors, "metadata.annotations", &metadata["annotations"]);
    let spec = &document["spec"];
    match resource {
        Resource::Deployments => deployment_spec(&mut errors, spec),
        Resource::Pods => pod_spec(&mut errors, "spec", spec, &["Always", "OnFailure", "Never"]),
        Resource::Services => service_spec(&mut errors, spec),
        Resource::PersistentVolumeClaims => claim_spec(&mut errors, spec),
        Resource::Namespaces => {}
    }
    errors
}

/// Everything that is wrong with `new` as a replacement of `old`.
pub(super) fn of_update(resource: Resource, old: &Value, new: &Value) -> Errors {
    let mut errors = of_new(resource, new);
    let (before, after) = (&old["spec"], &new["spec"]);
    match resource {
        Resource::Deployments if before["selector"] != after["selector"] => {
            let selector = GoSelector(&after["selector"]["matchLabels"]);
            errors.push(FieldError::invalid("spec.selector", selector, "field is immutable"));
        }
        Resource::Pods if fixed_part(before) != fixed_part(after) => errors.push(FieldError::forbidden(
            "spec",
            "pod updates may not change fields other than `spec.containers[*].image`, `spec.initContainers[*].image`, `spec.activeDeadlineSeconds` or `spec.tolerations` (only additions to existing tolerations)",
        )),
        Resource::Services if before["clusterIPs"] != after["clusterIPs"] => {
            let why = match &after["clusterIPs"] {
                Value::Null => "primary clusterIP can not be unset",
                _ => "may not change once set",
            };
            errors.push(FieldError::invalid("spec.clusterIPs[0]", GoStrings(&after["clusterIPs"]), why));
        }
        Resource::PersistentVolumeClaims if before != after => errors.push(FieldError::forbidden(
            "spec",
            "spec is immutable after creation except resources.requests for bound claims",
        )),
        _ => {}
    }
    errors
}

/// Everything that is wrong with a status that is written by hand.
pub(super) fn of_status(resource: Resource, document: &Value) -> Errors {
    let mut errors = Vec::new();
    if resource != Resource::Deployments {
        return errors;
    }
    let count = |name: &str| document["status"][name].as_i64().unwrap_or_default();
    for name in ["updatedReplicas", "readyReplicas", "availableReplicas"] {
        if count(name) > count("replicas") {
            let why = "cannot be greater than status.replicas";
            errors.push(FieldError::invalid(format!("status.{name}"), count(name), why));
        }
    }
    if count("availableReplicas") > count("readyReplicas") {
        let why = "cannot be greater than readyReplicas";
        errors.push(FieldError::invalid("status.availableReplicas", count("availableReplicas"), why));
    }
    errors
}

fn deployment_spec(errors: &mut Errors, spec: &Value) {
    let replicas = spec["replicas"].as_i64().unwrap_or_default();
    if replicas < 0 {
        errors.push(FieldError::invalid("spec.replicas", replicas, "must be greater than or equal to 0"));
    }
    let selector = &spec["selector"];
    let has_selector = selector.as_object().is_some_and(|selector| !selector.is_empty());
    if !has_selector {
        errors.push(FieldError::required("spec.selector", ""));
    }
    let given = &spec["template"]["metadata"]["labels"];
    let matching = selector["matchLabels"].as_object().into_iter().flatten().all(|(key, value)| given[key] == *value);
    if !has_selector || !matching {
        errors.push(FieldError::invalid(
            "spec.template.metadata.labels",
            GoMap(given),
            "`selector` does not match template `labels`",
        ));
    }
    labels(errors, "spec.template.labels", given);
    pod_spec(errors, "spec.template.spec", &spec["template"]["spec"], &["Always"]);
}

fn pod_spec(errors: &mut Errors, at: &str, spec: &Value, restart_policies: &[&str]) {
    let mut volumes = BTreeSet::new();
    for (number, volume) in list(&spec["volumes"]).enumerate() {
        let name = text(&volume["name"]);
        container_name(errors, &format!("{at}.volumes[{number}].name"), name);
        if !volumes.insert(name) {
            errors.push(FieldError::duplicate(format!("{at}.volumes[{number}].name"), name));
        }
    }
    if list(&spec["containers"]).next().is_none() {
        errors.push(FieldError::required(format!("{at}.containers"), ""));
    }
    let mut seen = BTreeSet::new();
    for (number, container) in list(&spec["containers"]).enumerate() {
        let at = format!("{at}.containers[{number}]");
        let name = text(&container["name"]);
        container_name(errors, &format!("{at}.name"), name);
        if !name.is_empty() && !seen.insert(name) {
            errors.push(FieldError::duplicate(format!("{at}.name"), name));
        }
        self::container(errors, &at, container, &volumes);
    }
    let policy = text(&spec["restartPolicy"]);
    if !restart_policies.contains(&policy) {
        errors.push(FieldError::unsupported(format!("{at}.restartPolicy"), policy, restart_policies));
    }
}

fn container_name(errors: &mut Errors, at: &str, name: &str) {
    if name.is_empty() {
        errors.push(FieldError::required(at, ""));
    } else {
        complain(errors, at, name, names::dns_label(name));
    }
}

fn container(errors: &mut Errors, at: &str, container: &Value, volumes: &BTreeSet<&str>) {
    if text(&container["image"]).is_empty() {
        errors.push(FieldError::required(format!("{at}.image"), ""));
    }
    for (number, port) in list(&container["ports"]).enumerate() {
        match port["containerPort"].as_i64().unwrap_or_default() {
            0 => errors.push(FieldError::required(format!("{at}.ports[{number}].containerPort"), "")),
            port => port_number(errors, &format!("{at}.ports[{number}].containerPort"), port),
        }
    }
    for (number, variable) in list(&container["env"]).enumerate() {
        let at = format!("{at}.env[{number}].name");
        let name = text(&variable["name"]);
        if name.is_empty() {
            errors.push(FieldError::required(at, ""));
        } else if !is_variable_name(name) {
            errors.push(FieldError::invalid(at, name, "a valid environment variable name must consist of alphabetic characters, digits, '_', '-', or '.', and must not start with a digit (e.g. 'my.env-name',  or 'MY_ENV.NAME',  or 'MyEnvName1', regex used for validation is '[-._a-zA-Z][-._a-zA-Z0-9]*')"));
        }
    }
    for (number, mount) in list(&container["volumeMounts"]).enumerate() {
        let name = text(&mount["name"]);
        if !volumes.contains(name) {
            errors.push(FieldError::not_found(format!("{at}.volumeMounts[{number}].name"), name));
        }
    }
    amounts(errors, &format!("{at}.resources"), &container["resources"]);
}

fn amounts(errors: &mut Errors, at: &str, resources: &Value) {
    for list in ["limits", "requests"] {
        for (name, amount) in resources[list].as_object().into_iter().flatten() {
            if parsed(amount).is_some_and(|amount| amount.milli() < 0) {
                let why = "must be greater than or equal to 0";
                errors.push(FieldError::invalid(format!("{at}.{list}[{name}]"), text(amount), why));
            }
        }
    }
    for (name, request) in resources["requests"].as_object().into_iter().flatten() {
        let exceeds = parsed(&resources["limits"][name])
            .zip(parsed(request))
            .is_some_and(|(limit, request)| request.milli() > limit.milli());
        if exceeds {
            let why = format!("must be less than or equal to {name} limit");
            errors.push(FieldError::invalid(format!("{at}.requests"), text(request), why));
        }
    }
}

fn service_spec(errors: &mut Errors, spec: &Value) {
    let ports = list(&spec["ports"]).count();
    if ports == 0 && spec["type"] != "ExternalName" && spec["clusterIP"] != "None" {
        errors.push(FieldError::required("spec.ports", ""));
    }
    for (number, port) in list(&spec["ports"]).enumerate() {
        let at = format!("spec.ports[{number}]");
        if ports > 1 && text(&port["name"]).is_empty() {
            errors.push(FieldError::required(format!("{at}.name"), ""));
        }
        port_number(errors, &format!("{at}.port"), port["port"].as_i64().unwrap_or_default());
        if let Some(target) = port["targetPort"].as_i64() {
            port_number(errors, &format!("{at}.targetPort"), target);
        }
    }
    labels(errors, "spec.selector", &spec["selector"]);
    let types = ["ClusterIP", "ExternalName", "LoadBalancer", "NodePort"];
    if !types.contains(&text(&spec["type"])) {
        errors.push(FieldError::unsupported("spec.type", text(&spec["type"]), &types));
    }
}

fn claim_spec(errors: &mut Errors, spec: &Value) {
    if list(&spec["accessModes"]).next().is_none() {
        let why = "at least 1 access mode is required";
        errors.push(FieldError::required("spec.accessModes", why));
    }
    let modes = ["ReadOnlyMany", "ReadWriteMany", "ReadWriteOnce"];
    for mode in list(&spec["accessModes"]).map(text) {
        if !modes.contains(&mode) {
            errors.push(FieldError::unsupported("spec.accessModes", mode, &modes));
        }
    }
    let storage = &spec["resources"]["requests"]["storage"];
    match parsed(storage) {
        None => errors.push(FieldError::required("spec.resources[storage]", "")),
        Some(amount) if amount.milli() <= 0 => {
            let why = "must be greater than zero";
            errors.push(FieldError::invalid("spec.resources[storage]", text(storage), why));
        }
        Some(_) => {}
    }
}

/// True if some amount in a document is no quantity.
pub(super) fn has_unreadable_quantity(value: &Value) -> bool {
    match value {
        Value::Object(members) => members.iter().any(|(key, value)| match value {
            Value::Object(amounts) if matches!(key.as_str(), "limits" | "requests") => {
                amounts.values().any(|amount| parsed(amount).is_none())
            }
            value => has_unreadable_quantity(value),
        }),
        Value::Array(items) => items.iter().any(has_unreadable_quantity),
        _ => false,
    }
}

fn labels(errors: &mut Errors, at: &str, labels: &Value) {
    for (key, value) in labels.as_object().into_iter().flatten() {
        complain(errors, at, key, names::qualified_name(key));
        complain(errors, at, text(value), names::label_value(text(value)));
    }
}

fn keys(errors: &mut Errors, at: &str, annotations: &Value) {
    for (key, _) in annotations.as_object().into_iter().flatten() {
        complain(errors, at, key, names::qualified_name(&key.to_lowercase()));
    }
}

fn complain(errors: &mut Errors, at: &str, value: &str, complaints: Complaints) {
    errors.extend(complaints.iter().map(|why| FieldError::invalid(at, value, why)));
}

fn port_number(errors: &mut Errors, at: &str, port: i64) {
    if !(1..=65_535).contains(&port) {
        errors.push(FieldError::invalid(at, port, "must be between 1 and 65535, inclusive"));
    }
}

fn is_variable_name(name: &str) -> bool {
    let allowed = |c: char| c.is_ascii_alphanumeric() || "-._".contains(c);
    name.chars().all(allowed) && !name.starts_with(|first: char| first.is_ascii_digit())
}

/// The part of a pod's spec that never changes.
fn fixed_part(spec: &Value) -> Value {
    let mut spec = spec.clone();
    for list in ["containers", "initContainers"] {
        for container in spec[list].as_array_mut().into_iter().flatten() {
            container["image"].take();
        }
    }
    for member in ["activeDeadlineSeconds", "tolerations"] {
        spec[member].take();
    }
    spec
}

fn parsed(amount: &Value) -> Option<Quantity> {
    Quantity::parse(amount.as_str()?)
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}

fn list(value: &Value) -> impl Iterator<Item = &Value> {
    value.as_array().into_iter().flatten()
}

/// A map as Go's `%#v` prints it.
struct GoMap<'a>(&'a Value);

impl fmt::Debug for GoMap<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Some(members) = self.0.as_object() else {
            return f.write_str("map[string]string(nil)");
        };
        let members: Vec<String> = members.iter().map(|(key, value)| format!("{key:?}:{:?}", text(value))).collect();
        write!(f, "map[string]string{{{}}}", members.join(", "))
    }
}

/// A list of strings, likewise.
struct GoStrings<'a>(&'a Value);

impl fmt::Debug for GoStrings<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0.is_null() {
            return f.write_str("[]string(nil)");
        }
        let strings: Vec<String> = list(self.0).map(|value| format!("{:?}", text(value))).collect();
        write!(f, "[]string{{{}}}", strings.join(", "))
    }
}

/// A label selector, likewise.
struct GoSelector<'a>(&'a Value);

impl fmt::Debug for GoSelector<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "v1.LabelSelector{{MatchLabels:{:?}, MatchExpressions:[]v1.LabelSelectorRequirement(nil)}}",
            GoMap(self.0)
        )
    }
}
