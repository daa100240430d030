//! YAML file of a template, whose faults name the place of every key.
//!
//! Types alone could not say where something is missing or does not fit its neighbour.

use super::key_path::{KeyPath, Step};
use super::typed::{self, Misfit};
use crate::syntax::{Fault, Node, Place, Value};
use serde::de::DeserializeOwned;
use serde_saphyr::{MessageFormatter, UserMessageFormatter};
use std::fmt;
use std::path::Path;

/// The one YAML document of a file.
#[derive(Debug)]
pub(super) struct Document<'a> {
    file: &'a Path,
    text: &'a str,
    root: Node,
}

impl<'a> Document<'a> {
    /// Reads a file with this text.
    pub(super) fn parse(file: &'a Path, text: &'a str) -> Result<Self, Fault> {
        let root = Node::from_yaml(text).map_err(|error| {
            let problem = format!("is not valid YAML: {}", words(&error));
            match error.location().map(Place::from) {
                Some(place) => Fault::new(problem).within(format_args!("{}:{place}", file.display())),
                None => Fault::of_file(file, problem),
            }
        })?;
        if !matches!(root.value, Value::Object(_)) {
            return Err(Fault::of_file(file, "is no template: there is no mapping at its top level"));
        }
        Ok(Self { file, text, root })
    }

    /// The text that the top level has for `key`.
    pub(super) fn text(&self, key: &str) -> Option<&str> {
        self.text_at(&[key])
    }

    /// The text at the end of these keys.
    pub(super) fn text_at(&self, keys: &[&str]) -> Option<&str> {
        let mut value = &self.root.value;
        for key in keys {
            let Value::Object(members) = value else { return None };
            value = &members.get(*key)?.value;
        }
        if let Value::Text(text) = value { Some(text) } else { None }
    }

    /// A fault at `path`, or at the nearest key above it that is there.
    pub(super) fn fault(&self, path: &KeyPath, problem: impl fmt::Display) -> Fault {
        let fault = Fault::at(path.to_string(), problem);
        match place_of(&self.root, path) {
            Some(place) => fault.within(format_args!("{}:{place}", self.file.display())),
            None => fault.within(self.file.display()),
        }
    }

    /// The document as an object of that type, and every key that says something and that the type ignores, in the order
    /// of the file.
    pub(super) fn typed<T: DeserializeOwned>(&self) -> Result<(T, Vec<KeyPath>), Fault> {
        let (object, mut ignored) = typed::read(&self.root, self.text)
            .map_err(|Misfit { path, problem }| self.fault(&path, format_args!("does not fit: {problem}")))?;
        ignored.sort_by_key(|path| place_of(&self.root, path));
        Ok((object, ignored))
    }
}

/// The place that `path` leads to, or the last one on the way that is there.
fn place_of(root: &Node, path: &KeyPath) -> Option<Place> {
    let mut node = root;
    for step in path.steps() {
        let next = match (step, &node.value) {
            (Step::Key(key), Value::Object(members)) => members.get(key),
            (Step::Index(index), Value::List(items)) => items.get(*index),
            _ => None,
        };
        let Some(next) = next else { break };
        node = next;
    }
    node.place
}

/// The problem, in words for the author of the file, without its place.
fn words(error: &serde_saphyr::Error) -> String {
    UserMessageFormatter.format_message(error.without_snippet()).into_owned()
}
