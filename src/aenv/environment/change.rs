//! Changes of an environment service.

use super::document::Document;
use super::section::Section;
use super::settings::{IMAGE, REPLICAS, VARIABLES};
use crate::aenv::warnings::Warnings;
use crate::syntax::Faults;
use std::collections::BTreeMap;

/// The changes of an environment service; there may be none.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ServiceChange {
    /// Number of pods, not negative. `None`: as before.
    pub replicas: Option<i32>,
    /// The image of every container. `None`: as before.
    pub image: Option<String>,
    /// Environment variables that every container gets, or gets with another value. The others stay.
    pub variables: BTreeMap<String, String>,
}

impl ServiceChange {
    /// Reads the body of an update.
    pub(crate) fn parse(body: &[u8]) -> Result<(Self, Warnings), Faults> {
        let document = Document::parse(body)?;
        let mut top = Section::of_body(&document);
        let replicas = top.read(&REPLICAS);
        let image = top.read(&IMAGE);
        let variables = top.read(&VARIABLES).unwrap_or_default();
        let (change, mut warnings) = Section::conclude([top], || Some(Self { replicas, image, variables }))?;
        if change.is_empty() {
            warnings.push("there is nothing to change, give any of replicas, image, environment_variables");
        }
        Ok((change, warnings))
    }

    /// True if everything stays as it is.
    pub(crate) fn is_empty(&self) -> bool {
        self.replicas.is_none() && self.image.is_none() && self.variables.is_empty()
    }
}
