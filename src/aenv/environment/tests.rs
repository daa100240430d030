//! Whole bodies: what becomes of them, and what is said of those that cannot be meant.

use super::*;
use crate::syntax::{ObjectName, TemplateName};
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

pub(super) fn service(body: &Value) -> Result<ServiceSpec, Faults> {
    ServiceSpec::parse(body.to_string().as_bytes())
}

pub(super) fn instance(body: &Value) -> Result<InstanceSpec, Faults> {
    let pod_templates = ["singleContainer", "dualContainer"].map(|name| TemplateName::new(name).unwrap());
    let known = Known { pod_templates: &pod_templates, selector_keys: &["app".to_owned()] };
    InstanceSpec::parse(body.to_string().as_bytes(), known)
}

#[track_caller]
fn refused<T: std::fmt::Debug>(read: Result<T, Faults>) -> String {
    read.unwrap_err().to_string()
}

/// The body without the member `key`, or with another value for it.
pub(super) fn with(mut body: Value, key: &str, value: Value) -> Value {
    body[key] = value;
    body
}

#[test]
fn a_service_has_the_defaults_of_the_reference() {
    let spec = service(&weather(&json!({}))).unwrap();
    assert_eq!((spec.env.as_str(), spec.version.unwrap().as_str(), spec.owner), ("weather", "1.0.2", None));
    assert_eq!(spec.image, "registry.example.com/aenv/weather:1.0.2");
    assert_eq!((spec.replicas, spec.port, spec.mount_path.as_str()), (1, 8080, "/home/admin/data"));
    assert_eq!((spec.variables.len(), spec.storage), (0, None));
    let ServiceName::Generated(prefix) = spec.name else { panic!("{:?}", spec.name) };
    assert_eq!(prefix.as_str(), "weather-svc-");
    let Resources { cpu, memory, ephemeral_storage } = spec.resources;
    let told = [cpu, memory, ephemeral_storage].map(|Amount { request, limit }| format!("{request} {limit}"));
    assert_eq!(told, ["1 1", "2Gi 2Gi", "10Gi 10Gi"]);
}

#[test]
fn a_service_is_what_its_body_says() {
    let spec = service(&weather(&json!({
        "serviceName": "weather-main", "owner": "jun", "replicas": 2.0, "port": 9e3,
        "environment_variables": {"K1": "v1", "my.own-K_2": "", "gone": null},
        "cpuRequest": "500m", "cpuLimit": "2", "memoryRequest": "1Gi", "memoryLimit": "3Gi",
        "ephemeralStorageRequest": "1Gi", "ephemeralStorageLimit": "2Gi", "os": "linux", "cpu": "1C",
    })))
    .unwrap();
    assert_eq!(spec.name, ServiceName::Given(ObjectName::new("weather-main").unwrap()));
    assert_eq!((spec.owner.unwrap().as_str(), spec.replicas, spec.port), ("jun", 2, 9000));
    let variables = [("K1".to_owned(), "v1".to_owned()), ("my.own-K_2".to_owned(), String::new())];
    assert_eq!(spec.variables, variables.into());
    assert_eq!(spec.resources.cpu.request.to_string(), "500m");
    assert_eq!(spec.resources.ephemeral_storage.limit.to_string(), "2Gi");
}

#[test]
fn storage_is_claimed_under_the_given_name_or_the_environments() {
    let claimed = |deploy| {
        let spec = service(&weather(&deploy)).unwrap();
        let storage = spec.storage.unwrap();
        (storage.claim.to_string(), storage.size.to_string(), spec.mount_path)
    };
    let given = claimed(json!({"storageSize": "20Gi", "mountPath": "/data", "pvcName": "wdata"}));
    assert_eq!(given, ("wdata".into(), "20Gi".into(), "/data".into()));
    let default = claimed(json!({"storageSize": "5Gi", "pvcName": "", "replicas": 1}));
    assert_eq!(default, ("weather".into(), "5Gi".into(), "/home/admin/data".into()));
    assert_eq!(service(&weather(&json!({"pvcName": "wdata", "replicas": 2}))).unwrap().storage, None);
}

#[test]
fn an_instance_is_what_its_body_says() {
    let spec = instance(&weather(&json!({
        "owner": "jun", "ttl": "1.5h", "podTemplate": "dualContainer", "secondImageName": "side:1",
        "arguments": ["--fast", "-v"], "environment_variables": {"K1": "v1"},
        "resource": "autoscale", "cpu": "4", "memory": "8G",
        "labels": {"team": "red", "example.com/tier": "", "kubernetes.io.example.com/x": "y"},
    })))
    .unwrap();
    assert_eq!((spec.env.as_str(), spec.name.as_str()), ("weather", "weather-"));
    assert_eq!(spec.ttl.unwrap().as_str(), "1.5h");
    assert_eq!((spec.template.as_str(), spec.second_image.as_deref()), ("dualContainer", Some("side:1")));
    assert_eq!(spec.arguments, ["--fast", "-v"]);
    let Autoscale { cpu, memory } = spec.autoscale.unwrap();
    assert_eq!((cpu.to_string(), memory.to_string()), ("4".into(), "8G".into()));
    assert_eq!(spec.labels.len(), 3);

    let plain = instance(&weather(&json!({"cpu": "1C", "memory": "2G", "resource": "fixed", "ttl": ""}))).unwrap();
    assert_eq!((plain.autoscale, plain.ttl, plain.template.as_str()), (None, None, "singleContainer"));
}

