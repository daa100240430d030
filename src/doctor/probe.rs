//! Calls of an examination: one after the other through the one limited client, each with a deadline of its own.

use crate::call::{Call, Operation};
use crate::cluster::inspect::Exchange;
use crate::cluster::{Cluster, Error, Resource};
use serde_json::Value;
use tokio::time::{Duration, Instant, sleep};

/// Number of times that a call waits for its turn when our own limit does not let it through. Nobody else uses it, so the
/// second time it should pass; the others are for an API server that makes the limit narrower in the meantime.
const TURNS: u32 = 5;

/// One call after the other, each within a deadline of its own.
pub(super) struct Probe<'a> {
    cluster: &'a Cluster,
    deadline: Duration,
}

impl<'a> Probe<'a> {
    pub(super) fn new(cluster: &'a Cluster, deadline: Duration) -> Self {
        Self { cluster, deadline }
    }

    pub(super) async fn get(&self, resource: &'static str, path: &str) -> Result<Exchange, Error> {
        let operation = Operation { verb: "get", resource };
        self.in_turn(async |call| self.cluster.look_at(operation, path, &call).await).await
    }

    pub(super) async fn create(&self, resource: &'static str, path: &str, document: &Value) -> Result<Exchange, Error> {
        let operation = Operation { verb: "create", resource };
        self.in_turn(async |call| self.cluster.ask(operation, path, document, &call).await).await
    }

    pub(super) async fn first_page(&self, resource: Resource) -> Result<Exchange, Error> {
        self.in_turn(async |call| self.cluster.look_at_first_page(resource, &call).await).await
    }

    async fn in_turn(&self, exchange: impl AsyncFn(Call) -> Result<Exchange, Error>) -> Result<Exchange, Error> {
        for _ in 1..TURNS {
            match exchange(Call::until(Instant::now() + self.deadline)).await {
                Err(Error::Refused(refused)) => sleep(refused.retry_after).await,
                outcome => return outcome,
            }
        }
        exchange(Call::until(Instant::now() + self.deadline)).await
    }
}
