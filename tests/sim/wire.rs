//! Wire between one replica and the API server: it lets faults befall calls, and asserts what has to hold of calls.

use crate::body::Pieces;
use crate::faults::Fault;
use crate::history::Kind;
use crate::plan::READ_TIMEOUT;
use crate::world::{ReplicaId, World};
use aenv_controller::simulation::{Body, Wire};
use bytes::Bytes;
use fastrand::Rng;
use http::{Method, Request, Response, StatusCode};
use http_body_util::{BodyExt, Full};
use std::collections::BTreeMap;
use std::io;
use std::sync::{Arc, Mutex};
use tokio::sync::oneshot;
use tokio::time::{Duration, Instant, sleep, timeout};
use tower::{BoxError, service_fn};

/// For how long the API server may go on with a write whose client has hung up.
const LATE: Duration = Duration::from_millis(800);

/// The wire of `replica`.
pub(crate) fn wire(world: &Arc<World>, replica: ReplicaId, rng: Rng) -> Wire {
    let rate = world.plan.settings.throttle.rate();
    let meter = Meter { rate: rate.unwrap(), level: 0.0, at: Instant::now() };
    let calls = Mutex::new(Calls { rng, meter, begun: 0, under_way: BTreeMap::new() });
    let end = Arc::new(End { world: Arc::clone(world), replica, calls });
    Wire::over(service_fn(move |request| Arc::clone(&end).exchange(request)))
}

/// The replica's end of the wire.
struct End {
    world: Arc<World>,
    replica: ReplicaId,
    calls: Mutex<Calls>,
}

struct Calls {
    rng: Rng,
    meter: Meter,
    begun: usize,
    /// Numbers of the calls that are under way, with their questions.
    under_way: BTreeMap<usize, Question>,
}

/// A question of the memo; `None`: the call is of another kind.
type Question = Option<String>;

/// Calls so far, as a bucket that leaks at the rate.
struct Meter {
    rate: f64,
    level: f64,
    at: Instant,
}

impl Meter {
    fn fill(&mut self, now: Instant) -> f64 {
        self.level = (self.level - (now - self.at).as_secs_f64() * self.rate).max(0.0) + 1.0;
        self.at = now;
        self.level
    }
}

/// A call under way. It ends when this is dropped.
struct UnderWay {
    end: Arc<End>,
    number: usize,
    ended: &'static str,
}

impl Drop for UnderWay {
    fn drop(&mut self) {
        self.end.calls.lock().unwrap().under_way.remove(&self.number);
        self.end.world.log(format_args!("r{} call {}: {}", self.end.replica, self.number, self.ended));
    }
}

impl End {
    async fn exchange(self: Arc<Self>, request: Request<Full<Bytes>>) -> Result<Response<Body>, BoxError> {
        let (head, body) = request.into_parts();
        let request = Request::from_parts(head, body.collect().await.unwrap().to_bytes());
        let mut under_way = self.begin(&request);
        let (fault, latency, late) = {
            let (weather, rng) = (self.world.weather(), &mut self.calls.lock().unwrap().rng);
            (weather.fault(rng), Duration::from_millis(rng.u64(0..=weather.latency)), rng.bool())
        };
        if fault != Fault::None {
            self.world.log(format_args!("r{} call {} meets {fault:?}", self.replica, under_way.number));
        }
        let latency = latency + if let Fault::Slow(more) = fault { more } else { Duration::ZERO };
        sleep(latency / 2).await;
        let answer = match fault {
            Fault::Reset => return Err(reset()),
            Fault::Frozen => return silence().await,
            Fault::Overload(seconds) => plain_429(seconds),
            Fault::NotReady => status(429, "TooManyRequests"),
            Fault::Status(code) => status(code, "InternalError"),
            Fault::Garbage => plain(200, "<html>Welcome</html>"),
            _ => self.carry_out(request, latency / 2, late).await?,
        };
        under_way.ended = match answer.status().is_success() {
            true => "success",
            false => "failure",
        };
        let body = answer.body().clone();
        let (first, rest) = (body.slice(..body.len() / 2), body.slice(body.len() / 2..));
        let pieces = match fault {
            Fault::ResetAfter => return Err(reset()),
            Fault::FrozenAfter => return silence().await,
            Fault::StatusAfter(code) => {
                let failure = status(code, "InternalError");
                return Ok(failure.map(|body| {
                    Pieces::new([(Duration::ZERO, Ok(body))], under_way).map_err(BoxError::from).boxed_unsync()
                }));
            }
            Fault::ResetInBody => {
                vec![(Duration::ZERO, Ok(first)), (Duration::ZERO, Err(io::ErrorKind::ConnectionReset.into()))]
            }
            Fault::Truncated => vec![(Duration::ZERO, Ok(first))],
            Fault::SlowBody(pause) => vec![(pause, Ok(first)), (pause, Ok(rest))],
            _ => vec![(Duration::ZERO, Ok(body))],
        };
        Ok(answer.map(|_| Pieces::new(pieces, under_way).map_err(BoxError::from).boxed_unsync()))
    }

