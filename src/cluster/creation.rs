//! Creation: the objects that one request makes, all of them or none.
//!
//! A caller that hangs up, a deadline and a failed step all mean the same: the objects that this request made are removed
//! again, and only those. An object whose create has an open outcome counts as made. An object that somebody else has come
//! to use is not removed: its users take its mark over ([`Creation::take_over`]) or off ([`Creation::ensure`],
//! [`Creation::keep`]), and each removal has the object's version as a precondition, so that one of the two finds out.
//!
//! A replica that is killed in the middle leaves objects behind. The same create asked again finds them by their
//! fingerprint ([`Creation::earlier`]) and goes on from there.

use super::client::Cluster;
use super::error::{Error, Failed};
use super::marks::{Fingerprint, Marks, RequestId, Stored};
use super::resource::Resource;
use super::slim::Deployment;
use super::write::{NotCreated, Removal};
use crate::call::{Call, Lane};
use crate::syntax::{ListFilter, ObjectName};
use http::StatusCode;
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;
use std::sync::{Arc, Mutex, PoisonError};
use tokio::time::{Duration, Instant, sleep};

/// Time that a removal is tried. An API server may ask twice for half a minute, and needs as long to come back from a
/// restart.
const UNDO_TIME: Duration = Duration::from_secs(120);

/// The pause before a failed removal is tried again, and before an object that may still come into being is looked
/// for a second time: a create that the API server had accepted before its connection was cut is stored by then.
const UNDO_PAUSE: Duration = Duration::from_secs(1);

/// The longest such pause, however long the API server or our own throttle asks for: the gate may open earlier.
const LONGEST_UNDO_PAUSE: Duration = Duration::from_secs(5);

/// Most attempts at marking an object that is changed meanwhile. Its controller changes a new object a few times.
const MARK_ROUNDS: usize = 10;

/// Most rounds of a create whose object is gone whenever it is looked at: each is lost to a request that undoes.
const FIND_ROUNDS: usize = 5;

/// Identity of a create beyond the one request.
#[derive(Debug, Clone, Default)]
pub(crate) struct Intent {
    fingerprint: Option<Fingerprint>,
    repeatable: bool,
}

impl Intent {
    /// A create that finds objects of the same `fingerprint` completes them instead of failing.
    pub(crate) fn of(fingerprint: Fingerprint) -> Self {
        Self { fingerprint: Some(fingerprint), repeatable: false }
    }

    /// The same, for a caller that asks again if it gets no answer: objects that were all made stay even if the caller has
    /// gone.
    pub(crate) fn repeatable(self) -> Self {
        Self { repeatable: true, ..self }
    }

    pub(super) fn may_be_repeated(&self) -> bool {
        self.repeatable
    }
}

/// An object that has the name of one to be created.
#[derive(Debug)]
pub(crate) enum Earlier {
    /// Made by the same create, asked before.
    Same(Stored),
    /// The same, and on its way out.
    Ending,
    /// Made by another one.
    Other,
    /// Gone meanwhile.
    NotFound,
}

/// The objects that one request has made so far.
pub(crate) struct Creation {
    cluster: Arc<Cluster>,
    marks: Marks,
    repeatable: bool,
    made: Mutex<Vec<Made>>,
}

#[derive(Clone)]
struct Made {
    resource: Resource,
    name: ObjectName,
    /// True if the API server said so.
    sure: bool,
    /// The resource whose object of the same name completes it, if it was taken over: then it stays.
    last: Option<Resource>,
}

impl Creation {
    pub(super) fn new(cluster: Arc<Cluster>, intent: Intent) -> Self {
        let marks = Marks { id: RequestId::random(), fingerprint: intent.fingerprint };
        Self { cluster, marks, repeatable: intent.repeatable, made: Mutex::default() }
    }

    /// Runs `create`. If it is repeatable and the name is taken, runs `find` for what it has made when it was asked before,
    /// and all of it again if that is gone meanwhile: that request has failed and undone it. Says whether it was found.
    ///
    /// # Errors
    /// Those of both.
    pub(crate) async fn once<T, C, F>(&self, create: impl Fn() -> C, find: impl Fn() -> F) -> Result<(T, bool), Failed>
    where
        C: Future<Output = Result<T, Failed>>,
        F: Future<Output = Result<Option<T>, Failed>>,
    {
        let mut round = 1;
        loop {
            match create().await {
                Err(failed) if self.repeatable && failed.source.is_already_exists() => match find().await? {
                    Some(object) => return Ok((object, true)),
                    None if round < FIND_ROUNDS => round += 1,
                    None => return Err(failed),
                },
                outcome => return Ok((outcome?, false)),
            }
        }
    }

