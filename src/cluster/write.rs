//! Writing: create, replace and delete, such that nothing is made twice and nothing of ours is lost sight of.
//!
//! A create may be stored although its answer never came (time-out, cut connection, a server error). So each object
//! carries the id of the request that made it, and an open outcome is settled by reading the object back, never by
//! a blind second attempt. Names are chosen before the first attempt, so that none can make a second object.

use super::client::{Cluster, built};
use super::error::Error;
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
use uuid::Uuid;

/// The annotation that says which request made an object.
pub const REQUEST_ID: &str = "aenv-controller/request-id";

/// What one request writes into the objects that it makes, so that it knows them again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct RequestId(Uuid);

impl RequestId {
    /// An id that no other request has.
    #[must_use]
    pub(super) fn random() -> Self {
        Self(Uuid::new_v4())
    }
}

/// A create that did not succeed, as far as is known.
#[derive(Debug)]
pub(super) struct NotCreated {
    /// Why.
    pub(super) error: Error,
    /// Whether the object may exist all the same, or come into being yet.
    pub(super) may_exist: bool,
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
        id: RequestId,
        call: &Call,
    ) -> Result<T, NotCreated> {
        let body = self.signed(object, id).map_err(|error| NotCreated { error, may_exist: false })?;
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
    pub async fn replace<T: DeserializeOwned>(
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

    /// Deletes the object `name`. False if there was none.
    ///
    /// # Errors
    /// [`Error`].
    pub async fn delete(&self, resource: Resource, name: &ObjectName, call: &Call) -> Result<bool, Error> {
        self.delete_if(resource, name, &DeleteParams::default(), call).await
    }

    /// Deletes the object `name` if the request `id` made it. False if there is none; somebody else's is left alone.
    ///
    /// # Errors
    /// [`Error`].
    pub(super) async fn delete_own(
        &self,
        resource: Resource,
        name: &ObjectName,
        id: RequestId,
        call: &Call,
    ) -> Result<bool, Error> {
        let found = self.retries.run(call, || self.find_own(resource, name, id, call)).await;
        let stored = match found {
            Ok(Some(stored)) => stored,
            Ok(None) => return Ok(false),
            Err(error) if error.is_already_exists() => return Ok(false),
            Err(error) => return Err(error),
        };
        let Own { metadata } = serde_json::from_slice(&stored).map_err(Error::not_json)?;
        let preconditions = Preconditions { uid: metadata.uid, resource_version: None };
        let this_one = DeleteParams { preconditions: Some(preconditions), ..DeleteParams::default() };
        self.delete_if(resource, name, &this_one, call).await
    }

    pub(super) async fn delete_if(
        &self,
        resource: Resource,
        name: &ObjectName,
        params: &DeleteParams,
        call: &Call,
    ) -> Result<bool, Error> {
        let operation = Operation { verb: "delete", resource: resource.plural() };
        let open = AtomicBool::new(false);
        let attempt = || async {
            let request = self.requests(resource).delete(name.as_str(), params);
            match self.attempt(operation, built(request)?, call).await {
                Ok(_) => Ok(true),
                // Gone: by an earlier attempt whose answer was lost, or there was none.
                Err(error) if error.has_status(StatusCode::NOT_FOUND) => Ok(open.load(Ordering::Relaxed)),
                Err(error) => {
                    open.fetch_or(error.leaves_outcome_open(), Ordering::Relaxed);
                    Err(error)
                }
            }
        };
        self.retries.run(call, attempt).await
    }

    /// The object as JSON, in the namespace whatever its template says, with the annotation that says who made it.
    fn signed(&self, object: &impl Serialize, id: RequestId) -> Result<Vec<u8>, Error> {
        let mut object = serde_json::to_value(object).map_err(internal)?;
        object["metadata"]["namespace"] = self.settings.namespace.as_str().into();
        object["metadata"]["annotations"][REQUEST_ID] = id.0.to_string().into();
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
        let operation = Operation { verb: "get", resource: resource.plural() };
        let request = built(self.requests(resource).get(name.as_str(), &kube::api::GetParams::default()))?;
        let stored = match self.attempt(operation, request, call).await {
            Ok(stored) => stored,
            Err(error) if error.has_status(StatusCode::NOT_FOUND) => return Ok(None),
            Err(error) => return Err(error),
        };
        let Own { metadata } = serde_json::from_slice(&stored).map_err(Error::not_json)?;
        let maker = metadata.annotations.and_then(|annotations| annotations.request_id);
        if maker.is_some_and(|maker| maker == id.0.to_string()) {
            Ok(Some(stored))
        } else {
            Err(Error::taken(resource, name))
        }
    }
}

fn internal(error: impl std::fmt::Display) -> Error {
    Error::Internal(error.to_string())
}

/// What is read of an object to know whether it is ours.
#[derive(Deserialize)]
struct Own {
    metadata: OwnMetadata,
}

#[derive(Deserialize)]
struct OwnMetadata {
    uid: Option<String>,
    annotations: Option<OwnAnnotations>,
}

#[derive(Deserialize)]
struct OwnAnnotations {
    #[serde(rename = "aenv-controller/request-id")]
    request_id: Option<String>,
}
