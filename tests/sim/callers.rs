//! Callers: whoever asks the replicas, at random, and hangs up now and then.

use crate::checks::{self, Answer, Asked, Filter};
use crate::history::{Kind, State};
use crate::world::{ReplicaId, World};
use actix_http::Request;
use actix_web::http::Method;
use actix_web::test::TestRequest;
use fastrand::Rng;
use serde_json::{Value, json};
use std::future::Future;
use std::net::SocketAddr;
use std::pin::Pin;
use std::rc::Rc;
use std::sync::Arc;
use tokio::time::{Duration, Instant, sleep, timeout};

/// The API of one replica.
pub(crate) type Api = Rc<dyn Fn(Request) -> Pin<Box<dyn Future<Output = Answer>>>>;

/// Time after its deadline by which a request has to end.
const SLACK: Duration = Duration::from_millis(500);

/// Names of services. Few, so that creates, changes and deletes of the same one meet.
const SERVICES: [&str; 3] = ["reef-main", "reef-test", "dunes-main"];

const ENVS: [&str; 3] = ["tides", "dunes", "reef"];

/// A create that was asked for, as often as it was, and what came of it.
pub(crate) struct Creation {
    pub(crate) kind: Kind,
    /// Stands in the rows of what it makes, and of nothing else.
    pub(crate) mark: String,
    pub(crate) has_key: bool,
    /// Name of the object that its caller was told of.
    pub(crate) told_of: Option<String>,
}

/// One caller.
pub(crate) struct Caller {
    pub(crate) world: Arc<World>,
    pub(crate) apis: [Api; 2],
    pub(crate) rng: Rng,
    pub(crate) id: usize,
    /// Numbers what it writes.
    writes: usize,
    pub(crate) creations: Vec<Creation>,
}

impl Caller {
    pub(crate) fn new(world: &Arc<World>, apis: &[Api; 2], rng: Rng, id: usize) -> Self {
        Self { world: Arc::clone(world), apis: apis.clone(), rng, id, writes: 0, creations: Vec::new() }
    }

    /// Makes all of its requests; the creates among them.
    pub(crate) async fn run(mut self) -> Vec<Creation> {
        for _ in 0..self.world.plan.requests {
            let pause = self.rng.u64(0..=2 * self.world.plan.pause);
            sleep(Duration::from_millis(pause)).await;
            let replica = self.rng.usize(0..2);
            // A list tells its replica the price of gathering.
            let kind = if self.world.plan.crowded {
                [0, 7, 7, 7, 12, 18, 19][self.rng.usize(0..7)]
            } else {
                self.rng.u8(0..20)
            };
            match kind {
                0..4 => self.list_pods(replica).await,
                4..7 => self.get_pod(replica).await,
                7 => self.crowd(replica).await,
                8 => self.wait_for_pod(replica).await,
                9 | 10 => self.list_services(replica).await,
                11 => self.get_service(replica).await,
                12 | 13 => self.create_pod(replica).await,
                14 | 15 => self.create_service(replica).await,
                16 => self.update_service(replica).await,
                17 => self.delete_service(replica).await,
                18 => self.renew_pod(replica).await,
                _ => self.delete_pod(replica).await,
            }
        }
        self.creations
    }

    async fn list_pods(&mut self, replica: ReplicaId) {
        let filter = match self.rng.u8(0..6) {
            0..3 => Filter::default(),
            3 | 4 => Filter { env: Some(ENVS[self.rng.usize(0..3)]), phase: None },
            _ => Filter { env: None, phase: Some("Running") },
        };
        let query = match filter {
            Filter { env: Some(env), .. } => format!("?envName={env}"),
            Filter { phase: Some(phase), .. } => format!("?status={phase}"),
            Filter { .. } => String::new(),
        };
        let mut asked = Asked::now(&self.world, replica);
        let request = self.read(&mut asked, &format!("/pods{query}"));
        let Some(answer) = self.send(replica, request, &[200, 502, 503, 504]).await else { return };
        if answer.status == 200 {
            checks::list(&self.world, Kind::Pod, &asked, filter, &answer);
        }
    }

