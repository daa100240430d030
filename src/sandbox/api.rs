//! The verbs: what a read shows and what a write does, apart from HTTP.
//!
//! Every write is one step under the store's lock: read, check, change, store. Nothing here waits.

use std::sync::{RwLock, RwLockReadGuard, RwLockWriteGuard};

use bytes::Bytes;
use jiff::Timestamp;
use serde_json::{Value, json};

use crate::call::ambient;

use super::decode;
use super::defaults;
use super::deletion::{self, DeleteOptions};
use super::identity;
use super::list::{ListOptions, Page, Query, parse_version};
use super::object::Object;
use super::patch;
use super::resource::{Resource, Subresource, Target};
use super::rollout::Rollout;
use super::scale;
use super::server_fields::{give_address, has_finalizers, initial_status, keep_server_fields, stamp};
use super::status::ApiError;
use super::store::{Key, Store};
use super::validation;

const MODIFIED: &str = "the object has been modified; please apply your changes to the latest version and try again";

/// The objects and what may be done with them.
#[derive(Debug)]
pub(super) struct Api {
    store: RwLock<Store>,
    /// True if objects move as if a cluster's controllers were at work.
    rollout: bool,
    /// Makes the uids of this run differ from those of any other.
    salt: u64,
}

/// Subject of a write.
struct Write<'a> {
    resource: Resource,
    key: Key,
    subresource: Option<Subresource>,
    dry_run: bool,
    store: RwLockWriteGuard<'a, Store>,
    now: Timestamp,
}

impl Api {
    pub(super) fn new(store: Store, rollout: bool) -> Self {
        let salt = u64::from_ne_bytes(ambient::now().as_nanosecond().to_ne_bytes()[..8].try_into().unwrap_or_default());
        Self { store: RwLock::new(store), rollout, salt }
    }

