//! The controller under test: the real one, from its settings to its listeners, on free ports.

use super::Cluster;
use aenv_controller::app::{self, Running};
use aenv_controller::config::Settings;
use aenv_controller::config::cli::Cli;
use reqwest::{Client, Method, RequestBuilder, StatusCode, header::HeaderMap};
use serde_json::Value;
use std::net::SocketAddr;
use std::path::Path;
use tokio::task::JoinSet;

/// A controller that serves a cluster.
pub(crate) struct Controller {
    running: Running,
    client: Client,
}

impl Controller {
    /// With the default settings.
    pub(crate) async fn on(cluster: &Cluster) -> Self {
        Self::with(cluster, &[]).await
    }

    /// With some keys set, as in `("throttle.qps", "5")`.
    pub(crate) async fn with(cluster: &Cluster, keys: &[(&str, &str)]) -> Self {
        let settings = settings(cluster.kubeconfig_path(), cluster.namespace(), keys);
        let located = app::find_cluster(&settings).await.unwrap();
        Self::of(app::start(&settings, located, None).unwrap())
    }

    /// One that has been started otherwise.
    pub(crate) fn of(running: Running) -> Self {
        Self { running, client: Client::new() }
    }

    /// Address of the API, for tests that speak to it byte by byte.
    pub(crate) fn api_addr(&self) -> SocketAddr {
        self.running.api_addr()
    }

    /// A request to the API, to be given headers or a body before it is sent with [`send`].
    pub(crate) fn request(&self, method: Method, path: &str) -> RequestBuilder {
        self.client.request(method, format!("http://{}{path}", self.running.api_addr()))
    }

    /// Makes `GET` requests to the API, also after the controller has been lent to somebody else.
    pub(crate) fn asker(&self) -> impl Fn(&str) -> RequestBuilder + Clone + Send + use<> {
        let (client, api) = (self.client.clone(), self.running.api_addr());
        move |path| client.get(format!("http://{api}{path}"))
    }

    /// `GET` of the API.
    pub(crate) async fn get(&self, path: &str) -> Answer {
        send(self.request(Method::GET, path)).await
    }

    /// `POST` of a body to the API.
    pub(crate) async fn post(&self, path: &str, body: &Value) -> Answer {
        send(self.request(Method::POST, path).json(body)).await
    }

    /// `PUT` of a body to the API.
    pub(crate) async fn put(&self, path: &str, body: &Value) -> Answer {
        send(self.request(Method::PUT, path).json(body)).await
    }

    /// `DELETE` of the API.
    pub(crate) async fn delete(&self, path: &str) -> Answer {
        send(self.request(Method::DELETE, path)).await
    }

    /// Ends it, when every write has come to its end or has been undone.
    pub(crate) async fn stop(self) {
        self.running.stop().await;
    }

    /// The same `GET` by many callers at once.
    pub(crate) async fn get_by_many(&self, callers: usize, path: &str) -> Vec<Answer> {
        let calls = (0..callers).map(|_| send(self.request(Method::GET, path)));
        calls.collect::<JoinSet<_>>().join_all().await
    }

    /// `GET` that must succeed: its rows.
    #[track_caller]
    pub(crate) fn rows(&self, path: &str) -> impl Future<Output = Vec<Value>> {
        let caller = std::panic::Location::caller();
        let request = self.request(Method::GET, path);
        async move {
            let answer = send(request).await;
            assert_eq!(answer.status, StatusCode::OK, "{caller}: {:?}", answer.body);
            answer.body["data"].as_array().unwrap_or_else(|| panic!("{caller}: {:?}", answer.body)).clone()
        }
    }

    /// `GET` that must succeed: the `id`s of its rows, sorted.
    #[track_caller]
    pub(crate) fn ids(&self, path: &str) -> impl Future<Output = Vec<String>> {
        let rows = self.rows(path);
        async move {
            let mut ids: Vec<_> = rows.await.iter().map(|row| row["id"].as_str().unwrap().to_owned()).collect();
            ids.sort();
            ids
        }
    }

