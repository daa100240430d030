//! Labels of a row: those of its object, by which selectors find it, and those that its caller gave it.

use super::text::{Interner, TextMap};
use crate::aenv::labels::is_reserved;
use serde::{Serialize, Serializer};
use std::collections::BTreeMap;

/// The largest annotation that is kept. A list holds all of its rows in memory.
const KEPT_MAX: usize = 64 * 1024;

/// Labels besides AEnvironment's own. They serialize as the labels of the caller: without those of Kubernetes and of the
/// templates, and with those that an annotation keeps.
#[derive(Debug, Clone, Default, Hash)]
pub(crate) struct RowLabels {
    /// Those of the object.
    set: TextMap,
    /// Those of the annotation; a key of it is the caller's, and the object's label of that key is not.
    kept: BTreeMap<String, String>,
}

impl RowLabels {
    /// The object's labels, and the annotation that keeps others.
    pub(crate) fn new(set: BTreeMap<String, String>, kept: Option<&str>, texts: &mut Interner) -> Self {
        let kept = kept.filter(|text| text.len() <= KEPT_MAX);
        let kept = kept.and_then(|text| serde_json::from_str(text).ok()).unwrap_or_default();
        Self { set: TextMap::new(set, texts), kept }
    }

    /// The object's label of this key.
    pub(crate) fn get(&self, key: &str) -> Option<&str> {
        self.set.get(key)
    }

    /// True if the caller gave none.
    pub(crate) fn is_empty(&self) -> bool {
        self.shown().next().is_none()
    }

    /// Number of bytes of text.
    pub(crate) fn text_bytes(&self) -> usize {
        let set = self.set.iter().map(|(key, value)| key.len() + value.len());
        let kept = self.kept.iter().map(|(key, value)| key.len() + value.len());
        set.chain(kept).map(|bytes| bytes + 6).sum()
    }

    fn shown(&self) -> impl Iterator<Item = (&str, &str)> {
        let set = self.set.iter().filter(|(key, _)| !is_reserved(key) && !self.kept.contains_key(*key));
        set.chain(self.kept.iter().map(|(key, value)| (&**key, &**value)))
    }
}

impl Serialize for RowLabels {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.shown())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{json, to_value};

    fn labels(set: &[(&str, &str)], kept: Option<&str>) -> RowLabels {
        let set = set.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect();
        RowLabels::new(set, kept, &mut Interner::default())
    }

    #[test]
    fn the_labels_of_the_caller_are_shown_wherever_they_are_kept() {
        let labels = labels(
            &[("app", "weather-main"), ("app.kubernetes.io/name", "x"), ("team", "red"), ("template-type", "y")],
            Some(r#"{"app":"chatbot","a b":"two words"}"#),
        );
        assert_eq!(to_value(&labels).unwrap(), json!({"team": "red", "app": "chatbot", "a b": "two words"}));
        assert_eq!((labels.get("app"), labels.get("a b"), labels.is_empty()), (Some("weather-main"), None, false));
    }

    #[test]
    fn an_annotation_that_is_not_ours_or_too_large_is_passed_over() {
        let large = format!(r#"{{"a":"{}"}}"#, "x".repeat(KEPT_MAX));
        for kept in [None, Some("nonsense"), Some("[1]"), Some(&*large)] {
            assert!(labels(&[("template-type", "y")], kept).is_empty());
        }
    }
}
