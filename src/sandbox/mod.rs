//! An in-memory Kubernetes API server, to try the controller without a cluster and to test it at the wire.
//!
//! It holds Deployments, Services, Pods and PersistentVolumeClaims and speaks what the controller and
//! `kubectl get/create/delete/patch/scale` need, in the words of kube-apiserver v1.20. It serves no watches
//! and knows no users. It counts calls ([`Calls`]) and takes faults ([`Faults`]) at run time.
//!
//! `server` (HTTP) and `backend` (no connections) make an `exchange` of each request. That asks `api` (the verbs), which works on
//! `store` (versioned objects).

mod api;
mod backend;
mod calls;
mod decode;
mod defaults;
mod deletion;
mod discovery;
mod envhub;
mod exchange;
mod faults;
mod identity;
mod list;
mod names;
mod object;
mod options;
mod patch;
mod resource;
mod review;
mod rollout;
mod routes;
mod scale;
mod seed;
mod selector;
mod server;
mod server_fields;
mod status;
mod store;
mod table;
mod validation;

use std::io;
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::sync::Arc;
use std::time::Duration;

use actix_web::dev::ServerHandle;
use actix_web::web::{Data, ServiceConfig};
use actix_web::{App, HttpServer, web};
use tokio::sync::oneshot;

pub use backend::Backend;
pub use calls::{CallCount, Calls};
pub use faults::{Faults, Rule};
pub use options::Options;

use exchange::Shared;

/// Enough to serve side by side on a laptop.
const WORKERS: usize = 2;
/// Longer than any client keeps an idle connection, so that it is never the server that closes one.
const KEEP_ALIVE: Duration = Duration::from_secs(600);

/// A running server. Clones are handles of the same one; it stops when the last handle is dropped.
#[derive(Clone, Debug)]
pub struct ApiServer {
    running: Arc<Running>,
}

#[derive(Debug)]
struct Running {
    shared: Data<Shared>,
    address: SocketAddr,
    namespace: String,
    handle: ServerHandle,
}

impl Drop for Running {
    fn drop(&mut self) {
        // The order to stop is given at once; only its end would have to be awaited.
        drop(self.handle.stop(false));
    }
}

impl ApiServer {
    /// Seeds the objects and begins to listen. The server has a thread of its own.
    ///
    /// # Errors
    /// If the port cannot be bound or the thread cannot be started.
    pub async fn start(options: Options) -> io::Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, options.port))?;
        let address = listener.local_addr()?;
        let namespace = options.namespace.clone();
        // Ten thousand pods take a debug build a second or two.
        let shared = tokio::task::spawn_blocking(move || Data::new(Shared::new(&options)));
        let shared = shared.await.map_err(io::Error::other)?;
        let (started, handle) = oneshot::channel();
        let for_server = shared.clone();
        std::thread::Builder::new().name("sandbox".to_owned()).spawn(move || run(listener, &for_server, started))?;
        let handle = handle.await.map_err(io::Error::other)??;
        Ok(Self { running: Arc::new(Running { shared, address, namespace, handle }) })
    }

    /// `http://127.0.0.1:<port>`.
    pub fn url(&self) -> String {
        format!("http://{}", self.running.address)
    }

    /// A kubeconfig (YAML) whose only context leads here. It holds no credentials.
    pub fn kubeconfig(&self) -> String {
        format!(
            "apiVersion: v1
kind: Config
current-context: sandbox
clusters:
- name: sandbox
  cluster:
    server: {url}
contexts:
- name: sandbox
  context:
    cluster: sandbox
    user: sandbox
    namespace: {namespace}
users:
- name: sandbox
  user: {{}}
",
            url = self.url(),
            namespace = self.running.namespace
        )
    }

    /// The counters as they are now.
    pub fn calls(&self) -> Calls {
        self.running.shared.counters.snapshot()
    }

    /// Sets the counters back to zero.
    pub fn reset_calls(&self) {
        self.running.shared.counters.reset();
    }

    /// The faults in force, with what is left of the rules' `times`.
    pub fn faults(&self) -> Faults {
        self.running.shared.control.faults()
    }

    /// Replaces the faults. Calls that hang go on, unless the new faults hang everything as well.
    pub fn set_faults(&self, faults: Faults) {
        self.running.shared.control.replace(faults);
    }

    /// Forgets old versions, as etcd's compaction does: every continue token handed out so far has expired.
    pub fn compact(&self) {
        self.running.shared.api.compact();
    }

    /// The sandbox's own routes, which its own port serves as well: `GET|DELETE /sandbox/calls`,
    /// `GET|PUT|DELETE /sandbox/faults`, `POST /sandbox/compact`.
    pub fn routes(&self) -> impl FnOnce(&mut ServiceConfig) + Clone + Send + 'static {
        let shared = self.running.shared.clone();
        move |config: &mut ServiceConfig| routes::mount(config, shared)
    }

    /// Stops listening and closes every connection, the hanging ones included.
    pub async fn stop(&self) {
        self.running.handle.stop(false).await;
    }
}

