//! Table of settings: every key, once, with the values that it takes, its default, and whether a change is `live` or needs
//! a `restart`. Everything else that deals with a key (reading, checking, `check-config`, reloads, suggestions for unknown
//! keys) takes it from here.

use super::change::{Applies, Change};
use super::declare::{applies, settings};
#[cfg(test)]
use super::document;
use super::kind::{
    address, bytes, calls_per_second, choice, count, directives, domain, line, list, millis, namespace, path, port,
    socket_address, switch, url, user_agent,
};
use super::reader::Reader;
use crate::syntax::{HostPattern, Network};
use crate::telemetry::logger::{Directives, Format};
use std::net::{IpAddr, SocketAddr};
use std::num::{NonZeroU32, NonZeroUsize};
use std::path::PathBuf;
use std::time::Duration;

/// The `User-Agent` that names this program to the API server.
const USER_AGENT: &str = concat!("aenv-controller/", env!("CARGO_PKG_VERSION"));

/// Encoding of reads.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Encoding {
    /// Protobuf, or JSON where the API server knows nothing else.
    Auto,
    /// JSON alone.
    Json,
}

/// Plan by which the API server is asked for a list.
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
    /// Listeners, and the bounds on one request.
    server: Server {
        /// The address of the API and of the readiness listener. `"::"` (in quotes) for IPv6; 127.0.0.1 to try
        /// things out.
        restart bind: IpAddr = "bind", address().default("0.0.0.0");
        /// The API's port. The three listeners need different ports; 0 is any free one.
        restart port: u16 = "port", port().default(8080);
        /// The port of /readyz and /livez. Change it together with the probes of the Deployment.
        restart readiness_port: u16 = "readiness_port", port().default(8081);
        /// The address and port of /metrics. :8088, the Go form, is the same as 0.0.0.0:8088.
        restart metrics_addr: SocketAddr = "metrics_addr", socket_address().default("0.0.0.0:8088");
        /// Deadline of a request, after which it is answered with 504. Keep it below the time-out of the callers.
        live request_deadline: Duration = "request_deadline_ms", millis(1..=600_000).default(25_000);
        /// Largest request body; a larger one is answered with 413.
        live max_body_bytes: usize = "max_body_bytes", bytes(1_024..=67_108_864).default(1_048_576);
        /// More names under which web browsers may ask this API, and whose pages may write, separated by commas:
        /// the host of an ingress, such as aenv.example.com. *.example.com allows those below it to be asked, *
        /// all. IP addresses, localhost, names without a dot and those of Services (….svc, ….svc.cluster.local)
        /// need not be listed. Clients that are no browsers may use any name.
        restart allowed_hosts: Vec<HostPattern> = "allowed_hosts", list("host names such as aenv.example.com, *.example.com or *").default("");
        /// The proxies in front of this API, as networks separated by commas. Callers take turns by their token's
        /// name, else by their address; behind these proxies that is the one in X-Forwarded-For.
        restart trusted_proxies: Vec<Network> = "trusted_proxies", list("networks such as 10.0.0.0/8").default("");
        /// Most connections that the API's port holds at the same time. One more is not refused: it waits in the
        /// system's backlog until another ends. Each is an open file. They are shared evenly among the workers, of
        /// which there is one per CPU, so that it may be a few fewer.
        restart max_connections: NonZeroUsize = "max_connections", count(1..=1_000_000).default(10_000);
        /// Most requests that wait for their answer at the same time. One more is answered from memory, or
        /// else with 503 and Retry-After, at once. This bounds what callers cost while the API server is slow: some
        /// 30 KB of memory each. The default lets 1,000 creates and 5,000 waiting polls in, with a third to spare.
        restart max_waiting: NonZeroUsize = "max_waiting", count(1..=1_000_000).default(8_192);
        /// Time that the head of a request may take to arrive, from its first byte or from the opening of the
        /// connection. A slower one is answered with 408, and its connection is closed. A TLS handshake has the
        /// same time.
        restart header_timeout: Duration = "header_timeout_ms", millis(1..=600_000).default(10_000);
        /// Time that the body of a request may take to arrive, from the end of its head.
        live body_timeout: Duration = "body_timeout_ms", millis(1..=600_000).default(10_000);
        /// Time that a caller may take to read the next 16 KiB of its answer, or what is left of it, before its
        /// connection is closed; while the replica stops, at most a second.
        restart write_timeout: Duration = "write_timeout_ms", millis(1..=600_000).default(10_000);
        /// Memory for the bodies of all requests together while they arrive. A quarter is for those of
        /// at most 64 KiB. A body that gets none within a second is answered with 503 and Retry-After.
        restart max_bodies_bytes: usize = "max_bodies_bytes", bytes(1_048_576..=1_073_741_824).default(67_108_864);
        /// Time after SIGTERM during which new connections are still taken while /readyz says no. Load balancers need it
        /// to notice; each answer in that time asks its caller to connect elsewhere.
        restart lame_duck: Duration = "lame_duck_ms", millis(0..=600_000).default(3_000);
        /// Time for requests under way to end after that (0 cuts them off). Keep the two together below the
        /// pod's terminationGracePeriodSeconds.
        restart drain: Duration = "drain_ms", millis(0..=600_000).default(20_000);
    }

    /// Authentication of callers. Without a line here everybody who reaches the port may ask.
    auth: Auth {
        /// File of tokens, as a mounted Secret; ~: nobody needs one. A line for each: the token, its scope (read: GET and
        /// HEAD; write: everything), and, if you like, its name in the audit trail, as in
        /// `hT3vKx0ZrQm8yWbN2pLc write api-service`. Lines that are empty or begin with # do not count. A token has 16
        /// characters or more; `openssl rand -hex 32` makes one. Callers send it as `Authorization: Bearer <token>`;
        /// without a known token the answer is 401, with one that is not good for the request 403. / and /openapi.json
        /// need none, and neither do /readyz and /livez. The file is re-read when it changes, without a restart; a broken
        /// one changes nothing.
        restart tokens_file: Option<PathBuf> = "tokens_file", path("the path of a file of tokens").optional();
        /// true: /metrics needs a token too, one for reading.
        restart metrics: bool = "metrics", switch().default(false);
    }

    /// Encryption of the API's port: TLS 1.2 or 1.3, HTTP/1.1 inside. /readyz, /livez and /metrics stay
    /// plain HTTP. The files, as a mounted Secret, are re-read when they change: new connections have the new
    /// certificate. Broken ones change nothing.
    tls: Tls {
        /// The certificate and those that lead to its authority, as PEM, its own first; ~: the port is not
        /// encrypted.
        restart cert_file: Option<PathBuf> = "cert_file", path("the path of a PEM file with a certificate").optional();
        /// Its private key, as PEM. Both or neither.
        restart key_file: Option<PathBuf> = "key_file", path("the path of a PEM file with a private key").optional();
        /// The authorities, as PEM, of one of which callers need a certificate; ~: they need none. All
        /// their certificates have the same rights; tokens, which can be needed as well, tell callers apart.
        restart client_ca_file: Option<PathBuf> = "client_ca_file", path("the path of a PEM file with certificates").optional();
    }

    /// The cluster, and the way to it.
    kubernetes: Kubernetes {
        /// The namespace of all objects. ~: that of the singleContainer template, if it comes from a folder, else
        /// default_namespace.
        restart namespace: Option<String> = "namespace", namespace().optional();
        /// The namespace of all objects if neither the line above nor a template names one; --namespace sets it. ~:
        /// aenv-sandbox.
        restart default_namespace: Option<String> = "default_namespace", namespace().optional();
        /// The kubeconfig file. ~: $KUBECONFIG, the pod's own service account, or ~/.kube/config. In a cluster
        /// leave it so.
        restart kubeconfig: Option<PathBuf> = "kubeconfig", path("the path of a kubeconfig file").optional();
        /// The context of the kubeconfig. ~: its current one.
        restart context: Option<String> = "context", line("the name of a context").optional();
        /// Name of this program in the API server's audit log. ~: `aenv-controller/<version>`.
        restart user_agent: String = "user_agent", user_agent().default(USER_AGENT);
        /// Time-out for connecting to the API server. Raise it for a cluster that is far away.
        restart connect_timeout: Duration = "connect_timeout_ms", millis(1..=60_000).default(3_000);
        /// Time that the API server may be silent within one call. server.request_deadline_ms counts as well: the
        /// one that ends first.
        restart read_timeout: Duration = "read_timeout_ms", millis(1..=600_000).default(20_000);
        /// auto: reads ask for protobuf, which costs the API server half of what JSON costs it, and take JSON where
        /// there is nothing else. json: JSON alone, for a proxy that looks into the answers.
        restart encoding: Encoding = "encoding", choice(ENCODINGS).default("auto");
    }

    /// Limits on the API calls of one replica. Each attempt counts: each page of a list, each retry.
    throttle: Throttle {
        /// API calls per second in the long run. Lower it if the API server is overloaded; raise it if requests are
        /// refused while the API server has nothing to do.
        live qps: f64 = "qps", calls_per_second(0.01..=10_000.0).note("for no limit: throttle.unlimited: true").default(50);
        /// Most calls that may be made at once after a pause.
        live burst: NonZeroU32 = "burst", count(1..=10_000).default(100);
        /// true switches qps and burst off, and leaves it to the API server's own flow control to say no.
        live unlimited: bool = "unlimited", switch().default(false);
        /// true: the rate gives way to an API server that says that it is overloaded (429, or 503 with Retry-After). It
        /// is cut to 0.7 of itself, no call is made for as long as the API server asks for, and the rate grows again
        /// while it is used, up to qps. false: qps as it is, whatever the API server says.
        live adaptive: bool = "adaptive", switch().default(true);
        /// The floor of the adaptive rate, in calls per second (qps, if that is lower).
        live min_qps: f64 = "min_qps", calls_per_second(0.01..=10_000.0).default(0.5);
        /// Longest wait of a read for its turn, further pages and sweeps included (0: no wait). A read that would wait
        /// longer is refused at once, with 503 and Retry-After. Writes wait until the deadline of their request.
        live max_wait: Duration = "max_wait_ms", millis(0..=600_000).default(10_000);
        /// Most calls that are under way at the same time.
        live max_in_flight: NonZeroUsize = "max_in_flight", count(1..=1_000).default(8);
    }

    /// Retries of calls that failed for a passing reason: 429, 5xx, a lost connection.
    retry: Retry {
        /// Most attempts at one call (1: no retries).
        live max_attempts: NonZeroU32 = "max_attempts", count(1..=20).default(5);
        /// Approximate wait before the second attempt. The waits grow from there, with jitter.
        live initial: Duration = "initial_ms", millis(1..=60_000).default(200);
        /// The longest wait between two attempts, the first one included, unless the API server asks for a longer.
        live max: Duration = "max_ms", millis(1..=600_000).default(5_000);
    }

    /// Memory of the API server's answers. Every replica keeps its own.
    memo: Memo {
        /// Time that a list is answered from memory. Raise it to ask the API server less; a change made by another
        /// replica may go unseen for as long. 0: only equal questions at the same time share an answer.
        live list_ttl: Duration = "list_ttl_ms", millis(0..=3_600_000).default(2_000);
        /// The same for a single object. One that is answered from a kept list, and a list that is narrowed from another,
        /// follow list_ttl_ms.
        live get_ttl: Duration = "get_ttl_ms", millis(0..=3_600_000).default(1_000);
        /// Time after that in which an answer is still given at once, while a new one is fetched because somebody asked
        /// (0: none). With it nobody waits for the list that is fetched again every list_ttl_ms.
        live revalidate: Duration = "revalidate_ms", millis(0..=3_600_000).default(0);
        /// Greatest age of an answer that stands in for one that cannot be had, because the API server is overloaded,
        /// too slow or out of reach (0: none does). It is marked: Age, and Cache-Status: aenv-controller; hit;
        /// fwd=stale.
        live max_stale: Duration = "max_stale_ms", millis(0..=3_600_000).default(60_000);
        /// Time that the first caller waits for a new answer while such an old one is at hand; callers who come later
        /// wait for the rest of it.
        live patience: Duration = "patience_ms", millis(0..=600_000).default(3_000);
        /// Memory for the kept answers. Keep it well below the pod's memory limit.
        restart max_bytes: u64 = "max_bytes", bytes(1_048_576..=17_179_869_184).default(67_108_864);
    }

    /// Lists of objects.
    list: List {
        /// Most objects of a page. Smaller pages are more calls, each lighter for the API server.
        live page_size: NonZeroU32 = "page_size", count(1..=10_000).default(500);
        /// auto: by the API server's version, pages up to Kubernetes 1.33 and whole lists from 1.34 on, where they
        /// cost it less. paged: page after page, as consistent as the API server's store. watch_cache: in one call
        /// from the API server's memory, cheaper for it, but perhaps a little old.
        live plan: ListPlan = "plan", choice(LIST_PLANS).default("auto");
        /// Most objects of a list; a longer one is an error, not a part of a list.
        live max_objects: NonZeroUsize = "max_objects", count(1..=10_000_000).default(200_000);
        /// Largest size of one object, in bytes. etcd takes at most 1.5 MiB, of which JSON makes about twice that.
        live max_item_bytes: usize = "max_item_bytes", bytes(65_536..=67_108_864).default(4_194_304);
    }

    /// Templates of new objects.
    templates: Templates {
        /// The folder of the templates, one YAML file each: singleContainer, dualContainer and further pods,
        /// deployment, service, pvc. What it does not have is built in. It is re-read when it changes; a broken
        /// file changes nothing.
        restart dir: PathBuf = "dir", path("the path of a folder").default("/etc/aenv/pod-templates");
    }

    /// Environment services.
    services: Services {
        /// Suffix of a service's URL, after its name and namespace. Change it if the cluster's DNS domain is not
        /// cluster.local. The environment variable SERVICE_DOMAIN_SUFFIX, which the Helm chart sets, is stronger
        /// than this line.
        restart domain_suffix: String = "domain_suffix", domain().default("svc.cluster.local");
    }

    /// EnvHub, which describes environments.
    envhub: EnvHub {
        /// EnvHub's address, such as http://envhub:8080; credentials in it are refused. ~: there is none, and what
        /// the aenv CLI creates by the name of an environment is answered with 501. api-service asks EnvHub itself
        /// and needs no line here.
        restart url: Option<String> = "url", url().optional();
    }

    /// The log, on standard error.
    log: Log {
        /// Lowest level that is logged: off, error, warn, info, debug or trace; others for some modules behind commas,
        /// as in info,aenv_controller::memo=debug. kube_client and actix_server are quiet unless they are named. The
        /// environment variable RUST_LOG is stronger, wherever this key is set.
        live level: Directives = "level", directives().default("info");
        /// text, for people, or json: an object a line, with timestamp, level, target and message.
        restart format: Format = "format", choice(LOG_FORMATS).default("text");
    }
}

impl Throttle {
    /// Calls per second in the long run. `None`: without a limit.
    pub fn rate(&self) -> Option<f64> {
        (!self.unlimited).then_some(self.qps)
    }
}
