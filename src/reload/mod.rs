//! Live reload: settings that change while the controller runs, and the files that they come from.

mod live;
mod watch;

pub use live::Live;
pub use watch::Watch;
