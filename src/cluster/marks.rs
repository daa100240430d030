//! Marks: annotations by which a request knows the objects that it made, and by which the same create knows them again.
//!
//! `aenv-controller/request-id` says which request made an object, and may remove it if it fails. Whoever comes to use the
//! object takes that mark over or takes it off, so that the request which made it leaves it alone from then on.
//! `aenv-controller/request-fingerprint` says what was asked for: a create that finds an object with its own fingerprint
//! is the same create, asked again.

use super::error::Error;
use crate::call::ambient;
use bytes::Bytes;
use serde::de::{DeserializeOwned, IgnoredAny};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use std::fmt::Write as _;
use uuid::Uuid;

/// The annotation that says which request made an object.
pub(crate) const REQUEST_ID: &str = "aenv-controller/request-id";
const FINGERPRINT: &str = "aenv-controller/request-fingerprint";

/// Id of one request, in the objects that it makes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct RequestId(Uuid);

impl RequestId {
    /// An id that no other request has.
    pub(super) fn random() -> Self {
        Self(ambient::unique_id())
    }
}

/// Hash of all that a create asks for. The same for the same request on every replica of one version.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Fingerprint(String);

impl Fingerprint {
    /// The fingerprint of `asked`, which has to serialize in one way only: with its keys in order.
    ///
    /// # Errors
    /// [`Error::Internal`] if it cannot be serialized.
    pub(crate) fn of(asked: &impl Serialize) -> Result<Self, Error> {
        let bytes = serde_json::to_vec(asked).map_err(|error| Error::Internal(error.to_string()))?;
        let digest = ring::digest::digest(&ring::digest::SHA256, &bytes);
        let mut text = String::new();
        for byte in digest.as_ref() {
            let _ = write!(text, "{byte:02x}");
        }
        Ok(Self(text))
    }
}

/// The marks that a request puts on the objects that it makes.
#[derive(Debug, Clone)]
pub(super) struct Marks {
    pub(super) id: RequestId,
    pub(super) fingerprint: Option<Fingerprint>,
}

impl Marks {
    /// Puts them on `object`.
    pub(super) fn put_on(&self, object: &mut Value) {
        let annotations = &mut object["metadata"]["annotations"];
        annotations[REQUEST_ID] = self.id.0.to_string().into();
        if let Some(Fingerprint(fingerprint)) = &self.fingerprint {
            annotations[FINGERPRINT] = fingerprint.as_str().into();
        }
    }
}

/// An object as the API server has it, with what has to be known of it to decide whose it is.
#[derive(Debug, Clone)]
pub(crate) struct Stored {
    body: Bytes,
    metadata: Metadata,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Metadata {
    uid: Option<String>,
    resource_version: Option<String>,
    deletion_timestamp: Option<String>,
    deletion_grace_period_seconds: Option<i64>,
    #[serde(default)]
    finalizers: Option<Vec<IgnoredAny>>,
    #[serde(default)]
    annotations: Option<Annotations>,
}

#[derive(Debug, Clone, Deserialize)]
struct Annotations {
    #[serde(rename = "aenv-controller/request-id")]
    request_id: Option<String>,
    #[serde(rename = "aenv-controller/request-fingerprint")]
    fingerprint: Option<String>,
}

impl Stored {
    /// Reads the marks of an answer.
    pub(super) fn read(body: Bytes) -> Result<Self, Error> {
        #[derive(Deserialize)]
        struct Object {
            metadata: Metadata,
        }
        let Object { metadata } = serde_json::from_slice(&body).map_err(Error::not_json)?;
        Ok(Self { body, metadata })
    }

    /// The object itself.
    ///
    /// # Errors
    /// [`Error::Unreadable`] if it is not such an object.
    pub(crate) fn decode<T: DeserializeOwned>(&self) -> Result<T, Error> {
        serde_json::from_slice(&self.body).map_err(Error::not_json)
    }

    pub(super) fn into_body(self) -> Bytes {
        self.body
    }

    pub(super) fn uid(&self) -> Option<&str> {
        self.metadata.uid.as_deref()
    }

    pub(super) fn resource_version(&self) -> Option<&str> {
        self.metadata.resource_version.as_deref()
    }

    /// True if it is on its way out.
    pub(crate) fn is_being_deleted(&self) -> bool {
        self.metadata.deletion_timestamp.is_some()
    }

    /// True if it stays for a while once its deletion has been asked for: until its grace period is over, or its finalizers
    /// are done.
    pub(super) fn outlives_deletion(&self) -> bool {
        let Metadata { deletion_grace_period_seconds: grace, finalizers, .. } = &self.metadata;
        grace.is_some_and(|grace| grace > 0) || finalizers.as_ref().is_some_and(|finalizers| !finalizers.is_empty())
    }

    /// True if a request may still remove it because it has failed.
    pub(super) fn has_maker(&self) -> bool {
        self.request_id().is_some()
    }

    /// True if the request `id` may remove it.
    pub(super) fn is_of(&self, id: RequestId) -> bool {
        self.request_id().is_some_and(|maker| maker == id.0.to_string())
    }

    /// True if a create with the same `fingerprint` made it.
    pub(super) fn has_fingerprint(&self, fingerprint: &Fingerprint) -> bool {
        let annotations = self.metadata.annotations.as_ref();
        annotations.and_then(|all| all.fingerprint.as_ref()) == Some(&fingerprint.0)
    }

    /// The object with these marks, to replace the stored one, unless that changes meanwhile.
    pub(super) fn marked(&self, marks: &Marks) -> Result<Value, Error> {
        let mut object = self.decode()?;
        marks.put_on(&mut object);
        Ok(object)
    }

    /// A merge patch (RFC 7386) that takes the mark of its maker off, unless the object changes meanwhile.
    pub(super) fn without_maker(&self) -> Value {
        json!({"metadata": {"resourceVersion": self.resource_version(), "annotations": {REQUEST_ID: null}}})
    }

    fn request_id(&self) -> Option<&str> {
        self.metadata.annotations.as_ref()?.request_id.as_deref()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn marks(asked: &str) -> Marks {
        Marks { id: RequestId::random(), fingerprint: Some(Fingerprint::of(&asked).unwrap()) }
    }

    fn stored(object: &Value) -> Stored {
        Stored::read(Bytes::from(object.to_string())).unwrap()
    }

    #[test]
    fn an_object_tells_its_maker_and_what_was_asked_for() {
        let (mine, other) = (marks("this"), marks("that"));
        let mut object = json!({"metadata": {"name": "x", "annotations": {"kept": "yes"}}});
        mine.put_on(&mut object);
        let marked = stored(&object);
        assert!(marked.is_of(mine.id) && marked.has_maker() && !marked.is_of(other.id));
        assert!(marked.has_fingerprint(&Fingerprint::of(&"this").unwrap()));
        assert!(!marked.has_fingerprint(&Fingerprint::of(&"that").unwrap()));
        let taken_over = stored(&marked.marked(&other).unwrap());
        assert!(taken_over.is_of(other.id) && !taken_over.is_of(mine.id));
    }

    #[test]
    fn an_object_without_annotations_is_nobodys() {
        for object in [json!({"metadata": {}}), json!({"metadata": {"annotations": null}})] {
            assert!(!stored(&object).has_maker());
        }
    }
}
