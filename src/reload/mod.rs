//! Live reload: settings that change while the controller runs, and mounted files that are read again.
//!
//! [`read_file`] reads within bounds, [`Mounted`] keeps what was made of files up to date, [`Watch`] wakes when a file
//! may have changed, and [`Live`] is a value that its readers see change.

mod file;
mod live;
mod metrics;
mod mounted;
mod watch;

pub(crate) use file::{MountedFile, read_file, read_text};
pub use live::Live;
pub(crate) use metrics::{Metrics, Outcome};
pub(crate) use mounted::{Mounted, Source};
pub(crate) use watch::Watch;
