//! A YAML file as a tree that knows the place of every key.
//!
//! Types alone could not say where something is missing or does not fit its neighbour, nor notice a key that they do
//! not have.

use super::key_path::{KeyPath, Place};
use super::tree::{Node, Tree};
use crate::syntax::Fault;
use serde_json::Value;
use serde_saphyr::{MessageFormatter, Spanned, UserMessageFormatter};
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
        let read = serde_saphyr::from_str::<Spanned<Tree>>(text);
        let root = Node::from(read.map_err(|error| {
            let problem = format!("is not valid YAML: {}", words(&error));
            match error.location().map(Place::from) {
                Some(place) => Fault::new(problem).within(place.of(file)),
                None => Fault::of_file(file, problem),
            }
        })?);
        if !matches!(root.tree, Tree::Mapping(_)) {
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
        let mut tree = &self.root.tree;
        for key in keys {
            let Tree::Mapping(members) = tree else { return None };
            tree = &members.iter().find(|member| member.key == *key)?.value.tree;
        }
        if let Tree::Text(text) = tree { Some(text) } else { None }
    }

    /// A fault at `path`, or at the nearest key above it that is there.
    pub(super) fn fault(&self, path: &KeyPath, problem: impl fmt::Display) -> Fault {
        Fault::at(path.to_string(), problem).within(self.root.place_of(path).of(&self.file))
    }

    /// A fault at `path`, whose value does not fit the type that it is meant for.
    pub(super) fn misfit(&self, path: &KeyPath, error: &serde_saphyr::Error) -> Fault {
        let place = error.location().map_or_else(|| self.root.place_of(path), Place::from);
        Fault::at(path.to_string(), format_args!("does not fit: {}", words(error))).within(place.of(&self.file))
    }

    /// Every key that says something and of which `typed`, which was made from this document, knows nothing.
    pub(super) fn unknown_keys(&self, typed: &Value) -> Vec<KeyPath> {
        let mut unknown = Vec::new();
        self.root.unknown_keys(typed, &KeyPath::default(), &mut unknown);
        unknown
    }
}

/// The problem, in words for the author of the file, without its place.
fn words(error: &serde_saphyr::Error) -> String {
    UserMessageFormatter.format_message(error.without_snippet()).into_owned()
}
