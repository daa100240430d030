//! YAML file of a template, whose faults name the place of every key.
//!
//! Types alone could not say where something is missing or does not fit its neighbour, nor notice a key that they do
//! not have.

use super::key_path::{KeyPath, Step};
use crate::syntax::{Fault, Node, Place, Value};
use serde_saphyr::{MessageFormatter, UserMessageFormatter};
use std::fmt;
use std::path::{Path, PathBuf};

/// The one YAML document of a file.
#[derive(Debug)]
pub(super) struct Document {
    file: PathBuf,
    root: Node,
}

impl Document {
    /// Reads a file with this text.
    pub(super) fn parse(file: &Path, text: &str) -> Result<Self, Fault> {
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
        Ok(Self { file: file.to_owned(), root })
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
        self.at(path, problem, place_of(&self.root, path))
    }

    /// A fault at `path`, whose value does not fit the type that it is meant for.
    pub(super) fn misfit(&self, path: &KeyPath, error: &serde_saphyr::Error) -> Fault {
        let place = error.location().map(Place::from).or_else(|| place_of(&self.root, path));
        self.at(path, format_args!("does not fit: {}", words(error)), place)
    }

    /// Every key that says something and of which `typed`, which was made from this document, knows nothing, in the order
    /// of the file.
    pub(super) fn unknown_keys(&self, typed: &serde_json::Value) -> Vec<KeyPath> {
        let mut unknown = Vec::new();
        add_unknown_keys(&self.root.value, typed, &KeyPath::default(), &mut unknown);
        unknown.sort_by_key(|path| place_of(&self.root, path));
        unknown
    }

    fn at(&self, path: &KeyPath, problem: impl fmt::Display, place: Option<Place>) -> Fault {
        let fault = Fault::at(path.to_string(), problem);
        match place {
            Some(place) => fault.within(format_args!("{}:{place}", self.file.display())),
            None => fault.within(self.file.display()),
        }
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

/// Adds the path of every key below `path` that says something and that `typed` does not have.
fn add_unknown_keys(value: &Value, typed: &serde_json::Value, path: &KeyPath, unknown: &mut Vec<KeyPath>) {
    match value {
        Value::Object(members) => {
            for (key, Node { value, .. }) in members.iter().filter(|(_, member)| member.value.says_something()) {
                let path = path.key(key);
                match typed.get(key) {
                    Some(typed) => add_unknown_keys(value, typed, &path, unknown),
                    None => unknown.push(path),
                }
            }
        }
        Value::List(items) => {
            for (index, item) in items.iter().enumerate() {
                add_unknown_keys(&item.value, &typed[index], &path.index(index), unknown);
            }
        }
        _ => {}
    }
}

/// The problem, in words for the author of the file, without its place.
fn words(error: &serde_saphyr::Error) -> String {
    UserMessageFormatter.format_message(error.without_snippet()).into_owned()
}
