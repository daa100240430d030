//! Whole bodies: the specs that they become, with their warnings, and the faults of those that cannot be meant.

use super::service::Resources;
use super::*;
use crate::aenv::warnings::Warnings;
use crate::syntax::{Faults, ObjectName, TemplateName};
use serde_json::{Value, json};

/// The value of an environment variable, which must not be told.
pub(super) const SECRET: &str = "s3cr3t-v4lue";

/// The body of the recorded creates, with these deploy settings.
pub(super) fn weather(deploy: &Value) -> Value {
    json!({
        "id": "e1", "name": "weather", "description": "d", "version": "1.0.2", "tags": ["swe", "python"],
        "code_url": "oss://x", "status": 6,
        "artifacts": [
            {"id": "a1", "type": "whl", "content": "http://x/y.whl"},
            {"id": "a2", "type": "image", "content": "registry.example.com/aenv/weather:1.0.2"},
        ],
        "build_config": {"dockerfile": "./Dockerfile"}, "test_config": {}, "deployConfig": deploy,
        "created_at": "2025-10-10T11:11:11Z", "updated_at": "2025-10-10T11:11:11Z",
    })
}

/// Templates of a service that have an image.
pub(super) fn known_service() -> ServiceTemplate<'static> {
    ServiceTemplate { has_images: true, selector_keys: &[] }
}

pub(super) fn service(body: &Value) -> Result<(ServiceSpec, Warnings), Faults> {
    let document = Document::parse(body.to_string().as_bytes())?;
    ServiceSpec::parse(Source::body(&document), known_service())
}

pub(super) fn instance(body: &Value) -> Result<(InstanceSpec, Warnings), Faults> {
    let pod_templates = ["singleContainer", "dualContainer"].map(|name| TemplateName::new(name).unwrap());
    let find_pod = |name: &TemplateName| pod_templates.iter().find(|known| *known == name).cloned();
    let keys = ["app".to_owned()];
    let known = Known { find_pod: &find_pod, pod_templates: &pod_templates, selector_keys: &keys };
    let document = Document::parse(body.to_string().as_bytes())?;
    InstanceSpec::parse(Source::body(&document), known)
}

/// The message of a refusal.
#[track_caller]
pub(super) fn refused<T: std::fmt::Debug>(read: Result<T, Faults>) -> String {
    read.unwrap_err().sentence()
}

/// The warnings with which a body is taken.
#[track_caller]
fn warned<T: std::fmt::Debug>(read: Result<(T, Warnings), Faults>) -> (T, String) {
    let (spec, warnings) = read.unwrap();
    (spec, warnings.iter().collect::<Vec<_>>().join("; "))
}

/// The spec of a body that needs no warning.
#[track_caller]
fn plain<T: std::fmt::Debug>(read: Result<(T, Warnings), Faults>) -> T {
    let (spec, warnings) = warned(read);
    assert_eq!(warnings, "");
    spec
}

/// The body without the member `key`, or with another value for it.
pub(super) fn with(mut body: Value, key: &str, value: Value) -> Value {
    body[key] = value;
    body
}

#[test]
fn a_service_has_the_defaults_of_the_reference() {
    let spec = plain(service(&weather(&json!({}))));
    assert_eq!((spec.env.as_str(), spec.version.unwrap().as_str(), spec.owner), ("weather", "1.0.2", None));
    assert_eq!(spec.image.as_deref(), Some("registry.example.com/aenv/weather:1.0.2"));
    assert_eq!((spec.replicas, spec.port, spec.mount_path.as_str()), (1, Some(8080), "/home/admin/data"));
    assert_eq!((spec.variables.len(), spec.storage), (0, None));
    let ServiceName::Generated(prefix) = spec.name else { panic!("{:?}", spec.name) };
    assert_eq!(prefix.as_str(), "weather-svc-");
    let Resources { cpu, memory, ephemeral_storage } = spec.resources;
    let told = [cpu, memory, ephemeral_storage]
        .map(|Amount { request, limit }| format!("{} {}", request.unwrap(), limit.unwrap()));
    assert_eq!(told, ["1 1", "2Gi 2Gi", "10Gi 10Gi"]);
}

