//! A YAML file as a tree that knows the place of every key.
//!
//! Types alone could not say where something is missing or does not fit its neighbour, nor notice a key that they do
//! not have.

use super::fault::TemplateFault;
use super::tree::{Node, Tree};
use serde_json::Value;
use serde_saphyr::{Location, MessageFormatter, Spanned, UserMessageFormatter};
use std::fmt;
use std::path::{Path, PathBuf};

/// A line and a column, counted from one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Place {
    pub(super) line: u64,
    pub(super) column: u64,
}

impl From<Location> for Place {
    fn from(location: Location) -> Self {
        Self { line: location.line(), column: location.column() }
    }
}

/// The way to a key, displayed as `spec.containers[0].image`.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct KeyPath(Vec<Step>);

/// One step of the way.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Step {
    /// To the member of that key.
    Key(String),
    /// To the item of that number.
    Index(usize),
}

impl KeyPath {
    /// The way along these keys, separated by dots.
    pub(super) fn of(keys: &str) -> Self {
        Self(keys.split('.').map(|key| Step::Key(key.to_owned())).collect())
    }

    /// The way to a member.
    pub(super) fn key(&self, key: impl Into<String>) -> Self {
        self.with(Step::Key(key.into()))
    }

    /// The way to an item.
    pub(super) fn index(&self, index: usize) -> Self {
        self.with(Step::Index(index))
    }

    /// The steps from the top of the document.
    pub(super) fn steps(&self) -> &[Step] {
        &self.0
    }

    fn with(&self, step: Step) -> Self {
        Self(self.0.iter().cloned().chain([step]).collect())
    }
}

impl From<&serde_path_to_error::Path> for KeyPath {
    fn from(path: &serde_path_to_error::Path) -> Self {
        use serde_path_to_error::Segment;
        let step = |segment: &Segment| match segment {
            Segment::Seq { index } => Some(Step::Index(*index)),
            Segment::Map { key } | Segment::Enum { variant: key } => Some(Step::Key(key.clone())),
            Segment::Unknown => None,
        };
        Self(path.iter().map_while(step).collect())
    }
}

impl fmt::Display for KeyPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (number, step) in self.0.iter().enumerate() {
            match step {
                Step::Key(key) if number == 0 => f.write_str(key)?,
                Step::Key(key) => write!(f, ".{key}")?,
                Step::Index(index) => write!(f, "[{index}]")?,
            }
        }
        Ok(())
    }
}

/// The one YAML document of a file.
#[derive(Debug)]
pub(super) struct Document {
    file: PathBuf,
    root: Node,
}

impl Document {
    /// Reads a file with this text.
    pub(super) fn parse(file: &Path, text: &str) -> Result<Self, TemplateFault> {
        let read = serde_saphyr::from_str::<Spanned<Tree>>(text);
        let root = Node::from(read.map_err(|error| {
            let problem = format!("is not valid YAML: {}", words(&error));
            TemplateFault::at(file, error.location().map(Place::from), None, problem)
        })?);
        if !matches!(root.tree, Tree::Mapping(_)) {
            return Err(TemplateFault::of_file(file, "is no template: there is no mapping at its top level"));
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
    pub(super) fn fault(&self, path: &KeyPath, problem: impl Into<String>) -> TemplateFault {
        TemplateFault::at(&self.file, Some(self.root.place_of(path)), Some(path.to_string()), problem.into())
    }

    /// A fault at `path`, whose value does not fit the type that it is meant for.
    pub(super) fn misfit(&self, path: &KeyPath, error: &serde_saphyr::Error) -> TemplateFault {
        let place = error.location().map_or_else(|| self.root.place_of(path), Place::from);
        TemplateFault::at(&self.file, Some(place), Some(path.to_string()), format!("does not fit: {}", words(error)))
    }

    /// Every key that says something and of which `typed`, which was made from this document, knows nothing.
    pub(super) fn unknown_keys(&self, typed: &Value) -> Vec<KeyPath> {
        let mut unknown = Vec::new();
        self.root.unknown_keys(typed, &KeyPath::default(), &mut unknown);
        unknown
    }
}

/// What is wrong, in words for whoever wrote the file, without its place.
fn words(error: &serde_saphyr::Error) -> String {
    UserMessageFormatter.format_message(error.without_snippet()).into_owned()
}