    /// The value of a metric without labels, or the sum over those with.
    pub(crate) async fn metric(&self, name: &str) -> f64 {
        let text = self.metrics_page().await.1;
        let of_name = |line: &&str| line.strip_prefix(name).is_some_and(|rest| rest.starts_with([' ', '{']));
        text.lines().filter(of_name).map(|line| line.rsplit(' ').next().unwrap().parse::<f64>().unwrap()).sum()
    }

    /// A request for `/metrics`.
    pub(crate) fn metrics_request(&self) -> RequestBuilder {
        self.client.get(format!("http://{}/metrics", self.running.metrics_addr()))
    }

    /// Content type and text of `/metrics`.
    pub(crate) async fn metrics_page(&self) -> (String, String) {
        let response = self.metrics_request().send().await.unwrap();
        let content_type = response.headers()["content-type"].to_str().unwrap().to_owned();
        (content_type, response.text().await.unwrap())
    }

    /// Status and text of a path of the readiness listener.
    pub(crate) async fn health(&self, path: &str) -> (StatusCode, String) {
        let response = self.client.get(format!("http://{}{path}", self.running.health_addr())).send().await.unwrap();
        (response.status(), response.text().await.unwrap())
    }
}

/// The settings of a controller on free ports, with some keys set.
pub(crate) fn settings(kubeconfig: &Path, namespace: &str, keys: &[(&str, &str)]) -> Settings {
    let line = ["controller", "--kubeconfig", kubeconfig.to_str().unwrap(), "--namespace", namespace];
    let cli = Cli::parse(line).unwrap();
    let free_ports = [
        // Calls are counted; that of /version has tests of its own.
        ("list.plan", "paged"),
        ("server.bind", "127.0.0.1"),
        ("server.port", "0"),
        ("server.readiness_port", "0"),
        ("server.metrics_addr", "127.0.0.1:0"),
    ];
    let environment = free_ports.iter().chain(keys).map(|(key, value)| {
        (format!("AENV_CONTROLLER__{}", key.replace('.', "__").to_uppercase()), (*value).to_owned())
    });
    Settings::load(&cli.flags, environment).unwrap()
}

/// An answer of the API, which is JSON whatever it says; but for the page, which is text here.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    /// `null` if there is no body.
    pub(crate) body: Value,
}

impl Answer {
    /// A header as text; empty if it is missing.
    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().unwrap())
    }

    /// True if it says that it stands in for one that could not be had.
    pub(crate) fn is_old(&self) -> bool {
        self.header("cache-status") == "aenv-controller; hit; fwd=stale"
    }

    /// Its `Age`, in seconds.
    #[track_caller]
    pub(crate) fn age(&self) -> u64 {
        self.header("age").parse().unwrap()
    }

    /// Checks that it is a failure in the envelope, and gives the message.
    #[track_caller]
    pub(crate) fn failure(&self, status: u16) -> &str {
        assert_eq!(self.status, status, "{:?}", self.body);
        assert_eq!(self.header("content-type"), "application/json");
        assert_eq!((&self.body["success"], &self.body["code"]), (&false.into(), &status.into()), "{:?}", self.body);
        assert_eq!(self.body.get("data"), Some(&Value::Null));
        self.body["message"].as_str().unwrap()
    }
}

/// Sends a request to the API.
pub(crate) async fn send(request: RequestBuilder) -> Answer {
    let response = request.send().await.unwrap();
    let (status, headers) = (response.status(), response.headers().clone());
    let body = response.bytes().await.unwrap();
    let is_page = headers.get("content-type").is_some_and(|it| it.to_str().unwrap().starts_with("text/html"));
    let body = match body.is_empty() {
        true => Value::Null,
        false if is_page => String::from_utf8(body.into()).unwrap().into(),
        false => serde_json::from_slice(&body).unwrap(),
    };
    Answer { status, headers, body }
}
