//! The API server of a run: the sandbox without its listener, and a look at each object that a write may have changed.

use crate::history::{Kind, State};
use crate::world::{ReplicaId, World};
use aenv_controller::sandbox::{Backend, Options};
use bytes::Bytes;
use http::{Method, Request, Response};
use serde_json::Value;

/// The API server.
pub(crate) struct ApiServer(Backend);

impl ApiServer {
    /// An empty one, where nothing moves by itself.
    pub(crate) fn new() -> Self {
        Self(Backend::new(&Options { rollout: false, ..Options::default() }))
    }

    /// Makes every continue token expire.
    pub(crate) fn compact(&self) {
        self.0.compact();
    }

    /// Carries a request out at this moment, and notes the state that it leaves. Nothing else happens meanwhile.
    pub(crate) async fn carry_out(
        &self,
        world: &World,
        request: Request<Bytes>,
        by: Option<ReplicaId>,
    ) -> Response<Bytes> {
        let written = written(&request);
        let answer = self.0.exchange(request).await.unwrap();
        if let Some((kind, name)) = written {
            let object = self.get(kind, &name).await;
            let state = object.map(|object| State::of_object(kind, &object));
            world.history(|history| history.saw(kind, &name, state, by));
        }
        answer
    }

    async fn get(&self, kind: Kind, name: &str) -> Option<Value> {
        let request = Request::get(format!("{}/{name}", kind.path())).body(Bytes::new()).unwrap();
        let answer = self.0.exchange(request).await.unwrap();
        answer.status().is_success().then(|| serde_json::from_slice(answer.body()).unwrap())
    }
}

/// The object that a request writes; `None` if it only reads.
fn written(request: &Request<Bytes>) -> Option<(Kind, String)> {
    let path = request.uri().path();
    let kind = Kind::ALL.into_iter().find(|kind| path.starts_with(kind.path()))?;
    let name = match *request.method() {
        Method::GET => return None,
        Method::POST => {
            serde_json::from_slice::<Value>(request.body()).unwrap()["metadata"]["name"].as_str()?.to_owned()
        }
        _ => path[kind.path().len()..].split('/').nth(1)?.to_owned(),
    };
    Some((kind, name))
}