    /// Does what is asked for after `delay`. The API server may go on with a write although its client has hung up.
    async fn carry_out(
        &self,
        request: Request<Bytes>,
        delay: Duration,
        late: bool,
    ) -> Result<Response<Bytes>, BoxError> {
        let (world, replica) = (Arc::clone(&self.world), self.replica);
        let (mut done, answer) = oneshot::channel();
        tokio::spawn(async move {
            let work = async { sleep(delay).await };
            tokio::pin!(work);
            let hung_up = tokio::select! {
                biased;
                () = &mut work => false,
                () = done.closed() => true,
            };
            if hung_up && !(late && timeout(LATE, work).await.is_ok()) {
                return;
            }
            let answer = world.api_server.carry_out(&world, request, Some(replica)).await;
            let _hung_up = done.send(answer);
        });
        answer.await.map_err(BoxError::from)
    }

    fn begin(self: &Arc<Self>, request: &Request<Bytes>) -> UnderWay {
        let (now, world, replica) = (Instant::now(), &self.world, self.replica);
        let mut calls = self.calls.lock().unwrap();
        calls.begun += 1;
        let number = calls.begun;
        world.log(format_args!("r{replica} call {number}: {} {}", request.method(), asked(request.uri())));

        let throttle = &world.plan.settings.throttle;
        let level = calls.meter.fill(now);
        if level > f64::from(throttle.burst.get()) + 1e-6 {
            world.broken(format_args!("r{replica} has made {level:.3} calls at once, more than its burst"));
        }
        if let Some(written) = written_pod(request) {
            world.writes(replica, &written);
        }
        let question = question(request).filter(|question| !world.has_written(replica, question));
        if question.is_some() && calls.under_way.values().any(|other| *other == question) {
            world.broken(format_args!("r{replica} asks {question:?} twice at the same time"));
        }
        calls.under_way.insert(number, question);
        if calls.under_way.len() > throttle.max_in_flight.get() {
            world.broken(format_args!("r{replica} has {} calls under way", calls.under_way.len()));
        }
        UnderWay { end: Arc::clone(self), number, ended: "cut off" }
    }
}

/// What the memo may ask once at a time: a list of Pods or Services, from whichever page on, or one Pod.
fn question(request: &Request<Bytes>) -> Question {
    let path = request.uri().path();
    let pods = Kind::Pod.path();
    if request.method() != Method::GET {
        return None;
    }
    if path == pods || path == Kind::Service.path() {
        let query = request.uri().query().unwrap_or_default();
        let selectors = query.split('&').filter(|pair| pair.contains("Selector="));
        return Some(format!("{path}?{}", selectors.collect::<Vec<_>>().join("&")));
    }
    path.starts_with(pods).then(|| path.to_owned())
}

fn written_pod(request: &Request<Bytes>) -> Option<String> {
    let path = request.uri().path().strip_prefix(Kind::Pod.path())?;
    match *request.method() {
        Method::GET => None,
        Method::POST => {
            let body: serde_json::Value = serde_json::from_slice(request.body()).unwrap();
            Some(body["metadata"]["name"].as_str()?.to_owned())
        }
        _ => path.strip_prefix('/').map(str::to_owned),
    }
}

/// The request's target without what is the same in all of them, or differs for no reason of interest.
fn asked(uri: &http::Uri) -> String {
    let path = uri.path().rsplit_once("/aenv-sandbox/").map_or(uri.path(), |(_, path)| path);
    let query = uri.query().unwrap_or_default();
    let told = query.split('&').filter(|pair| !pair.is_empty() && !pair.starts_with("timeout="));
    std::iter::once(path).chain(told).collect::<Vec<_>>().join(" ")
}

fn reset() -> BoxError {
    io::Error::from(io::ErrorKind::ConnectionReset).into()
}

/// Ends as the time-out of a connection does on which nothing comes.
async fn silence() -> Result<Response<Body>, BoxError> {
    sleep(READ_TIMEOUT).await;
    Err(io::Error::from(io::ErrorKind::TimedOut).into())
}

fn plain(code: u16, text: &'static str) -> Response<Bytes> {
    let mut answer = Response::new(Bytes::from_static(text.as_bytes()));
    *answer.status_mut() = StatusCode::from_u16(code).unwrap();
    answer
}

fn plain_429(seconds: u64) -> Response<Bytes> {
    let mut answer = plain(429, "Too many requests, please try again later.\n");
    answer.headers_mut().insert("retry-after", seconds.into());
    answer
}

fn status(code: u16, reason: &str) -> Response<Bytes> {
    let body = serde_json::json!({
        "kind": "Status", "apiVersion": "v1", "status": "Failure", "code": code, "reason": reason, "message": "as the seed has it",
    });
    let mut answer = Response::new(Bytes::from(body.to_string()));
    *answer.status_mut() = StatusCode::from_u16(code).unwrap();
    if code == 429 {
        answer.headers_mut().insert("retry-after", 1.into());
    }
    answer
}
