//! Writes: create, replace and delete. Nothing is made twice, and nothing of ours is lost sight of.
//!
//! A create may be stored although its answer never came (time-out, cut connection, a server error). So each object
//! carries the id of the request that made it ([`super::marks`]), and an open outcome is settled by reading the object
//! back, never by a blind second attempt. Names are chosen before the first attempt, so that none makes a second object.

use super::client::{Cluster, built};
use super::error::Error;
use super::marks::{Marks, RequestId, Stored};
use super::resource::Resource;
use crate::call::{Call, Operation};
use crate::syntax::ObjectName;
use bytes::Bytes;
use http::StatusCode;
use kube::api::{DeleteParams, PostParams, Preconditions};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::sync::atomic::{AtomicBool, Ordering};

/// A create that did not succeed, as far as is known.
#[derive(Debug)]
pub(super) struct NotCreated {
    /// The reason.
    pub(super) error: Error,
    /// True if the object may exist all the same, or come into being yet.
    pub(super) may_exist: bool,
}

/// An object after its deletion.
#[derive(Debug)]
pub(crate) enum Deleted {
    /// It was there, and is gone.
    Gone,
    /// It stays like this, marked, until its grace period is over or its finalizers are done.
    Going(Stored),
    /// There was none.
    NotFound,
}

/// Outcome of the removal of a request's own object.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Removal {
    /// It is gone, or on its way out.
    Removed,
    /// There was none.
    NotFound,
    /// Another request made it, has taken it over, or uses it.
    NotOurs,
}

impl Cluster {
    /// Creates `object`, named `name`, and gives it as the API server stored it.
    ///
    /// # Errors
    /// [`NotCreated`]. A name that somebody else's object has is [`Error::Answered`] with 409.
    pub(super) async fn create<T: DeserializeOwned>(
        &self,
        resource: Resource,
        name: &ObjectName,
        object: &impl Serialize,
        marks: &Marks,
        call: &Call,
    ) -> Result<T, NotCreated> {
        let id = marks.id;
        let body = self.signed(object, marks).map_err(|error| NotCreated { error, may_exist: false })?;
        let operation = Operation { verb: "create", resource: resource.plural() };
        let open = AtomicBool::new(false);
        let attempt = || async {
            if open.load(Ordering::Relaxed)
                && let Some(stored) = self.find_own(resource, name, id, call).await?
            {
                return Ok(stored);
            }
            let request = self.requests(resource).create(&PostParams::default(), body.clone());
            let error = match self.attempt(operation, built(request)?, call).await {
                Ok(stored) => return Ok(stored),
                Err(error) => error,
            };
            if error.is_already_exists() && open.load(Ordering::Relaxed) {
                // An earlier attempt was stored after the look that did not find it.
                return self.find_own(resource, name, id, call).await?.ok_or(error);
            }
            open.fetch_or(error.leaves_outcome_open(), Ordering::Relaxed);
            Err(error)
        };
        let may_exist = || open.load(Ordering::Relaxed);
        let stored = self.retries.run(call, attempt).await;
        let stored =
            stored.map_err(|error| NotCreated { may_exist: may_exist() && !error.is_already_exists(), error })?;
        serde_json::from_slice(&stored).map_err(|error| NotCreated { error: Error::not_json(error), may_exist: true })
    }

    /// Replaces the object `name`. `object` carries the `resourceVersion` that it was read with.
    ///
    /// # Errors
    /// [`Error`]; 409 if the object has been changed since it was read.
    pub(crate) async fn replace<T: DeserializeOwned>(
        &self,
        resource: Resource,
        name: &ObjectName,
        object: &Value,
        call: &Call,
    ) -> Result<T, Error> {
        let operation = Operation { verb: "update", resource: resource.plural() };
        let body = serde_json::to_vec(object).map_err(internal)?;
        let attempt = || async {
            let request = self.requests(resource).replace(name.as_str(), &PostParams::default(), body.clone());
            self.attempt(operation, built(request)?, call).await
        };
        let stored = self.retries.run(call, attempt).await?;
        serde_json::from_slice(&stored).map_err(Error::not_json)
    }

    /// Deletes the object `name`.
    pub(crate) async fn delete(&self, resource: Resource, name: &ObjectName, call: &Call) -> Result<Deleted, Error> {
        self.delete_if(resource, name, &DeleteParams::default(), call).await
    }

    /// Deletes the object `name` if the request `id` made it and nobody has changed it since this has looked.
    ///
    /// # Errors
    /// [`Error`]; 409 if it was changed meanwhile.
    pub(super) async fn delete_own(
        &self,
        resource: Resource,
        name: &ObjectName,
        id: RequestId,
        call: &Call,
    ) -> Result<Removal, Error> {
        let Some(stored) = self.stored(resource, name, call).await? else { return Ok(Removal::NotFound) };
        if !stored.is_of(id) {
            return Ok(Removal::NotOurs);
        }
        if stored.is_being_deleted() {
            return Ok(Removal::Removed);
        }
        let [uid, resource_version] = [stored.uid(), stored.resource_version()].map(|text| text.map(str::to_owned));
        let this_one =
            DeleteParams { preconditions: Some(Preconditions { uid, resource_version }), ..DeleteParams::default() };
        Ok(match self.delete_if(resource, name, &this_one, call).await? {
            Deleted::Gone | Deleted::Going(_) => Removal::Removed,
            Deleted::NotFound => Removal::NotFound,
        })
    }

