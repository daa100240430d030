//! Settings: read from a file, the environment and the flags, checked as a whole, handed down as plain values.
//!
//! A later source wins: the defaults, the file, `SERVICE_DOMAIN_SUFFIX`, `AENV_CONTROLLER__SECTION__KEY`, the flags.
//! All faults are found in one go. `sections` is the table that declares [`Settings`] and its keys; `sources` collects
//! the given values (`yaml` those of the file), `reader` matches them with the keys, and `kind` is the type of a key.
//! `reload` reads all sources again while the controller runs, and `change` is
//! a key with a new value. Only `main` loads settings; a layer gets the values that it needs, never this module.

mod change;
pub mod cli;
mod declare;
#[cfg(test)]
mod document;
mod given;
mod kind;
mod nearest;
mod reader;
mod reload;
mod sections;
mod sources;
#[cfg(test)]
mod tests;
mod yaml;

pub use change::{Applies, Change};
pub use reload::{Reloaded, Reloader};
pub use sections::{
    Auth, Encoding, EnvHub, Kubernetes, List, ListPlan, Log, Memo, Retry, Server, Services, Settings, Templates,
    Throttle, Tls,
};

use crate::syntax::Faults;
use cli::Flags;
use reader::Reader;
use sources::Sources;
use std::path::Path;

/// The settings file that is read, if it is there, when no flag names one.
pub const STANDARD_FILE: &str = "/etc/aenv/controller.yaml";

/// The namespace if neither the settings nor the pod template name one.
pub const DEFAULT_NAMESPACE: &str = "aenv-sandbox";

impl Settings {
    /// Loads the settings: from the file that `flags` name or else [`STANDARD_FILE`], from `environment`, usually
    /// [`environment`], and from `flags` themselves.
    ///
    /// # Errors
    /// All unknown keys, all values that are not allowed, keys that contradict each other, and a file that cannot be
    /// read: `Faults` has a line for each.
    pub fn load(flags: &Flags, environment: impl IntoIterator<Item = (String, String)>) -> Result<Self, Faults> {
        Self::from_sources(Sources::collect(flags, environment, Path::new(STANDARD_FILE)))
    }

    fn from_sources(sources: Sources) -> Result<Self, Faults> {
        let mut reader = Reader::new(sources.entries, sources.faults);
        let settings = Self::read(&mut reader);
        settings.expect_agreement(&mut reader);
        reader.finish().map(|()| settings)
    }

    /// Checks the keys that depend on each other.
    fn expect_agreement(&self, reader: &mut Reader) {
        let Self { server, retry, .. } = self;
        let ports = [
            ("server.port", server.port),
            ("server.readiness_port", server.readiness_port),
            ("server.metrics_addr", server.metrics_addr.port()),
        ];
        for [(path, port), (other, other_port)] in [[ports[1], ports[0]], [ports[2], ports[0]], [ports[2], ports[1]]] {
            reader.expect(port == 0 || port != other_port, [path, other], || {
                format!("port {port} is that of {other} too, give each listener its own (0: any free one)")
            });
        }
        reader.expect(retry.initial <= retry.max, ["retry.initial_ms", "retry.max_ms"], || {
            format!("{} is more than retry.max_ms, which is {}", retry.initial.as_millis(), retry.max.as_millis())
        });
    }
}

/// The built-in defaults.
impl Default for Settings {
    fn default() -> Self {
        Self::read(&mut Reader::default())
    }
}

/// The process's environment, as [`Settings::load`] takes it. What is not Unicode is made so: it is no allowed value,
/// and its fault should be told rather than the variable forgotten.
pub fn environment() -> impl Iterator<Item = (String, String)> {
    let text = |text: std::ffi::OsString| text.to_string_lossy().into_owned();
    std::env::vars_os().map(move |(name, value)| (text(name), text(value)))
}
