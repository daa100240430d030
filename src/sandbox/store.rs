//! The objects, in versions: what etcd is to a real API server.
//!
//! Every write gets the next revision. What it replaces is kept for a while, so that the pages of one list
//! all show the moment of its first page; a revision from before the last compaction can no longer be read.

use std::collections::{BTreeMap, VecDeque};
use std::ops::Bound;
use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;

use super::object::Object;
use super::resource::Resource;

/// Time that a replaced version can still be read: the API server compacts etcd every five minutes.
const RETENTION: Duration = Duration::from_secs(300);
/// Most replaced versions that are kept, so that a load test does not fill the memory.
const MAX_REPLACED: usize = 50_000;

/// Key of an object. The order is that of etcd's keys: by namespace, then by name.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Key {
    /// Empty for resources without namespaces.
    pub(super) namespace: String,
    pub(super) name: String,
}

#[derive(Debug)]
struct Version {
    revision: u64,
    /// `None`: deleted.
    object: Option<Arc<Object>>,
}

#[derive(Debug)]
struct Replaced {
    /// Of the write that replaced it.
    revision: u64,
    at: Instant,
    resource: Resource,
    key: Key,
}

/// The revision asked for is older than the last compaction.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Compacted;

/// All objects and their recent past.
#[derive(Debug, Default)]
pub(super) struct Store {
    revision: u64,
    compacted: u64,
    objects: BTreeMap<Resource, BTreeMap<Key, Vec<Version>>>,
    replaced: VecDeque<Replaced>,
}

impl Store {
    /// The revision of the latest write.
    pub(super) fn revision(&self) -> u64 {
        self.revision
    }

    /// The revision that the next write will have.
    pub(super) fn next_revision(&self) -> u64 {
        self.revision + 1
    }

    pub(super) fn get(&self, resource: Resource, key: &Key) -> Option<&Arc<Object>> {
        self.objects.get(&resource)?.get(key)?.last()?.object.as_ref()
    }

    /// Creates or replaces.
    pub(super) fn put(&mut self, resource: Resource, key: Key, object: Object) {
        self.write(resource, key, Some(Arc::new(object)));
    }

    pub(super) fn delete(&mut self, resource: Resource, key: Key) {
        self.write(resource, key, None);
    }

    fn write(&mut self, resource: Resource, key: Key, object: Option<Arc<Object>>) {
        self.revision += 1;
        let revision = self.revision;
        let versions = self.objects.entry(resource).or_default().entry(key.clone()).or_default();
        let replaces = !versions.is_empty();
        versions.push(Version { revision, object });
        if replaces {
            self.replaced.push_back(Replaced { revision, at: Instant::now(), resource, key });
            self.forget_old();
        }
    }

    fn forget_old(&mut self) {
        while self
            .replaced
            .front()
            .is_some_and(|oldest| self.replaced.len() > MAX_REPLACED || oldest.at.elapsed() >= RETENTION)
        {
            self.forget_oldest();
        }
    }

    fn forget_oldest(&mut self) {
        let Some(oldest) = self.replaced.pop_front() else {
            return;
        };
        self.compacted = oldest.revision;
        let Some(objects) = self.objects.get_mut(&oldest.resource) else {
            return;
        };
        if let Some(versions) = objects.get_mut(&oldest.key) {
            versions.retain(|version| version.revision >= oldest.revision);
            if matches!(versions.as_slice(), [Version { object: None, .. }]) {
                objects.remove(&oldest.key);
            }
        }
    }

    /// Forgets everything but the present, so that every continue token that is out expires.
    pub(super) fn compact(&mut self) {
        while !self.replaced.is_empty() {
            self.forget_oldest();
        }
        self.compacted = self.revision;
    }

    /// The objects of `resource` as they were at `revision`, in order, those after `after` only.
    ///
    /// # Errors
    /// If that revision has been compacted away.
    pub(super) fn scan<'a>(
        &'a self,
        resource: Resource,
        namespace: Option<&'a str>,
        after: Option<&Key>,
        revision: u64,
    ) -> Result<impl Iterator<Item = (&'a Key, &'a Arc<Object>)>, Compacted> {
        if revision < self.compacted {
            return Err(Compacted);
        }
        let first = Key { namespace: namespace.unwrap_or_default().to_owned(), name: String::new() };
        let start = match after {
            Some(after) if *after > first => Bound::Excluded(after.clone()),
            _ => Bound::Included(first),
        };
        Ok(self
            .objects
            .get(&resource)
            .into_iter()
            .flat_map(move |objects| objects.range((start.clone(), Bound::Unbounded)))
            .take_while(move |(key, _)| namespace.is_none_or(|namespace| key.namespace == namespace))
            .filter_map(move |(key, versions)| {
                let version = versions.iter().rev().find(|version| version.revision <= revision)?;
                Some((key, version.object.as_ref()?))
            }))
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn key(name: &str) -> Key {
        Key { namespace: "ns".to_owned(), name: name.to_owned() }
    }

    fn store_of(names: &[&str]) -> Store {
        let mut store = Store::default();
        for name in names {
            let pod = Object::new(Resource::Pods, json!({"metadata": {"name": name}}), None);
            store.put(Resource::Pods, key(name), pod);
        }
        store
    }

    fn names(store: &Store, after: Option<&str>, revision: u64) -> Result<Vec<String>, Compacted> {
        let after = after.map(key);
        let found = store.scan(Resource::Pods, Some("ns"), after.as_ref(), revision)?;
        Ok(found.map(|(key, _)| key.name.clone()).collect())
    }

    #[test]
    fn an_old_revision_still_shows_what_was_deleted_since() {
        let mut store = store_of(&["b", "a", "c"]);
        let before = store.revision();
        store.delete(Resource::Pods, key("b"));
        assert_eq!(names(&store, None, before).unwrap(), ["a", "b", "c"]);
        assert_eq!(names(&store, Some("a"), store.revision()).unwrap(), ["c"]);
        assert!(store.get(Resource::Pods, &key("b")).is_none());
    }

    #[test]
    fn compaction_makes_older_revisions_unreadable() {
        let mut store = store_of(&["a", "b"]);
        let before = store.revision();
        store.delete(Resource::Pods, key("b"));
        store.compact();
        assert_eq!(names(&store, None, before), Err(Compacted));
        assert_eq!(names(&store, None, store.revision()).unwrap(), ["a"]);
    }

    #[tokio::test(start_paused = true)]
    async fn versions_are_forgotten_after_the_retention_time() {
        let mut store = store_of(&["a", "b", "c"]);
        let before = store.revision();
        store.delete(Resource::Pods, key("b"));
        tokio::time::advance(RETENTION).await;
        store.delete(Resource::Pods, key("c"));
        assert_eq!(names(&store, None, before), Err(Compacted));
        assert_eq!(names(&store, None, before + 1).unwrap(), ["a", "c"]);
    }
}