    fn read(&self) -> RwLockReadGuard<'_, Store> {
        self.store.read().expect("no holder of the lock panics")
    }

    fn lock(&self) -> RwLockWriteGuard<'_, Store> {
        self.store.write().expect("no holder of the lock panics")
    }

    fn write(&self, target: &Target, query: &Query) -> Result<Write<'_>, ApiError> {
        Ok(Write {
            resource: target.resource,
            key: key_of(target)?,
            subresource: target.subresource,
            dry_run: query.get("dryRun").is_some_and(|dry_run| dry_run == "All"),
            store: self.lock(),
            now: ambient::now(),
        })
    }

    /// Forgets the past, as etcd's compaction does.
    pub(super) fn compact(&self) {
        self.lock().compact();
    }

    /// One page of a collection.
    pub(super) fn list(&self, target: &Target, query: &Query) -> Result<Page, ApiError> {
        let options = ListOptions::parse(target.resource, query)?;
        let namespace = target.namespace.as_deref();
        Page::read(&self.read(), target.resource, namespace, &options, ambient::now())
    }

    /// One object, or its scale.
    pub(super) fn get(&self, target: &Target, query: &Query) -> Result<Value, ApiError> {
        let key = key_of(target)?;
        let store = self.read();
        if let Some(version) = query.get("resourceVersion").filter(|version| !version.is_empty()) {
            let version = parse_version(version)?;
            if version > store.revision() {
                return Err(ApiError::version_too_large(version, store.revision()));
            }
        }
        let object = store
            .get(target.resource, &key)
            .ok_or_else(|| ApiError::not_found(target.resource, &key.name))?
            .at(ambient::now());
        drop(store);
        Ok(match target.subresource {
            Some(Subresource::Scale) => scale::of_deployment(&object.value()),
            Some(Subresource::Status) | None => object.value(),
        })
    }

    /// Creates the object in `body`; the server names it if it has only a `generateName`.
    pub(super) fn create(
        &self,
        target: &Target,
        query: &Query,
        media_type: &str,
        body: &[u8],
    ) -> Result<Bytes, ApiError> {
        let resource = target.resource;
        let mut document = decode::document(resource, media_type, body)?;
        let namespace = target.namespace.clone().unwrap_or_default();
        let metadata = &mut document["metadata"];
        if !metadata["resourceVersion"].is_null() {
            return Err(ApiError::internal("resourceVersion should not be set on objects to be created"));
        }
        check_namespace(metadata, &namespace)?;
        let mut store = self.lock();
        if resource.namespaced() {
            let place = Key { namespace: String::new(), name: namespace.clone() };
            if store.get(Resource::Namespaces, &place).is_none() {
                return Err(ApiError::not_found(Resource::Namespaces, &namespace));
            }
        }
        let number = self.salt ^ store.next_revision();
        if metadata["name"].is_null()
            && let Some(prefix) = metadata["generateName"].as_str()
        {
            metadata["name"] = json!(format!("{prefix}{}", identity::name_suffix(number)));
        }
        let now = ambient::now();
        stamp(resource, metadata, &namespace, number, now);
        defaults::apply(resource, &mut document);
        if resource == Resource::Services && document["spec"]["clusterIP"].is_null() {
            give_address(&mut document, store.next_revision());
        }
        document["status"] = initial_status(resource, &document);
        let name = document["metadata"]["name"].as_str().unwrap_or_default().to_owned();
        let errors = validation::of_new(resource, &document);
        if !errors.is_empty() {
            return Err(ApiError::invalid(resource, &name, &errors));
        }
        let key = Key { namespace, name };
        if store.get(resource, &key).is_some() {
            return Err(ApiError::already_exists(resource, &key.name));
        }
        let rollout = self.rollout.then(|| Rollout::begin(resource, &mut document, None, now));
        document["metadata"]["resourceVersion"] = json!(store.next_revision().to_string());
        let object = Object::new(resource, document, rollout);
        let answer = object.document();
        if query.get("dryRun").is_none_or(|dry_run| dry_run != "All") {
            store.put(resource, key, object);
        }
        Ok(answer)
    }

    /// Replaces an object, its status or its scale.
    pub(super) fn update(
        &self,
        target: &Target,
        query: &Query,
        media_type: &str,
        body: &[u8],
    ) -> Result<Bytes, ApiError> {
        let document = match target.subresource {
            Some(Subresource::Scale) => decode::json_object(body).map_err(ApiError::bad_request)?,
            Some(Subresource::Status) | None => decode::document(target.resource, media_type, body)?,
        };
        let mut write = self.write(target, query)?;
        if document["metadata"]["name"].is_null() {
            return Err(ApiError::bad_request(format!(
                "the name of the object ({} based on URL) was undeterminable: name must be provided",
                write.key.name
            )));
        }
        let old = write.current()?;
        match target.subresource {
            Some(Subresource::Scale) => write.rescale(&old, &document),
            Some(Subresource::Status) | None => write.replace(&old, document),
        }
    }

    /// Changes an object, its status or its scale by a patch.
    pub(super) fn patch(
        &self,
        target: &Target,
        query: &Query,
        media_type: &str,
        body: &[u8],
    ) -> Result<Bytes, ApiError> {
        let format = patch::Format::from_media_type(media_type)?;
        let mut write = self.write(target, query)?;
        let old = write.current()?;
        if target.subresource == Some(Subresource::Scale) {
            let scale = format.apply(scale::of_deployment(&old), body)?;
            return write.rescale(&old, &scale);
        }
        let document = format.apply(old.clone(), body)?;
        let document = decode::typed(target.resource, document)?;
        write.replace(&old, document)
    }

    /// Deletes an object. One that has finalizers stays, marked, until they are gone.
    pub(super) fn delete(&self, target: &Target, query: &Query, body: &[u8]) -> Result<Bytes, ApiError> {
        let options = DeleteOptions::parse(body)?;
        let mut write = self.write(target, query)?;
        write.dry_run |= options.is_dry_run();
        let mut document = write.current()?;
        options.check(target.resource, &write.key.name, &document)?;
        deletion::mark(&mut document, self.rollout, write.now);
        let held = has_finalizers(&document);
        let answer = match target.resource {
            Resource::Pods | Resource::PersistentVolumeClaims => document.clone(),
            _ if held => document.clone(),
            resource => deletion::success(resource, &document),
        };
        if held {
            write.store(document, None);
        } else {
            write.remove();
        }
        Ok(Bytes::from(answer.to_string()))
    }
}

