//! Rights of the controller: with those that `k8s/base` grants every route works, and each of them is used.
//! Only a real API server can tell.

use crate::support::controller::{Controller, send};
use crate::support::envhub::{EnvHub, Manner};
use crate::support::live::ApiServer;
use crate::support::manifest::{at, object};
use crate::support::{Calls, Cluster, connect, on_an_api_server, seed};
use k8s_openapi::api::authorization::v1::SelfSubjectAccessReview;
use k8s_openapi::api::core::v1::{Pod, ServiceAccount};
use k8s_openapi::api::rbac::v1::{Role, RoleBinding};
use kube::api::{ListParams, PostParams};
use kube::{Api, Client};
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};
use std::collections::BTreeSet;

on_an_api_server! {
    granted_rights_are_sufficient_and_all_used,
}

/// A right, or a call that needs it: verb, API group, resource.
type Right = (String, String, String);

async fn granted_rights_are_sufficient_and_all_used() {
    let server = ApiServer::shared().await;
    let cluster = deployed(server).await;
    go_through_every_route(&cluster).await;
    let calls = cluster.calls();
    assert!(calls.by.iter().all(|call| ![401, 403].contains(&call.code)), "{calls:?}");
    assert_eq!(used(&calls), granted());

    let account = connect(cluster.kubeconfig_path()).await;
    for (verb, group, resource) in granted() {
        assert!(may(&account, &verb, &group, &resource, cluster.namespace()).await, "{verb} {resource}");
    }
    let here = cluster.namespace();
    for (verb, group, resource, namespace) in [
        ("watch", "", "pods", here),
        ("watch", "", "services", here),
        ("watch", "apps", "deployments", here),
        ("list", "", "persistentvolumeclaims", here),
        ("update", "", "pods", here),
        ("update", "", "services", here),
        ("update", "", "persistentvolumeclaims", here),
        ("deletecollection", "", "pods", here),
        ("update", "apps", "deployments/scale", here),
        ("get", "", "pods/log", here),
        ("create", "", "pods/exec", here),
        ("create", "", "pods/eviction", here),
        ("get", "", "secrets", here),
        ("list", "", "secrets", here),
        ("get", "", "configmaps", here),
        ("create", "", "events", here),
        ("create", "", "serviceaccounts/token", here),
        ("get", "apps", "replicasets", here),
        ("create", "rbac.authorization.k8s.io", "rolebindings", here),
        ("get", "coordination.k8s.io", "leases", here),
        ("create", "coordination.k8s.io", "leases", here),
        ("get", "coordination.k8s.io", "leases", "aenv"),
        ("get", "", "configmaps", "aenv"),
        ("list", "", "pods", "aenv"),
        ("list", "", "pods", "default"),
        ("list", "apps", "deployments", "kube-system"),
        ("list", "", "pods", ""),
        ("list", "", "nodes", ""),
        ("list", "", "namespaces", ""),
        ("get", "", "persistentvolumes", ""),
        ("*", "*", "*", here),
        ("*", "*", "*", ""),
    ] {
        assert!(!may(&account, verb, group, resource, namespace).await, "{verb} {group}/{resource} in {namespace:?}");
    }
    // The reviews say what is so.
    let elsewhere = Api::<Pod>::namespaced(account, "default").list(&ListParams::default()).await.unwrap_err();
    assert!(matches!(&elsewhere, kube::Error::Api(status) if status.code == 403), "{elsewhere}");
}

/// The namespaces, the account and its rights, as they are applied to a cluster.
async fn deployed(server: &ApiServer) -> Cluster {
    let [account, role, binding] =
        ["service-account", "role", "role-binding"].map(|name| object(&format!("base/{name}.yaml")));
    let text = |object: &Value, pointer| at(object, pointer).as_str().unwrap().to_owned();
    let [home, name] = ["/metadata/namespace", "/metadata/name"].map(|pointer| text(&account, pointer));
    let namespace = text(&role, "/metadata/namespace");
    for namespace in [&home, &namespace] {
        server.create_namespace(namespace).await;
    }
    let (admin, new) = (server.admin().await, PostParams::default());
    let account: ServiceAccount = serde_json::from_value(account).unwrap();
    Api::namespaced(admin.clone(), &home).create(&new, &account).await.unwrap();
    let role: Role = serde_json::from_value(role).unwrap();
    Api::namespaced(admin.clone(), &namespace).create(&new, &role).await.unwrap();
    let binding: RoleBinding = serde_json::from_value(binding).unwrap();
    Api::namespaced(admin, &namespace).create(&new, &binding).await.unwrap();
    server.cluster_as(&home, &name, &namespace).await
}

