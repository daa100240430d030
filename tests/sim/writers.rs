//! Others who write to the API server: kubectl, kubelet, other controllers. No replica hears of it.

use crate::history::Kind;
use crate::world::World;
use bytes::Bytes;
use fastrand::Rng;
use http::{Method, Request};
use serde_json::{Value, json};
use std::sync::Arc;
use tokio::time::{Duration, sleep};

/// Names that others give, so that objects go and come back.
const NAMES: [&str; 6] = ["tides-a", "tides-b", "tides-c", "dunes-a", "dunes-b", "dunes-c"];

/// Puts some objects there before anybody asks.
pub(crate) async fn prepare(world: &World, rng: &mut Rng) {
    for (number, name) in NAMES.into_iter().enumerate().take(rng.usize(0..=NAMES.len())) {
        create_pod(world, name, number).await;
    }
}

/// Writes now and then, until it is told to end.
pub(crate) async fn write(world: Arc<World>, mut rng: Rng, id: usize, changes: usize) {
    for number in 0..changes {
        sleep(Duration::from_millis(rng.u64(50..3_000))).await;
        let number = 1000 * (id + 1) + number;
        match rng.u8(0..10) {
            0..3 => create_pod(&world, NAMES[rng.usize(0..NAMES.len())], number).await,
            3..6 => run_pod(&world, &mut rng).await,
            6 => relabel(&world, Kind::Pod, &mut rng, number).await,
            7 => relabel(&world, Kind::Deployment, &mut rng, number).await,
            8 => {
                let Some(name) = any(&world, Kind::Pod, &mut rng) else { continue };
                world.history(|history| history.doom(Kind::Pod, &name));
                ask(&world, Method::DELETE, &format!("{}/{name}", Kind::Pod.path()), &json!({})).await;
                let_go(&world, &name).await;
            }
            _ => {
                world.log("compaction");
                world.api_server.compact();
            }
        }
    }
}

fn any(world: &World, kind: Kind, rng: &mut Rng) -> Option<String> {
    let names = world.history(|history| history.existing_with(kind, ""));
    (!names.is_empty()).then(|| names[rng.usize(0..names.len())].clone())
}

async fn create_pod(world: &World, name: &str, number: usize) {
    let env = name.split('-').next().unwrap();
    let labels = json!({
        "app.kubernetes.io/name": "aenv-sandbox", "template-type": "singleContainer",
        "business/aenv-name": env, "business/aenv-owner": format!("x{number}"),
    });
    // Some outlive their deletion, as a Pod does that a kubelet has to stop.
    let finalizers = if number.is_multiple_of(3) { json!(["example.com/hold"]) } else { json!([]) };
    let pod = json!({
        "metadata": {"name": name, "labels": labels, "finalizers": finalizers},
        "spec": {"containers": [{"name": "main", "image": "registry.example.com/aenv/x:1"}]},
    });
    ask(world, Method::POST, Kind::Pod.path(), &pod).await;
}

/// As kubelet does.
async fn run_pod(world: &World, rng: &mut Rng) {
    let Some(name) = any(world, Kind::Pod, rng) else { return };
    let phase = if rng.u8(0..4) == 0 { "Succeeded" } else { "Running" };
    let path = format!("{}/{name}/status", Kind::Pod.path());
    ask(world, Method::PATCH, &path, &json!({"status": {"phase": phase}})).await;
}

/// Lets an object go that may have been held back.
async fn let_go(world: &World, pod: &str) {
    let path = format!("{}/{pod}", Kind::Pod.path());
    ask(world, Method::PATCH, &path, &json!({"metadata": {"finalizers": null}})).await;
}

async fn relabel(world: &World, kind: Kind, rng: &mut Rng, number: usize) {
    let Some(name) = any(world, kind, rng) else { return };
    let patch = json!({"metadata": {"labels": {"business/aenv-owner": format!("x{number}")}}});
    ask(world, Method::PATCH, &format!("{}/{name}", kind.path()), &patch).await;
}

async fn ask(world: &World, method: Method, path: &str, body: &Value) {
    let media_type = if method == Method::PATCH { "application/merge-patch+json" } else { "application/json" };
    world.log(format_args!("somebody else: {method} {}", path.rsplit_once("/aenv-sandbox/").unwrap().1));
    let request = Request::builder().method(method).uri(path).header("content-type", media_type);
    let request = request.body(Bytes::from(body.to_string())).unwrap();
    world.api_server.carry_out(world, request, None).await;
}
