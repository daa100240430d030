//! Listeners: bound before anything is said to be ready, drained before the process ends.

use super::allowed_hosts::AllowedHosts;
use super::api::{Api, Guard};
use super::around::around;
use super::health::{health_routes, metrics_routes};
use super::pace::Patience;
use super::readiness::Readiness;
use super::routes::routes;
use super::send_buffer::{LARGE, SendBuffers};
use super::stream::Paced;
use super::tls::{Entrance, Wire};
use super::workers::Workers;
use crate::credentials::{CertificateFiles, Mounted};
use crate::telemetry::metrics::Registry;
use actix_http::error::DispatchError;
use actix_http::{HttpService, KeepAlive, Protocol};
use actix_service::{IntoServiceFactory, ServiceFactory, ServiceFactoryExt, fn_service, map_config};
use actix_web::body::MessageBody;
use actix_web::dev::{AppConfig, Server, ServerHandle, ServiceRequest, ServiceResponse};
use actix_web::middleware::from_fn;
use actix_web::web::{Data, ServiceConfig};
use actix_web::{App, HttpServer};
use std::io;
use std::net::SocketAddr;
use std::num::NonZeroUsize;
use std::sync::Arc;
use std::thread::available_parallelism;
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::time::{Duration, timeout};

/// Time that an idle connection of a client is kept. Longer than the few seconds between two polls of `api-service`,
/// so that it need not connect for each.
const KEEP_ALIVE: Duration = Duration::from_secs(75);

/// Time for a caller to read the last answer of its connection before that is cut.
const FAREWELL: Duration = Duration::from_secs(1);

/// Most new connections that the system keeps until they are accepted.
const BACKLOG: u32 = 1024;

/// actix-server takes no more.
const MAX_WORKERS: usize = 512;

/// Limits of the API's listener.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Limits {
    /// Most connections at the same time; more wait in the backlog.
    pub connections: NonZeroUsize,
    /// Time that a request's head may take to arrive.
    pub header_timeout: Duration,
    /// Time that a caller may take for the next portion of its answer.
    pub write_timeout: Duration,
    /// The patience of [`Listener::drain`].
    pub drain: Duration,
}

/// Routes besides the API's, given by the sandbox.
pub(crate) type MoreRoutes = Arc<dyn Fn(&mut ServiceConfig) + Send + Sync>;

/// A listener that serves.
#[derive(Debug)]
pub(crate) struct Listener {
    addr: SocketAddr,
    handle: ServerHandle,
}

impl Listener {
    /// Its address; with the port that was found if any free one was asked for.
    pub(crate) fn addr(&self) -> SocketAddr {
        self.addr
    }

    /// Accepts no more connections and lets requests that are under way end; after `patience` they are cut off.
    pub(crate) async fn drain(&self, patience: Duration) {
        if timeout(patience, self.handle.stop(true)).await.is_err() {
            log::warn!("requests were still under way after {}ms and are cut off", patience.as_millis());
            self.close().await;
        }
    }

    /// Ends at once.
    pub(crate) async fn close(&self) {
        self.handle.stop(false).await;
    }

    fn start(addrs: Vec<SocketAddr>, server: Server) -> io::Result<Self> {
        let addr = addrs.first().copied().ok_or_else(|| io::Error::other("nothing was bound"))?;
        let handle = server.handle();
        tokio::spawn(server);
        Ok(Self { addr, handle })
    }
}

/// The API, and `more`.
pub fn app(
    api: Arc<Api>,
    more: Option<MoreRoutes>,
) -> App<
    impl ServiceFactory<
        ServiceRequest,
        Config = (),
        Response = ServiceResponse<impl MessageBody>,
        Error = actix_web::Error,
        InitError = (),
    >,
> {
    let app = App::new().app_data(Data::from(api)).configure(|config| {
        if let Some(more) = &more {
            more(config);
        }
        routes(config);
    });
    app.wrap(from_fn(around))
}

