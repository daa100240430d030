//! Manifests: every object below `k8s/` is one that Kubernetes has, kustomize finds its files, and the
//! numbers of the Deployment agree with the settings that it mounts.

use crate::support::kinds::{expect_known, lossless};
use crate::support::manifest::{at, documents, files, folder, object, repository};
use aenv_controller::config::Settings;
use aenv_controller::config::cli::Cli;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::fs;
use std::io::Write as _;
use std::path::Path;
use std::process::Command;

/// The folders that can be applied as they are.
const APPLICABLE: [&str; 4] = ["base", "ha", "monitoring", "apf"];

/// The settings that are mounted, and the templates.
const MOUNTED_CONFIG: &str = "base/controller.yaml";
const MOUNTED_TEMPLATES: &str = "base/pod-templates/";

/// Placeholder of the Deployment for an image.
const NO_IMAGE: &str = "image: aenv-controller";

/// Fields that matter here of the Deployment that AEnvironment's chart renders.
const CHART: &str = "
apiVersion: apps/v1
kind: Deployment
metadata:
  name: controller
  namespace: aenv
spec:
  selector:
    matchLabels:
      app.kubernetes.io/name: controller
  strategy:
    rollingUpdate:
      maxSurge: 100%
      maxUnavailable: 100%
    type: RollingUpdate
  template:
    metadata:
      labels:
        app.kubernetes.io/name: controller
    spec:
      containers:
        - name: controller
          image: aenvironment/controller:0.1.0
";

/// Seconds that are left for the process to end after the drain.
const MARGIN: u64 = 3;

#[test]
fn every_object_is_one_that_kubernetes_has() {
    let of_kubernetes = |path: &&String| {
        path.ends_with(".yaml")
            && !path.ends_with("kustomization.yaml")
            && ![MOUNTED_CONFIG, "drop-in/values.yaml"].contains(&path.as_str())
    };
    let mut kinds = BTreeSet::new();
    for path in files().iter().filter(of_kubernetes) {
        let object = object(path);
        if !path.starts_with(MOUNTED_TEMPLATES) {
            kinds.insert(object["kind"].as_str().unwrap().to_owned());
            expect_known(&object, path);
        }
    }
    assert_eq!(kinds.len(), 13, "{kinds:?}");
}

#[test]
fn every_file_is_named_by_a_kustomization_and_every_name_is_a_file() {
    let files = files();
    let by_itself =
        ["README.md", "drop-in/values.yaml", "drop-in/rights/role.yaml", "drop-in/rights/role-binding.yaml"];
    let mut named = BTreeSet::from(by_itself.map(str::to_owned));
    for path in files.iter().filter(|path| path.ends_with("kustomization.yaml")) {
        let kustomization: Kustomization = lossless(&object(path), path);
        let home = path.strip_suffix("kustomization.yaml").unwrap();
        named.insert(path.clone());
        let generated = kustomization.config_map_generator.iter().flat_map(|generator| &generator.files);
        for name in kustomization.resources.iter().chain(generated) {
            if let Some(other) = name.strip_prefix("../") {
                assert!(files.contains(&format!("{other}/kustomization.yaml")), "{path}: {name}");
            } else {
                assert!(files.contains(&format!("{home}{name}")), "{path}: {name}");
                named.insert(format!("{home}{name}"));
            }
        }
    }
    assert_eq!(named.into_iter().collect::<Vec<_>>(), files);
}

/// Its own account has no rights there but those to pods.
#[test]
fn beside_the_chart_its_account_gets_the_same_rights_and_the_same_share() {
    let (own, chart) = (object("base/role.yaml"), object("drop-in/rights/role.yaml"));
    assert_eq!(at(&chart, "/rules"), at(&own, "/rules"));
    let binding = object("drop-in/rights/role-binding.yaml");
    for object in [&chart, &binding] {
        // The chart calls the sandboxes' namespace as its user likes: the command line says which it is.
        assert_eq!(at(object, "/metadata"), &json!({"name": own["metadata"]["name"]}));
    }
    let account = json!({"name": "aenv-serviceaccount", "namespace": "aenv"});
    assert_eq!(at(&binding, "/subjects/0/name"), &account["name"]);
    let schema = object("apf/flow-schema.yaml");
    let subjects = at(&schema, "/spec/rules/0/subjects").as_array().unwrap();
    assert!(subjects.iter().any(|subject| subject["serviceAccount"] == account), "{subjects:?}");
}

