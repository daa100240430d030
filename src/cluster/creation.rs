//! All or nothing: the objects that one request makes, and their removal if it does not come to an end.
//!
//! A caller that hangs up, a deadline and a failed step all mean the same: what this request made is removed again,
//! and only that. An object whose create has an open outcome counts as made.

use super::client::Cluster;
use super::error::{Error, Failed};
use super::resource::Resource;
use super::slim::Deployment;
use super::write::{NotCreated, RequestId};
use crate::call::{Call, Lane};
use crate::syntax::{ListFilter, ObjectName};
use crate::telemetry::request_context::carried;
use serde::Serialize;
use serde::de::DeserializeOwned;
use std::sync::{Arc, Mutex, PoisonError};
use tokio::runtime::Handle;
use tokio::time::{Duration, Instant, sleep, timeout_at};
use tokio_util::task::TaskTracker;

/// How long a removal is tried: as long as an API server needs to come back from a restart.
const UNDO_DEADLINE: Duration = Duration::from_secs(60);

/// The pause before a failed removal is tried again, and before an object that may still come into being is looked
/// for a second time: what the API server had accepted before a connection was cut is stored by then.
const UNDO_PAUSE: Duration = Duration::from_secs(1);

/// Where writes run: in tasks of their own, so that none ends halfway because its caller has hung up.
#[derive(Clone)]
pub struct Writer {
    cluster: Arc<Cluster>,
    runtime: Handle,
    tasks: TaskTracker,
}

impl Writer {
    /// Writes to `cluster`, run on `runtime`.
    #[must_use]
    pub fn new(cluster: Arc<Cluster>, runtime: Handle) -> Self {
        Self { cluster, runtime, tasks: TaskTracker::new() }
    }

    /// The API server.
    #[must_use]
    pub fn cluster(&self) -> &Arc<Cluster> {
        &self.cluster
    }

    /// Waits until no write is under way, and no undoing. There should be no new ones by then.
    pub async fn ended(&self) {
        self.tasks.close();
        self.tasks.wait().await;
    }

    /// Runs `write` to its end, whether the caller waits for it or not. It is given `call` in the lane of writes, wanted
    /// only while the caller waits: nothing is begun, and nothing tried again, for a caller that has gone and may have
    /// done something else since.
    ///
    /// # Errors
    /// That of `write`; or [`Error::Deadline`] at `action`, if the call's deadline passes before.
    pub async fn finish<T, F, Fut>(&self, action: &'static str, call: Call, write: F) -> Result<T, Failed>
    where
        T: Send + 'static,
        F: FnOnce(Call) -> Fut,
        Fut: Future<Output = Result<T, Failed>> + Send + 'static,
    {
        let caller = Arc::new(());
        let watched = Arc::downgrade(&caller);
        let deadline = call.deadline();
        let call = call.in_lane(Lane::Write).while_wanted(move || watched.strong_count() > 0);
        let task = self.tasks.spawn_on(carried(write(call)), &self.runtime);
        let outcome = match timeout_at(deadline, task).await {
            Ok(Ok(outcome)) => outcome,
            Ok(Err(lost)) => Err(Failed::to(action)(Error::Internal(lost.to_string()))),
            Err(_) => Err(Failed::to(action)(Error::Deadline)),
        };
        drop(caller);
        outcome
    }

    /// Runs `make`, and undoes what it made unless it succeeds while the caller still waits; then, if it has made
    /// anything at all, runs `ended`.
    ///
    /// # Errors
    /// As [`Writer::finish`]. An error of `make` is told when the undoing has ended.
    pub async fn all_or_nothing<T, F, Fut>(
        &self,
        action: &'static str,
        call: Call,
        make: F,
        ended: impl FnOnce() + Send + 'static,
    ) -> Result<T, Failed>
    where
        T: Send + 'static,
        F: FnOnce(Arc<Creation>, Call) -> Fut + Send + 'static,
        Fut: Future<Output = Result<T, Failed>> + Send,
    {
        let creation = Arc::new(Creation::new(Arc::clone(&self.cluster)));
        self.finish(action, call, move |call| async move {
            let mut outcome = make(Arc::clone(&creation), call.clone()).await;
            let touched = creation.has_made_something();
            if outcome.is_err() || !call.is_wanted() {
                creation.undo().await;
                outcome = outcome.and(Err(Failed::to(action)(Error::Deadline)));
            }
            if touched {
                ended();
            }
            outcome
        })
        .await
    }
}

/// What one request has made so far.
pub struct Creation {
    cluster: Arc<Cluster>,
    id: RequestId,
    made: Mutex<Vec<Made>>,
}

#[derive(Clone)]
struct Made {
    resource: Resource,
    name: ObjectName,
    /// Whether the API server said so.
    sure: bool,
}

impl Creation {
    fn new(cluster: Arc<Cluster>) -> Self {
        Self { cluster, id: RequestId::random(), made: Mutex::default() }
    }