#[test]
fn deploy_settings_have_two_spellings_and_the_first_wins() {
    let body = with(weather(&Value::Null), "deploy_config", json!({"port": 9000}));
    assert_eq!(service(&body).unwrap().port, 9000);
    assert_eq!(service(&with(body, "deployConfig", json!({"port": 9001}))).unwrap().port, 9001);
    let wrong = with(weather(&Value::Null), "deploy_config", json!({"port": 0}));
    assert_eq!(refused(service(&wrong)), "deploy_config.port: 0 is not a whole number from 1 to 65535");
    assert!(service(&with(weather(&json!({})), "status", json!("Ready"))).is_ok());
}

#[test]
fn all_faults_are_told_at_once() {
    let body = json!({
        "name": "a b", "artifacts": [],
        "deployConfig": {"cpuLimit": "lots", "port": "8080", "owner": 5, "replicas": 2.5, "mountPath": "data"},
    });
    assert_eq!(
        refused(service(&body)),
        "name: \"a b\" is not a label value: at most 63 letters, digits, '-', '_' or '.', beginning and ending with a \
         letter or digit; artifacts: has no image, give one of type \"image\"; deployConfig.owner: is a number, put it \
         in quotes; deployConfig.replicas: 2.5 is not a whole number from 0 to 150000; deployConfig.port: \"8080\" is not \
         a whole number from 1 to 65535; deployConfig.cpuLimit: \"lots\" is not a quantity, such as 500m or 2Gi; \
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
        (json!({"port": 65536}), "deployConfig.port: 65536 is not a whole number from 1 to 65535"),
        (json!({"cpuLimit": 2}), "deployConfig.cpuLimit: is a number, put it in quotes"),
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
        (
            json!({"environment_variables": {"K": 5}}),
            "deployConfig.environment_variables.K: is a number, put it in quotes",
        ),
        (
            json!({"environment_variables": {"K": [SECRET]}}),
            "deployConfig.environment_variables.K: is a list, give a text",
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
        (json!({"arguments": ["-v", 5]}), "deployConfig.arguments[1]: is a number, put it in quotes"),
        (
            json!({"resource": "autoscale", "memory": "8G"}),
            "deployConfig.cpu: is missing, a resource of \"autoscale\" needs it",
        ),
        (json!({"resource": "autoscale", "cpu": "1C", "memory": "8G"}), "deployConfig.cpu: \"1C\" is not a quantity"),
        (json!({"labels": {"a b": "c"}}), "deployConfig.labels: \"a b\" is not a label key"),
        (json!({"labels": {"team": "a b"}}), "deployConfig.labels.team: \"a b\" is not a label value"),
        (json!({"labels": {"team": 5}}), "deployConfig.labels.team: is a number, put it in quotes"),
        (json!({"labels": {"business/aenv-owner": "me"}}), "deployConfig.labels: \"business/aenv-owner\" is reserved"),
        (
            json!({"labels": {"app.kubernetes.io/name": "x"}}),
            "deployConfig.labels: \"app.kubernetes.io/name\" is reserved",
        ),
        (json!({"labels": {"kubernetes.io/x": "x"}}), "deployConfig.labels: \"kubernetes.io/x\" is reserved"),
        (json!({"labels": {"node.k8s.io/x": "x"}}), "deployConfig.labels: \"node.k8s.io/x\" is reserved"),
        (json!({"labels": {"template-type": "x"}}), "deployConfig.labels: \"template-type\" is reserved"),
        (json!({"labels": {"app": "weather-main"}}), "deployConfig.labels: \"app\" is reserved"),
    ] {
        let message = refused(instance(&weather(&deploy)));
        assert!(message.starts_with(told) && !message.contains("; deploy"), "{message}");
    }
}

#[test]
fn who_and_what_must_be_said() {
    let body = || weather(&json!({}));
    for (key, value, told) in [
        ("name", Value::Null, "name: is missing, give the environment's name"),
        ("name", json!(""), "name: is missing, give the environment's name"),
        ("version", json!("v 1"), "version: \"v 1\" is not a label value"),
        ("version", json!(1.0), "version: is a number, put it in quotes"),
        ("artifacts", Value::Null, "artifacts: is missing, give one of type \"image\""),
        ("artifacts", json!({}), "artifacts: is an object, give a list"),
        ("artifacts", json!([5]), "artifacts[0]: is a number, give an object"),
        ("artifacts", json!([{"type": 5}]), "artifacts[0].type: is a number, put it in quotes"),
        ("artifacts", json!([{"type": "whl", "content": "x"}]), "artifacts: has no image, give one of type \"image\""),
        ("artifacts", json!([{}, {"type": "IMAGE", "content": ""}]), "artifacts[1]: has no content, give the name"),
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
    assert_eq!(service(&with(body(), "artifacts", artifacts)).unwrap().image, "first");
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
fn a_change_changes_something() {
    let parse = |body: Value| ServiceChange::parse(body.to_string().as_bytes());
    let change = parse(json!({"image": "i:2", "environment_variables": {"K2": "changed"}, "other": [1]})).unwrap();
    assert_eq!(
        (change.replicas, change.image.as_deref(), change.variables["K2"].as_str()),
        (None, Some("i:2"), "changed")
    );
    assert_eq!(parse(json!({"replicas": 0})).unwrap().replicas, Some(0));
    for nothing in
        [json!({}), json!({"replicas": null, "image": "", "environment_variables": {}}), json!({"replica": 3})]
    {
        assert!(refused(parse(nothing)).starts_with("there is nothing to change"));
    }
    let wrong = refused(parse(json!({"replicas": "3", "environment_variables": {"K": 1}})));
    assert_eq!(
        wrong,
        "replicas: \"3\" is not a whole number from 0 to 150000; environment_variables.K: is a number, put it in quotes"
    );
}