/// A policy selects the chart's pods, too, and what it does not name is closed: beside the chart there must be none.
#[test]
fn monitoring_closes_no_port() {
    for path in files().iter().filter(|path| path.starts_with("monitoring/") && path.ends_with(".yaml")) {
        assert_ne!(object(path)["kind"], "NetworkPolicy", "{path}");
    }
    let policy = object("base/network-policy.yaml");
    let rules = at(&policy, "/spec/ingress").as_array().unwrap();
    assert!(rules.iter().any(|rule| rule["ports"][0]["port"] == 8088), "Prometheus must come in");
}

#[test]
fn mounted_settings_are_the_defaults() {
    let same = |copy: &str, original: &Path| {
        let command = format!("cp {} k8s/{copy}", original.strip_prefix(repository()).unwrap().display());
        let copied = fs::read_to_string(folder().join(copy)).unwrap();
        assert!(copied == fs::read_to_string(original).unwrap(), "they differ: {command}");
    };
    same(MOUNTED_CONFIG, &repository().join("config/controller.yaml"));
    let mut templates = 0;
    for original in fs::read_dir(repository().join("src/aenv/templates/defaults")).unwrap() {
        let original = original.unwrap();
        same(&format!("{MOUNTED_TEMPLATES}{}", original.file_name().to_str().unwrap()), &original.path());
        templates += 1;
    }
    assert_eq!(files().iter().filter(|path| path.starts_with(MOUNTED_TEMPLATES)).count(), templates);
}

/// Settings of the Deployment's arguments, with the file that it mounts.
fn deployed_settings(container: &Value) -> Settings {
    let args = at(container, "/args").as_array().unwrap().iter().map(|arg| arg.as_str().unwrap().to_owned());
    let mounts = [("config", "/etc/aenv/config"), ("pod-templates", "/etc/aenv/pod-templates")];
    let mounted: Vec<_> = at(container, "/volumeMounts").as_array().unwrap().iter().collect();
    assert_eq!(
        mounted,
        mounts
            .map(|(name, path)| json!({"name": name, "mountPath": path, "readOnly": true}))
            .iter()
            .collect::<Vec<_>>()
    );
    let args = args.map(|arg| arg.replace("/etc/aenv/config", folder().join("base").to_str().unwrap()));
    let cli = Cli::parse(std::iter::once("controller".to_owned()).chain(args)).unwrap();
    Settings::load(&cli.flags, []).unwrap_or_else(|faults| panic!("{faults}"))
}

#[test]
fn the_deployment_agrees_with_the_settings_that_it_mounts() {
    let deployment = object("base/deployment.yaml");
    let pod = at(&deployment, "/spec/template/spec");
    let container = at(pod, "/containers/0");
    let settings = deployed_settings(container);

    let number = |value: &Value| value.as_u64().unwrap();
    let (grace, sleep) =
        (number(at(pod, "/terminationGracePeriodSeconds")), number(at(container, "/lifecycle/preStop/sleep/seconds")));
    assert!(
        grace >= sleep + (settings.server.lame_duck + settings.server.drain).as_secs() + MARGIN,
        "killed before the end: {grace} s"
    );

    let memory = at(container, "/resources/limits/memory").as_str().unwrap().strip_suffix("Mi").unwrap();
    assert!(settings.memo.max_bytes * 2 <= memory.parse::<u64>().unwrap() << 20, "the memo fills the pod");

    let server = &settings.server;
    let ports: Vec<_> = at(container, "/ports").as_array().unwrap().iter().map(|port| &port["containerPort"]).collect();
    assert_eq!(ports, [server.port, server.readiness_port, server.metrics_addr.port()]);
    assert_eq!(*at(&object("base/service.yaml"), "/spec/ports/0/port"), server.port);
    assert_eq!(*at(&object("monitoring/service.yaml"), "/spec/ports/0/port"), server.metrics_addr.port());

    let namespace = settings.kubernetes.default_namespace.as_deref().unwrap();
    for path in ["base/role.yaml", "base/role-binding.yaml"] {
        assert_eq!(*at(&object(path), "/metadata/namespace"), namespace, "{path}");
    }
    assert_eq!(*at(&object("apf/flow-schema.yaml"), "/spec/rules/0/resourceRules/0/namespaces"), json!([namespace]));
    assert_eq!(settings.templates.dir, Path::new("/etc/aenv/pod-templates"));
}