    async fn list_services(&mut self, replica: ReplicaId) {
        let env = (self.rng.u8(0..3) == 0).then(|| ENVS[self.rng.usize(1..3)]);
        let query = env.map_or_else(String::new, |env| format!("?envName={env}"));
        let mut asked = Asked::now(&self.world, replica);
        let request = self.read(&mut asked, &format!("/services{query}"));
        let Some(answer) = self.send(replica, request, &[200, 502, 503, 504]).await else { return };
        if answer.status == 200 {
            checks::list(&self.world, Kind::Deployment, &asked, Filter { env, phase: None }, &answer);
        }
    }

    async fn get_pod(&mut self, replica: ReplicaId) {
        let name = self.some_pod();
        let mut asked = Asked::now(&self.world, replica);
        let request = self.read(&mut asked, &format!("/pods/{name}"));
        self.see(replica, Kind::Pod, &name, &asked, request).await;
    }

    async fn wait_for_pod(&mut self, replica: ReplicaId) {
        let name = self.some_pod();
        let mut asked = Asked::now(&self.world, replica);
        let request = self.read(&mut asked, &format!("/pods/{name}?wait_for=Running"));
        asked.waits = true;
        let seconds = self.rng.u8(1..10);
        let request = request.insert_header(("prefer", format!("wait={seconds}")));
        self.see(replica, Kind::Pod, &name, &asked, request).await;
    }

    async fn get_service(&mut self, replica: ReplicaId) {
        let name = self.some_service();
        let mut asked = Asked::now(&self.world, replica);
        let request = self.read(&mut asked, &format!("/services/{name}"));
        self.see(replica, Kind::Deployment, name, &asked, request).await;
    }

    /// Asks for many Pods at once, existing ones and others, so that gathering pays; one of them is written meanwhile.
    async fn crowd(&mut self, replica: ReplicaId) {
        let names: Vec<_> = (0..self.rng.usize(4..14)).map(|_| self.some_pod()).collect();
        let mut crowd = tokio::task::JoinSet::new();
        for (number, name) in names.into_iter().enumerate() {
            let mut one = Self::new(&self.world, &self.apis, self.rng.fork(), 100 * (self.id + 1) + number);
            crowd.spawn_local(async move {
                let mut asked = Asked::now(&one.world, replica);
                let request = one.read(&mut asked, &format!("/pods/{name}"));
                one.see(replica, Kind::Pod, &name, &asked, request).await;
            });
        }
        let mut writer = Self::new(&self.world, &self.apis, self.rng.fork(), 100 * (self.id + 1) + 99);
        crowd.spawn_local(async move {
            sleep(Duration::from_millis(writer.rng.u64(0..100))).await;
            if writer.rng.bool() { writer.renew_pod(replica).await } else { writer.delete_pod(replica).await }
        });
        while crowd.join_next().await.is_some_and(|seen| seen.is_ok()) {}
    }

    async fn see(&mut self, replica: ReplicaId, kind: Kind, name: &str, asked: &Asked, request: TestRequest) {
        let Some(answer) = self.send(replica, request, &[200, 404, 502, 503, 504]).await else { return };
        if answer.status == 200 || answer.status == 404 {
            checks::one(&self.world, kind, asked, name, &answer);
        }
    }

    async fn create_pod(&mut self, replica: ReplicaId) {
        let body = self.environment(json!({"ttl": "1h"}));
        self.create(replica, Kind::Pod, "/pods", &body).await;
    }

    async fn create_service(&mut self, replica: ReplicaId) {
        let mut deploy = json!({"replicas": 1, "environmentVariables": {"V": "0"}});
        if self.rng.u8(0..4) > 0 {
            deploy["serviceName"] = self.some_service().into();
        }
        let body = self.environment(deploy);
        self.create(replica, Kind::Deployment, "/services", &body).await;
    }

