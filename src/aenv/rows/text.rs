//! Interned text: the strings that many rows of one list have in common, each stored once.

use jiff::Timestamp;
use serde::{Serialize, Serializer};
use std::collections::HashSet;
use std::hash::{Hash, Hasher};
use std::ops::Deref;
use std::sync::Arc;

/// A string that rows share. It serializes as a string.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Text(Arc<str>);

impl Deref for Text {
    type Target = str;

    fn deref(&self) -> &str {
        &self.0
    }
}

impl Serialize for Text {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self)
    }
}

/// Interner: gives equal strings of one list the same allocation.
#[derive(Debug, Default)]
pub struct Interner(HashSet<Arc<str>>);

impl Interner {
    /// `text`, shared with every equal text before it. `None` is the empty text.
    pub fn share(&mut self, text: Option<String>) -> Text {
        let text = text.unwrap_or_default();
        if let Some(known) = self.0.get(&*text) {
            return Text(Arc::clone(known));
        }
        let new = Arc::<str>::from(text);
        self.0.insert(Arc::clone(&new));
        Text(new)
    }
}

/// When a row was read from the API server. It hashes to nothing: reading a row again does not change it, and its
/// entity tag stays.
#[derive(Debug, Clone, Copy)]
pub(crate) struct ReadAt(pub Timestamp);

impl Hash for ReadAt {
    fn hash<H: Hasher>(&self, _: &mut H) {}
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equal_texts_of_one_list_are_stored_once() {
        let mut texts = Interner::default();
        let [first, second, other] = ["weather", "weather", "browser"].map(|text| texts.share(Some(text.to_owned())));
        assert!(Arc::ptr_eq(&first.0, &second.0));
        assert_eq!((&*first, &*other, &*texts.share(None)), ("weather", "browser", ""));
    }
}
