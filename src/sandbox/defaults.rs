//! Defaults that the API server fills in where a document says nothing.

use serde_json::{Value, json};

use crate::syntax::Quantity;

use super::resource::Resource;

/// Fills in the defaults of `resource`.
pub(super) fn apply(resource: Resource, document: &mut Value) {
    let spec = &mut document["spec"];
    match resource {
        Resource::Deployments => {
            fill(
                spec,
                &json!({
                    "replicas": 1,
                    "strategy": {"type": "RollingUpdate"},
                    "revisionHistoryLimit": 10,
                    "progressDeadlineSeconds": 600,
                }),
            );
            if spec["strategy"]["type"] == "RollingUpdate" {
                let rolling = json!({"maxUnavailable": "25%", "maxSurge": "25%"});
                fill(&mut spec["strategy"], &json!({"rollingUpdate": rolling}));
                fill(&mut spec["strategy"]["rollingUpdate"], &rolling);
            }
            // Go prints the zero time of a template as null.
            fill_even_null(&mut spec["template"]["metadata"], "creationTimestamp");
            pod_spec(&mut spec["template"]["spec"]);
        }
        Resource::Pods => {
            pod_spec(spec);
            admit_pod(spec);
        }
        Resource::Services => {
            fill(spec, &json!({"type": "ClusterIP", "sessionAffinity": "None"}));
            for port in items(spec, "ports") {
                fill(port, &json!({"protocol": "TCP"}));
                let number = port["port"].clone();
                fill(port, &json!({"targetPort": number}));
            }
            if spec["clusterIP"].is_string() {
                spec["clusterIPs"] = json!([spec["clusterIP"]]);
            }
        }
        Resource::PersistentVolumeClaims => {
            fill(spec, &json!({"volumeMode": "Filesystem"}));
            quantities(&mut spec["resources"]);
        }
        Resource::Namespaces => fill(spec, &json!({"finalizers": ["kubernetes"]})),
    }
}

fn pod_spec(spec: &mut Value) {
    fill(
        spec,
        &json!({
            "restartPolicy": "Always",
            "terminationGracePeriodSeconds": 30,
            "dnsPolicy": "ClusterFirst",
            "securityContext": {},
            "schedulerName": "default-scheduler",
        }),
    );
    for list in ["initContainers", "containers"] {
        for container in items(spec, list) {
            self::container(container);
        }
    }
    for volume in items(spec, "volumes") {
        self::volume(volume);
    }
}

fn container(container: &mut Value) {
    let image = container["image"].as_str().unwrap_or_default();
    let tag = image.rsplit('/').next().unwrap_or_default();
    let latest = !image.contains('@') && (!tag.contains(':') || tag.ends_with(":latest"));
    fill(
        container,
        &json!({
            "resources": {},
            "terminationMessagePath": "/dev/termination-log",
            "terminationMessagePolicy": "File",
            "imagePullPolicy": if latest { "Always" } else { "IfNotPresent" },
        }),
    );
    quantities(&mut container["resources"]);
    // A limit is a request, too, where nothing else is requested.
    let limits = container["resources"]["limits"].clone();
    if limits.is_object() {
        fill(&mut container["resources"], &json!({"requests": {}}));
        fill(&mut container["resources"]["requests"], &limits);
    }
    for port in items(container, "ports") {
        fill(port, &json!({"protocol": "TCP"}));
    }
    for variable in items(container, "env") {
        if let Some(field) = variable.pointer_mut("/valueFrom/fieldRef") {
            fill(field, &json!({"apiVersion": "v1"}));
        }
    }
    for probe in ["livenessProbe", "readinessProbe", "startupProbe"] {
        if let Some(probe) = container.get_mut(probe) {
            fill(
                probe,
                &json!({"timeoutSeconds": 1, "periodSeconds": 10, "successThreshold": 1, "failureThreshold": 3}),
            );
            if let Some(get) = probe.get_mut("httpGet") {
                fill(get, &json!({"path": "/", "scheme": "HTTP"}));
            }
        }
    }
}

