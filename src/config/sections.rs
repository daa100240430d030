//! The table of settings: every key, once, with what it takes, its default, and whether a change of it is `live` or
//! needs a `restart`. All else that knows of a key (reading, checking, `check-config`, what happens when it changes,
//! the list of what an unknown key could have meant) knows it from here.

use super::change::{Applies, Change};
use super::declare::{applies, settings};
use super::kind::{
    address, bytes, calls_per_second, choice, count, directives, domain, line, list, millis, namespace, path, port,
    socket_address, switch, url, user_agent,
};
use super::reader::Reader;
use crate::syntax::HostPattern;
use crate::telemetry::logger::{Directives, Format};
use std::net::{IpAddr, SocketAddr};
use std::num::{NonZeroU32, NonZeroUsize};
use std::path::PathBuf;
use std::time::Duration;

/// The `User-Agent` that names this program to the API server.
const USER_AGENT: &str = concat!("aenv-controller/", env!("CARGO_PKG_VERSION"));

/// How reads are encoded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Encoding {
    /// Protobuf, or JSON where the API server knows nothing else.
    Auto,
    /// JSON alone.
    Json,
}

/// How lists are asked of the API server.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ListPlan {
    /// By the API server's version: in pages up to Kubernetes 1.33, in one piece from 1.34 on.
    Auto,
    /// Page after page, as consistent as the API server's store.
    Paged,
    /// In one piece from the API server's memory, which may be a little behind its store.
    WatchCache,
}

const LIST_PLANS: &[(&str, ListPlan)] =
    &[("auto", ListPlan::Auto), ("paged", ListPlan::Paged), ("watch_cache", ListPlan::WatchCache)];

const ENCODINGS: &[(&str, Encoding)] = &[("auto", Encoding::Auto), ("json", Encoding::Json)];

const LOG_FORMATS: &[(&str, Format)] = &[("text", Format::Text), ("json", Format::Json)];

