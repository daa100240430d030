//! The Helm chart: the objects that `.ci/chart` had Helm render are ones that Kubernetes has, and by default they are
//! those of the kustomize base.

use crate::support::kinds::expect_known;
use crate::support::manifest::{at, documents, files, object, repository};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::{env, fs};

/// Objects that Helm made of the chart with these values, as `.ci/chart` describes them.
const RENDERED: [&str; 3] = ["default", "everything", "umbrella"];

/// Names the file with the objects of all combinations of switches, where `.ci/chart` has just rendered them.
const ALL: &str = "CHART_OBJECTS";

fn rendered(name: &str) -> Vec<Value> {
    let path = repository().join(format!("tests/it/chart/{name}.yaml"));
    documents(&fs::read_to_string(path).unwrap(), name)
}

/// Objects by kind, namespace and name, without what tells Helm's from others': labels on the object itself.
fn by_name(objects: impl IntoIterator<Item = Value>) -> BTreeMap<String, Value> {
    let named = objects.into_iter().map(|mut object| {
        let metadata = at(&object, "/metadata");
        let place = metadata["namespace"].as_str().unwrap_or_default();
        let name = format!("{} {place}/{}", object["kind"].as_str().unwrap(), metadata["name"].as_str().unwrap());
        object["metadata"].as_object_mut().unwrap().remove("labels");
        (name, object)
    });
    named.collect()
}

#[test]
fn every_rendered_object_is_one_that_kubernetes_has() {
    for name in RENDERED {
        rendered(name).iter().for_each(|object| expect_known(object, name));
    }
    if let Some(folder) = env::var_os(ALL) {
        let path = std::path::Path::new(&folder).join("all.yaml");
        let all = documents(&fs::read_to_string(&path).unwrap(), "all combinations");
        assert!(all.len() > rendered("everything").len());
        all.iter().for_each(|object| expect_known(object, "all combinations"));
    }
}

#[test]
fn by_default_it_renders_the_objects_of_the_kustomize_base() {
    let of_base = |path: &&String| {
        path.starts_with("base/")
            && !path.starts_with("base/pod-templates/")
            && !["base/kustomization.yaml", "base/controller.yaml"].contains(&path.as_str())
    };
    let mut base = by_name(files().iter().filter(of_base).map(|path| object(path)));
    // The base mounts all settings with their defaults and all templates; the chart leaves both to the controller.
    for map in object("base/kustomization.yaml")["configMapGenerator"].as_array().unwrap() {
        let metadata = json!({"name": map["name"], "namespace": map["namespace"]});
        base.extend(by_name([json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata})]));
    }
    let mut chart = by_name(rendered("default"));
    for (name, object) in &mut chart {
        if name.starts_with("ConfigMap ") {
            object.as_object_mut().unwrap().remove("data");
        }
        if name.starts_with("Deployment ") {
            object["spec"]["template"]["spec"]["containers"][0]["image"] = json!("aenv-controller");
        }
    }
    assert_eq!(chart.keys().collect::<Vec<_>>(), base.keys().collect::<Vec<_>>());
    for (name, object) in &base {
        assert_eq!(chart[name], *object, "{name}");
    }
}

#[test]
fn its_switches_render_what_the_other_kustomizations_have() {
    let chart = by_name(rendered("everything"));
    let spec = |name: &str| at(&chart[name], "/spec").clone();
    let same = |name: &str, path: &str| assert_eq!(spec(name), *at(&object(path), "/spec"), "{name} and {path}");
    same("HorizontalPodAutoscaler aenv/controller", "ha/autoscaler.yaml");
    same("PriorityLevelConfiguration /aenv-controller", "apf/priority-level.yaml");
    let schema = spec("FlowSchema /aenv-controller");
    let own = object("apf/flow-schema.yaml");
    assert_eq!(schema["matchingPrecedence"], at(&own, "/spec/matchingPrecedence").clone());
    assert_eq!(
        at(&schema, "/rules/0/resourceRules/0/verbs"),
        at(&own, "/spec/rules/0/resourceRules/0/verbs"),
        "the schema matches what the Role grants"
    );
    same("ServiceMonitor aenv/controller", "monitoring/service-monitor.yaml");
    let mut sweep = spec("CronJob aenv/controller-sweep");
    *sweep.pointer_mut("/jobTemplate/spec/template/spec/containers/0/image").unwrap() = json!("aenv-controller");
    assert_eq!(sweep, *at(&object("sweep/cron-job.yaml"), "/spec"));
    let rights = at(&chart["Role aenv-sandbox/aenv-controller-sweep"], "/rules");
    assert_eq!(rights, at(&object("sweep/role.yaml"), "/rules"));
}

#[test]
fn chart_versions_match_the_program_and_the_replaced_chart() {
    let chart: Value =
        serde_saphyr::from_str(&fs::read_to_string(repository().join("k8s/chart/Chart.yaml")).unwrap()).unwrap();
    assert_eq!(chart["appVersion"], env!("CARGO_PKG_VERSION"));
    assert_eq!((&chart["name"], &chart["version"]), (&json!("controller"), &json!("0.0.1")));
}

#[test]
fn in_the_umbrella_chart_the_deployment_is_selected_as_before() {
    let chart = by_name(rendered("umbrella"));
    let deployment = &chart["Deployment aenv/controller"];
    // A selector cannot be changed: an upgrade from the other chart would fail.
    assert_eq!(*at(deployment, "/spec/selector/matchLabels"), json!({"app.kubernetes.io/name": "controller"}));
    assert_eq!(*at(deployment, "/spec/replicas"), 1);
    assert_eq!(*at(&chart["Service aenv/controller"], "/spec/type"), "LoadBalancer");
    let policy = at(&chart["NetworkPolicy aenv/controller"], "/spec/ingress/0");
    assert_eq!(policy.get("from"), None, "a load balancer's callers come from anywhere");
    for namespace in ["Namespace /aenv", "Namespace /aenv-sandbox"] {
        let kept = at(&chart[namespace], "/metadata/annotations/helm.sh~1resource-policy");
        assert_eq!(kept, "keep", "sandboxes outlive the release");
    }
}