/// <https://kubernetes.io/docs/concepts/security/pod-security-standards/#restricted>
#[test]
fn the_pod_may_run_where_only_restricted_ones_may() {
    let deployment = object("base/deployment.yaml");
    let pod = at(&deployment, "/spec/template/spec");
    for (pointer, value) in [
        ("/securityContext/runAsNonRoot", json!(true)),
        ("/securityContext/runAsUser", json!(65532)),
        ("/securityContext/seccompProfile/type", json!("RuntimeDefault")),
        ("/containers/0/securityContext/allowPrivilegeEscalation", json!(false)),
        ("/containers/0/securityContext/capabilities", json!({"drop": ["ALL"]})),
        ("/containers/0/securityContext/readOnlyRootFilesystem", json!(true)),
        ("/enableServiceLinks", json!(false)),
    ] {
        assert_eq!(*at(pod, pointer), value, "{pointer}");
    }
    let volumes = at(pod, "/volumes").as_array().unwrap();
    assert!(volumes.iter().all(|volume| volume.get("configMap").is_some()), "{volumes:?}");
    for host in ["hostNetwork", "hostPID", "hostIPC"] {
        assert_eq!(pod.get(host), None);
    }
}

#[test]
fn kustomize_builds_what_is_applied() {
    for name in APPLICABLE {
        let Some(built) = kustomize(&folder().join(name)) else { return };
        let objects = documents(&built, name);
        for object in &objects {
            expect_known(object, name);
            let everywhere = ["FlowSchema", "PriorityLevelConfiguration"].contains(&object["kind"].as_str().unwrap());
            assert_eq!(object.pointer("/metadata/namespace").is_none(), everywhere, "{name}: {object:#}");
        }
        let deployments = objects.iter().filter(|object| object["kind"] == "Deployment");
        assert_eq!(deployments.count(), usize::from(["base", "ha"].contains(&name)), "{name}");
        if ["base", "ha"].contains(&name) {
            let images = built.lines().filter(|line| line.trim() == NO_IMAGE).count();
            assert_eq!(images, 1, "{name}: the one line that `just deploy` looks for");
            let maps = objects.iter().filter(|object| object["kind"] == "ConfigMap");
            let maps: Vec<_> = maps.map(|map| map["metadata"]["name"].as_str().unwrap()).collect();
            assert_eq!(maps, ["controller-config", "controller-pod-templates"], "{name}: as the Deployment calls them");
        }
    }
}

#[test]
fn the_drop_in_changes_the_charts_deployment() {
    let home = tempfile::tempdir().unwrap();
    fs::write(home.path().join("chart.yaml"), CHART).unwrap();
    fs::write(home.path().join("kustomization.yaml"), "resources: [chart.yaml]\ncomponents: [drop-in]\n").unwrap();
    fs::create_dir(home.path().join("drop-in")).unwrap();
    let component = folder().join("drop-in/kustomization.yaml");
    fs::copy(component, home.path().join("drop-in/kustomization.yaml")).unwrap();
    let Some(built) = kustomize(home.path()) else { return };
    let deployment = &documents(&built, "drop-in")[0];
    expect_known(deployment, "drop-in");
    let image = at(&object("drop-in/values.yaml"), "/controller/image").clone();
    assert_eq!(*at(deployment, "/spec/template/spec/containers/0/image"), image);
    assert_eq!(
        at(deployment, "/spec/strategy/rollingUpdate"),
        at(&object("base/deployment.yaml"), "/spec/strategy/rollingUpdate")
    );
}

/// Output of `kubectl kustomize` for a folder; `None`, and a line on stderr, without kubectl.
fn kustomize(folder: &Path) -> Option<String> {
    let Ok(output) = Command::new("kubectl").arg("kustomize").arg(folder).output() else {
        // Not `eprintln!`, whose words the test runner keeps to itself.
        let _ = std::io::stderr().write_all(b"skipped with kustomize: there is no kubectl\n");
        return None;
    };
    assert!(output.status.success(), "{}: {}", folder.display(), String::from_utf8_lossy(&output.stderr));
    assert!(output.stderr.is_empty(), "{}: {}", folder.display(), String::from_utf8_lossy(&output.stderr));
    Some(String::from_utf8(output.stdout).unwrap())
}

/// Of kustomization files, what is in use here.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Kustomization {
    api_version: String,
    kind: String,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    labels: Vec<Value>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    resources: Vec<String>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    config_map_generator: Vec<ConfigMapGenerator>,
    #[serde(skip_serializing_if = "Option::is_none")]
    generator_options: Option<Value>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    images: Vec<Value>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    patches: Vec<Value>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct ConfigMapGenerator {
    name: String,
    namespace: String,
    files: Vec<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    options: Option<Value>,
}
