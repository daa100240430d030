//! Live reload: settings that change while the controller runs, and the files that they come from.

mod live;
mod metrics;
mod watch;

pub use live::Live;
pub use metrics::{Metrics, Outcome};
pub use watch::Watch;