impl Write<'_> {
    /// The object as it is now.
    fn current(&self) -> Result<Value, ApiError> {
        let object = self.store.get(self.resource, &self.key);
        let object = object.ok_or_else(|| ApiError::not_found(self.resource, &self.key.name))?;
        Ok(object.at(self.now).value())
    }

    /// Puts `new` in the place of `old`, after the checks that every change of an object has to pass.
    fn replace(&mut self, old: &Value, mut new: Value) -> Result<Bytes, ApiError> {
        self.check_identity(old, &new)?;
        defaults::apply(self.resource, &mut new);
        keep_server_fields(old, &mut new);
        if self.subresource == Some(Subresource::Status) {
            let status = new["status"].take();
            new = old.clone();
            new["status"] = status;
            if self.resource == Resource::Pods && new["status"]["podIP"].is_string() {
                new["status"]["podIPs"] = json!([{"ip": new["status"]["podIP"]}]);
            }
        } else {
            new["status"] = old["status"].clone();
        }
        let errors = match self.subresource {
            Some(Subresource::Status) => validation::of_status(self.resource, &new),
            _ => validation::of_update(self.resource, old, &new),
        };
        if !errors.is_empty() {
            return Err(ApiError::invalid(self.resource, &self.key.name, &errors));
        }
        Ok(self.commit(old, new))
    }

    /// Sets the number of replicas.
    fn rescale(&mut self, old: &Value, scale: &Value) -> Result<Bytes, ApiError> {
        self.check_identity(old, scale)?;
        let mut new = old.clone();
        new["spec"]["replicas"] = scale::replicas(&self.key.name, scale)?;
        self.commit(old, new);
        Ok(Bytes::from(scale::of_deployment(&self.current()?).to_string()))
    }

    fn check_identity(&self, old: &Value, new: &Value) -> Result<(), ApiError> {
        let name = &self.key.name;
        let metadata = &new["metadata"];
        if metadata["name"] != name.as_str() {
            let given = metadata["name"].as_str().unwrap_or_default();
            return Err(ApiError::bad_request(format!(
                "the name of the object ({given}) does not match the name on the URL ({name})"
            )));
        }
        check_namespace(metadata, &self.key.namespace)?;
        if let Some(version) = metadata["resourceVersion"].as_str() {
            version
                .parse::<u64>()
                .map_err(|_| ApiError::internal(format!("strconv.ParseUint: parsing {version:?}: invalid syntax")))?;
            if version != "0" && version != old["metadata"]["resourceVersion"] {
                return Err(ApiError::conflict(self.resource, name, MODIFIED));
            }
        }
        if let Some(uid) = metadata["uid"].as_str().filter(|uid| *uid != old["metadata"]["uid"]) {
            let cause = format!(
                "Precondition failed: UID in precondition: {uid}, UID in object meta: {}",
                old["metadata"]["uid"].as_str().unwrap_or_default()
            );
            return Err(ApiError::conflict(self.resource, name, &cause));
        }
        Ok(())
    }

    /// Stores `new`, unless nothing differs. The last finalizer gone, a marked object goes as well.
    fn commit(&mut self, old: &Value, mut new: Value) -> Bytes {
        new["metadata"]["resourceVersion"] = old["metadata"]["resourceVersion"].clone();
        if new == *old {
            return Bytes::from(new.to_string());
        }
        if new["spec"] != old["spec"]
            && let Some(generation) = old["metadata"]["generation"].as_u64()
        {
            new["metadata"]["generation"] = json!(generation + 1);
        }
        if new["metadata"].get("deletionTimestamp").is_some() && !has_finalizers(&new) {
            self.remove();
            return Bytes::from(new.to_string());
        }
        let moves = self.store.get(self.resource, &self.key).and_then(|object| object.rollout());
        let rollout = match self.subresource {
            // A status that was written by hand stays as it is from then on.
            Some(Subresource::Status) => None,
            _ => moves.map(|_| Rollout::begin(self.resource, &mut new, Some(old), self.now)),
        };
        self.store(new, rollout)
    }

    fn store(&mut self, mut document: Value, rollout: Option<Rollout>) -> Bytes {
        document["metadata"]["resourceVersion"] = json!(self.store.next_revision().to_string());
        let object = Object::new(self.resource, document, rollout);
        let answer = object.document();
        if !self.dry_run {
            self.store.put(self.resource, self.key.clone(), object);
        }
        answer
    }

    fn remove(&mut self) {
        if !self.dry_run {
            self.store.delete(self.resource, self.key.clone());
        }
    }
}

fn key_of(target: &Target) -> Result<Key, ApiError> {
    Ok(Key {
        namespace: target.namespace.clone().unwrap_or_default(),
        name: target.name.clone().ok_or_else(ApiError::no_such_path)?,
    })
}

fn check_namespace(metadata: &Value, namespace: &str) -> Result<(), ApiError> {
    match metadata["namespace"].as_str() {
        Some(given) if given != namespace => Err(ApiError::bad_request(
            "the namespace of the provided object does not match the namespace sent on the request",
        )),
        _ => Ok(()),
    }
}
