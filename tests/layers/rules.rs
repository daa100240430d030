//! Rules of the layout: which room may name which, and where a dependency may be named.

/// The tables that a source is held to.
pub(crate) struct Rules {
    /// A room, as a module path, and the rooms that it may name besides itself. A module belongs to the longest path
    /// that fits; one that fits none is an error, so that a new room forces a decision.
    pub(crate) arrows: &'static [(&'static str, &'static [&'static str])],
    /// A dependency, and the files or folders that alone may name it (`*/` before a file: in any room). Others may be
    /// named anywhere.
    pub(crate) dependencies: &'static [(&'static str, &'static [&'static str])],
    /// Imports inside a room that close a circle and are tolerated for now.
    pub(crate) circles: &'static [(&'static str, &'static str)],
}

/// Every room.
pub(crate) const ANY: &[&str] = &["*"];

/// The rooms below services and instances.
const OBJECTS: &[&str] = &[
    "aenv::container",
    "aenv::environment",
    "aenv::gateway",
    "aenv::labels",
    "aenv::once_only",
    "aenv::rows",
    "aenv::sweep",
    "aenv::templates",
    "aenv::warnings",
    "call",
    "cluster",
    "memo",
    "syntax",
];

pub(crate) const RULES: Rules = Rules {
    arrows: &[
        ("main", &["app", "config", "doctor", "sandbox", "telemetry"]),
        ("app", ANY),
        ("doctor", &["call", "cluster", "throttle"]),
        (
            "http",
            &[
                "aenv::envelope",
                "aenv::envhub",
                "aenv::environment",
                "aenv::gateway",
                "aenv::instances",
                "aenv::once_only",
                "aenv::rows",
                "aenv::services",
                "aenv::sweep",
                "aenv::warnings",
                "call",
                "cluster",
                "credentials",
                "memo",
                "reload",
                "syntax",
                "telemetry",
                "throttle",
            ],
        ),
        ("aenv", &[]),
        ("aenv::services", OBJECTS),
        ("aenv::instances", OBJECTS),
        ("aenv::gateway", &[]),
        ("aenv::environment", &["aenv::labels", "aenv::warnings", "syntax"]),
        ("aenv::labels", &["syntax"]),
        ("aenv::warnings", &[]),
        ("aenv::templates", &["aenv::environment", "reload", "syntax", "telemetry"]),
        ("aenv::container", &[]),
        ("aenv::once_only", &["call", "syntax"]),
        ("aenv::sweep", &["call", "cluster", "syntax", "telemetry"]),
        ("aenv::envhub", &["aenv::environment", "call", "memo", "syntax"]),
        ("aenv::rows", &["aenv::envelope", "aenv::labels", "call", "memo", "syntax"]),
        ("aenv::envelope", &[]),
        ("memo", &["call", "reload", "syntax", "telemetry"]),
        ("cluster", &["call", "reload", "syntax", "telemetry", "throttle"]),
        ("throttle", &["call", "telemetry"]),
        ("config", &["reload", "syntax", "telemetry"]),
        ("credentials", &["reload", "syntax", "telemetry"]),
        ("reload", &["call", "telemetry"]),
        ("telemetry", &[]),
        ("syntax", &[]),
        ("call", &[]),
        ("sandbox", &["call", "syntax"]),
    ],
    dependencies: &[
        ("actix_http", &["src/http"]),
        ("actix_service", &["src/http/server.rs"]),
        ("actix_web", &["src/http", "src/sandbox"]),
        ("backoff", &["src/cluster/retry.rs"]),
        ("clap", &["src/config/cli", "src/config/cli.rs"]),
        ("config", &["src/config"]),
        ("env_filter", &["src/telemetry/logger"]),
        ("env_logger", &["src/telemetry/logger"]),
        ("fastrand", &["src/call/ambient.rs", "src/cluster/retry.rs", "src/http/identify.rs", "src/throttle"]),
        ("flate2", &["src/aenv/rows/rendering.rs"]),
        ("fundu", &["src/syntax/go_duration.rs"]),
        ("hyper_rustls", &["src/aenv/envhub.rs"]),
        ("hyper_timeout", &["src/cluster"]),
        ("hyper_util", &["src/cluster", "src/aenv/envhub.rs"]),
        ("k8s_openapi", &["src/aenv", "src/cluster", "src/sandbox"]),
        ("kube", &["src/cluster"]),
        ("kube_client", &["src/cluster"]),
        ("kube_core", &["src/cluster"]),
        ("memchr", &["src/http/parts.rs"]),
        ("moka", &["src/memo/kept.rs"]),
        ("notify", &["src/reload/watch.rs"]),
        ("prometheus", &["*/metrics.rs", "src/telemetry/logger/queue.rs", "src/telemetry/process.rs"]),
        ("ring", &["src/cluster/marks.rs", "src/credentials/mod.rs"]),
        (
            "rustix",
            &[
                "src/aenv/rows/text_file.rs",
                "src/app/descriptors.rs",
                "src/http/scheduling.rs",
                "src/http/send_buffer.rs",
                "src/http/unsent.rs",
                "src/reload/file.rs",
                "src/telemetry/process.rs",
            ],
        ),
        ("rustls", &["src/credentials/certificates.rs"]),
        ("serde_saphyr", &["src/aenv/templates", "src/syntax/value.rs"]),
        ("subtle", &["src/credentials/tokens.rs"]),
        ("thread_priority", &["src/http/scheduling.rs"]),
        ("tokio_rustls", &["src/http/tls.rs"]),
        ("utoipa", &["src/http", "src/aenv"]),
        ("uuid", &["src/call/ambient.rs", "src/cluster/marks.rs"]),
        ("yaml_rust2", &["src/config/yaml.rs"]),
        ("zstd", &["src/aenv/rows/rendering.rs"]),
    ],
    circles: &[],
};

impl Rules {
    /// The room of a module, by its path.
    pub(crate) fn room_of(&self, module: &[String]) -> Option<&'static str> {
        let fits = |room: &str| {
            let room: Vec<_> = room.split("::").collect();
            module.len() >= room.len() && room.iter().zip(module).all(|(a, b)| a == b)
        };
        let rooms = self.arrows.iter().map(|(room, _)| *room);
        rooms.filter(|room| fits(room)).max_by_key(|room| room.len())
    }
}