/// The server's thread.
fn run(listener: TcpListener, shared: &Data<Shared>, started: oneshot::Sender<io::Result<ServerHandle>>) {
    actix_web::rt::System::new().block_on(async move {
        let shared = shared.clone();
        let server = HttpServer::new(move || {
            let shared = shared.clone();
            App::new()
                .app_data(shared.clone())
                .configure(move |config| routes::mount(config, shared))
                .configure(envhub::mount)
                .default_service(web::to(server::serve))
        })
        .workers(WORKERS)
        .keep_alive(KEEP_ALIVE)
        .disable_signals()
        .listen(listener);
        let server = match server {
            Ok(server) => server.run(),
            Err(error) => {
                let _ = started.send(Err(error));
                return;
            }
        };
        let _ = started.send(Ok(server.handle()));
        if let Err(error) = server.await {
            log::error!("the sandbox stopped: {error}");
        }
    });
}

#[cfg(test)]
mod tests {
    use super::*;

    const POD: &str = r#"{"metadata":{"name":"p"},"spec":{"containers":[{"name":"main","image":"x"}]}}"#;

    fn pods(server: &ApiServer) -> String {
        format!("{}/api/v1/namespaces/aenv-sandbox/pods", server.url())
    }

    async fn create_pod(server: &ApiServer) -> reqwest::Result<reqwest::Response> {
        reqwest::Client::new().post(pods(server)).body(POD).send().await
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn a_cut_is_a_broken_connection_and_not_an_answer() {
        let server = ApiServer::start(Options::default()).await.unwrap();
        let lost = Rule { verb: Some("create".to_owned()), after: true, cut: true, ..Rule::default() };
        server.set_faults(Faults { rules: vec![lost], ..Faults::default() });
        let error = create_pod(&server).await.unwrap_err();
        assert_eq!(error.status(), None);
        server.set_faults(Faults::default());
        assert_eq!(create_pod(&server).await.unwrap().status(), 409, "it was carried out first");
        assert_eq!(server.calls().with_code(0), 1);
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn hanging_calls_go_on_when_the_faults_are_taken_back() {
        let server = ApiServer::start(Options::default()).await.unwrap();
        server.set_faults(Faults { hang: true, ..Faults::default() });
        let waiting = tokio::spawn(reqwest::get(pods(&server)));
        while server.calls().in_flight == 0 {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        server.set_faults(Faults::default());
        assert_eq!(waiting.await.unwrap().unwrap().status(), 200);
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn stopping_closes_hanging_connections_and_the_port() {
        let server = ApiServer::start(Options::default()).await.unwrap();
        server.set_faults(Faults { hang: true, ..Faults::default() });
        let waiting = tokio::spawn(reqwest::get(pods(&server)));
        while server.calls().in_flight == 0 {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        server.stop().await;
        let ended = tokio::time::timeout(Duration::from_secs(5), waiting).await;
        assert!(ended.unwrap().unwrap().is_err());
        assert!(reqwest::get(pods(&server)).await.is_err());
    }
}
