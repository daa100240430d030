//! Changes between two sets of settings, and which of them a running controller can take on.

use std::fmt;

/// When a new value of a key takes effect.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Applies {
    /// While the controller runs.
    Live,
    /// When it starts again.
    Restart,
}

/// A key whose value is different. Displayed as `throttle.qps: 50 -> 20`; no value is a secret, since a URL with
/// credentials is refused.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Change {
    /// The key's path.
    pub key: &'static str,
    /// When it takes effect.
    pub applies: Applies,
    /// The value before, as in a settings file.
    pub old: String,
    /// The value that it is meant to have.
    pub new: String,
}

impl fmt::Display for Change {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { key, old, new, .. } = self;
        write!(f, "{key}: {old} -> {new}")
    }
}
