//! One version of one object: its JSON as it goes over the wire, and the few parts that selectors look at.
//!
//! Only the bytes are kept (a pod is 2 KB of JSON but several times that as a tree), so that lists are
//! written without serializing anything and ten thousand pods cost little.

use std::collections::BTreeMap;
use std::sync::{Arc, OnceLock};

use bytes::Bytes;
use jiff::Timestamp;
use serde_json::{Map, Value};

use super::resource::Resource;
use super::rollout::Rollout;

/// An immutable version of an object.
#[derive(Debug)]
pub(super) struct Object {
    resource: Resource,
    /// As an item of a list: without `apiVersion` and `kind`.
    json: Bytes,
    labels: BTreeMap<String, String>,
    fields: Vec<String>,
    /// `None`: nothing moves by itself.
    rollout: Option<Rollout>,
    settled: OnceLock<Arc<Object>>,
}

impl Object {
    /// `value` with or without `apiVersion` and `kind`; they are known from `resource`.
    pub(super) fn new(resource: Resource, mut value: Value, rollout: Option<Rollout>) -> Self {
        if let Some(members) = value.as_object_mut() {
            members.remove("apiVersion");
            members.remove("kind");
        }
        let labels = value["metadata"]["labels"]
            .as_object()
            .into_iter()
            .flatten()
            .map(|(key, value)| (key.clone(), text(value)))
            .collect();
        let fields = resource
            .field_labels()
            .iter()
            .map(|path| text(path.split('.').fold(&value, |value, member| &value[member])))
            .collect();
        Self { resource, json: Bytes::from(value.to_string()), labels, fields, rollout, settled: OnceLock::new() }
    }

    pub(super) fn labels(&self) -> &BTreeMap<String, String> {
        &self.labels
    }

    /// The value of a field that selectors may name; empty if it is not set.
    pub(super) fn field(&self, path: &str) -> &str {
        let at = self.resource.field_labels().iter().position(|label| *label == path);
        at.and_then(|at| self.fields.get(at)).map(String::as_str).unwrap_or_default()
    }

    /// The bytes of a list's item.
    pub(super) fn item(&self) -> &Bytes {
        &self.json
    }

    /// The whole document.
    pub(super) fn document(&self) -> Bytes {
        let head =
            format!("{{\"apiVersion\":\"{}\",\"kind\":\"{}\",", self.resource.api_version(), self.resource.kind());
        Bytes::from([head.as_bytes(), &self.json[1..]].concat())
    }

    /// The whole document as a tree, to be changed or to be shown as a table row.
    pub(super) fn value(&self) -> Value {
        let mut members: Map<String, Value> =
            serde_json::from_slice(&self.json).expect("the bytes were written from a tree");
        members.insert("apiVersion".to_owned(), Value::from(self.resource.api_version()));
        members.insert("kind".to_owned(), Value::from(self.resource.kind()));
        Value::Object(members)
    }

    pub(super) fn rollout(&self) -> Option<Rollout> {
        self.rollout
    }

    /// The object as it is to be seen at `now`, with as much of its rollout as has passed.
    pub(super) fn at(self: &Arc<Self>, now: Timestamp) -> Arc<Self> {
        let Some(rollout) = self.rollout else {
            return Arc::clone(self);
        };
        let advanced = |steps| {
            let mut value = self.value();
            rollout.advance(self.resource, &mut value, steps);
            Arc::new(Self::new(self.resource, value, Some(Rollout::settled())))
        };
        match rollout.steps_at(now) {
            0 => Arc::clone(self),
            steps if steps < rollout.steps() => advanced(steps),
            steps => Arc::clone(self.settled.get_or_init(|| advanced(steps))),
        }
    }
}

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}
