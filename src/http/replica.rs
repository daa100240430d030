//! Identity of the replica that answers.

use serde::Serialize;
use std::time::SystemTime;
use utoipa::ToSchema;

/// Name, start and version of this replica. Its counts begin anew when it does.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub(crate) struct Replica {
    /// The name of its Pod, or of the machine.
    name: String,
    /// When it was started.
    #[serde(rename = "started_ms", serialize_with = "unix_ms")]
    #[schema(value_type = u64)]
    started: SystemTime,
    version: &'static str,
}

impl Replica {
    /// A replica of this name that starts now.
    pub(crate) fn starting(name: String) -> Self {
        Self { name, started: SystemTime::now(), version: env!("CARGO_PKG_VERSION") }
    }
}

fn unix_ms<S: serde::Serializer>(at: &SystemTime, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_u128(at.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default().as_millis())
}
