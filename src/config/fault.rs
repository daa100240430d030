//! What is wrong with the settings: all of it at once, each fault with where it was said and what would be right.

use super::given::{Entry, Source};
use super::kind::Kind;
use std::fmt;

/// Everything that is wrong with the settings, one line per fault, the weakest source first.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{}", self.lines())]
pub struct SettingsError {
    faults: Vec<Fault>,
}

impl SettingsError {
    pub(super) fn new(mut faults: Vec<Fault>) -> Self {
        faults.sort_by(|a, b| a.source.cmp(&b.source));
        Self { faults }
    }

    /// The faults, at least one.
    #[must_use]
    pub fn faults(&self) -> &[Fault] {
        &self.faults
    }

    fn lines(&self) -> String {
        self.faults.iter().map(Fault::to_string).collect::<Vec<_>>().join("\n")
    }
}

/// One thing that is wrong; displayed as one line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fault {
    source: Source,
    path: Option<String>,
    problem: String,
}

impl Fault {
    /// A fault of a whole source, such as a file that cannot be read.
    pub(super) fn of_source(source: Source, problem: String) -> Self {
        Self { source, path: None, problem }
    }

    /// A fault at `path` of `source`.
    pub(super) fn at(source: &Source, path: &str, problem: String) -> Self {
        Self { source: source.clone(), path: Some(path.to_owned()), problem }
    }

    /// A value that its key does not take.
    pub(super) fn refused<T: 'static>(entry: &Entry, kind: &Kind<T>) -> Self {
        let requoted = entry.given.requoted().filter(|(given, _)| kind.read(given).is_some());
        let hint = requoted.map(|(_, how)| format!(", {how}")).unwrap_or_default();
        let problem = format!("{} is not allowed, give {}{hint}", entry.given, kind.allowed());
        Self::at(&entry.source, &entry.path, problem)
    }

    /// Where the value was given.
    #[must_use]
    pub fn source(&self) -> &Source {
        &self.source
    }

    /// What it was given for, such as `throttle.qps`. `None`: the fault is that of the whole source.
    #[must_use]
    pub fn path(&self) -> Option<&str> {
        self.path.as_deref()
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: ", self.source)?;
        if let Some(path) = &self.path {
            write!(f, "{path}: ")?;
        }
        f.write_str(&self.problem)
    }
}
