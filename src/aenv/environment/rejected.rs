//! Why nothing can be made of a create.

use super::faults::Faults;

/// Why nothing can be made of a create.
#[derive(Debug, thiserror::Error)]
pub enum Rejected {
    /// Its fields are refused.
    #[error(transparent)]
    Body(#[from] Faults),
    /// The template that it needs is broken. The faults name file, line and key.
    #[error("the template {name} cannot be used until its file is mended: {faults}")]
    Template {
        /// The template's name.
        name: String,
        /// Everything that is wrong with its file.
        faults: String,
    },
}
