//! The table of settings: every key, once, with what it takes and its default. All else that knows of a key
//! (reading, checking, `check-config`, the list of what an unknown key could have meant) knows it from here.

use super::declare::settings;
use super::kind::{
    address, bytes, calls_per_second, choice, count, domain, line, millis, namespace, path, port, socket_address,
    switch, url, user_agent,
};
use super::reader::Reader;
use std::net::{IpAddr, SocketAddr};
use std::num::{NonZeroU32, NonZeroUsize};
use std::path::PathBuf;
use std::time::Duration;

/// The `User-Agent` that names this program to the API server.
const USER_AGENT: &str = concat!("aenv-controller/", env!("CARGO_PKG_VERSION"));

/// How lists are asked of the API server.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ListPlan {
    /// Page after page, as consistent as the API server's store.
    Paged,
    /// In one piece from the API server's memory, which may be a little behind its store.
    WatchCache,
}

const LIST_PLANS: &[(&str, ListPlan)] = &[("paged", ListPlan::Paged), ("watch_cache", ListPlan::WatchCache)];

settings! {
    /// Where the controller listens, and what one request may cost.
    server: Server {
        /// The address of the API and of the readiness listener.
        bind: IpAddr = "bind", address().default("0.0.0.0");
        /// The API's port. Zero: any free one.
        port: u16 = "port", port().default(8080);
        /// The port of `/readyz` and `/livez`. Zero: any free one.
        readiness_port: u16 = "readiness_port", port().default(8081);
        /// The address and port of `/metrics`. Port zero: any free one.
        metrics_addr: SocketAddr = "metrics_addr", socket_address().default("0.0.0.0:8088");
        /// After how long a request is answered with 504.
        request_deadline: Duration = "request_deadline_ms", millis(1..=600_000).default(25_000);
        /// The largest request body; a larger one is answered with 413.
        max_body_bytes: usize = "max_body_bytes", bytes(1_024..=67_108_864).default(1_048_576);
        /// How many connections the API holds at the same time; more wait until one of them ends.
        max_connections: NonZeroUsize = "max_connections", count(1..=1_000_000).default(10_000);
        /// How many requests may wait for their answer at the same time; one more is answered with 503.
        max_waiting: NonZeroUsize = "max_waiting", count(1..=1_000_000).default(8_192);
        /// How long a request's head may take to arrive; the connection of a slower one is closed.
        header_timeout: Duration = "header_timeout_ms", millis(1..=600_000).default(10_000);
        /// How long a request's body may take to arrive; a slower one is answered with 408.
        body_timeout: Duration = "body_timeout_ms", millis(1..=600_000).default(10_000);
        /// How long requests that are under way may go on after SIGTERM. Zero: they are cut off.
        drain: Duration = "drain_ms", millis(0..=600_000).default(20_000);
    }

    /// Which cluster, and how it is reached.
    kubernetes: Kubernetes {
        /// The namespace of all objects. `None`: that of the pod template, else [`DEFAULT_NAMESPACE`](super::DEFAULT_NAMESPACE).
        namespace: Option<String> = "namespace", namespace().optional();
        /// The kubeconfig file. `None`: `KUBECONFIG`, the pod's own service account, or `~/.kube/config`.
        kubeconfig: Option<PathBuf> = "kubeconfig", path("the path of a kubeconfig file").optional();
        /// The context of the kubeconfig. `None`: its current one.
        context: Option<String> = "context", line("the name of a context").optional();
        /// The `User-Agent` of the calls.
        user_agent: String = "user_agent", user_agent().default(USER_AGENT);
        /// How long connecting to the API server may take.
        connect_timeout: Duration = "connect_timeout_ms", millis(1..=60_000).default(3_000);
        /// How long the API server may be silent within one call. It may be longer than `server.request_deadline`:
        /// the one that ends first counts.
        read_timeout: Duration = "read_timeout_ms", millis(1..=600_000).default(20_000);
    }

    /// How much the API server is asked.
    throttle: Throttle {
        /// API calls in the long run. Without meaning if `unlimited`; see [`Throttle::rate`].
        qps: f64 = "qps", calls_per_second(0.01..=10_000.0).note("for no limit: throttle.unlimited: true").default(50);
        /// How many calls may be made at once after a pause.
        burst: NonZeroU32 = "burst", count(1..=10_000).default(100);
        /// Whether `qps` and `burst` are switched off.
        unlimited: bool = "unlimited", switch().default(false);
        /// Whether the rate gives way to an overloaded API server. Reserved, not in effect yet.
        adaptive: bool = "adaptive", switch().default(true);
        /// The floor of the adaptive rate; `qps`, if that is lower. Reserved, not in effect yet.
        min_qps: f64 = "min_qps", calls_per_second(0.01..=10_000.0).default(0.5);
        /// How long a call may wait for its turn; who would wait longer is refused at once. Zero: nobody waits.
        max_wait: Duration = "max_wait_ms", millis(0..=600_000).default(10_000);
        /// How many calls may be under way at the same time.
        max_in_flight: NonZeroUsize = "max_in_flight", count(1..=1_000).default(8);
    }

    /// What happens to a call that failed for a passing reason.
    retry: Retry {
        /// How often a call is made in all. One: never again.
        max_attempts: NonZeroU32 = "max_attempts", count(1..=20).default(5);
        /// About how long to wait before the second attempt; the waits grow from there.
        initial: Duration = "initial_ms", millis(1..=60_000).default(200);
        /// The longest wait between two attempts, at least `initial`, unless the API server asks for a longer one.
        max: Duration = "max_ms", millis(1..=600_000).default(5_000);
    }

    /// What is kept of the API server's answers.
    memo: Memo {
        /// How long a list is answered from memory. Zero: equal questions at the same time share one fetch, and
        /// nothing is kept.
        list_ttl: Duration = "list_ttl_ms", millis(0..=3_600_000).default(2_000);
        /// The same for a single object.
        get_ttl: Duration = "get_ttl_ms", millis(0..=3_600_000).default(1_000);
        /// How old an answer may be that stands in for one that cannot be had. Zero: never. Reserved, not in effect
        /// yet.
        max_stale: Duration = "max_stale_ms", millis(0..=3_600_000).default(60_000);
        /// How much memory the kept answers may take.
        max_bytes: u64 = "max_bytes", bytes(1_048_576..=17_179_869_184).default(67_108_864);
    }

    /// How lists are asked for.
    list: List {
        /// How many objects a page may hold.
        page_size: NonZeroU32 = "page_size", count(1..=10_000).default(500);
        /// In pages, or in one piece.
        plan: ListPlan = "plan", choice(LIST_PLANS).default("paged");
    }

    /// What new objects are made from.
    templates: Templates {
        /// The folder of the templates. What it does not have, or if it is not there, is built in.
        dir: PathBuf = "dir", path("the path of a folder").default("/etc/aenv/pod-templates");
    }

    /// What is said about services.
    services: Services {
        /// What follows name and namespace in a service's URL.
        domain_suffix: String = "domain_suffix", domain().default("svc.cluster.local");
    }

    /// Where environments are described.
    envhub: EnvHub {
        /// EnvHub's address. `None`: nothing can be created by the name of an environment alone.
        url: Option<String> = "url", url().optional();
    }
}

impl Throttle {
    /// Calls per second in the long run. `None`: without a limit.
    #[must_use]
    pub fn rate(&self) -> Option<f64> {
        (!self.unlimited).then_some(self.qps)
    }
}