#[test]
fn a_service_is_what_its_body_says() {
    let spec = plain(service(&weather(&json!({
        "serviceName": "weather-main", "owner": "jun", "replicas": 2.0, "port": 9e3,
        "environment_variables": {"K1": "v1", "my.own-K_2": "", "gone": null},
        "cpuRequest": "500m", "cpuLimit": "2", "memoryRequest": "1Gi", "memoryLimit": "3Gi",
        "ephemeralStorageRequest": "1Gi", "ephemeralStorageLimit": "2Gi", "os": "linux", "cpu": "1C",
    }))));
    assert_eq!(spec.name, ServiceName::Given(ObjectName::new("weather-main").unwrap()));
    assert_eq!((spec.owner.unwrap().as_str(), spec.replicas, spec.port), ("jun", 2, Some(9000)));
    let variables = [("K1".to_owned(), "v1".to_owned()), ("my.own-K_2".to_owned(), String::new())];
    assert_eq!(spec.variables, variables.into());
    assert_eq!(spec.resources.cpu.request.unwrap().to_string(), "500m");
    assert_eq!(spec.resources.ephemeral_storage.limit.unwrap().to_string(), "2Gi");
}

#[test]
fn storage_is_claimed_under_the_given_name_or_the_environments() {
    let claimed = |deploy| {
        let spec = plain(service(&weather(&deploy)));
        let storage = spec.storage.unwrap();
        (storage.claim.to_string(), storage.size.unwrap().to_string(), spec.mount_path)
    };
    let given = claimed(json!({"storageSize": "20Gi", "mountPath": "/data", "pvcName": "wdata"}));
    assert_eq!(given, ("wdata".into(), "20Gi".into(), "/data".into()));
    let default = claimed(json!({"storageSize": "5Gi", "pvcName": "", "replicas": 1}));
    assert_eq!(default, ("weather".into(), "5Gi".into(), "/home/admin/data".into()));
    assert_eq!(plain(service(&weather(&json!({"pvcName": "wdata", "replicas": 2})))).storage, None);
}

#[test]
fn an_instance_is_what_its_body_says() {
    let spec = plain(instance(&weather(&json!({
        "owner": "jun", "ttl": "1.5h", "podTemplate": "dualContainer", "secondImageName": "side:1",
        "arguments": ["--fast", "-v"], "environment_variables": {"K1": "v1"},
        "resource": "autoscale", "cpu": "4", "memory": "8G",
        "labels": {"team": "red", "example.com/tier": "", "kubernetes.io.example.com/x": "y"},
    }))));
    assert_eq!((spec.env.as_str(), spec.name.as_str()), ("weather", "weather-"));
    assert_eq!(spec.ttl.unwrap().as_str(), "1.5h");
    assert_eq!((spec.template.as_str(), spec.second_image.as_deref()), ("dualContainer", Some("side:1")));
    assert_eq!(spec.arguments, ["--fast", "-v"]);
    let Autoscale { cpu, memory } = spec.autoscale.unwrap();
    assert_eq!((cpu.to_string(), memory.to_string()), ("4".into(), "8G".into()));
    assert_eq!(spec.labels.set().len(), 3);

    let fixed = plain(instance(&weather(&json!({"cpu": "1C", "memory": "2G", "resource": "fixed", "ttl": ""}))));
    assert_eq!((fixed.autoscale, fixed.ttl, fixed.template.as_str()), (None, None, "singleContainer"));
}

#[test]
fn deploy_settings_have_two_spellings_and_the_first_wins() {
    let body = with(weather(&Value::Null), "deploy_config", json!({"port": 9000}));
    assert_eq!(plain(service(&body)).port, Some(9000));
    assert_eq!(plain(service(&with(body, "deployConfig", json!({"port": 9001})))).port, Some(9001));
    let wrong = with(weather(&Value::Null), "deploy_config", json!({"port": 1.5}));
    assert_eq!(refused(service(&wrong)), "deploy_config.port: 1.5 is not a whole number from -2147483648 to 65535");
    assert!(service(&with(weather(&json!({})), "status", json!("Ready"))).is_ok());
}

#[test]
fn all_faults_are_told_at_once() {
    let body = json!({
        "name": "a b", "artifacts": [],
        "deployConfig": {"cpuLimit": "-2", "port": "http", "owner": 5, "replicas": 2.5, "mountPath": "data"},
    });
    assert_eq!(
        refused(service(&body)),
        "name: \"a b\" is not a label value: at most 63 letters, digits, '-', '_' or '.', beginning and ending with a \
         letter or digit; deployConfig.owner: is a number, put it \
         in quotes; deployConfig.replicas: 2.5 is not a whole number from 0 to 150000; deployConfig.port: \"http\" is not \
         a whole number from -2147483648 to 65535; deployConfig.cpuLimit: \"-2\" is negative, give a quantity of zero \
         or more; \
         deployConfig.mountPath: \"data\" is not a mount path: it begins with '/' and has no ':'"
    );
}