    /// Creates once, or again on either replica after a failure, as an SDK does.
    async fn create(&mut self, replica: ReplicaId, kind: Kind, path: &str, body: &Value) {
        let mark = format!("owner={};", body["deployConfig"]["owner"].as_str().unwrap());
        let has_key = self.rng.bool();
        let mut creation = Creation { kind, mark: mark.clone(), has_key, told_of: None };
        let attempts = self.rng.u8(1..4);
        let mut replica = replica;
        for _ in 0..attempts {
            let mut request = TestRequest::default().method(Method::POST).uri(path).set_json(body);
            if has_key {
                request = request.insert_header(("idempotency-key", mark.trim_end_matches(';').to_owned()));
            }
            let began = Instant::now();
            let answer = self.send(replica, request, &[201, 409, 422, 502, 503, 504]).await;
            let answer = match answer {
                Some(answer) if answer.status == 201 => answer,
                answer => {
                    self.give_up(kind, &mark);
                    if answer.is_some_and(|answer| answer.status == 409) {
                        break;
                    }
                    replica = self.rng.usize(0..2);
                    continue;
                }
            };
            let name = answer.data()["id"].as_str().unwrap().to_owned();
            let made = self.world.history(|history| history.existing_with(kind, &mark));
            // Without a key, the first one may still have to be undone.
            if has_key && made.len() > 1 {
                self.world.broken(format_args!("made twice: {made:?}"));
            }
            creation.told_of = Some(name.clone());
            // A create that has found an earlier one's object tells of that one.
            let began = if answer.replayed { self.world.began } else { began };
            self.told(replica, kind, &name, Some(&mark), began);
            if kind == Kind::Deployment {
                self.told(replica, Kind::Service, &name, Some(""), began);
            }
            // Now and then a caller asks again though it was answered.
            if !has_key || self.rng.u8(0..3) > 0 {
                break;
            }
        }
        self.creations.push(creation);
    }

    async fn update_service(&mut self, replica: ReplicaId) {
        let name = self.some_service();
        self.writes += 1;
        let version = format!("{}-{}", self.id, self.writes);
        let mark = format!("V={version};");
        let body = json!({"environment_variables": {"V": version}});
        let request = TestRequest::default().method(Method::PUT).uri(&format!("/services/{name}")).set_json(body);
        let began = Instant::now();
        let answer = self.send(replica, request, &[200, 404, 409, 502, 503, 504]).await;
        match answer {
            Some(answer) if answer.status == 200 => self.told(replica, Kind::Deployment, name, Some(&mark), began),
            _ => self.give_up(Kind::Deployment, &mark),
        }
    }

    async fn renew_pod(&mut self, replica: ReplicaId) {
        let name = self.some_pod();
        self.writes += 1;
        self.world.writes(replica, &name);
        let body = json!({"ttl": format!("{}h", 1 + 20 * self.id + self.writes)});
        let request = TestRequest::default().method(Method::PUT).uri(&format!("/pods/{name}")).set_json(body);
        let began = Instant::now();
        let Some(answer) = self.send(replica, request, &[200, 404, 409, 502, 503, 504]).await else { return };
        if answer.status == 200 {
            let mark = State::shown_in_row(Kind::Pod, answer.data());
            self.told(replica, Kind::Pod, &name, Some(&mark), began);
        }
    }

    async fn delete_service(&mut self, replica: ReplicaId) {
        let name = self.some_service();
        self.world.history(|history| history.doom(Kind::Deployment, name));
        let request = TestRequest::default().method(Method::DELETE).uri(&format!("/services/{name}"));
        let began = Instant::now();
        let Some(answer) = self.send(replica, request, &[200, 409, 502, 503, 504]).await else { return };
        if answer.status == 200 {
            self.told(replica, Kind::Deployment, name, None, began);
            self.told(replica, Kind::Service, name, None, began);
        }
    }