    /// Creates one more object, unless nobody waits for the whole any more.
    ///
    /// # Errors
    /// [`Failed`] at `action`; then the whole should fail.
    pub async fn create<T: DeserializeOwned>(
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
        let outcome = self.cluster.create(resource, name, object, self.id, call).await;
        if outcome.as_ref().err().is_none_or(|failed| failed.may_exist) {
            let made = Made { resource, name: name.clone(), sure: outcome.is_ok() };
            self.made.lock().unwrap_or_else(PoisonError::into_inner).push(made);
        }
        outcome.map_err(|NotCreated { error, .. }| Failed::to(action)(error))
    }

    fn has_made_something(&self) -> bool {
        !self.made.lock().unwrap_or_else(PoisonError::into_inner).is_empty()
    }

    /// Removes what was made, the latest first.
    async fn undo(&self) {
        let made = std::mem::take(&mut *self.made.lock().unwrap_or_else(PoisonError::into_inner));
        for made in made.iter().rev() {
            let Made { resource, name, .. } = made;
            let call = Call::until(Instant::now() + UNDO_DEADLINE).in_lane(Lane::Write).continuing();
            match self.remove(made, &call).await {
                Ok(true) => log::info!("undone: {} {name}", resource.plural()),
                Ok(false) => {
                    log::info!("not undone, since another service uses it by now: {} {name}", resource.plural())
                }
                Err(error) => log::error!("left behind by a failed create: {} {name}: {error}", resource.plural()),
            }
        }
    }

    /// False if it has to stay.
    async fn remove(&self, made: &Made, call: &Call) -> Result<bool, Error> {
        let mut looked = made.sure;
        loop {
            let removed = match self.is_shared(made, call).await {
                Ok(true) => return Ok(false),
                Ok(false) => self.cluster.delete_own(made.resource, &made.name, self.id, call).await,
                Err(error) => Err(error),
            };
            match removed {
                Ok(found) if found || looked => return Ok(true),
                Ok(_) => looked = true,
                Err(error) if !error.is_transient() || call.remaining() <= UNDO_PAUSE => return Err(error),
                Err(error) => log::warn!("undoing {} {}: {error}", made.resource.plural(), made.name),
            }
            sleep(UNDO_PAUSE).await;
        }
    }

    /// Whether a Deployment mounts it: a claim that was just made may have been found, and used, by somebody else.
    async fn is_shared(&self, made: &Made, call: &Call) -> Result<bool, Error> {
        if made.resource != Resource::Claims {
            return Ok(false);
        }
        let all = ListFilter::default();
        let mounts = |deployment: Deployment| deployment.claim_name() == Some(made.name.as_str());
        let deployments = self.cluster.list(Resource::Deployments, &all, call, mounts).await?;
        Ok(deployments.rows.contains(&true))
    }
}
