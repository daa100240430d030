//! Path of keys to a value in a YAML file.

use std::fmt;

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

    /// Goes one step further.
    pub(super) fn enter(&mut self, step: Step) {
        self.0.push(step);
    }

    /// Goes one step back.
    pub(super) fn leave(&mut self) {
        self.0.pop();
    }

    fn with(&self, step: Step) -> Self {
        Self(self.0.iter().cloned().chain([step]).collect())
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
