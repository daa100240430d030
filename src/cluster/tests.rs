//! Answers that are not what they should be, from a wire that garbles them.

use super::error::{Error, Failed};
use super::retry::Policy;
use super::{Cluster, Deleted, Encoding, Intent, ListPlan, Metrics, Paging, Resource, Settings, Wire, Writer};
use crate::call::Call;
use crate::reload::Live;
use crate::sandbox::{Backend, Options};
use crate::syntax::ObjectName;
use crate::telemetry::metrics::Registry;
use crate::throttle::{self, Throttle};
use bytes::Bytes;
use http::{Method, Request, Response};
use http_body_util::{BodyExt, Full};
use serde_json::{Value, json};
use std::num::{NonZeroU32, NonZeroUsize};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex};
use tokio::runtime::Handle;
use tokio::time::{Duration, Instant};
use tower::{BoxError, service_fn};

const NAMESPACE: &str = "aenv-sandbox";

/// An API server that does what it is asked, but answers so many calls of one method with somebody else's page.
struct Garbled {
    backend: Backend,
    method: Mutex<Method>,
    pages: AtomicU32,
}

impl Garbled {
    fn new() -> Arc<Self> {
        let backend = Backend::new(&Options { rollout: false, ..Options::default() });
        Arc::new(Self { backend, method: Mutex::new(Method::GET), pages: AtomicU32::new(0) })
    }

    fn garble(&self, method: Method, pages: u32) {
        *self.method.lock().unwrap() = method;
        self.pages.store(pages, Ordering::Relaxed);
    }

    async fn answer(self: Arc<Self>, request: Request<Full<Bytes>>) -> Result<Response<super::Body>, BoxError> {
        let (head, body) = request.into_parts();
        let is_garbled = head.method == *self.method.lock().unwrap() && self.pages.load(Ordering::Relaxed) > 0;
        let answer = self.backend.exchange(Request::from_parts(head, body.collect().await?.to_bytes())).await?;
        let answer = match is_garbled {
            true => {
                self.pages.fetch_sub(1, Ordering::Relaxed);
                Response::new(Bytes::from("<html>Welcome</html>"))
            }
            false => answer,
        };
        Ok(answer.map(|body| Full::new(body).map_err(BoxError::from).boxed_unsync()))
    }

    fn client(self: &Arc<Self>) -> Arc<Cluster> {
        let server = Arc::clone(self);
        let wire = Wire::over(service_fn(move |request| Arc::clone(&server).answer(request)));
        let registry = Registry::new();
        let limits = throttle::Limits {
            rate: None,
            adaptive: false,
            min_qps: 1.0,
            max_wait: Duration::from_secs(1),
            max_in_flight: 2,
        };
        let throttle = Throttle::new(limits, Handle::current(), throttle::Metrics::new(&registry));
        let paging = Paging {
            page_size: NonZeroU32::MIN,
            plan: ListPlan::Paged,
            max_objects: NonZeroUsize::MIN,
            max_item_bytes: 1 << 16,
        };
        let retry = Policy { max_attempts: NonZeroU32::MIN, initial: Duration::ZERO, max: Duration::ZERO };
        let settings = Settings {
            namespace: NAMESPACE.to_owned(),
            encoding: Encoding::Json,
            retry: Live::new(retry),
            paging: Live::new(paging),
        };
        Arc::new(Cluster::new(wire, settings, throttle, Metrics::new(&registry)))
    }
}

fn call() -> Call {
    Call::until(Instant::now() + Duration::from_secs(10))
}

fn pod(name: &ObjectName) -> Value {
    let container = json!({"name": "main", "image": "registry.example.com/aenv/tides:3.4"});
    json!({"metadata": {"name": name.as_str()}, "spec": {"containers": [container]}})
}

#[tokio::test(start_paused = true)]
async fn a_deletion_counts_only_if_the_api_server_has_answered_it() {
    let server = Garbled::new();
    let (cluster, name) = (server.client(), ObjectName::new("tides").unwrap());
    server.garble(Method::DELETE, 1);
    let deleted = cluster.delete(Resource::Pods, &name, &call()).await;
    assert!(matches!(deleted, Err(Error::Unreadable(_))), "{deleted:?}");
    let deleted = cluster.delete(Resource::Pods, &name, &call()).await;
    assert!(matches!(deleted, Ok(Deleted::NotFound)), "{deleted:?}");
}

#[tokio::test(start_paused = true)]
async fn a_failed_create_is_undone_though_answers_are_garbled_meanwhile() {
    for method in [Method::GET, Method::DELETE] {
        let server = Garbled::new();
        let (cluster, name) = (server.client(), ObjectName::new("tides").unwrap());
        let writer = Writer::new(Arc::clone(&cluster), Handle::current());
        let (garbler, made) = (Arc::clone(&server), name.clone());
        let make = move |creation: Arc<super::Creation>, call: Call| async move {
            creation.create::<Value>(Resource::Pods, &made, &pod(&made), "first step", &call).await?;
            garbler.garble(method, 3);
            Err::<(), _>(Failed::to("second step")(Error::Deadline))
        };
        let outcome = writer.all_or_nothing("create", call(), Intent::default(), make, |_| {}).await;
        assert!(outcome.is_err());
        writer.ended().await;
        assert!(cluster.stored(Resource::Pods, &name, &call()).await.unwrap().is_none());
    }
}