    /// Creates one more object, unless nobody waits for the whole any more.
    ///
    /// # Errors
    /// [`Failed`] at `action`; then the whole should fail.
    pub(crate) async fn create<T: DeserializeOwned>(
        &self,
        resource: Resource,
        name: &ObjectName,
        object: &impl Serialize,
        action: &'static str,
        call: &Call,
    ) -> Result<T, Failed> {
        if !call.is_wanted() {
            return Err(Failed::to(action)(Error::Deadline));
        }
        let call = if self.has_made_something() { call.clone().continuing() } else { call.clone() };
        let outcome = self.cluster.create(resource, name, object, &self.marks, &call).await;
        if outcome.as_ref().err().is_none_or(|failed| failed.may_exist) {
            self.has_made(Made { resource, name: name.clone(), sure: outcome.is_ok(), last: None });
        }
        outcome.map_err(|NotCreated { error, .. }| Failed::to(action)(error))
    }

    /// Sees to it that the object `name` exists, to be shared with other requests: uses it as it is, or creates it.
    ///
    /// An object that another request has made is released from it first, so that it stays whatever becomes of that
    /// request. It is then nobody's to undo.
    ///
    /// # Errors
    /// [`Failed`] at `action`; 409 if the object is being deleted: its users would lose it a moment later.
    pub(crate) async fn ensure(
        &self,
        resource: Resource,
        name: &ObjectName,
        object: &impl Serialize,
        action: &'static str,
        call: &Call,
    ) -> Result<(), Failed> {
        let failed = Failed::to(action);
        let mut call = call.clone();
        for _ in 0..MARK_ROUNDS {
            let found = self.cluster.stored(resource, name, &call).await.map_err(&failed)?;
            call = call.continuing();
            let Some(stored) = found else {
                match self.create::<Value>(resource, name, object, action, &call).await {
                    // Somebody else has made it since the look.
                    Err(failed) if failed.source.is_already_exists() => continue,
                    outcome => return outcome.map(drop),
                }
            };
            if stored.is_being_deleted() {
                return Err(failed(Error::being_deleted(resource, name)));
            }
            if self.release(resource, name, &stored, &call).await.map_err(&failed)? {
                return Ok(());
            }
        }
        Err(failed(Error::taken(resource, name)))
    }

    /// Looks at the object that has the name of one to be created.
    pub(crate) async fn earlier(&self, resource: Resource, name: &ObjectName, call: &Call) -> Result<Earlier, Error> {
        let stored = self.cluster.stored(resource, name, call).await?;
        let Some(stored) = stored else { return Ok(Earlier::NotFound) };
        let same = self.marks.fingerprint.as_ref().is_some_and(|fingerprint| stored.has_fingerprint(fingerprint));
        Ok(match same {
            true if stored.is_being_deleted() => Earlier::Ending,
            true => Earlier::Same(stored),
            false => Earlier::Other,
        })
    }

    /// The object that the same create has made before. `None` if it is gone. `derived`: its name comes from the create's
    /// key, so that another object of that name means another create with the same key.
    ///
    /// # Errors
    /// [`Error`]; 409 if it is on its way out, or somebody else's.
    pub(crate) async fn find(
        &self,
        resource: Resource,
        name: &ObjectName,
        derived: bool,
        call: &Call,
    ) -> Result<Option<Stored>, Error> {
        match self.earlier(resource, name, call).await? {
            Earlier::Same(stored) => Ok(Some(stored)),
            Earlier::NotFound => Ok(None),
            Earlier::Ending => Err(Error::being_deleted(resource, name)),
            Earlier::Other if derived => Err(Error::key_reused(resource, name)),
            Earlier::Other => Err(Error::taken(resource, name)),
        }
    }

    /// Sees to it that `stored`, which the same create has made before, stays: that one may have failed, and be about to
    /// undo it. What this one has made is its own to undo. False if it is gone by now.
    ///
    /// # Errors
    /// [`Error`]; 409 if it is on its way out, or another one by now.
    pub(crate) async fn keep(
        &self,
        resource: Resource,
        name: &ObjectName,
        mut stored: Stored,
        call: &Call,
    ) -> Result<bool, Error> {
        for _ in 0..MARK_ROUNDS {
            if stored.is_of(self.marks.id) || self.release(resource, name, &stored, call).await? {
                return Ok(true);
            }
            match self.find(resource, name, false, call).await? {
                Some(found) => stored = found,
                None => return Ok(false),
            }
        }
        Err(Error::taken(resource, name))
    }

    /// Takes the mark of the request off that made `stored`. False if the object has been changed or removed meanwhile.
    async fn release(
        &self,
        resource: Resource,
        name: &ObjectName,
        stored: &Stored,
        call: &Call,
    ) -> Result<bool, Error> {
        if !stored.has_maker() {
            return Ok(true);
        }
        match self.cluster.merge_patch::<Value>(resource, name, &stored.without_maker(), call).await {
            Err(error) if error.has_status(StatusCode::CONFLICT) || error.has_status(StatusCode::NOT_FOUND) => {
                Ok(false)
            }
            Err(error) if error.has_status(StatusCode::FORBIDDEN) => {
                // The role of an earlier version. A failed create of somebody else may then take the object along.
                log::warn!("{} {name} is used as it is: {error}", resource.plural());
                Ok(true)
            }
            outcome => outcome.map(|_| true),
        }
    }