settings! {
    /// Where the controller listens, and what one request may cost.
    server: Server {
        /// The address of the API and of the readiness listener.
        restart bind: IpAddr = "bind", address().default("0.0.0.0");
        /// The API's port. Zero: any free one.
        restart port: u16 = "port", port().default(8080);
        /// The port of `/readyz` and `/livez`. Zero: any free one.
        restart readiness_port: u16 = "readiness_port", port().default(8081);
        /// The address and port of `/metrics`. Port zero: any free one.
        restart metrics_addr: SocketAddr = "metrics_addr", socket_address().default("0.0.0.0:8088");
        /// After how long a request is answered with 504.
        live request_deadline: Duration = "request_deadline_ms", millis(1..=600_000).default(25_000);
        /// The largest request body; a larger one is answered with 413.
        live max_body_bytes: usize = "max_body_bytes", bytes(1_024..=67_108_864).default(1_048_576);
        /// More names under which browsers may ask, and whose pages may write. Clients that are no browsers may use any.
        restart allowed_hosts: Vec<HostPattern> = "allowed_hosts", list("host names such as aenv.example.com, *.example.com or *").default("");
        /// How many connections the API holds at the same time; more wait until one of them ends.
        restart max_connections: NonZeroUsize = "max_connections", count(1..=1_000_000).default(10_000);
        /// How many requests may wait for their answer at the same time; one more is answered with 503.
        restart max_waiting: NonZeroUsize = "max_waiting", count(1..=1_000_000).default(8_192);
        /// How long a request's head may take to arrive; the connection of a slower one is closed.
        restart header_timeout: Duration = "header_timeout_ms", millis(1..=600_000).default(10_000);
        /// How long a request's body may take to arrive; a slower one is answered with 408.
        live body_timeout: Duration = "body_timeout_ms", millis(1..=600_000).default(10_000);
        /// How long it goes on after SIGTERM, not ready any more, before it drains. Zero: not at all.
        restart lame_duck: Duration = "lame_duck_ms", millis(0..=600_000).default(3_000);
        /// How long requests that are under way may go on after that. Zero: they are cut off.
        restart drain: Duration = "drain_ms", millis(0..=600_000).default(20_000);
    }

    /// Who may ask.
    auth: Auth {
        /// The file of bearer tokens; what it holds may change at any time. `None`: everybody may do everything.
        restart tokens_file: Option<PathBuf> = "tokens_file", path("the path of a file of tokens").optional();
        /// Whether `/metrics` needs a token for reading.
        restart metrics: bool = "metrics", switch().default(false);
    }

    /// How the API's port is encrypted. What the files hold may change at any time.
    tls: Tls {
        /// The certificate and those that lead to its authority, as PEM. `None`: the port is not encrypted.
        restart cert_file: Option<PathBuf> = "cert_file", path("the path of a PEM file with a certificate").optional();
        /// Its private key, as PEM.
        restart key_file: Option<PathBuf> = "key_file", path("the path of a PEM file with a private key").optional();
        /// The authorities of one of which callers need a certificate. `None`: they need none.
        restart client_ca_file: Option<PathBuf> = "client_ca_file", path("the path of a PEM file with certificates").optional();
    }

    /// Which cluster, and how it is reached.
    kubernetes: Kubernetes {
        /// The namespace of all objects. `None`: that of the `singleContainer` template, else `default_namespace`.
        restart namespace: Option<String> = "namespace", namespace().optional();
        /// The namespace of all objects if neither `namespace` nor a template of a folder names one. `None`:
        /// [`DEFAULT_NAMESPACE`](super::DEFAULT_NAMESPACE).
        restart default_namespace: Option<String> = "default_namespace", namespace().optional();
        /// The kubeconfig file. `None`: `KUBECONFIG`, the pod's own service account, or `~/.kube/config`.
        restart kubeconfig: Option<PathBuf> = "kubeconfig", path("the path of a kubeconfig file").optional();
        /// The context of the kubeconfig. `None`: its current one.
        restart context: Option<String> = "context", line("the name of a context").optional();
        /// The `User-Agent` of the calls.
        restart user_agent: String = "user_agent", user_agent().default(USER_AGENT);
        /// How long connecting to the API server may take.
        restart connect_timeout: Duration = "connect_timeout_ms", millis(1..=60_000).default(3_000);
        /// How long the API server may be silent within one call. It may be longer than `server.request_deadline`:
        /// the one that ends first counts.
        restart read_timeout: Duration = "read_timeout_ms", millis(1..=600_000).default(20_000);
        /// The encodings that reads ask for.
        restart encoding: Encoding = "encoding", choice(ENCODINGS).default("auto");
    }

    /// How much the API server is asked.
    throttle: Throttle {
        /// API calls in the long run. Without meaning if `unlimited`; see [`Throttle::rate`].
        live qps: f64 = "qps", calls_per_second(0.01..=10_000.0).note("for no limit: throttle.unlimited: true").default(50);
        /// How many calls may be made at once after a pause.
        live burst: NonZeroU32 = "burst", count(1..=10_000).default(100);
        /// Whether `qps` and `burst` are switched off.
        live unlimited: bool = "unlimited", switch().default(false);
        /// Whether the rate gives way to an API server that says that it is overloaded, and nothing is asked for as
        /// long as it asks for.
        live adaptive: bool = "adaptive", switch().default(true);
        /// The floor of the adaptive rate; `qps`, if that is lower.
        live min_qps: f64 = "min_qps", calls_per_second(0.01..=10_000.0).default(0.5);
        /// How long a call may wait for its turn; who would wait longer is refused at once. Zero: nobody waits.
        live max_wait: Duration = "max_wait_ms", millis(0..=600_000).default(10_000);
        /// How many calls may be under way at the same time.
        live max_in_flight: NonZeroUsize = "max_in_flight", count(1..=1_000).default(8);
    }

    /// What happens to a call that failed for a passing reason.
    retry: Retry {
        /// How often a call is made in all. One: never again.
        live max_attempts: NonZeroU32 = "max_attempts", count(1..=20).default(5);
        /// About how long to wait before the second attempt; the waits grow from there.
        live initial: Duration = "initial_ms", millis(1..=60_000).default(200);
        /// The longest wait between two attempts, at least `initial`, unless the API server asks for a longer one.
        live max: Duration = "max_ms", millis(1..=600_000).default(5_000);
    }

    /// What is kept of the API server's answers.
    memo: Memo {
        /// How long a list is answered from memory. Zero: never, but equal questions at the same time share one fetch.
        live list_ttl: Duration = "list_ttl_ms", millis(0..=3_600_000).default(2_000);
        /// The same for a single object.
        live get_ttl: Duration = "get_ttl_ms", millis(0..=3_600_000).default(1_000);
        /// For how long after its TTL an answer is still given at once, while a new one is fetched. Zero: not at all.
        live revalidate: Duration = "revalidate_ms", millis(0..=3_600_000).default(0);
        /// How old an answer may be that stands in for one that cannot be had; it is marked. Zero: none may.
        live max_stale: Duration = "max_stale_ms", millis(0..=3_600_000).default(60_000);
        /// How long a new answer is waited for while such an old one is at hand, by the first who asks; who comes later waits
        /// only for what is left of that. Zero: the old one is given at once.
        live patience: Duration = "patience_ms", millis(0..=600_000).default(3_000);
        /// How much memory the kept answers may take.
        restart max_bytes: u64 = "max_bytes", bytes(1_048_576..=17_179_869_184).default(67_108_864);
    }

    /// How lists are asked for.
    list: List {
        /// How many objects a page may hold.
        live page_size: NonZeroU32 = "page_size", count(1..=10_000).default(500);
        /// In pages, or in one piece.
        live plan: ListPlan = "plan", choice(LIST_PLANS).default("auto");
        /// How many objects a list may have; one that has more is an error.
        live max_objects: NonZeroUsize = "max_objects", count(1..=10_000_000).default(200_000);
        /// How large one object may be. etcd takes at most 1.5 MiB by default, of which JSON makes about twice that.
        live max_item_bytes: usize = "max_item_bytes", bytes(65_536..=67_108_864).default(4_194_304);
    }

    /// What new objects are made from.
    templates: Templates {
        /// The folder of the templates. What it does not have, or if it is not there, is built in.
        restart dir: PathBuf = "dir", path("the path of a folder").default("/etc/aenv/pod-templates");
    }

    /// What is said about services.
    services: Services {
        /// What follows name and namespace in a service's URL.
        restart domain_suffix: String = "domain_suffix", domain().default("svc.cluster.local");
    }

    /// Where environments are described.
    envhub: EnvHub {
        /// EnvHub's address. `None`: nothing can be created by the name of an environment alone.
        restart url: Option<String> = "url", url().optional();
    }

    /// What is logged, on standard error.
    log: Log {
        /// Down to which level, of all and of some modules. Without meaning while `RUST_LOG` is set.
        live level: Directives = "level", directives().default("info");
        /// What a line looks like.
        restart format: Format = "format", choice(LOG_FORMATS).default("text");
    }
}

impl Throttle {
    /// Calls per second in the long run. `None`: without a limit.
    #[must_use]
    pub fn rate(&self) -> Option<f64> {
        (!self.unlimited).then_some(self.qps)
    }
}