fn volume(volume: &mut Value) {
    let Some(members) = volume.as_object_mut() else {
        return;
    };
    if members.len() == 1 {
        members.insert("emptyDir".to_owned(), json!({}));
    }
    for source in ["secret", "configMap", "projected", "downwardAPI"] {
        if let Some(source) = members.get_mut(source) {
            fill(source, &json!({"defaultMode": 420}));
        }
    }
}

/// Additions of a plain API server's admission plugins to a pod.
fn admit_pod(spec: &mut Value) {
    fill(spec, &json!({"priority": 0, "enableServiceLinks": true, "preemptionPolicy": "PreemptLowerPriority"}));
    fill(spec, &json!({"tolerations": []}));
    if let Some(tolerations) = spec["tolerations"].as_array_mut() {
        for key in ["node.kubernetes.io/not-ready", "node.kubernetes.io/unreachable"] {
            if !tolerations.iter().any(|toleration| toleration["key"] == key) {
                tolerations
                    .push(json!({"key": key, "operator": "Exists", "effect": "NoExecute", "tolerationSeconds": 300}));
            }
        }
    }
}

/// The quality of service that a pod's requests and limits earn it.
pub(super) fn qos_class(pod: &Value) -> &'static str {
    let containers = pod["spec"]["containers"].as_array().map_or(&[][..], Vec::as_slice);
    let resources = |container: &Value| container["resources"].clone();
    let unset = |value: &Value| value["requests"].is_null() && value["limits"].is_null();
    if containers.iter().map(resources).all(|resources| unset(&resources)) {
        return "BestEffort";
    }
    let guaranteed = containers.iter().map(resources).all(|resources| {
        ["cpu", "memory"].iter().all(|name| {
            resources["limits"][name].is_string() && resources["limits"][name] == resources["requests"][name]
        })
    });
    if guaranteed { "Guaranteed" } else { "Burstable" }
}

fn quantities(resources: &mut Value) {
    for list in ["limits", "requests"] {
        for (_, amount) in resources.get_mut(list).and_then(Value::as_object_mut).into_iter().flatten() {
            if let Some(quantity) = amount.as_str().and_then(Quantity::parse) {
                *amount = json!(quantity.canonical());
            }
        }
    }
}

/// Adds the members of `defaults` that `value` does not have.
fn fill(value: &mut Value, defaults: &Value) {
    if value.is_null() {
        *value = json!({});
    }
    let (Some(members), Some(defaults)) = (value.as_object_mut(), defaults.as_object()) else {
        return;
    };
    for (key, default) in defaults.iter().filter(|(_, default)| !default.is_null()) {
        members.entry(key).or_insert_with(|| default.clone());
    }
}

fn fill_even_null(value: &mut Value, key: &str) {
    fill(value, &json!({}));
    if let Some(members) = value.as_object_mut() {
        members.entry(key).or_insert(Value::Null);
    }
}

fn items<'a>(value: &'a mut Value, list: &str) -> impl Iterator<Item = &'a mut Value> {
    value.get_mut(list).and_then(Value::as_array_mut).into_iter().flatten()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn limits_become_requests_in_canonical_form() {
        let mut pod = json!({"spec": {"containers": [
            {"name": "main", "image": "x:1", "resources": {"limits": {"cpu": "2", "memory": "1024Mi"}, "requests": {"cpu": "0.5"}}}
        ]}});
        apply(Resource::Pods, &mut pod);
        let resources = &pod["spec"]["containers"][0]["resources"];
        assert_eq!(resources["requests"], json!({"cpu": "500m", "memory": "1Gi"}));
        assert_eq!(resources["limits"], json!({"cpu": "2", "memory": "1Gi"}));
        assert_eq!(qos_class(&pod), "Burstable");
    }

    #[test]
    fn only_a_latest_image_is_always_pulled() {
        for (image, policy) in [
            ("x", "Always"),
            ("x:latest", "Always"),
            ("registry:5000/x", "Always"),
            ("x:1", "IfNotPresent"),
            ("registry:5000/x@sha256:00", "IfNotPresent"),
        ] {
            let mut pod = json!({"spec": {"containers": [{"name": "main", "image": image}]}});
            apply(Resource::Pods, &mut pod);
            assert_eq!(pod["spec"]["containers"][0]["imagePullPolicy"], policy, "{image}");
        }
    }
}
