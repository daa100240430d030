//! A small EnvHub, so that services and instances can be created by the name of an environment.

use actix_web::HttpResponse;
use actix_web::web::{Path, ServiceConfig, get, resource};
use serde_json::json;

use super::seed::ENVIRONMENTS;

/// Mounts the one route: `GET /env/{name}/{version}`, in any version of the seeded environments.
pub(super) fn mount(config: &mut ServiceConfig) {
    config.service(resource("/env/{name}/{version}").route(get().to(describe)));
}

async fn describe(path: Path<(String, String)>) -> HttpResponse {
    let (name, version) = path.into_inner();
    if !ENVIRONMENTS.contains(&name.as_str()) {
        let message = format!("Environment not found: {name}@{version}");
        return HttpResponse::NotFound().json(json!({"success": false, "code": 404, "message": message, "data": null}));
    }
    let time = "2026-01-01T00:00:00Z";
    let image = format!("registry.example.com/aenv/{name}:{version}");
    HttpResponse::Ok().json(json!({
        "success": true,
        "code": 0,
        "message": "",
        "data": {
            "id": format!("{name}-{version}"),
            "name": name,
            "description": format!("the {name} environment of the sandbox"),
            "version": version,
            "tags": ["sandbox"],
            "code_url": "",
            "status": 6,
            "artifacts": [{"id": "", "type": "image", "content": image}],
            "build_config": {},
            "test_config": {},
            "deploy_config": {"cpuRequest": "500m", "cpuLimit": "1"},
            "created_at": time,
            "updated_at": time,
        },
    }))
}