#[test]
fn every_wrong_field_of_a_service_is_named() {
    for (deploy, told) in [
        (json!(5), "deployConfig: is a number, give an object"),
        (json!({"serviceName": "Bad_Name"}), "deployConfig.serviceName: \"Bad_Name\" is not a DNS-1035 label"),
        (json!({"serviceName": "9a"}), "deployConfig.serviceName: \"9a\" is not a DNS-1035 label"),
        (json!({"serviceName": ["a"]}), "deployConfig.serviceName: is a list, give a text"),
        (json!({"owner": "a b@c"}), "deployConfig.owner: \"a b@c\" is not a label value"),
        (json!({"replicas": -1}), "deployConfig.replicas: -1 is not a whole number"),
        (json!({"replicas": 1e300}), "deployConfig.replicas: 1e+300 is not a whole number"),
        (json!({"replicas": true}), "deployConfig.replicas: true is not a whole number"),
        (json!({"port": 65536}), "deployConfig.port: 65536 is not a whole number from -2147483648 to 65535"),
        (json!({"cpuLimit": true}), "deployConfig.cpuLimit: is a boolean, put it in quotes"),
        (json!({"cpuLimit": ["2"]}), "deployConfig.cpuLimit: is a list, give a text"),
        (json!({"memoryLimit": "-1Gi"}), "deployConfig.memoryLimit: \"-1Gi\" is negative"),
        (
            json!({"cpuRequest": "2"}),
            "deployConfig.cpuRequest: 2 is more than deployConfig.cpuLimit, which is 1 by default",
        ),
        (
            json!({"cpuLimit": "1m"}),
            "deployConfig.cpuLimit: 1m is less than deployConfig.cpuRequest, which is 1 by default",
        ),
        (
            json!({"memoryRequest": "3Gi", "memoryLimit": "2048Mi"}),
            "deployConfig.memoryRequest: 3Gi is more than deployConfig.memoryLimit, which is 2Gi",
        ),
        (json!({"storageSize": "0"}), "deployConfig.storageSize: \"0\" is no size"),
        (
            json!({"storageSize": "20Gi", "replicas": 2}),
            "When creating PVC (storageSize specified), replicas must be 1",
        ),
        (json!({"pvcName": "a/b"}), "deployConfig.pvcName: \"a/b\" is not a DNS-1123 subdomain"),
        (json!({"mountPath": "/a:/b"}), "deployConfig.mountPath: \"/a:/b\" is not a mount path"),
        (json!({"environment_variables": []}), "deployConfig.environment_variables: is a list, give an object"),
        (
            json!({"environment_variables": {"1A": SECRET}}),
            "deployConfig.environment_variables: \"1A\" is not the name",
        ),
        (
            json!({"environment_variables": {"A=B": SECRET}}),
            "deployConfig.environment_variables: \"A=B\" is not the name",
        ),
        (
            json!({"environment_variables": {"..": SECRET}}),
            "deployConfig.environment_variables: \"..\" is not the name",
        ),
    ] {
        let message = refused(service(&weather(&deploy)));
        assert!(message.starts_with(told) && !message.contains("; deploy") && !message.contains(SECRET), "{message}");
    }
}

#[test]
fn every_wrong_field_of_an_instance_is_named() {
    for (deploy, told) in [
        (json!({"ttl": "soon"}), "deployConfig.ttl: \"soon\" is not a time to live, such as 30m"),
        (json!({"ttl": "0s"}), "deployConfig.ttl: \"0s\" is not a time to live"),
        (json!({"ttl": "5µs"}), "deployConfig.ttl: \"5µs\" is not a time to live"),
        (json!({"ttl": 30}), "deployConfig.ttl: is a number, put it in quotes"),
        (json!({"podTemplate": "../../x"}), "deployConfig.podTemplate: \"../../x\" is not a template's name"),
        (
            json!({"podTemplate": "triple"}),
            "deployConfig.podTemplate: \"triple\" is no pod template, there are singleContainer, dualContainer",
        ),
        (json!({"podTemplate": "deployment"}), "deployConfig.podTemplate: \"deployment\" is no pod template"),
        (json!({"secondImageName": "a b"}), "deployConfig.secondImageName: \"a b\" is not the name of an image"),
        (json!({"secondImageName": {}}), "deployConfig.secondImageName: is an object, give a text"),
        (json!({"arguments": "-v"}), "deployConfig.arguments: is a text, give a list"),
        (json!({"arguments": ["-v", null]}), "deployConfig.arguments[1]: is null, give a text"),
        (json!({"resource": "autoscale", "cpu": "-1", "memory": "8G"}), "deployConfig.cpu: \"-1\" is negative"),
        (json!({"labels": ["a=b"]}), "deployConfig.labels: is a list, give an object"),
    ] {
        let message = refused(instance(&weather(&deploy)));
        assert!(message.starts_with(told) && !message.contains("; deploy"), "{message}");
    }
}

