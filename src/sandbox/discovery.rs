//! Discovery, which clients ask for first: the version, the groups, the types, and just enough
//! OpenAPI for kubectl to leave validation to the server.

use serde_json::{Map, Value, json};

use super::resource::Resource;

const VERBS: [&str; 6] = ["create", "delete", "get", "list", "patch", "update"];

/// The document at a discovery path; `None` for any other path.
pub(super) fn document(path: &str) -> Option<Value> {
    Some(match path.trim_end_matches('/') {
        "/version" => json!({
            "major": "1",
            "minor": "20",
            "gitVersion": "v1.20.2-sandbox",
            "gitCommit": "",
            "gitTreeState": "",
            "buildDate": "1970-01-01T00:00:00Z",
            "goVersion": "",
            "compiler": "rustc",
            "platform": "linux/amd64",
        }),
        "/api" => json!({"kind": "APIVersions", "versions": ["v1"], "serverAddressByClientCIDRs": []}),
        "/apis" => json!({"kind": "APIGroupList", "apiVersion": "v1", "groups": [apps()]}),
        "/apis/apps" => {
            let mut group = apps();
            group["kind"] = json!("APIGroup");
            group["apiVersion"] = json!("v1");
            group
        }
        "/api/v1" => resources("", "v1"),
        "/apis/apps/v1" => resources("apps", "apps/v1"),
        "/openapi/v3" => json!({"paths": {
            "api/v1": {"serverRelativeURL": "/openapi/v3/api/v1"},
            "apis/apps/v1": {"serverRelativeURL": "/openapi/v3/apis/apps/v1"},
        }}),
        "/openapi/v3/api/v1" => open_api("", "/api/v1"),
        "/openapi/v3/apis/apps/v1" => open_api("apps", "/apis/apps/v1"),
        _ => return None,
    })
}

/// True if a path asks after the server's health.
pub(super) fn is_health_check(path: &str) -> bool {
    matches!(path, "/healthz" | "/livez" | "/readyz")
}

fn apps() -> Value {
    let version = json!({"groupVersion": "apps/v1", "version": "v1"});
    json!({"name": "apps", "versions": [version], "preferredVersion": version})
}

fn of_group(group: &str) -> impl Iterator<Item = Resource> {
    Resource::ALL.into_iter().filter(move |resource| resource.group() == group)
}

fn resources(group: &str, group_version: &str) -> Value {
    let mut resources = Vec::new();
    for resource in of_group(group) {
        let (namespaced, kind) = (resource.namespaced(), resource.kind());
        resources.push(json!({
            "name": resource.plural(),
            "singularName": "",
            "namespaced": namespaced,
            "kind": kind,
            "verbs": VERBS,
            "shortNames": [resource.short_name()],
        }));
        let part = |name: &str, kind: &str| {
            json!({
                "name": format!("{}/{name}", resource.plural()),
                "singularName": "",
                "namespaced": namespaced,
                "kind": kind,
                "verbs": ["get", "patch", "update"],
            })
        };
        resources.push(part("status", kind));
        if resource == Resource::Deployments {
            let mut scale = part("scale", "Scale");
            scale["group"] = json!("autoscaling");
            scale["version"] = json!("v1");
            resources.push(scale);
        }
    }
    json!({"kind": "APIResourceList", "apiVersion": "v1", "groupVersion": group_version, "resources": resources})
}

/// The one thing that kubectl looks up before it creates something: that PATCH takes `fieldValidation`.
fn open_api(group: &str, root: &str) -> Value {
    let paths: Map<String, Value> = of_group(group)
        .map(|resource| {
            let patch = json!({
                "parameters": [{"name": "fieldValidation", "in": "query", "schema": {"type": "string"}}],
                "responses": {"200": {"description": "OK"}},
                "x-kubernetes-action": "patch",
                "x-kubernetes-group-version-kind": {"group": group, "version": "v1", "kind": resource.kind()},
            });
            let place = if resource.namespaced() { "/namespaces/{namespace}" } else { "" };
            (format!("{root}{place}/{}/{{name}}", resource.plural()), json!({"patch": patch}))
        })
        .collect();
    json!({"openapi": "3.0.0", "info": {"title": "Kubernetes", "version": "v1.20.2-sandbox"}, "paths": paths})
}