    async fn delete_pod(&mut self, replica: ReplicaId) {
        let name = self.some_pod();
        self.world.history(|history| history.doom(Kind::Pod, &name));
        let request = TestRequest::default().method(Method::DELETE).uri(&format!("/pods/{name}"));
        let began = Instant::now();
        let Some(answer) = self.send(replica, request, &[200, 404, 409, 502, 503, 504]).await else { return };
        if answer.status == 200 {
            self.told(replica, Kind::Pod, &name, None, began);
        }
    }

    /// A write was answered with success.
    fn told(&self, replica: ReplicaId, kind: Kind, name: &str, mark: Option<&str>, began: Instant) {
        if !self.world.history(|history| history.tell(replica, (kind, name), mark, began)) {
            self.world
                .broken(format_args!("r{replica} tells of a write of {kind:?} {name} that nobody has made: {mark:?}"));
        }
    }

    /// A write was not answered with success; what it may still do is done by its deadline.
    fn give_up(&self, kind: Kind, mark: &str) {
        let latest = Instant::now() + self.world.plan.settings.server.request_deadline;
        self.world.history(|history| history.settle(kind, mark, latest));
    }

    /// The body of a create that bears a mark of its own.
    fn environment(&mut self, mut deploy: Value) -> Value {
        self.writes += 1;
        deploy["owner"] = format!("c{}-{}", self.id, self.writes).into();
        json!({
            "name": ENVS[self.rng.usize(0..3)], "version": "1.0",
            "artifacts": [{"type": "image", "content": "registry.example.com/aenv/x:1.0"}],
            "deployConfig": deploy,
        })
    }

    fn some_service(&mut self) -> &'static str {
        SERVICES[self.rng.usize(0..SERVICES.len())]
    }

    /// The name of a Pod that exists, existed, or never did.
    fn some_pod(&mut self) -> String {
        let names = self.world.history(|history| history.names(Kind::Pod));
        match self.rng.u8(0..5) {
            0 => format!("nobody-{}", self.rng.u8(0..3)),
            _ if names.is_empty() => "tides-a".to_owned(),
            _ => names[self.rng.usize(0..names.len())].clone(),
        }
    }

    /// A read, now and then past the memory.
    fn read(&mut self, asked: &mut Asked, target: &str) -> TestRequest {
        asked.no_cache = self.rng.u8(0..8) == 0;
        let request = TestRequest::default().uri(target);
        if asked.no_cache { request.insert_header(("cache-control", "no-cache")) } else { request }
    }

    /// Sends a request and waits for its answer; `None`: this caller has hung up before.
    async fn send(&mut self, replica: ReplicaId, request: TestRequest, expected: &[u16]) -> Option<Answer> {
        let world = Arc::clone(&self.world);
        let peer = SocketAddr::from(([10, 0, 0, u8::try_from(self.id % 200).unwrap()], 40_000));
        let request = request.peer_addr(peer);
        let deadline = world.plan.settings.server.request_deadline + SLACK;
        let hangs_up = self.rng.u8(0..7) == 0;
        let patience = if hangs_up { Duration::from_millis(self.rng.u64(0..3_000)).min(deadline) } else { deadline };
        let request = request.to_request();
        let told = format!("{} {}", request.method(), request.uri());
        world.log(format_args!("c{} r{replica} {told}", self.id));
        let answer = timeout(patience, (self.apis[replica])(request)).await;
        match answer {
            Ok(answer) => {
                let (status, age) = (answer.status.as_u16(), answer.age);
                world.log(format_args!(
                    "c{} r{replica} {told}: {status} {age:?} {} {}",
                    self.id, answer.cache_status, answer.body
                ));
                if !expected.contains(&status) {
                    world.broken(format_args!("{told} is answered with {status}: {}", answer.body));
                }
                Some(answer)
            }
            Err(_) if hangs_up => {
                world.log(format_args!("c{} r{replica} {told}: hangs up", self.id));
                None
            }
            Err(_) => {
                world.broken(format_args!("{told} was not answered by its deadline"));
                None
            }
        }
    }
}
