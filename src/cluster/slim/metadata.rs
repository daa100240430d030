//! Metadata of any object (`k8s.io/apimachinery/pkg/apis/meta/v1/generated.proto`).

use crate::syntax::{ENV_NAME, ENV_VERSION, OWNER, TTL};
use jiff::Timestamp;
use serde::{Deserialize, Deserializer};
use std::collections::BTreeMap;

/// `ObjectMeta`: `metadata` of any object.
#[derive(Clone, PartialEq, prost::Message, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Metadata {
    /// The name, unique among the namespace's objects of the kind.
    #[prost(string, tag = "1")]
    pub name: String,
    /// The id that no other object has or has had.
    #[prost(string, optional, tag = "5")]
    pub uid: Option<String>,
    /// The version of the object, opaque.
    #[prost(string, optional, tag = "6")]
    pub resource_version: Option<String>,
    /// Number of changes of the desired state.
    #[prost(int64, optional, tag = "7")]
    pub generation: Option<i64>,
    #[prost(message, optional, tag = "8")]
    creation_timestamp: Option<Time>,
    #[prost(message, optional, tag = "9")]
    deletion_timestamp: Option<Time>,
    #[prost(btree_map = "string, string", tag = "11")]
    #[serde(default, deserialize_with = "super::nullable")]
    labels: BTreeMap<String, String>,
    #[prost(btree_map = "string, string", tag = "12")]
    #[serde(default, deserialize_with = "super::nullable")]
    annotations: BTreeMap<String, String>,
}

impl Metadata {
    /// When the API server stored it first.
    pub fn created_at(&self) -> Option<Timestamp> {
        self.creation_timestamp.as_ref().and_then(Time::timestamp)
    }

    /// Since when it is being deleted; `None` if it is not.
    pub fn deleted_since(&self) -> Option<Timestamp> {
        self.deletion_timestamp.as_ref().and_then(Time::timestamp)
    }

    /// All labels, AEnvironment's apart from the others; empty if there are none.
    pub fn take_labels(&mut self) -> Labels {
        let mut labels = std::mem::take(&mut self.labels);
        Labels {
            env: labels.remove(ENV_NAME),
            version: labels.remove(ENV_VERSION),
            owner: labels.remove(OWNER),
            ttl: labels.remove(TTL),
            others: labels,
        }
    }

    /// The value of one label.
    pub fn label(&self, key: &str) -> Option<&str> {
        self.labels.get(key).map(String::as_str)
    }

    /// The value of one annotation.
    pub fn annotation(&self, key: &str) -> Option<&str> {
        self.annotations.get(key).map(String::as_str)
    }

    /// The annotations whose keys begin with `prefix`, the prefix cut off. All others are dropped: what `kubectl apply`
    /// leaves there is as large as the object.
    pub fn take_annotations(&mut self, prefix: &str) -> BTreeMap<String, String> {
        let annotations = std::mem::take(&mut self.annotations);
        let ours = |(key, value): (String, String)| Some((key.strip_prefix(prefix)?.to_owned(), value));
        annotations.into_iter().filter_map(ours).collect()
    }
}

/// Labels of an object. Values are as found, not checked; `None` if a label is missing.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Labels {
    /// `syntax::ENV_NAME`.
    pub env: Option<String>,
    /// `syntax::ENV_VERSION`.
    pub version: Option<String>,
    /// `syntax::OWNER`.
    pub owner: Option<String>,
    /// `syntax::TTL`.
    pub ttl: Option<String>,
    /// Every other label.
    pub others: BTreeMap<String, String>,
}

/// Any object, of which only the metadata is of use. Every kind has it as field 1.
#[derive(Clone, PartialEq, prost::Message, Deserialize)]
pub struct Object {
    /// Its metadata.
    #[prost(message, required, tag = "1")]
    pub metadata: Metadata,
}

super::slim!(Object);

/// `Time`: in JSON a text of RFC 3339, in protobuf seconds since 1970.
#[derive(Clone, PartialEq, prost::Message)]
pub(super) struct Time {
    #[prost(int64, optional, tag = "1")]
    seconds: Option<i64>,
}

impl Time {
    /// `None` for Go's zero time, which upstream encodes as an empty message.
    pub(super) fn timestamp(&self) -> Option<Timestamp> {
        self.seconds.filter(|&seconds| seconds != 0).and_then(|seconds| Timestamp::from_second(seconds).ok())
    }
}

impl<'de> Deserialize<'de> for Time {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Ok(Self { seconds: Some(Timestamp::deserialize(deserializer)?.as_second()) })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{from_value, json};

    #[test]
    fn labels_are_told_apart_and_annotations_of_others_are_dropped() {
        let mut metadata: Metadata = from_value(json!({
            "name": "p", "uid": "u", "resourceVersion": "7", "generation": 3, "creationTimestamp": "2026-11-23T07:45:42Z",
            "labels": {"business/aenv-name": "weather", "business/aenv-ttl": "30m", "team": "x"},
            "annotations": {"ours/a": "1", "kubectl.kubernetes.io/last-applied-configuration": "{}"}
        }))
        .unwrap();
        let labels = metadata.take_labels();
        assert_eq!(
            (labels.env.as_deref(), labels.version, labels.ttl.as_deref()),
            (Some("weather"), None, Some("30m"))
        );
        assert_eq!(labels.others, BTreeMap::from([("team".to_owned(), "x".to_owned())]));
        assert_eq!(metadata.annotation("ours/a"), Some("1"));
        assert_eq!(metadata.take_annotations("ours/"), BTreeMap::from([("a".to_owned(), "1".to_owned())]));
        assert_eq!(metadata.created_at().unwrap().to_string(), "2026-11-23T07:45:42Z");
        assert_eq!(metadata.deleted_since(), None);
    }

    #[test]
    fn an_empty_time_is_no_time() {
        assert_eq!(Time { seconds: None }.timestamp(), None);
        assert_eq!(Time { seconds: Some(0) }.timestamp(), None);
        assert_eq!(Time { seconds: Some(i64::MAX) }.timestamp(), None);
    }
}
