//! Sweep: objects that one list has shown, each deleted by a call of its own.
//!
//! Each delete names the object's uid and resourceVersion, so that one which was changed or made anew since the list
//! stays. A sweep that runs out of time or meets an overload tells which objects are left; asking again goes on there.

use crate::call::Call;
use crate::cluster::{Cluster, Deleted, Error, ObjectVersion, Resource};
use crate::syntax::ObjectName;
use crate::telemetry::request_context::carried;
use http::StatusCode;
use serde::Serialize;
use std::sync::Arc;
use tokio::task::JoinSet;
use utoipa::ToSchema;

/// Deletes of one sweep under way at a time. The throttle bounds all calls of the process; this leaves its places to
/// others.
const AT_ONCE: usize = 4;

const NOT_REACHED: &str = "not asked for in time; ask again to go on";
const CHANGED: &str = "changed since it was listed, and stays";

/// The outcome of a sweep.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, ToSchema)]
pub(crate) struct Swept {
    /// The objects that are gone, or about to go; with a dry run those that would be.
    pub removed: Vec<Removed>,
    /// The objects that should be gone and are not.
    pub failed: Vec<Kept>,
    /// Nothing was removed: the question was what would be.
    pub dry_run: bool,
}

/// An object that a sweep has removed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
#[schema(as = SweptObject)]
pub(crate) struct Removed {
    /// Its name.
    #[schema(example = "weather-3ue90w")]
    pub id: String,
    /// `expired`, `finished`, `incomplete`, or `selected` by the query.
    #[schema(example = "expired")]
    pub reason: &'static str,
}

/// An object that a sweep should have removed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
#[schema(as = KeptObject)]
pub(crate) struct Kept {
    /// Its name.
    #[schema(example = "weather-3ue90w")]
    pub id: String,
    /// Why it is still there.
    #[schema(example = "changed since it was listed, and stays")]
    pub message: String,
}

/// An object that the list has shown and the sweep removes.
#[derive(Debug)]
pub(super) struct Doomed {
    pub(super) resource: Resource,
    pub(super) name: ObjectName,
    pub(super) version: ObjectVersion,
    pub(super) reason: &'static str,
}

/// Told of each delete before it is sent, and of its outcome by what that gives.
pub(crate) type Announce = Arc<dyn Fn(&ObjectName) -> Settle + Send + Sync>;

/// Told of the outcome of one delete.
pub(crate) type Settle = Box<dyn FnOnce(&Result<Deleted, Error>) + Send>;

/// For a sweep of which nobody remembers anything.
pub(crate) fn announce_to_nobody() -> Announce {
    Arc::new(|_| Box::new(|_| ()))
}

/// Deletes a few at a time, in the order of the list; with `dry_run` none.
pub(super) async fn remove(
    cluster: &Arc<Cluster>,
    doomed: Vec<Doomed>,
    dry_run: bool,
    announce: &Announce,
    call: &Call,
) -> Swept {
    if dry_run {
        return Swept { removed: doomed.into_iter().map(Doomed::removed).collect(), dry_run, ..Swept::default() };
    }
    let mut swept = Swept::default();
    let mut pending = doomed.into_iter();
    let mut deletes = JoinSet::new();
    loop {
        while deletes.len() < AT_ONCE
            && let Some(object) = pending.next()
        {
            let (cluster, announce, call) = (Arc::clone(cluster), Arc::clone(announce), call.clone());
            deletes.spawn(carried(async move {
                let outcome = delete(&cluster, &object, &announce, &call).await;
                (object, outcome)
            }));
        }
        match deletes.join_next().await {
            None => return swept,
            Some(Ok((object, Ok(())))) => swept.removed.push(object.removed()),
            Some(Ok((object, Err(message)))) => swept.failed.push(Kept { id: object.name.to_string(), message }),
            Some(Err(lost)) => log::error!("a delete of a sweep was lost: {lost}"),
        }
    }
}

async fn delete(cluster: &Cluster, object: &Doomed, announce: &Announce, call: &Call) -> Result<(), String> {
    if !call.is_wanted() || call.remaining().is_zero() {
        return Err(NOT_REACHED.to_owned());
    }
    let Doomed { resource, name, version, .. } = object;
    let settle = announce(name);
    let outcome = cluster.delete_version(*resource, name, version, call).await;
    settle(&outcome);
    match outcome {
        // An object that is gone already is what the sweep wanted.
        Ok(_) => Ok(()),
        Err(error) if error.has_status(StatusCode::CONFLICT) => Err(CHANGED.to_owned()),
        Err(error) => Err(error.to_string()),
    }
}

impl Doomed {
    fn removed(self) -> Removed {
        Removed { id: self.name.to_string(), reason: self.reason }
    }
}
