//! What is wrong with tokens and certificates: all of it at once, each fault with its place, and no secret.

use std::fmt;
use std::path::Path;

/// Everything that is wrong, one line per fault.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{}", .0.iter().map(CredentialFault::to_string).collect::<Vec<_>>().join("\n"))]
pub struct CredentialFaults(Vec<CredentialFault>);

impl CredentialFaults {
    /// `Ok` if there are none.
    ///
    /// # Errors
    /// The faults, if there are any.
    pub fn none_of(faults: Vec<CredentialFault>) -> Result<(), Self> {
        if faults.is_empty() { Ok(()) } else { Err(Self(faults)) }
    }
}

impl IntoIterator for CredentialFaults {
    type Item = CredentialFault;
    type IntoIter = std::vec::IntoIter<CredentialFault>;

    fn into_iter(self) -> Self::IntoIter {
        self.0.into_iter()
    }
}

impl From<CredentialFault> for CredentialFaults {
    fn from(fault: CredentialFault) -> Self {
        Self(vec![fault])
    }
}

/// One thing that is wrong; displayed as one line, `place: problem`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CredentialFault {
    place: String,
    problem: String,
}

impl CredentialFault {
    /// A fault of a setting.
    #[must_use]
    pub fn of_key(key: &str, problem: &str) -> Self {
        Self { place: key.to_owned(), problem: problem.to_owned() }
    }

    /// A fault of a whole file.
    pub(super) fn of_file(file: &Path, problem: impl fmt::Display) -> Self {
        Self { place: file.display().to_string(), problem: problem.to_string() }
    }

    /// A fault of a line of a file, the first of which is 1.
    pub(super) fn at(file: &Path, line: usize, problem: impl fmt::Display) -> Self {
        Self { place: format!("{}:{line}", file.display()), problem: problem.to_string() }
    }
}

impl fmt::Display for CredentialFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.place, self.problem)
    }
}
