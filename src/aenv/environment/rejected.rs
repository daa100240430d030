//! Refusal of a create: its own fields, or a template that it needs.

use crate::syntax::Faults;

/// Refusal of a create.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Rejected {
    /// Its fields are refused.
    #[error("{}", .0.sentence())]
    Body(Faults),
    /// The template that it needs is broken. The faults name file, line and key.
    #[error("the template {name} cannot be used until its file is mended: {faults}")]
    Template {
        /// The template's name.
        name: String,
        /// Everything that is wrong with its file.
        faults: String,
    },
}

impl From<Faults> for Rejected {
    fn from(faults: Faults) -> Self {
        Self::Body(faults)
    }
}