/// Serves the API, and `more`, on `addr`: by TLS if there are `certificates`.
pub(crate) fn serve_api(
    addr: SocketAddr,
    api: Arc<Api>,
    limits: Limits,
    certificates: Option<Mounted<CertificateFiles>>,
    workers: Workers,
    more: Option<MoreRoutes>,
) -> io::Result<Listener> {
    let readiness = api.readiness.clone();
    let listener = listen(addr)?;
    let addrs = vec![listener.local_addr()?];
    let patience =
        Patience { head: limits.header_timeout, idle: KEEP_ALIVE, farewell: FAREWELL, write: limits.write_timeout };
    let entrance = Arc::new(Entrance::new(certificates, limits.header_timeout));
    let send_buffers = SendBuffers::new();
    let (threads, connections) = shares(limits.connections);
    let builder = Server::build();
    let drained = builder.graceful_shutdown_signal();
    // As `HttpServer` does it, which cannot be given a stream of one's own.
    let server = builder
        .workers(threads)
        .max_concurrent_connections(connections)
        // While it drains, actix hears nothing else: this is what cuts requests off. It counts whole seconds.
        .shutdown_timeout(limits.drain.as_secs().max(1))
        .disable_signals()
        .listen("api", listener.into_std()?, move || {
            // Each worker calls this once, in its own thread.
            workers.add();
            let (drained, entrance, readiness) = (drained.clone(), Arc::clone(&entrance), readiness.clone());
            let send_buffers = send_buffers.clone();
            let draining = drained.clone();
            let http = HttpService::build()
                .graceful_shutdown_signal(move || {
                    let drained = drained.clone();
                    async move { drained.notified().await }
                })
                // Both are timed by the stream.
                .keep_alive(KeepAlive::Os)
                .client_request_timeout(Duration::ZERO)
                .client_disconnect_timeout(FAREWELL)
                // A caller that hangs up gives up: its handler is dropped, and a fetch that nobody else waits for
                // spends nothing more. (actix would let it run on, for clients that only close their sending half.)
                .h1_allow_half_closed(false)
                .on_connect_ext(|stream: &Paced<Wire>, connection| stream.introduce(connection))
                .finish(map_config(
                    app(Arc::clone(&api), more.clone())
                        .into_factory()
                        .map_err(|error: actix_web::Error| error.error_response()),
                    |()| AppConfig::default(),
                ));
            let accept = move |stream: TcpStream| {
                let (draining, entrance) = (draining.clone(), Arc::clone(&entrance));
                let (readiness, send_buffer) = (readiness.clone(), send_buffers.fit(&stream));
                async move {
                    let peer = stream.peer_addr().ok();
                    let entered = tokio::select! {
                        entered = entrance.pass(stream) => entered,
                        // Nobody has asked anything yet, so nothing is lost.
                        () = draining.notified() => Err(io::ErrorKind::ConnectionAborted.into()),
                    };
                    let wire = entered.map_err(DispatchError::Io)?;
                    Ok((Paced::new(wire, patience, readiness, send_buffer), Protocol::Http1, peer))
                }
            };
            fn_service(accept).and_then(http)
        })?;
    Listener::start(addrs, server.run())
}

fn listen(addr: SocketAddr) -> io::Result<TcpListener> {
    let socket = if addr.is_ipv4() { TcpSocket::new_v4() } else { TcpSocket::new_v6() }?;
    // Connections inherit both.
    socket.set_send_buffer_size(LARGE)?;
    socket.set_nodelay(true)?;
    // So that a restart can listen while connections of before are still in TIME_WAIT.
    socket.set_reuseaddr(true)?;
    socket.bind(addr)?;
    socket.listen(BACKLOG)
}

/// Number of workers, one per CPU, and of connections that each of them holds.
fn shares(connections: NonZeroUsize) -> (usize, usize) {
    let workers = available_parallelism().unwrap_or(NonZeroUsize::MIN).min(connections).get().min(MAX_WORKERS);
    (workers, connections.get() / workers)
}

/// Serves `/readyz` and `/livez` on `addr`.
pub(crate) fn serve_health(addr: SocketAddr, readiness: Readiness, workers: Workers) -> io::Result<Listener> {
    let server = HttpServer::new(move || {
        let (readiness, workers) = (readiness.clone(), workers.clone());
        App::new().configure(|config| health_routes(config, readiness, workers))
    });
    let server = server.workers(1).disable_signals().bind(addr)?;
    Listener::start(server.addrs(), server.run())
}

/// Serves `/metrics` on `addr`, to those whom `guard` lets read; to browsers under the names `hosts` only.
pub(crate) fn serve_metrics(
    addr: SocketAddr,
    metrics: Registry,
    guard: Guard,
    hosts: AllowedHosts,
) -> io::Result<Listener> {
    let server = HttpServer::new(move || {
        let (metrics, guard, hosts) = (metrics.clone(), guard.clone(), hosts.clone());
        App::new().configure(|config| metrics_routes(config, metrics, guard, hosts))
    });
    let server = server.workers(1).disable_signals().bind(addr)?;
    Listener::start(server.addrs(), server.run())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn connections_inherit_that_nothing_waits_to_be_sent_with_more() {
        let listener = listen("127.0.0.1:0".parse().unwrap()).unwrap();
        let _caller = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
        let (stream, _) = listener.accept().await.unwrap();
        assert!(stream.nodelay().unwrap());
    }
}
