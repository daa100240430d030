//! Memorable: a value that the memory can keep, narrow and bring up to date.

use super::key::Key;
use crate::syntax::ListFilter;
use std::future::Future;

/// A value that can be remembered.
pub trait Memorable: Sized + Send + Sync + 'static {
    /// The part of this answer that answers the narrower question `key`; `None` if it does not hold it.
    fn narrow(&self, key: &Key) -> Option<Self>;

    /// About how many bytes of memory it takes.
    fn bytes(&self) -> usize;

    /// The list of what `filter` asks for, as it is with these single objects put in the place of older ones, by name, and
    /// without those that do not exist any more (`None`). `None` if it is no list.
    fn laid_over(&self, filter: &ListFilter, written: &[(&str, Option<&Self>)]) -> Option<Self> {
        let _ = (filter, written);
        None
    }

    /// Makes ready what callers have asked for of `before`, whose place this answer is about to take.
    fn prepare_like(&self, before: &Self) -> impl Future<Output = ()> + Send {
        let _ = before;
        std::future::ready(())
    }
}