    /// Takes over the object `name` that the same create has made before: from now on it is undone with this one, and not
    /// with the earlier one. `stored` is how it was found, `last` the resource whose object of the same name is made last:
    /// once there is one, the whole is complete, and is left alone.
    ///
    /// # Errors
    /// [`Error`]; 409 if it has been removed or replaced by another one meanwhile.
    pub(crate) async fn take_over<T: DeserializeOwned>(
        &self,
        resource: Resource,
        name: &ObjectName,
        mut stored: Stored,
        last: Resource,
        call: &Call,
    ) -> Result<T, Error> {
        for _ in 0..MARK_ROUNDS {
            let marked = stored.marked(&self.marks)?;
            match self.cluster.replace::<T>(resource, name, &marked, call).await {
                Err(error) if error.has_status(StatusCode::CONFLICT) => {}
                Err(error) if error.has_status(StatusCode::NOT_FOUND) => break,
                outcome => {
                    if outcome.as_ref().err().is_none_or(Error::leaves_outcome_open) {
                        self.has_made(Made { resource, name: name.clone(), sure: outcome.is_ok(), last: Some(last) });
                    }
                    return outcome;
                }
            }
            match self.earlier(resource, name, call).await? {
                Earlier::Same(found) => stored = found,
                Earlier::Ending | Earlier::Other | Earlier::NotFound => break,
            }
        }
        Err(Error::taken(resource, name))
    }

    pub(super) fn has_made_something(&self) -> bool {
        !self.made.lock().unwrap_or_else(PoisonError::into_inner).is_empty()
    }

    fn has_made(&self, made: Made) {
        self.made.lock().unwrap_or_else(PoisonError::into_inner).push(made);
    }

    /// Removes what was made, the latest first. Objects that cannot be removed in time keep their marks, so that the same
    /// create asked again completes them.
    pub(super) async fn undo(&self) {
        let made = std::mem::take(&mut *self.made.lock().unwrap_or_else(PoisonError::into_inner));
        let call = Call::until(Instant::now() + UNDO_TIME).in_lane(Lane::Write).continuing();
        for made in made.iter().rev() {
            let Made { resource, name, .. } = made;
            match self.remove(made, &call).await {
                Ok(Removal::Removed | Removal::NotFound) => log::info!("undone: {} {name}", resource.plural()),
                Ok(Removal::NotOurs) => {
                    log::info!("not undone, since another request uses it by now: {} {name}", resource.plural());
                }
                Err(error) => log::error!("left behind by a failed create: {} {name}: {error}", resource.plural()),
            }
        }
    }

    async fn remove(&self, made: &Made, call: &Call) -> Result<Removal, Error> {
        let mut looked = made.sure;
        loop {
            let pause = match self.try_remove(made, call).await {
                Ok(Removal::NotFound) if !looked => {
                    looked = true;
                    UNDO_PAUSE
                }
                Ok(removal) => return Ok(removal),
                Err(error) if !may_pass(&error) || call.remaining() <= UNDO_PAUSE => return Err(error),
                Err(error) => {
                    log::warn!("undoing {} {}, which is tried again: {error}", made.resource.plural(), made.name);
                    error.retry_after().unwrap_or_default().clamp(UNDO_PAUSE, LONGEST_UNDO_PAUSE)
                }
            };
            sleep(pause).await;
        }
    }

    async fn try_remove(&self, made: &Made, call: &Call) -> Result<Removal, Error> {
        let Made { resource, name, last, .. } = made;
        if *resource == Resource::Claims && self.is_mounted(name, call).await? {
            return Ok(Removal::NotOurs);
        }
        if let Some(last) = last
            && self.cluster.stored(*last, name, call).await?.is_some()
        {
            return Ok(Removal::NotOurs);
        }
        self.cluster.delete_own(*resource, name, self.marks.id, call).await
    }

    /// True if a Deployment mounts the claim, of which not everybody tells the claim.
    async fn is_mounted(&self, claim: &ObjectName, call: &Call) -> Result<bool, Error> {
        let all = ListFilter::default();
        let mounts = |deployment: Deployment| deployment.claim_name() == Some(claim.as_str());
        let deployments = self.cluster.list(Resource::Deployments, &all, call, mounts).await?;
        Ok(deployments.rows.contains(&true))
    }
}

/// True if a removal that failed so may succeed later: an API server or a throttle that is overloaded, an answer that was
/// garbled, or an object that was changed between the look and the removal.
fn may_pass(error: &Error) -> bool {
    error.is_transient()
        || matches!(error, Error::Refused(_) | Error::Unreadable(_))
        || error.has_status(StatusCode::CONFLICT)
}
