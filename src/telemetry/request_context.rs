//! Request context: the request that the work at hand is done for, by which its lines in the log are found.
//!
//! The context belongs to a task. Work that a request hands to a task of its own takes it along with [`carried`]; work
//! that many requests share has that of the one that began it.

use std::future::Future;
use std::sync::Arc;
use tokio::task_local;

task_local! {
    static CURRENT: Option<RequestContext>;
}

/// Names of a request in the log. Cheap to clone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct RequestContext(Arc<Names>);

#[derive(Debug, PartialEq, Eq)]
struct Names {
    id: String,
    trace: Option<String>,
}

impl RequestContext {
    /// The request `id`; `trace` is how its caller follows it through several services, if it does. Both reach the log
    /// as they are.
    pub(crate) fn new(id: String, trace: Option<String>) -> Self {
        Self(Arc::new(Names { id, trace }))
    }

    /// The request that this task works for. `None`: it works for none.
    pub(crate) fn current() -> Option<Self> {
        CURRENT.try_with(Clone::clone).ok().flatten()
    }

    /// Its id.
    pub(crate) fn id(&self) -> &str {
        &self.0.id
    }

    /// Its caller's name for it.
    pub(crate) fn trace(&self) -> Option<&str> {
        self.0.trace.as_deref()
    }

    /// `work`, done for this request.
    pub(crate) fn scope<F: Future>(self, work: F) -> impl Future<Output = F::Output> {
        CURRENT.scope(Some(self), work)
    }

    /// The same, where nothing is waited for.
    pub(crate) fn sync_scope<T>(self, work: impl FnOnce() -> T) -> T {
        CURRENT.sync_scope(Some(self), work)
    }
}

/// `work`, done for the request that this task works for now, in whatever task it will run.
pub(crate) fn carried<F: Future>(work: F) -> impl Future<Output = F::Output> {
    CURRENT.scope(RequestContext::current(), work)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_task_of_its_own_works_for_nobody_unless_the_context_is_carried() {
        let context = RequestContext::new("r-1".to_owned(), None);
        let [carried, not] = context
            .clone()
            .scope(async {
                let current = || async { RequestContext::current() };
                [tokio::spawn(carried(current())), tokio::spawn(current())]
            })
            .await;
        assert_eq!((carried.await.unwrap(), not.await.unwrap()), (Some(context), None));
        assert_eq!(RequestContext::current(), None);
    }
}
