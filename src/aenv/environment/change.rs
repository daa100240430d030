//! What is to change about an environment service.

use super::body::Section;
use super::document::Json;
use super::faults::{Fault, Faults};
use super::rules;
use std::collections::BTreeMap;

/// What is to change about an environment service; at least one thing does.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ServiceChange {
    /// How many pods; not negative. `None`: as before.
    pub replicas: Option<i32>,
    /// The image of every container. `None`: as before.
    pub image: Option<String>,
    /// Environment variables that every container gets, or gets with another value. The others stay.
    pub variables: BTreeMap<String, String>,
}

impl ServiceChange {
    /// Reads the body of an update.
    ///
    /// # Errors
    /// Everything that is wrong with it, or that it changes nothing.
    pub fn parse(body: &[u8]) -> Result<Self, Faults> {
        let document = Json::parse(body)?;
        let mut top = Section::of_body(&document);
        let replicas = top.read("replicas", rules::replicas);
        let image = top.read("image", rules::image);
        let variables = top.read("environment_variables", rules::variables).unwrap_or_default();
        let faults = top.into_faults();
        if !faults.is_empty() {
            return Err(faults);
        }
        if replicas.is_none() && image.is_none() && variables.is_empty() {
            let problem = "there is nothing to change, give any of replicas, image, environment_variables";
            return Err(Fault::of_body(problem).into());
        }
        Ok(Self { replicas, image, variables })
    }
}
