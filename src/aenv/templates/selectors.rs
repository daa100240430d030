//! Selectors of the templates of a service, completed so that its Service and its Deployment find its pods.
//!
//! Only the keys matter: behind every one of them stands the name of the service once it is made.

use k8s_openapi::api::apps::v1::Deployment;
use k8s_openapi::api::core::v1::Service;
use std::collections::BTreeSet;

/// The key if no template has one.
const DEFAULT_KEY: &str = "app";

/// Gives both selectors, and the labels of the pods, the keys that they lack.
pub(super) fn complete(deployment: &mut Deployment, service: &mut Service) {
    let selected = deployment.spec.selector.match_labels.get_or_insert_default();
    let asked = service.spec.get_or_insert_default().selector.get_or_insert_default();
    let mut keys: BTreeSet<String> = selected.keys().chain(asked.keys()).cloned().collect();
    if keys.is_empty() {
        keys.insert(DEFAULT_KEY.to_owned());
    }
    if asked.is_empty() {
        asked.extend(keys.iter().map(|key| (key.clone(), String::new())));
    }
    let metadata = deployment.spec.template.metadata.get_or_insert_default();
    let labels = metadata.labels.get_or_insert_default();
    for key in keys {
        let value = selected.entry(key.clone()).or_default();
        // A Deployment selects its own pods.
        labels.insert(key, value.clone());
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, from_value, json, to_value};

    /// The keys of the Deployment's selector, of its pods' labels, and of the Service's selector.
    fn keys(deployment: Value, service: Value) -> [Vec<String>; 3] {
        let mut deployment: Deployment = from_value(deployment).unwrap();
        let mut service: Service = from_value(service).unwrap();
        complete(&mut deployment, &mut service);
        let (deployment, service) = (to_value(deployment).unwrap(), to_value(service).unwrap());
        let keys =
            |object: &Value, path: &str| object.pointer(path).unwrap().as_object().unwrap().keys().cloned().collect();
        [
            keys(&deployment, "/spec/selector/matchLabels"),
            keys(&deployment, "/spec/template/metadata/labels"),
            keys(&service, "/spec/selector"),
        ]
    }

    #[test]
    fn every_selector_finds_the_pods() {
        let deployment = |selector: Value, labels: Value| json!({"spec": {"selector": selector, "template": {"metadata": {"labels": labels}}}});
        let service = |selector: Value| json!({"spec": {"ports": [], "selector": selector}});
        let none = || json!({});
        for (deployment, service, expected) in [
            (deployment(none(), none()), service(none()), [vec!["app"], vec!["app"], vec!["app"]]),
            (
                deployment(json!({"matchLabels": {"name": "x"}}), json!({"team": "t"})),
                service(none()),
                [vec!["name"], vec!["name", "team"], vec!["name"]],
            ),
            (
                deployment(json!({"matchLabels": {"app": "x"}}), json!({"app": "z"})),
                service(json!({"name": "x"})),
                [vec!["app", "name"], vec!["app", "name"], vec!["name"]],
            ),
        ] {
            assert_eq!(keys(deployment, service), expected);
        }
    }
}