    /// The object `name`; `None` if there is none.
    pub(super) async fn stored(
        &self,
        resource: Resource,
        name: &ObjectName,
        call: &Call,
    ) -> Result<Option<Stored>, Error> {
        self.retries.run(call, || self.look(resource, name, call)).await
    }

    pub(super) async fn delete_if(
        &self,
        resource: Resource,
        name: &ObjectName,
        params: &DeleteParams,
        call: &Call,
    ) -> Result<Deleted, Error> {
        let operation = Operation { verb: "delete", resource: resource.plural() };
        let open = AtomicBool::new(false);
        let attempt = || async {
            let request = self.requests(resource).delete(name.as_str(), params);
            match self.attempt(operation, built(request)?, call).await {
                Ok(body) => Deleted::read(body),
                // By an earlier attempt whose answer was lost.
                Err(error) if error.has_status(StatusCode::NOT_FOUND) && open.load(Ordering::Relaxed) => {
                    Ok(Deleted::Gone)
                }
                Err(error) if error.has_status(StatusCode::NOT_FOUND) => Ok(Deleted::NotFound),
                Err(error) => {
                    open.fetch_or(error.leaves_outcome_open(), Ordering::Relaxed);
                    Err(error)
                }
            }
        };
        self.retries.run(call, attempt).await
    }

    /// The object as JSON, in the namespace whatever its template says, with its marks.
    fn signed(&self, object: &impl Serialize, marks: &Marks) -> Result<Vec<u8>, Error> {
        let mut object = serde_json::to_value(object).map_err(internal)?;
        object["metadata"]["namespace"] = self.settings.namespace.as_str().into();
        marks.put_on(&mut object);
        serde_json::to_vec(&object).map_err(internal)
    }

    /// The object `name` if the request `id` made it; `None` if there is none.
    ///
    /// # Errors
    /// [`Error`]; 409 if it is somebody else's.
    async fn find_own(
        &self,
        resource: Resource,
        name: &ObjectName,
        id: RequestId,
        call: &Call,
    ) -> Result<Option<Bytes>, Error> {
        match self.look(resource, name, call).await? {
            Some(stored) if stored.is_of(id) => Ok(Some(stored.into_body())),
            Some(_) => Err(Error::taken(resource, name)),
            None => Ok(None),
        }
    }

    async fn look(&self, resource: Resource, name: &ObjectName, call: &Call) -> Result<Option<Stored>, Error> {
        let operation = Operation { verb: "get", resource: resource.plural() };
        let request = built(self.requests(resource).get(name.as_str(), &kube::api::GetParams::default()))?;
        match self.attempt(operation, request, call).await {
            Ok(stored) => Stored::read(stored).map(Some),
            Err(error) if error.has_status(StatusCode::NOT_FOUND) => Ok(None),
            Err(error) => Err(error),
        }
    }
}

impl Deleted {
    /// Reads what a deletion was answered with: a Status, or the object as it was stored last.
    ///
    /// # Errors
    /// [`Error::Unreadable`] if it is neither: any other page of success would not have removed anything.
    fn read(body: Bytes) -> Result<Self, Error> {
        #[derive(Deserialize)]
        struct TypeMeta {
            kind: String,
        }
        let TypeMeta { kind } = serde_json::from_slice(&body).map_err(Error::not_json)?;
        if kind == "Status" {
            return Ok(Self::Gone);
        }
        let stored = Stored::read(body)?;
        Ok(if stored.outlives_deletion() { Self::Going(stored) } else { Self::Gone })
    }
}

fn internal(error: impl std::fmt::Display) -> Error {
    Error::Internal(error.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn the_answer_to_a_deletion_tells_whether_the_object_stays() {
        let read = |answer: Value| Deleted::read(Bytes::from(answer.to_string()));
        let pod = |metadata: Value| read(json!({"kind": "Pod", "metadata": metadata}));
        let at = "2026-11-23T07:45:42Z";
        for gone in [
            read(json!({"kind": "Status", "status": "Success"})),
            pod(json!({"deletionTimestamp": at, "deletionGracePeriodSeconds": 0})),
            pod(json!({"deletionTimestamp": at, "deletionGracePeriodSeconds": 0, "finalizers": []})),
        ] {
            assert!(matches!(gone, Ok(Deleted::Gone)), "{gone:?}");
        }
        for going in [
            pod(json!({"deletionTimestamp": at, "deletionGracePeriodSeconds": 30})),
            pod(json!({"deletionTimestamp": at, "deletionGracePeriodSeconds": 0, "finalizers": ["example.com/hold"]})),
        ] {
            assert!(matches!(going, Ok(Deleted::Going(_))), "{going:?}");
        }
        for other in [json!("Welcome"), json!({}), json!({"kind": "Pod"})] {
            assert!(matches!(read(other.clone()), Err(Error::Unreadable(_))), "{other}");
        }
    }
}
