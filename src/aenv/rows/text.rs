//! Interned text: the strings that many rows of one list have in common, each stored once.

use jiff::Timestamp;
use serde::{Serialize, Serializer};
use std::collections::{BTreeMap, HashSet};
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
        self.share_str(&text.unwrap_or_default())
    }

    fn share_str(&mut self, text: &str) -> Text {
        if let Some(known) = self.0.get(text) {
            return Text(Arc::clone(known));
        }
        let new = Arc::<str>::from(text);
        self.0.insert(Arc::clone(&new));
        Text(new)
    }
}

/// Shared texts by shared keys, in the order of the keys. They serialize as a map.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash)]
pub(crate) struct TextMap(Box<[(Text, Text)]>);

impl TextMap {
    pub(crate) fn new<T: AsRef<str> + Ord>(pairs: BTreeMap<T, T>, texts: &mut Interner) -> Self {
        let mut share = |text: &T| texts.share_str(text.as_ref());
        Self(pairs.iter().map(|(key, value)| (share(key), share(value))).collect())
    }

    pub(crate) fn get(&self, key: &str) -> Option<&str> {
        let place = self.0.binary_search_by(|(known, _)| (**known).cmp(key)).ok()?;
        Some(&*self.0[place].1)
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0.iter().map(|(key, value)| (&**key, &**value))
    }
}

impl Serialize for TextMap {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.iter())
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

    #[test]
    fn a_map_finds_its_keys_and_shares_what_others_have() {
        let mut texts = Interner::default();
        let [map, other] = [0, 1].map(|_| TextMap::new(BTreeMap::from([("b", "x"), ("a", "x")]), &mut texts));
        assert_eq!((map.get("a"), map.get("b"), map.get("c")), (Some("x"), Some("x"), None));
        assert_eq!(serde_json::to_string(&map).unwrap(), r#"{"a":"x","b":"x"}"#);
        assert!(Arc::ptr_eq(&map.0[0].1.0, &map.0[1].1.0) && Arc::ptr_eq(&map.0[0].0.0, &other.0[0].0.0));
    }
}