#[test]
fn name_version_and_artifacts_are_checked() {
    let body = || weather(&json!({}));
    for (key, value, told) in [
        ("name", Value::Null, "name: is missing, give the environment's name"),
        ("name", json!(""), "name: is missing, give the environment's name"),
        ("version", json!("v 1"), "version: \"v 1\" is not a label value"),
        ("version", json!(1.0), "version: is a number, put it in quotes"),
        ("artifacts", json!({}), "artifacts: is an object, give a list"),
        ("artifacts", json!([5]), "artifacts[0]: is a number, give an object"),
        ("artifacts", json!([{"type": 5}]), "artifacts[0].type: is a number, put it in quotes"),
        (
            "artifacts",
            json!([{"type": "image", "content": "a\tb"}]),
            "artifacts[0].content: \"a\\tb\" is not the name of an image",
        ),
    ] {
        for message in
            [refused(service(&with(body(), key, value.clone()))), refused(instance(&with(body(), key, value)))]
        {
            assert!(message.starts_with(told), "{message}");
        }
    }
    let artifacts =
        json!([{"type": null}, {"type": "Image", "content": "first"}, {"type": "image", "content": "second"}]);
    assert_eq!(plain(service(&with(body(), "artifacts", artifacts))).image.as_deref(), Some("first"));
}

#[test]
fn a_service_may_do_without_an_image_and_an_instance_may_not() {
    for artifacts in [
        json!([]),
        json!([{"type": "whl", "content": "x"}]),
        json!([{}, {"type": "IMAGE", "content": ""}]),
        Value::Null,
    ] {
        let body = with(weather(&json!({})), "artifacts", artifacts);
        let (spec, warnings) = warned(service(&body));
        assert_eq!((spec.image, &*warnings), (None, "artifacts: there is no image, the template's stays"));
        let message = refused(instance(&body));
        assert!(message.starts_with("artifacts: ") && message.ends_with("give one of type \"image\""), "{message}");
        let document = Document::parse(body.to_string().as_bytes()).unwrap();
        let bare = ServiceTemplate { has_images: false, ..known_service() };
        assert!(refused(ServiceSpec::parse(Source::body(&document), bare)).starts_with("artifacts: has no image"));
    }
}

#[test]
fn a_service_is_read_as_leniently_as_the_reference_reads_it() {
    let (spec, warnings) = warned(service(&weather(&json!({
        "cpuRequest": "1C", "memoryLimit": "4 gigs", "cpuLimit": 2, "replicas": "2", "port": 0,
        "environment_variables": {"N": 5, "B": true, "L": [1, "a"]},
    }))));
    let Resources { cpu, memory, .. } = spec.resources;
    assert_eq!((cpu.request, cpu.limit.unwrap().to_string(), memory.limit), (None, "2".into(), None));
    assert_eq!((spec.replicas, spec.port), (2, None));
    let variables = ["N", "B", "L"].map(|name| spec.variables[name].as_str());
    assert_eq!(variables, ["5", "true", "[1,\"a\"]"]);
    for told in [
        "deployConfig.cpuRequest: \"1C\" is not a quantity such as 500m or 2Gi, the template's value stays",
        "deployConfig.memoryLimit: \"4 gigs\" is not a quantity",
        "deployConfig.replicas: \"2\" is a text, taken as the number",
        "deployConfig.port: 0 is no port, the template's stays",
        "deployConfig.environment_variables.N: is a number, its text is taken",
    ] {
        assert!(warnings.contains(told), "{told} in {warnings}");
    }
}