/// Asks each line of the route table, with the queries that make further calls.
async fn go_through_every_route(cluster: &Cluster) {
    seed::pod("tides-old").env("tides").ttl("1ms").create(cluster).await;
    seed::pod("tides-older").env("tides").ttl("1ms").create(cluster).await;
    let hub = EnvHub::start(Manner::describe(&json!({}))).await;
    let keys = [("envhub.url", hub.url()), ("memo.list_ttl_ms", "0"), ("memo.get_ttl_ms", "0")];
    let controller = Controller::with(cluster, &keys).await;
    let environment = |deploy: Value| {
        json!({
            "name": "tides", "version": "3.4",
            "artifacts": [{"type": "image", "content": "registry.example.com/aenv/tides:3.4"}],
            "deployConfig": deploy
        })
    };
    let stored = |name: &str| json!({"serviceName": name, "storageSize": "2Gi", "pvcName": format!("{name}-data")});
    let by_name = |deploy: Value| {
        let mut body = json!({"envName": "tides@9"});
        body.as_object_mut().unwrap().extend(deploy.as_object().unwrap().clone());
        body
    };
    let (none, change) = (Value::Null, json!({"replicas": 2}));
    for (method, path, body) in [
        ("POST", "/services", environment(stored("stored"))),
        // Its claim exists.
        (
            "POST",
            "/services",
            environment(json!({"serviceName": "second", "storageSize": "2Gi", "pvcName": "stored-data"})),
        ),
        ("GET", "/services", none.clone()),
        ("GET", "/services?envName=tides", none.clone()),
        ("GET", "/services/stored", none.clone()),
        ("PUT", "/services/stored", change.clone()),
        ("DELETE", "/services/second", none.clone()),
        ("DELETE", "/services/stored?deleteStorage=true", none.clone()),
        ("POST", "/pods", environment(json!({"ttl": "30m"}))),
        ("GET", "/pods", none.clone()),
        ("GET", "/pods?filter=expired", none.clone()),
        ("GET", "/pods/tides-old", none.clone()),
        ("PUT", "/pods/tides-old", json!({"ttl": "2h"})),
        ("DELETE", "/pods/tides-old", none.clone()),
        ("DELETE", "/pods?filter=expired&owner=nobody", none.clone()),
        (
            "POST",
            "/env-service",
            by_name(json!({"service_name": "named", "storage_size": "2Gi", "pvc_name": "named-data"})),
        ),
        ("GET", "/env-service/*/list", none.clone()),
        ("GET", "/env-service/named", none.clone()),
        ("PUT", "/env-service/named", change),
        ("DELETE", "/env-service/named?deleteStorage=true", none.clone()),
        ("POST", "/env-instance", by_name(json!({"ttl": "30m"}))),
        ("GET", "/env-instance/list", none.clone()),
        ("GET", "/env-instance/tides/list", none.clone()),
        ("GET", "/env-instance/tides-older", none.clone()),
        ("DELETE", "/env-instance/tides-older", none),
    ] {
        let mut request = controller.request(method.parse::<Method>().unwrap(), path);
        if !body.is_null() {
            request = request.json(&body);
        }
        let answer = send(request).await;
        assert!([StatusCode::OK, StatusCode::CREATED].contains(&answer.status), "{method} {path}: {:?}", answer.body);
    }
    // A create that is asked again sees to it that what it finds stays.
    for path in ["/services", "/services", "/pods", "/pods"] {
        let once = controller.request(Method::POST, path).header("Idempotency-Key", "once");
        assert_eq!(send(once.json(&environment(json!({})))).await.status, StatusCode::CREATED, "{path}");
    }
    // A create that fails halfway looks for what it has made, and removes it.
    seed::service("taken", 7443).create(cluster).await;
    controller.post("/services", &environment(stored("taken"))).await.failure(409);
}

/// The rights that the Role grants.
fn granted() -> BTreeSet<Right> {
    let role: Role = serde_json::from_value(object("base/role.yaml")).unwrap();
    let mut granted = BTreeSet::new();
    for rule in role.rules.unwrap() {
        assert_eq!((rule.resource_names, rule.non_resource_urls), (None, None));
        for group in rule.api_groups.unwrap() {
            for resource in rule.resources.as_ref().unwrap() {
                granted.extend(rule.verbs.iter().map(|verb| (verb.clone(), group.clone(), resource.clone())));
            }
        }
    }
    granted
}

/// The rights that the recorded calls needed.
fn used(calls: &Calls) -> BTreeSet<Right> {
    let right = |verb: &str, resource: &str| {
        let group = if resource == "deployments" { "apps" } else { "" };
        (verb.to_owned(), group.to_owned(), resource.to_owned())
    };
    calls.by.iter().map(|call| right(&call.verb, &call.resource)).collect()
}

/// True if the API server would let the account do this; an empty namespace is all of them.
async fn may(account: &Client, verb: &str, group: &str, resource: &str, namespace: &str) -> bool {
    let (resource, subresource) = resource.split_once('/').unwrap_or((resource, ""));
    let attributes = json!({
        "verb": verb, "group": group, "resource": resource, "subresource": subresource, "namespace": namespace
    });
    let review = serde_json::from_value(json!({"metadata": {}, "spec": {"resourceAttributes": attributes}})).unwrap();
    let reviewed = Api::<SelfSubjectAccessReview>::all(account.clone()).create(&PostParams::default(), &review).await;
    reviewed.unwrap().status.unwrap().allowed
}
