//! One run: a world is built, lives for a while, comes to rest, and is looked over.

use crate::api_server::ApiServer;
use crate::callers::{Api, Caller, Creation};
use crate::checks::{self, Answer, Asked, Filter};
use crate::faults::Weather;
use crate::history::Kind;
use crate::plan::Plan;
use crate::wire::wire;
use crate::world::{ReplicaId, World};
use crate::writers;
use actix_web::body;
use actix_web::dev::Service;
use actix_web::test::{self, TestRequest};
use aenv_controller::simulation::{Assembly, app, simulate};
use fastrand::Rng;
use jiff::Timestamp;
use std::rc::Rc;
use std::sync::Arc;
use tokio::runtime::Builder;
use tokio::task::{JoinSet, LocalSet};
use tokio::time::{Duration, sleep, timeout};

/// How long undoing may go on after the last fault: its own time, and that of the calls that it makes.
const REST: Duration = Duration::from_secs(150);

/// How long a replica may take to answer again once all is well.
const RECOVERY: Duration = Duration::from_secs(60);

/// Everything that is left of a run.
pub(crate) struct Run {
    pub(crate) log: Vec<String>,
    pub(crate) broken: Vec<String>,
}

/// Runs the world of `seed` from its beginning to its end.
pub(crate) fn run(seed: u64) -> Run {
    let runtime = Builder::new_current_thread().enable_time().start_paused(true).build().unwrap();
    LocalSet::new().block_on(&runtime, async {
        simulate(Timestamp::from_second(1_700_000_000).unwrap(), seed);
        let mut rng = Rng::with_seed(seed);
        let world = World::new(Plan::draw(&mut rng), ApiServer::new());
        live(&world, &mut rng).await;
        let (log, broken) = world.take();
        Run { log, broken }
    })
}

async fn live(world: &Arc<World>, rng: &mut Rng) {
    world.log(format_args!("{:?}", world.plan));
    writers::prepare(world, rng).await;
    let (one, other) = (replica(world, 0, rng.fork()).await, replica(world, 1, rng.fork()).await);
    let (apis, replicas) = ([one.0, other.0], [one.1, other.1]);

    let mut callers = JoinSet::new();
    for id in 0..world.plan.callers {
        callers.spawn_local(Caller::new(world, &apis, rng.fork(), id).run());
    }
    let mut others = JoinSet::new();
    for id in 0..world.plan.writers {
        others.spawn_local(writers::write(Arc::clone(world), rng.fork(), id, 8));
    }
    let weather = tokio::task::spawn_local(change_weather(Arc::clone(world), rng.fork()));
    let mut creations = Vec::new();
    while let Some(made) = callers.join_next().await {
        creations.extend(made.unwrap());
    }
    weather.abort();
    world.set_weather(Weather::calm());
    while others.join_next().await.is_some() {}
    rest(world, &replicas).await;
    look_over(world, &apis, &creations).await;
}

/// A replica with all of its layers, between its callers and its wire.
async fn replica(world: &Arc<World>, id: ReplicaId, rng: Rng) -> (Api, Assembly) {
    let assembly = Assembly::new(&world.plan.settings, wire(world, id, rng), "a simulation").unwrap();
    let service = Rc::new(test::init_service(app(Arc::clone(&assembly.api), None)).await);
    let api: Api = Rc::new(move |request| {
        let service = Rc::clone(&service);
        Box::pin(async move {
            let answered = service.call(request).await.unwrap();
            let header = |name: &str| answered.headers().get(name).map(|value| value.to_str().unwrap().to_owned());
            let (status, age) = (answered.status(), header("age").map(|age| age.parse().unwrap()));
            let cache_status = header("cache-status").unwrap_or_default();
            let replayed = header("idempotent-replay").is_some();
            let body =
                body::to_bytes(answered.into_body()).await.unwrap_or_else(|_| panic!("a body in memory breaks off"));
            Answer { status, cache_status, age, replayed, body: serde_json::from_slice(&body).unwrap_or_default() }
        })
    });
    (api, assembly)
}

async fn change_weather(world: Arc<World>, mut rng: Rng) {
    world.set_weather(Weather::calm());
    if world.plan.calm {
        return;
    }
    loop {
        sleep(Duration::from_millis(rng.u64(200..8_000))).await;
        world.set_weather(Weather::any(&mut rng));
    }
}

/// Waits until every write has come to its end or been undone.
async fn rest(world: &World, replicas: &[Assembly]) {
    for (id, replica) in replicas.iter().enumerate() {
        if timeout(REST, replica.writes_ended()).await.is_err() {
            world.broken(format_args!("r{id} still writes long after the last fault"));
        }
    }
    // What is remembered is old by then, and calls that nobody waits for have ended.
    sleep(REST).await;
}

/// Looks for things left behind or lost, and whether both replicas are as well as at the beginning.
async fn look_over(world: &World, apis: &[Api; 2], creations: &[Creation]) {
    for Creation { kind, mark, has_key, told_of } in creations {
        let left = world.history(|history| history.existing_with(*kind, mark));
        // With a key the caller may ask again, and finds what was made; but only all of it.
        if told_of.is_none() && !has_key && !left.is_empty() {
            world.broken(format_args!("{left:?} survives a failed create, {mark}"));
        }
        if let Some(name) = told_of
            && !world.history(|history| history.is_or_was_deleted(*kind, name))
        {
            world.broken(format_args!("{kind:?} {name} is gone, of which a caller was told, {mark}"));
        }
    }
    // Nobody else creates or deletes what has a generated name.
    for name in world.history(|history| history.names(Kind::Deployment)) {
        let parts = [Kind::Deployment, Kind::Service];
        let [deployment, service] = parts.map(|kind| world.history(|history| history.now(kind, &name).is_some()));
        if name.contains("-svc-") && deployment != service {
            world.broken(format_args!("half of {name} is left: Deployment {deployment}, Service {service}"));
        }
    }
    for (id, api) in apis.iter().enumerate() {
        for (kind, path) in [(Kind::Pod, "/pods"), (Kind::Deployment, "/services")] {
            recovered(world, id, api, kind, path).await;
        }
    }
}

/// Asks again and again, since a rate that has been cut grows only while it is used.
async fn recovered(world: &World, id: ReplicaId, api: &Api, kind: Kind, path: &str) {
    for _ in 0..RECOVERY.as_secs() {
        let asked = Asked { no_cache: true, ..Asked::now(world, id) };
        let request = TestRequest::default().uri(path).insert_header(("cache-control", "no-cache"));
        let answer = api(request.to_request()).await;
        if answer.status == 200 && !answer.cache_status.contains("stale") {
            return checks::list(world, kind, &asked, Filter::default(), &answer);
        }
        sleep(Duration::from_secs(1)).await;
    }
    world.broken(format_args!("r{id} does not recover: {path}"));
}
