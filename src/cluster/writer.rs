//! Writer: writes in tasks of their own, so that none ends halfway because its caller has hung up.

use super::client::Cluster;
use super::creation::{Creation, Intent};
use super::error::{Error, Failed};
use crate::call::{Call, Lane};
use crate::telemetry::request_context::carried;
use std::sync::Arc;
use tokio::runtime::Handle;
use tokio::time::{Duration, timeout, timeout_at};
use tokio_util::task::TaskTracker;

/// Time that a failed create keeps its error back until it has been undone, so that a caller which asks again finds the
/// name free. An API server that is overloaded takes longer, and its caller is better told than kept.
const UNDONE_WITHIN: Duration = Duration::from_secs(2);

/// The writes of the process. Cheap to clone; clones share them.
#[derive(Clone)]
pub(crate) struct Writer {
    cluster: Arc<Cluster>,
    runtime: Handle,
    tasks: TaskTracker,
}

impl Writer {
    /// Writes to `cluster`, run on `runtime`.
    pub(crate) fn new(cluster: Arc<Cluster>, runtime: Handle) -> Self {
        Self { cluster, runtime, tasks: TaskTracker::new() }
    }

    /// The API server.
    pub(crate) fn cluster(&self) -> &Arc<Cluster> {
        &self.cluster
    }

    /// Waits until no write is under way, and no undoing. There should be no new ones by then.
    pub(crate) async fn ended(&self) {
        self.tasks.close();
        self.tasks.wait().await;
    }

    /// Runs `write` to its end, whether the caller waits for it or not. It is given `call` in the lane of writes, wanted
    /// only while the caller waits: nothing is begun, and nothing tried again, for a caller that has gone and may have
    /// done something else since.
    ///
    /// # Errors
    /// The error of `write`; or [`Error::Deadline`] at `action`, if the call's deadline passes before.
    pub(crate) async fn finish<T, F, Fut>(&self, action: &'static str, call: Call, write: F) -> Result<T, Failed>
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

    /// Runs `make`, and undoes what it made unless it succeeds while the caller still waits (or may ask again, see
    /// [`Intent::repeatable`]). `changed` is run whenever objects have been made, found or removed, with what stands then.
    ///
    /// The undoing has its own time and outlives the caller; a caller is told of the failure when all is undone, or after
    /// two seconds.
    pub(crate) async fn all_or_nothing<T, F, Fut>(
        &self,
        action: &'static str,
        call: Call,
        intent: Intent,
        make: F,
        changed: impl Fn(Option<&T>) + Send + 'static,
    ) -> Result<T, Failed>
    where
        T: Send + 'static,
        F: FnOnce(Arc<Creation>, Call) -> Fut + Send + 'static,
        Fut: Future<Output = Result<T, Failed>> + Send,
    {
        let (tasks, runtime) = (self.tasks.clone(), self.runtime.clone());
        let may_be_repeated = intent.may_be_repeated();
        let creation = Arc::new(Creation::new(Arc::clone(&self.cluster), intent));
        self.finish(action, call, move |call| async move {
            let outcome = make(Arc::clone(&creation), call.clone()).await;
            let touched = creation.has_made_something();
            let stands = outcome.is_ok() && (may_be_repeated || call.is_wanted());
            // An object that was found is news to this replica, too: another one may have made it.
            if touched || stands {
                changed(outcome.as_ref().ok().filter(|_| stands));
            }
            if stands {
                return outcome;
            }
            if touched {
                let undo = carried(async move {
                    creation.undo().await;
                    changed(None);
                });
                // The task goes on if this is too short.
                let _ = timeout(UNDONE_WITHIN.min(call.remaining() / 2), tasks.spawn_on(undo, &runtime)).await;
            }
            outcome.and(Err(Failed::to(action)(Error::Deadline)))
        })
        .await
    }
}
