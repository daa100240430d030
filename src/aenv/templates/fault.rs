//! What is wrong with the templates: all of it at once, each fault with its place.

use super::yaml::Place;
use std::fmt;
use std::path::{Path, PathBuf};

/// Everything that is wrong with a set of templates, one line per fault.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{}", .0.iter().map(TemplateFault::to_string).collect::<Vec<_>>().join("\n"))]
pub struct TemplateFaults(pub(super) Vec<TemplateFault>);

impl TemplateFaults {
    /// The faults, at least one.
    pub fn iter(&self) -> impl Iterator<Item = &TemplateFault> {
        self.0.iter()
    }
}

impl From<TemplateFault> for TemplateFaults {
    fn from(fault: TemplateFault) -> Self {
        Self(vec![fault])
    }
}

/// One thing that is wrong; displayed as one line, `file:line:column: key: problem`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TemplateFault {
    file: PathBuf,
    place: Option<Place>,
    key: Option<String>,
    problem: String,
}

impl TemplateFault {
    /// A fault of a whole file or folder.
    pub(super) fn of_file(file: &Path, problem: impl fmt::Display) -> Self {
        Self { file: file.to_owned(), place: None, key: None, problem: problem.to_string() }
    }

    /// A fault at a place of the file, which is that of a key, if one is named.
    pub(super) fn at(file: &Path, place: Option<Place>, key: Option<String>, problem: String) -> Self {
        Self { file: file.to_owned(), place, key, problem }
    }

    /// The file or folder.
    #[must_use]
    pub fn file(&self) -> &Path {
        &self.file
    }

    /// The key, such as `spec.containers[0].image`. `None`: the fault is not that of a key.
    #[must_use]
    pub fn key(&self) -> Option<&str> {
        self.key.as_deref()
    }
}

impl fmt::Display for TemplateFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.file.display())?;
        if let Some(Place { line, column }) = self.place {
            write!(f, ":{line}:{column}")?;
        }
        if let Some(key) = &self.key {
            write!(f, ": {key}")?;
        }
        write!(f, ": {}", self.problem)
    }
}
