//! Labels of a caller's own: set as labels of the object where Kubernetes takes them, kept in an annotation where not.
//!
//! `api-service` hands on any text as a label, and the SDK shows what it gets back; so nothing is refused and nothing is
//! lost. Only those that are labels can be selected by.

use crate::syntax::{LabelValue, check_label_key};
use std::collections::BTreeMap;

/// The annotation that keeps labels which an object cannot carry, as a JSON object of texts.
pub(crate) const KEPT_LABELS: &str = "aenv-controller/labels";

/// The labels that a caller gave to a new object.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct CallerLabels {
    set: BTreeMap<String, String>,
    kept: BTreeMap<String, String>,
}

impl CallerLabels {
    /// Sorts `labels`. A key among `selector_keys` is not the caller's: with it a pod could take a Service's traffic.
    /// `keep` is told each label that cannot be one, and why.
    pub(crate) fn sort(
        labels: BTreeMap<String, String>,
        selector_keys: &[String],
        mut keep: impl FnMut(&str, &'static str),
    ) -> Self {
        let mut sorted = Self::default();
        for (key, value) in labels {
            let why = if is_reserved(&key) || selector_keys.contains(&key) {
                Some("its key is reserved")
            } else if check_label_key(&key).is_err() {
                Some("its key is not a label key")
            } else if !value.is_empty() && LabelValue::new(&value).is_err() {
                Some("its value is not a label value")
            } else {
                None
            };
            if let Some(why) = why {
                keep(&key, why);
            }
            let into = if why.is_some() { &mut sorted.kept } else { &mut sorted.set };
            into.insert(key, value);
        }
        sorted
    }

    /// Those that the object carries as labels.
    pub(crate) fn set(&self) -> &BTreeMap<String, String> {
        &self.set
    }

    /// The annotation for the others; `None` if there are none.
    pub(crate) fn annotation(&self) -> Option<(String, String)> {
        let text = || serde_json::to_string(&self.kept).expect("texts by name are JSON");
        (!self.kept.is_empty()).then(|| (KEPT_LABELS.to_owned(), text()))
    }
}

/// True if a label key belongs to AEnvironment, to its templates or to Kubernetes.
pub(crate) fn is_reserved(key: &str) -> bool {
    let prefix = key.split_once('/').map_or("", |(prefix, _)| prefix);
    let within = |domain: &str| prefix.strip_suffix(domain).is_some_and(|sub| sub.is_empty() || sub.ends_with('.'));
    matches!(key, "template-type" | "pod-template-hash")
        || key.starts_with("business/aenv-")
        || within("kubernetes.io")
        || within("k8s.io")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_label_is_set_where_kubernetes_takes_it_and_kept_where_not() {
        let given = [
            ("experiment", "exp1"),
            ("example.com/tier", ""),
            ("kubernetes.io.example.com/x", "y"),
            ("app", "chatbot"),
            ("team", "two words"),
            ("a b", "c"),
            ("business/aenv-owner", "root"),
            ("node.k8s.io/x", "x"),
            ("template-type", "x"),
        ];
        let given: BTreeMap<_, _> = given.map(|(key, value)| (key.to_owned(), value.to_owned())).into();
        let mut kept = Vec::new();
        let keys = ["app".to_owned()];
        let sorted = CallerLabels::sort(given.clone(), &keys, |key, why| kept.push((key.to_owned(), why)));
        let set: Vec<_> = sorted.set().keys().map(String::as_str).collect();
        assert_eq!(set, ["example.com/tier", "experiment", "kubernetes.io.example.com/x"]);
        assert_eq!(kept.len(), 6);
        assert!(kept.contains(&("team".to_owned(), "its value is not a label value")), "{kept:?}");
        let (name, text) = sorted.annotation().unwrap();
        let read: BTreeMap<String, String> = serde_json::from_str(&text).unwrap();
        assert_eq!((name.as_str(), read["app"].as_str(), read.len()), (KEPT_LABELS, "chatbot", 6));
        assert_eq!(CallerLabels::default().annotation(), None);
    }
}