#[test]
fn an_instance_is_read_as_leniently_as_the_reference_reads_it() {
    for resource in [
        json!({"resource": "autoscale"}),
        json!({"resource": "autoscale", "cpu": "1C", "memory": "8G"}),
        json!({"resource": "autoscale", "cpu": "1", "memory": "2 gigs"}),
    ] {
        let (spec, warnings) = warned(instance(&weather(&resource)));
        assert_eq!(spec.autoscale, None);
        assert!(warnings.contains("deployConfig.resource: \"autoscale\" needs both cpu and memory"), "{warnings}");
    }
    assert!(warned(instance(&weather(&json!({"resource": 7})))).1.starts_with("deployConfig.resource: 7 is ignored"));
    let (spec, warnings) = warned(instance(&weather(&json!({
        "arguments": ["-v", 5], "labels": {"app": "chatbot", "team": "two words", "n": 5}
    }))));
    assert_eq!((spec.arguments, spec.labels.set().len()), (vec!["-v".to_owned(), "5".into()], 1));
    let told = "deployConfig.labels: \"app\" is kept in an annotation: its key is reserved";
    assert!(warnings.contains(told), "{warnings}");
}

#[test]
fn maps_and_lists_are_bounded_in_number_and_size() {
    let many =
        |count: usize| json!((0..count).map(|n| (format!("K{n}"), json!(""))).collect::<serde_json::Map<_, _>>());
    let large = |bytes: usize| json!({"K": "x".repeat(bytes)});
    for (setting, fits, too_many, too_large) in [
        ("environment_variables", many(4_096), many(4_097), large(512 * 1024)),
        ("labels", many(256), many(257), large(48 * 1024)),
        ("arguments", json!(vec!["x"; 1_024]), json!(vec!["x"; 1_025]), json!(["x".repeat(128 * 1024 + 1)])),
    ] {
        assert!(instance(&weather(&json!({setting: fits}))).is_ok(), "{setting}");
        let message = refused(instance(&weather(&json!({setting: too_many}))));
        assert!(message.starts_with(&format!("deployConfig.{setting}: has ")), "{message}");
        let message = refused(instance(&weather(&json!({setting: too_large}))));
        assert!(message.starts_with(&format!("deployConfig.{setting}: is too large")), "{message}");
    }
}

#[test]
fn an_environment_whose_name_makes_no_object_name_needs_one_given() {
    let long = "x".repeat(53);
    for name in ["Weather", "9weather", "a.b", "a_b", &long] {
        let body = with(weather(&json!({})), "name", json!(name));
        let message = refused(service(&body));
        assert!(
            message.starts_with(&format!("name: \"{name}\" with \"-svc-\" and six characters is not a DNS-1035")),
            "{message}"
        );
        assert!(message.ends_with("; give deployConfig.serviceName"), "{message}");
        assert!(service(&with(body, "deployConfig", json!({"serviceName": "weather"}))).is_ok(), "{name}");
    }
    let stored = with(weather(&json!({"serviceName": "weather", "storageSize": "1Gi"})), "name", json!("a_b"));
    let message = refused(service(&stored));
    assert!(message.ends_with("; give deployConfig.pvcName"), "{message}");
    for (name, fits) in [("9weather", true), ("a.b", true), (&*long, true), ("Weather", false), ("a_b", false)] {
        assert_eq!(instance(&with(weather(&json!({})), "name", json!(name))).is_ok(), fits, "{name}");
    }
}

#[test]
fn a_change_says_what_changes() {
    let parse = |body: Value| ServiceChange::parse(body.to_string().as_bytes());
    let change = plain(parse(json!({"image": "i:2", "environment_variables": {"K2": "changed"}, "other": [1]})));
    assert_eq!(
        (change.replicas, change.image.as_deref(), change.variables["K2"].as_str()),
        (None, Some("i:2"), "changed")
    );
    assert_eq!(plain(parse(json!({"replicas": 0}))).replicas, Some(0));
    for nothing in
        [json!({}), json!({"replicas": null, "image": "", "environment_variables": {}}), json!({"replica": 3})]
    {
        let (change, warnings) = warned(parse(nothing));
        assert!(change.is_empty() && warnings.starts_with("there is nothing to change"), "{warnings}");
    }
    let (change, warnings) = warned(parse(json!({"replicas": "3", "environment_variables": {"K": 1}})));
    assert_eq!((change.replicas, change.variables["K"].as_str()), (Some(3), "1"));
    assert!(warnings.contains("replicas: \"3\"") && warnings.contains("environment_variables.K: "), "{warnings}");
    assert_eq!(refused(parse(json!({"replicas": -1}))), "replicas: -1 is not a whole number from 0 to 150000");
}
