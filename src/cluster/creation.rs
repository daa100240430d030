//! All or nothing: the objects that one request makes, and their removal if it does not come to an end.
//!
//! A caller that hangs up, a deadline and a failed step all mean the same: what this request made is removed again,
//! and only that. An object whose create has an open outcome counts as made.

use super::client::Cluster;
use super::error::{Error, Failed};
use super::resource::Resource;
use super::write::{NotCreated, RequestId};
use crate::call::Call;
use crate::labels::ObjectName;
use serde::Serialize;
use serde::de::DeserializeOwned;
use std::sync::Arc;
use tokio::time::{Duration, Instant, sleep};

/// How long a removal is tried: as long as an API server needs to come back from a restart.
const UNDO_DEADLINE: Duration = Duration::from_secs(60);

/// The pause before a failed removal is tried again, and before an object that may still come into being is looked
/// for a second time: what the API server had accepted before a connection was cut is stored by then.
const UNDO_PAUSE: Duration = Duration::from_secs(1);

/// What one request has made so far.
pub struct Creation {
    cluster: Arc<Cluster>,
    id: RequestId,
    made: Vec<Made>,
}

struct Made {
    resource: Resource,
    name: ObjectName,
    /// Whether the API server said so.
    sure: bool,
}

impl Creation {
    /// A request that has made nothing yet.
    #[must_use]
    pub fn new(cluster: Arc<Cluster>) -> Self {
        Self { cluster, id: RequestId::random(), made: Vec::new() }
    }

    /// The API server, for what is read on the way.
    #[must_use]
    pub fn cluster(&self) -> &Cluster {
        &self.cluster
    }

    /// Creates one more object, unless nobody waits for the whole any more.
    ///
    /// # Errors
    /// [`Failed`] at `action`; then the whole should be undone.
    pub async fn create<T: DeserializeOwned>(
        &mut self,
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
        let sure = outcome.is_ok();
        if outcome.as_ref().err().is_none_or(|failed| failed.may_exist) {
            self.made.push(Made { resource, name: name.clone(), sure });
        }
        outcome.map_err(|NotCreated { error, .. }| Failed::to(action)(error))
    }

    /// Removes what was made, the latest first.
    pub async fn undo(self) {
        let call = Call::until(Instant::now() + UNDO_DEADLINE);
        for made in self.made.iter().rev() {
            let Made { resource, name, .. } = made;
            match self.remove(made, &call).await {
                Ok(()) => log::info!("undone: {} {name}", resource.plural()),
                Err(error) => log::error!("left behind by a failed create: {} {name}: {error}", resource.plural()),
            }
        }
    }

    async fn remove(&self, made: &Made, call: &Call) -> Result<(), Error> {
        let mut looked = made.sure;
        loop {
            match self.cluster.delete_own(made.resource, &made.name, self.id, call).await {
                Ok(found) if found || looked => return Ok(()),
                Ok(_) => looked = true,
                Err(error) if call.remaining() <= UNDO_PAUSE => return Err(error),
                Err(error) => log::warn!("undoing {} {}: {error}", made.resource.plural(), made.name),
            }
            sleep(UNDO_PAUSE).await;
        }
    }
}
